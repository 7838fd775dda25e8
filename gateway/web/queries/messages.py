"""The outbox as people see it: what waits, what went, what could not go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gateway.store.schema import customers, devices, notifications

PAGE = 100
WAITING = ("awaiting_approval",)
UNDECIDED = ("unknown", "dead")
MOVING = ("queued", "handed_over", "accepted", "delivered", "read")
ENDED = ("withheld", "discarded", "cancelled", "expired")


@dataclass(frozen=True, slots=True)
class MessageLine:
    """One notification with the names of its customer and device; never the address in full."""

    id: int
    case_id: int | None
    customer_id: str
    customer_name: str | None
    customer_locale: str | None
    customer_timezone: str | None
    device_id: str | None
    device_name: str | None
    purpose: str
    severity: str
    template: str
    facts: Mapping[str, Any]
    text: str | None
    state: str
    reason: str | None
    channel: str | None
    why: Any
    tried: Any
    not_before: datetime | None
    expires_at: datetime | None
    attempts: int
    provider: str | None
    subject: str | None
    body: str | None
    created_at: datetime
    approved_by: str | None
    handed_over_at: datetime | None
    accepted_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    updated_at: datetime


_HIDDEN = ("key", "address", "provider_id")
_SELECT = sa.select(
    *(c for c in notifications.c if c.name not in _HIDDEN),
    customers.c.name.label("customer_name"),
    customers.c.locale.label("customer_locale"),
    customers.c.timezone.label("customer_timezone"),
    devices.c.name.label("device_name"),
).select_from(
    notifications.outerjoin(customers, customers.c.id == notifications.c.customer_id).outerjoin(
        devices, devices.c.id == notifications.c.device_id
    )
)


def page(
    connection: sa.Connection,
    states: Sequence[str] | None = None,
    before_id: int | None = None,
    limit: int = PAGE,
    case_id: int | None = None,
    customer_id: str | None = None,
) -> list[MessageLine]:
    """Load messages, the newest first, beginning before ``before_id``."""
    query = _SELECT.order_by(notifications.c.id.desc()).limit(limit)
    if states is not None:
        query = query.where(notifications.c.state.in_(states))
    if before_id is not None:
        query = query.where(notifications.c.id < before_id)
    if case_id is not None:
        query = query.where(notifications.c.case_id == case_id)
    if customer_id is not None:
        query = query.where(notifications.c.customer_id == customer_id)
    return [MessageLine(**row) for row in connection.execute(query).mappings()]


def one(connection: sa.Connection, notification_id: int) -> MessageLine | None:
    """Load one message; None where there is no such message."""
    row = connection.execute(_SELECT.where(notifications.c.id == notification_id)).mappings().first()
    return MessageLine(**row) if row else None


def waiting_of_case(connection: sa.Connection, case_id: int) -> list[MessageLine]:
    """Load what waits for approval in a case, the oldest first."""
    return page(connection, WAITING, case_id=case_id)[::-1]


def count_by_state(connection: sa.Connection) -> dict[str, int]:
    """Count the messages in each state."""
    query = sa.select(notifications.c.state, sa.func.count()).group_by(notifications.c.state)
    return {row.state: row[1] for row in connection.execute(query)}
