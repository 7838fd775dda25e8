"""A message as it would go out now, without sending it."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gateway.config import Config
from gateway.outbox.hand_over import render_row
from gateway.people.registry import Registry
from gateway.store import schema
from gateway.transaction import Transaction
from gateway.web.links import LinkSigner
from notifiers.message import Rendered


def preview(
    connection: sa.Connection,
    notification_id: int,
    registry: Registry,
    config: Config,
    links: LinkSigner,
    now: datetime,
) -> Rendered:
    """Render a row of the outbox.

    Raises LookupError where there is no such message or its customer is gone.
    """
    query = sa.select(schema.notifications).where(schema.notifications.c.id == notification_id)
    row: Any = connection.execute(query).mappings().first()
    if row is None:
        raise LookupError(f"there is no message {notification_id}")
    customer = registry.customers.get(row["customer_id"])
    if customer is None:
        raise LookupError(f"the customer of message {notification_id} is gone")
    tx = Transaction(connection, now, registry, config, {})
    rendered, _ = render_row(tx, row, customer, row["channel"] or "email", links)
    return rendered
