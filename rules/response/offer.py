"""Whether a visit near a shop becomes an offer, which one, and if not, why.

One function asks the questions in order and stops at the first that says no; its name is the reason, and its answer
stands in the explanation as data and as an English sentence for staff.
"""

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from device_models.duration import format_duration
from device_models.event import rfc3339
from device_models.purpose import Purpose
from device_models.registry import Customer, Device, Offer, Shop
from rules.kinds.proximity import ProximityRule
from rules.places.opening import closes_next, is_open, opens_next, zone_of
from rules.transition import Visit

_MOST_NAMED = 20
"""Offers that did not fit are named up to this many."""


class Withheld(StrEnum):
    """Why a visit brought no offer, besides the reasons of ``NotCounted``; ``docs/offers.md`` says what to do."""

    NO_OWNER = "no_owner"
    NO_CONSENT = "no_consent"
    NO_SHOP = "no_shop"
    TOO_LATE = "too_late"
    CLOSED = "closed"
    HOURS_UNKNOWN = "hours_unknown"
    NO_OFFER = "no_offer"
    OPEN_FAULT_CASE = "open_fault_case"
    CAP = "cap"
    COOLDOWN = "cooldown"
    BUDGET = "budget"
    CODES = "codes"
    HOLDOUT = "holdout"


_SENTENCES: Mapping[str, str] = {
    "no_owner": "The device has no owner who could be told.",
    "no_consent": "The customer has not agreed to messages of the purpose {purpose}.",
    "no_shop": "The shop is no longer known.",
    "too_late": "The visit was {late_s:.0f} s ago when it could be acted on; they have moved on.",
    "closed": "{shop} was closed; it opens {opens}.",
    "hours_unknown": "The opening hours of {shop} do not say whether it was open.",
    "no_offer": "No offer fits this customer at {shop} now.",
    "open_fault_case": "The customer has an open fault case: help comes before offers.",
    "cap": "The customer had {sent} offers within {within}, and the most is {at_most}.",
    "cooldown": "The customer had an offer from {shop} less than {cooldown} ago.",
    "budget": "The budget of the offers that fit is used up.",
    "codes": "No code is left for the offers that fit.",
    "holdout": "They are in the group that is made no offers, so that what offers gain can be measured.",
    "accuracy": "The position was only accurate to {accuracy_m:.0f} m; here {limit_m:.0f} m are needed.",
    "speed": "They passed at {speed_kmh:.0f} km/h: driving past is not visiting.",
    "passed": "They crossed the shop's surroundings between two positions and were not seen inside.",
    "dwell": "They stayed {stayed_at_most_s:.0f} s at most; {dwell_s:.0f} s make a visit.",
    "not_riding": "The thing that was near the shop is locked or has not moved: nobody seems to be with it.",
    "left": "They have left; what was not sent yet is dropped.",
}


class Sent(NamedTuple):
    """An offer that was committed to be sent to this customer."""

    at: datetime
    shop_id: str
    offer_id: str


@dataclass(frozen=True, slots=True)
class OfferHistory:
    """What was offered before."""

    sent: Sequence[Sent] = ()
    """To this customer, at least as far back as the rule's longest cap and cool-down reach; in any order."""
    budget_used: Mapping[str, int] = field(default_factory=dict)
    """How often each offer was sent, to anybody."""
    codes_used: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Codes given away, by offer."""


@dataclass(frozen=True, slots=True)
class OfferDecision:
    """One offer to send, or the reason why none."""

    sent: Offer | None
    withheld: str | None
    explanation: Mapping[str, Any]
    """JSON-ready. ``reason`` (``sent`` or the name), ``sentence``, and what the reason is about."""
    code: str | None = None
    """The single-use code to print; to be marked used in the same transaction."""
    expires_at: datetime | None = None
    """When the message must not be handed over any more: late for the visit, the offer over, or the shop closed."""


def decide_offer(
    visit: Visit,
    rule: ProximityRule,
    customer: Customer | None,
    device: Device,
    shop: Shop | None,
    offers: Sequence[Offer],
    history: OfferHistory,
    open_case: bool,
    occasions: AbstractSet[str],
    now: datetime,
    *,
    owned_profiles: AbstractSet[str] = frozenset(),
    holdout: bool = False,
) -> OfferDecision:
    """Decide what a visit brings.

    Args:
        customer: the device's owner, None where it has none.
        shop: the visit's; None where there is none by that id.
        offers: all that might fit, in any order.
        open_case: whether the customer has an open case of purpose fault or safety.
        occasions: those that hold for this customer now: ``maintenance_due``, ``consumable_low``, ….
        now: the input's own time, aware.
        owned_profiles: profiles of the customer's other devices. A phone comes near the shop, the filter is for the
            heat pump at home.
        holdout: whether this customer is made no offers, so that what offers gain can be measured. Asked last: they are
            counted where others would have been made one.
    """
    about = {**visit.explanation, "shop": shop.name if shop else visit.shop_id, "purpose": rule.purpose.value}
    if customer is None:
        return _no(Withheld.NO_OWNER, about)
    if visit.withheld is not None:
        return _no(visit.withheld, about)
    if not customer.allows(rule.purpose):
        return _no(Withheld.NO_CONSENT, about)
    if shop is None:
        return _no(Withheld.NO_SHOP, about)
    expires_at = visit.at + rule.expires_after
    if now >= expires_at:
        return _no(Withheld.TOO_LATE, about, late_s=(now - visit.at).total_seconds())
    opened = is_open(shop, now)
    if opened is None:
        return _no(Withheld.HOURS_UNKNOWN, about, opening_hours=shop.opening_hours)
    if not opened:
        return _no(Withheld.CLOSED, about, **_next_opening(shop, now))

    unfit = {
        o.id: why for o in offers if (why := _why_not(o, rule, customer, device, shop, owned_profiles, occasions, now))
    }
    fitting = sorted((o for o in offers if o.id not in unfit), key=lambda o: _preference(o, customer))
    if not fitting:
        return _no(Withheld.NO_OFFER, about, considered=dict(sorted(unfit.items())[:_MOST_NAMED]))
    if open_case:
        return _no(Withheld.OPEN_FAULT_CASE, about)
    if (capped := _cap_reached(rule, history, now)) is not None:
        return _no(Withheld.CAP, about, **capped)
    if (cooling_until := _cooling_until(rule, history, shop, now)) is not None:
        cooldown = format_duration(rule.cooldown)
        return _no(Withheld.COOLDOWN, about, cooldown=cooldown, again_at=rfc3339(cooling_until))

    in_budget = [o for o in fitting if o.budget is None or history.budget_used.get(o.id, 0) < o.budget]
    if not in_budget:
        return _no(Withheld.BUDGET, about, offers=[o.id for o in fitting[:_MOST_NAMED]])
    ready = [(o, _free_code(o, history)) for o in in_budget]
    offer, code = next(((o, code) for o, code in ready if code is not None or not o.codes), (None, None))
    if offer is None:
        return _no(Withheld.CODES, about, offers=[o.id for o in in_budget[:_MOST_NAMED]])
    if holdout:
        return _no(Withheld.HOLDOUT, about, offer=offer.id)
    ends = (expires_at, offer.valid_until, closes_next(shop, now))
    expires_at = min(end for end in ends if end is not None).astimezone(UTC)
    explanation = {
        **about,
        "reason": "sent",
        "sentence": f"They were near {shop.name}, which was open, and '{offer.title}' fits.",
        "offer": offer.id,
        "occasion": offer.occasion,
        "consent_source": origin.source if (origin := customer.origin(Purpose.OFFER.value)) else None,
        "expires_at": rfc3339(expires_at),
    }
    return OfferDecision(offer, None, explanation, code, expires_at)


def _why_not(
    offer: Offer,
    rule: ProximityRule,
    customer: Customer,
    device: Device,
    shop: Shop,
    owned_profiles: AbstractSet[str],
    occasions: AbstractSet[str],
    now: datetime,
) -> str | None:
    """Name what keeps an offer from fitting at all, None where it fits."""
    if not offer.valid_at(now):
        return "not_valid_now"
    if offer.shops and shop.id not in offer.shops:
        return "other_shops"
    if offer.profiles and offer.profiles.isdisjoint({device.profile, *owned_profiles}):
        return "other_products"
    if offer.occasion is not None and offer.occasion not in occasions:
        return f"occasion_{offer.occasion}"
    if offer.occasion is None and rule.require_occasion and not customer.allows(Purpose.NEWS):
        return "needs_news_consent"
    return None


def _preference(offer: Offer, customer: Customer) -> tuple[bool, int, float, str]:
    """Order offers: those with an occasion, in the customer's language, ending soonest; ids settle the rest."""
    ends = offer.valid_until.timestamp() if offer.valid_until else float("inf")
    return (offer.occasion is None, _foreign(offer.locale, customer.locale), ends, offer.id)


def _foreign(locale: str, wanted: str) -> int:
    """Rank how foreign a text is to a reader: 0 their locale, 1 their language, 2 English, 3 another."""
    if locale.lower() == wanted.lower():
        return 0
    language, wanted_language = (tag.lower().split("-")[0] for tag in (locale, wanted))
    return 1 if language == wanted_language else 2 if language == "en" else 3


def _cap_reached(rule: ProximityRule, history: OfferHistory, now: datetime) -> dict[str, Any] | None:
    for cap in rule.caps:
        recent = sorted(sent.at for sent in history.sent if now - sent.at < cap.within)
        if len(recent) >= cap.at_most:
            facts = {"at_most": cap.at_most, "within": format_duration(cap.within), "sent": len(recent)}
            # With room for n, the n-th last must have gone out of sight.
            return facts | ({"again_at": rfc3339(recent[-cap.at_most] + cap.within)} if cap.at_most else {})
    return None


def _cooling_until(rule: ProximityRule, history: OfferHistory, shop: Shop, now: datetime) -> datetime | None:
    last = max((sent.at for sent in history.sent if sent.shop_id == shop.id), default=None)
    return None if last is None or now - last >= rule.cooldown else last + rule.cooldown


def _free_code(offer: Offer, history: OfferHistory) -> str | None:
    used = set(history.codes_used.get(offer.id, ()))
    return next((code for code in offer.codes if code not in used), None)


def _next_opening(shop: Shop, now: datetime) -> dict[str, str | None]:
    opens_at = opens_next(shop, now)
    if opens_at is None:
        return {"opens_at": None, "opens": "no more within a year"}
    zone = zone_of(shop)
    return {"opens_at": rfc3339(opens_at), "opens": f"{opens_at.astimezone(zone):%a %Y-%m-%d %H:%M} ({zone.key})"}


def _no(reason: str, about: Mapping[str, Any], **facts: Any) -> OfferDecision:
    explanation = {**about, **facts, "reason": str(reason)}
    try:
        sentence = _SENTENCES[reason].format_map(explanation)
    except KeyError:
        # An explanation of an older version may lack a number; its reason still has a name.
        sentence = f"No offer: {reason}."
    return OfferDecision(None, str(reason), {**explanation, "sentence": sentence})
