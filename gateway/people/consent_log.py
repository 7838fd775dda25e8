"""The record of what each person agreed and objected to, where, and when: written, never changed."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from device_models.purpose import Purpose
from device_models.registry import IMPORTED, Customer
from gateway.store.schema import consent_log

if TYPE_CHECKING:
    from gateway.transaction import Transaction


def log_consent(
    tx: "Transaction", customer: Customer, purposes: Iterable[Purpose], source: str, *, granted: bool
) -> None:
    """Write down what ``customer``, as they were until now, says of purposes."""
    _write(tx, [_entry(tx, customer, purpose, source, granted=granted) for purpose in sorted(purposes)])


def log_changes(tx: "Transaction", changed: Sequence[tuple[Customer | None, Customer]]) -> None:
    """Write down what an import changes: customers before (None: new) and after it."""
    entries = []
    for before, after in changed:
        agreed, objected = (before.consents, before.objections) if before else (frozenset(), frozenset())
        for purpose in sorted((after.consents ^ agreed) | (after.objections - objected)):
            granted = purpose in after.consents and purpose not in after.objections - objected
            origin = after.origin(purpose.value)
            entry = _entry(tx, after, purpose, origin.source if origin else IMPORTED, granted=granted)
            at = origin.at if origin and origin.at and granted else tx.now
            entries.append(entry | {"at": at, "allowed_before": before is not None and before.allows(purpose)})
    _write(tx, entries)


def _entry(tx: "Transaction", customer: Customer, purpose: Purpose, source: str, *, granted: bool) -> dict[str, Any]:
    said = {"purpose": purpose.value, "granted": granted, "source": source, "at": tx.now}
    return {"customer_id": customer.id, **said, "allowed_before": customer.allows(purpose)}


def _write(tx: "Transaction", entries: Sequence[dict[str, Any]]) -> None:
    if entries:
        tx.connection.execute(sa.insert(consent_log), list(entries))
