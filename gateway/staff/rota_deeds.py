"""Rotas, swaps and where staff are told, written down; and answers that take an alert or pass it on."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa

from device_models.registry import Customer
from gateway.commands import CommandRefused
from gateway.commands.staff import (
    AnswerAlert,
    DropOverride,
    DropRota,
    SaveContacts,
    SaveOverride,
    SaveRota,
    SendTestAlert,
)
from gateway.outbox.channels import configured_channels
from gateway.staff.alerts import Item, acknowledge, load_alert, open_alert_of, pass_on, raise_item
from gateway.staff.names import checked_name, forget_named
from gateway.staff.rota_records import HOLIDAYS, line_of, load_rotas
from gateway.store import dialect
from gateway.store.schema import users
from gateway.store.staff import rota_overrides, rotas, staff_contacts, teams
from gateway.transaction import Transaction
from notifiers.public_holidays import has_calendar

LONGEST_OVERRIDE = timedelta(days=92)
_YES = re.compile(r"\W*(ok|okay|ack|yes|ja|y|1|👍)\b|^\W*👍", re.IGNORECASE)
_NO = re.compile(r"\W*(no|nein|n|pass|2)\b", re.IGNORECASE)


def save_rota(tx: Transaction, command: SaveRota) -> None:
    """Keep a rota."""
    name = checked_name(command.name)
    try:
        ZoneInfo(command.zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise CommandRefused(f"'{command.zone}' is no IANA time zone, such as Europe/Berlin") from None
    if command.team is not None and not _known(tx, teams.c.name, command.team):
        raise CommandRefused(f"there is no team '{command.team}'")
    if not timedelta(minutes=1) <= command.ack_within <= timedelta(hours=24):
        raise CommandRefused("the next is told after 1 minute to 24 hours")
    if not command.lines:
        raise CommandRefused("a rota needs a line: its hours, and who takes them in turn")
    lines = [_checked_line(tx, dict(line), command.zone, number) for number, line in enumerate(command.lines, start=1)]
    row = {
        "name": name,
        "zone": command.zone,
        "team": command.team,
        "severities": sorted(command.severities),
        "breaches": command.breaches,
        "alarms": command.alarms,
        "ack_within_s": command.ack_within.total_seconds(),
        "lines": lines,
    }
    dialect.upsert(tx.connection, rotas, [row])
    tx.audit(command.by, "rota.save", name)
    tx.changed("rota", name)


def drop_rota(tx: Transaction, command: DropRota) -> None:
    """Forget a rota; its open alert is over."""
    forget_named(tx, rotas, command.name, "rota")
    tx.connection.execute(sa.delete(rota_overrides).where(rota_overrides.c.rota == command.name))
    tx.audit(command.by, "rota.drop", command.name)
    tx.changed("rota", command.name)


def save_override(tx: Transaction, command: SaveOverride) -> int:
    """Let somebody stand in. Its result is the swap's number."""
    if not _known(tx, rotas.c.name, command.rota):
        raise CommandRefused(f"there is no rota '{command.rota}'")
    for name in filter(None, (command.person, command.instead_of)):
        if not _known(tx, users.c.name, name):
            raise CommandRefused(f"there is no user '{name}'")
    if not command.begins < command.ends <= command.begins + LONGEST_OVERRIDE or command.ends <= tx.now:
        raise CommandRefused(
            f"it ends after it begins, is not over yet, and lasts {LONGEST_OVERRIDE.days} days at most"
        )
    row = {
        "rota": command.rota,
        "starts_at": command.begins,
        "ends_at": command.ends,
        "person": command.person,
        "instead_of": command.instead_of,
        "said_by": command.by,
    }
    insert = sa.insert(rota_overrides).values(row).returning(rota_overrides.c.id)
    number: int = tx.connection.execute(insert).scalar_one()
    tx.audit(command.by, "rota.override", command.rota, person=command.person, instead_of=command.instead_of)
    tx.changed("rota", command.rota)
    return number


def drop_override(tx: Transaction, command: DropOverride) -> None:
    """Take a swap back."""
    this = rota_overrides.c.id == command.override_id
    row = tx.connection.execute(sa.select(rota_overrides).where(this)).mappings().first()
    if row is None:
        raise CommandRefused(f"there is no swap {command.override_id}")
    tx.connection.execute(sa.delete(rota_overrides).where(this))
    tx.audit(command.by, "rota.override_dropped", row["rota"])
    tx.changed("rota", row["rota"])


def save_contacts(tx: Transaction, command: SaveContacts) -> None:
    """Keep where somebody is told, in the order given."""
    served = configured_channels(tx.config.notifiers)
    rows = []
    for position, (channel, address) in enumerate(command.contacts):
        if channel not in served:
            raise CommandRefused(f"nothing here serves '{channel}'; there are {', '.join(served) or 'no channels'}")
        rows.append(
            {
                "user_name": command.user_name,
                "channel": channel,
                "address": _plain(channel, address),
                "position": position,
            }
        )
    tx.connection.execute(sa.delete(staff_contacts).where(staff_contacts.c.user_name == command.user_name))
    dialect.upsert(tx.connection, staff_contacts, rows)
    # Addresses of people stay out of the audit log.
    tx.audit(command.by, "user.contacts", command.user_name, channels=[channel for channel, _ in command.contacts])
    tx.changed("rota", command.user_name)


def test_alert(tx: Transaction, command: SendTestAlert) -> None:
    """Tell whoever is on call that this is a test."""
    rota = next((rota for rota in load_rotas(tx.connection) if rota.name == command.rota), None)
    if rota is None:
        raise CommandRefused(f"there is no rota '{command.rota}'")
    key = f"test:{command.by}:{tx.now.isoformat()}"
    raise_item(tx, rota, Item(key, "test", f"This is a test of the rota {rota.name}, by {command.by}"))


def answer_alert(tx: Transaction, command: AnswerAlert) -> None:
    """Somebody takes an alert or passes it on."""
    alert = load_alert(tx, command.alert_id)
    if alert is None:
        raise CommandRefused(f"there is no alert {command.alert_id}")
    if alert["state"] != "open":
        taken = f"{alert['acknowledged_by']} has taken it" if alert["acknowledged_by"] else "it is over"
        raise CommandRefused(f"alert {alert['id']}: {taken}")
    (acknowledge if command.takes else pass_on)(tx, alert, command.by, command.via)


def answered_by(tx: Transaction, channel: str, address: str, text: str) -> bool:
    """Take what somebody of the staff writes back as their answer; tell whether it was one."""
    c = staff_contacts.c
    names = tx.connection.execute(sa.select(c.user_name).where(c.channel == channel, c.address == address)).scalars()
    for name in names.all():
        alert = open_alert_of(tx, name)
        if alert is not None and (_YES.match(text) or _NO.match(text)):
            (acknowledge if _YES.match(text) else pass_on)(tx, alert, name, channel)
            return True
    return False


def _checked_line(tx: Transaction, line: dict[str, Any], zone: str, number: int) -> Mapping[str, Any]:
    where = f"line {number}"
    kept: dict[str, Any] = {
        "level": line.get("level") or 1,
        "hours": str(line.get("hours") or "24/7"),
        "people": list(line.get("people") or ()),
        "since": line.get("since") or tx.now.astimezone(ZoneInfo(zone)).date().isoformat(),
        "place": line.get("place") or None,
        "holidays": line.get("holidays") or HOLIDAYS[0],
    }
    try:
        line_of(kept, zone)
    except (ValueError, TypeError) as error:
        raise CommandRefused(f"{where}: {error}") from error
    if not 1 <= int(kept["level"]) <= 9:
        raise CommandRefused(f"{where}: level is 1 to 9; 1 is told first")
    if not kept["people"]:
        raise CommandRefused(f"{where}: name who takes these shifts")
    if unknown := [name for name in kept["people"] if not _known(tx, users.c.name, name)]:
        raise CommandRefused(f"{where}: there is no user '{unknown[0]}'; invite them first")
    if kept["holidays"] not in HOLIDAYS:
        raise CommandRefused(f"{where}: on holidays shifts are {', '.join(HOLIDAYS)}")
    if kept["holidays"] != HOLIDAYS[0] and (not kept["place"] or not has_calendar(kept["place"])):
        raise CommandRefused(f"{where}: name whose holidays, such as DE or DE-BE")
    return kept


def _plain(channel: str, address: str) -> str:
    """As customers' addresses are kept, so that an answer is known again. Raises CommandRefused."""
    text = address.strip()
    try:
        if channel == "email":
            return str(Customer.model_validate({"id": "x", "name": "x", "email": text}).email).casefold()
        if channel in ("sms", "whatsapp"):
            return str(Customer.model_validate({"id": "x", "name": "x", "phone": text}).phone)
    except ValueError:
        raise CommandRefused(f"'{text}' is no address for {channel}; a number is like +491511234567") from None
    if not text:
        raise CommandRefused(f"write the address for {channel}")
    return text


def _known(tx: Transaction, column: sa.Column[str], name: str) -> bool:
    return tx.connection.execute(sa.select(column).where(column == name)).first() is not None
