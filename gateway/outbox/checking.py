"""Messages that go to one address alone, whatever else reaches its owner.

They prove it (their code is forgotten once sent), tell it that another was added, or are for staff.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from device_models.purpose import Purpose, Severity
from device_models.registry import Customer
from gateway.store import schema
from gateway.transaction import Transaction
from notifiers.choice import Choice
from notifiers.reasons import Reason

STAFF_ALERT = "staff_alert"
"""Template of messages to staff; they are written as they stand, and never held."""
CHECK = "check"
ADDRESS_ADDED = "address_added"


def enqueue_to(
    tx: Transaction,
    template: str,
    key: str,
    customer_id: str,
    channel: str,
    address: str,
    facts: Mapping[str, Any],
    expires_at: datetime,
) -> None:
    """Write a message to one address to the outbox; ``mode = "off"`` withholds it."""
    off = tx.config.notifiers.mode == "off"
    row: dict[str, Any] = {
        "key": key,
        "customer_id": customer_id,
        "purpose": Purpose.SAFETY.value,
        "severity": Severity.INFO.value,
        "template": template,
        "facts": dict(facts),
        "state": "withheld" if off else "queued",
        "reason": "mode_off" if off else None,
        "channel": channel,
        "address": address,
        "why": [],
        "tried": [],
        "expires_at": expires_at,
        "attempts": 0,
        "created_at": tx.now,
        "updated_at": tx.now,
    }
    n = schema.notifications
    number = tx.connection.execute(sa.insert(n).values(**row).returning(n.c.id)).scalar_one()
    tx.changed("notification", number)


def is_staff_alert(row: sa.RowMapping | Mapping[str, Any]) -> bool:
    """Tell whether a message is for somebody of the staff."""
    return bool(row["template"] == STAFF_ALERT)


def is_check(row: sa.RowMapping | Mapping[str, Any]) -> bool:
    """Tell whether a message is a check."""
    return bool(row["template"] == CHECK)


def has_one_address(row: sa.RowMapping | Mapping[str, Any]) -> bool:
    """Tell whether a message is for the address that it names and goes nowhere else."""
    return row["template"] in (CHECK, ADDRESS_ADDED, STAFF_ALERT)


def addressee(tx: Transaction, row: sa.RowMapping) -> Customer | None:
    """Whom a message is for; a check may be for somebody who is no customer yet and only said how to write to them."""
    known = tx.registry.customers.get(row["customer_id"])
    draft = row["facts"].get("draft")
    if known is not None or not (is_check(row) or is_staff_alert(row)) or not draft:
        return known
    said = {"locale": draft.get("locale") or "en", "timezone": draft.get("timezone") or "UTC"}
    return Customer.model_validate({"id": row["customer_id"], "name": draft.get("name") or "–", **said})


def choice_of_one(row: sa.RowMapping) -> Choice | None:
    """The one address that a message is for; None for a message whose channel is chosen."""
    if not has_one_address(row):
        return None
    asked = Reason("consent.not_needed", {"purpose": Purpose.SAFETY.value})
    return Choice(row["channel"], row["address"], (), (asked,))


def without_code(row: sa.RowMapping) -> dict[str, Any]:
    """What to write once a check was sent: whoever reads the outbox must not be able to answer."""
    return {"facts": {}, "body": None} if is_check(row) else {}
