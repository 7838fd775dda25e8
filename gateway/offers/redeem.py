"""What tills report: a code is redeemed once, and every purchase counts once, however often it is reported."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from gateway.commands.offers import OfferOpened, RedeemOffers, Redemption
from gateway.offers.spent import is_spent
from gateway.outbox.outcomes import note_redeemed
from gateway.store import dialect
from gateway.store.redemptions import redemptions
from gateway.store.schema import notifications, offer_decisions
from gateway.transaction import Transaction


class Result(StrEnum):
    """What came of one report."""

    REDEEMED = "redeemed"
    ALREADY = "already"
    """The code, or the receipt, was reported before."""
    UNKNOWN_CODE = "unknown_code"
    NOT_GIVEN = "not_given"
    """The code is an offer's, but no customer was sent it."""
    EXPIRED = "expired"
    UNKNOWN_OFFER = "unknown_offer"
    UNKNOWN_CUSTOMER = "unknown_customer"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class Redeemed:
    """The answer to one report."""

    result: Result
    sentence: str
    """For whoever stands at the till."""
    offer_id: str | None = None


def redeem(tx: Transaction, command: RedeemOffers) -> list[dict[str, Any]]:
    """Take in each report by itself, so that a wrong one keeps no other from counting.

    Returns ``Redeemed`` in order, JSON-ready.
    """
    found = [_redeem(tx, one, command.by) for one in command.redemptions]
    counted = sum(one.result is Result.REDEEMED for one in found)
    if counted:
        tx.audit(command.by, "offers.redeem", "offers", redeemed=counted, refused=len(found) - counted)
        tx.changed("offer", "redeemed")
    return [asdict(one) for one in found]


def note_opened(tx: Transaction, command: OfferOpened) -> None:
    """The newest offer that was made to them was opened, if none was since."""
    d = offer_decisions
    query = (
        sa.select(d.c.id, d.c.opened_at)
        .where(d.c.customer_id == command.customer_id, is_spent())
        .order_by(d.c.id.desc())
        .limit(1)
    )
    row = tx.connection.execute(query).first()
    if row is not None and row.opened_at is None:
        tx.connection.execute(sa.update(d).where(d.c.id == row.id).values(opened_at=tx.now))


def _redeem(tx: Transaction, one: Redemption, by: str) -> Redeemed:
    return _by_code(tx, one, one.code, by) if one.code else _by_customer(tx, one, by)


def _by_code(tx: Transaction, one: Redemption, code: str, by: str) -> Redeemed:
    offers = [o for o in tx.registry.offers.values() if code in o.codes and one.offer_id in (None, o.id)]
    if not offers:
        return Redeemed(Result.UNKNOWN_CODE, f"No offer has the code {code}.")
    d = offer_decisions
    given = (
        sa.select(d.c.id, d.c.offer_id, d.c.customer_id, d.c.notification_id)
        .where(d.c.code == code, d.c.offer_id.in_([offer.id for offer in offers]), is_spent())
        .order_by(d.c.id.desc())
    )
    decision = tx.connection.execute(given).first()
    if decision is None:
        return Redeemed(Result.NOT_GIVEN, f"The code {code} was not given to anybody.", offers[0].id)
    offer = tx.registry.offers[decision.offer_id]
    at = one.at or tx.now
    if not offer.valid_at(at):
        return Redeemed(Result.EXPIRED, f"'{offer.title}' was not valid at {at:%Y-%m-%d %H:%M} UTC.", offer.id)
    row = {**_row(one, offer.id, at, tx, by), "key": f"code:{offer.id}:{code}", "decision_id": decision.id}
    row["customer_id"] = decision.customer_id
    if not dialect.insert_new(tx.connection, redemptions, row, unique=["key"]):
        r = redemptions.c
        before = tx.connection.execute(sa.select(r.at).where(r.key == row["key"])).scalar_one()
        return Redeemed(Result.ALREADY, f"The code {code} was redeemed at {before:%Y-%m-%d %H:%M} UTC.", offer.id)
    if decision.notification_id is not None:
        note_redeemed(tx, decision.notification_id)
    return Redeemed(Result.REDEEMED, f"'{offer.title}' is redeemed.", offer.id)


def _by_customer(tx: Transaction, one: Redemption, by: str) -> Redeemed:
    """A purchase without a code, by a customer the till knows: what the holdout's purchases can be told by."""
    if not one.customer_id or not one.offer_id or not one.receipt:
        return Redeemed(Result.INCOMPLETE, "Give a code, or a customer, an offer and a receipt number.")
    offer = tx.registry.offers.get(one.offer_id)
    if offer is None:
        return Redeemed(Result.UNKNOWN_OFFER, f"There is no offer {one.offer_id}.")
    if one.customer_id not in tx.registry.customers:
        return Redeemed(Result.UNKNOWN_CUSTOMER, f"There is no customer {one.customer_id}.")
    at = one.at or tx.now
    d, n = offer_decisions, notifications
    query = (
        sa.select(d.c.id, d.c.notification_id)
        .where(d.c.customer_id == one.customer_id, d.c.offer_id == offer.id, is_spent(), d.c.at <= at)
        .where(sa.or_(d.c.notification_id.is_(None), sa.exists().where(n.c.id == d.c.notification_id)))
        .order_by(d.c.id.desc())
        .limit(1)
    )
    decision = tx.connection.execute(query).first()
    row = {
        **_row(one, offer.id, at, tx, by),
        "key": f"receipt:{offer.id}:{one.receipt}",
        "customer_id": one.customer_id,
        "decision_id": decision.id if decision else None,
    }
    if not dialect.insert_new(tx.connection, redemptions, row, unique=["key"]):
        return Redeemed(Result.ALREADY, f"The receipt {one.receipt} was reported before.", offer.id)
    if decision is not None and decision.notification_id is not None:
        note_redeemed(tx, decision.notification_id)
    return Redeemed(Result.REDEEMED, f"The purchase of '{offer.title}' is noted.", offer.id)


def _row(one: Redemption, offer_id: str, at: object, tx: Transaction, by: str) -> dict[str, object]:
    return {
        "offer_id": offer_id,
        "code": one.code,
        "amount": one.amount,
        "shop_id": one.shop_id,
        "source": by,
        "at": at,
    }
