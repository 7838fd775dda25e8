"""A case's timeline: one line for each thing that happened, in the order it happened."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from gateway.store import schema
from gateway.store.statements import insert
from gateway.transaction import Transaction

TOLD_TOGETHER = "told_together"
"""The line of a case that was told of within a message of another's: its notification; ``key`` of its own message."""
_TOUCH = (
    sa.update(schema.cases)
    .where(schema.cases.c.id == sa.bindparam("touched"))
    .values(version=schema.cases.c.version + 1)
)


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
    line = {"case_id": case_id, "at": tx.now, "kind": kind, "author": author, "body": dict(body or {})}
    insert(tx.connection, schema.timeline, {**line, "notification_id": notification_id})
    touch(tx, case_id)


def touch(tx: Transaction, case_id: int, **values: Any) -> None:
    """Write ``values`` to the case, with its version and time."""
    tx.connection.execute(_TOUCH, {"touched": case_id, "updated_at": tx.now, **values})
    tx.changed("case", case_id)
