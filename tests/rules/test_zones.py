"""A rule with many zones does what one rule for each of them does, and a fix costs what is around it."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from device_models.event import Event, EventKind, Position, TimeSource
from device_models.registry import Device
from rules.detect import Detector
from rules.evaluator import Fact
from rules.inputs import DeviceContext
from rules.kinds.geofence import GeofenceRule
from rules.kinds.zones import ZonesEvaluator
from rules.places.fence import Circle
from rules.schema import RuleSet
from rules.state import DeviceState
from rules.transition import Transition
from tests.rules.making import at, status
from tests.rules.test_geofence import BIKE, HOME, PHONE, place

BIKE_HERE = DeviceContext(Device(id="f1", profile="bike"), BIKE)


def box(east_m: float, north_m: float, half_m: float, hole_m: float = 0.0) -> dict[str, Any]:
    """A square as GeoJSON, with a square hole in it."""

    def ring(half: float) -> list[list[float]]:
        corners = [(-half, -half), (half, -half), (half, half), (-half, half), (-half, -half)]
        return [list(reversed(place(east_m + x, north_m + y))) for x, y in corners]

    return {"type": "Polygon", "coordinates": [ring(half_m), *([ring(hole_m)] if hole_m else [])]}


def disc(east_m: float, radius_m: float) -> dict[str, Any]:
    latitude, longitude = place(east_m)
    return {"latitude": latitude, "longitude": longitude, "radius_m": radius_m}


ZONES: list[dict[str, Any]] = [
    {"id": "a", "circle": disc(0, 200)},
    {"id": "b", "name": "Yard B", "circle": disc(150, 150)},
    {"id": "c", "geojson": box(600, 0, 200, 80)},
    {"id": "d", "geojson": box(-700, 0, 150)},
    {"id": "e", "circle": disc(0, 2_000)},
]
KINDS: list[dict[str, Any]] = [
    {"on": "enter"},
    {"on": "enter", "passes": True, "confirm": 1},
    {"on": "exit"},
    {"on": "exit", "for": "10m", "unless": "booked"},
    {"on": "dwell", "for": "15m"},
    {"on": "dwell", "for": "15m", "unless": "booked", "clear_for": "5m"},
]


def together(zones: Sequence[dict[str, Any]], kind: dict[str, Any]) -> Detector:
    rule = GeofenceRule.model_validate({"id": "all", "zones": list(zones), **kind})
    return Detector(RuleSet.of([rule]), {"bike": BIKE})


def apart(zones: Sequence[dict[str, Any]], kind: dict[str, Any]) -> Detector:
    rules = [
        GeofenceRule.model_validate({"id": z["id"], **{k: z[k] for k in z if k not in ("id", "name")}, **kind})
        for z in zones
    ]
    return Detector(RuleSet.of(rules), {"bike": BIKE})


def fix(minute: float, east_m: float, accuracy_m: float = 8.0, **values: Any) -> Event:
    latitude, longitude = place(east_m)
    when = at(minute)
    return Event(
        "f1",
        EventKind.LOCATION,
        when,
        when,
        TimeSource.DEVICE,
        "native",
        values,
        position=Position(latitude, longitude, accuracy_m=accuracy_m),
    )


def told(facts: Sequence[Fact]) -> list[tuple[Any, ...]]:
    """What happened to which zone, in an order that does not tell one rule from several."""
    made = []
    for fact in facts:
        assert isinstance(fact, Transition)
        said = {
            k: v for k, v in fact.explanation.items() if k not in ("zone", "zone_name", "passes", "condition", "title")
        }
        made.append(
            (fact.at, fact.fault or fact.rule, fact.state.value, fact.on_arrival, json.dumps(said, sort_keys=True))
        )
    return sorted(made, key=lambda entry: (entry[0], entry[1]))


Moments = list[tuple[int, float, float, dict[str, Any]]]
WALKS: st.SearchStrategy[Moments] = st.lists(
    st.tuples(
        st.integers(1, 40),
        st.sampled_from([-3000.0, -900.0, -700.0, -300.0, 0.0, 50.0, 190.0, 205.0, 310.0, 450.0, 600.0, 900.0]),
        st.sampled_from([5.0, 20.0, 150.0, 900.0]),
        st.sampled_from([{}, {}, {"booked": True}, {"booked": False}]),
    ),
    max_size=25,
)


def walk(moments: Moments, begin: int = 0) -> list[Event]:
    minute, events = begin, [status(begin, {"booked": False})]
    for gap, east_m, accuracy_m, values in moments:
        minute += gap
        events.append(fix(minute, east_m, accuracy_m, **values))
    return events


def through(
    detectors: Sequence[Detector], legs: Sequence[list[Event]], restart: Callable[[int], bool] = lambda _: True
) -> list[Fact]:
    """Each leg under its own detector, the rules being edited in between; then silence."""
    state, facts = DeviceState(), list[Fact]()
    for made, events in zip(detectors, legs, strict=True):
        for number, event in enumerate(events):
            if restart(number):
                state = DeviceState.from_json(json.loads(json.dumps(state.to_json())))
            state, more = made.run(BIKE_HERE, state, [event])
            facts += more
    state, more = detectors[-1].advance(BIKE_HERE, state, at(6_000))
    return facts + more


@given(WALKS, st.sampled_from(KINDS))
@settings(deadline=None)
def test_many_zones_in_one_rule_do_what_as_many_rules_do(moments: Moments, kind: dict[str, Any]) -> None:
    events = walk(moments)
    assert told(through([together(ZONES, kind)], [events])) == told(through([apart(ZONES, kind)], [events]))


@given(WALKS, st.sampled_from(KINDS))
@settings(deadline=None)
def test_a_restart_anywhere_and_duplicates_change_nothing(moments: Moments, kind: dict[str, Any]) -> None:
    events, made = walk(moments), together(ZONES, kind)
    plain = through([made], [events], restart=lambda _: False)
    assert through([made], [events]) == plain
    assert through([made], [[event for event in events for _ in range(2)]]) == plain


SURE: st.SearchStrategy[Moments] = st.lists(
    st.tuples(
        st.integers(1, 20), st.sampled_from([-3000.0, -700.0, -40.0, 150.0, 350.0, 740.0]), st.just(8.0), st.just({})
    ),
    min_size=1,
    max_size=12,
)


@given(SURE, SURE, st.sampled_from(KINDS), st.sampled_from(["a", "b", "c", "d", "e"]))
@settings(deadline=None)
def test_a_zone_that_is_edited_does_what_its_own_rule_would(
    before: Moments, after: Moments, kind: dict[str, Any], moved: str
) -> None:
    """One that moves under somebody is no event; the others go on as if nothing had been edited.

    Apart from those on whose very edge the device was last seen: what it did there an edit may swallow.
    """
    edited = [zone if zone["id"] != moved else {"id": moved, "circle": disc(400, 150)} for zone in ZONES]
    legs = [walk(before), walk(after, begin=sum(moment[0] for moment in before) + 1)]
    one = through([together(ZONES, kind), together(edited, kind)], legs)
    assert told(one) == told(through([apart(ZONES, kind), apart(edited, kind)], legs))


def events_at(east_m: float, begin: int, end: int) -> list[Event]:
    return [fix(minute, east_m) for minute in range(begin, end)]


def states(facts: Sequence[Fact]) -> list[tuple[str, str, str | None]]:
    return [(f.fault, f.state.value, f.explanation.get("reason")) for f in facts if isinstance(f, Transition)]


def test_a_zone_that_is_added_around_somebody_is_no_enter_and_one_that_is_removed_closes() -> None:
    made, more = together(ZONES[:1], {"on": "enter"}), together(ZONES[1:2], {"on": "enter"})
    facts = through([made, more], [[*events_at(600, 0, 3), *events_at(100, 3, 6)], events_at(100, 6, 12)])
    assert states(facts) == [("a", "firing", None), ("a", "resolved", "edited")]
    away = [*events_at(100, 6, 9), *events_at(900, 9, 12), *events_at(100, 12, 15)]
    facts = through([made, more], [[*events_at(600, 0, 3), *events_at(100, 3, 6)], away])
    assert [entry[:2] for entry in states(facts)][2:] == [("b", "firing"), ("b", "resolved")]


def test_a_single_fence_may_become_zones_and_zones_a_single_fence_without_an_event() -> None:
    def single(radius_m: float) -> Detector:
        rule = GeofenceRule.model_validate({"id": "all", "circle": disc(0, radius_m), "on": "enter"})
        return Detector(RuleSet.of([rule]), {"bike": BIKE})

    come = [*events_at(900, 0, 3), *events_at(50, 3, 6)]
    facts = through([single(200), together(ZONES[:2], {"on": "enter"})], [come, events_at(50, 6, 9)])
    assert states(facts) == [("", "firing", None), ("", "resolved", "edited")]
    facts = through([together(ZONES[:1], {"on": "enter"}), single(210)], [come, events_at(50, 6, 9)])
    assert states(facts) == [("a", "firing", None), ("a", "resolved", "edited")]


def test_each_zone_says_its_name_and_no_place() -> None:
    facts = through([together(ZONES, {"on": "enter"})], [[*events_at(-5000, 0, 3), *events_at(150, 3, 6)]])
    said = {f.fault: f.explanation for f in facts if isinstance(f, Transition) and f.state.value == "firing"}
    assert said.keys() == {"a", "b", "e"}
    assert (said["b"]["zone"], said["b"]["zone_name"]) == ("b", "Yard B")
    assert "zone_name" not in said["a"]
    assert said["b"]["condition"] == "enters one of 5 zones"
    assert "13.4" not in json.dumps([dict(explanation) for explanation in said.values()])
    made = together(ZONES, {"on": "enter"})
    state, _ = made.run(BIKE_HERE, DeviceState(), [*events_at(-5000, 0, 3), *events_at(150, 3, 6)])
    explained = made.evaluators(BIKE)["all"].explain(BIKE_HERE, state.rules["all"], at(6))
    assert (explained["inside"], explained["zones"]) == (["a", "b", "e"], 5)


def test_without_consent_nothing_is_kept_of_a_persons_zones() -> None:
    rule = GeofenceRule.model_validate({"id": "all", "zones": ZONES, "on": "enter"})
    made = Detector(RuleSet.of([rule]), {"phone": PHONE})
    person = DeviceContext(Device(id="f1", profile="phone"), PHONE, location_consent=True)
    come = [*events_at(900, 0, 3), *events_at(50, 3, 6)]
    state, _ = made.run(person, DeviceState(), come)
    state, facts = made.run(replace(person, location_consent=False), state, [fix(7, 50)])
    assert set(states(facts)) == {(zone, "resolved", "no_consent") for zone in "ab"}
    assert (state.rules["all"].memory, state.rules["all"].alerts) == ({}, {})


def test_a_feature_collection_is_a_list_of_zones() -> None:
    longitude, latitude = HOME[1], HOME[0]
    rule = GeofenceRule.model_validate(
        {
            "id": "all",
            "on": "enter",
            "zones": {
                "type": "FeatureCollection",
                "features": [
                    {
                        "id": 7,
                        "geometry": {"type": "Point", "coordinates": [longitude, latitude]},
                        "properties": {"radius_m": 50},
                    },
                    {"geometry": box(0, 0, 50), "properties": {"id": "yard", "name": "The yard"}},
                ],
            },
        }
    )
    assert [(zone.id, zone.name) for zone in rule.zones] == [("7", None), ("yard", "The yard")]
    assert rule.zones[0].circle is not None
    assert rule.zones[0].circle.latitude == latitude


@pytest.mark.parametrize(
    ("zones", "message"),
    [
        ([{"id": "a"}], "either circle or geojson"),
        ([{"id": "a", "circle": disc(0, 5)}, {"id": "a", "circle": disc(9, 5)}], "two have the id 'a'"),
        ([{"id": "a", "geojson": {"type": "Point"}}], "'Point' is no area"),
        ({"type": "FeatureCollection", "features": [{}]}, "feature 0 has no geometry"),
        ({"type": "FeatureCollection", "features": [{"id": 1, "geometry": {"type": "Point"}}]}, "feature 0: a point"),
        ({"type": "Feature"}, "a list of zones or a GeoJSON FeatureCollection"),
    ],
)
def test_zones_that_cannot_be_are_named(zones: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        GeofenceRule.model_validate({"id": "all", "on": "enter", "zones": zones})


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [(0.0, 180.0), (-17.0, -180.0), (89.99, 12.0), (-89.99, -70.0), (52.52, 13.4)],
)
def test_zones_are_entered_and_left_anywhere_on_earth(latitude: float, longitude: float) -> None:
    zones = [{"id": "z", "circle": {"latitude": latitude, "longitude": longitude, "radius_m": 300}}]
    made = together(zones, {"on": "enter"})

    def seen(minute: int, north_m: float, turn: float) -> Event:
        where = max(-90.0, min(90.0, latitude - north_m / 111_200 * (1 if latitude > 0 else -1)))
        position = Position(where, (longitude + turn + 180) % 360 - 180, accuracy_m=8)
        return Event(
            "f1", EventKind.LOCATION, at(minute), at(minute), TimeSource.DEVICE, "native", {}, position=position
        )

    steps = [
        seen(0, 3000, 0),
        seen(1, 3000, 0),
        seen(2, 100, 0),
        seen(3, 100, 1e-9),
        seen(4, 3000, 0),
        seen(5, 3000, 0),
    ]
    assert [entry[:2] for entry in states(through([made], [steps]))] == [("z", "firing"), ("z", "resolved")]


def test_a_fix_is_held_against_the_zones_around_it_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(3)
    far = [
        {
            "id": f"f{n}",
            "circle": {
                "latitude": chance.uniform(-60, 50),
                "longitude": chance.uniform(-180, 180),
                "radius_m": chance.choice([50, 500, 5000]),
            },
        }
        for n in range(5_000)
    ]
    held: list[int] = []
    locate = Circle.locate

    def counted(self: Circle, *args: Any) -> Any:
        held[-1] += 1
        return locate(self, *args)

    monkeypatch.setattr(Circle, "locate", counted)
    for zones in (ZONES, [*ZONES, *far]):
        held.append(0)
        made = together(zones, {"on": "enter"})
        assert isinstance(made.evaluators(BIKE)["all"], ZonesEvaluator)
        made.run(BIKE_HERE, DeviceState(), [fix(minute, 37.0 * minute - 900) for minute in range(60)])
    assert held[0] == held[1] > 0
