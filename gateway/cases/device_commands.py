"""Commands to devices: only what the profile allows, with who sent it, and confirmed by what the device says next."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa

from device_models.profile import GENERIC
from gateway.cases.record import load_case
from gateway.cases.timeline import add_entry
from gateway.commands import CommandRefused
from gateway.commands.cases import DeviceCommandSent, SendDeviceCommand
from gateway.store.case_work import device_commands
from gateway.transaction import Transaction

_AT_LEAST = timedelta(minutes=10)
_INTERVALS = 3
_UNANSWERED = "the device has not spoken since it was sent"
_PUBLISHED = sa.select(device_commands).where(device_commands.c.state == "published")


def send(tx: Transaction, command: SendDeviceCommand) -> int:
    """Queue a command; one of the same name that was not answered yet is refused rather than sent twice."""
    device = tx.registry.devices.get(command.device_id)
    if device is None:
        raise CommandRefused(f"there is no device '{command.device_id}'")
    profile = tx.profiles.get(device.profile)
    allowed = profile.commands if profile is not None else {}
    spec = allowed.get(command.name)
    if spec is None:
        there = f"it allows {', '.join(allowed)}" if allowed else "it allows none"
        raise CommandRefused(f"the profile {device.profile} has no command '{command.name}'; {there}")
    if command.case_id is not None:
        case = load_case(tx, command.case_id)
        if case is None or case["device_id"] != device.id:
            raise CommandRefused(f"case {command.case_id} is not about this device")
    d = device_commands
    open_one = sa.select(d.c.id).where(d.c.device_id == device.id, d.c.name == command.name, d.c.state == "queued")
    if tx.connection.execute(open_one).first() is not None:
        raise CommandRefused(f"'{command.name}' is on its way already")
    row = {
        "device_id": device.id,
        "case_id": command.case_id,
        "name": command.name,
        "payload": spec.payload,
        "state": "queued",
        "sent_by": command.by,
        "asked_at": tx.now,
    }
    number: int = tx.connection.execute(sa.insert(d).values(row).returning(d.c.id)).scalar_one()
    if command.case_id is not None:
        add_entry(tx, command.case_id, "command", command.by, body={"name": command.name, "command": number})
    tx.audit(command.by, "device.command", device.id, name=command.name, command=number, case=command.case_id)
    tx.changed("command", number)
    return number


def record_sent(tx: Transaction, command: DeviceCommandSent) -> None:
    """Note that the broker has it, or why it could not be handed over."""
    d = device_commands
    row = tx.connection.execute(sa.select(d).where(d.c.id == command.command_id)).mappings().first()
    if row is None or row["state"] != "queued":
        return
    waits = {"published_at": tx.now, "answer_by": tx.now + _patience(tx, row["device_id"])}
    published = waits if command.outcome == "published" else {}
    tx.connection.execute(
        sa.update(d).where(d.c.id == row["id"]).values(state=command.outcome, reason=command.reason, **published)
    )
    if row["case_id"] is not None:
        kind = "command_published" if command.outcome == "published" else "command_failed"
        add_entry(tx, row["case_id"], kind, body={"name": row["name"], "reason": command.reason})
    tx.changed("device", row["device_id"])


def unanswered(connection: sa.Connection, now: datetime) -> list[sa.RowMapping]:
    """Read the commands whose device should have spoken by ``now``."""
    d = device_commands.c
    return list(connection.execute(_PUBLISHED.where(d.answer_by <= now).order_by(d.id)).mappings())


def give_up(tx: Transaction) -> int:
    """Let commands fail whose device has not spoken in its time; return how many."""
    silent = unanswered(tx.connection, tx.now)
    d = device_commands
    for row in silent:
        values = {"state": "failed", "reason": _UNANSWERED}
        tx.connection.execute(sa.update(d).where(d.c.id == row["id"]).values(values))
        if row["case_id"] is not None:
            add_entry(tx, row["case_id"], "command_failed", body={"name": row["name"], "reason": _UNANSWERED})
        tx.changed("device", row["device_id"])
    return len(silent)


def _patience(tx: Transaction, device_id: str) -> timedelta:
    """For how long its word is waited for: one that reports once an hour is not expected to speak within minutes."""
    device = tx.registry.devices.get(device_id)
    profile = tx.profiles.get(device.profile, GENERIC) if device is not None else GENERIC
    return max(_AT_LEAST, profile.reporting_interval * _INTERVALS)


def confirm(tx: Transaction, heard: Mapping[str, datetime]) -> None:
    """A device that speaks after a command was published to it has heard it, as far as anybody can tell.

    ``heard``: by device, when its newest message arrived; retained ones were said before.
    """
    d = device_commands
    for row in tx.connection.execute(_PUBLISHED).mappings().all():
        at = heard.get(row["device_id"])
        if at is None or at <= row["published_at"]:
            continue
        tx.connection.execute(sa.update(d).where(d.c.id == row["id"]).values(state="confirmed", confirmed_at=tx.now))
        if row["case_id"] is not None:
            add_entry(tx, row["case_id"], "command_confirmed", body={"name": row["name"]})
