"""A customer's inbox: the messages that were delivered to their own page and to the company's app."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from gateway.store.schema import notifications

NEWEST = 50
"""So many are listed, and at most so many are read by opening the list."""


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """One message that lies there."""

    id: int
    case_id: int | None
    purpose: str
    title: str | None
    text: str | None
    delivered_at: datetime | None
    read_at: datetime | None
    """None: its owner has not opened the list since it came."""


def inbox_of(connection: sa.Connection, customer_id: str) -> list[InboxMessage]:
    """Load the newest ``NEWEST``, newest first."""
    n = notifications.c
    query = (
        sa.select(
            n.id,
            n.case_id,
            n.purpose,
            n.subject.label("title"),
            n.body.label("text"),
            n.delivered_at,
            n.read_at,
        )
        .where(n.customer_id == customer_id, n.channel == "inbox", n.state.in_(("delivered", "read")))
        .order_by(n.id.desc())
        .limit(NEWEST)
    )
    return [InboxMessage(**row) for row in connection.execute(query).mappings()]


def unread_in(connection: sa.Connection, customer_id: str) -> list[str]:
    """Return the transport's ids of what lies unread, newest first, at most ``NEWEST``."""
    n = notifications.c
    query = sa.select(n.provider_id).where(
        n.customer_id == customer_id, n.channel == "inbox", n.state == "delivered", n.provider == "inbox"
    )
    return list(connection.execute(query.order_by(n.id.desc()).limit(NEWEST)).scalars())
