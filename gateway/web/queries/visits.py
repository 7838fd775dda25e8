"""What came of each visit to a shop, and what was refused at the door."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gateway.store.schema import customers, devices, offer_decisions, offers, rejections, shops

PAGE = 100


@dataclass(frozen=True, slots=True)
class Decision:
    """One visit: the offer that was made, or the reason there was none."""

    id: int
    at: datetime
    customer_id: str | None
    customer_name: str | None
    device_id: str
    device_name: str | None
    rule: str
    shop_id: str
    shop_name: str | None
    offer_id: str | None
    offer_title: str | None
    code: str | None
    reason: str | None
    explanation: Mapping[str, Any]
    notification_id: int | None
    opened_at: datetime | None


def decisions(
    connection: sa.Connection, made: bool | None = None, before_id: int | None = None, limit: int = PAGE
) -> list[Decision]:
    """Load decisions, the newest first; ``made``: only offers that were made (True) or withheld (False)."""
    query = (
        sa.select(
            offer_decisions,
            customers.c.name.label("customer_name"),
            devices.c.name.label("device_name"),
            shops.c.name.label("shop_name"),
            offers.c.title.label("offer_title"),
        )
        .select_from(
            offer_decisions.outerjoin(customers, customers.c.id == offer_decisions.c.customer_id)
            .outerjoin(devices, devices.c.id == offer_decisions.c.device_id)
            .outerjoin(shops, shops.c.id == offer_decisions.c.shop_id)
            .outerjoin(offers, offers.c.id == offer_decisions.c.offer_id)
        )
        .order_by(offer_decisions.c.id.desc())
        .limit(limit)
    )
    if made is not None:
        query = query.where(offer_decisions.c.reason.is_(None) if made else offer_decisions.c.reason.is_not(None))
    if before_id is not None:
        query = query.where(offer_decisions.c.id < before_id)
    return [Decision(**row) for row in connection.execute(query).mappings()]


def rejected(connection: sa.Connection, before_id: int | None = None, limit: int = PAGE) -> list[sa.RowMapping]:
    """Load rejected messages, the newest first."""
    query = sa.select(rejections).order_by(rejections.c.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(rejections.c.id < before_id)
    return list(connection.execute(query).mappings())


def rejected_by_reason(connection: sa.Connection) -> list[tuple[str, int]]:
    """Count the kept rejections by reason, the most frequent first."""
    count = sa.func.count().label("count")
    query = sa.select(rejections.c.reason, count).group_by(rejections.c.reason).order_by(count.desc()).limit(20)
    return [(row.reason, row[1]) for row in connection.execute(query)]
