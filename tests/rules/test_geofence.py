import csv
import json
import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from geopy.distance import geodesic
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from device_models.event import Event, EventKind, Position, TimeSource
from device_models.profile import DeviceProfile, FieldSpec, PositionOf
from device_models.purpose import Purpose, Severity
from device_models.registry import Device
from rules.authoring.check import check_rules
from rules.detect import Detector
from rules.inputs import DeviceContext
from rules.kinds.geofence import GeofenceRule
from rules.kinds.motion import Fix
from rules.kinds.whereabouts import Whereabouts, seen
from rules.places.fence import Circle, Side, Terms, sigma_of
from rules.places.polygon import Plane
from rules.state import DeviceState
from rules.transition import AlertState, Transition
from tests.rules.making import T0, at, detector, ruleset, status, told
from tests.rules.saying import sentences

WGS84 = geodesic()
DATA = Path(__file__).parents[3] / "shared" / "data" / "gps"
HOME = (52.52, 13.405)
PLANE = Plane(*HOME)
BIKE = DeviceProfile(
    name="bike",
    title={"en": "e-bike"},
    position_of=PositionOf.THING,
    reporting_interval=timedelta(minutes=5),
    fields={
        "locked": FieldSpec(title={"en": "Locked"}, type="bool"),
        "booked": FieldSpec(title={"en": "Booked"}, type="bool"),
    },
)
PHONE = BIKE.model_copy(update={"name": "phone", "position_of": PositionOf.PERSON})
CIRCLE = f"circle: {{latitude: {HOME[0]}, longitude: {HOME[1]}, radius_m: 200}}"
ENTER = f"{{id: zone, kind: geofence, {CIRCLE}, on: enter}}"
EXIT = ENTER.replace("enter", "exit")
DWELL = ENTER.replace("on: enter", "on: dwell, for: 10m")
THEFT = "{id: theft, kind: geofence, moved_while: locked, radius_m: 75}"


def place(east_m: float, north_m: float = 0.0) -> tuple[float, float]:
    east, north = PLANE.degrees(1.0)
    return HOME[0] + north_m * north, HOME[1] + east_m * east


def fix(minute: float, east_m: float, north_m: float = 0.0, *, accuracy_m: float | None = 8.0, **more: Any) -> Event:
    latitude, longitude = place(east_m, north_m)
    position = Position(latitude, longitude, accuracy_m=accuracy_m, speed_m_s=more.pop("speed_m_s", None))
    when = at(minute)
    return Event("f1", EventKind.LOCATION, when, when, TimeSource.DEVICE, "native", more, position=position)


def bike(profile: DeviceProfile = BIKE, consent: bool = False, **registered: Any) -> DeviceContext:
    return DeviceContext(Device(id="f1", profile=profile.name, **registered), profile, location_consent=consent)


def run(
    rules: Detector | str, events: list[Event], device: DeviceContext | None = None, until: float | None = None
) -> tuple[DeviceState, list[Transition]]:
    """Through a fresh device, its state restored from JSON after every event."""
    device = device or bike()
    made = detector(rules, profile=device.profile) if isinstance(rules, str) else rules
    state, facts = DeviceState(), []
    for event in events:
        state, more = made.run(device, state, [event])
        state = DeviceState.from_json(json.loads(json.dumps(state.to_json())))
        facts += more
    if until is not None:
        state, more = made.advance(device, state, at(until))
        facts += more
    return state, [fact for fact in facts if isinstance(fact, Transition)]


def found(rule: str, events: list[Event], until: float | None = None, **more: Any) -> list[Transition]:
    return run(rule, events, bike(**more), until)[1]


def stay(east_m: float, begin: int, end: int) -> list[Event]:
    return [fix(minute, east_m) for minute in range(begin, end)]


OUT, IN = 400.0, 50.0

# ---- enter and exit


def test_two_fixes_inside_are_an_enter_from_the_first_and_two_outside_its_end() -> None:
    facts = found(ENTER, [*stay(OUT, 0, 3), *stay(IN, 3, 8), *stay(OUT, 8, 11)])
    assert told(facts) == [("zone", "firing", 4), ("zone", "resolved", 9)]
    explanation = facts[0].explanation
    assert explanation["since"] == "2026-03-01T08:03:00Z"
    assert (explanation["event"], explanation["side"], explanation["method"]) == ("enter", "inside", "haversine")
    assert explanation["distance_m"] == pytest.approx(150, abs=1)
    assert explanation["inside_probability"] == 1.0
    assert explanation["condition"] == "enters a circle of 200 m"
    assert "13.4" not in json.dumps(dict(explanation))
    assert facts[1].explanation["side"] == "outside"


def test_an_exit_is_told_when_it_left_and_is_over_when_it_is_back() -> None:
    facts = found(EXIT, [*stay(IN, 0, 3), *stay(OUT, 3, 8), *stay(IN, 8, 11)])
    assert told(facts) == [("zone", "firing", 4), ("zone", "resolved", 9)]
    assert facts[0].explanation["event"] == "exit"


@pytest.mark.parametrize(("rule", "first"), [(ENTER, IN), (EXIT, OUT)])
def test_where_it_is_found_first_nothing_has_happened(rule: str, first: float) -> None:
    other = OUT if first is IN else IN
    assert found(rule, stay(first, 0, 30)) == []
    # It has to be seen elsewhere before.
    assert told(found(rule, [*stay(first, 0, 5), *stay(other, 5, 8), *stay(first, 8, 12)])) == [("zone", "firing", 9)]


def test_a_single_fix_and_a_duplicate_of_it_confirm_nothing() -> None:
    wild = [*stay(IN, 0, 5), fix(5, OUT), fix(5, OUT), *stay(IN, 6, 10)]
    assert found(EXIT, wild) == []
    once = EXIT.replace("}}", "}").replace("on: exit", "on: exit, confirm: 1")
    assert told(found(once, wild))[0] == ("zone", "firing", 5)


def test_jitter_around_the_edge_is_no_event() -> None:
    chance = random.Random(5)
    for edge_m in (195.0, 200.0, 205.0, 215.0):
        for start in (IN, OUT):
            jitter = [
                fix(minute, edge_m + chance.gauss(0, 6), chance.gauss(0, 6), accuracy_m=9) for minute in range(2, 600)
            ]
            for rule in (ENTER, EXIT):
                assert len(found(rule, [*stay(start, 0, 2), *jitter])) <= 1


def test_what_the_accuracy_cannot_tell_changes_nothing() -> None:
    vague = [fix(minute, OUT, accuracy_m=400.0) for minute in range(3, 10)]
    assert found(EXIT, [*stay(IN, 0, 3), *vague]) == []
    # Without a stated accuracy 20 m are taken, unless the rule knows better.
    silent = [fix(minute, 238.0, accuracy_m=None) for minute in range(3, 10)]
    assert found(EXIT, [*stay(IN, 0, 3), *silent]) == []
    known = EXIT.replace("on: exit", "on: exit, accuracy_m: 5")
    assert found(known, [*stay(IN, 0, 3), *silent])


def test_zero_degrees_north_and_east_is_no_place() -> None:
    nowhere = [
        Event("f1", EventKind.LOCATION, at(m), at(m), TimeSource.DEVICE, "native", position=Position(0, 0))
        for m in (3, 4)
    ]
    state, facts = run(EXIT, [*stay(IN, 0, 3), *nowhere])
    assert facts == []
    assert "without a fix" in state.unsampled["zone"].reason


@pytest.mark.parametrize(("latitude", "longitude"), [(51.48, 0.0), (0.0, 36.8)], ids=["Greenwich", "equator"])
def test_a_place_on_the_prime_meridian_or_the_equator_is_one(latitude: float, longitude: float) -> None:
    circle = f"{{latitude: {latitude}, longitude: {longitude}, radius_m: 200}}"
    rule = f"{{id: zone, kind: geofence, circle: {circle}, on: enter}}"
    near, there = Position(latitude or 0.01, longitude or 0.01), Position(latitude, longitude)
    come = [
        Event("f1", EventKind.LOCATION, at(m), at(m), TimeSource.DEVICE, "native", position=position)
        for m, position in enumerate((near, near, there, there))
    ]
    assert told(found(rule, come)) == [("zone", "firing", 3)]


def test_why_and_why_not_says_on_which_side_a_locked_thing_is() -> None:
    evaluator = detector(THEFT, profile=BIKE).evaluators(BIKE)["theft"]
    for east_m, side in ((0.0, "inside"), (900.0, "outside")):
        state, _ = run(THEFT, [fix(n, 0.0 if n < 3 else east_m, locked=True) for n in range(6)])
        assert evaluator.explain(bike(), state.rules["theft"], at(6))["side"] == side
    assert evaluator.explain(bike(), None, at(6))["side"] is None


# ---- passing through


def test_a_drive_through_is_a_pass_and_no_stay() -> None:
    drive = [fix(0, -900.0, speed_m_s=20.0), fix(1, 900.0, speed_m_s=20.0), fix(2, 2000.0)]
    state, facts = run(DWELL, drive)
    assert facts == []
    explained = detector(DWELL, profile=BIKE).evaluators(BIKE)["zone"].explain(bike(), state.rules["zone"], at(3))
    assert explained["passes"] == 1
    assert found(ENTER, drive) == []
    counts = ENTER.replace("on: enter", "on: enter, passes: true")
    facts = found(counts, drive)
    assert told(facts) == [("zone", "firing", 1), ("zone", "resolved", 1)]
    assert facts[0].explanation["event"] == "pass"
    # So has who was inside at a single fix, however far away the next one is.
    far = found(counts, [drive[0], fix(0.5, 0.0), fix(9, 15_000.0)])
    assert told(far) == [("zone", "firing", 9), ("zone", "resolved", 9)]
    # With a fix inside on the way it is the same.
    assert told(found(counts, [drive[0], fix(0.5, 0.0), drive[1]])) == [("zone", "firing", 1), ("zone", "resolved", 1)]


@pytest.mark.parametrize(
    "way",
    [
        [fix(0, -900.0, 260.0), fix(1, 900.0, 260.0)],
        [fix(0, -900.0, accuracy_m=300.0), fix(1, 900.0, accuracy_m=300.0)],
        [fix(0, -90_000.0), fix(1, 900.0)],
        [fix(0, 900.0), fix(1, 900.0), fix(2, 905.0)],
        [fix(0, -900.0), fix(200, 900.0)],
    ],
    ids=["beside", "vague", "far", "standing", "after a long time"],
)
def test_this_is_no_pass(way: list[Event]) -> None:
    counts = ENTER.replace("on: enter", "on: enter, passes: true")
    assert found(counts, way) == []


# ---- dwell


def test_a_dwell_completes_by_a_timer_on_the_last_fix() -> None:
    facts = found(DWELL, [*stay(OUT, 0, 3), fix(3, IN), fix(4, IN)], until=60)
    assert told(facts) == [("zone", "pending", 4), ("zone", "firing", 13)]
    assert facts[1].explanation["since"] == "2026-03-01T08:03:00Z"
    assert (facts[1].explanation["held_s"], facts[1].explanation["for_s"]) == (600, 600)


def test_who_leaves_before_did_not_dwell() -> None:
    facts = found(DWELL, [*stay(OUT, 0, 3), *stay(IN, 3, 9), *stay(OUT, 9, 30)], until=60)
    assert told(facts) == [("zone", "pending", 4), ("zone", "inactive", 10)]


def test_whoever_was_there_when_the_gateway_met_them_is_found_on_arrival() -> None:
    facts = found(DWELL, stay(IN, 0, 30))
    assert told(facts) == [("zone", "pending", 0), ("zone", "firing", 10)]
    assert all(fact.on_arrival for fact in facts)


def test_fixes_that_stop_end_a_stay_and_a_later_one_is_another() -> None:
    facts = found(DWELL, [*stay(OUT, 0, 3), *stay(IN, 3, 20)], until=200)
    assert told(facts) == [("zone", "pending", 4), ("zone", "firing", 13), ("zone", "resolved", 79)]
    assert facts[-1].explanation["reason"] == "fixes_stopped"
    again = found(ENTER, [*stay(OUT, 0, 3), *stay(IN, 3, 20), *stay(IN, 300, 310)])
    assert [state for _, state, _ in told(again)] == ["firing", "resolved", "firing"]
    # Who was only found there does not enter by falling silent and speaking again.
    assert found(ENTER, [*stay(IN, 0, 20), *stay(IN, 300, 310)]) == []


def test_a_dwell_waits_for_no_fix_that_never_comes() -> None:
    long = DWELL.replace("10m", "2h")
    facts = found(long, [*stay(OUT, 0, 3), *stay(IN, 3, 20)], until=600)
    assert told(facts) == [("zone", "pending", 4), ("zone", "inactive", 79)]


def test_fixes_that_stop_are_no_exit_and_an_exit_in_the_gap_is_seen_after_it() -> None:
    assert found(EXIT, stay(IN, 0, 10), until=1000) == []
    assert told(found(EXIT, [*stay(IN, 0, 10), *stay(OUT, 500, 502)])) == [("zone", "firing", 501)]


def test_a_position_is_not_kept_longer_than_it_is_needed() -> None:
    state, _ = run(EXIT, stay(IN, 0, 10))
    assert "last" in state.rules["zone"].memory["where"]
    made = detector(EXIT, profile=BIKE)
    state, _ = made.advance(bike(), state, at(200))
    assert "last" not in state.rules["zone"].memory["where"]
    assert state.rules["zone"].memory["where"]["side"] == "inside"


# ---- reasons


def test_an_exit_with_a_good_reason_stays_in_order_until_it_is_back() -> None:
    rule = EXIT.replace("on: exit", "on: exit, unless: booked")
    ride = [
        fix(0, IN, booked=True),
        fix(1, IN),
        fix(2, OUT),
        fix(3, OUT),
        status(4, {"booked": False}),
        *stay(OUT, 5, 9),
    ]
    assert found(rule, ride) == []
    assert told(found(rule, [*ride, *stay(IN, 9, 12), *stay(OUT, 12, 15)])) == [("zone", "firing", 13)]


def test_a_reason_that_was_never_reported_is_no_sample_and_the_exit_waits_for_it() -> None:
    rule = EXIT.replace("on: exit", "on: exit, unless: booked")
    state, facts = run(rule, [*stay(IN, 0, 3), *stay(OUT, 3, 6)])
    assert (facts, state.unsampled["zone"].reason) == ([], "booked is missing")
    facts = found(rule, [*stay(IN, 0, 3), *stay(OUT, 3, 6), status(6, {"booked": False}), *stay(OUT, 7, 9)])
    assert told(facts) == [("zone", "firing", 7)]


def test_a_dwell_is_in_order_for_as_long_as_its_reason_holds() -> None:
    rule = DWELL.replace("on: dwell", "on: dwell, unless: booked")
    events = [fix(0, OUT, booked=True), fix(1, OUT), *stay(IN, 2, 30), status(30, {"booked": False}), *stay(IN, 31, 45)]
    assert told(found(rule, events)) == [("zone", "pending", 30), ("zone", "firing", 40)]


# ---- theft


def locked(minute: float, east_m: float, **more: Any) -> Event:
    return fix(minute, east_m, locked=True, **more)


def test_a_thing_that_moves_while_locked_is_theft() -> None:
    events = [fix(0, -500, locked=False), locked(5, 0), *(locked(m, 20 * (-1) ** m) for m in range(6, 60))]
    assert found(THEFT, events) == []
    facts = found(THEFT, [*events, locked(60, 300), locked(61, 600)])
    assert told(facts) == [("theft", "firing", 61)]
    assert (facts[0].purpose, facts[0].severity) == (Purpose.SAFETY, Severity.CRITICAL)
    explanation = facts[0].explanation
    assert explanation["since"] == "2026-03-01T09:00:00Z"
    assert explanation["moved_m"] == pytest.approx(600, abs=1)
    assert (explanation["event"], explanation["radius_m"]) == ("moved", 75)
    assert explanation["values"] == {"locked": True}


def test_it_stands_where_its_first_fix_since_then_says_and_not_where_it_came_from() -> None:
    # Locked by a message of its own; the last fix is from the way there.
    way = [fix(0, -800, locked=False), fix(1, -400), status(1.5, {"locked": True})]
    assert found(THEFT, [*way, fix(2, 0, speed_m_s=3.0), *(fix(m, 200) for m in range(3, 20))]) == []


def test_unlocking_ends_it_and_the_next_place_is_another() -> None:
    events = [locked(0, 0), locked(1, 300), locked(2, 600)]
    facts = found(THEFT, [*events, status(3, {"locked": False}), locked(10, 900), locked(11, 905)])
    assert told(facts) == [("theft", "firing", 2), ("theft", "resolved", 3)]
    assert facts[1].explanation["reason"] == "released"
    assert told(found(THEFT, [*events, locked(5, 10), locked(6, 10)])) == [
        ("theft", "firing", 2),
        ("theft", "resolved", 6),
    ]


def test_how_well_its_place_is_known_counts() -> None:
    vague = [locked(0, 0, accuracy_m=120.0), *(locked(m, 160) for m in range(1, 10))]
    assert found(THEFT, vague) == []
    assert found(THEFT, [locked(0, 0), *(locked(m, 160) for m in range(1, 10))])


# ---- whose position


def test_a_persons_position_needs_their_consent() -> None:
    events = [*stay(OUT, 0, 3), *stay(IN, 3, 8)]
    state, facts = run(ENTER, events, bike(PHONE))
    assert facts == []
    assert state.rules == {}
    assert "did not agree" in state.unsampled["zone"].reason
    state, facts = run(ENTER, events, bike(PHONE, consent=True))
    assert told(facts) == [("zone", "firing", 4)]
    made = detector(ENTER, profile=PHONE)
    state, more = made.run(bike(PHONE), state, [fix(9, IN)])
    assert [(fact.state.value, fact.explanation["reason"]) for fact in more if isinstance(fact, Transition)] == [
        ("resolved", "no_consent")
    ]
    assert state.rules["zone"].memory == {}


def test_an_owntracks_phone_is_a_persons_whatever_nobody_said() -> None:
    undescribed = BIKE.model_copy(update={"name": "generic"})
    phone = [
        Event("f1", e.kind, e.observed_at, e.received_at, e.time_source, "owntracks", {}, position=e.position)
        for e in [*stay(OUT, 0, 3), *stay(IN, 3, 8)]
    ]
    assert run(ENTER, phone, bike(undescribed))[1] == []


# ---- sites, edits


def test_each_device_has_its_own_site() -> None:
    rule = "{id: site, kind: geofence, site_radius_m: 200, on: exit}"
    events = [*stay(IN, 0, 3), *stay(OUT, 3, 6)]
    assert told(found(rule, events, latitude=HOME[0], longitude=HOME[1])) == [("site", "firing", 4)]
    assert found(rule, events, latitude=48.0, longitude=11.0) == []
    state, facts = run(rule, events)
    assert (facts, state.unsampled["site"].reason) == ([], "the device is registered without a place")


def edited(before: str, after: str, first: list[Event], then: list[Event]) -> list[Transition]:
    made = detector(before, profile=BIKE)
    state, facts = made.run(bike(), DeviceState(), first)
    other = detector(after, profile=BIKE)
    _, more = other.run(bike(), state, then, until=at(300))
    return [fact for fact in [*facts, *more] if isinstance(fact, Transition)]


def test_a_zone_edited_around_someone_makes_no_event() -> None:
    wider, smaller = (ENTER.replace("200", radius) for radius in ("600", "20"))
    inside, outside = [*stay(OUT, 0, 3), *stay(IN, 3, 8)], stay(OUT, 0, 8)
    # Inside before and after: the alert stays as it is.
    assert told(edited(ENTER, wider, inside, stay(IN, 8, 30)))[:1] == [("zone", "firing", 4)]
    assert [state for _, state, _ in told(edited(ENTER, wider, inside, stay(IN, 8, 30)))] == ["firing", "resolved"]
    # Outside before, inside after: nobody entered.
    assert edited(ENTER, wider, outside, stay(OUT, 8, 30)) == []
    assert edited(DWELL, DWELL.replace("200", "600"), outside, stay(OUT, 8, 30)) == []
    # Inside before, outside after: what fires ends, and says why; nobody left.
    closed = edited(ENTER, smaller, inside, stay(IN, 8, 30))
    assert told(closed) == [("zone", "firing", 4), ("zone", "resolved", 8)]
    assert closed[1].explanation["reason"] == "edited"
    assert edited(EXIT, EXIT.replace("200", "20"), stay(IN, 0, 8), stay(IN, 8, 30)) == []


def test_a_dwell_goes_on_counting_through_an_edit_that_leaves_them_inside() -> None:
    facts = edited(DWELL, DWELL.replace("200", "250"), [*stay(OUT, 0, 3), *stay(IN, 3, 8)], stay(IN, 8, 12))
    assert told(facts)[:2] == [("zone", "pending", 4), ("zone", "firing", 13)]
    # Its timer looks at the new fence first, should no further fix come.
    facts = edited(DWELL, DWELL.replace("200", "20"), [*stay(OUT, 0, 3), *stay(IN, 3, 8)], [])
    assert told(facts) == [("zone", "pending", 4), ("zone", "inactive", 13)]
    assert facts[1].explanation["reason"] == "edited"


def test_a_polygon_does_as_a_circle_does() -> None:
    (s, w), (n, e) = place(-200, -200), place(200, 200)
    ring = [[w, s], [e, s], [e, n], [w, n], [w, s]]
    rule = ENTER.replace(CIRCLE, f"geojson: {{type: Polygon, coordinates: [{ring}]}}")
    facts = found(rule, [*stay(OUT, 0, 3), *stay(IN, 3, 8), *stay(OUT, 8, 11)])
    assert told(facts) == [("zone", "firing", 4), ("zone", "resolved", 9)]
    assert facts[0].explanation["distance_m"] == pytest.approx(150, abs=1)
    assert facts[0].explanation["condition"] == "enters an area"


# ---- settings, words


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"on": "enter"}, "takes one of circle, geojson"),
        ({"site_radius_m": 5, "moved_while": "a"}, "takes one of circle, geojson"),
        ({"site_radius_m": 5}, "needs on"),
        ({"moved_while": "a", "on": "exit"}, "moved_while says so itself"),
        ({"site_radius_m": 5, "on": "exit", "radius_m": 5}, "radius_m is for moved_while"),
        ({"site_radius_m": 5, "on": "dwell"}, "dwell needs for"),
        ({"site_radius_m": 5, "on": "enter", "for": "5m"}, "enter happens at once"),
        ({"site_radius_m": 5, "on": "exit", "passes": True}, "passes is for enter"),
        ({"site_radius_m": 5, "on": "exit", "purpose": "offer"}, "makes no offer"),
        ({"geojson": {"type": "Point"}, "on": "exit"}, "'Point' is no area"),
        ({"circle": {"latitude": 91, "longitude": 0, "radius_m": 5}, "on": "exit"}, "latitude"),
    ],
)
def test_settings_that_do_not_go_together_are_named(settings_: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        GeofenceRule.model_validate({"id": "a", **settings_})


def test_rules_check_knows_the_fields_of_a_geofence() -> None:
    made = ruleset(THEFT.replace("locked", "lockd"), EXIT.replace("on: exit", "on: exit, unless: booked == 1"))
    problems = [error.message for error in check_rules(made, {"bike": BIKE})]
    assert "did you mean 'locked'?" in problems[0]
    assert "true or false" in problems[1]


def test_the_customer_reads_how_far_it_is_from_where_they_left_it() -> None:
    fact = found(THEFT, [locked(0, 0), locked(1, 300), locked(2, 600)])[0]
    english, german, arabic = sentences(fact, "It moves although it is locked")
    assert english == "Your product: It moves although it is locked since 08:01, about 0.4 mi from where it was left."
    assert german == "Ihr Gerät: It moves although it is locked, seit 09:01, etwa 600 m von seinem Platz entfernt."
    assert "600" in arabic
    left = found(EXIT, [*stay(IN, 0, 3), *stay(OUT, 3, 8)])[0]
    assert sentences(left, "It left the yard")[0] == "Your product: It left the yard since 08:03."


# ---- properties

Moments = list[tuple[int, float, float, dict[str, Any]]]
WALKS: st.SearchStrategy[Moments] = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.sampled_from([-900.0, -300.0, -150.0, 0.0, 50.0, 190.0, 205.0, 300.0, 900.0]),
        st.sampled_from([5.0, 20.0, 150.0]),
        st.sampled_from([{}, {}, {"locked": True}, {"locked": False}, {"booked": True}, {"booked": False}]),
    ),
    max_size=40,
)
RULES = (
    ENTER,
    EXIT.replace("id: zone", "id: exit").replace("on: exit", "on: exit, unless: booked"),
    DWELL.replace("id: zone", "id: dwell"),
    ENTER.replace("id: zone", "id: pass").replace("on: enter", "on: enter, passes: true, confirm: 1"),
    THEFT,
)


def walk(moments: Moments) -> list[Event]:
    minute, events = 0, [status(0, {"locked": False, "booked": False})]
    for gap, east_m, accuracy_m, values in moments:
        minute += gap
        events.append(fix(minute, east_m, accuracy_m=accuracy_m, **values))
    return events


def through(events: list[Event], restart: Callable[[int], bool]) -> tuple[dict[str, Any], list[Any]]:
    made, facts, state = detector(*RULES, profile=BIKE), [], DeviceState()
    for i, event in enumerate(events):
        if restart(i):
            state = DeviceState.from_json(json.loads(json.dumps(state.to_json())))
        state, more = made.run(bike(), state, [event])
        facts += more
    state, more = made.advance(bike(), state, at(3000))
    return state.to_json(), facts + more


@given(WALKS)
@settings(deadline=None)
def test_a_restart_anywhere_and_duplicates_change_nothing(
    moments: Moments,
) -> None:
    events = walk(moments)
    plain = through(events, lambda i: False)
    assert through(events, lambda i: True) == plain
    assert through([event for event in events for _ in range(2)], lambda i: False)[1] == plain[1]


@given(WALKS)
@settings(deadline=None)
def test_states_follow_one_another_and_no_position_is_told(
    moments: Moments,
) -> None:
    follows = {
        None: {AlertState.PENDING, AlertState.FIRING},
        AlertState.PENDING: {AlertState.FIRING, AlertState.INACTIVE},
        AlertState.FIRING: {AlertState.RESOLVED},
        AlertState.RESOLVED: {AlertState.PENDING, AlertState.FIRING},
        AlertState.INACTIVE: {AlertState.PENDING, AlertState.FIRING},
    }
    last: dict[str, AlertState] = {}
    for fact in through(walk(moments), lambda i: False)[1]:
        assert fact.state in follows[last.get(fact.rule)]
        last[fact.rule] = fact.state
        assert "latitude" not in json.dumps(dict(fact.explanation))


# ---- brute force


def wander(seed: int) -> Iterator[Fix]:
    """A walk of 4,000 fixes around the fence, with the error that the stated accuracy says."""
    chance = random.Random(seed)
    east, north = 600.0, 0.0
    for second in range(4_000):
        east, north = ((value + chance.gauss(0, 12)) * (0.999 if abs(value) < 1500 else 0.9) for value in (east, north))
        accuracy_m = chance.choice([5.0, 10.0, 30.0])
        sigma = sigma_of(accuracy_m)
        latitude, longitude = place(east + chance.gauss(0, sigma), north + chance.gauss(0, sigma))
        yield Fix(latitude, longitude, T0 + timedelta(seconds=second), accuracy_m)


def disagreements(fixes: Iterator[Fix], fence: Circle, terms: Terms, confirm: int) -> tuple[int, int]:
    """Hold each fix by the geodesic against the circle; (fixes outside the band, those on which the two disagree)."""
    where, clear, wrong, agreeing, last = Whereabouts(), 0, 0, 0, None
    for one in fixes:
        where, _ = seen(where, one, fence, terms, confirm)
        gap_m = fence.radius_m - WGS84.measure(fence.centre, one.point) * 1000
        band_m = 3.0 * sigma_of(one.accuracy_m) + terms.margin_m
        if abs(gap_m) <= band_m:
            # Either side may be said of such a fix, so that those around it are not in a row.
            agreeing = 0
            continue
        side = Side.INSIDE if gap_m > 0 else Side.OUTSIDE
        agreeing, last = (agreeing + 1 if side is last else 1), side
        if agreeing >= confirm:
            clear += 1
            wrong += where.side is not side
    return clear, wrong


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_walks_agree_with_brute_force_outside_the_band(seed: int) -> None:
    for confirm in (1, 2):
        clear, wrong = disagreements(wander(seed), Circle(HOME, 400.0), Terms(0.95, 20.0), confirm)
        assert wrong == 0
        assert clear > 1000


def tracks(path: Path) -> Iterator[Fix]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            when = datetime.fromisoformat(row["time_utc"])
            yield Fix(float(row["lat"]), float(row["lon"]), when, 10.0)


@pytest.mark.parametrize("path", sorted(DATA.glob("*.csv")), ids=lambda path: path.stem)
@pytest.mark.parametrize("share", [0.2, 0.7])
def test_real_tracks_agree_with_brute_force_outside_the_band(path: Path, share: float) -> None:
    fixes = list(tracks(path))
    middle = fixes[int(len(fixes) * share)]
    # Around a place where they were; those far away are outside whichever way it is measured.
    near = [
        one for one in fixes if max(abs(one.latitude - middle.latitude), abs(one.longitude - middle.longitude)) < 0.02
    ]
    clear, wrong = disagreements(iter(near), Circle(middle.point, 250.0), Terms(0.95, 20.0), 2)
    assert wrong == 0
    assert clear > 100
