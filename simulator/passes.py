"""Which shops a journey leads past, and whether an offer was due there: the truth, not the gateway's view."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from opening_hours import OpeningHours

from device_models.purpose import Purpose
from device_models.registry import Customer, Device, Offer, Shop
from simulator.routes import Metres, Mode, Route

_SAMPLE_S = 5.0
_TOO_BRIEF_S = 120.0
"""Somebody who grazes the radius for less could as well be a stray fix: no offer is missed there."""


@dataclass(frozen=True, slots=True)
class ShopPass:
    """One stay within a shop's radius."""

    shop_id: str
    at: datetime
    """When the radius was entered."""
    nearest_m: float
    dwell_s: float
    reasons: tuple[str, ...]
    """Why no offer was due: ``vehicle``, ``brief``, ``closed``, ``no_consent``, ``no_offer``; empty: one was."""

    @property
    def due(self) -> bool:
        """Whether an offer would have been right."""
        return not self.reasons


def shop_passes(
    route: Route,
    departs_at: datetime,
    shops: Sequence[tuple[Shop, Metres]],
    zone: ZoneInfo,
    customer: Customer,
    owned: Sequence[Device],
    offers: Sequence[Offer],
) -> list[ShopPass]:
    """Return the first stay at each shop whose radius the journey enters, in the order of entering."""
    found = []
    for shop, place in shops:
        if route.nearest_m(place)[1] > shop.radius_m:
            continue
        entered_s, dwell_s, nearest_m = _stay(route, place, shop.radius_m)
        at = departs_at + timedelta(seconds=entered_s)
        reasons = (
            ("vehicle", route.mode is Mode.DRIVE),
            ("brief", dwell_s < _TOO_BRIEF_S),
            ("closed", not is_open(shop, at, zone)),
            ("no_consent", not customer.allows(Purpose.OFFER)),
            ("no_offer", not any(_fits(offer, shop, at, owned, customer) for offer in offers)),
        )
        found.append(ShopPass(shop.id, at, round(nearest_m), dwell_s, tuple(name for name, holds in reasons if holds)))
    return sorted(found, key=lambda seen: seen.at)


def is_open(shop: Shop, at: datetime, zone: ZoneInfo) -> bool:
    """Tell whether a shop in ``zone`` is open."""
    if shop.opening_hours is None:
        return True
    # The library reads zones by their IANA name, which datetime.UTC does not have.
    return bool(OpeningHours(shop.opening_hours, timezone=zone).is_open(at.astimezone(zone)))


def _stay(route: Route, place: Metres, radius_m: float) -> tuple[float, float, float]:
    """Return (entered after seconds, seconds within the radius, nearest metres) of the first stay."""
    entered_s, nearest_m, elapsed_s = None, radius_m, 0.0
    while elapsed_s <= route.duration_s:
        here = route.place_at(route.metres_at(elapsed_s))
        gap_m = ((here[0] - place[0]) ** 2 + (here[1] - place[1]) ** 2) ** 0.5
        if gap_m <= radius_m:
            entered_s = elapsed_s if entered_s is None else entered_s
            nearest_m = min(nearest_m, gap_m)
        elif entered_s is not None:
            return entered_s, elapsed_s - entered_s, nearest_m
        elapsed_s += _SAMPLE_S
    return (route.duration_s, 0.0, nearest_m) if entered_s is None else (entered_s, elapsed_s - entered_s, nearest_m)


def _fits(offer: Offer, shop: Shop, at: datetime, owned: Sequence[Device], customer: Customer) -> bool:
    """Tell whether an offer suits by shop, time, what the customer owns, and what they agreed to.

    Of the occasions only ``accessory`` (they own one) holds at any time; the others depend on what the gateway has
    found, so an offer for those is not counted as due. One without an occasion needs the purpose *news*.
    """
    if (offer.shops and shop.id not in offer.shops) or not offer.valid_at(at):
        return False
    if offer.profiles and not any(device.profile in offer.profiles for device in owned):
        return False
    return offer.occasion == "accessory" or (offer.occasion is None and customer.allows(Purpose.NEWS))
