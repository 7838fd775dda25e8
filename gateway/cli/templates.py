"""``gateway templates``: check messages before a customer reads them, and see one as it would go out."""

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from gateway.cli.options import ConfigOption, plain_errors, read_config, stderr
from gateway.config import Config, ConfigError
from notifiers.message import Brand
from notifiers.wording.render import TEMPLATES, Renderer
from notifiers.wording.template_check import CHANNELS
from notifiers.wording.template_check import check as findings
from notifiers.wording.template_check import preview as previewed

app = typer.Typer(help="Check messages before a customer reads them, and see them.", no_args_is_help=True)


@app.command()
def check(
    language: Annotated[list[str] | None, typer.Option(help="Only these languages.")] = None,
    strict: Annotated[bool, typer.Option(help="Warnings count as errors.")] = False,
    config: ConfigOption = None,
) -> None:
    """Render every template in every language as mail, SMS and chat, and say what is wrong; status 1 if anything is.

    Errors: broken templates, unknown variables, links outside ``public_url``, words about passwords or payment.
    Warnings: missing translations, SMS of more than three segments.
    """
    with plain_errors(ConfigError, OSError, ValueError):
        settings = read_config(config)
        renderer, brand = _renderer(settings), _brand(settings)
        wanted = language or sorted(renderer.languages)
        unknown = set(wanted) - renderer.languages
        if unknown:
            raise ValueError(
                f"there is no catalogue for '{min(unknown)}'; there are {', '.join(sorted(renderer.languages))}"
            )
        found = findings(renderer, brand, wanted)
    for finding in found:
        print(f"{finding.level}: {finding.where}: {finding.what}")
    errors = sum(finding.level == "error" for finding in found)
    told = f"{len(TEMPLATES)} templates in {len(wanted)} languages and {len(CHANNELS)} forms"
    stderr.print(f"{told}: {errors} errors, {len(found) - errors} warnings", soft_wrap=True)
    if errors or (strict and found):
        raise typer.Exit(1)


@app.command()
def preview(
    template: Annotated[str, typer.Argument(help="Its name, such as fault_opened.")],
    language: Annotated[str, typer.Option(help="The customer's locale, BCP 47.")] = "en",
    channel: Annotated[str, typer.Option(help="email, sms, or any chat.")] = "email",
    facts: Annotated[
        Path | None, typer.Option(help="A JSON object of facts; default: a sample.", exists=True, dir_okay=False)
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="Print the mail's HTML instead.")] = False,
    config: ConfigOption = None,
) -> None:
    """Print one message as it would go out."""
    with plain_errors(ConfigError, OSError, ValueError):
        settings = read_config(config)
        if template not in TEMPLATES:
            raise ValueError(f"there is no template '{template}'; there are {', '.join(sorted(TEMPLATES))}")
        given = _facts(facts) if facts is not None else None
        rendered = previewed(_renderer(settings), template, language, channel, _brand(settings), given)
    if html:
        print(rendered.html or "")
        return
    print(f"Subject: {rendered.subject}\n\n{rendered.text}")
    for button in rendered.buttons:
        print(f"[{button.label}]")
    if rendered.segments is not None:
        size = rendered.segments
        stderr.print(f"{size.count} segments, {size.encoding}, {size.units} units", highlight=False)
    for missing in rendered.missing:
        stderr.print(f"fell back or was left out: {missing}", soft_wrap=True, markup=False)


def _facts(path: Path) -> dict[str, Any]:
    try:
        data = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{path}:{error.lineno}:{error.colno}: {error.msg}") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path}: is no JSON object of facts")
    return data


def _renderer(settings: Config) -> Renderer:
    return Renderer(settings.notifiers.templates, settings.notifiers.translations)


def _brand(settings: Config) -> Brand:
    return Brand(settings.brand.name, settings.brand.support_name, settings.public_url)
