"""How the fleet's ecosystems write the same facts: topics, payloads, wills and births.

Sources: OwnTracks booklet "JSON"; Tasmota documentation "MQTT" and "Commands" (LWT, STATE, SENSOR); Zigbee2MQTT
"MQTT topics and messages" (friendly name, availability, bridge/state). The native form is this project's own.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from device_models.event import rfc3339
from simulator.machines.base import Link, Publish, payload_of


@cache
def native_link(device_id: str) -> Link:
    """Return the connection of a product that speaks the native topics."""
    topic = f"devices/{device_id}/lwt"
    return Link(f"sim-{device_id}", topic, b"offline", birth=((topic, b"online", True),))


def native_status(device_id: str, at: datetime, values: Mapping[str, Any]) -> Publish:
    """Return a native status, stamped by the product's own clock."""
    link = native_link(device_id).client_id
    return Publish(link, f"devices/{device_id}/status", payload_of({"ts": rfc3339(at), **values}))


def native_location(device_id: str, at: datetime, latitude: float, longitude: float, accuracy_m: float) -> Publish:
    """Return a native location."""
    where = {"ts": rfc3339(at), "lat": round(latitude, 6), "lon": round(longitude, 6), "acc": round(accuracy_m)}
    return Publish(native_link(device_id).client_id, f"devices/{device_id}/location", payload_of(where))


def tasmota_link(name: str) -> Link:
    """Return the connection of a Tasmota plug with the default full topic ``%prefix%/%topic%/``."""
    topic = f"tele/{name}/LWT"
    return Link(f"DVES_{name}", topic, b"Offline", birth=((topic, b"Online", True),))


def tasmota_telemetry(name: str, at: datetime, power_w: float, energy_kwh: float, probe_c: float) -> list[Publish]:
    """Return STATE and SENSOR of a metering plug with a DS18B20 on its free pin.

    ``Time`` is UTC without a zone, as the firmware writes it under its default ``Timezone 0``.
    """
    stamp, link = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"), tasmota_link(name).client_id
    state = {"Time": stamp, "POWER": "ON", "Wifi": {"AP": 1, "RSSI": 78, "Signal": -61}}
    energy = {
        "Total": round(energy_kwh, 3),
        "Power": round(power_w),
        "Voltage": 231,
        "Current": round(power_w / 231 / 0.65, 3),
        "Factor": 0.65 if power_w > 1 else 0.0,
    }
    sensor = {"Time": stamp, "ENERGY": energy, "DS18B20": {"Temperature": round(probe_c, 1)}, "TempUnit": "C"}
    return [
        Publish(link, f"tele/{name}/STATE", payload_of(state)),
        Publish(link, f"tele/{name}/SENSOR", payload_of(sensor)),
    ]


def zigbee_bridge(name: str) -> Link:
    """Return the connection of a Zigbee2MQTT bridge, through which all its sensors speak."""
    topic = "zigbee2mqtt/bridge/state"
    return Link(f"mqttjs_{name}", topic, b'{"state":"offline"}', birth=((topic, b'{"state":"online"}', True),))


def zigbee_state(bridge: str, name: str, at: datetime, values: Mapping[str, Any]) -> Publish:
    """Return a sensor's state with ``last_seen`` as ``ISO_8601`` writes it."""
    state = {**values, "last_seen": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")}
    return Publish(zigbee_bridge(bridge).client_id, f"zigbee2mqtt/{name}", payload_of(state))


def zigbee_sensor_link(bridge: str, name: str) -> Link:
    """Return the bridge's connection with its word, on coming up, that it hears the sensor."""
    link = zigbee_bridge(bridge)
    return replace(link, birth=(*link.birth, (f"zigbee2mqtt/{name}/availability", b'{"state":"online"}', True)))


def owntracks_link(user: str, phone: str, since: datetime) -> Link:
    """Return the connection of the OwnTracks app, whose will carries the time at which it was set."""
    will = payload_of({"_type": "lwt", "tst": int(since.timestamp())})
    return Link(owntracks_client_id(user, phone), f"owntracks/{user}/{phone}", will, will_retained=False)


def owntracks_client_id(user: str, phone: str) -> str:
    """Return the app's client id: user and device name joined, as it makes them."""
    return f"{user}{phone}"


def owntracks_location(user: str, phone: str, at: datetime, fix: Mapping[str, Any]) -> Publish:
    """Return a location message; ``fix`` holds ``lat``, ``lon``, ``acc`` and what else the phone knows."""
    stamp = int(at.timestamp())
    message = {"_type": "location", "tid": (user[:1] + user[-1:]).lower(), **fix, "tst": stamp, "created_at": stamp}
    return Publish(owntracks_client_id(user, phone), f"owntracks/{user}/{phone}", payload_of(message))
