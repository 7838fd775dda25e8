"""What is going to happen in a case by itself or by promise: messages that wait, calls, visits."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from gateway.store.desk import bookings, tasks
from gateway.store.schema import notifications


@dataclass(frozen=True, slots=True)
class Planned:
    """One thing that is to come."""

    kind: Literal["message", "call", "visit"]
    at: datetime
    channel: str | None = None
    """Of a message."""


def planned(connection: sa.Connection, case_id: int, now: datetime) -> list[Planned]:
    """List what is to come in a case, the first first; a call whose time has passed is to come still."""
    n = notifications.c
    waits = sa.select(n.not_before, n.channel).where(n.case_id == case_id, n.state == "queued", n.not_before > now)
    calls = sa.select(tasks.c.wanted_from).where(tasks.c.case_id == case_id, tasks.c.state == "open")
    visits = sa.select(bookings.c.starts_at).where(
        bookings.c.case_id == case_id, bookings.c.state == "booked", bookings.c.starts_at > now
    )
    found = [
        *(Planned("message", at, channel) for at, channel in connection.execute(waits)),
        *(Planned("call", at) for at in connection.execute(calls).scalars()),
        *(Planned("visit", at) for at in connection.execute(visits).scalars()),
    ]
    return sorted(found, key=lambda one: one.at)
