"""What detection forgets of places when a device changes hands, and what a swapped unit takes over."""

from dataclasses import replace

from device_models.event import Position
from rules.evaluator import Fingerprint, RuleState
from rules.forgetting import forget_places, take_over
from rules.state import DeviceState
from tests.rules.making import FREEZER, TOO_WARM, at, detector, status


def state_of(kind: str, minute: float) -> RuleState:
    return RuleState(Fingerprint(kind, "live", "", ""), memory={"somewhere": [52.5, 13.4]}, due_at=at(minute))


def test_rules_about_places_forget_and_the_others_keep_their_timers() -> None:
    plan = detector(TOO_WARM).plan(FREEZER)
    state = DeviceState(rules={"too-warm": state_of("condition", 10), "left-home": state_of("geofence", 5)})
    state.event_due_at = at(5)
    found = forget_places(plan, state)
    assert set(found.rules) == {"too-warm"}
    assert found.event_due_at == at(10)
    assert set(state.rules) == {"too-warm", "left-home"}


def test_a_state_without_places_is_left_as_it_is() -> None:
    state = DeviceState(rules={"too-warm": state_of("condition", 10)})
    assert forget_places(detector(TOO_WARM).plan(FREEZER), state) is state


def test_a_held_fix_is_dropped_and_a_held_sample_kept() -> None:
    sample = status(0, {"temperature": -18})
    fix = replace(sample, position=Position(52.5, 13.4))
    found = forget_places(detector(TOO_WARM).plan(FREEZER), DeviceState(held=(sample, fix)))
    assert found.held == (sample,)


def test_a_new_unit_takes_over_service_plans_and_no_alert_of_the_old() -> None:
    service = "id: service\nkind: maintenance\nprofile: freezer\n"
    plan = detector(TOO_WARM, service).plan(FREEZER)
    memory = {"filter": {"since": "2026-01-01T00:00:00Z", "counters": {"running_hours": 0}, "usage": {}}}
    old = DeviceState(
        rules={
            "service": RuleState(Fingerprint("maintenance", "live", "", ""), memory=memory),
            "too-warm": state_of("condition", 10),
        }
    )
    found = take_over(plan, old, DeviceState())
    assert set(found.rules) == {"service"}
    assert found.rules["service"].memory == memory
