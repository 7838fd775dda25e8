import pytest

from device_models.event import Event, EventKind, TimeSource
from device_models.yaml_lines import InvalidFileError
from rules.evaluator import Fact
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


GETTING_WORSE = detector("""
id: silent
kind: absent
severity: minor
for: 15m
offline_for: 10m
severities: {major: {for: 1h}, critical: {for: 6h, offline_for: 90m}}
""")


def levels(facts: list[Fact]) -> list[tuple[str, str, float, object]]:
    """Return (severity, state, minute, reason) of each transition."""
    return [
        (fact.severity.value, state, minute, fact.explanation.get("reason"))
        for fact, (_, state, minute) in zip(facts, told(facts), strict=True)
        if isinstance(fact, Transition)
    ]


def test_a_longer_silence_is_worse_and_its_end_is_told_as_the_worst() -> None:
    facts = facts_of(GETTING_WORSE, [temperature(0, -18), temperature(500, -18)], until=510)
    assert levels(facts) == [
        ("minor", "firing", 15, "late"),
        ("major", "firing", 60, "late"),
        ("critical", "firing", 360, "silent"),
        ("critical", "resolved", 500, "silent"),
    ]
    assert [fact.explanation.get("severity_before") for fact in facts] == [None, "minor", "major", None]
    assert [fact.explanation["for_s"] for fact in facts] == [900, 3600, 21600, 21600]
    assert {fact.explanation["missed_at"] for fact in facts} == {"2026-03-01T08:15:00Z"}


def test_who_is_heard_in_time_gets_no_worse_and_begins_anew() -> None:
    facts = facts_of(GETTING_WORSE, [temperature(0, -18), temperature(59, -18)], until=75)
    assert levels(facts) == [
        ("minor", "firing", 15, "late"),
        ("minor", "resolved", 59, "late"),
        ("minor", "firing", 74, "late"),
    ]


def test_the_lwt_shortens_the_wait_of_the_severities_that_say_so() -> None:
    facts = facts_of(GETTING_WORSE, [temperature(0, -18), lwt(20)], until=400)
    assert levels(facts) == [
        ("minor", "firing", 15, "late"),
        ("major", "firing", 60, "late"),
        ("critical", "firing", 110, "offline"),
    ]


def test_of_two_severities_that_are_reached_together_the_worse_is_told() -> None:
    made = detector(
        "{id: silent, kind: absent, for: 1h, severity: minor, severities: {major: {for: 2h, offline_for: 30m}}}"
    )
    assert levels(facts_of(made, [temperature(0, -18), lwt(1)], until=400)) == [
        ("minor", "firing", 6, "offline"),
        ("major", "firing", 31, "offline"),
    ]
    unheard = detector("{id: silent, kind: absent, offline_for: 30m, severities: {critical: {for: 15m}}}")
    assert levels(facts_of(unheard, [temperature(0, -18)], until=400)) == [("critical", "firing", 15, "silent")]


def test_while_nobody_listened_silence_got_no_worse() -> None:
    state, facts = GETTING_WORSE.run(context(), DeviceState(), [temperature(0, -18)], until=at(30))
    listening = DeviceContext(context().device, FREEZER, listening_since=at(50))
    state, more = GETTING_WORSE.advance(listening, state, at(400))
    assert levels([*facts, *more]) == [("minor", "firing", 15, "late"), ("major", "firing", 110, "late")]


def test_an_edit_lets_a_lasting_silence_get_worse_by_the_new_durations() -> None:
    state, _ = detector("{id: silent, kind: absent, severity: minor}").run(
        context(), DeviceState(), [temperature(0, -18)], until=at(90)
    )
    state, facts = GETTING_WORSE.reconcile(context(), state, at(90))
    assert facts == []
    assert levels(GETTING_WORSE.advance(context(), state, at(400))[1]) == [
        ("major", "firing", 60, "late"),
        ("critical", "firing", 360, "silent"),
    ]


def test_why_and_why_not_says_what_the_silence_becomes_and_when() -> None:
    state, _ = GETTING_WORSE.run(context(), DeviceState(), [temperature(0, -18)], until=at(61))
    told_of = GETTING_WORSE.evaluators(FREEZER)["silent"].explain(context(), state.rules["silent"], at(61))
    assert told_of["severity_now"] == "major"
    assert told_of["severities"]["critical"] == {"for_s": 21600.0, "offline_for_s": 5400.0}
    assert state.due_at == at(360)


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("severity: major, severities: {minor: {for: 1h}}", "minor is no worse than the rule's own severity, major"),
        ("for: 1h, severities: {critical: {for: 1h}}", "critical: for 1h is no longer than that of major, 1h"),
        (
            "severity: minor, for: 1h, severities: {major: {for: 3h}, critical: {for: 2h}}",
            "critical: for 2h is no longer than that of major, 3h",
        ),
        (
            "offline_for: 1h, severities: {critical: {for: 9h, offline_for: 10m}}",
            "critical: offline_for 10m is no longer than that of major, 1h",
        ),
    ],
)
def test_a_worse_severity_that_is_not_later_is_refused(rule: str, says: str) -> None:
    with pytest.raises(InvalidFileError, match=says):
        detector(f"{{id: silent, kind: absent, {rule}}}")
