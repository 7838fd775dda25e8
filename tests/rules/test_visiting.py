"""Proximity as part of detection: fixes in, visits out, timers and consent by the detector's rules."""

import json
from dataclasses import replace

from device_models.event import Event, EventKind, Position, TimeSource, Value
from device_models.profile import DeviceProfile, PositionOf
from device_models.registry import Shop
from rules.detect import Detector
from rules.inputs import DeviceContext
from rules.spatial_index import ShopIndex
from rules.state import DeviceState
from rules.transition import Visit
from tests.rules.making import at, context, ruleset, status

SHOP = Shop(id="mitte", name="Mitte", latitude=52.5163, longitude=13.3777, radius_m=150)
PHONE = DeviceProfile(name="phone", title={"en": "phone"}, position_of=PositionOf.PERSON)
BIKE = DeviceProfile(name="bike", title={"en": "bike"}, position_of=PositionOf.THING)
RULES = ruleset("{id: near, kind: proximity}")


def fix(minutes: float, *, away_deg: float = 0.0) -> Event:
    position = Position(SHOP.latitude + away_deg, SHOP.longitude, accuracy_m=10.0)
    return Event("f1", EventKind.LOCATION, at(minutes), at(minutes), TimeSource.DEVICE, "native", position=position)


def visits(device: DeviceContext, events: list[Event], until: float) -> tuple[DeviceState, list[Visit]]:
    made = Detector(RULES, {device.profile.name: device.profile}, ShopIndex([SHOP]))
    state, found = DeviceState(), []
    for event in events:
        state, facts = made.run(device, state, [event])
        state = DeviceState.from_json(json.loads(json.dumps(state.to_json())))
        found += facts
    state, facts = made.advance(device, state, at(until))
    return state, [fact for fact in [*found, *facts] if isinstance(fact, Visit)]


CONSENTING = context(profile=PHONE, location_consent=True)
WALK = [fix(-6, away_deg=0.004), fix(0), fix(2)]


def test_a_consenting_visitor_is_a_visit() -> None:
    _, found = visits(CONSENTING, WALK, 3)
    assert [(visit.shop_id, visit.withheld) for visit in found] == [("mitte", None)]


def test_the_dwell_completes_by_a_timer_when_no_further_fix_comes() -> None:
    _, found = visits(CONSENTING, WALK[:2], 3)
    assert [(visit.shop_id, visit.withheld, visit.at) for visit in found] == [("mitte", None, at(1))]


def test_without_consent_nothing_of_the_fix_is_kept() -> None:
    state, found = visits(replace(CONSENTING, location_consent=False), WALK, 3)
    assert {visit.withheld for visit in found} == {"no_consent"}
    assert "52.5" not in json.dumps(state.to_json())


def test_a_position_is_forgotten_once_fixes_stop() -> None:
    state, _ = visits(CONSENTING, WALK, 70)
    assert "52.5" not in json.dumps(state.to_json())


def test_a_late_fix_decides_nothing() -> None:
    _, found = visits(CONSENTING, [fix(60, away_deg=0.02), replace(fix(30), received_at=at(60))], 61)
    assert found == []


def test_a_locked_bike_is_no_visitor() -> None:
    bike = context(profile=BIKE, location_consent=True)
    locked: dict[str, Value] = {"locked": True}
    _, found = visits(bike, [status(-6, locked), *WALK], 3)
    assert [visit for visit in found if visit.withheld is None] == []
