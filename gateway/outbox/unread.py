"""A customer's words that may be a STOP: what can wait is not sent before a person has read them.

No list of words hears every STOP. One that was missed is read by a person; until then it costs the customer nothing.
"""

from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa

from device_models.purpose import Purpose
from device_models.registry import Customer
from gateway.people.objections import addresses_of
from gateway.store import schema
from gateway.store.readings import readings, unjoined
from gateway.transaction import Transaction
from notifiers.choice import Choice
from notifiers.reasons import Reason

_CAN_WAIT = frozenset({Purpose.OFFER, Purpose.NEWS, Purpose.MAINTENANCE})
"""What tells of no fault: it waits as long as a person takes to read."""
_LOOK_AGAIN = timedelta(minutes=10)


def after_unread(tx: Transaction, customer: Customer, purpose: Purpose, choice: Choice) -> Choice:
    """Let a chosen message wait while what may be a STOP is unread; it is looked at again every ten minutes."""
    if purpose not in _CAN_WAIT or not (_has_unread(tx, customer.id) or _shares_unread(tx, customer)):
        return choice
    until = max(filter(None, (choice.not_before, tx.now + _LOOK_AGAIN)))
    return replace(choice, not_before=until, why=(*choice.why, Reason("reply.unread")))


def _has_unread(tx: Transaction, customer_id: str) -> bool:
    r, u, c = readings.c, unjoined.c, schema.cases.c
    waits_in_case = sa.select(c.id).where(c.id == r.case_id, c.needs_reply).exists()
    stands_apart = sa.select(u.inbound_id).where(u.inbound_id == r.inbound_id, u.state == "open").exists()
    query = sa.select(r.inbound_id).where(
        r.customer_id == customer_id,
        r.may_stop,
        sa.or_(waits_in_case, stands_apart),
    )
    return tx.connection.execute(query.limit(1)).first() is not None


def _shares_unread(tx: Transaction, customer: Customer) -> bool:
    """Whether such words came from an address that they share with another customer, so that they may be theirs."""
    r, u = readings.c, unjoined.c
    query = (
        sa.select(r.inbound_id)
        .join(unjoined, u.inbound_id == r.inbound_id)
        .where(u.state == "open", u.verified, u.customer_id.is_(None), r.may_stop)
        .where(sa.func.lower(u.address).in_(addresses_of(customer)))
    )
    return tx.connection.execute(query.limit(1)).first() is not None
