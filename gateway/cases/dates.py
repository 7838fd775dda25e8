"""Service dates: a team's feed offers them, one customer holds one for five minutes and takes it, or it is free again.

From life: the last free hour on Tuesday is tapped on two phones in the same second; one has it, the other is told so.
"""

from datetime import timedelta

import sqlalchemy as sa

from gateway.cases.timeline import add_entry, touch
from gateway.commands import CommandRefused
from gateway.commands.desk import CancelBooking, ConfirmBooking, HoldSlot, OfferSlots
from gateway.store import dialect
from gateway.store.desk import bookings, service_slots
from gateway.transaction import Transaction

HELD_FOR = timedelta(minutes=5)
_PART = 500


def offer(tx: Transaction, command: OfferSlots) -> int:
    """Take over what a team's feed offers; a date that is booked stays booked whatever the feed says then."""
    s = service_slots
    rows = [
        {"id": identity, "team": command.team, "starts_at": starts, "ends_at": ends}
        for identity, starts, ends in command.slots
        if ends > starts > tx.now
    ]
    tx.connection.execute(sa.delete(s).where(s.c.team == command.team))
    for start in range(0, len(rows), _PART):
        dialect.upsert(tx.connection, s, rows[start : start + _PART])
    return len(rows)


def free_slots(connection: sa.Connection, team: str | None, now: object, most: int = 12) -> list[sa.RowMapping]:
    """Read the next dates that nobody has, of a team or of all."""
    s, b = service_slots, bookings
    taken = sa.exists().where(
        b.c.slot_id == s.c.id, sa.or_(b.c.state == "booked", sa.and_(b.c.state == "held", b.c.held_until > now))
    )
    query = sa.select(s).where(s.c.starts_at > now, ~taken).order_by(s.c.starts_at, s.c.id).limit(most)
    return list(connection.execute(query if team is None else query.where(s.c.team == team)).mappings())


def hold(tx: Transaction, command: HoldSlot) -> int:
    """Keep a date for a customer; any other that they hold is let go."""
    s, b = service_slots, bookings
    slot = tx.connection.execute(sa.select(s).where(s.c.id == command.slot_id)).mappings().first()
    if slot is None or slot["starts_at"] <= tx.now or command.customer_id not in tx.registry.customers:
        raise CommandRefused("date.taken")
    over = sa.and_(b.c.state == "held", sa.or_(b.c.held_until <= tx.now, b.c.customer_id == command.customer_id))
    tx.connection.execute(sa.update(b).where(over).values(state="cancelled"))
    known = sa.select(b.c.id).where(b.c.slot_id == slot["id"], b.c.state != "cancelled")
    if tx.connection.execute(known).first() is not None:
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
    tx.changed("booking", row["id"])


def cancel(tx: Transaction, command: CancelBooking) -> None:
    """Give a date back."""
    row = _booking(tx, command.booking_id)
    if command.customer_id is not None and row["customer_id"] != command.customer_id:
        raise CommandRefused("date.taken")
    if row["state"] == "cancelled":
        return
    b = bookings
    tx.connection.execute(sa.update(b).where(b.c.id == row["id"]).values(state="cancelled", held_until=None))
    if row["case_id"] is not None and row["state"] == "booked":
        add_entry(tx, row["case_id"], "note", command.by, body={"text": "The service date was cancelled."})
        touch(tx, row["case_id"], needs_reply=True)
    tx.changed("booking", row["id"])


def _booking(tx: Transaction, booking_id: int) -> sa.RowMapping:
    b = bookings
    row = tx.connection.execute(sa.select(b).where(b.c.id == booking_id)).mappings().first()
    if row is None:
        raise CommandRefused("date.taken")
    return row
