"""``gateway staff``: working hours, teams, service levels and rotas as a file, to be read, kept and put in place."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from gateway.cli.options import ConfigOption, plain_errors, read_config

if TYPE_CHECKING:
    import sqlalchemy as sa

    from gateway.commands import Command


class _Words(yaml.SafeLoader):
    """Reads everything but null as it is written: a date or a yes is a word here, as in a form."""


_Words.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if tag == "tag:yaml.org,2002:null"]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

app = typer.Typer(help="Working hours, teams, service levels and rotas as a file.", no_args_is_help=True)


@app.command()
def show(config: ConfigOption = None) -> None:
    """Print all of them as YAML, as ``gateway staff set`` reads it."""
    from gateway.errors import StartRefused
    from gateway.store.store import Store

    with plain_errors(StartRefused, OSError):
        store = Store(read_config(config).store_url)
        try:
            with store.read() as connection:
                written = _written(connection)
        finally:
            store.close()
    print(yaml.safe_dump(written, allow_unicode=True, sort_keys=False, width=120), end="")


@app.command("set")
def set_(
    file: Annotated[Path, typer.Argument(help="YAML with hours, teams, levels and rotas, each a list.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read the file and say what is in it; keep nothing.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Keep what a file says, in place of what has the same names; what it does not name stays as it is."""
    from gateway.commands import CommandRefused
    from gateway.control import submit_command
    from gateway.errors import StartRefused
    from gateway.web.errors import FieldError

    with plain_errors(StartRefused, CommandRefused, FieldError, OSError, ValueError):
        settings, commands = read_config(config), _read(file)
        for what, name, command in commands:
            if not dry_run:
                try:
                    submit_command(settings, command)
                except CommandRefused as refused:
                    raise CommandRefused(f"{what} {name}: {refused}; what stands above it is kept") from refused
            typer.echo(f"{what} {name}: {'read' if dry_run else 'kept'}")


def _makers() -> Mapping[str, Callable[[Mapping[str, Any], str], "Command"]]:
    """By section, in the order in which one needs the other."""
    from gateway.web.pages.rota import rota_command
    from gateway.web.pages.service_levels import hours_command, policy_command
    from gateway.web.pages.teams import team_command

    return {"hours": hours_command, "teams": team_command, "levels": policy_command, "rotas": rota_command}


def _read(file: Path) -> list[tuple[str, str, "Command"]]:
    """Read the whole file before anything is kept: (section, name, command) each. Raises ValueError, FieldError."""
    from gateway.web.errors import FieldError

    try:
        told = yaml.load(file.read_text(encoding="utf-8"), Loader=_Words)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: is no YAML: {error}") from error
    makers = _makers()
    if not isinstance(told, dict) or not told or set(told) - set(makers):
        raise ValueError(f"{file}: holds {', '.join(makers)}, each a list, and nothing else")
    found: list[tuple[str, str, Command]] = []
    for section, make in makers.items():
        for number, one in enumerate(told.get(section) or (), start=1):
            if not isinstance(one, dict):
                raise ValueError(f"{file}: {section}, number {number}: no mapping of names to values")
            try:
                found.append((section, str(one.get("name")), make(one, "command line")))
            except FieldError as error:
                raise ValueError(f"{file}: {section}, {one.get('name') or f'number {number}'}: {error}") from error
    return found


def _written(connection: "sa.Connection") -> dict[str, list[dict[str, Any]]]:
    import sqlalchemy as sa

    from device_models.duration import format_duration
    from gateway.store import staff
    from gateway.web.pages.service_levels import load, policy_shown

    levels = load(connection)
    teams = connection.execute(sa.select(staff.teams).order_by(staff.teams.c.position, staff.teams.c.name)).mappings()
    members = (
        connection.execute(sa.select(staff.team_members).order_by(staff.team_members.c.user_name)).mappings().all()
    )
    rotas = connection.execute(sa.select(staff.rotas).order_by(staff.rotas.c.name)).mappings()
    return {
        "hours": [_plain(row) for row in levels.hours],
        "teams": [
            _plain(row)
            | {
                "members": [
                    _plain({"name": one["user_name"], "languages": one["languages"], "at_most": one["at_most"]})
                    for one in members
                    if one["team"] == row["name"]
                ]
            }
            for row in teams
        ],
        "levels": [_plain(policy_shown(one, levels), leaving=("open_cases",)) for one in levels.policies],
        "rotas": [
            _plain(row, leaving=("ack_within_s",)) | {"ack_within": format_duration(_seconds(row["ack_within_s"]))}
            for row in rotas
        ],
    }


def _plain(row: "Mapping[str, Any] | sa.RowMapping", leaving: tuple[str, ...] = ()) -> dict[str, Any]:
    """A row without what says nothing, of plain texts, numbers and lists."""
    said = {n: value for n, value in row.items() if n not in leaving and value is not None and value != []}
    return dict(json.loads(json.dumps(said)))


def _seconds(value: float) -> Any:
    from datetime import timedelta

    return timedelta(seconds=value)
