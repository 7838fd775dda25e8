"""Samples are written from Zigbee2MQTT's documentation: "MQTT Topics and Messages", "Exposes", "Health"."""

from datetime import UTC, datetime
from typing import Any

import pytest

from device_models.decoders.dispatch import Dispatcher, Route
from device_models.decoders.zigbee2mqtt import decoder
from device_models.event import EventKind, TimeSource
from tests.device_models.decoders.reading import ARRIVAL, decoded, only_event, rejected


def test_a_state_keeps_its_values_with_units_and_leaves_nulls_out() -> None:
    event = only_event(
        "zigbee2mqtt/cellar/freezer",
        {"temperature": -18.2, "humidity": 44, "battery": 97, "voltage": 2995, "linkquality": 120, "action": None},
    )
    assert (event.device_id, event.kind) == ("cellar/freezer", EventKind.STATUS)
    assert event.values == {"temperature": -18.2, "humidity": 44, "battery": 97, "voltage": 2995, "linkquality": 120}
    assert event.units == {"temperature": "Cel", "humidity": "%", "battery": "%", "voltage": "mV"}


def test_a_mains_meter_reports_volts_and_its_endpoints_keep_their_units() -> None:
    event = only_event(
        "zigbee2mqtt/meter",
        {
            "voltage": 231,
            "power": 12.5,
            "current": 0.1,
            "energy": 3.2,
            "power_l2": 4,
            "voltage_phase_b": 229,
            "power_outage_count": 2,
            "state_l1": "ON",
        },
    )
    assert event.units == {
        "voltage": "V",
        "power": "W",
        "current": "A",
        "energy": "kW.h",
        "power_l2": "W",
        "voltage_phase_b": "V",
    }


@pytest.mark.parametrize("last_seen", ["2026-03-01T11:00:00.000Z", "2026-03-01T12:00:00+01:00", 1772362800000])
def test_last_seen_is_the_devices_time_in_each_of_its_formats(last_seen: Any) -> None:
    event = only_event("zigbee2mqtt/x", {"contact": True, "last_seen": last_seen})
    assert (event.observed_at, event.time_source) == (datetime(2026, 3, 1, 11, 0, tzinfo=UTC), TimeSource.DEVICE)
    assert event.values == {"contact": True}


def test_an_absurd_last_seen_gives_the_arrival_time_and_says_so() -> None:
    outcome = decoded("zigbee2mqtt/x", {"contact": True, "last_seen": 1000})
    assert outcome.events[0].observed_at == ARRIVAL
    assert "before the year 2000" in str(outcome.note)


@pytest.mark.parametrize(
    ("payload", "online"),
    [("online", True), ("offline", False), ({"state": "online"}, True), ({"state": "offline"}, False)],
)
@pytest.mark.parametrize(
    ("topic", "device_id"),
    [("zigbee2mqtt/hall/lamp/availability", "hall/lamp"), ("zigbee2mqtt/bridge/state", "zigbee2mqtt/bridge")],
)
def test_availability_and_the_bridges_state_are_presence(
    topic: str, device_id: str, payload: Any, online: bool
) -> None:
    event = only_event(topic, payload)
    assert (event.device_id, event.kind, dict(event.values)) == (device_id, EventKind.PRESENCE, {"online": online})


@pytest.mark.parametrize(
    ("topic", "payload", "values"),
    [
        ("zigbee2mqtt/hall/button/action", "double", {"action": "double"}),
        ("zigbee2mqtt/hall/button/battery", "87", {"battery": 87}),
        ("zigbee2mqtt/hall/button/update-state", "idle", {"update.state": "idle"}),
        ("zigbee2mqtt/hall/button/contact", "false", {"contact": False}),
    ],
)
def test_an_attribute_on_its_own_topic_is_a_value_of_its_device(
    topic: str, payload: str, values: dict[str, Any]
) -> None:
    event = only_event(topic, payload)
    assert (event.device_id, dict(event.values)) == ("hall/button", values)


def test_an_endpoints_topic_gives_the_values_that_the_device_uses() -> None:
    event = only_event("zigbee2mqtt/switch/l2", {"state": "ON", "brightness": 20})
    assert (event.device_id, dict(event.values)) == ("switch", {"state_l2": "ON", "brightness_l2": 20})


def test_progress_of_an_update_is_flattened() -> None:
    event = only_event("zigbee2mqtt/bulb", {"update": {"state": "updating", "progress": 12.5, "remaining": 300}})
    assert event.values == {"update.state": "updating", "update.progress": 12.5, "update.remaining": 300}
    assert event.units == {"update.progress": "%", "update.remaining": "s"}


@pytest.mark.parametrize(
    ("topic", "payload", "device_id", "values"),
    [
        ("zigbee2mqtt/lamp/set", {"state": "ON"}, "lamp", {"command": "set", "state": "ON"}),
        ("zigbee2mqtt/hall/lamp/set/state", "OFF", "hall/lamp", {"command": "set", "state": "OFF"}),
        ("zigbee2mqtt/lamp/get", {"state": ""}, "lamp", {"command": "get", "state": ""}),
        ("zigbee2mqtt/lamp/get", b"", "lamp", {"command": "get"}),
        (
            "zigbee2mqtt/bridge/request/permit_join",
            {"value": True},
            "zigbee2mqtt/bridge",
            {"command": "permit_join", "value": True},
        ),
        (
            "zigbee2mqtt/bridge/request/options",
            {"options": {"mqtt": {"password": "x"}}},
            "zigbee2mqtt/bridge",
            {"command": "options"},
        ),
    ],
)
def test_what_is_asked_of_a_device_is_a_command(
    topic: str, payload: Any, device_id: str, values: dict[str, Any]
) -> None:
    event = only_event(topic, payload)
    assert (event.device_id, event.kind, dict(event.values)) == (device_id, EventKind.COMMAND, values)


def test_joining_is_an_event_of_the_device_that_joined() -> None:
    about = {
        "friendly_name": "hall/lamp",
        "ieee_address": "0x01",
        "status": "successful",
        "supported": True,
        "definition": {"model": "M1", "vendor": "V", "description": "D", "exposes": [{"type": "light"}]},
    }
    event = only_event("zigbee2mqtt/bridge/event", {"type": "device_interview", "data": about})
    assert event.device_id == "hall/lamp"
    assert event.values == {
        "event": "device_interview",
        "friendly_name": "hall/lamp",
        "ieee_address": "0x01",
        "status": "successful",
        "supported": True,
        "model": "M1",
        "vendor": "V",
        "description": "D",
    }


def test_leaving_the_network_is_going_offline() -> None:
    said, presence = decoded(
        "zigbee2mqtt/bridge/event", {"type": "device_leave", "data": {"friendly_name": "lamp", "ieee_address": "0x01"}}
    ).events
    assert said.values["event"] == "device_leave"
    assert (presence.device_id, presence.kind, dict(presence.values)) == ("lamp", EventKind.PRESENCE, {"online": False})


def test_a_response_is_the_bridges_word_and_not_that_of_the_device_it_is_about() -> None:
    event = only_event(
        "zigbee2mqtt/bridge/response/device/ota_update/check",
        {"data": {"id": "bulb", "update_available": True}, "status": "error", "error": "No response"},
    )
    assert event.device_id == "zigbee2mqtt/bridge"
    assert event.values == {
        "response": "device/ota_update/check",
        "data.id": "bulb",
        "data.update_available": True,
        "status": "error",
        "error": "No response",
    }


def test_the_bridges_health_has_its_own_time() -> None:
    event = only_event(
        "zigbee2mqtt/bridge/health",
        {
            "response_time": 1772362800000,
            "os": {"load_average": [0.5, 0.4], "memory_percent": 8.3},
            "mqtt": {"connected": True, "queued": 0},
            "devices": {"0x01": {"messages": 4}},
        },
    )
    assert event.observed_at == datetime(2026, 3, 1, 11, 0, tzinfo=UTC)
    assert event.values == {
        "os.load_average.0": 0.5,
        "os.load_average.1": 0.4,
        "os.memory_percent": 8.3,
        "mqtt.connected": True,
        "mqtt.queued": 0,
    }


def test_the_bridges_info_leaves_its_configuration_out() -> None:
    event = only_event(
        "zigbee2mqtt/bridge/info",
        {"version": "2.1.0", "permit_join": False, "network": {"channel": 11}, "config": {"mqtt": {"password": "x"}}},
    )
    assert event.values == {"version": "2.1.0", "network.channel": 11, "permit_join": False}


def test_only_warnings_and_errors_of_the_log_are_events() -> None:
    assert decoded("zigbee2mqtt/bridge/logging", {"level": "debug", "message": "m"}).events == ()
    event = only_event("zigbee2mqtt/bridge/logging", {"level": "error", "message": "Adapter disconnected"})
    assert event.values == {"log.level": "error", "log.message": "Adapter disconnected"}


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("zigbee2mqtt/bridge/devices", [{"friendly_name": "lamp"}]),
        ("zigbee2mqtt/bridge/groups", []),
        ("zigbee2mqtt/bridge/definitions", {}),
        ("zigbee2mqtt/bridge/extensions", []),
        ("zigbee2mqtt/lamp", b""),
        ("zigbee2mqtt/lamp/availability", b""),
        ("zigbee2mqtt/button/action", b""),
    ],
)
def test_inventories_and_removals_are_understood_and_no_event(topic: str, payload: Any) -> None:
    outcome = decoded(topic, payload)
    assert outcome.events == ()
    assert outcome.note


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        ("zigbee2mqtt/lamp", "ON", "payload: is no JSON: "),
        ("zigbee2mqtt/lamp", [1], "payload: is an array, not a JSON object"),
        ("zigbee2mqtt/lamp/availability", "perhaps", "payload: 'perhaps' is neither online nor offline"),
        ("zigbee2mqtt/lamp/availability", {"state": 1}, "state: is a number, not online or offline"),
        ("zigbee2mqtt/bridge/state", {"status": "online"}, "state: is null, not online or offline"),
        ("zigbee2mqtt/bridge/unheard_of", {}, "topic: 'bridge/unheard_of' is no topic of Zigbee2MQTT's bridge"),
        ("zigbee2mqtt/bridge/devices", "[{", "payload: is no JSON: "),
        ("zigbee2mqtt/a//b", {}, "topic: is not of the form zigbee2mqtt/<friendly name>"),
        ("zigbee2mqtt", {}, "topic: is not of the form zigbee2mqtt/<friendly name>"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(topic: str, payload: Any, reason: str) -> None:
    assert rejected(topic, payload).startswith(reason)


def test_two_bridges_never_share_a_device_id() -> None:
    using = Dispatcher(
        [Route("zigbee2mqtt/#", decoder), Route("z2m-garage/#", decoder), Route("site/+/zigbee2mqtt/#", decoder)]
    )
    ids = [
        only_event(f"{base}/lamp", {"state": "ON"}, using).device_id
        for base in ("zigbee2mqtt", "z2m-garage", "site/a/zigbee2mqtt", "site/b/zigbee2mqtt")
    ]
    assert ids == ["lamp", "z2m-garage/lamp", "site/a/zigbee2mqtt/lamp", "site/b/zigbee2mqtt/lamp"]
    assert only_event("z2m-garage/bridge/state", "online", using).device_id == "z2m-garage/bridge"
