"""What a person agrees and objects to: written down with its source and time, and heeded at once."""

from collections.abc import Callable

import sqlalchemy as sa

from device_models.purpose import Purpose
from device_models.registry import Customer, Origin
from gateway.commands import CommandRefused, SetConsent
from gateway.outbox.ending import end_unsent
from gateway.outbox.owed import OWED
from gateway.people.consent_log import log_consent
from gateway.store import schema
from gateway.transaction import Transaction


def set_consent(tx: Transaction, command: SetConsent) -> Customer:
    """Write down a STOP or START for purposes; messages of a stopped purpose that still wait are withheld."""
    customer = tx.registry.customers.get(command.customer_id)
    if customer is None:
        raise CommandRefused(f"there is no customer {command.customer_id}")
    purposes = frozenset(command.purposes)
    if command.granted:
        update = {"objections": customer.objections - purposes, "consents": customer.consents | purposes}
    else:
        update = {"objections": customer.objections | purposes, "consents": customer.consents - purposes}
    theirs = Origin(source=command.source, at=tx.now, own=True)
    origins = {**customer.origins, **{purpose.value: theirs for purpose in purposes}}
    changed = customer.model_copy(update={**update, "origins": origins})
    c = schema.customers
    values: dict[str, object] = {name: sorted(purpose.value for purpose in value) for name, value in update.items()}
    values |= changed.model_dump(mode="json", include={"origins"})
    tx.connection.execute(sa.update(c).where(c.c.id == customer.id).values(**values))
    log_consent(tx, customer, purposes, command.source, granted=command.granted)
    # Within this transaction others must see it too, so the registry changes now and is put back if it fails.
    _replace_customer(tx, changed)
    if not command.granted:
        _withhold_waiting(tx, customer.id, purposes)
    tx.changed("customer", customer.id)
    return changed


def last_stopped(tx: Transaction, customer: Customer) -> frozenset[Purpose]:
    """What a START without a word of what brings back: what this person's last STOP ended and nothing has restored.

    Where no STOP of theirs is on record (an import brought the objection), all that needs no consent: who wants
    offers again says so.
    """
    log = schema.consent_log.c
    query = (
        sa.select(log.purpose, log.source, log.at)
        .where(log.customer_id == customer.id, ~log.granted, log.allowed_before)
        .where(log.purpose.in_([purpose.value for purpose in customer.objections]))
        .order_by(log.id.desc())
    )
    ended = tx.connection.execute(query).all()
    if not ended:
        return frozenset(purpose for purpose in customer.objections if not purpose.needs_opt_in)
    return frozenset(Purpose(row.purpose) for row in ended if (row.source, row.at) == (ended[0].source, ended[0].at))


def _replace_customer(tx: Transaction, customer: Customer) -> None:
    before = tx.registry.customers[customer.id]
    tx.registry.customers[customer.id] = customer
    tx.on_rollback.append(_restore(tx, before))


def _restore(tx: Transaction, before: Customer) -> Callable[[], None]:
    return lambda: tx.registry.customers.update({before.id: before})


def _withhold_waiting(tx: Transaction, customer_id: str, purposes: frozenset[Purpose]) -> None:
    n = schema.notifications
    waiting = sa.select(n).where(
        n.c.customer_id == customer_id,
        n.c.purpose.in_([p.value for p in purposes]),
        n.c.state.in_(("awaiting_approval", "queued")),
        n.c.template.not_in(("agent_reply", *sorted(OWED))),
    )
    for row in tx.connection.execute(waiting).mappings().all():
        end_unsent(tx, row, "withheld", "consent.objected")
