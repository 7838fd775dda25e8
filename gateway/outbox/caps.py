"""Caps over what a customer was sent: counted from the outbox, and a message without room waits for it."""

from dataclasses import replace

import sqlalchemy as sa

from device_models.purpose import Purpose, Severity
from device_models.registry import Customer
from gateway.outbox.outcomes import ASKS, SURVEY
from gateway.store.schema import notifications
from gateway.transaction import Transaction
from notifiers.caps import Bound, room
from notifiers.choice import Choice

_CAPPED = tuple(sorted((ASKS | {"fault_resolved", SURVEY}) - {"agent_reply"}))
"""Templates that count and may wait: what the gateway says by itself. An answer to what they wrote never waits."""

_n = notifications.c
_SENT = sa.select(_n.handed_over_at, _n.purpose, _n.facts).where(
    _n.customer_id == sa.bindparam("customer"),
    _n.handed_over_at > sa.bindparam("since"),
    _n.template.in_(_CAPPED),
    _n.text.is_(None),
    _n.key != sa.bindparam("own"),
)


def is_capped(template: str) -> bool:
    """Whether messages of a template count among those that a customer gets only so many of."""
    return template in _CAPPED


def within_caps(
    tx: Transaction, customer: Customer, purpose: Purpose, severity: Severity, choice: Choice, key: str
) -> Choice:
    """Let a chosen message wait for room where the customer had enough, with the reason; ``key`` is its own."""
    caps = tx.config.notifiers.caps
    bounds = [Bound(cap.at_most, cap.within, purpose) for cap in caps.purposes.get(purpose, ())]
    bounds += [Bound(cap.at_most, cap.within) for cap in caps.total]
    if not bounds or purpose is Purpose.SAFETY:
        return choice
    asked = {"customer": customer.id, "since": tx.now - max(bound.within for bound in bounds), "own": key}
    # A copy on the next channel is the same message, not another.
    sent = [(row[0], Purpose(row[1])) for row in tx.connection.execute(_SENT, asked) if "first_key" not in row[2]]
    found = room(bounds, sent, customer, purpose, severity, tx.now)
    if not found.reasons:
        return choice
    waits = [at for at in (choice.not_before, found.not_before) if at is not None]
    return replace(choice, not_before=max(waits, default=None), why=(*choice.why, *found.reasons))
