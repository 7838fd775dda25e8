"""Samples are written from Tasmota's documentation: "MQTT", "JSON Status Responses", "Zigbee", "LoRaWan"."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from device_models.event import EventKind, TimeSource
from tests.device_models.decoders.reading import ARRIVAL, decoded, dispatcher, only_event, rejected

BERLIN = dispatcher("Europe/Berlin")


@pytest.mark.parametrize(
    ("topic", "device_id"),
    [
        ("tele/plug/STATE", "plug"),
        ("stat/plug/RESULT", "plug"),
        ("plug/tele/STATE", "plug"),
        ("tele/hall/plug/STATE", "hall/plug"),
        ("site/tele/hall/plug/STATE", "site/hall/plug"),
        ("site/a/tele/plug/STATE", "site/a/plug"),
    ],
)
def test_the_device_id_is_the_topic_without_prefix_and_kind(topic: str, device_id: str) -> None:
    assert only_event(topic, {"POWER": "ON"}).device_id == device_id


def test_a_state_is_flattened_with_units_and_its_uptime_in_seconds() -> None:
    event = only_event(
        "tele/plug/STATE",
        {
            "Time": "2026-02-01T12:00:00",
            "Uptime": "2T01:00:05",
            "Vcc": 3.4,
            "POWER1": "ON",
            "Wifi": {"AP": 1, "RSSI": 80, "Signal": -60},
        },
        BERLIN,
    )
    assert (event.kind, event.observed_at) == (EventKind.STATUS, datetime(2026, 2, 1, 11, 0, tzinfo=UTC))
    assert event.time_source is TimeSource.DEVICE
    assert event.values == {
        "Uptime": "2T01:00:05",
        "Vcc": 3.4,
        "POWER1": "ON",
        "Wifi.AP": 1,
        "Wifi.RSSI": 80,
        "Wifi.Signal": -60,
        "UptimeSec": 176405,
    }
    assert event.units == {"Vcc": "V", "Wifi.RSSI": "%", "UptimeSec": "s"}


def test_sensors_take_the_units_that_the_message_states() -> None:
    event = only_event(
        "tele/cellar/SENSOR",
        {
            "Time": "2026-02-01T12:00:00",
            "DS18B20-1": {"Id": "01131B123456", "Temperature": 39.2},
            "DS18B20-2": {"Id": "01131B654321", "Temperature": 41},
            "BME280": {"Temperature": 68.5, "Humidity": 45.1, "DewPoint": 46.0, "Pressure": 30.1, "SeaPressure": 30.2},
            "WindMeter": {"Speed": {"Act": 12.0}, "Dir": {"Deg": 90}},
            "TempUnit": "F",
            "PressureUnit": "inHg",
            "SpeedUnit": "mph",
        },
    )
    assert event.values["DS18B20-1.Temperature"] == 39.2
    assert event.units == {
        "DS18B20-1.Temperature": "[degF]",
        "DS18B20-2.Temperature": "[degF]",
        "BME280.Temperature": "[degF]",
        "BME280.DewPoint": "[degF]",
        "BME280.Humidity": "%",
        "BME280.Pressure": "[in_i'Hg]",
        "BME280.SeaPressure": "[in_i'Hg]",
        "WindMeter.Speed.Act": "[mi_i]/h",
        "WindMeter.Dir.Deg": "deg",
    }
    assert "TempUnit" not in event.values


def test_a_temperature_without_a_stated_unit_has_none() -> None:
    assert only_event("tele/x/SENSOR", {"AM2301": {"Temperature": 20.0}}).units == {}


@pytest.mark.parametrize("topic", ["stat/plug/STATUS8", "stat/plug/STATUS10"])
def test_status_8_and_10_name_their_values_as_sensor_does(topic: str) -> None:
    energy = {"TotalStartTime": "2025-01-01T00:00:00", "Total": 12.5, "Power": [40, 2], "Voltage": 230, "Current": 0.2}
    event = only_event(topic, {"StatusSNS": {"Time": "2026-02-01T12:00:00+01:00", "ENERGY": energy}})
    assert event.observed_at == datetime(2026, 2, 1, 11, 0, tzinfo=UTC)
    assert event.values["ENERGY.Total"] == 12.5
    assert event.units == {
        "ENERGY.Total": "kW.h",
        "ENERGY.Power.0": "W",
        "ENERGY.Power.1": "W",
        "ENERGY.Voltage": "V",
        "ENERGY.Current": "A",
    }


def test_status_11_and_a_whole_status_0_name_their_values_as_state_does() -> None:
    assert only_event("stat/plug/STATUS11", {"StatusSTS": {"POWER": "ON", "UptimeSec": 9}}).values == {
        "POWER": "ON",
        "UptimeSec": 9,
    }
    event = only_event(
        "stat/plug/STATUS0",
        {
            "Status": {"Module": 1, "FriendlyName": ["Plug"]},
            "StatusFWR": {"Version": "14.2.0"},
            "StatusTIM": {"UTC": "2026-03-01T11:00:00Z", "Local": "2026-03-01T12:00:00"},
        },
    )
    assert event.observed_at == datetime(2026, 3, 1, 11, 0, tzinfo=UTC)
    assert event.values["StatusFWR.Version"] == "14.2.0"
    assert event.values["Status.FriendlyName.0"] == "Plug"


def test_the_epoch_wins_over_a_local_time() -> None:
    event = only_event("tele/x/SENSOR", {"Time": "2026-03-01T12:00:00", "Epoch": 1772362800, "ANALOG": {"A0": 8}})
    assert (event.observed_at, event.time_source) == (datetime(2026, 3, 1, 11, 0, tzinfo=UTC), TimeSource.DEVICE)
    assert event.values == {"ANALOG.A0": 8}


def test_a_local_time_without_a_configured_zone_gives_the_arrival_time() -> None:
    outcome = decoded("tele/x/SENSOR", {"Time": "2026-02-01T12:00:00", "A": 1})
    assert outcome.events[0].observed_at == ARRIVAL
    assert outcome.note == "Time: has no time zone and none is configured; the arrival time is used"


def test_a_clock_before_its_first_time_server_gives_the_arrival_time() -> None:
    assert only_event("tele/x/STATE", {"Time": "1970-01-01T00:00:12", "A": 1}, BERLIN).observed_at == ARRIVAL


@pytest.mark.parametrize(("payload", "online"), [("Online", True), ("Offline", False)])
def test_a_last_will_is_presence(payload: str, online: bool) -> None:
    event = only_event("tele/plug/LWT", payload)
    assert (event.kind, dict(event.values)) == (EventKind.PRESENCE, {"online": online})


def test_power_is_the_same_value_as_text_and_as_json() -> None:
    assert only_event("stat/plug/POWER2", "OFF").values == only_event("stat/plug/RESULT", {"POWER2": "OFF"}).values


def test_devices_behind_a_zigbee_bridge_are_devices_of_their_own() -> None:
    first, second = decoded(
        "tele/bridge/SENSOR",
        {
            "ZbReceived": {
                "0x1A2B": {"Device": "0x1A2B", "Temperature": 21.5, "Humidity": 40, "LinkQuality": 90},
                "0x3C4D": {"Device": "0x3C4D", "Name": "Fridge", "BatteryPercentage": 80, "Accel": [1, 2]},
            }
        },
    ).events
    assert (first.device_id, second.device_id) == ("bridge/0x1A2B", "bridge/Fridge")
    assert first.units == {"Temperature": "Cel", "Humidity": "%"}
    assert second.values == {"Device": "0x3C4D", "Name": "Fridge", "BatteryPercentage": 80, "Accel.0": 1, "Accel.1": 2}


def test_a_named_zigbee_device_has_one_id_in_every_form_of_topic_and_message() -> None:
    by_address = only_event("tele/b/SENSOR", {"ZbReceived": {"0x3C4D": {"Device": "0x3C4D", "Name": "Fridge"}}})
    by_name = only_event("tele/b/SENSOR", {"ZbReceived": {"Fridge": {"Device": "0x3C4D"}}})
    own_topic = only_event("tele/b/3C4D/SENSOR", {"ZbReceived": {"0x3C4D": {"Device": "0x3C4D", "Name": "Fridge"}}})
    own_named_topic = only_event("tele/b/Fridge/SENSOR", {"ZbReceived": {"Fridge": {"Device": "0x3C4D"}}})
    assert {e.device_id for e in (by_address, by_name, own_topic, own_named_topic)} == {"b/Fridge"}


def test_what_a_bridge_remembers_was_observed_when_the_device_was_last_heard() -> None:
    event = only_event(
        "tele/b/SENSOR",
        {"ZbInfo": {"0x1A2B": {"Name": "Plug", "Power": 1, "LastSeen": 60, "LastSeenEpoch": 1772362800}}},
    )
    assert event.observed_at == datetime(2026, 3, 1, 11, 0, tzinfo=UTC)
    ago = only_event("tele/b/SENSOR", {"ZbInfo": {"0x1A2B": {"Name": "Plug", "LastSeen": 60}}})
    assert ago.observed_at == ARRIVAL - timedelta(seconds=60)


def test_lorawan_nodes_are_devices_of_their_own() -> None:
    event = only_event(
        "tele/core/SENSOR", {"LwReceived": {"0x4AD6": {"Device": "0x4AD6", "DoorOpen": 1, "Battery": 3.1}}}
    )
    assert (event.device_id, event.values["DoorOpen"]) == ("core/0x4AD6", 1)


def test_a_bridge_that_also_speaks_for_itself_comes_first() -> None:
    own, other = decoded("tele/b/SENSOR", {"Switch1": "ON", "ZbReceived": {"0x1A2B": {"Power": True}}}).events
    assert (own.device_id, dict(own.values)) == ("b", {"Switch1": "ON"})
    assert (other.device_id, dict(other.values)) == ("b/0x1A2B", {"Power": True})


def test_a_sleeping_device_is_not_observed_in_the_future() -> None:
    event = only_event("stat/x/DEEPSLEEP", {"DeepSleep": {"Time": "2026-03-01T13:00:00", "Epoch": 1772370000}})
    assert event.observed_at == ARRIVAL


def test_a_command_is_one_and_its_credentials_are_left_out() -> None:
    event = only_event("cmnd/plug/Power1", "TOGGLE")
    assert (event.kind, dict(event.values)) == (EventKind.COMMAND, {"command": "Power1", "payload": "TOGGLE"})
    assert only_event("cmnd/plug/STATUS", b"").values == {"command": "STATUS"}
    assert only_event("cmnd/plug/MqttPassword", "hunter2").values == {"command": "MqttPassword"}
    assert only_event("cmnd/plug/Backlog", "MqttPassword hunter2; Restart 1").values == {"command": "Backlog"}
    assert only_event("stat/plug/RESULT", {"WebPassword": "hunter2", "A": 1}).values == {"A": 1}


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("tasmota/discovery/A1B2C3/config", {"t": "plug"}),
        ("stat/plug/LOGGING", "12:00:00 MQT: x"),
        ("tele/plug/LWT", b""),
    ],
)
def test_what_says_nothing_of_the_state_is_understood_and_no_event(topic: str, payload: Any) -> None:
    outcome = decoded(topic, payload)
    assert outcome.events == ()
    assert outcome.note


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        ("tele/plug/LWT", "lost", "payload: 'lost' is neither online nor offline"),
        ("tele/plug/SENSOR", "21.5", "payload: is a number, not a JSON object"),
        ("stat/plug/RESULT", "Done,Restarting", "payload: is no JSON: "),
        ("tele/plug/SENSOR", b'{"A":{"Temperature":nan}}', "payload: is no JSON: "),
        ("site/tele/plug/state", {}, "topic: 'state' is no kind of Tasmota message"),
        ("tele/STATE", {}, "topic: the device id is empty"),
        ("cmnd/plug/", "x", "topic: names no command"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(topic: str, payload: Any, reason: str) -> None:
    assert rejected(topic, payload).startswith(reason)
