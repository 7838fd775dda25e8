"""Silences in the store: what people mute, and what comes of ending it."""

import difflib
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa

from gateway.cases.alerts import look_again
from gateway.commands import CommandRefused, CreateSilence, EndSilence
from gateway.store import schema
from gateway.transaction import Transaction
from rules.response.silence import Silence, Weekly

_BACKLOG = timedelta(days=7)
"""How old a fact may be and still meet the silence that was in force at its time."""
_SILENCES = sa.select(schema.silences).where(
    schema.silences.c.ends_at > sa.bindparam("since"),
    # What one hearer does not want to hear keeps no case from opening, see ``outbox.muted``.
    sa.or_(schema.silences.c.whose.is_(None), schema.silences.c.whose != schema.HEARER),
)
LONGEST = timedelta(days=366)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def create_silence(tx: Transaction, command: CreateSilence) -> int:
    """Mute from now on what the silence matches; return its number."""
    _check(tx, command)
    s = schema.silences
    weekly = command.weekly
    row = {
        "author": command.by,
        "reason": command.reason.strip()[:1000],
        "created_at": tx.now,
        "starts_at": command.starts_at or tx.now,
        "ends_at": command.ends_at,
        "device_id": command.device_id,
        "site": command.site,
        "profile": command.profile,
        "customer_id": command.customer_id,
        "rule": command.rule,
        "safety": command.safety,
        "days": " ".join(WEEKDAYS[day] for day in sorted(weekly.days)) if weekly else None,
        "begins": weekly.begins.isoformat("minutes") if weekly else None,
        "ends": weekly.ends.isoformat("minutes") if weekly else None,
        "zone": weekly.zone if weekly else None,
    }
    number: int = tx.connection.execute(sa.insert(s).values(row).returning(s.c.id)).scalar_one()
    tx.audit(command.by, "silence.create", str(number), reason=row["reason"])
    tx.changed("silence", number)
    return number


def check_rule(command: CreateSilence, in_force: Sequence[str]) -> None:
    """Refuse to mute a rule that is not in force: misspelt, it would mute nothing on the night that counts."""
    if command.rule is not None and command.rule not in in_force:
        close = difflib.get_close_matches(command.rule, in_force, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        raise CommandRefused(f"there is no rule '{command.rule}'{hint}")


def end_silence(tx: Transaction, command: EndSilence) -> None:
    """End a silence early; what it withheld is looked at again at once."""
    s = schema.silences
    row = tx.connection.execute(sa.select(s).where(s.c.id == command.silence_id)).mappings().first()
    if row is None:
        raise CommandRefused(f"there is no silence {command.silence_id}")
    if row["ended_at"] is not None or row["ends_at"] <= tx.now:
        raise CommandRefused(f"silence {row['id']} is over already")
    tx.connection.execute(sa.update(s).where(s.c.id == row["id"]).values(ended_at=tx.now, ended_by=command.by))
    look_again(tx, schema.alerts.c.withheld_key == f"silence:{row['id']}")
    tx.audit(command.by, "silence.end", str(row["id"]))
    tx.changed("silence", row["id"])


def load_silences(connection: sa.Connection, now: datetime) -> list[Silence]:
    """Read the silences that facts may meet."""
    rows = connection.execute(_SILENCES, {"since": now - _BACKLOG}).mappings()
    return [silence_of_row(row) for row in rows]


def silence_of_row(row: sa.RowMapping) -> Silence:
    """Make the value of a row."""
    names = ("id", "author", "reason", "starts_at", "ends_at", "ended_at", "safety")
    scope = ("device_id", "site", "profile", "customer_id", "rule")
    weekly = None
    if row["days"] is not None:
        days = frozenset(WEEKDAYS.index(day) for day in row["days"].split())
        weekly = Weekly(days, time.fromisoformat(row["begins"]), time.fromisoformat(row["ends"]), row["zone"])
    return Silence(**{name: row[name] for name in (*names, *scope)}, weekly=weekly)


def _check(tx: Transaction, command: CreateSilence) -> None:
    """Refuse what would mute everything, nothing, or for ever."""
    registry = tx.registry
    if not command.reason.strip():
        raise CommandRefused("say why: whoever looks for a fault that was not told will want to know")
    known: Sequence[tuple[str, str | None, bool]] = (
        ("device", command.device_id, command.device_id in registry.devices),
        ("customer", command.customer_id, command.customer_id in registry.customers),
        ("profile", command.profile, command.profile in tx.profiles),
        ("site", command.site, any(d.site == command.site for d in registry.devices.values())),
    )
    for what, name, there in known:
        if name is not None and not there:
            raise CommandRefused(f"there is no {what} '{name}'")
    if all(name is None for _, name, _ in known) and command.rule is None:
        raise CommandRefused("name a device, site, profile, customer or rule; the hold switch stops everything")
    starts_at = command.starts_at or tx.now
    if command.ends_at <= max(starts_at, tx.now):
        raise CommandRefused("it would end before it begins")
    if command.ends_at - starts_at > LONGEST:
        raise CommandRefused(f"{LONGEST.days} days is the longest; renew it when it is over")
    if command.weekly is not None:
        if not command.weekly.days:
            raise CommandRefused("name at least one day of the week")
        try:
            ZoneInfo(command.weekly.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise CommandRefused(f"'{command.weekly.zone}' is no IANA time zone, such as Europe/Berlin") from error
