"""Write down what came of a visit, and tell the customer where it was an offer."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta

import sqlalchemy as sa

from device_models.purpose import Purpose
from device_models.registry import Customer
from gateway.offers.spent import is_spent
from gateway.outbox.queue import enqueue, set_state
from gateway.store import schema
from gateway.transaction import Transaction
from notifiers.holdout import in_holdout
from rules.base import BaseRule
from rules.kinds.approach import NotCounted
from rules.kinds.proximity import ProximityRule
from rules.respond import Notify
from rules.response.offer import OfferDecision, OfferHistory, Sent, Withheld, decide_offer
from rules.transition import Visit

_REMEMBERED = timedelta(days=60)
_AFTER_FAULT = timedelta(days=14)


def record_visit(tx: Transaction, rules: Mapping[str, BaseRule], visit: Visit) -> None:
    """Decide on a visit and keep the decision with its reason; positions are not part of it."""
    rule = rules.get(visit.rule)
    if not isinstance(rule, ProximityRule):
        return
    customer = tx.registry.owner(visit.device_id)
    if visit.withheld == NotCounted.LEFT:
        _drop_waiting(tx, visit)
        return
    decision = _decide(tx, rule, visit, customer)
    offer = decision.sent
    written = tx.connection.execute(
        sa.insert(schema.offer_decisions).values(
            customer_id=customer.id if customer else None,
            device_id=visit.device_id,
            rule=visit.rule,
            shop_id=visit.shop_id,
            offer_id=offer.id if offer else _held_out(decision),
            code=decision.code,
            reason=decision.withheld,
            explanation={**visit.explanation, **decision.explanation},
            at=visit.at,
        )
    )
    tx.changed("offer", visit.device_id)
    if offer is None or customer is None:
        return
    shop, device = tx.registry.shops[visit.shop_id], tx.registry.devices[visit.device_id]
    facts = {
        "purpose": rule.purpose.value,
        "offer": {
            "title": offer.title,
            "text": offer.text,
            "code": decision.code,
            "valid_until": offer.valid_until.isoformat() if offer.valid_until else None,
        },
        "shop": {
            "name": shop.name,
            "address": shop.address,
            "distance_m": visit.explanation.get("distance_m"),
            "url": shop.url,
        },
        "device": {"name": device.name, "product": dict(tx.profiles[device.profile].title)}
        if device.profile in tx.profiles
        else {},
    }
    notification_id = enqueue(
        tx,
        Notify(
            key=f"offer:{customer.id}:{visit.shop_id}:{offer.id}:{visit.at.isoformat()}",
            template="offer",
            customer_id=customer.id,
            device_id=visit.device_id,
            case_id=None,
            purpose=rule.purpose,
            severity=rule.severity,
            facts=facts,
            mode=rule.notify,
            expires_at=decision.expires_at,
        ),
    )
    d, (decision_id,) = schema.offer_decisions, written.inserted_primary_key or (None,)
    tx.connection.execute(sa.update(d).where(d.c.id == decision_id).values(notification_id=notification_id))


def _held_out(decision: OfferDecision) -> str | None:
    """The offer that a customer of the holdout would have been made."""
    return decision.explanation["offer"] if decision.withheld == Withheld.HOLDOUT else None


def _decide(tx: Transaction, rule: ProximityRule, visit: Visit, customer: Customer | None) -> OfferDecision:
    return decide_offer(
        visit,
        rule,
        customer,
        tx.registry.devices[visit.device_id],
        tx.registry.shops.get(visit.shop_id),
        list(tx.registry.offers.values()),
        _history(tx, customer),
        _has_open_fault(tx, customer),
        _occasions(tx, visit, customer),
        tx.now,
        owned_profiles=_owned_profiles(tx, customer),
        holdout=customer is not None and in_holdout(customer.id, tx.config.offers.holdout, "offers"),
    )


def _owned_profiles(tx: Transaction, customer: Customer | None) -> frozenset[str]:
    """The phone comes near the shop, the filter is for the heat pump at home."""
    if customer is None:
        return frozenset()
    d = schema.devices
    return frozenset(tx.connection.execute(sa.select(d.c.profile).where(d.c.customer_id == customer.id)).scalars())


def _history(tx: Transaction, customer: Customer | None) -> OfferHistory:
    d = schema.offer_decisions
    sent: list[Sent] = []
    if customer is not None:
        query = sa.select(d.c.at, d.c.shop_id, d.c.offer_id).where(
            d.c.customer_id == customer.id,
            d.c.offer_id.is_not(None),
            # Who is left out has caps and cool-downs like everybody, so that they are counted as often.
            d.c.at >= tx.now - _REMEMBERED,
        )
        sent = [Sent(at, shop_id, offer_id) for at, shop_id, offer_id in tx.connection.execute(query)]
    used = sa.select(d.c.offer_id, sa.func.count().label("sent")).where(is_spent()).group_by(d.c.offer_id)
    given = sa.select(d.c.offer_id, d.c.code).where(d.c.code.is_not(None), is_spent())
    codes: defaultdict[str, set[str]] = defaultdict(set)
    for offer_id, code in tx.connection.execute(given):
        codes[offer_id].add(code)
    return OfferHistory(
        sent=tuple(sent),
        budget_used={row.offer_id: row.sent for row in tx.connection.execute(used)},
        codes_used=codes,
    )


def _has_open_fault(tx: Transaction, customer: Customer | None) -> bool:
    if customer is None:
        return False
    c = schema.cases
    faults = (Purpose.FAULT.value, Purpose.SAFETY.value)
    query = sa.select(c.c.id).where(
        c.c.customer_id == customer.id, c.c.state == "open", c.c.purpose.in_(faults), c.c.on_arrival.is_(False)
    )
    return tx.connection.execute(query.limit(1)).first() is not None


def _occasions(tx: Transaction, visit: Visit, customer: Customer | None) -> frozenset[str]:
    """Reasons to speak of something now that the cases give."""
    if customer is None:
        return frozenset()
    c = schema.cases
    query = sa.select(c.c.purpose, c.c.kind, c.c.state, c.c.resolved_at, c.c.explanation).where(
        c.c.customer_id == customer.id,
        sa.or_(c.c.state == "open", c.c.resolved_at >= tx.now - _AFTER_FAULT),
    )
    # An accessory goes with a product they own: whether one does is asked of the offer's own profiles.
    found: set[str] = {"accessory"}
    for row in tx.connection.execute(query):
        if row.state == "open" and row.kind == "maintenance":
            found.add("maintenance_due")
        elif row.state == "open" and row.kind == "forecast" and row.purpose == Purpose.MAINTENANCE.value:
            # A filter that will be full, a cartridge that will be empty: what runs out is bought before it has.
            found.add("consumable_low")
        elif row.state == "resolved" and row.purpose == Purpose.FAULT.value:
            found.add("after_fault")
        if row.state == "open" and isinstance(row.explanation, Mapping) and row.explanation.get("occasion"):
            found.add(str(row.explanation["occasion"]))
    return frozenset(found)


def _drop_waiting(tx: Transaction, visit: Visit) -> None:
    """They have left: what still waits would come too late."""
    n = schema.notifications
    waiting = sa.select(n.c.id).where(
        n.c.device_id == visit.device_id,
        n.c.template == "offer",
        n.c.state.in_(("awaiting_approval", "queued")),
    )
    for notification_id in tx.connection.execute(waiting).scalars().all():
        set_state(tx, notification_id, "cancelled", reason="they had left the shop")
