import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from device_models.event import Event, EventKind
from device_models.profile import DeviceProfile, FieldSpec
from rules.authoring.check import check_rules
from rules.kinds.sequence import SequenceRule
from rules.state import DeviceState
from rules.transition import AlertState, Transition
from tests.rules.making import MINUTE, T0, at, context, detector, facts_of, ruleset, status, told
from tests.rules.saying import sentences

FREEZER = DeviceProfile(
    name="freezer",
    title={"en": "freezer"},
    reporting_interval=timedelta(minutes=5),
    fields={
        "door": FieldSpec(title={"en": "Door"}, type="bool"),
        "compressor": FieldSpec(title={"en": "Compressor"}, type="bool"),
        "power": FieldSpec(title={"en": "Power"}, type="bool"),
        "temperature": FieldSpec(title={"en": "Temperature"}, unit="Cel"),
        "code": FieldSpec(title={"en": "Code"}, type="text"),
    },
)
MISSING = "{id: dead, kind: sequence, first: '!door', then_not: compressor, within: 30m, without: door}"
FOLLOWS = "{id: pump, kind: sequence, first: door, then: compressor, within: 10m, without: '!power'}"


def said(minute: float, letters: str) -> Event:
    """A status: D, C, P for a true door, compressor, power; small letters for false."""
    fields = {"d": "door", "c": "compressor", "p": "power"}
    return status(minute, {fields[letter.lower()]: letter.isupper() for letter in letters})


def found(rule: str, events: list[Event], until: float | None = None) -> list[Transition]:
    facts = facts_of(detector(rule, profile=FREEZER), events, until, context(profile=FREEZER))
    return [fact for fact in facts if isinstance(fact, Transition)]


def regularly(letters: str, begin: int, end: int) -> list[Event]:
    return [said(minute, letters) for minute in range(begin, end, 5)]


# ---- what must follow and does not


def test_what_did_not_follow_in_time_fires_by_a_timer() -> None:
    events = [said(0, "dc"), said(10, "D"), said(12, "d"), *regularly("c", 15, 42)]
    facts = found(MISSING, events, until=60)
    assert told(facts) == [("dead", "firing", 42)]
    explanation = facts[0].explanation
    assert (explanation["since"], explanation["first_at"]) == ("2026-03-01T08:12:00Z", "2026-03-01T08:12:00Z")
    assert explanation["condition"] == "!door, and then not compressor within 30m, without door"
    assert explanation["values"] == {"door": False, "compressor": False}
    assert (explanation["within_s"], explanation["times"]) == (1800, 1)


@pytest.mark.parametrize(("minute", "fires"), [(12, False), (20, False), (42, False), (42.1, True)])
def test_what_follows_by_the_end_of_the_time_is_in_order(minute: float, fires: bool) -> None:
    ran = said(minute, "dC" if minute == 12 else "C")
    events = [said(0, "dc"), said(10, "D"), *([] if minute == 12 else [said(12, "d")]), *regularly("c", 15, 42), ran]
    ordered = sorted(events, key=lambda event: event.observed_at)
    assert bool(found(MISSING, ordered, until=100)) is fires


def test_what_runs_already_has_followed() -> None:
    assert not found(MISSING, [said(0, "dC"), said(10, "D"), said(12, "dC"), *regularly("c", 15, 80)], until=80)


def test_what_breaks_the_sequence_ends_it() -> None:
    events = [
        said(0, "dc"),
        said(10, "D"),
        said(12, "d"),
        *regularly("c", 15, 30),
        said(31, "D"),
        *regularly("c", 35, 80),
    ]
    assert not found(MISSING, events, until=80)
    again = [*events, said(81, "d"), *regularly("c", 85, 120)]
    assert told(found(MISSING, again, until=200)) == [("dead", "firing", 111)]


def test_the_first_time_it_did_not_follow_counts() -> None:
    rule = MISSING.replace(", without: door", "")
    events = [said(0, "dc"), said(10, "D"), said(12, "d"), said(20, "D"), said(22, "d"), *regularly("c", 25, 80)]
    assert told(found(rule, events))[0] == ("dead", "firing", 42)


def test_of_a_silent_device_nobody_knows_what_followed() -> None:
    events = [said(0, "dc"), said(10, "D"), said(12, "d")]
    assert not found(MISSING, events, until=300)
    will = status(40, {"online": False}, kind=EventKind.PRESENCE)
    assert not found(MISSING, [*events, will], until=300)
    # Any word will do: compressors that report on change do not say every five minutes that they stand still.
    alive = [*events, *(status(minute, {"temperature": -10.0}) for minute in range(15, 45, 5))]
    assert told(found(MISSING, alive, until=300)) == [("dead", "firing", 42)]


@pytest.mark.parametrize(("minute", "fires"), [(26.9, False), (27, True)])
def test_a_word_tells_what_did_not_follow_for_three_reporting_intervals(minute: float, fires: bool) -> None:
    events = [said(0, "dc"), said(10, "D"), said(12, "d"), said(minute, "c")]
    assert bool(found(MISSING, events, until=300)) is fires


def test_it_resolves_when_it_follows_after_all_and_fires_once_an_episode() -> None:
    events = [said(0, "dc"), said(10, "D"), said(12, "d"), *regularly("c", 15, 50), said(50, "D"), said(51, "d")]
    facts = found(MISSING, [*events, *regularly("c", 55, 100), said(100, "C"), *regularly("c", 105, 120)])
    assert told(facts) == [("dead", "firing", 42), ("dead", "resolved", 100)]
    assert facts[1].explanation["times"] == 2
    assert facts[1].explanation["since"] == "2026-03-01T08:12:00Z"


def test_what_must_follow_has_to_be_known_not_to() -> None:
    made = detector(MISSING, profile=FREEZER)
    state, facts = made.run(context(profile=FREEZER), DeviceState(), [said(0, "d"), said(10, "D"), said(12, "d")])
    assert (facts, state.unsampled["dead"].reason) == ([], "compressor is missing")
    assert made.advance(context(profile=FREEZER), state, at(500))[1] == []


# ---- what must not follow and does


def test_one_thing_after_another_within_the_time_fires() -> None:
    facts = found(FOLLOWS, [said(0, "dcP"), said(5, "D"), said(9, "C")])
    assert told(facts) == [("pump", "firing", 9)]
    assert facts[0].explanation["first_at"] == "2026-03-01T08:05:00Z"
    assert facts[0].explanation["condition"] == "door, and then compressor within 10m, without !power"


@pytest.mark.parametrize(("minute", "fires"), [(15, True), (15.1, False)])
def test_the_end_of_the_time_belongs_to_it(minute: float, fires: bool) -> None:
    assert bool(found(FOLLOWS, [said(0, "dcP"), said(5, "D"), said(minute, "C")])) is fires


@pytest.mark.parametrize(
    "events",
    [
        [said(0, "dcP"), said(5, "DC"), said(6, "D")],
        [said(0, "dcP"), said(3, "C"), said(5, "D"), said(9, "C")],
        [said(0, "DcP"), said(5, "C")],
        [said(0, "dcP"), said(5, "D"), said(6, "p"), said(7, "P"), said(9, "C")],
        [said(0, "dcP"), said(5, "D"), said(9, "Cp")],
        [said(0, "dcp"), said(5, "D"), said(6, "P"), said(9, "C")],
        [said(0, "dcP"), said(4, "C"), said(5, "c"), said(6, "D")],
    ],
    ids=["together", "already so", "so at first", "broken", "broken at last", "broken at first", "the other way round"],
)
def test_this_is_no_sequence(events: list[Event]) -> None:
    assert not found(FOLLOWS, events, until=60)


def test_what_a_new_device_says_first_of_a_field_did_not_become_so_just_then() -> None:
    assert not found(FOLLOWS, [said(0, "dP"), said(1, "D"), said(2, "C")], until=60)
    assert found(FOLLOWS, [said(0, "dP"), said(1, "D"), said(2, "c"), said(3, "C")])


def test_the_time_runs_from_the_last_beginning() -> None:
    assert found(FOLLOWS, [said(0, "dcP"), said(5, "D"), said(10, "d"), said(12, "D"), said(20, "C")])


def test_it_resolves_when_the_next_time_nothing_follows() -> None:
    events = [said(0, "dcP"), said(5, "D"), said(9, "C"), said(15, "dc"), said(20, "D"), *regularly("P", 25, 60)]
    assert told(found(FOLLOWS, events)) == [("pump", "firing", 9), ("pump", "resolved", 30)]


def test_it_resolves_after_a_day_or_as_the_rule_says_counted_from_the_last_time() -> None:
    events = [said(0, "dcP"), said(5, "D"), said(9, "C"), said(20, "dc"), said(25, "D"), said(30, "C")]
    day = found(FOLLOWS, [*events, *regularly("P", 35, 1500)])
    assert told(day) == [("pump", "firing", 9), ("pump", "resolved", 30 + 24 * 60)]
    hour = FOLLOWS.replace("}", ", clear_for: 1h}")
    assert told(found(hour, [*events, *regularly("P", 35, 120)])) == [("pump", "firing", 9), ("pump", "resolved", 90)]
    # While the device is silent nothing is known to be over.
    assert told(found(hour, [*events, said(500, "P")])) == [("pump", "firing", 9), ("pump", "resolved", 500)]


def test_clear_when_alone_decides_where_it_is_given() -> None:
    rule = FOLLOWS.replace("}", ", clear_when: temperature < 5}")
    events = [said(0, "dcP"), said(5, "D"), said(9, "C"), said(15, "dc"), said(20, "D"), *regularly("P", 25, 60)]
    assert told(found(rule, events)) == [("pump", "firing", 9)]
    cold = [*events, status(60, {"temperature": 6.0}), status(65, {"temperature": 4.0})]
    assert told(found(rule, cold)) == [("pump", "firing", 9), ("pump", "resolved", 65)]


def test_a_code_that_was_never_reported_was_not_so() -> None:
    rule = "{id: e, kind: sequence, first: code == 'E1', then: code == 'E2', within: 10m, without: code == 'E9'}"
    codes = [status(minute, {"code": code}) for minute, code in ((20, "E1"), (22, "E2"))]
    assert told(found(rule, codes)) == []
    assert told(found(rule, [said(0, "d"), *codes])) == []
    started = found(rule, [status(0, {"code": "ok"}), *codes])
    assert told(started) == [("e", "firing", 22)]
    mixed = "{id: e, kind: sequence, first: door, then: code == 'E2', within: 10m, without: code == 'E9'}"
    assert told(found(mixed, [said(0, "d"), said(18, "D"), *codes])) == [("e", "firing", 22)]


# ---- edits, settings, words


def test_an_edit_of_the_time_moves_the_timer_and_one_of_the_meaning_begins_anew() -> None:
    made = detector(MISSING, profile=FREEZER)
    opened = [said(0, "dc"), said(10, "D"), said(12, "d"), said(15, "c")]
    state, _ = made.run(context(profile=FREEZER), DeviceState(), opened)
    shorter = detector(MISSING.replace("30m", "10m"), profile=FREEZER)
    _, facts = shorter.run(context(profile=FREEZER), state, regularly("c", 20, 40))
    assert told(facts) == [("dead", "firing", 22)]
    other = detector(MISSING.replace("then_not: compressor", "then_not: power"), profile=FREEZER)
    _, facts = other.run(context(profile=FREEZER), state, regularly("p", 20, 90))
    assert facts == []


def test_explain_tells_how_far_a_sequence_has_come() -> None:
    made = detector(MISSING, profile=FREEZER)
    state, _ = made.run(context(profile=FREEZER), DeviceState(), [said(0, "dc"), said(10, "D"), said(12, "d")])
    explained = made.evaluators(FREEZER)["dead"].explain(context(profile=FREEZER), state.rules["dead"], at(13))
    assert (explained["first_at"], explained["within_s"]) == ("2026-03-01T08:12:00Z", 1800)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"within": "1h"}, "either then or then_not"),
        ({"then": "b", "then_not": "b", "within": "1h"}, "either then or then_not"),
        ({"then": "b", "within": 0}, "within must be longer"),
        ({"then": "b", "within": "1h", "clear_for": 0}, "clear_for must be longer"),
        ({"then": "b", "within": "1h", "clear_for": "1h", "clear_when": "c"}, "do not go together"),
    ],
)
def test_settings_that_do_not_go_together_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SequenceRule.model_validate({"id": "a", "first": "a", **settings})


def test_rules_check_knows_the_fields_of_a_sequence() -> None:
    made = ruleset(
        MISSING.replace("then_not: compressor", "then_not: compresor"), FOLLOWS.replace("door", "temperature")
    )
    problems = [error.message for error in check_rules(made, {"freezer": FREEZER})]
    assert "did you mean 'compressor'?" in problems[0]
    assert len(problems) == 2


def test_the_customer_reads_what_and_since_when() -> None:
    events = [said(0, "dc"), said(10, "D"), said(12, "d"), *regularly("c", 15, 42)]
    english, german, arabic = sentences(found(MISSING, events, until=60)[0], "The compressor does not start")
    assert english == "Your product: The compressor does not start since 08:12."
    assert german == "Ihr Gerät: The compressor does not start, seit 09:12."
    assert arabic.startswith("جهازك: The compressor does not start منذ")


# ---- properties

MOMENTS = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from(["D", "d", "C", "c", "P", "p", "Dc", "dC", "dc", ""])), max_size=40
)
RULES = (MISSING, FOLLOWS, FOLLOWS.replace("pump", "quick").replace("}", ", clear_for: 20m}"))


def events_of(moments: list[tuple[int, str]]) -> list[Event]:
    minute, events = 1, [said(0, "dcP")]
    for gap, letters in moments:
        minute += gap
        events.append(said(minute, letters) if letters else status(minute, {"temperature": float(minute)}))
    return events


def run(events: list[Event], restart: Callable[[int], bool]) -> tuple[dict[str, Any], list[Any]]:
    made, facts, state = detector(*RULES, profile=FREEZER), [], DeviceState()
    for i, event in enumerate(events):
        if restart(i):
            state = DeviceState.from_json(json.loads(json.dumps(state.to_json())))
        state, more = made.run(context(profile=FREEZER), state, [event])
        facts += more
    return state.to_json(), facts


@given(MOMENTS)
def test_a_restart_anywhere_and_duplicates_change_nothing(moments: list[tuple[int, str]]) -> None:
    events = events_of(moments)
    plain = run(events, lambda i: False)
    assert run(events, lambda i: True) == plain
    assert run([event for event in events for _ in range(2)], lambda i: False)[1] == plain[1]


@given(MOMENTS)
def test_firing_and_resolved_take_turns(moments: list[tuple[int, str]]) -> None:
    last: dict[str, AlertState] = {}
    for fact in run(events_of(moments), lambda i: False)[1]:
        assert fact.state is (AlertState.RESOLVED if last.get(fact.rule) is AlertState.FIRING else AlertState.FIRING)
        last[fact.rule] = fact.state


@given(MOMENTS)
def test_the_first_firing_is_where_brute_force_sees_one(moments: list[tuple[int, str]]) -> None:
    """A door that opened, a compressor that started at most ten minutes later, power on all the way."""
    events = events_of(moments)
    twin: dict[str, Any] = {}
    history: list[tuple[float, dict[str, Any]]] = []
    for event in events:
        twin = {**twin, **event.values}
        history.append(((event.observed_at - T0) / MINUTE, twin))
    expected = None
    for i, (minute, now) in enumerate(history):
        if i and now["compressor"] and not history[i - 1][1]["compressor"] and expected is None:
            for j in range(i - 1, 0, -1):
                began = history[j][1]["door"] and not history[j - 1][1]["door"]
                powered = all(values["power"] for _, values in history[j : i + 1])
                between = any(
                    history[k][1]["compressor"] and not history[k - 1][1]["compressor"] for k in range(j + 1, i)
                )
                if began and powered and not between and minute - history[j][0] <= 10:
                    expected = minute
    first = next((minute for _, state, minute in told(found(FOLLOWS, events)) if state == "firing"), None)
    assert first == expected
