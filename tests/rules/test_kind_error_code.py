from typing import Any

import pytest

from device_models.event import Event, EventKind, TimeSource, Value
from device_models.purpose import Purpose, Severity
from rules.state import DeviceState
from rules.transition import Transition
from tests.rules.making import FREEZER, at, context, detector, facts_of, status, temperature, told

DETECTOR = detector("{id: codes, kind: error_code}")


def error(minutes: float, code: Any) -> Event:
    return status(minutes, {"code": code}, kind=EventKind.ERROR)


def code(minutes: float, value: Any) -> Event:
    return status(minutes, {"code": value})


def test_a_code_fires_with_what_the_catalogue_says_and_resolves_when_it_is_gone() -> None:
    facts = facts_of(DETECTOR, [code(0, 0), code(5, "E5"), code(10, "E5"), code(15, 0)])
    assert told(facts) == [("E5", "firing", 5), ("E5", "resolved", 15)]
    first = facts[0]
    assert isinstance(first, Transition)
    assert (first.severity, first.purpose, first.fault) == (Severity.CRITICAL, Purpose.SAFETY, "E5")
    assert first.explanation["title"] == {"en": "Sensor fault"}
    assert first.explanation["advice"] == {"en": "Call us."}
    assert first.explanation["code"] == "E5"
    assert first.dedupe_key == "f1|codes|E5"


@pytest.mark.parametrize("said", [17, 17.0, "17", " 17 "])
def test_a_number_and_a_text_are_the_same_code(said: Any) -> None:
    assert told(facts_of(DETECTOR, [code(0, 0), code(5, said)])) == [("17", "firing", 5)]


def test_each_code_of_a_list_has_its_own_alert() -> None:
    both: dict[str, Value] = {"code.0": "E5", "code.1": 17}
    one = {"code.0": 17}
    facts = facts_of(DETECTOR, [code(0, 0), status(5, both), status(10, one), code(15, "")])
    assert told(facts) == [("17", "firing", 5), ("E5", "firing", 5), ("E5", "resolved", 10), ("17", "resolved", 15)]


def test_codes_in_one_text_are_told_apart() -> None:
    facts = facts_of(DETECTOR, [code(0, "none"), code(5, "E5, 17")])
    assert told(facts) == [("17", "firing", 5), ("E5", "firing", 5)]


def test_bits_are_codes_where_the_rule_says_so() -> None:
    made = detector("{id: codes, kind: error_code, encoding: bits}")
    facts = facts_of(made, [code(0, 0), code(5, 0b1000), code(10, 0b1 << 17 | 0b1000), code(15, 0)])
    assert told(facts) == [("3", "firing", 5), ("17", "firing", 10), ("17", "resolved", 15), ("3", "resolved", 15)]


@pytest.mark.parametrize("said", ["131080", "0x20008", "0X00020008", " 131080 "])
def test_a_bit_field_may_be_written_out(said: str) -> None:
    made = detector("{id: codes, kind: error_code, encoding: bits}")
    assert told(facts_of(made, [code(0, "0x0"), code(5, said)])) == [("17", "firing", 5), ("3", "firing", 5)]
    # What is no number is a code there too.
    assert told(facts_of(made, [code(0, "0"), code(5, "E5")])) == [("E5", "firing", 5)]


def test_a_code_named_as_a_number_is_that_code() -> None:
    made = detector("{id: codes, kind: error_code, codes: [17]}")
    assert told(facts_of(made, [code(0, 0), code(5, "E5,17")])) == [("17", "firing", 5)]


def test_unknown_codes_are_counted_and_shown_and_open_nothing() -> None:
    state, facts = DETECTOR.run(context(), DeviceState(), [code(0, "E99"), code(5, "E99"), code(9, "E1")])
    assert facts == []
    explained = DETECTOR.evaluators(FREEZER)["codes"].explain(context(), state.rules["codes"], at(9))
    assert explained["unknown_codes"] == {"E99": 2, "E1": 1}


def test_a_status_without_the_field_clears_only_after_two_intervals() -> None:
    partial = [code(0, 0), code(5, "E5"), temperature(6, -18), code(10, "E5"), temperature(11, -18)]
    assert told(facts_of(DETECTOR, [*partial, temperature(20, -18)])) == [("E5", "firing", 5)]
    assert told(facts_of(DETECTOR, [*partial, temperature(16, -18)], until=60)) == [
        ("E5", "firing", 5),
        ("E5", "resolved", 21),
    ]


def test_an_error_event_stands_until_it_was_not_repeated_for_a_day() -> None:
    statuses = [temperature(m, -18) for m in range(10, 60, 5)]
    facts = facts_of(DETECTOR, [temperature(0, -18), error(5, "E5"), *statuses, error(60, "E5")], until=3000)
    assert told(facts) == [("E5", "firing", 5), ("E5", "resolved", 60 + 24 * 60)]


def test_an_error_event_of_no_error_clears_all() -> None:
    facts = facts_of(DETECTOR, [temperature(0, -18), error(5, "E5"), error(6, 17), error(9, 0)])
    assert told(facts)[2:] == [("17", "resolved", 9), ("E5", "resolved", 9)]


def test_another_error_event_clears_none() -> None:
    assert told(facts_of(DETECTOR, [temperature(0, -18), error(5, "E5"), error(6, 17)])) == [
        ("E5", "firing", 5),
        ("17", "firing", 6),
    ]


def test_another_error_event_takes_no_pending_code_back() -> None:
    made = detector("{id: codes, kind: error_code, for: 10m}")
    assert told(facts_of(made, [temperature(0, -18), error(5, "E5"), error(6, 17)], until=60)) == [
        ("E5", "pending", 5),
        ("17", "pending", 6),
        ("E5", "firing", 15),
        ("17", "firing", 16),
    ]


def test_for_asks_a_code_to_stay() -> None:
    made = detector("{id: codes, kind: error_code, for: 10m}")
    facts = facts_of(made, [code(0, 0), code(5, "E5"), code(10, 0), code(15, "E5"), code(20, "E5")], until=60)
    assert told(facts) == [
        ("E5", "pending", 5),
        ("E5", "inactive", 10),
        ("E5", "pending", 15),
        ("E5", "firing", 25),
    ]


def test_a_rule_may_be_about_some_codes() -> None:
    made = detector("{id: codes, kind: error_code, codes: ['17']}")
    assert told(facts_of(made, [code(0, 0), code(5, "E5, 17")])) == [("17", "firing", 5)]


def test_a_code_that_stands_when_the_device_is_met_was_found_on_arrival() -> None:
    facts = facts_of(DETECTOR, [code(0, "E5"), code(5, 0), code(9, "E5")])
    assert [fact.on_arrival for fact in facts if isinstance(fact, Transition)] == [True, True, False]


def test_an_error_event_soon_after_the_first_message_is_news() -> None:
    facts = facts_of(DETECTOR, [temperature(0, -18), error(1, "E5")])
    assert [fact.on_arrival for fact in facts if isinstance(fact, Transition)] == [False]


def test_an_error_event_soon_after_the_first_connect_is_news_and_as_the_very_first_word_it_is_not() -> None:
    connect = status(0, {"online": True}, kind=EventKind.PRESENCE, clock=TimeSource.ARRIVAL)
    for said, found in (([connect, error(1, "E5")], False), ([error(1, "E5")], True)):
        assert [fact.on_arrival for fact in facts_of(DETECTOR, said) if isinstance(fact, Transition)] == [found]


def test_a_code_that_follows_a_first_status_without_one_is_news() -> None:
    facts = facts_of(DETECTOR, [temperature(0, -18), status(1, {"temperature": -18, "code": "E5"})])
    assert told(facts) == [("E5", "firing", 1)]
    assert isinstance(facts[0], Transition)
    assert not facts[0].on_arrival
