"""``gateway import``: devices, customers, shops and offers from files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from device_models.registry import Record
from gateway.cli.options import ConfigOption, plain_errors, read_config, stderr

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.people.importing import ImportResult, Kind

_MOST_ERRORS = 50


def import_(
    kind: Annotated[str, typer.Argument(help="devices, customers, shops or offers.")],
    file: Annotated[Path, typer.Argument(help="CSV, JSON, JSON lines or GeoJSON.", exists=True, dir_okay=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the file.")] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Import the good rows of a file that has mistakes.")
    ] = False,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="COLUMN=FIELD",
            help="Read a column as a field (nested JSON: location.lat); COLUMN= drops it. May be repeated.",
        ),
    ] = None,
    file_format: Annotated[
        str | None, typer.Option("--format", help="csv, json, jsonl or geojson; default: by the file's suffix.")
    ] = None,
    encoding: Annotated[
        str, typer.Option("--encoding", help="What a file that is not UTF-8 is written in, such as cp1252 (Excel's).")
    ] = "utf-8-sig",
    config: ConfigOption = None,
) -> None:
    """Write a file's records by id; nothing is deleted, and nothing is written while a row is wrong."""
    from gateway.commands import CommandRefused
    from gateway.errors import StartRefused
    from gateway.people.importing import MODELS, Format, read_records

    if kind not in MODELS:
        raise typer.BadParameter(f"'{kind}' is none of {', '.join(MODELS)}", param_hint="KIND")
    if file_format not in (None, "csv", "json", "jsonl", "geojson"):
        raise typer.BadParameter(f"'{file_format}' is none of csv, json, jsonl, geojson", param_hint="--format")
    with plain_errors(OSError, ValueError):
        result = read_records(
            file, cast("Kind", kind), _mapping(mapping or []), cast("Format | None", file_format), encoding
        )
    _show_errors(result)
    if result.errors and not keep_going:
        count = f"{len(result.errors)} mistake{'' if len(result.errors) == 1 else 's'}"
        stderr.print(f"Nothing was imported: {count}. --keep-going imports the other rows.")
        raise typer.Exit(1)
    if dry_run:
        typer.echo(f"{len(result.records)} {kind} are right; nothing was imported.")
        return
    with plain_errors(StartRefused, CommandRefused):
        created, updated = _Gateway(read_config(config)).upsert(cast("Kind", kind), result.records)
    typer.echo(f"Imported {kind}: {created} new, {updated} updated.")


class _Gateway:
    """The ``RecordSink`` that is the running gateway, or its store where none runs."""

    def __init__(self, config: "Config") -> None:
        self._config = config

    def upsert(self, kind: "Kind", records: Sequence[Record]) -> tuple[int, int]:
        """See ``RecordSink.upsert``. Raises CommandRefused or StartRefused."""
        from gateway.commands import Upsert
        from gateway.control import submit_command

        rows = tuple(record.model_dump(mode="json", exclude_unset=True) for record in records)
        created, updated = submit_command(self._config, Upsert(kind, rows, by="command line"))
        return int(created), int(updated)


def _mapping(pairs: list[str]) -> dict[str, str]:
    mapping = {}
    for pair in pairs:
        column, equals, field = pair.rpartition("=")
        if not equals or not column:
            raise typer.BadParameter(f"'{pair}' is not of the form COLUMN=FIELD", param_hint="--map")
        mapping[column] = field
    return mapping


def _show_errors(result: "ImportResult") -> None:
    # Plain print: rich would read brackets in a file's text as markup.
    for error in result.errors[:_MOST_ERRORS]:
        typer.echo(str(error), err=True)
    if len(result.errors) > _MOST_ERRORS:
        typer.echo(f"… and {len(result.errors) - _MOST_ERRORS} more", err=True)
    if result.ignored and not result.errors:
        typer.echo(f"Ignored columns: {', '.join(result.ignored)}", err=True)
