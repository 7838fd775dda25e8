"""Taking in the last sample of each quiet run gives what taking in every one gives."""

import json
from collections.abc import Mapping
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from device_models.event import Event, EventKind, TimeSource, Value
from device_models.profile import DeviceProfile
from rules.evaluator import Fact
from rules.inputs import DeviceContext
from rules.recordings.backtest import Backtest
from rules.state import DeviceState
from tests.rules.making import FREEZER, T0, TOO_WARM, context, detector

DURATIONS = st.sampled_from(["0s", "4m", "10m", "25m"])
WHEN = st.sampled_from(
    ["temperature > -12", "temperature > -12 && !door_open", "temperature > -12 || power > 50", "power > 50", "online"]
)
CLEAR = st.sampled_from([None, "temperature < -15", "power < 10", "!door_open"])
CONDITION = st.builds(
    lambda i, when, hold, clear, clear_for: (
        f"{{id: c{i}, kind: condition, profile: freezer, when: '{when}', for: {hold}, clear_for: {clear_for}"
        + (f", clear_when: '{clear}'}}" if clear else "}")
    ),
    st.integers(0, 10**9),
    WHEN,
    DURATIONS,
    CLEAR,
    DURATIONS,
)
OTHERS = st.sampled_from(
    [
        "{id: silent, kind: absent, profile: freezer, for: 12m}",
        "{id: codes, kind: error_code, profile: freezer, for: 4m}",
        "{id: service, kind: maintenance, profile: freezer}",
    ]
)
RULES = st.lists(st.one_of(CONDITION, CONDITION, OTHERS), min_size=1, max_size=4, unique_by=lambda rule: rule[:12])
VALUES: st.SearchStrategy[Mapping[str, Value]] = st.fixed_dictionaries(
    # -99 is outside what a freezer can have; a text is no sample.
    {"temperature": st.sampled_from([-18.0, -18.0, -18.5, -14.0, -11.0, -5.0, -99.0, "n/a"])},
    optional={
        "door_open": st.booleans(),
        "power": st.sampled_from([5.0, 60.0]),
        "code": st.sampled_from(["0", "E5", "17"]),
        "running_hours": st.sampled_from([10.0, 1900.0, 2100.0]),
    },
)
# Seconds to the next sample: mostly regular; repeated, late and long silent now and then.
GAPS = st.sampled_from([300, 300, 300, 300, 60, 240, 301, 0, -120, 900, 1500, 7200])
SERIES = st.lists(st.tuples(st.sampled_from("aab"), GAPS, VALUES), min_size=1, max_size=50)
LATENESS = st.sampled_from([timedelta(0), timedelta(0), timedelta(minutes=10)])


def by_device(facts: list[Fact]) -> dict[str, list[Fact]]:
    return {name: [fact for fact in facts if fact.device_id == name] for name in "ab"}


def one_by_one(
    rules: list[str], profile: DeviceProfile, events: list[Event]
) -> tuple[dict[str, list[Fact]], dict[str, DeviceState]]:
    made = detector(*rules, profile=profile)
    states: dict[str, DeviceState] = {}
    found: dict[str, list[Fact]] = {}
    for name in "ab":
        device = DeviceContext(context(name).device, profile, location_consent=True)
        mine = [event for event in events if event.device_id == name]
        until = mine[-1].received_at + timedelta(microseconds=1) if mine else None
        states[name], found[name] = made.run(device, DeviceState(), mine, until=until)
    return found, states


@settings(max_examples=400, deadline=None)
@given(RULES, SERIES, LATENESS)
def test_a_run_of_quiet_samples_gives_what_one_by_one_gives(
    rules: list[str], series: list[tuple[str, int, Mapping[str, Value]]], lateness: timedelta
) -> None:
    profile = FREEZER.model_copy(update={"lateness": lateness})
    backtest, events, at = Backtest(detector(*rules, profile=profile), profile), [], T0
    facts: list[Fact] = []
    for name, gap, values in series:
        at += timedelta(seconds=gap)
        events.append(Event(name, EventKind.STATUS, at, at, TimeSource.DEVICE, "csv", values))
        facts += backtest.take(name, at, values)
    facts += backtest.finish()
    expected, states = one_by_one(rules, profile, events)
    assert by_device(facts) == expected
    for name in {event.device_id for event in events}:
        reached = backtest.state(name)
        assert reached is not None
        assert json.dumps(reached[1].to_json(), sort_keys=True) == json.dumps(states[name].to_json(), sort_keys=True)


def test_quiet_samples_are_not_handed_in_one_by_one() -> None:
    made = detector(TOO_WARM)
    backtest, handed_in, detect = Backtest(made, FREEZER), [], made.detect

    def counting(device: DeviceContext, state: DeviceState, item: Event) -> tuple[DeviceState, list[Fact]]:
        handed_in.append(item)
        return detect(device, state, item)

    made.detect = counting  # type: ignore[method-assign, assignment]
    for minute in range(0, 5000, 5):
        backtest.take("a", T0 + timedelta(minutes=minute), {"temperature": -18.0})
    assert len(handed_in) < 10
    assert backtest.report()["samples"] == 1000


def test_late_and_repeated_samples_within_a_quiet_run_are_counted() -> None:
    backtest = Backtest(detector(TOO_WARM), FREEZER)
    for minute in (0, 5, 10, 15, 12, 20, 25, 25, 30, 35):
        backtest.take("a", T0 + timedelta(minutes=minute), {"temperature": -18.0})
    assert backtest.report()["not_counted"] == {"late": 1, "duplicate": 1}
