import pytest

from device_models.event import Event, EventKind, TimeSource
from rules.inputs import DeviceContext
from rules.state import DeviceState
from rules.transition import Transition
from tests.rules.making import FREEZER, at, context, detector, facts_of, temperature, told
from tests.rules.making import status as event

DETECTOR = detector("{id: silent, kind: absent}")


def lwt(minutes: float, *, online: bool = False, retained: bool = False) -> Event:
    return event(minutes, {"online": online}, kind=EventKind.PRESENCE, clock=TimeSource.ARRIVAL, retained=retained)


def test_silence_for_three_reporting_intervals_fires_and_the_next_word_resolves() -> None:
    facts = facts_of(DETECTOR, [temperature(0, -18), temperature(4, -18), temperature(60, -18)], until=70)
    assert told(facts) == [("silent", "firing", 19), ("silent", "resolved", 60)]
    first = facts[0]
    assert isinstance(first, Transition)
    assert first.explanation["last_heard_at"] == "2026-03-01T08:04:00Z"
    assert (first.explanation["held_s"], first.explanation["reason"]) == (900.0, "silent")


@pytest.mark.parametrize("step", [1.0, 5.0, 14.9])
def test_a_device_that_keeps_talking_is_never_absent(step: float) -> None:
    assert facts_of(DETECTOR, [temperature(step * i, -18) for i in range(20)]) == []


def test_the_lwt_shortens_the_wait_to_one_interval() -> None:
    facts = facts_of(DETECTOR, [temperature(0, -18), lwt(2)], until=60)
    assert told(facts) == [("silent", "firing", 7)]
    assert isinstance(facts[0], Transition)
    assert facts[0].explanation["reason"] == "offline"


def test_a_word_after_the_lwt_says_it_is_back() -> None:
    assert facts_of(DETECTOR, [temperature(0, -18), lwt(2), temperature(5, -18)], until=19) == []


def test_the_will_of_a_session_that_was_taken_over_is_outdated_by_the_next_word() -> None:
    facts = facts_of(DETECTOR, [temperature(0, -18), lwt(2, online=True), lwt(2), temperature(6, -18)], until=20)
    assert facts == []


def test_an_lwt_does_not_prolong_the_wait_for_silence() -> None:
    facts = facts_of(DETECTOR, [temperature(0, -18), lwt(14)], until=60)
    assert told(facts) == [("silent", "firing", 15)]


def test_a_device_never_heard_is_not_absent() -> None:
    items = [temperature(-99, -18, retained=True), lwt(0, retained=True), lwt(1)]
    assert facts_of(DETECTOR, items, until=10_000) == []


def test_offline_words_do_not_resolve() -> None:
    facts = facts_of(DETECTOR, [temperature(0, -18), lwt(30), lwt(31)], until=60)
    assert told(facts) == [("silent", "firing", 15)]


def test_an_offline_word_from_before_the_last_sign_of_life_changes_nothing() -> None:
    state, facts = DETECTOR.run(context(), DeviceState(), [temperature(0, -18), temperature(5, -18)], until=at(30))
    assert told(facts) == [("silent", "firing", 20)]
    state, facts = DETECTOR.run(context(), state, [lwt(4)])
    assert (facts, state.presence.online) == ([], True)
    assert told(DETECTOR.run(context(), state, [temperature(31, -18)])[1]) == [("silent", "resolved", 31)]


def test_a_late_backlog_is_a_sign_of_life() -> None:
    facts = facts_of(DETECTOR, [temperature(0, -18), temperature(-5, -18, arrives=30)], until=40)
    assert told(facts) == [("silent", "firing", 15), ("silent", "resolved", 30)]


def test_durations_of_the_rule_win_over_the_profile() -> None:
    made = detector("{id: silent, kind: absent, for: 1h, offline_for: 20m}")
    assert told(facts_of(made, [temperature(0, -18)], until=99)) == [("silent", "firing", 60)]
    assert told(facts_of(made, [temperature(0, -18), lwt(5)], until=99)) == [("silent", "firing", 25)]


def test_while_nobody_listened_no_device_was_silent() -> None:
    state, _ = DETECTOR.run(context(), DeviceState(), [temperature(0, -18)])
    listening = DeviceContext(context().device, FREEZER, listening_since=at(60))
    state, facts = DETECTOR.advance(listening, state, at(75))
    assert facts == []
    _, facts = DETECTOR.advance(listening, state, at(76))
    assert told(facts) == [("silent", "firing", 75)]


def test_a_new_rule_about_silence_finds_devices_that_are_silent_already() -> None:
    state, _ = detector("{id: other, kind: condition, when: temperature > 0}").run(
        context(), DeviceState(), [temperature(0, -18)]
    )
    state, facts = DETECTOR.reconcile(context(), state, at(100))
    assert facts == []
    assert state.due_at == at(15)
    assert told(DETECTOR.advance(context(), state, at(101))[1]) == [("silent", "firing", 15)]


def test_where_both_waits_end_together_the_lwt_is_the_reason() -> None:
    made = detector("{id: silent, kind: absent, for: 10m, offline_for: 8m}")
    facts = facts_of(made, [temperature(0, -18), lwt(2)], until=60)
    assert told(facts) == [("silent", "firing", 10)]
    assert isinstance(facts[0], Transition)
    assert facts[0].explanation["reason"] == "offline"
