"""Time: batches, restarts, duplicates, late events, several devices, backlogs; with one rule of each kind."""

import json
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from device_models.event import Event, EventKind, Position, TimeSource, Value
from rules.evaluator import Fact
from rules.inputs import Input, Serviced, Sweep
from rules.state import DeviceState
from tests.rules.making import FREEZER, MINUTE, TOO_WARM, at, context, detector, facts_of, status, temperature, told

RULES = (
    TOO_WARM,
    "{id: door, kind: condition, when: door_open && temperature > -16, for: 3m, clear_for: 2m}",
    "{id: silent, kind: absent}",
    "{id: codes, kind: error_code}",
    "{id: service, kind: maintenance}",
)
DETECTOR = detector(*RULES)


@st.composite
def events(draw: st.DrawFn, minute: int) -> Event:
    values: dict[str, Value] = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "temperature": st.sampled_from([-18.0, -14, -11.0, "n/a", 900.0]),
                "door_open": st.booleans(),
                "code": st.sampled_from(["E5", "0", 17, "E5,17", "E99"]),
                "running_hours": st.sampled_from([1950, 1990.5, 2001]),
            },
        )
    )
    kind = draw(st.sampled_from([EventKind.STATUS, EventKind.STATUS, EventKind.ERROR, EventKind.PRESENCE]))
    if kind is EventKind.PRESENCE:
        return status(minute, {"online": draw(st.booleans())}, kind=kind, clock=TimeSource.ARRIVAL)
    if kind is EventKind.ERROR:
        values = {"code": draw(st.sampled_from(["E5", "0", "E99"]))}
    return status(minute, values, kind=kind, retained=draw(st.sampled_from([False, False, False, True])))


@st.composite
def histories(draw: st.DrawFn) -> list[Input]:
    minutes = sorted(draw(st.lists(st.integers(0, 400), max_size=25)))
    items: list[Input] = []
    for minute in minutes:
        what = draw(st.sampled_from(["event"] * 8 + ["sweep", "serviced"]))
        if what == "sweep":
            items.append(Sweep("f1", at(minute)))
        elif what == "serviced":
            items.append(Serviced("f1", "filter", at(minute)))
        else:
            items.append(draw(events(minute)))
    return items


def straight(items: list[Input]) -> tuple[DeviceState, list[Fact]]:
    return DETECTOR.run(context(), DeviceState(), items, until=at(600))


@given(histories(), st.lists(st.integers(0, 25), max_size=4))
def test_any_batching_gives_the_same(items: list[Input], cuts: list[int]) -> None:
    state, facts = DeviceState(), []
    edges = sorted({0, *(min(cut, len(items)) for cut in cuts), len(items)})
    for begin, end in pairwise(edges):
        state, made = DETECTOR.run(context(), state, items[begin:end])
        facts += made
    state, made = DETECTOR.advance(context(), state, at(600))
    assert (state, facts + made) == straight(items)


@given(histories())
def test_stopping_and_restarting_after_every_input_changes_nothing(items: list[Input]) -> None:
    assert facts_of(DETECTOR, items, until=600) == straight(items)[1]


@given(histories())
def test_ticks_handed_in_late_change_no_fact(items: list[Input]) -> None:
    """Without a scheduler, the next event itself lets the timers before it act at their own times."""
    state, facts = DeviceState(), []
    for item in items:
        state, made = DETECTOR.detect(context(), state, item)
        facts += made
    facts += DETECTOR.advance(context(), state, at(600))[1]
    assert by_rule(facts) == by_rule(straight(items)[1])


def by_rule(facts: list[Fact]) -> list[Fact]:
    # A sweep lets no timer act: whose turn came first among different rules is not the point.
    return sorted(facts, key=lambda fact: (fact.rule, fact.at))


@given(histories(), st.data())
def test_redelivered_events_change_no_rule(items: list[Input], data: st.DataObject) -> None:
    repeated: list[Input] = []
    for item in items:
        repeated.append(item)
        if isinstance(item, Event) and item.time_source is TimeSource.DEVICE and data.draw(st.booleans()):
            repeated.append(item)
    once, facts = straight(items)
    twice, facts_twice = straight(repeated)
    assert facts_twice == facts
    assert twice.twin == once.twin
    assert {name: state.alerts for name, state in twice.rules.items()} == {
        name: state.alerts for name, state in once.rules.items()
    }


def test_a_duplicate_is_counted_as_such_and_as_nothing_else() -> None:
    said = status(5, {"code": "E99", "temperature": "n/a"})
    once, _ = DETECTOR.run(context(), DeviceState(), [said])
    twice, _ = DETECTOR.run(context(), once, [said])
    assert twice.counters == {"duplicate": 1}
    assert (twice.rules, twice.unsampled) == (once.rules, once.unsampled)


@given(histories(), st.data())
def test_late_events_are_history_only(items: list[Input], data: st.DataObject) -> None:
    with_late: list[Input] = []
    watermark = None
    for item in items:
        with_late.append(item)
        if isinstance(item, Event) and item.time_source is TimeSource.DEVICE and not item.retained:
            watermark = item.observed_at
        if watermark is not None and isinstance(item, Event) and data.draw(st.booleans()):
            late = temperature(0, data.draw(st.sampled_from([-30.0, 20.0])))
            # It arrives together with what is on time, so that it is no sign of life of its own.
            with_late.append(replace(late, observed_at=watermark - MINUTE, received_at=item.received_at))
    heard = [e for e in items if isinstance(e, Event) and e.kind is not EventKind.PRESENCE and not e.retained]
    silence = {"silent"} if len(heard) < len(items) else set()
    expected = [fact for fact in straight(items)[1] if fact.rule not in silence]
    assert [fact for fact in straight(with_late)[1] if fact.rule not in silence] == expected


def test_a_late_event_is_counted() -> None:
    state, _ = DETECTOR.run(context(), DeviceState(), [temperature(9, -18), temperature(3, 20, arrives=9)])
    assert state.counters == {"late": 1}
    assert state.twin.values["temperature"] == -18


def test_several_messages_of_one_second_all_count() -> None:
    made = detector("{id: warm-open, kind: condition, when: door_open && temperature > -12}")
    messages = [temperature(0, -18), temperature(5, -18), status(5, {"door_open": True}), temperature(5, -5)]
    assert told(facts_of(made, messages)) == [("warm-open", "firing", 5)]


@given(histories(), histories(), st.data())
def test_interleaving_devices_changes_nothing(one: list[Input], other: list[Input], data: st.DataObject) -> None:
    states = {"a": DeviceState(), "b": DeviceState()}
    facts: dict[str, list[Fact]] = {"a": [], "b": []}
    queues = {"a": list(one), "b": list(other)}
    while queues["a"] or queues["b"]:
        name = data.draw(st.sampled_from([n for n in ("a", "b") if queues[n]]))
        states[name], made = DETECTOR.run(context(), states[name], [queues[name].pop(0)])
        facts[name] += made
    for name, items in (("a", one), ("b", other)):
        assert facts[name] + DETECTOR.advance(context(), states[name], at(600))[1] == straight(items)[1]


PATIENT = FREEZER.model_copy(update={"lateness": timedelta(minutes=30)})


@given(st.lists(st.sampled_from([-18.0, -14.0, -11.0]), min_size=1, max_size=20), st.data())
def test_a_backlog_within_lateness_gives_the_same_cases_in_any_order(values: list[float], data: st.DataObject) -> None:
    made = detector(TOO_WARM, profile=PATIENT)
    device = context(profile=PATIENT)
    in_order = [temperature(m, value) for m, value in enumerate(values)]
    shuffled = data.draw(st.permutations(in_order))
    arrived = [replace(event, received_at=at(40)) for event in shuffled]
    _, live = made.run(device, DeviceState(), in_order, until=at(200))
    _, backlog = made.run(device, DeviceState(), arrived, until=at(300))
    # Whether it was so on arrival is about arriving, which is what differs here.
    assert [(state, minute) for _, state, minute in told(backlog)] == [(s, m) for _, s, m in told(live)]


def test_what_is_older_than_the_newest_by_lateness_is_waited_for_no_longer() -> None:
    made = detector("{id: warm, kind: condition, when: temperature > -12}", profile=PATIENT)
    for newest, expected in ((29, []), (30, [("warm", "firing", 0)])):
        said = [temperature(0, -5), temperature(newest, -18, arrives=10)]
        assert told(made.run(context(profile=PATIENT), DeviceState(), said)[1]) == expected


def test_held_events_survive_a_restart_and_are_let_go_by_a_tick() -> None:
    made = detector("{id: warm, kind: condition, when: temperature > -12}", profile=PATIENT)
    device = context(profile=PATIENT)
    state, facts = made.run(device, DeviceState(), [temperature(0, -18), temperature(3, -5)])
    assert facts == []
    state = DeviceState.from_json(json.loads(json.dumps(state.to_json())))
    assert state.due_at == at(30)
    assert told(made.advance(device, state, at(60))[1]) == [("warm", "firing", 3)]


def test_beyond_lateness_an_event_is_late() -> None:
    made = detector("{id: warm, kind: condition, when: temperature > -12}", profile=PATIENT)
    device = context(profile=PATIENT)
    state, facts = made.run(
        device,
        DeviceState(),
        [temperature(0, -18), temperature(60, -18), temperature(29, -5, arrives=60)],
        until=at(200),
    )
    # 29 was already behind the frontier at 30, but nothing later than 0 was taken in: it still finds its place.
    assert told(facts) == [("warm", "firing", 29), ("warm", "resolved", 60)]
    state, facts = made.run(device, state, [temperature(45, -5, arrives=201)], until=at(400))
    assert (facts, state.counters) == ([], {"late": 1})


def test_one_clock_in_the_future_makes_the_other_clock_of_the_device_no_later() -> None:
    ahead = temperature(9, -18, arrives=0)
    on_arrival = status(1, {"temperature": -5.0}, clock=TimeSource.ARRIVAL)
    state, _ = DETECTOR.run(context(), DeviceState(), [ahead, on_arrival])
    assert "late" not in state.counters


def slow(minute: float, value: float) -> Event:
    """A status of a device whose clock is an hour slow."""
    return replace(temperature(minute - 60, value), received_at=at(minute))


def located(minute: float, *, arrives: float | None = None) -> Event:
    received = at(minute if arrives is None else arrives)
    position = Position(52.5, 13.4, accuracy_m=8.0)
    return Event("f1", EventKind.LOCATION, at(minute), received, TimeSource.DEVICE, "native", position=position)


@given(st.lists(st.integers(1, 59), max_size=6))
def test_fixes_that_gps_stamps_do_not_stop_the_time_of_a_device_whose_clock_is_slow(minutes: list[int]) -> None:
    said = [slow(0, -18), *(slow(m, -5.0) for m in range(10, 60, 5))]
    with_fixes = sorted([*said, *map(located, minutes)], key=lambda event: event.received_at)
    for items in (said, with_fixes):
        assert told(facts_of(detector(TOO_WARM), items, 300)) == [
            ("too-warm", "pending", -50),
            ("too-warm", "firing", -40),
        ]


def test_a_slow_clock_delays_no_alert_by_what_it_is_slow() -> None:
    made = detector(TOO_WARM)
    state, _ = made.run(context(), DeviceState(), [slow(0, -18), located(2), slow(10, -5), located(11)])
    # Pending since ten past by our clock, due ten minutes later by our clock.
    assert state.due_at == at(20)


def test_a_clock_that_is_set_right_by_an_hour_is_a_gap_and_no_hour_of_holding() -> None:
    made = detector(TOO_WARM.replace("10m", "30m"))
    said = [slow(0, -18), slow(5, -5), temperature(6, -5), temperature(30, -5), temperature(37, -5)]
    assert told(facts_of(made, said)) == [
        ("too-warm", "pending", -55),
        ("too-warm", "inactive", -40),
        ("too-warm", "pending", 6),
        ("too-warm", "inactive", 21),
        ("too-warm", "pending", 30),
    ]


def test_a_clock_that_is_set_back_makes_what_follows_late_until_it_has_caught_up_and_says_so() -> None:
    said = [temperature(0, -18), temperature(9, -18, arrives=0), temperature(1, -5, arrives=1), temperature(10, -5)]
    state, facts = detector(TOO_WARM).run(context(), DeviceState(), said)
    assert told(facts) == [("too-warm", "pending", 10)]
    assert state.counters == {"late": 1}
    assert state.presence.last_heard_at == at(10)


@given(st.permutations(list(range(12))), st.integers(0, 11))
def test_a_backlog_in_any_order_never_moves_time_back(order: list[int], ahead: int) -> None:
    made = detector(TOO_WARM)
    state, last = DeviceState(), None
    for minute in order:
        state, _ = made.detect(context(), state, temperature(minute, -5.0, arrives=20 + ahead))
        assert last is None or state.rule_time is None or state.rule_time >= last
        last = state.rule_time
    assert state.counters.get("late", 0) == sum(minute < max(order[: n + 1]) for n, minute in enumerate(order))
