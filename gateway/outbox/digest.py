"""Several messages that may go to one customer now become one, in their language, with one link.

They were held (quiet hours, a cap, a holiday) or came together: services of several products, small faults after a
storm. The oldest carries the others as its items; those end as ``cancelled``, and each case says where it was told.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from device_models.purpose import Purpose, Severity
from device_models.registry import Customer
from gateway.cases.record import load_case
from gateway.cases.timeline import TOLD_TOGETHER, add_entry
from gateway.outbox.queue import load_notification, set_state
from gateway.outbox.wording import word_sentence
from gateway.store import schema
from gateway.transaction import Transaction
from notifiers.message import Brand

TEMPLATE = "digest"
_CAN_JOIN = ("fault_opened", "fault_update", "maintenance_due")
_CAN_WAIT = (Severity.INFO.value, Severity.MINOR.value)
"""What is worse has a message of its own."""
_MOST_ITEMS = 10


def gather(tx: Transaction, row: sa.RowMapping) -> sa.RowMapping:
    """Let a message that goes out now take along what waits for the same customer and purpose; return its row."""
    others = _others(tx, row) if _may_join(tx, row) else []
    if not others:
        return row
    n = schema.notifications
    together = [row, *others]
    items = [{name: one[name] for name in ("template", "facts", "case_id", "device_id")} for one in together]
    ends = [one["expires_at"] for one in together if one["expires_at"] is not None]
    values = {
        "template": TEMPLATE,
        "facts": {"purpose": row["purpose"], "items": items},
        "expires_at": max(ends, default=None),
        "severity": max((one["severity"] for one in together), key=_CAN_WAIT.index),
    }
    tx.connection.execute(sa.update(n).where(n.c.id == row["id"]).values(**values))
    for other in others:
        set_state(tx, other["id"], "cancelled", reason=f"told in one message with others, #{row['id']}")
    # One line a case, of its first message: that it began. The row's own case has the message itself.
    for case_id, other in {one["case_id"]: one for one in reversed(others)}.items():
        if case_id not in (None, row["case_id"]):
            body = {"things": len(together), "key": other["key"]}
            add_entry(tx, case_id, TOLD_TOGETHER, body=body, notification_id=row["id"])
    joined = load_notification(tx, row["id"])
    if joined is None:
        raise AssertionError("a message that is being handed over is there")
    return joined


def said(
    tx: Transaction, row: Mapping[str, Any], customer: Customer, brand: Brand
) -> tuple[str, dict[str, Any], int | None]:
    """Return what a digest says as things stand: template, facts, and the case it is about; what is over is left out.

    With one thing left it is that one's own message. A thing keeps its number, so that an answer means it whatever
    was left out since.
    """
    items = row["facts"]["items"]
    left = [number for number, item in enumerate(items, 1) if _still_open(tx, item["case_id"])]
    left = left or list(range(1, len(items) + 1))
    if len(left) == 1:
        only = items[left[0] - 1]
        return only["template"], only["facts"], only["case_id"]

    def sentence(item: Mapping[str, Any]) -> str:
        return word_sentence(tx, item["template"], customer, item["facts"], brand, tx.now)

    text = "\n".join(f"{number}. {sentence(items[number - 1])}" for number in left)
    return TEMPLATE, {"purpose": row["purpose"], "text": text}, None


def cases_of(row: sa.RowMapping) -> list[int]:
    """The cases that a message tells of."""
    told = (item["case_id"] for item in row["facts"].get("items", ()))
    return list(dict.fromkeys(case_id for case_id in (row["case_id"], *told) if case_id is not None))


def _may_join(tx: Transaction, row: sa.RowMapping) -> bool:
    fresh = row["attempts"] == 0 and not row["tried"] and row["text"] is None and "first_key" not in row["facts"]
    low = Purpose(row["purpose"]) in tx.config.notifiers.digest and row["severity"] in _CAN_WAIT
    return bool(fresh and low and row["template"] in _CAN_JOIN)


def _others(tx: Transaction, row: sa.RowMapping) -> list[sa.RowMapping]:
    n = schema.notifications
    query = (
        sa.select(n)
        .where(
            n.c.customer_id == row["customer_id"],
            n.c.purpose == row["purpose"],
            n.c.id != row["id"],
            n.c.state == "queued",
            n.c.template.in_(_CAN_JOIN),
            n.c.severity.in_(_CAN_WAIT),
            n.c.text.is_(None),
            n.c.attempts == 0,
            sa.or_(n.c.expires_at.is_(None), n.c.expires_at > tx.now),
        )
        .order_by(n.c.id)
        .limit(_MOST_ITEMS - 1)
    )
    return [other for other in tx.connection.execute(query).mappings() if _may_join(tx, other)]


def _still_open(tx: Transaction, case_id: int | None) -> bool:
    case = load_case(tx, case_id) if case_id is not None else None
    return case is None or case["state"] == "open"
