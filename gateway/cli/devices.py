"""``gateway devices``: those that speak and are not known yet, and those that change hands."""

import csv
import fnmatch
import json
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from device_models.contact import Role
from device_models.purpose import Purpose
from gateway.cli.options import ConfigOption, plain_errors, read_config, stderr
from gateway.commands.enrolment import MakeClaimCodes
from gateway.commands.people import (
    EndContact,
    LearnDevices,
    PeopleCommand,
    ReplaceDevice,
    SaveContact,
    TransferDevice,
)
from gateway.config import Config
from gateway.errors import StartRefused

app = typer.Typer(help="Devices that are met, change hands or are swapped.", no_args_is_help=True)

_BY = "command line"


@app.callback()
def devices() -> None:
    """Devices that are met, change hands or are swapped."""


@app.command("learn")
def learn(
    names: Annotated[
        list[str] | None, typer.Argument(help="Device ids, or patterns such as 'plug-*'; none: list what was heard.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="What they are; needed to register them.")] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="CUSTOMER", help="Whose they are; default: nobody's.")
    ] = None,
    site: Annotated[str | None, typer.Option(help="Where they stand together.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="List as one JSON object a line.")] = False,
    config: ConfigOption = None,
) -> None:
    """List devices that speak and that nobody registered, or register some of them with a profile."""
    settings = read_config(config)
    heard = _heard(settings)
    if not names:
        for row in heard:
            print(_line(row, as_json))
        if not heard and not as_json:
            typer.echo("No unknown device was heard.", err=True)
        return
    if profile is None:
        raise typer.BadParameter("say what they are", param_hint="--profile")
    ids = [row["id"] for row in heard]
    wanted = list(dict.fromkeys(i for name in names for i in (fnmatch.filter(ids, name) or [name])))
    learned = _submit(settings, LearnDevices(wanted, profile, _BY, to, site))
    typer.echo(f"Registered {learned} as {profile}. They are watched from their next message on.")


@app.command("transfer")
def transfer(
    device: Annotated[str, typer.Argument(help="Device id.")],
    to: Annotated[str | None, typer.Option("--to", metavar="CUSTOMER", help="The new owner's id.")] = None,
    nobody: Annotated[
        bool, typer.Option("--nobody", help="It belongs to nobody now, say while it is for sale.")
    ] = False,
    at: Annotated[str | None, typer.Option("--at", help="When it changed hands, RFC 3339; default: now.")] = None,
    config: ConfigOption = None,
) -> None:
    """Hand a device to another customer: the old owner's messages, links, place and offers about it end."""
    if (to is None) == (not nobody):
        raise typer.BadParameter("say either --to CUSTOMER or --nobody")
    done = _submit(read_config(config), TransferDevice(device, to, _BY, _time(at)))
    ended = f"{done['ended_messages']} waiting messages and {done['ended_cases']} open cases ended"
    typer.echo(f"{device} belongs to {to or 'nobody'}; {ended} for the old owner.")
    if done.get("claim_url"):
        typer.echo(f"The new owner enrols at {done['claim_url']}")


@app.command("replace")
def replace(
    old: Annotated[str, typer.Argument(help="The unit that was taken away.")],
    new: Annotated[str, typer.Argument(help="The unit in its place; it need not be registered yet.")],
    config: ConfigOption = None,
) -> None:
    """Put a swapped unit in another's place: owner, contacts, place, service plans and history go on."""
    done = _submit(read_config(config), ReplaceDevice(old, new, _BY))
    typer.echo(f"{new} is in the place of {old}; {done['ended_cases']} open cases of {old} ended.")


@app.command("contact")
def contact(
    device: Annotated[str, typer.Argument(help="Device id.")],
    customer: Annotated[str, typer.Argument(help="Customer id of the person.")],
    role: Annotated[Role, typer.Option(help="What they are to it.")] = Role.HOUSEHOLD,
    purposes: Annotated[
        str | None, typer.Option(help="What they hear of, such as 'safety fault'; default: what is usual for the role.")
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="They hear of it no longer.")] = False,
    config: ConfigOption = None,
) -> None:
    """Let one more person hear of a device, or end that."""
    if end:
        _submit(read_config(config), EndContact(device, customer, _BY))
        typer.echo(f"{customer} hears of {device} no longer.")
        return
    try:
        wanted = tuple(Purpose(word) for word in purposes.split()) if purposes is not None else None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--purposes") from error
    _submit(read_config(config), SaveContact(device, customer, role, _BY, wanted))
    told = " ".join(sorted(wanted if wanted is not None else role.purposes))
    typer.echo(f"{customer} hears of {device} as {role}: {told}.")


@app.command("claim-codes")
def claim_codes(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Device ids, or patterns such as 'fr-2026-*'; none: all without an owner."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="CSV file; default: the terminal.")] = None,
    qr: Annotated[
        Path | None, typer.Option("--qr", help="Folder for a QR code of each, as SVG.", file_okay=False)
    ] = None,
    valid_for: Annotated[
        str | None, typer.Option(help="How long they work, such as 365d; default: until used.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Make codes for products or receipts, by which buyers register themselves. Earlier unused codes stop working."""
    from device_models.duration import parse_duration

    settings = read_config(config)
    with plain_errors(ValueError):
        life = parse_duration(valid_for) if valid_for is not None else None
    wanted = _without_owner(settings, names)
    if not wanted:
        typer.echo("No device without an owner matches.", err=True)
        raise typer.Exit(1)
    made = _submit(settings, MakeClaimCodes(wanted, _BY, life))
    rows = [(row["device_id"], row["code"], f"{settings.public_url}/claim/{row['code']}") for row in made]
    with plain_errors(OSError):
        if qr is not None:
            _draw_codes(qr, rows)
        if out is None:
            _write_csv(sys.stdout, rows)
        else:
            with out.open("w", encoding="utf-8", newline="") as file:
                _write_csv(file, rows)
    typer.echo(f"{len(rows)} codes. They are shown this once: only their hashes are kept.", err=True)


def _without_owner(config: Config, names: list[str] | None) -> list[str]:
    import sqlalchemy as sa

    from gateway.store import schema
    from gateway.store.store import Store

    with plain_errors(StartRefused, OSError):
        store = Store(config.store_url)
        try:
            with store.read() as connection:
                d = schema.devices.c
                ids = connection.execute(sa.select(d.id).where(d.customer_id.is_(None)).order_by(d.id)).scalars().all()
        finally:
            store.close()
    if not names:
        return list(ids)
    return list(dict.fromkeys(i for name in names for i in (fnmatch.filter(ids, name) or [name])))


def _draw_codes(folder: Path, rows: Sequence[tuple[str, str, str]]) -> None:
    import segno

    folder.mkdir(parents=True, exist_ok=True)
    for device_id, _, url in rows:
        name = re.sub(r"[^A-Za-z0-9._-]", "_", device_id)
        segno.make(url, error="m").save(str(folder / f"{name}.svg"), scale=4, border=4)


def _write_csv(file: TextIO, rows: Sequence[tuple[str, str, str]]) -> None:
    writer = csv.writer(file)
    writer.writerow(("device_id", "code", "url"))
    writer.writerows(rows)


def _submit(config: Config, command: PeopleCommand | MakeClaimCodes) -> Any:
    from gateway.commands import CommandRefused
    from gateway.control import submit_command

    with plain_errors(StartRefused, CommandRefused):
        return submit_command(config, command)


def _heard(config: Config) -> list[dict[str, Any]]:
    from gateway.store.store import Store
    from gateway.web.queries.devices import unknown

    with plain_errors(StartRefused, OSError):
        store = Store(config.store_url)
        try:
            with store.read() as connection:
                return [dict(row) for row in unknown(connection)]
        finally:
            store.close()


def _line(row: dict[str, Any], as_json: bool) -> str:
    if as_json:
        return json.dumps(row, default=lambda at: at.isoformat().replace("+00:00", "Z"))
    return f"{row['id']:<32} {row['ecosystem']:<12} {row['messages']:>8}  {row['last_heard_at']:%Y-%m-%d %H:%M:%S}Z"


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        stderr.print(f"'{text}' is no time with a zone, such as 2026-11-23T10:00:00Z", soft_wrap=True)
        raise typer.Exit(2)
    return at
