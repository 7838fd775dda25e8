"""A condition with several severities, or one that must be met several times."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_models.purpose import Severity
from device_models.yaml_lines import InvalidFileError
from rules.authoring.check import check_rules
from rules.evaluator import Fact
from rules.explain import explain
from rules.state import DeviceState
from rules.transition import Transition
from tests.rules.making import FREEZER, TOO_WARM, at, context, detector, facts_of, ruleset, status, temperature

WARM = """
id: too-warm
kind: condition
profile: freezer
when: temperature > -12
for: 10m
clear_when: temperature < -15
severity: minor
severities:
  major: {when: temperature > -8, for: 2m}
  critical: {when: temperature > 0, for: 0s, clear_when: temperature < -4}
"""
TRIPS = "{id: trips, kind: condition, when: power > 100, for: 2m, times: 3, within: 1h}"


def course(facts: list[Fact]) -> list[tuple[str, str, float]]:
    return [
        (f.state.value, f.severity.value, (f.at - at(0)).total_seconds() / 60)
        for f in facts
        if isinstance(f, Transition)
    ]


def warm(*samples: tuple[float, float], until: float | None = None) -> list[tuple[str, str, float]]:
    return course(facts_of(detector(WARM), [temperature(m, t) for m, t in samples], until))


def test_the_severity_rises_and_falls_within_one_alert() -> None:
    samples = ((0, -18), (5, -11), (10, -11), (14, -11), (16, -7), (17, -7), (21, 1), (23, -3), (24, -6), (28, -10))
    assert warm(*samples, (32, -14), (36, -16)) == [
        ("pending", "minor", 5),
        ("firing", "minor", 15),
        ("firing", "major", 18),
        ("firing", "critical", 21),
        ("firing", "major", 24),
        ("firing", "minor", 28),
        ("resolved", "minor", 36),
    ]


def test_a_worse_severity_waits_for_no_milder_one() -> None:
    assert warm((0, -18), (1, 2), until=20) == [("firing", "critical", 1)]
    assert warm((0, -18), (1, -7), (3, -7)) == [("pending", "major", 1), ("firing", "major", 3)]


def test_what_was_worse_is_over_by_the_end_of_the_mildest() -> None:
    # At -11 it is minor at once, since the fault is known; -13 lies between the limits of the rule itself.
    assert warm((0, -18), (1, 2), (4, -6), (5, -11), (8, -13), (12, -14), (15, -16), until=99) == [
        ("firing", "critical", 1),
        ("firing", "major", 4),
        ("firing", "minor", 5),
        ("resolved", "minor", 15),
    ]


def test_a_rise_explains_itself_by_the_condition_that_decided() -> None:
    facts = facts_of(detector(WARM), [temperature(0, -18), temperature(1, -11), temperature(12, 3)])
    rise = facts[-1]
    assert isinstance(rise, Transition)
    said = rise.explanation
    assert (said["condition"], said["limit"], said["severity_before"]) == ("temperature > 0", 0.0, "minor")
    assert said["since"] == "2026-03-01T08:01:00Z"


def test_stale_samples_complete_no_severitys_wait() -> None:
    assert warm((0, -18), (1, -11), until=600) == [("pending", "minor", 1), ("firing", "minor", 11)]
    made = detector(WARM.replace("for: 10m", "for: 20m"))
    facts = facts_of(made, [temperature(0, -18), temperature(1, -11)], 600)
    assert course(facts) == [("pending", "minor", 1), ("inactive", "minor", 16)]
    assert isinstance(facts[-1], Transition)
    assert facts[-1].explanation["reason"] == "stale"


def test_explain_shows_each_severity() -> None:
    made = detector(WARM)
    state, _ = made.run(context(), DeviceState(), [temperature(0, -18), temperature(1, -7), temperature(4, -7)])
    severities = explain(made, context(), state, at(5))[0]["severities"]
    assert {name: entry["state"] for name, entry in severities.items()} == {
        "minor": "firing",
        "major": "firing",
        "critical": "inactive",
    }
    assert severities["critical"]["limits"] == [{"field": "temperature", "limit": 0.0, "direction": "above"}]


def test_what_fires_stays_open_when_severities_are_added_and_taken_away() -> None:
    hot = [temperature(0, -18), temperature(5, -11), temperature(12, -11), temperature(17, -11)]
    plain, graded = detector(TOO_WARM + "severity: minor"), detector(WARM)
    state, facts = plain.run(context(), DeviceState(), hot)
    assert course(facts)[-1] == ("firing", "minor", 15)
    state, facts = graded.run(context(), state, [temperature(19, -13), temperature(21, 3)])
    assert course(facts) == [("firing", "critical", 21)]
    state, facts = plain.run(context(), state, [temperature(23, -13), temperature(26, -16)])
    assert [(s, m) for s, _, m in course(facts)] == [("resolved", 26)]


def trips(*samples: tuple[float, float], until: float | None = None) -> list[tuple[str, float]]:
    said = [status(m, {"power": p}) for m, p in samples]
    return [(state, m) for state, _, m in course(facts_of(detector(TRIPS), said, until))]


def pulses(*begins: int) -> list[tuple[float, float]]:
    """A sample each minute; the power is high for three minutes from each beginning."""
    high = {m for begin in begins for m in range(begin, begin + 4)}
    return [(m, 200.0 if m in high else 1.0) for m in range(150)]


def test_it_fires_the_third_time_and_is_over_when_it_was_less_often() -> None:
    # Each counts when it has held for two minutes: at 12, 32 and 52.
    assert trips(*pulses(10, 30, 50)) == [("firing", 52), ("resolved", 72)]


def test_twice_is_not_enough_and_neither_is_what_did_not_hold_or_is_too_long_ago() -> None:
    assert trips(*pulses(10, 30)) == []
    short = [(m, 200.0 if m in (10, 30, 50) else 1.0) for m in range(100)]
    assert trips(*short) == []
    assert trips(*pulses(10, 30, 90)) == []
    # The first is exactly an hour before the third: it has just left.
    assert trips(*pulses(10, 40, 70)) == []
    assert trips(*pulses(11, 40, 70)) == [("firing", 72), ("resolved", 74)]


def test_it_goes_on_while_it_goes_on_happening() -> None:
    assert trips(*pulses(10, 30, 50, 65, 90)) == [("firing", 52), ("resolved", 112)]


def test_it_is_over_by_a_timer_while_the_device_says_other_things() -> None:
    pulsed = [status(m, {"power": p}) for m, p in pulses(10, 30, 50) if m < 56]
    alive = [temperature(m, -18) for m in range(60, 120, 7)]
    facts = facts_of(detector(TRIPS), [*pulsed, *alive], 200)
    assert [(state, m) for state, _, m in course(facts)] == [("firing", 52), ("resolved", 72)]


def test_an_occurrence_completes_by_a_timer() -> None:
    samples = [s for s in pulses(10, 30, 50) if s[0] <= 51]
    assert trips(*samples, until=60) == [("firing", 52)]


def test_what_counts_is_told_and_explained() -> None:
    made = detector(TRIPS)
    said = [status(m, {"power": p}) for m, p in pulses(10, 30, 50) if m < 56]
    state, facts = made.run(context(), DeviceState(), said)
    assert isinstance(facts[0], Transition)
    assert (facts[0].explanation["count"], facts[0].explanation["within_s"]) == (3, 3600.0)
    assert len(explain(made, context(), state, at(56))[0]["occurred"]) == 3


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from([-18.0, -14.0, -11.0, -7.0, -3.0, 2.0])), max_size=30))
def test_one_alert_whose_severity_is_the_worst_that_fires(samples: list[tuple[int, float]]) -> None:
    """No news without a change, nothing but a severity between firing and resolved, and one resolved for an episode."""
    minute, said = 0, []
    for gap, value in samples:
        minute += gap
        said.append(temperature(minute, value))
    severity: str | None = None
    for state, now, _ in course(facts_of(detector(WARM), said, minute + 60)):
        if state == "firing":
            assert now != severity
            severity = now
        elif state == "resolved":
            assert severity == now
            severity = None
        else:
            assert severity is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("severity: critical\nseverities: {major: {when: a > 1}}", "is no worse than the rule's own severity"),
        ("severities: {critical: {when: a >}}", "no CEL expression"),
        ("severities: {critical: {when: a > 1, fro: 3m}}", "fro"),
        ("severities: {terrible: {when: a > 1}}", "terrible"),
        ("times: 3", "times and within belong together"),
        ("times: 3\nwithin: 1h\nfor: 30m", "within must be longer"),
        ("times: 1\nwithin: 1h", "2"),
    ],
)
def test_what_makes_no_sense_is_refused(settings: str, message: str) -> None:
    with pytest.raises(InvalidFileError, match=message):
        ruleset(f"id: r\nkind: condition\nwhen: a > 0\n{settings}")


def test_a_mistake_in_a_severity_has_its_place_and_a_suggestion() -> None:
    made = ruleset(WARM.replace("temperature > 0,", "temprature > 0,"))
    found = [str(error) for error in check_rules(made, {"freezer": FREEZER})]
    said = "the profile 'freezer' has no field 'temprature'; did you mean 'temperature'?"
    assert found == [f"rules.yaml:12:24: rules.0.severities.critical.when: {said}"]


def test_the_state_is_json_and_small() -> None:
    made = detector(WARM)
    state, _ = made.run(context(), DeviceState(), [temperature(m, -7) for m in range(20)])
    assert len(json.dumps(state.rules["too-warm"].to_json())) < 1000
    assert Severity(state.rules["too-warm"].alerts[""].facts["severity"]) is Severity.MAJOR
