"""Whether a customer still waits for an answer in a case, read from its timeline: what was asked, and what followed."""

from typing import Any

import sqlalchemy as sa

from gateway.store import schema
from gateway.transaction import Transaction

ASKS = "asks"
"""In a line's body: it needs somebody's answer."""
_ANSWERS = ("agent_reply",)
_ENDS = ("resolved", "recovered")


def still_asks(tx: Transaction, case_id: int) -> bool:
    """Tell whether a case, with what is worked on within it, has something that nobody has answered."""
    c = schema.cases.c
    within = tx.connection.execute(sa.select(c.id).where(c.merged_into == case_id)).scalars().all()
    return asks_itself(tx, case_id) or any(asked_when_merged(tx, one) for one in within)


def asks_itself(tx: Transaction, case_id: int) -> bool:
    """Tell whether one thread ends in something that nobody has answered, whatever is worked on within it."""
    for line in tx.connection.execute(_lines(case_id)):
        if line.kind in _ENDS or line.template in _ANSWERS:
            return False
        if line.body.get(ASKS):
            return True
    return False


def asked_when_merged(tx: Transaction, case_id: int) -> bool:
    """Tell whether what a merged case asked is still open: nobody has answered it there, nor where it is worked on."""
    merged = merging_of(tx, case_id)
    if merged is None or not merged.body["was"].get("needs_reply") or not asks_itself(tx, case_id):
        return False
    c = schema.cases.c
    where = tx.connection.execute(sa.select(c.merged_into).where(c.id == case_id)).scalar() or merged.body["into"]
    later = _lines(where).where(schema.timeline.c.id > merged.id)
    return not any(line.template in _ANSWERS for line in tx.connection.execute(later))


def merging_of(tx: Transaction, case_id: int) -> sa.Row[Any, Any] | None:
    """Read the line that says into what a case was merged last, with what it had."""
    t = schema.timeline.c
    query = sa.select(t.id, t.body).where(t.case_id == case_id, t.kind == "merged").order_by(t.id.desc())
    return next((line for line in tx.connection.execute(query) if "was" in line.body), None)


def _lines(case_id: int) -> sa.Select[Any]:
    """The newest first."""
    t, n = schema.timeline, schema.notifications
    return (
        sa.select(t.c.id, t.c.kind, t.c.body, n.c.template)
        .select_from(t.outerjoin(n, n.c.id == t.c.notification_id))
        .where(t.c.case_id == case_id)
        .order_by(t.c.id.desc())
    )
