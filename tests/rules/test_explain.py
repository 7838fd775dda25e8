import json

from rules.explain import explain
from rules.state import DeviceState
from tests.rules.making import TOO_WARM, at, context, detector, status, temperature

DETECTOR = detector(
    TOO_WARM,
    "{id: open, kind: condition, when: door_open && power > 5}",
    "{id: pump, kind: condition, profile: heat-pump, when: pressure < 1}",
    "{id: silent, kind: absent}",
    "{id: codes, kind: error_code}",
    "{id: service, kind: maintenance}",
    "{id: near, kind: proximity}",
)


def test_each_rule_says_where_it_stands_and_why() -> None:
    events = [temperature(0, -18), temperature(5, -11), status(6, {"door_open": True}), temperature(4, 0, arrives=6)]
    state, _ = DETECTOR.run(context(), DeviceState(), events)
    told = {entry["rule"]: entry for entry in explain(DETECTOR, context(), state, at(7))}
    assert json.loads(json.dumps(told)) == told
    assert list(told) == ["too-warm", "open", "pump", "silent", "codes", "service", "near"]

    warm = told["too-warm"]
    assert warm["state"] == "pending"
    assert warm["alerts"][0]["held_s"] == 120.0
    assert warm["next_timer"] == "2026-03-01T08:15:00Z"
    assert warm["values"]["temperature"] == {"value": -11, "observed_at": "2026-03-01T08:05:00Z", "age_s": 120.0}
    assert warm["limits"] == [{"field": "temperature", "limit": -12.0, "direction": "above"}]
    assert warm["late_events"] == 1

    assert told["open"]["missing"] == ["power"]
    assert told["open"]["no_sample"]["reason"] == "power is missing"
    assert told["pump"]["applies"] is False
    assert told["silent"]["next_timer"] == "2026-03-01T08:15:00Z"
    assert told["near"]["location_consent"] is False


def test_a_device_nobody_heard_of_is_explained_too() -> None:
    told = explain(DETECTOR, context(), DeviceState(), at(0))
    assert {entry["state"] for entry in told if entry["applies"]} == {"inactive"}
    assert told[0]["missing"] == ["temperature"]
