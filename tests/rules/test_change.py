import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from device_models.event import Event
from device_models.profile import DeviceProfile, FieldSpec
from rules.authoring.check import check_rules
from rules.kinds.change import ChangeRule
from rules.state import DeviceState
from rules.transition import AlertState, Transition
from tests.rules.making import at, context, detector, facts_of, ruleset, status, told
from tests.rules.saying import sentences

PUMP = DeviceProfile(
    name="pump",
    title={"en": "heat pump"},
    reporting_interval=timedelta(minutes=5),
    fields={
        "pressure": FieldSpec(title={"en": "Water pressure"}, unit="bar", decimals=2),
        "temperature": FieldSpec(title={"en": "Flow temperature"}, unit="Cel"),
        "compressor": FieldSpec(title={"en": "Compressor"}, type="bool"),
        "uptime": FieldSpec(title={"en": "Uptime"}, unit="s"),
        "boots": FieldSpec(title={"en": "Boots"}),
    },
)
LEAK = "{id: leak, kind: change, field: pressure, fall: 0.5, within: 2h}"
CYCLES = "{id: cycles, kind: change, count: 3, of: compressor, within: 30m}"
STUCK = "{id: stuck, kind: change, field: temperature, stuck_for: 1h, tolerance: 0.1, unless: '!compressor'}"


def found(rule: str, events: list[Event], until: float | None = None) -> list[Transition]:
    facts = facts_of(detector(rule, profile=PUMP), events, until, context(profile=PUMP))
    return [fact for fact in facts if isinstance(fact, Transition)]


def series(field: str, *samples: tuple[float, Any]) -> list[Event]:
    return [status(minute, {field: value}) for minute, value in samples]


def steadily(field: str, value: Any, begin: int, end: int) -> list[Event]:
    return series(field, *((minute, value) for minute in range(begin, end, 5)))


# ---- rise and fall


def test_a_fall_within_the_time_fires_and_tells_from_where_and_since_when() -> None:
    events = series("pressure", (0, 1.5), (30, 1.6), (60, 1.4), (90, 1.1), (95, 1.0))
    facts = found(LEAK, events)
    assert told(facts) == [("leak", "firing", 90)]
    explanation = facts[0].explanation
    assert (explanation["from"], explanation["change"], explanation["over_s"]) == (1.6, -0.5, 3600)
    assert explanation["since"] == "2026-03-01T08:30:00Z"
    assert (explanation["values"], explanation["units"]) == ({"pressure": 1.1}, {"pressure": "bar"})
    assert (explanation["field"], explanation["direction"]) == ("pressure", "below")
    assert explanation["condition"] == "pressure falls by 0.5 within 2h"
    assert "limit" not in explanation


@pytest.mark.parametrize(("last", "fires"), [(119, True), (120, True), (121, False)])
def test_the_window_holds_what_is_just_as_old_as_it_is_long(last: float, fires: bool) -> None:
    assert bool(found(LEAK, series("pressure", (0, 1.6), (last, 1.1)))) is fires


@pytest.mark.parametrize(("value", "fires"), [(1.1, True), (1.1001, False)])
def test_the_amount_itself_is_enough_as_people_reckon(value: float, fires: bool) -> None:
    # 1.6 - 1.1 is 0.5, and 0.3 - 0.2 is 0.1, though not in binary fractions.
    assert bool(found(LEAK, series("pressure", (0, 1.6), (60, value)))) is fires
    tenth = "{id: leak, kind: change, field: pressure, fall: 0.1, within: 2h}"
    assert found(tenth, series("pressure", (0, 0.3), (60, 0.2)))


def test_a_rise_is_no_fall_and_a_fall_no_rise() -> None:
    rise = LEAK.replace("fall", "rise")
    assert not found(LEAK, series("pressure", (0, 1.0), (60, 1.6)))
    assert not found(rise, series("pressure", (0, 1.6), (60, 1.0)))
    assert told(found(rise, series("pressure", (0, 1.0), (60, 1.6)))) == [("leak", "firing", 60)]


def test_it_is_over_when_the_value_came_half_of_the_way_back() -> None:
    events = series("pressure", (0, 1.6), (60, 1.0), (300, 1.0), (305, 1.29), (310, 1.31))
    facts = found(LEAK, events)
    assert told(facts) == [("leak", "firing", 60), ("leak", "resolved", 310)]
    assert "reason" not in facts[-1].explanation
    assert facts[-1].explanation["since"] == "2026-03-01T08:00:00Z"


def test_a_level_that_stays_becomes_the_normal_one() -> None:
    hours = [(60.0 * hour, 1.0) for hour in range(2, 30)]
    facts = found(LEAK, series("pressure", (0, 1.6), (60, 1.0), *hours))
    # Up to two hours after the start 1.6 is still in the window.
    assert told(facts) == [("leak", "firing", 60), ("leak", "resolved", 120 + 24 * 60)]
    assert facts[-1].explanation["reason"] == "settled"
    again = found(LEAK, series("pressure", (0, 1.6), (60, 1.0), *hours, (30 * 60, 0.4)))
    assert told(again)[-1] == ("leak", "firing", 30 * 60)


def test_clear_when_decides_alone_where_it_is_given() -> None:
    rule = LEAK.replace("}", ", clear_when: pressure >= 1.5, clear_for: 10m}")
    events = series("pressure", (0, 1.6), (60, 1.0), (70, 1.4), (80, 1.5), (84, 1.5), (88, 1.5), (92, 1.5))
    assert told(found(rule, events)) == [("leak", "firing", 60), ("leak", "resolved", 90)]


def test_for_demands_that_the_change_is_not_undone_at_once() -> None:
    rule = LEAK.replace("}", ", for: 10m}")
    glitch = series("pressure", (0, 1.6), (5, 0.2), (10, 1.6), (15, 1.6), (20, 1.6))
    assert told(found(rule, glitch)) == [("leak", "pending", 5), ("leak", "inactive", 10)]
    real = series("pressure", (0, 1.6), (5, 1.0), (10, 1.0))
    assert told(found(rule, real, until=30)) == [("leak", "pending", 5), ("leak", "firing", 15)]


def test_a_change_with_a_good_reason_is_in_order() -> None:
    rule = LEAK.replace("}", ", unless: compressor}")
    for running in (True, False):
        events = [status(0, {"pressure": 1.6, "compressor": running}), *series("pressure", (60, 1.0), (65, 1.0))]
        assert bool(found(rule, events)) is not running


# ---- rates


RATE = "{id: heats, kind: change, field: temperature, rate_below: 2, per: 1h, within: 30m}"


def test_a_rate_is_told_once_half_of_the_window_was_seen() -> None:
    rule = "{id: heats, kind: change, field: temperature, rate_above: 2, per: 1h, within: 30m}"
    facts = found(rule, series("temperature", (0, 20.0), (5, 21.0), (14, 21.0), (15, 21.0)))
    assert told(facts) == [("heats", "firing", 15)]
    assert (facts[0].explanation["rate"], facts[0].explanation["per_s"]) == (4.0, 3600)
    state, _ = detector(rule, profile=PUMP).run(
        context(profile=PUMP), DeviceState(), series("temperature", (0, 20.0), (14, 30.0))
    )
    assert state.unsampled["heats"].reason == "temperature was heard for 14m of 30m"


@pytest.mark.parametrize(
    ("setting", "rise", "fires"),
    [
        ("rate_above: 2", 1.0, False),
        ("rate_above: 2", 1.1, True),
        ("rate_below: -2", -1.0, False),
        ("rate_below: -2", -1.1, True),
        ("rate_below: 2", 1.0, False),
        ("rate_below: 2", 0.9, True),
        ("rate_above: -2", -1.0, False),
        ("rate_above: -2", -0.9, True),
    ],
)
def test_a_rate_is_held_against_its_limit_with_its_sign(setting: str, rise: float, fires: bool) -> None:
    rule = RATE.replace("rate_below: 2", setting)
    facts = found(rule, series("temperature", (0, 20.0), (30, 20.0 + rise)))
    assert bool(facts) is fires


def test_what_warms_too_slowly_is_not_said_to_cool() -> None:
    facts = found(RATE, series("temperature", (0, 20.0), (30, 20.5)))
    assert "direction" not in facts[0].explanation
    cooling = found(RATE.replace("2,", "-2,"), series("temperature", (0, 20.0), (30, 15)))
    assert cooling[0].explanation["direction"] == "below"


def test_a_rate_is_over_when_it_was_in_order_for_a_whole_window() -> None:
    events = series(
        "temperature", *((minute, 20.0 + (0 if minute <= 30 else (minute - 30) / 10)) for minute in range(0, 120, 5))
    )
    assert told(found(RATE, events)) == [("heats", "firing", 15), ("heats", "resolved", 70)]


# ---- how often


def test_a_condition_that_becomes_true_too_often_fires_and_resolves_after_a_quiet_window() -> None:
    events = series("compressor", *((minute, minute in (5, 15, 25)) for minute in range(0, 90, 5)))
    facts = found(CYCLES, events)
    assert told(facts) == [("cycles", "firing", 25), ("cycles", "resolved", 55)]
    assert (facts[0].explanation["count"], facts[0].explanation["since"]) == (3, "2026-03-01T08:05:00Z")
    assert "field" not in facts[0].explanation


def test_what_was_true_from_the_first_and_what_stays_true_is_no_becoming() -> None:
    said = ((0, True), (5, False), (10, True), (15, True), (20, False), (25, True))
    assert not found(CYCLES, series("compressor", *said))
    assert found(CYCLES, series("compressor", (-1, False), *said))


def test_occurrences_further_apart_than_the_window_do_not_add_up() -> None:
    events = series("compressor", *((minute, minute in (5, 25, 36)) for minute in range(40)))
    assert not found(CYCLES, events)
    assert found(CYCLES, series("compressor", *((minute, minute in (5, 25, 35)) for minute in range(40))))


def test_a_gap_in_the_data_is_no_quiet() -> None:
    events = steadily("compressor", False, 0, 5) + series(
        "compressor", (5, True), (6, False), (7, True), (8, False), (9, True), (10, False)
    )
    facts = found(CYCLES, events + steadily("compressor", False, 300, 340))
    assert told(facts) == [("cycles", "firing", 9), ("cycles", "resolved", 330)]


def test_a_counter_that_falls_is_a_restart_and_one_in_a_gap_shows_by_the_uptime() -> None:
    rule = "{id: loops, kind: change, field: uptime, restarts: 2, within: 2h}"
    fell = series("uptime", (0, 90_000), (5, 200), (10, 500), (15, 100))
    assert told(found(rule, fell)) == [("loops", "firing", 15)]
    # Up for 400 s after 20 minutes: it started in between, though 400 is more than 100.
    hidden = series("uptime", (0, 90_000), (5, 100), (25, 400))
    assert told(found(rule, hidden)) == [("loops", "firing", 25)]
    late = series("uptime", (0, 90_000), (5, 100), (11.9, 400))
    assert not found(rule, late)
    boots = rule.replace("uptime", "boots")
    assert not found(boots, series("boots", (0, 7), (60, 8), (70, 9), (75, 10)))


# ---- stuck


def test_a_value_that_does_not_change_for_too_long_is_stuck_until_it_moves() -> None:
    events = [status(0, {"compressor": True}), *steadily("temperature", 21.0, 0, 60)]
    assert not found(STUCK, events)
    facts = found(STUCK, [*events, *series("temperature", (60, 21.1), (65, 21.0), (70, 21.2))])
    assert told(facts) == [("stuck", "firing", 60), ("stuck", "resolved", 70)]
    assert facts[0].explanation["since"] == "2026-03-01T08:00:00Z"
    assert (facts[0].explanation["stuck_at"], facts[0].explanation["stuck_s"]) == (21.0, 3600)


def test_what_stands_still_with_good_reason_is_not_stuck_and_begins_anew_after() -> None:
    off = [status(minute, {"compressor": False, "temperature": 21.0}) for minute in range(0, 120, 5)]
    on = [status(minute, {"compressor": True, "temperature": 21.0}) for minute in range(120, 185, 5)]
    assert told(found(STUCK, off + on)) == [("stuck", "firing", 115 + 60 + 5)]
    # The reason may come in a message of its own.
    switched = [
        *on,
        status(186, {"compressor": False}),
        status(187, {"compressor": True}),
        status(190, {"temperature": 21.0}),
    ]
    assert told(found(STUCK, switched)) == [("stuck", "firing", 180), ("stuck", "resolved", 186)]


def test_silence_is_not_standing_still() -> None:
    events = [status(0, {"compressor": True}), *series("temperature", (0, 21.0), (200, 21.0), (205, 21.0))]
    assert not found(STUCK, events, until=1000)


# ---- missing values, edits


def test_what_is_no_number_changes_nothing_and_is_explained() -> None:
    made = detector(LEAK, profile=PUMP)
    state, _ = made.run(context(profile=PUMP), DeviceState(), series("pressure", (0, 1.6)))
    for odd in ("n/a", True):
        after, facts = made.run(context(profile=PUMP), state, series("pressure", (5, odd)))
        assert (facts, after.rules) == ([], state.rules)
        assert "no number" in after.unsampled["leak"].reason


def test_a_reason_that_cannot_be_told_is_no_sample() -> None:
    made = detector(STUCK, profile=PUMP)
    state, _ = made.run(context(profile=PUMP), DeviceState(), steadily("temperature", 21.0, 0, 200))
    assert state.unsampled["stuck"].reason == "compressor is missing"
    assert not state.rules


def test_an_edit_keeps_the_window_and_what_fires_and_forgets_samples_of_another_field() -> None:
    made = detector(LEAK, profile=PUMP)
    events = series("pressure", (0, 1.6), (60, 1.3))
    state, facts = made.run(context(profile=PUMP), DeviceState(), events)
    assert facts == []
    lower = detector(LEAK.replace("0.5", "0.4"), profile=PUMP)
    _, facts = lower.run(context(profile=PUMP), state, series("pressure", (65, 1.2)))
    assert told(facts) == [("leak", "firing", 65)]
    other = detector(LEAK.replace("pressure", "temperature"), profile=PUMP)
    state, facts = other.run(context(profile=PUMP), state, series("temperature", (65, 0.9), (70, 0.8)))
    assert facts == []
    fired, _ = made.run(context(profile=PUMP), DeviceState(), series("pressure", (0, 1.6), (60, 1.0)))
    kept, facts = lower.run(context(profile=PUMP), fired, series("pressure", (65, 1.0)))
    assert facts == []
    assert kept.rules["leak"].alerts[""].state is AlertState.FIRING


def test_explain_tells_what_the_window_says_now() -> None:
    made = detector(LEAK, profile=PUMP)
    state, _ = made.run(context(profile=PUMP), DeviceState(), series("pressure", (0, 1.6), (60, 1.3)))
    explained = made.evaluators(PUMP)["leak"].explain(context(profile=PUMP), state.rules["leak"], at(61))
    assert explained["condition"] == "pressure falls by 0.5 within 2h"
    assert explained["window"]["change"] == -0.3
    assert made.evaluators(PUMP)["leak"].explain(context(profile=PUMP), None, at(61))["window"] == {
        "why_not": "nothing was heard yet"
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "says no change; it takes one of rise, fall"),
        ({"field": "p", "rise": 1, "fall": 1, "within": "1h"}, "has rise and fall"),
        ({"rise": 1, "within": "1h"}, "rise needs field"),
        ({"field": "p", "rise": 1}, "rise needs within"),
        ({"count": 3, "within": "1h"}, "count needs of"),
        ({"field": "p", "count": 3, "of": "p > 1", "within": "1h"}, "field is no setting of count"),
        ({"field": "p", "stuck_for": "1h", "within": "1h"}, "within is no setting of stuck_for"),
        ({"field": "p", "rise": 1, "within": 0}, "within must be longer than 0"),
        ({"field": "p", "rise": -1, "within": "1h"}, "greater than 0"),
    ],
)
def test_settings_that_do_not_go_together_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ChangeRule.model_validate({"id": "a", **settings})


def test_the_customer_reads_by_how_much_and_how_often() -> None:
    leak = found(LEAK, series("pressure", (0, 1.6), (60, 1.1)))[0]
    warm = found(
        "{id: warm, kind: change, field: temperature, rise: 5, within: 30m}", series("temperature", (0, 20), (20, 26))
    )[0]
    cycles = found(CYCLES, series("compressor", *((minute, minute in (5, 15, 25)) for minute in range(0, 30, 5))))[0]
    assert sentences(leak, "Pressure falls") == [
        "Your product: Pressure falls, now 1.1 bar, down by 0.5 bar within 1 hr.",
        "Ihr Gerät: Pressure falls, jetzt 1,1 bar, um 0,5 bar gefallen innerhalb von 1 Std.",
        "جهازك: Pressure falls، الآن 1.1 بار، بانخفاض 0.5 بار خلال 1 س.",
    ]
    assert sentences(warm, "")[0] == "Your product has warmed to 26 °C, up by 6 °C within 20 mins."
    assert sentences(cycles, "It starts too often")[:2] == [
        "Your product: It starts too often, 3 times within 30 mins.",
        "Ihr Gerät: It starts too often, 3 Mal innerhalb von 30 Min.",
    ]


# ---- properties

RULES = (
    LEAK,
    LEAK.replace("}", ", for: 20m, unless: compressor}"),
    RATE.replace("temperature", "pressure"),
    CYCLES,
    "{id: loops, kind: change, field: uptime, restarts: 2, within: 2h}",
    STUCK.replace("temperature", "pressure"),
)
MOMENTS = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.fixed_dictionaries(
            {},
            optional={
                "pressure": st.sampled_from([0.5, 0.9, 1.0, 1.4, 1.6]),
                "compressor": st.booleans(),
                "uptime": st.integers(0, 5000),
            },
        ),
    ),
    max_size=40,
)


def events_of(moments: list[tuple[int, dict[str, Any]]]) -> list[Event]:
    minute, events = 0, []
    for gap, values in moments:
        minute += gap
        events.append(status(minute, values))
    return events


def run_in_batches(events: list[Event], restart: Callable[[int], bool]) -> tuple[dict[str, Any], list[Any]]:
    made, facts, state = detector(*_with_ids(), profile=PUMP), [], DeviceState()
    for i, event in enumerate(events):
        if restart(i):
            state = DeviceState.from_json(json.loads(json.dumps(state.to_json())))
        state, more = made.run(context(profile=PUMP), state, [event])
        facts += more
    return state.to_json(), facts


def _with_ids() -> list[str]:
    return [rule.replace("{id: ", f"{{id: r{i}-") for i, rule in enumerate(RULES)]


@given(MOMENTS)
def test_a_restart_anywhere_and_duplicates_change_nothing(moments: list[tuple[int, dict[str, Any]]]) -> None:
    events = events_of(moments)
    assert run_in_batches(events, lambda i: True) == run_in_batches(events, lambda i: False)
    twice = [event for event in events for _ in range(2)]
    assert run_in_batches(twice, lambda i: False)[1] == run_in_batches(events, lambda i: False)[1]


@given(MOMENTS)
def test_states_follow_one_another_as_they_must(moments: list[tuple[int, dict[str, Any]]]) -> None:
    follows = {
        None: {AlertState.PENDING, AlertState.FIRING},
        AlertState.PENDING: {AlertState.FIRING, AlertState.INACTIVE},
        AlertState.FIRING: {AlertState.RESOLVED},
        AlertState.RESOLVED: {AlertState.PENDING, AlertState.FIRING},
        AlertState.INACTIVE: {AlertState.PENDING, AlertState.FIRING},
    }
    last: dict[str, Transition] = {}
    for fact in run_in_batches(events_of(moments), lambda i: False)[1]:
        before = last.get(fact.rule)
        assert fact.state in follows[before.state if before else None]
        assert before is None or before.at <= fact.at
        last[fact.rule] = fact


@given(MOMENTS)
def test_a_fall_fires_just_where_brute_force_sees_one(moments: list[tuple[int, dict[str, Any]]]) -> None:
    events = events_of(moments)
    seen: list[tuple[float, float]] = []
    expected = None
    for event in events:
        if "pressure" in event.values:
            minute = (event.observed_at - at(0)).total_seconds() / 60
            seen.append((minute, float(event.values["pressure"])))
            highest = max(value for when, value in seen if when >= minute - 120)
            if expected is None and highest - seen[-1][1] > 0.5 - 1e-9:
                expected = minute
    first = next((minute for _, state, minute in told(found(LEAK, events)) if state == "firing"), None)
    assert first == expected


def test_rules_check_knows_the_fields_of_a_change() -> None:
    made = ruleset(
        LEAK.replace("pressure", "presure"),
        CYCLES.replace("of: compressor", "of: compresor"),
        "{id: word, kind: change, field: compressor, stuck_for: 1h}",
        STUCK.replace("'!compressor'", "compressor == 1"),
    )
    said = [(error.line, error.field, error.message) for error in check_rules(made, {"pump": PUMP})]
    assert [line for line, _, _ in said] == [3, 5, 7, 9]
    assert "did you mean 'pressure'?" in said[0][2]
    assert "did you mean 'compressor'?" in said[1][2]
    assert "is no number" in said[2][2]
    assert "is true or false and is compared with a number" in said[3][2]


def test_an_uptime_that_is_reported_twice_alike_is_no_restart() -> None:
    made = detector("{id: loops, kind: change, field: uptime, restarts: 1, within: 2h}", profile=PUMP)
    said = [status(m, {"uptime": 3600.0}) for m in (0, 0.5)]
    assert facts_of(made, said, device=context(profile=PUMP)) == []
