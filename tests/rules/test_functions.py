"""What conditions call: time, history and the profile, held to a plain reckoning over all samples."""

import json
import operator
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_models.event import Event, EventKind, TimeSource
from device_models.profile import DeviceProfile
from rules.authoring.check import check_rules
from rules.conditions.functions import FUNCTIONS
from rules.conditions.local_time import next_turn
from rules.detect import Detector
from rules.explain import explain
from rules.expression import ExpressionError, Limit, compile_expression
from rules.inputs import DeviceContext
from rules.state import DeviceState
from rules.transition import Transition
from rules.windows import MOST_ROWS
from tests.rules.making import FREEZER, MINUTE, T0, at, context, detector, facts_of, ruleset, status, temperature, told

PATIENT = FREEZER.model_copy(update={"reporting_interval": timedelta(days=2)})
"""Never stale within these tests."""


def rule(when: str, **more: object) -> str:
    settings = "".join(f", {name}: {value}" for name, value in more.items())
    return f"{{id: r, kind: condition, profile: freezer, when: '{when}'{settings}}}"


def states(
    when: str, items: Sequence[Event], until: float, profile: DeviceProfile = FREEZER, **more: object
) -> list[tuple[str, float]]:
    made = detector(rule(when, **more), profile=profile)
    return [(s, m) for _, s, m in told(facts_of(made, items, until, context(profile=profile)))]


def test_an_age_fires_by_a_timer_when_no_further_message_comes() -> None:
    said = [status(0, {"door_open": False}), status(5, {"door_open": True}), status(8, {"door_open": True})]
    assert states('door_open && age("door_open") > duration("30m")', said, 500) == [("firing", 35)]


def test_of_two_ages_in_one_condition_each_has_its_timer() -> None:
    said = [status(0, {"door_open": True, "state": "a"})]
    both = 'age("door_open") >= duration("10m") && age("state") >= duration("20m")'
    assert states(both, said, 60) == [("firing", 20)]


def test_a_value_that_changes_begins_its_age_anew_and_one_that_is_repeated_does_not() -> None:
    said = [status(m, {"state": s}) for m, s in ((0, "a"), (8, "a"), (9, "b"), (15, "b"))]
    assert states('age("state") >= duration("10m")', said, 60) == [("firing", 19)]
    other = [status(m, {"state": s}) for m, s in ((0, "a"), (5, "b"), (12, "a"))]
    assert states('age("state") >= duration("10m")', other, 15) == []


def test_true_and_one_are_different_values_for_an_age() -> None:
    said = [status(0, {"code": True}), status(5, {"code": 1})]
    assert states('age("code") >= duration("8m")', said, 60) == [("firing", 13)]


def test_what_was_not_heard_for_long_is_noticed_while_the_device_is_silent_or_says_other_things() -> None:
    said = [temperature(0, -18), *[status(m, {"power": 3.0}) for m in range(5, 90, 5)], temperature(200, -18)]
    assert states('heard_age("temperature") > duration("1h")', said, 210) == [("firing", 60), ("resolved", 200)]


def test_a_count_falls_as_time_passes_while_the_device_is_heard() -> None:
    errors = [status(m, {"code": "E5"}) for m in (0, 10, 20)]
    alive = [temperature(m, -18) for m in range(25, 120, 5)]
    assert states('count("code", "1h") >= 3', [*errors, *alive], 300) == [("firing", 20), ("resolved", 60)]


def test_nothing_is_concluded_of_a_silent_device_until_its_next_sign_of_life() -> None:
    errors = [status(m, {"code": "E5"}) for m in (0, 10, 20)]
    assert states('count("code", "1h") >= 3', errors, 300) == [("firing", 20)]
    beat = status(100, {}, kind=EventKind.STATUS)
    assert states('count("code", "1h") >= 3', [*errors, beat], 300) == [("firing", 20), ("resolved", 100)]
    will = status(100, {"online": False}, kind=EventKind.PRESENCE, clock=TimeSource.ARRIVAL)
    assert states('count("code", "1h") >= 3', [*errors, will], 300) == [("firing", 20)]


def test_a_word_is_good_until_it_is_three_reporting_intervals_old_and_no_longer() -> None:
    errors = [status(m, {"code": "E5"}) for m in (0, 1, 2)]
    assert states('count("code", "17m") >= 3', errors, 300) == [("firing", 2), ("resolved", 17)]
    assert states('count("code", "18m") >= 3', errors, 300) == [("firing", 2)]


def test_an_extreme_leaves_its_window_by_a_timer() -> None:
    said = [temperature(m, t) for m, t in ((0, -18), (5, -5), (10, -18))]
    assert states('max("temperature", "10m") > -10', said, 60) == [("firing", 5), ("resolved", 15)]
    assert states('min("temperature", "10m") < -17', [temperature(0, -18), temperature(4, -5)], 60) == [
        ("firing", 0),
        ("resolved", 10),
    ]


@pytest.mark.parametrize(("op", "limit"), [(">", -5.5), (">=", -5)])
def test_an_extreme_that_just_reaches_its_limit_leaves_likewise(op: str, limit: float) -> None:
    said = [temperature(m, t) for m, t in ((0, -18), (5, -5), (10, -18))]
    assert states(f'max("temperature", "10m") {op} {limit}', said, 60) == [("firing", 5), ("resolved", 15)]


def test_a_rate_is_known_once_half_of_its_time_was_heard() -> None:
    said = [status(m, {"power": 10.0 * m}) for m in range(0, 40, 5)]
    assert states('rate("power", "60m") > 500', said, 39) == [("firing", 30)]


def test_an_hour_strikes_in_the_devices_zone() -> None:
    berlin = context(profile=PATIENT, zone=ZoneInfo("Europe/Berlin"))
    made = detector(rule("door_open && hour_local() >= 22"), profile=PATIENT)
    said = [status(0, {"door_open": True})]
    day = 24 * 60
    # T0 is 08:00 UTC, 09:00 in Berlin in winter: 22:00 there is 13 hours later, midnight two more.
    assert told(facts_of(made, said, 2 * day, berlin)) == [
        ("r", "firing", 13 * 60),
        ("r", "resolved", 15 * 60),
        ("r", "firing", day + 13 * 60),
        ("r", "resolved", day + 15 * 60),
    ]


def test_a_list_of_hours_and_days_is_met_by_timers_too() -> None:
    # 1 March 2026 is a Sunday.
    said = [status(0, {"door_open": True})]
    assert states("door_open && weekday_local() in [6, 7]", said, 60 * 24, PATIENT) == [
        ("firing", 0),
        ("resolved", 16 * 60),
    ]
    assert states("door_open && hour_local() in [10]", said, 60 * 12, PATIENT) == [("firing", 120), ("resolved", 180)]


def test_a_night_that_turns_its_clocks_has_each_hour_when_the_clock_says_so() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    # Clocks go from 02:00 to 03:00 on 29 March 2026 at 01:00 UTC: there is no hour 2.
    before = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    assert next_turn("hour_local", ">=", 2.0, before, berlin) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert next_turn("hour_local", "==", 2.0, before, berlin) == datetime(2026, 3, 30, 0, tzinfo=UTC)
    # And back from 03:00 to 02:00 on 25 October at 01:00 UTC: hour 2 lasts twice as long.
    autumn = datetime(2026, 10, 25, 0, 10, tzinfo=UTC)
    assert next_turn("hour_local", "==", 2.0, autumn, berlin) == datetime(2026, 10, 25, 2, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Chatham"])
def test_hours_begin_where_the_zone_begins_them(zone: str) -> None:
    where, moment = ZoneInfo(zone), datetime(2026, 4, 4, tzinfo=UTC)
    turn = next_turn("hour_local", None, None, moment, where)
    assert turn is not None
    just_before = turn - timedelta(microseconds=1)
    assert turn.astimezone(where).hour != just_before.astimezone(where).hour


def test_an_hour_that_never_comes_has_no_timer() -> None:
    assert next_turn("hour_local", ">", 24.0, T0, ZoneInfo("UTC")) is None


def test_a_clear_condition_is_moved_by_time_as_well() -> None:
    said = [temperature(0, -18), *[temperature(m, -5) for m in range(5, 60, 5)]]
    clear = '\'age("door_open") > duration("40m")\''
    door = status(0, {"door_open": False})
    assert states("temperature > -12", [door, *said[:5]], 300, clear_when=clear) == [("firing", 5), ("resolved", 40)]


def test_a_nominal_value_is_the_profiles_and_draws_a_limit() -> None:
    spec = FREEZER.fields["temperature"].model_copy(update={"nominal": -18.0})
    profile = FREEZER.model_copy(update={"fields": {**FREEZER.fields, "temperature": spec}})
    source = 'temperature > nominal("temperature") + 5'
    assert states(source, [temperature(0, -14), temperature(1, -12.9)], 60, profile) == [("firing", 1)]
    assert compile_expression(source, profile).limits == (Limit("temperature", -13.0, "above"),)


def test_what_is_not_known_is_no_sample_and_says_which() -> None:
    made = detector(rule('door_open && avg("temperature", "1h") > -12'))
    state, facts = made.run(context(), DeviceState(), [status(0, {"door_open": True})])
    assert facts == []
    assert state.unsampled["r"].reason == 'avg("temperature", "1h") is missing'


def test_a_text_is_no_sample_of_an_average() -> None:
    said = [temperature(0, -10), temperature(1, "n/a"), temperature(2, -20)]
    made = detector(rule('avg("temperature", "1h") < -14'))
    assert told(facts_of(made, said)) == [("r", "firing", 2)]


SAMPLES = st.lists(st.tuples(st.integers(0, 900), st.integers(-5, 5)), min_size=1, max_size=40)
LENGTHS = st.sampled_from([60, 600, 3600])
Reckoning = Callable[[list[tuple[float, int]], float, float], float | None]


def _rate(inside: list[tuple[float, int]], now: float, length: float) -> float | None:
    span = inside[-1][0] - inside[0][0]
    return (inside[-1][1] - inside[0][1]) / span * 3600 if span and span >= length / 2 else None


RECKONED: dict[str, Reckoning] = {
    "avg": lambda inside, now, length: sum(v for _, v in inside) / len(inside),
    "min": lambda inside, now, length: min(v for _, v in inside),
    "max": lambda inside, now, length: max(v for _, v in inside),
    "count": lambda inside, now, length: len(inside),
    "delta": lambda inside, now, length: inside[-1][1] - inside[0][1],
    "rate": _rate,
}


@given(st.sampled_from(sorted(RECKONED)), SAMPLES, LENGTHS)
def test_a_window_gives_what_all_its_samples_come_to(name: str, gaps: list[tuple[int, int]], length: int) -> None:
    """Restored from JSON after every sample; a sample exactly as old as the window is long is outside."""
    call = f'{name}("power", "{length}s")'
    made = detector(rule(f"power > 99 || {call} > 1000"), profile=PATIENT)
    device, state, now = context(profile=PATIENT), DeviceState(), 0.0
    heard: list[tuple[float, int]] = []
    expression = compile_expression(f"{call} > 0")
    for gap, value in gaps:
        now += gap
        heard.append((now, value))
        state, _ = made.run(device, state, [status(now / 60, {"power": value})])
        state = DeviceState.from_json(json.loads(json.dumps(state.to_json())))
        inside = [(t, v) for t, v in heard if t > now - length]
        expected = RECKONED[name](inside, now, length)
        if state.counters.get("duplicate"):
            return
        shown = explain(made, device, state, at(now / 60))[0]["called"]
        assert shown.get(expression.calls[0].text) == (None if expected is None else pytest.approx(expected, abs=1e-6))


LIMITS = st.integers(0, 4)
LATER = st.integers(0, 4000)
COMPARED = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
OPS = st.sampled_from(sorted(COMPARED))


@given(st.sampled_from(["count", "min", "max"]), SAMPLES, st.sampled_from([300, 1500]), LIMITS, OPS, LATER)
def test_time_moves_an_answer_exactly_when_a_plain_reckoning_has_it_moved(
    name: str, gaps: list[tuple[int, int]], length: int, limit: int, op: str, later: int
) -> None:
    """Nothing but timers after the last sample; where the window is empty, extremes are unknown and nothing moves."""
    made = detector(rule(f'{name}("power", "{length}s") {op} {limit}'), profile=PATIENT)
    device, state, now = context(profile=PATIENT), DeviceState(), 0
    heard: list[tuple[float, int]] = []
    for gap, value in gaps:
        now += max(gap, 1)
        heard.append((now, value))
        state, _ = made.run(device, state, [status(now / 60, {"power": value})])

    def holds(when: float) -> bool | None:
        inside = [(t, v) for t, v in heard if t > when - length]
        if not inside and name != "count":
            return None
        value = RECKONED[name](inside, when, length)
        return value is not None and COMPARED[op](value, limit)

    expected = holds(now)
    for when in range(now, now + later + 1):
        expected = expected if holds(when) is None else holds(when)
    state, _ = made.advance(device, state, T0 + timedelta(seconds=now + later, microseconds=1))
    assert (state.rules["r"].alerts[""].state.value == "firing") is expected


def test_windows_are_bounded_and_shared_by_rules() -> None:
    calls = [f'{name}("power", "1h") > 9e9' for name in ("avg", "count", "max", "rate")]
    made = detector(
        *(f"{{id: r{i}{n}, kind: condition, when: '{call}'}}" for i, call in enumerate(calls) for n in range(3))
    )
    state, _ = made.run(context(), DeviceState(), [status(s / 60, {"power": float(s % 7)}) for s in range(2000)])
    assert set(state.windows) == {"totals power 3600", "count power 3600", "highest power 3600", "ends power 3600"}
    assert all(len(rows) <= MOST_ROWS + 2 for rows in state.windows.values())


def test_an_event_of_other_fields_touches_no_window() -> None:
    made = detector(rule('avg("power", "1h") > 9'), "{id: t, kind: condition, when: temperature > 0}")
    state, _ = made.run(context(), DeviceState(), [status(0, {"power": 1.0})])
    after, _ = made.run(context(), state, [temperature(1, -18)])
    assert after.windows is state.windows
    assert after.rules["r"] is state.rules["r"]


def test_an_edit_keeps_windows_that_are_asked_for_and_drops_the_others() -> None:
    before = detector(rule('avg("power", "1h") > 9 && max("power", "1h") > 9'))
    state, _ = before.run(context(), DeviceState(), [status(0, {"power": 20.0}), status(1, {"power": 40.0})])
    edited = detector(rule('avg("power", "1h") > 25'))
    state, _ = edited.run(context(), state, [status(2, {"power": 30.0})])
    assert state.windows == {"totals power 3600": [[0.0, 0.0, 0.0], *state.windows["totals power 3600"][1:]]}
    assert len(state.windows["totals power 3600"]) == 4


def test_a_rule_put_live_while_the_door_stands_open_knows_its_age_from_its_last_report() -> None:
    old = detector("{id: r, kind: condition, when: door_open && temperature > 50}")
    state, _ = old.run(context(), DeviceState(), [status(0, {"door_open": True, "temperature": -18.0})])
    new = detector(rule('door_open && age("door_open") > duration("20m")'))
    state, facts = new.reconcile(context(), state, at(5))
    assert facts == []
    assert told(new.advance(context(), state, at(60))[1]) == [("r", "firing", 20)]


def test_the_explanation_shows_what_was_called_and_when_it_is_looked_at_again() -> None:
    made = detector(rule('door_open && age("door_open") > duration("10m")'))
    state, facts = made.run(context(), DeviceState(), [status(0, {"door_open": True})], until=at(11))
    assert isinstance(facts[0], Transition)
    assert facts[0].explanation["called"] == {'age("door_open")': 600.0}
    assert facts[0].explanation["values"] == {"door_open": True}
    entry = explain(made, context(), state, at(12))[0]
    assert entry["called"] == {'age("door_open")': 720.0}
    state, _ = made.run(context(), DeviceState(), [status(0, {"door_open": True})])
    assert explain(made, context(), state, at(1))[0]["looks_at"] == "2026-03-01T08:10:00Z"


def test_functions_work_in_the_conditions_of_every_kind() -> None:
    made = detector('{id: r, kind: change, count: 2, of: \'avg("power", "2m") > 100\', within: 1h}')
    said = [status(m, {"power": p}) for m, p in enumerate((0.0, 300.0, 0.0, 0.0, 300.0, 0.0))]
    assert told(facts_of(made, said)) == [("r", "firing", 4)]


def errors(when: str, profile: str = "freezer") -> list[str]:
    made = ruleset(f"id: r\nkind: condition\nprofile: {profile}\nwhen: '{when}'")
    return [str(error) for error in check_rules(made, {"freezer": FREEZER})]


@pytest.mark.parametrize(
    ("when", "place", "message"),
    [
        ('avg("temprature", "1h") > 1', "6:17", "no field 'temprature'; did you mean 'temperature'?"),
        ('power > 1 && avg("state", "1h") > 1', "6:30", "avg needs a number, and 'state' is a text"),
        ('stuck_for("door_open") > 1', "6:23", "stuck_for needs a number, and 'door_open' is true or false"),
        ('nominal("temperature") < temperature', "6:21", "no nominal value for 'temperature'"),
        ('avg("temperature", "1h") == "warm"', "6:12", "is a number and is compared with a text"),
        ("power > 1 && hour_local > 3", "6:25", "'hour_local' is a function: hour_local()"),
    ],
)
def test_a_wrong_call_is_named_with_its_place(when: str, place: str, message: str) -> None:
    found = errors(when)
    assert [error.startswith(f"rules.yaml:{place}:") for error in found] == [True], found
    assert message in found[0]


@pytest.mark.parametrize(
    ("when", "offset", "message"),
    [
        ('power > 1 && agee("power") > 1', 13, "no function 'agee'; did you mean 'age'?"),
        ("age(power) > 1", 4, "in quotes"),
        ('avg("power") > 1', 0, "takes a field and a duration"),
        ('avg("power", 10) > 1', 13, "a duration is written in quotes"),
        ('avg("power", "10 parsecs") > 1', 13, "is no duration"),
        ('avg("power", "0s") > 1', 13, "longer than 0"),
        ('power > 1 && hour_local("x") > 1', 13, "takes nothing"),
        ('stuck_for("power", "x") > 1', 19, "a tolerance is a number"),
        ("age() > 1", 0, "takes a field"),
        ('power > duration("10 parsecs")', 17, "is no duration"),
        ("power > duration(10)", 8, "a duration in quotes"),
        ("hour_local() > 3", 0, "the hour alone is no fault"),
    ],
)
def test_a_call_that_cannot_be_understood_says_where(when: str, offset: int, message: str) -> None:
    with pytest.raises(ExpressionError, match=message) as raised:
        compile_expression(when)
    assert raised.value.offset == offset


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_the_example_of_each_function_compiles_and_is_documented_for_editors(name: str) -> None:
    from rules.authoring.editor_schema import editor_schema

    assert compile_expression(f"power > 1 && {FUNCTIONS[name].example} > 1").calls[0].name == name
    assert FUNCTIONS[name].example in editor_schema()["$defs"]["ConditionRule"]["properties"]["when"]["description"]


def test_a_device_of_another_zone_is_another_matter() -> None:
    made = Detector(ruleset(rule("door_open && hour_local() >= 22")), {"freezer": PATIENT})
    said = [status(0, {"door_open": True})]
    device = context(profile=PATIENT)
    tokyo = DeviceContext(device.device, PATIENT, zone=ZoneInfo("Asia/Tokyo"))
    first = {name: told(facts_of(made, said, 24 * 60, who))[0][2] for name, who in (("utc", device), ("jp", tokyo))}
    assert first == {"utc": 14 * 60, "jp": 5 * 60}
    assert MINUTE * first["jp"] == timedelta(hours=5)
