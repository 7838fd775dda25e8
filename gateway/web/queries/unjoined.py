"""Messages that join no case by themselves, as the console lists them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from gateway.store.readings import readings, unjoined
from gateway.store.schema import customers, inbound
from gateway.web.queries import attachments
from gateway.web.queries.attachments import FileLine

PAGE = 50


@dataclass(frozen=True, slots=True)
class UnjoinedLine:
    """One message for a person to decide on."""

    id: int
    channel: str
    address: str
    verified: bool
    customer_id: str | None
    customer_name: str | None
    claims_case_id: int | None
    text: str
    intent: str
    urgency: str
    language: str | None
    translation: str | None
    at: datetime
    files: Sequence[FileLine] = ()


def waiting(connection: sa.Connection, before_id: int | None = None, limit: int = PAGE) -> list[UnjoinedLine]:
    """Load what nobody has decided on, the newest first."""
    u, i, r = unjoined, inbound, readings
    query = (
        sa.select(
            i.c.id,
            i.c.channel,
            u.c.address,
            u.c.verified,
            u.c.customer_id,
            customers.c.name.label("customer_name"),
            u.c.claims_case_id,
            i.c.text,
            i.c.intent,
            sa.func.coalesce(r.c.urgency, "normal").label("urgency"),
            r.c.language,
            r.c.translation,
            u.c.at,
        )
        .select_from(
            u.join(i, i.c.id == u.c.inbound_id)
            .outerjoin(r, r.c.inbound_id == i.c.id)
            .outerjoin(customers, customers.c.id == u.c.customer_id)
        )
        .where(u.c.state == "open")
        .order_by(i.c.id.desc())
        .limit(limit)
    )
    if before_id is not None:
        query = query.where(i.c.id < before_id)
    lines = [UnjoinedLine(**row) for row in connection.execute(query).mappings()]
    files = attachments.of_messages(connection, [line.id for line in lines])
    return [replace(line, files=files.get(line.id, ())) for line in lines]
