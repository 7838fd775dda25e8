"""``gateway config``: what is configured, and who says so."""

import json
from typing import Annotated

import typer

from gateway.cli.options import ConfigOption, plain_errors, read_config
from gateway.config import ConfigError

app = typer.Typer(help="What is configured, and who says so.", no_args_is_help=True)


@app.callback()
def about() -> None:
    """Keep ``show`` a command of its own, though it is the only one."""


@app.command()
def show(
    changed: Annotated[bool, typer.Option("--changed", help="Leave out what is as it comes.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    config: ConfigOption = None,
) -> None:
    """Print the configuration in force: each setting with the file and line, or the variable, that says so.

    Secrets show as four dots where they are set.
    """
    with plain_errors(ConfigError, OSError):
        settings = read_config(config).in_force
    for setting in settings:
        if changed and setting.source == "default":
            continue
        if as_json:
            print(json.dumps(setting.as_dict(), ensure_ascii=False))
        else:
            value = json.dumps(setting.value, ensure_ascii=False)
            print(f"{setting.name} = {value}  # {setting.where or setting.source}")
