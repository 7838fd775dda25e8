"""Service dates: a team's feed offers them, one customer holds one for five minutes and takes it, or it is free again.

From life: the last free hour on Tuesday is tapped on two phones in the same second; one has it, the other is told so.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from device_models.registry import Device
from gateway.cases.date_messages import tell_booked, tell_cancelled, tell_not_theirs, tell_of_tasks
from gateway.cases.timeline import add_entry, touch
from gateway.cases.unanswered import ASKS
from gateway.commands import CommandRefused
from gateway.commands.desk import CancelBooking, ConfirmBooking, HoldSlot, OfferSlots
from gateway.store import dialect
from gateway.store.desk import bookings, service_slots, tasks
from gateway.store.schema import cases
from gateway.transaction import Transaction

HELD_FOR = timedelta(minutes=5)
_PART = 500
_LOOKED_AT = 1000
"""Dates of all teams that are looked at for free ones; what comes later is offered once it is nearer."""


def offer(tx: Transaction, command: OfferSlots) -> int:
    """Take over what a team's feed offers; a date that is booked stays booked whatever the feed says then."""
    s = service_slots
    rows = [
        {"id": identity, "team": command.team, "feed": command.feed, "starts_at": starts, "ends_at": ends}
        for identity, starts, ends in command.slots
        if ends > max(starts, tx.now)
    ]
    tx.connection.execute(sa.delete(s).where(s.c.team == command.team, s.c.feed == command.feed))
    for start in range(0, len(rows), _PART):
        dialect.upsert(tx.connection, s, rows[start : start + _PART])
    return len(rows)


def teams_with_dates(connection: sa.Connection, now: datetime) -> set[str]:
    """Return the teams of which there are dates to come, whoever has them."""
    s = service_slots.c
    return set(connection.execute(sa.select(s.team).where(s.starts_at > now).distinct()).scalars())


def free_slots(connection: sa.Connection, team: str | None, now: datetime, most: int = 12) -> list[sa.RowMapping]:
    """Read the next dates that nobody has, of a team or of all; one of each hour."""
    s, b = service_slots, bookings
    offered = sa.select(s).where(s.c.ends_at > now).order_by(s.c.starts_at, s.c.id).limit(_LOOKED_AT)
    booked = sa.select(b.c.slot_id, b.c.team, b.c.starts_at, b.c.ends_at).where(_lives(now), b.c.ends_at > now)
    if team is not None:
        offered, booked = offered.where(s.c.team == team), booked.where(b.c.team == team)
    slots = connection.execute(offered).mappings().all()
    taken = connection.execute(booked).mappings().all()
    free = {one["id"] for name in {one["team"] for one in slots} for one in _free(name, slots, taken)}
    gone = {(one["slot_id"], one["starts_at"]) for one in taken}
    hours: dict[tuple[Any, ...], sa.RowMapping] = {}
    for one in slots:
        if one["id"] in free and one["starts_at"] > now and (one["id"], one["starts_at"]) not in gone:
            hours.setdefault((one["team"], one["starts_at"], one["ends_at"]), one)
    return list(hours.values())[:most]


def hold(tx: Transaction, command: HoldSlot) -> int:
    """Keep a date for a customer; any other that they hold is let go."""
    s, b = service_slots, bookings
    slot = tx.connection.execute(sa.select(s).where(s.c.id == command.slot_id)).mappings().first()
    if slot is None or slot["starts_at"] <= tx.now or command.customer_id not in tx.registry.customers:
        raise CommandRefused("date.taken")
    over = sa.and_(b.c.state == "held", sa.or_(b.c.held_until <= tx.now, b.c.customer_id == command.customer_id))
    tx.connection.execute(sa.update(b).where(over).values(state="cancelled"))
    if not _is_free(tx, slot):
        raise CommandRefused("date.taken")
    insert = sa.insert(b).values(
        slot_id=slot["id"],
        team=slot["team"],
        state="held",
        customer_id=command.customer_id,
        case_id=command.case_id,
        starts_at=slot["starts_at"],
        ends_at=slot["ends_at"],
        held_until=tx.now + HELD_FOR,
        created_at=tx.now,
    )
    number: int = tx.connection.execute(insert.returning(b.c.id)).scalar_one()
    tx.changed("booking", number)
    return number


def confirm(tx: Transaction, command: ConfirmBooking) -> None:
    """Book what is held; once the five minutes are over only where nobody else took it meanwhile."""
    b = bookings
    row = _booking(tx, command.booking_id)
    if row["customer_id"] != command.customer_id or row["state"] == "cancelled":
        raise CommandRefused("date.taken")
    if row["state"] == "booked":
        return
    tx.connection.execute(sa.update(b).where(b.c.id == row["id"]).values(state="booked", held_until=None))
    if row["case_id"] is not None:
        when = f"{row['starts_at']:%Y-%m-%d %H:%M} UTC"
        add_entry(
            tx, row["case_id"], "note", "customer", body={"text": f"Booked a service date: {when}, {row['team']}."}
        )
        touch(tx, row["case_id"])
    tell_booked(tx, row)
    tx.changed("booking", row["id"])


def cancel(tx: Transaction, command: CancelBooking) -> None:
    """Give a date back; a customer whose booked date staff take is told."""
    row = _booking(tx, command.booking_id)
    if command.customer_id is not None and row["customer_id"] != command.customer_id:
        raise CommandRefused("date.taken")
    if row["state"] == "cancelled":
        return
    b = bookings
    tx.connection.execute(sa.update(b).where(b.c.id == row["id"]).values(state="cancelled", held_until=None))
    if row["case_id"] is not None and row["state"] == "booked":
        add_entry(tx, row["case_id"], "note", command.by, body={"text": "The service date was cancelled.", ASKS: True})
        touch(tx, row["case_id"], needs_reply=True)
    if command.customer_id is None and row["state"] == "booked" and row["ends_at"] > tx.now:
        tell_cancelled(tx, row)
    tx.changed("booking", row["id"])


def _is_free(tx: Transaction, slot: sa.RowMapping) -> bool:
    def beside(table: sa.Table) -> sa.Select[Any]:
        c = table.c
        within = (c.team == slot["team"], c.starts_at < slot["ends_at"], c.ends_at > slot["starts_at"])
        return sa.select(c.team, c.starts_at, c.ends_at).where(*within)

    offered = tx.connection.execute(beside(service_slots)).mappings().all()
    taken = tx.connection.execute(beside(bookings).where(_lives(tx.now))).mappings().all()
    same = sa.select(bookings.c.id).where(
        bookings.c.slot_id == slot["id"], bookings.c.starts_at == slot["starts_at"], bookings.c.state != "cancelled"
    )
    if tx.connection.execute(same).first() is not None:
        return False
    return bool(_free(slot["team"], offered, taken, [slot]))


def _lives(now: datetime) -> sa.ColumnElement[bool]:
    b = bookings.c
    return sa.or_(b.state == "booked", sa.and_(b.state == "held", b.held_until > now))


def _free(
    team: str, offered: Sequence[sa.RowMapping], taken: Sequence[sa.RowMapping], asked: Sequence[sa.RowMapping] = ()
) -> list[sa.RowMapping]:
    """Return which of a team's dates nobody has.

    By time, since a calendar that is exported anew may give the same hour another id: at no moment of a date may as
    many be booked as are offered. Two dates at one hour are two people of the team.
    """
    change: Counter[datetime] = Counter()
    for rows, one in ((offered, -1), (taken, 1)):
        for row in rows:
            if row["team"] == team:
                change[row["starts_at"]] += one
                change[row["ends_at"]] -= one
    full: list[tuple[datetime, datetime]] = []
    balance = 0
    for at, until in pairwise(sorted(change)):
        balance += change[at]
        if balance >= 0:
            full.append((at, until))
    ends = [until for _, until in full]

    def is_full(row: sa.RowMapping) -> bool:
        after = bisect_right(ends, row["starts_at"])
        return after < len(full) and full[after][0] < row["ends_at"]

    return [row for row in asked or offered if row["team"] == team and not is_full(row)]


def end_for_owner(tx: Transaction, before: Device, by: str, reason: str) -> None:
    """Give back the dates, and drop the calls and wishes, of whoever had a device until now, and tell them.

    ``before``: the device as they knew it.
    """
    b, t, c = bookings, tasks, cases.c
    of_device = sa.select(c.id).where(c.device_id == before.id)
    ahead = (b.c.case_id.in_(of_device), b.c.state != "cancelled", b.c.ends_at > tx.now)
    for row in tx.connection.execute(sa.select(b).where(*ahead)).mappings().all():
        tx.connection.execute(sa.update(b).where(b.c.id == row["id"]).values(state="cancelled", held_until=None))
        if row["state"] == "booked":
            add_entry(tx, row["case_id"], "note", by, body={"text": f"The service date was cancelled: {reason}."})
            tell_not_theirs(tx, row, before)
        tx.changed("booking", row["id"])
    asked = (t.c.case_id.in_(of_device), t.c.state == "open")
    waiting = tx.connection.execute(sa.select(t.c.id, t.c.customer_id).where(*asked)).all()
    settled = {"state": "cancelled", "outcome": reason, "settled_by": by, "settled_at": tx.now}
    tx.connection.execute(sa.update(t).where(*asked).values(**settled))
    for number, _ in waiting:
        tx.changed("task", number)
    for customer_id in dict.fromkeys(customer_id for _, customer_id in waiting):
        tell_of_tasks(tx, customer_id, before)


def _booking(tx: Transaction, booking_id: int) -> sa.RowMapping:
    b = bookings
    row = tx.connection.execute(sa.select(b).where(b.c.id == booking_id)).mappings().first()
    if row is None:
        raise CommandRefused("date.taken")
    return row
