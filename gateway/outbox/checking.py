"""Messages that go to one address alone: those that prove it, whose code is forgotten once sent, and those to staff."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from device_models.purpose import Purpose
from device_models.registry import Customer
from gateway.transaction import Transaction
from notifiers.choice import Choice
from notifiers.reasons import Reason

STAFF_ALERT = "staff_alert"
"""Template of messages to staff; they are written as they stand, and never held."""


def is_staff_alert(row: sa.RowMapping | Mapping[str, Any]) -> bool:
    """Tell whether a message is for somebody of the staff."""
    return bool(row["template"] == STAFF_ALERT)


def is_check(row: sa.RowMapping | Mapping[str, Any]) -> bool:
    """Tell whether a message is a check."""
    return bool(row["template"] == "check")


def addressee(tx: Transaction, row: sa.RowMapping) -> Customer | None:
    """Whom a message is for; a check may be for somebody who is no customer yet and only said how to write to them."""
    known = tx.registry.customers.get(row["customer_id"])
    draft = row["facts"].get("draft")
    if known is not None or not (is_check(row) or is_staff_alert(row)) or not draft:
        return known
    said = {"locale": draft.get("locale") or "en", "timezone": draft.get("timezone") or "UTC"}
    return Customer.model_validate({"id": row["customer_id"], "name": draft.get("name") or "–", **said})


def choice_of_check(row: sa.RowMapping) -> Choice | None:
    """The address that a check or an alert is for; None for any other message."""
    if not is_check(row) and not is_staff_alert(row):
        return None
    asked = Reason("consent.not_needed", {"purpose": Purpose.SAFETY.value})
    return Choice(row["channel"], row["address"], (), (asked,))


def without_code(row: sa.RowMapping) -> dict[str, Any]:
    """What to write once a check was sent: whoever reads the outbox must not be able to answer."""
    return {"facts": {}, "body": None} if is_check(row) else {}
