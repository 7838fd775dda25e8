"""``simulator/passes.py``: when an offer was due, and why not."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from device_models.purpose import Purpose
from device_models.registry import Customer, Device, Offer, Shop
from simulator.passes import is_open, shop_passes
from simulator.routes import Mode, Route, Stop

BERLIN = ZoneInfo("Europe/Berlin")
TUESDAY_3_PM = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
SHOP = Shop(id="nord", name="Nord", latitude=52.5, longitude=13.4, opening_hours="Mo-Sa 09:00-18:00")
LENA = Customer(id="lena", name="Lena", consents=frozenset({Purpose.OFFER}))
FREEZER = Device(id="freezer-01", profile="freezer", customer_id="lena")
ICE = Offer(id="ice", title="Ice", text="Two.", profiles=frozenset({"freezer"}), occasion="accessory")
WALK = Route(((0.0, 0.0), (0.0, 1000.0)), Mode.WALK, (Stop(500, 200),))


def passes(**changes: Any) -> list[tuple[str, tuple[str, ...]]]:
    told: dict[str, Any] = {
        "route": WALK,
        "departs_at": TUESDAY_3_PM,
        "shops": [(SHOP, (10.0, 500.0))],
        "zone": BERLIN,
        "customer": LENA,
        "owned": [FREEZER],
        "offers": [ICE],
    }
    return [(seen.shop_id, seen.reasons) for seen in shop_passes(**{**told, **changes})]


def test_walking_past_an_open_shop_with_consent_an_offer_is_due() -> None:
    assert passes() == [("nord", ())]


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("vehicle", {"route": Route(WALK.points, Mode.DRIVE, WALK.stops)}),
        ("brief", {"route": Route(((0.0, 365.0), (200.0, 365.0)), Mode.WALK)}),
        ("closed", {"departs_at": datetime(2026, 11, 24, 20, 0, tzinfo=UTC)}),
        ("no_consent", {"customer": Customer(id="lena", name="Lena")}),
        ("no_offer", {"owned": []}),
        ("no_offer", {"offers": [ICE.model_copy(update={"shops": frozenset({"elsewhere"})})]}),
        ("no_offer", {"offers": [ICE.model_copy(update={"occasion": "after_fault"})]}),
        ("no_offer", {"offers": [ICE.model_copy(update={"valid_until": datetime(2026, 11, 1, tzinfo=UTC)})]}),
    ],
)
def test_each_thing_that_withholds_an_offer_is_named(reason: str, changes: dict[str, Any]) -> None:
    assert passes(**changes) == [("nord", (reason,))]


def test_a_way_that_stays_away_passes_no_shop() -> None:
    assert passes(shops=[(SHOP, (200.0, 500.0))]) == []


def test_an_offer_without_an_occasion_is_due_to_whoever_agreed_to_news_as_well() -> None:
    general = [Offer(id="n", title="N", text="N")]
    told_all = LENA.model_copy(update={"consents": frozenset({Purpose.OFFER, Purpose.NEWS})})
    assert passes(owned=[], offers=general) == [("nord", ("no_offer",))]
    assert passes(owned=[], offers=general, customer=told_all) == [("nord", ())]


def test_opening_hours_are_read_in_the_shops_zone() -> None:
    assert is_open(SHOP, datetime(2026, 11, 24, 8, 30, tzinfo=UTC), BERLIN)
    assert not is_open(SHOP, datetime(2026, 11, 24, 17, 30, tzinfo=UTC), BERLIN)
    assert not is_open(SHOP, datetime(2026, 11, 22, 12, 0, tzinfo=UTC), BERLIN)
    assert is_open(SHOP.model_copy(update={"opening_hours": None}), TUESDAY_3_PM, BERLIN)
