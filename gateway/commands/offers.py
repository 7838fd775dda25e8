"""Commands about offers: part of ``gateway.commands``, in a module of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Redemption:
    """What a till says of one purchase: a code it was shown, or else a customer and an offer with a receipt number."""

    code: str | None = None
    offer_id: str | None = None
    """With a code only needed where two offers have the same one."""
    customer_id: str | None = None
    receipt: str | None = None
    """The till's own number of the purchase."""
    amount: float | None = None
    """In the company's currency."""
    shop_id: str | None = None
    at: datetime | None = None
    """None: now."""


@dataclass(frozen=True, slots=True)
class RedeemOffers:
    """Take in what a till reports. Its result is a list: ``gateway.offers.redeem.Redeemed`` as a mapping."""

    redemptions: Sequence[Redemption]
    by: str


@dataclass(frozen=True, slots=True)
class OfferOpened:
    """A customer opened the page that an offer's message leads to."""

    customer_id: str


@dataclass(frozen=True, slots=True)
class ForgetVisits:
    """Reduce and forget visits to shops whose time is over. Its result is how many."""


OfferCommand = RedeemOffers | OfferOpened | ForgetVisits
