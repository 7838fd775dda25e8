"""What customers asked for and what came of it: calls, wished dates, bookings."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from gateway.store.desk import bookings, tasks
from gateway.store.schema import customers

LISTED = 100
_SETTLED_FOR = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class TaskLine:
    """One task, and whose it is."""

    id: int
    kind: str
    state: str
    customer_id: str
    case_id: int | None
    wanted_from: datetime
    wanted_until: datetime | None
    number: str | None
    about: str
    created_at: datetime
    outcome: str | None
    settled_by: str | None
    settled_at: datetime | None
    customer_name: str | None
    customer_phone: str | None
    customer_locale: str | None
    customer_timezone: str | None


@dataclass(frozen=True, slots=True)
class BookingLine:
    """One booked date."""

    id: int
    team: str
    case_id: int | None
    starts_at: datetime
    ends_at: datetime
    customer_name: str | None
    customer_timezone: str | None


def open_tasks(connection: sa.Connection) -> list[TaskLine]:
    """Load what is still to be done, the earliest due first."""
    query = _tasks().where(tasks.c.state == "open").order_by(tasks.c.wanted_from, tasks.c.id).limit(LISTED)
    return [TaskLine(**row) for row in connection.execute(query).mappings()]


def settled_tasks(connection: sa.Connection, now: datetime) -> list[TaskLine]:
    """Load what was done lately, the newest first."""
    lately = sa.and_(tasks.c.state != "open", tasks.c.settled_at > now - _SETTLED_FOR)
    query = _tasks().where(lately).order_by(tasks.c.settled_at.desc()).limit(LISTED)
    return [TaskLine(**row) for row in connection.execute(query).mappings()]


def coming_dates(connection: sa.Connection, now: datetime) -> list[BookingLine]:
    """Load the dates that customers booked, the next first."""
    b = bookings
    columns = (b.c.id, b.c.team, b.c.case_id, b.c.starts_at, b.c.ends_at)
    query = (
        sa.select(*columns, customers.c.name.label("customer_name"), customers.c.timezone.label("customer_timezone"))
        .select_from(b.outerjoin(customers, customers.c.id == b.c.customer_id))
        .where(b.c.state == "booked", b.c.ends_at > now)
        .order_by(b.c.starts_at)
        .limit(LISTED)
    )
    return [BookingLine(**row) for row in connection.execute(query).mappings()]


def _tasks() -> sa.Select[tuple[object, ...]]:
    c = customers.c
    whose = (
        c.name.label("customer_name"),
        c.phone.label("customer_phone"),
        c.locale.label("customer_locale"),
        c.timezone.label("customer_timezone"),
    )
    return sa.select(*tasks.c, *whose).select_from(tasks.outerjoin(customers, c.id == tasks.c.customer_id))
