"""A case's timeline: one line for each thing that happened, in the order it happened."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from gateway.store import schema
from gateway.transaction import Transaction


def add_entry(
    tx: Transaction,
    case_id: int,
    kind: str,
    author: str = "gateway",
    *,
    body: Mapping[str, Any] | None = None,
    notification_id: int | None = None,
) -> None:
    """Append a line of ``kind`` (see ``schema.timeline``) and tell open consoles that the case changed."""
    tx.connection.execute(
        sa.insert(schema.timeline).values(
            case_id=case_id, at=tx.now, kind=kind, author=author, body=dict(body or {}), notification_id=notification_id
        )
    )
    touch(tx, case_id)


def touch(tx: Transaction, case_id: int, **values: Any) -> None:
    """Write ``values`` to the case, with its version and time."""
    cases = schema.cases
    tx.connection.execute(
        sa.update(cases).where(cases.c.id == case_id).values(updated_at=tx.now, version=cases.c.version + 1, **values)
    )
    tx.changed("case", case_id)
