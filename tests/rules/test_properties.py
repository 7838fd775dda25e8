"""What holds for every kind of rule, whatever is said, in whatever pieces: one harness, one set of rules a kind.

Live in any batch size is one by one is a backtest; stopping and starting again anywhere changes nothing; what is
redelivered, late or another device's changes nothing; an edit keeps what it says it keeps.
"""

import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_models.event import Event, EventKind, Position, TimeSource, Value
from device_models.profile import FieldSpec
from device_models.registry import Device, Shop
from rules.detect import Detector
from rules.evaluator import Fact
from rules.inputs import DeviceContext, Input, Serviced, Snoozed, Sweep
from rules.recordings.backtest import Backtest
from rules.schema import KINDS
from rules.spatial_index import ShopIndex
from rules.state import DeviceState
from rules.transition import AlertState, Transition
from tests.rules.making import FREEZER, MINUTE, at, ruleset, status

PROFILE = FREEZER.model_copy(
    update={"fields": {**FREEZER.fields, "uptime": FieldSpec(title={"en": "Uptime"}, unit="s")}}
)
SHOP = Shop(id="mitte", name="Mitte", latitude=52.5163, longitude=13.3777, radius_m=150)
PLACES = {"here": (52.5163, 13.3777), "near": (52.5170, 13.3777), "far": (52.5400, 13.3777)}
DEVICE = DeviceContext(
    Device(id="f1", profile="freezer", latitude=52.5163, longitude=13.3777), PROFILE, location_consent=True
)

RULES: dict[str, tuple[str, ...]] = {
    "condition": (
        "{id: warm, kind: condition, when: temperature > -12, for: 10m, clear_when: temperature < -15}",
        "{id: door, kind: condition, when: door_open && temperature > -16, for: 3m, clear_for: 2m}",
    ),
    "condition that time moves": (
        '{id: ajar, kind: condition, when: \'door_open && age("door_open") > duration("12m")\', for: 2m}',
        '{id: unheard, kind: condition, when: \'heard_age("temperature") >= duration("25m")\'}',
        '{id: often, kind: condition, when: \'count("code", "40m") >= 3\', clear_for: 4m}',
        '{id: peak, kind: condition, when: \'max("power", "20m") > 100\', for: 5m}',
        "{id: night, kind: condition, when: 'door_open && hour_local() in [9, 11]'}",
    ),
    "condition over windows": (
        '{id: mean, kind: condition, when: \'avg("power", "30m") > 60\'}',
        '{id: trend, kind: condition, when: \'rate("power", "30m") > 50 || delta("power", "10m") > 150\'}',
        '{id: stuck, kind: condition, when: \'stuck_for("temperature") > duration("14m")\', for: 3m}',
    ),
    "condition of several severities": (
        """{id: graded, kind: condition, severity: minor, when: temperature > -15, for: 8m, severities: {
            major: {when: temperature > -12, for: 4m},
            critical: {when: temperature > -6, clear_when: temperature < -13}}}""",
        "{id: trips, kind: condition, when: power > 100, for: 2m, times: 2, within: 50m}",
    ),
    "absent": (
        "{id: silent, kind: absent}",
        "{id: gone, kind: absent, for: 40m, offline_for: 6m}",
        """{id: ever-longer, kind: absent, severity: info, for: 8m, severities: {
            minor: {for: 20m}, major: {for: 61m, offline_for: 9m}, critical: {for: 5h}}}""",
    ),
    "change": (
        "{id: rise, kind: change, field: power, rise: 150, within: 20m, settled_after: 1h}",
        "{id: rate, kind: change, field: power, rate_above: 200, within: 20m, for: 3m}",
        "{id: starts, kind: change, count: 2, of: power > 100, within: 40m}",
        "{id: boots, kind: change, field: uptime, restarts: 2, within: 1h}",
        "{id: stuck, kind: change, field: temperature, stuck_for: 14m, unless: door_open}",
    ),
    "error_code": ("{id: codes, kind: error_code}", "{id: codes-later, kind: error_code, for: 6m, clear_for: 4m}"),
    "maintenance": ("{id: service, kind: maintenance}",),
    "forecast": (
        "{id: full, kind: forecast, field: running_hours, limit: 2000, within: 4h, over: 4h, min_points: 6}",
        "{id: empty, kind: forecast, field: power, limit: 0, direction: below, within: 4h, over: 4h, min_points: 6}",
    ),
    "anomaly": (
        "{id: odd, kind: anomaly, field: temperature, warm_up: 8h, sensitivity: high}",
        "{id: odd-pair, kind: anomaly, fields: [temperature, power], warm_up: 8h, sensitivity: high, for: 10m}",
    ),
    "sequence": (
        "{id: dead, kind: sequence, first: '!door_open', then_not: power > 100, within: 20m, without: door_open}",
        "{id: tripped, kind: sequence, first: door_open, then: power > 100, within: 20m, clear_for: 30m}",
    ),
    "geofence": (
        "{id: left, kind: geofence, site_radius_m: 100, on: exit, for: 5m}",
        "{id: stays, kind: geofence, on: dwell, for: 9m, circle: {latitude: 52.516, longitude: 13.378, radius_m: 300}}",
        "{id: theft, kind: geofence, moved_while: '!door_open', radius_m: 75}",
    ),
    "proximity": ("{id: near-shop, kind: proximity}",),
    "overridden": (
        "{id: warm, kind: condition, when: temperature > -12, overrides: [{device: f1, for: 4m, clear_for: 3m}]}",
    ),
}
RULES["all at once"] = tuple(
    re.sub(r"id: [\w-]+", f"id: r{n}-{m}", rule, count=1)
    for n, (name, rules) in enumerate(RULES.items())
    if name != "anomaly"
    for m, rule in enumerate(rules)
)
CODES: tuple[Value, ...] = ("E5", "0", "E99", 17)
TEMPERATURES: tuple[Value, ...] = (-18.0, -18.5, -14.0, -11.0, -5.0, "n/a", 900.0)


def test_there_are_rules_of_every_kind_that_detection_knows() -> None:
    kinds = {match[1] for rules in RULES.values() for rule in rules if (match := re.search(r"kind: (\w+)", rule))}
    assert kinds == set(KINDS) - {"fleet"}


@cache
def made(name: str) -> Detector:
    return detector_of(RULES[name])


@cache
def detector_of(rules: tuple[str, ...]) -> Detector:
    return Detector(ruleset(*rules), {"freezer": PROFILE}, ShopIndex([SHOP]))


@cache
def begun(name: str) -> tuple[DeviceState, float]:
    """A device that has been heard for long enough, and the minute of what it said last."""
    rows, step = (130, 5) if name == "anomaly" else (60, 5)
    chance = random.Random(7)
    said: list[Input] = []
    for row in range(rows):
        values: dict[str, Value] = {
            "temperature": round(-18 + chance.gauss(0, 0.4), 2),
            "power": round(90 + chance.gauss(0, 4) - row / 2, 1),
            "door_open": False,
            "running_hours": round(1990 + row / 12, 3),
            "uptime": 300.0 * row,
        }
        said.append(status(row * step, values))
    said.append(fix(rows * step, "here"))
    state, _ = made(name).run(DEVICE, DeviceState(), said)
    return state, float(rows * step)


def fix(minute: float, place: str, accuracy_m: float = 8.0) -> Event:
    latitude, longitude = PLACES[place]
    position = Position(latitude, longitude, accuracy_m=accuracy_m)
    return Event("f1", EventKind.LOCATION, at(minute), at(minute), TimeSource.DEVICE, "native", position=position)


@st.composite
def inputs(draw: st.DrawFn, minute: float) -> Input:
    what = draw(st.sampled_from(["status"] * 7 + ["fix"] * 3 + ["error", "presence", "sweep", "answer"]))
    if what == "fix":
        return fix(minute, draw(st.sampled_from(sorted(PLACES))), draw(st.sampled_from([5.0, 30.0])))
    if what == "error":
        code: Value = draw(st.sampled_from(CODES))
        return status(minute, {"code": code}, kind=EventKind.ERROR)
    if what == "presence":
        online = {"online": draw(st.booleans())}
        return status(minute, online, kind=EventKind.PRESENCE, clock=TimeSource.ARRIVAL)
    if what == "sweep":
        return Sweep("f1", at(minute))
    if what == "answer":
        if draw(st.booleans()):
            return Serviced("f1", "filter", at(minute))
        return Snoozed("f1", "filter", at(minute + 60), at(minute))
    values: dict[str, Value] = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "temperature": st.sampled_from(TEMPERATURES),
                "door_open": st.booleans(),
                "power": st.sampled_from([0.0, 30.0, 90.0, 250.0]),
                "code": st.sampled_from(["E5", "0", 17, "E5,17", "E99"]),
                "running_hours": st.sampled_from([1950, 1995.5, 2001]),
                "uptime": st.sampled_from([10.0, 4000.0]),
            },
        )
    )
    return status(minute, values)


@st.composite
def tails(draw: st.DrawFn, most: int = 14) -> list[Callable[[float], Input]]:
    """What is said after the beginning, as functions of when that ended."""
    gaps = draw(st.lists(st.sampled_from([0, 1, 2, 5, 5, 5, 9, 16, 61]), max_size=most))
    made_of: list[Callable[[float], Input]] = []
    minute = 1
    for gap in gaps:
        minute += gap
        item = draw(inputs(minute))
        made_of.append(lambda begin, item=item: moved(item, begin))  # type: ignore[misc]
    return made_of


def moved(item: Input, minutes: float) -> Input:
    by = minutes * MINUTE
    if isinstance(item, Event):
        return replace(item, observed_at=item.observed_at + by, received_at=item.received_at + by)
    if isinstance(item, Snoozed):
        return replace(item, at=item.at + by, until=item.until + by)
    assert isinstance(item, Sweep | Serviced)
    return replace(item, at=item.at + by)


def begin(name: str, tail: Sequence[Callable[[float], Input]]) -> tuple[Detector, DeviceState, list[Input]]:
    state, minute = begun(name)
    return made(name), state, [step(minute) for step in tail]


END = 1200.0
"""The minute until which timers act."""
every_kind = pytest.mark.parametrize("name", sorted(RULES))
quick = settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])


def straight(detector: Detector, state: DeviceState, items: Sequence[Input]) -> tuple[DeviceState, list[Fact]]:
    return detector.run(DEVICE, state, items, until=at(END))


def restored(state: DeviceState) -> DeviceState:
    return DeviceState.from_json(json.loads(json.dumps(state.to_json())))


@every_kind
@quick
@given(tail=tails(), cuts=st.lists(st.integers(0, 14), max_size=4))
def test_stopping_and_starting_again_anywhere_changes_nothing(
    name: str, tail: list[Callable[[float], Input]], cuts: list[int]
) -> None:
    detector, state, items = begin(name, tail)
    expected, facts = straight(detector, state, items)
    found: list[Fact] = []
    for index, item in enumerate(items):
        if index in cuts:
            state = restored(state)
        state, more = detector.run(DEVICE, state, [item])
        found += more
    last, more = straight(detector, restored(state), [])
    assert found + more == facts
    assert last.to_json() == expected.to_json()


@every_kind
@quick
@given(tail=tails())
def test_timers_that_the_next_event_lets_act_give_what_a_scheduler_gives(
    name: str, tail: list[Callable[[float], Input]]
) -> None:
    detector, state, items = begin(name, tail)
    expected = straight(detector, state, items)[1]
    found: list[Fact] = []
    for item in items:
        state, more = detector.detect(DEVICE, state, item)
        found += more
    found += straight(detector, state, [])[1]
    # A sweep lets no timer act: whose turn came first among different rules is not the point.
    assert sorted(found, key=turn) == sorted(expected, key=turn)


def turn(fact: Fact) -> tuple[str, object]:
    return fact.rule, fact.at


@every_kind
@quick
@given(tail=tails())
def test_a_backtest_gives_what_live_gives(name: str, tail: list[Callable[[float], Input]]) -> None:
    """Statuses by the fast way, everything else as events."""
    detector, _, items = begin(name, tail)
    events = [item for item in items if isinstance(item, Event)]
    backtest = Backtest(detector, PROFILE, {"f1": DEVICE.device})
    found: list[Fact] = []
    for event in events:
        plain = event.kind is EventKind.STATUS and event.time_source is TimeSource.DEVICE
        found += backtest.take("f1", event.observed_at, event.values) if plain else backtest.feed(event)
    found += backtest.finish()
    until = events[-1].received_at + timedelta(microseconds=1) if events else None
    assert list(found) == detector.run(DEVICE, DeviceState(), events, until=until)[1]


@every_kind
@quick
@given(tail=tails(), data=st.data())
def test_what_is_redelivered_changes_nothing(
    name: str, tail: list[Callable[[float], Input]], data: st.DataObject
) -> None:
    detector, state, items = begin(name, tail)
    again: list[Input] = []
    for item in items:
        again.append(item)
        if isinstance(item, Event) and item.time_source is TimeSource.DEVICE:
            again += [item] * data.draw(st.integers(0, 2))
    assert straight(detector, state, again)[1] == straight(detector, state, items)[1]


@every_kind
@quick
@given(tail=tails(), data=st.data())
def test_what_is_late_changes_nothing(name: str, tail: list[Callable[[float], Input]], data: st.DataObject) -> None:
    """It arrives with what is on time, so that it is no sign of life of its own."""
    detector, state, items = begin(name, tail)
    with_late: list[Input] = []
    for item in items:
        with_late.append(item)
        if not isinstance(item, Event) or item.time_source is not TimeSource.DEVICE or not data.draw(st.booleans()):
            continue
        late: Event = data.draw(st.sampled_from([status(0, {"temperature": 20.0, "door_open": True, "code": "E5"})]))
        if item.kind is EventKind.LOCATION:
            late = fix(0, data.draw(st.sampled_from(sorted(PLACES))))
        with_late.append(replace(late, observed_at=item.observed_at - MINUTE / 2, received_at=item.received_at))
    assert straight(detector, state, with_late)[1] == straight(detector, state, items)[1]


@every_kind
@quick
@given(one=tails(8), other=tails(8), data=st.data())
def test_other_devices_in_between_change_nothing(
    name: str, one: list[Callable[[float], Input]], other: list[Callable[[float], Input]], data: st.DataObject
) -> None:
    detector, state, _ = begin(name, [])
    queues = {"a": begin(name, one)[2], "b": begin(name, other)[2]}
    states, found = {"a": state, "b": state}, {"a": list[Fact](), "b": list[Fact]()}
    left = {who: list(items) for who, items in queues.items()}
    while any(left.values()):
        who = data.draw(st.sampled_from([who for who in left if left[who]]))
        states[who], more = detector.run(DEVICE, states[who], [left[who].pop(0)])
        found[who] += more
    for who, items in queues.items():
        assert found[who] + straight(detector, states[who], [])[1] == straight(detector, state, items)[1]


def edited(name: str, settings: str) -> Detector:
    """All rules with further settings."""
    return detector_of(tuple(f"{{{settings}, {rule[1:]}" for rule in RULES[name]))


def course(facts: Sequence[Fact]) -> list[tuple[object, ...]]:
    """What happened, without its words."""
    return [(f.rule, f.fault, f.state, f.at) if isinstance(f, Transition) else (f.rule, f.shop_id, f.at) for f in facts]


@every_kind
@quick
@given(tail=tails(), cut=st.integers(0, 14))
def test_other_words_change_no_course(name: str, tail: list[Callable[[float], Input]], cut: int) -> None:
    detector, state, items = begin(name, tail)
    expected = straight(detector, state, items)[1]
    state, before = detector.run(DEVICE, state, items[:cut])
    reworded = edited(name, "title: {en: Other words}, advice: {en: Look.}, notify: off")
    assert course([*before, *straight(reworded, state, items[cut:])[1]]) == course(expected)


@every_kind
@quick
@given(tail=tails(), cut=st.integers(0, 14))
def test_a_rule_that_comes_or_goes_changes_no_other(name: str, tail: list[Callable[[float], Input]], cut: int) -> None:
    detector, state, items = begin(name, tail)
    expected = straight(detector, state, items)[1]
    more = detector_of((*RULES[name], '{id: zz-new, kind: condition, when: \'avg("power", "30m") > 1e9\'}'))
    state, before = detector.run(DEVICE, state, items[:cut])
    state, between = more.run(DEVICE, state, items[cut : cut + 3])
    after = straight(detector, state, items[cut + 3 :])[1]
    assert [fact for fact in (*before, *between, *after) if fact.rule != "zz-new"] == expected


@every_kind
@quick
@given(tail=tails(), cut=st.integers(0, 14))
def test_another_mode_closes_what_is_open_once_and_begins_afresh(
    name: str, tail: list[Callable[[float], Input]], cut: int
) -> None:
    detector, state, items = begin(name, tail)
    state, _ = detector.run(DEVICE, state, items[:cut])
    when = at(begun(name)[1]) + timedelta(hours=9)
    after, facts = edited(name, "mode: shadow").reconcile(DEVICE, state, when)
    open_before = {(r, fault) for r, kept in state.rules.items() for fault, a in kept.alerts.items() if a.is_open}
    closed = [fact for fact in facts if isinstance(fact, Transition) and not fact.shadow]
    assert sorted((fact.rule, fact.fault) for fact in closed) == sorted(open_before)
    assert all(fact.explanation["reason"] == "rule_changed" for fact in closed)
    assert not any(a.is_open for kept in after.rules.values() for a in kept.alerts.values())


@every_kind
@quick
@given(tail=tails(), cut=st.integers(0, 14))
def test_alerts_go_through_alertmanagers_states_and_no_others(
    name: str, tail: list[Callable[[float], Input]], cut: int
) -> None:
    """Never resolved without having fired, never inactive without having been pending, and times never run back."""
    detector, state, items = begin(name, tail)
    standing: dict[tuple[str, str], AlertState | None] = {
        (r, fault): alert.state for r, kept in state.rules.items() for fault, alert in kept.alerts.items()
    }
    allowed: dict[AlertState, set[AlertState | None]] = {
        AlertState.PENDING: {AlertState.INACTIVE, AlertState.RESOLVED, None},
        AlertState.FIRING: {AlertState.INACTIVE, AlertState.RESOLVED, None, AlertState.PENDING, AlertState.FIRING},
        AlertState.INACTIVE: {AlertState.PENDING},
        AlertState.RESOLVED: {AlertState.FIRING},
    }
    for fact in straight(detector, state, items)[1]:
        if isinstance(fact, Transition):
            key = (fact.rule, fact.fault)
            assert standing.get(key) in allowed[fact.state], (fact, standing.get(key))
            standing[key] = fact.state


@every_kind
@quick
@given(tail=tails())
def test_every_fact_explains_itself_in_json(name: str, tail: list[Callable[[float], Input]]) -> None:
    detector, state, items = begin(name, tail)
    for fact in straight(detector, state, items)[1]:
        json.dumps(dict(fact.explanation))
        if isinstance(fact, Transition):
            assert {"kind", "title", "since"} <= fact.explanation.keys()
