"""Editing rules while alerts are open: what is kept, reset and closed."""

import json

from rules.state import DeviceState
from rules.transition import Transition
from tests.rules.making import TOO_WARM, at, context, detector, status, temperature, told

BEFORE = detector(TOO_WARM)
PENDING = [temperature(0, -18), temperature(5, -11)]
FIRING = [*PENDING, temperature(10, -11), temperature(15, -11)]


def edited(events: list, *rules: str, until: float = 300, more: list | None = None) -> list[tuple[str, str, float]]:  # type: ignore[type-arg]
    """Run events under the old rule, then go on under the new ones; tell what happens after the edit."""
    state, _ = BEFORE.run(context(), DeviceState(), events)
    state = DeviceState.from_json(json.loads(json.dumps(state.to_json())))
    after = detector(*rules)
    state, facts = after.reconcile(context(), state, at(16))
    _, later = after.run(context(), state, more or [], until=at(until))
    return told(facts + later)


def test_what_fires_goes_on_when_the_limit_is_edited_and_resolves_by_the_new_one() -> None:
    new = TOO_WARM.replace("> -12", "> -10").replace("< -15", "< -12")
    assert edited(FIRING, new, more=[temperature(20, -11), temperature(25, -13)]) == [("too-warm", "resolved", 25)]


def test_what_is_pending_is_taken_back_when_the_condition_is_edited() -> None:
    assert edited(PENDING, TOO_WARM.replace("> -12", "> -10")) == [("too-warm", "inactive", 16)]


def test_what_is_pending_follows_a_new_duration() -> None:
    assert edited(PENDING, TOO_WARM.replace("10m", "12m")) == [("too-warm", "firing", 17)]
    assert edited(PENDING, TOO_WARM.replace("10m", "3m")) == [("too-warm", "firing", 8)]


def test_a_new_title_or_severity_changes_nothing_that_is_open() -> None:
    assert edited(FIRING, TOO_WARM + "title: Too warm\nseverity: critical") == []


def test_the_alert_of_a_rule_that_is_gone_is_closed_with_its_reason() -> None:
    state, _ = BEFORE.run(context(), DeviceState(), FIRING)
    state, facts = detector("{id: other, kind: absent}").reconcile(context(), state, at(16))
    assert told(facts) == [("too-warm", "resolved", 16)]
    assert isinstance(facts[0], Transition)
    assert facts[0].explanation["reason"] == "rule_removed"
    assert "too-warm" not in state.rules


def test_a_rule_that_no_longer_applies_or_became_another_kind_closes_its_alert() -> None:
    assert edited(FIRING, TOO_WARM.replace("freezer", "heat-pump")) == [("too-warm", "resolved", 16)]
    assert edited(FIRING, "{id: too-warm, kind: absent}", until=17) == [("too-warm", "resolved", 16)]
    assert edited(FIRING, TOO_WARM + "mode: shadow") == [("too-warm", "resolved", 16)]


def test_a_pending_alert_of_a_rule_that_is_gone_becomes_inactive() -> None:
    assert edited(PENDING, "{id: other, kind: error_code}") == [("too-warm", "inactive", 16)]


def test_detection_reconciles_by_itself_at_the_next_input() -> None:
    state, _ = BEFORE.run(context(), DeviceState(), FIRING)
    _, facts = detector("{id: other, kind: error_code}").detect(context(), state, temperature(20, -11))
    assert told(facts) == [("too-warm", "resolved", 20)]


def test_open_codes_are_closed_with_the_severity_they_had() -> None:
    codes = detector("{id: codes, kind: error_code}")
    state, _ = codes.run(context(), DeviceState(), [status(0, {"code": 0}), status(5, {"code": "E5"})])
    _, facts = BEFORE.reconcile(context(), state, at(9))
    assert [(fact.fault, fact.state.value, fact.severity.value) for fact in facts if isinstance(fact, Transition)] == [
        ("E5", "resolved", "critical")
    ]


def test_the_same_rules_leave_the_state_as_it_is() -> None:
    state, _ = BEFORE.run(context(), DeviceState(), FIRING)
    assert detector(TOO_WARM).reconcile(context(), state, at(99)) == (state, [])
