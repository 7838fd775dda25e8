from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_models.event import EventKind, Tick, TimeSource
from rules.state import DeviceState
from rules.transition import Transition
from tests.rules.making import FREEZER, TOO_WARM, at, context, detector, facts_of, status, temperature, told

DETECTOR = detector(TOO_WARM)
STALE_MIN = 15.0


def test_a_condition_fires_once_it_held_long_enough_and_resolves_below_the_clear_limit() -> None:
    samples = [temperature(m, t) for m, t in ((0, -18), (5, -11), (10, -10), (15, -9), (20, -13), (25, -16))]
    assert told(facts_of(DETECTOR, samples)) == [
        ("too-warm", "pending", 5),
        ("too-warm", "firing", 15),
        ("too-warm", "resolved", 25),
    ]


def test_a_dip_below_the_limit_starts_the_wait_anew() -> None:
    samples = [temperature(m, t) for m, t in ((0, -18), (5, -11), (10, -13), (12, -11), (17, -11), (21, -11))]
    assert told(facts_of(DETECTOR, samples)) == [
        ("too-warm", "pending", 5),
        ("too-warm", "inactive", 10),
        ("too-warm", "pending", 12),
    ]


def test_the_wait_ends_by_a_timer_when_no_further_message_comes() -> None:
    facts = facts_of(DETECTOR, [temperature(0, -18), temperature(5, -11)], until=60)
    assert told(facts) == [("too-warm", "pending", 5), ("too-warm", "firing", 15)]


def test_a_stale_value_completes_no_wait() -> None:
    made = detector(TOO_WARM.replace("10m", "20m"))
    facts = facts_of(made, [temperature(0, -18), temperature(5, -11)], until=120)
    assert told(facts) == [("too-warm", "pending", 5), ("too-warm", "inactive", 5 + STALE_MIN)]
    assert isinstance(facts[-1], Transition)
    assert facts[-1].explanation["reason"] == "stale"


def test_a_gap_in_the_data_does_not_count_as_holding() -> None:
    made = detector(TOO_WARM.replace("10m", "90m"))
    samples = [temperature(0, -18), temperature(5, -11), temperature(100, -11)]
    assert told(facts_of(made, samples)) == [
        ("too-warm", "pending", 5),
        ("too-warm", "inactive", 20),
        ("too-warm", "pending", 100),
    ]


def test_without_a_clear_condition_it_fires_for_as_long_as_it_holds() -> None:
    made = detector("{id: warm, kind: condition, when: temperature > -12}")
    samples = [temperature(m, t) for m, t in ((0, -12), (1, -11), (2, -11), (3, -12), (4, -11))]
    assert told(facts_of(made, samples, 60)) == [("warm", "firing", 1), ("warm", "resolved", 3), ("warm", "firing", 4)]


def test_a_value_completes_a_wait_that_ends_just_when_it_becomes_stale() -> None:
    made = detector(TOO_WARM.replace("10m", f"{STALE_MIN:g}m"))
    facts = facts_of(made, [temperature(0, -18), temperature(5, -11)], until=60)
    assert told(facts) == [("too-warm", "pending", 5), ("too-warm", "firing", 5 + STALE_MIN)]
    clearing = detector(TOO_WARM + f"clear_for: {STALE_MIN:g}m")
    warm = [temperature(m, -11) for m in (5, 10, 15)]
    facts = facts_of(clearing, [temperature(0, -18), *warm, temperature(20, -16)], until=90)
    assert told(facts)[-1] == ("too-warm", "resolved", 20 + STALE_MIN)


def test_clear_for_needs_the_clear_condition_to_hold() -> None:
    made = detector(TOO_WARM + "clear_for: 6m")
    values = ((0, -18), (5, -11), (10, -11), (15, -11), (20, -16), (22, -14), (25, -16), (30, -16))
    facts = facts_of(made, [temperature(m, t) for m, t in values], until=60)
    assert told(facts) == [("too-warm", "pending", 5), ("too-warm", "firing", 15), ("too-warm", "resolved", 31)]


def test_firing_goes_on_while_the_device_is_silent() -> None:
    samples = [temperature(m, -11) for m in (0, 5, 10, 15)]
    assert [state for _, state, _ in told(facts_of(DETECTOR, samples, until=10_000))] == ["pending", "firing"]


def test_the_explanation_tells_values_limit_and_duration() -> None:
    facts = facts_of(DETECTOR, [temperature(0, -18), temperature(5, -11), temperature(10, -9.5)], until=60)
    assert isinstance(facts[-1], Transition)
    explanation = facts[-1].explanation
    assert explanation["values"] == {"temperature": -9.5}
    assert explanation["units"] == {"temperature": "Cel"}
    assert (explanation["field"], explanation["limit"], explanation["direction"]) == ("temperature", -12.0, "above")
    assert explanation["since"] == "2026-03-01T08:05:00Z"
    assert explanation["held_s"] == 600.0
    assert explanation["condition"] == "temperature > -12"


@pytest.mark.parametrize("odd", ["n/a", True, 999.0])
def test_a_value_that_is_none_changes_nothing_and_is_explained(odd: object) -> None:
    state, facts = DETECTOR.run(context(), DeviceState(), [temperature(0, -18), temperature(5, -11)])
    after, more = DETECTOR.detect(context(), state, temperature(6, odd))  # type: ignore[arg-type]
    assert more == []
    assert after.rules == state.rules
    assert after.unsampled or after.counters == {"implausible.temperature": 1}
    assert told(facts) == [("too-warm", "pending", 5)]


def test_what_could_not_be_evaluated_is_counted_until_a_sample_counts_again() -> None:
    made = detector("{id: warm-open, kind: condition, when: door_open && temperature > -12}")
    state, _ = made.run(context(), DeviceState(), [status(0, {"door_open": True}), status(5, {"door_open": True})])
    assert (state.unsampled["warm-open"].reason, state.unsampled["warm-open"].count) == ("temperature is missing", 2)
    state, _ = made.run(context(), state, [status(6, {"temperature": -18.0})])
    assert not state.unsampled


def test_values_of_several_messages_are_seen_together() -> None:
    made = detector("{id: warm-open, kind: condition, when: door_open && temperature > -12}")
    facts = facts_of(made, [status(0, {"door_open": False}), temperature(1, -10), status(9, {"door_open": True})])
    assert told(facts) == [("warm-open", "firing", 9)]


def test_limits_are_in_the_profiles_unit_whatever_the_device_sends() -> None:
    fahrenheit = {"temperature": "[degF]"}
    samples = [status(m, {"temperature": 15.0}, units=fahrenheit) for m in (6, 8)]
    facts = facts_of(DETECTOR, [temperature(0, -18), *samples])
    assert told(facts) == [("too-warm", "pending", 6)]
    assert isinstance(facts[0], Transition)
    assert facts[0].explanation["values"]["temperature"] == pytest.approx(-9.444, abs=0.001)


def test_an_alias_of_the_profile_is_the_field() -> None:
    facts = facts_of(DETECTOR, [temperature(0, -18), status(6, {"DS18B20-1.Temperature": -5.0})])
    assert told(facts) == [("too-warm", "pending", 6)]


def test_what_was_so_on_arrival_says_so_until_it_clears() -> None:
    values = ((0, -5), (5, -5), (10, -5), (15, -16), (20, -5), (25, -5), (30, -5))
    facts = facts_of(DETECTOR, [temperature(m, t) for m, t in values])
    arrived = [(fact.state.value, fact.on_arrival) for fact in facts if isinstance(fact, Transition)]
    assert arrived == [
        ("pending", True),
        ("firing", True),
        ("resolved", True),
        ("pending", False),
        ("firing", False),
    ]


def test_a_fault_that_comes_later_is_not_found_on_arrival() -> None:
    facts = facts_of(DETECTOR, [temperature(0, -18), temperature(4, -5)])
    assert [fact.on_arrival for fact in facts if isinstance(fact, Transition)] == [False]


@pytest.mark.parametrize(("minute", "on_arrival"), [(5, True), (5.1, False)])
def test_a_device_arrives_for_one_reporting_interval(minute: float, on_arrival: bool) -> None:
    facts = facts_of(DETECTOR, [status(0, {"door_open": False}), temperature(minute, -5)])
    assert [fact.on_arrival for fact in facts if isinstance(fact, Transition)] == [on_arrival]


def test_retained_messages_seed_the_twin_and_open_nothing() -> None:
    made = detector("{id: warm-open, kind: condition, when: door_open && temperature > -12}")
    state, facts = made.run(context(), DeviceState(), [status(-500, {"door_open": True}, retained=True)])
    assert facts == []
    assert state.first_seen_at is None
    state, facts = made.run(context(), state, [temperature(1, -5)])
    assert told(facts) == [("warm-open", "firing", 1)]


def test_a_retained_message_never_overwrites_what_is_known() -> None:
    state, _ = DETECTOR.run(context(), DeviceState(), [temperature(5, -18), temperature(6, -5, retained=True)])
    assert state.twin.values["temperature"] == -18


def test_the_given_state_is_left_alone() -> None:
    state, _ = DETECTOR.run(context(), DeviceState(), [temperature(0, -18), temperature(5, -11)])
    before = state.to_json()
    DETECTOR.run(context(), state, [temperature(6, -18), temperature(7, -11, kind=EventKind.ERROR)], until=at(999))
    assert state.to_json() == before


def test_a_shadow_rules_transitions_are_marked() -> None:
    facts = facts_of(detector(TOO_WARM + "mode: shadow"), [temperature(0, -18), temperature(6, -5)])
    assert [fact.shadow for fact in facts if isinstance(fact, Transition)] == [True]


def test_a_slow_clock_has_its_timers_in_its_own_time() -> None:
    # The device is 30 minutes slow; its messages arrive at once.
    state, _ = DETECTOR.run(
        context(), DeviceState(), [temperature(0, -18, arrives=30), temperature(5, -11, arrives=35)]
    )
    assert state.due_at == at(45)
    state, facts = DETECTOR.detect(context(), state, Tick("f1", at(45)))
    assert told(facts) == [("too-warm", "firing", 15)]


def test_a_will_stamped_on_arrival_ends_no_timer_of_a_slow_clock() -> None:
    will = status(36, {"online": False}, kind=EventKind.PRESENCE, clock=TimeSource.ARRIVAL)
    samples = [temperature(0, -18, arrives=30), temperature(5, -11, arrives=35), will]
    assert told(facts_of(DETECTOR, [*samples, temperature(7, -13, arrives=37)])) == [
        ("too-warm", "pending", 5),
        ("too-warm", "inactive", 7),
    ]


@given(st.lists(st.floats(min_value=-15, max_value=-12), max_size=30), st.booleans())
def test_values_between_the_limits_neither_fire_nor_resolve(values: list[float], firing: bool) -> None:
    start = [temperature(0, -18), *([temperature(m, -5) for m in (5, 10, 15)] if firing else [])]
    facts = facts_of(DETECTOR, [*start, *(temperature(20 + 5 * i, value) for i, value in enumerate(values))])
    assert [state for _, state, _ in told(facts)] == (["pending", "firing"] if firing else [])


def oracle(samples: list[tuple[float, float]], hold: float, clear_for: float, end: float) -> list[tuple[str, float]]:
    """Decide minute by minute, on the step function the samples make, what ``too-warm`` does."""
    out: list[tuple[str, float]] = []
    phase, since, clear_since, value, seen = "inactive", 0.0, None, None, None
    by_minute = dict(samples)
    minute = 0.0
    while minute < end:
        fresh = by_minute.get(minute)
        if fresh is not None:
            value, seen = fresh, minute
        if value is not None and seen is not None:
            if fresh is not None and phase == "inactive" and value > -12:
                phase, since = "pending", minute
                out.append((phase, minute))
            elif fresh is not None and phase == "pending" and value <= -12:
                phase = "inactive"
                out.append((phase, minute))
            elif fresh is not None and phase == "firing":
                clear_since = None if value >= -15 else minute if clear_since is None else clear_since
            if phase == "pending" and minute - since >= hold:
                phase, clear_since = "firing", None
                out.append((phase, minute))
            elif phase == "pending" and minute - seen >= STALE_MIN:
                phase = "inactive"
                out.append((phase, minute))
            if phase == "firing" and clear_since is not None:
                if minute - clear_since >= clear_for:
                    phase = "inactive"
                    out.append(("resolved", minute))
                elif minute - seen >= STALE_MIN:
                    clear_since = None
        minute += 1
    return out


VALUES = st.sampled_from([-18.0, -15.0, -13.5, -12.0, -11.0])
SAMPLES = st.lists(st.tuples(st.integers(1, 200), VALUES), unique_by=lambda s: s[0], max_size=40).map(sorted)


@given(SAMPLES, st.sampled_from([0, 1, 10, 20]), st.sampled_from([0, 7]))
def test_detection_agrees_with_deciding_minute_by_minute(
    samples: list[tuple[int, float]], hold: int, clear_for: int
) -> None:
    made = detector(TOO_WARM.replace("10m", f"{hold}m") + f"clear_for: {clear_for}m")
    facts = facts_of(made, [temperature(m, t) for m, t in samples], until=300)
    expected = oracle([(float(m), t) for m, t in samples], hold, clear_for, 300)
    if hold == 0:
        expected = [entry for entry in expected if entry[0] != "pending"]
    assert [(state, minute) for _, state, minute in told(facts)] == expected


def test_a_profile_without_its_own_plan_still_works() -> None:
    profile = FREEZER.model_copy(update={"name": "freezer-xl", "reporting_interval": timedelta(minutes=1)})
    made = detector("{id: warm, kind: condition, when: temperature > -12}")
    facts = facts_of(made, [temperature(0, -18), temperature(2, -5)], device=context(profile=profile))
    assert told(facts) == [("warm", "firing", 2)]
