"""A visit brings one offer that fits, or the first reason against it by name."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_models.purpose import Purpose
from device_models.registry import Customer, Device, Offer, Shop
from rules.base import BaseRule
from rules.kinds.approach import NotCounted
from rules.kinds.proximity import ProximityRule
from rules.response.offer import OfferDecision, OfferHistory, Sent, Withheld, decide_offer
from rules.transition import Visit

NOW = datetime(2026, 11, 3, 10, tzinfo=UTC)  # a Tuesday, 11:00 in Berlin
RULE = ProximityRule(id="near-shop")
SHOP = Shop(
    id="mitte", name="Mitte", latitude=52.5163, longitude=13.3777, opening_hours="Mo-Sa 09:00-18:00", country="DE"
)
BOTH = frozenset({Purpose.OFFER, Purpose.NEWS})
ANNA = Customer(id="anna", name="Anna", locale="de", consents=BOTH, consent_source="app")
PHONE = Device(id="anna-phone", profile="phone", customer_id="anna")
FILTER = Offer(id="filter", title="Filter", text="Half price today")
VISIT = Visit("near-shop", "anna-phone", "mitte", NOW, None, {"distance_m": 42.0, "radius_m": 150.0})


def decide(
    visit: Visit = VISIT,
    rule: ProximityRule = RULE,
    customer: Customer | None = ANNA,
    shop: Shop | None = SHOP,
    offers: Sequence[Offer] = (FILTER,),
    history: OfferHistory | None = None,
    now: datetime = NOW,
    **facts: Any,
) -> OfferDecision:
    given_facts: dict[str, Any] = {"open_case": False, "occasions": frozenset(), **facts}
    return decide_offer(visit, rule, customer, PHONE, shop, offers, history or OfferHistory(), now=now, **given_facts)


def offered(*times: datetime, shop_id: str = "mitte") -> OfferHistory:
    return OfferHistory(sent=[Sent(at, shop_id, "filter") for at in times])


def offer(offer_id: str, **fields: Any) -> Offer:
    return Offer(id=offer_id, title=offer_id, text="Text", **fields)


def test_a_consenting_customer_near_an_open_shop_gets_the_offer_and_its_whole_reason() -> None:
    decision = decide()
    assert decision.sent == FILTER
    assert decision.withheld is None
    assert decision.expires_at == NOW + timedelta(minutes=30)
    assert decision.explanation["reason"] == "sent"
    assert decision.explanation["distance_m"] == 42.0
    assert decision.explanation["consent_source"] == "app"
    json.dumps(decision.explanation)


REFUSED: Mapping[str, dict[str, Any]] = {
    "no_owner": {"customer": None},
    "no_consent": {"customer": ANNA.model_copy(update={"consents": frozenset()})},
    "no_shop": {"shop": None},
    "too_late": {"now": NOW + timedelta(minutes=30)},
    "closed": {"shop": SHOP.model_copy(update={"opening_hours": "We 09:00-18:00"})},
    "hours_unknown": {"shop": SHOP.model_copy(update={"opening_hours": "Mo-Su unknown"})},
    "no_offer": {"offers": ()},
    "open_fault_case": {"open_case": True},
    "cap": {"history": offered(NOW - timedelta(hours=23), shop_id="other")},
    "cooldown": {"history": offered(NOW - timedelta(days=6))},
    "budget": {"offers": [offer("o", budget=3)], "history": OfferHistory(budget_used={"o": 3})},
    "codes": {"offers": [offer("o", codes="A B")], "history": OfferHistory(codes_used={"o": {"A", "B"}})},
    "holdout": {"holdout": True},
}


@pytest.mark.parametrize("reason", list(Withheld))
def test_each_reason_withholds_the_offer_by_its_name_and_says_so_in_a_sentence(reason: str) -> None:
    decision = decide(**REFUSED[reason])
    assert (decision.sent, decision.withheld, decision.explanation["reason"]) == (None, reason, reason)
    assert re.fullmatch(r"[A-Z][^{}]+\.", decision.explanation["sentence"])
    assert not decision.explanation["sentence"].startswith("No offer:")
    json.dumps(decision.explanation)


def test_of_several_reasons_the_first_in_order_is_named() -> None:
    facts: dict[str, Any] = {}
    for reason in reversed(Withheld):
        facts |= REFUSED[reason]
        assert decide(**facts).withheld == reason


def test_what_detection_withheld_keeps_its_reason() -> None:
    for reason in NotCounted:
        facts = {"accuracy_m": 2000.0, "limit_m": 150.0, "speed_kmh": 50.0, "stayed_at_most_s": 10.0, "dwell_s": 60.0}
        decision = decide(Visit("near-shop", "anna-phone", "mitte", NOW, reason.value, facts))
        assert decision.withheld == reason
        assert decision.sent is None
        assert not decision.explanation["sentence"].startswith("No offer:")


def test_an_objection_outweighs_consent() -> None:
    stopped = ANNA.model_copy(update={"objections": frozenset({Purpose.OFFER})})
    assert decide(customer=stopped).withheld == "no_consent"


def test_a_closed_shop_is_named_with_its_next_opening_in_its_own_time() -> None:
    decision = decide(
        now=NOW + timedelta(hours=7, minutes=10), visit=Visit("r", "d", "mitte", NOW + timedelta(hours=7))
    )
    assert decision.withheld == "closed"
    assert decision.explanation["opens_at"] == "2026-11-04T08:00:00Z"
    assert "Wed 2026-11-04 09:00 (Europe/Berlin)" in decision.explanation["sentence"]


def test_the_cap_slides_and_says_when_there_is_room_again() -> None:
    yesterday = NOW - timedelta(hours=23, minutes=59)
    refused = decide(history=offered(yesterday, shop_id="other"))
    assert refused.explanation["again_at"] == "2026-11-03T10:01:00Z"
    assert decide(history=offered(NOW - timedelta(days=1), shop_id="other")).sent
    three = offered(*(NOW - timedelta(days=days) for days in (2, 9, 29)), shop_id="other")
    assert decide(history=three).withheld == "cap"
    assert decide(history=three).explanation["within"] == "30d"
    assert decide(rule=ProximityRule(id="r", caps=[]), history=three).sent
    assert decide(rule=ProximityRule(id="r", caps=[{"at_most": 0, "within": "1d"}])).withheld == "cap"


def test_the_cooldown_is_for_the_one_shop() -> None:
    week = timedelta(days=7)
    assert decide(history=offered(NOW - week + timedelta(seconds=1))).withheld == "cooldown"
    assert decide(history=offered(NOW - week)).sent
    assert decide(history=offered(NOW - timedelta(days=2), shop_id="other")).sent


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"valid_until": NOW}, "not_valid_now"),
        ({"valid_from": NOW + timedelta(seconds=1)}, "not_valid_now"),
        ({"shops": "other"}, "other_shops"),
        ({"profiles": "freezer"}, "other_products"),
        ({"occasion": "maintenance_due"}, "occasion_maintenance_due"),
    ],
)
def test_an_offer_that_does_not_fit_is_named_with_what_it_lacks(fields: dict[str, Any], why: str) -> None:
    decision = decide(offers=[offer("o", **fields)])
    assert decision.withheld == "no_offer"
    assert decision.explanation["considered"] == {"o": why}


def test_an_offer_fits_by_a_product_at_home_while_the_phone_walks() -> None:
    assert decide(offers=[offer("o", profiles="freezer")], owned_profiles=frozenset({"freezer"})).sent


def test_an_offer_without_occasion_needs_consent_to_news_unless_the_rule_says_otherwise() -> None:
    no_news = ANNA.model_copy(update={"consents": frozenset({Purpose.OFFER})})
    decision = decide(customer=no_news)
    assert decision.explanation["considered"] == {"filter": "needs_news_consent"}
    assert decide(rule=ProximityRule(id="r", require_occasion=False), customer=no_news).sent
    after_fault = [offer("o", occasion="after_fault")]
    assert decide(customer=no_news, offers=after_fault, occasions=frozenset({"after_fault"})).sent


def test_an_occasion_then_the_language_then_the_end_then_the_id_choose_among_offers() -> None:
    soon, later = NOW + timedelta(days=1), NOW + timedelta(days=9)
    ranked = [
        offer("z-occasion", occasion="maintenance_due", locale="fr", valid_until=later),
        offer("y-german", locale="de", valid_until=soon),
        offer("x-german-later", locale="de", valid_until=later),
        offer("w-austrian", locale="de-AT", valid_until=soon),
        offer("a-english", locale="en", valid_until=soon),
        offer("b-english", locale="en", valid_until=soon),
        offer("c-french", locale="fr"),
    ]
    for n, best in enumerate(ranked):
        left = ranked[n:]
        for offers in (left, left[::-1]):
            chosen = decide(offers=offers, occasions=frozenset({"maintenance_due"})).sent
            assert chosen is not None
            assert chosen.id == best.id


def test_an_offer_out_of_budget_or_codes_gives_way_to_the_next_and_codes_go_out_in_order() -> None:
    offers = [offer("a", budget=1), offer("b", codes="B1"), offer("c", codes="C1 C2")]
    history = OfferHistory(budget_used={"a": 1}, codes_used={"b": ["B1"], "c": ["C1"]})
    decision = decide(offers=offers, history=history)
    assert decision.sent is not None
    assert (decision.sent.id, decision.code) == ("c", "C2")


def test_a_message_expires_with_the_visit_the_offer_or_the_day_whichever_is_first() -> None:
    until = NOW + timedelta(minutes=10)
    assert decide(offers=[offer("o", valid_until=until)]).expires_at == until
    closing = datetime(2026, 11, 3, 17, 0, tzinfo=UTC)
    visit = Visit("r", "d", "mitte", closing - timedelta(minutes=5))
    assert decide(visit, now=visit.at).expires_at == closing


@given(st.permutations([offer("a"), offer("b", locale="de"), offer("c", budget=0), offer("d", codes="X")]))
def test_the_order_of_offers_changes_nothing(offers: list[Offer]) -> None:
    assert decide(offers=offers).sent == offer("b", locale="de")


@given(
    st.frozensets(st.sampled_from(Purpose)),
    st.frozensets(st.sampled_from(Purpose)),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.lists(st.integers(0, 40 * 24), max_size=5),
)
def test_nothing_is_ever_sent_against_consent_case_holdout_or_caps(
    consents: frozenset[Purpose],
    objections: frozenset[Purpose],
    require_occasion: bool,
    open_case: bool,
    holdout: bool,
    hours_ago: list[int],
) -> None:
    customer = ANNA.model_copy(update={"consents": consents, "objections": objections})
    history = offered(*(NOW - timedelta(hours=hours) for hours in hours_ago), shop_id="other")
    rule = ProximityRule(id="near-shop", require_occasion=require_occasion)
    decision = decide(customer=customer, rule=rule, open_case=open_case, holdout=holdout, history=history)
    asked = {Purpose.OFFER, Purpose.NEWS} if require_occasion else {Purpose.OFFER}  # the offer has no occasion
    may = (
        asked <= consents - objections
        and not open_case
        and not holdout
        and sum(hours < 24 for hours in hours_ago) < 1
        and sum(hours < 720 for hours in hours_ago) < 3
    )
    assert (decision.sent is not None) == may
    assert (decision.withheld is None) == may


@pytest.mark.parametrize("reason", [*Withheld, *NotCounted])
def test_each_reason_is_explained_in_the_documentation(reason: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "offers.md").read_text(encoding="utf-8")
    assert f"| `{reason}` |" in page


@pytest.mark.parametrize("name", sorted(ProximityRule.model_fields.keys() - BaseRule.model_fields.keys()))
def test_each_setting_of_a_proximity_rule_is_documented(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "offers.md").read_text(encoding="utf-8")
    assert f"`{name}`" in page
