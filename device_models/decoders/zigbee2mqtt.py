"""Zigbee2MQTT: a bridge that publishes each Zigbee device below its base topic, ``zigbee2mqtt/<friendly name>``.

Source: zigbee2mqtt.io, "MQTT Topics and Messages", "Exposes", "Device availability", "Health". The device id is the
friendly name, slashes included; with another base topic than ``zigbee2mqtt`` the base stands in front, so that two
bridges never share an id. The bridge itself is ``<base>/bridge``. An event's device is who spoke: what the bridge
says *about* a device (an inventory, a response) does not make that device heard.
"""

import re
from typing import Any

from device_models.decoders.payload import (
    REMOVED,
    UnusableError,
    checked_device_id,
    flatten,
    joined,
    kind_of,
    online_of,
    read_json,
    read_object,
    read_scalar,
)
from device_models.decoders.protocol import DecodeContext, Decoded
from device_models.decoders.stamp import observe
from device_models.decoders.topics import below_base
from device_models.decoders.zigbee2mqtt_bridge import bridge_of, decode_bridge
from device_models.decoders.zigbee2mqtt_units import units_of
from device_models.event import Event, EventKind, Message, Rejection, TimeSource, Value

_ENDPOINT = re.compile(r"(?:l|ep)\d{1,2}")
"""Last levels under which one endpoint of a device publishes; its values are those of the device, ``state_l2``."""
_JSON_STARTS = (b"{", b"[")


class Zigbee2MQTT:
    """Decoder of Zigbee2MQTT; see the module."""

    name = "zigbee2mqtt"
    default_topics = ("zigbee2mqtt/#",)

    def decode(self, message: Message, context: DecodeContext) -> Decoded | Rejection:
        """See ``Decoder.decode``."""
        try:
            decoded = _decode(message, context)
            return Decoded(decoded.events, decoded.note, bridge_of(_levels(message, context)[0]))
        except UnusableError as error:
            return Rejection.of(message, str(error))


decoder = Zigbee2MQTT()


def _levels(message: Message, context: DecodeContext) -> tuple[str, list[str]]:
    return below_base(message.topic, context.topic_filter, "zigbee2mqtt")


def _decode(message: Message, context: DecodeContext) -> Decoded:
    beginning, levels = _levels(message, context)
    if not levels or not all(levels):
        raise UnusableError("topic: is not of the form zigbee2mqtt/<friendly name>")
    if levels[0] == "bridge":
        return decode_bridge(beginning, "/".join(levels[1:]), message, context)
    last = levels[-1]
    if len(levels) > 1:
        device_id = beginning + "/".join(levels[:-1])
        if last in ("set", "get"):
            return _command(checked_device_id(device_id), last, None, message)
        if levels[-2] in ("set", "get") and len(levels) > 2:
            return _command(checked_device_id(beginning + "/".join(levels[:-2])), levels[-2], last, message)
        if not message.payload:
            return Decoded(note=REMOVED)
        if last == "availability":
            return _availability(checked_device_id(device_id), message)
        if not message.payload.lstrip().startswith(_JSON_STARTS):
            return _attribute(checked_device_id(device_id), last, message)
        if _ENDPOINT.fullmatch(last):
            return _state(checked_device_id(device_id), message, context, endpoint=last)
    if not message.payload:
        return Decoded(note=REMOVED)
    return _state(checked_device_id(beginning + "/".join(levels)), message, context)


def _state(device_id: str, message: Message, context: DecodeContext, endpoint: str = "") -> Decoded:
    data = read_object(message.payload)
    at, source, note = observe(data.pop("last_seen", None), message, context, "last_seen")
    notes = [note] if note else []
    values = flatten(data, notes)
    if endpoint:
        values = {f"{name}_{endpoint}": value for name, value in values.items()}
    units = units_of(values)
    arrival, retained = message.received_at, message.retained
    event = Event(device_id, EventKind.STATUS, at, arrival, source, "zigbee2mqtt", values, units, None, retained)
    return Decoded((event,), joined(notes))


def _availability(device_id: str, message: Message) -> Decoded:
    values: dict[str, Value] = {"online": availability_of(message.payload)}
    return Decoded((_arrived(device_id, EventKind.PRESENCE, message, values),))


def availability_of(payload: bytes) -> bool:
    """Read ``online``, ``offline`` or ``{"state": …}``, as Zigbee2MQTT writes it since 1.17."""
    if payload.lstrip()[:1] != b"{":
        return online_of(payload)
    state = read_object(payload).get("state")
    if isinstance(state, str):
        return online_of(state.encode())
    raise UnusableError(f"state: is {kind_of(state)}, not online or offline")


def _attribute(device_id: str, attribute: str, message: Message) -> Decoded:
    """One value on a topic of its own (``output: attribute``); nested ones are joined with ``-`` there."""
    value = read_scalar(message.payload)
    if value in ("", "null"):
        return Decoded(note=f"{attribute}: has no value")
    notes: list[str] = []
    if attribute == "last_seen":
        return Decoded(note="last_seen: alone, without a value seen then")
    values = flatten({attribute.replace("-", "."): value}, notes)
    return Decoded((_arrived(device_id, EventKind.STATUS, message, values, units_of(values)),), joined(notes))


def _command(device_id: str, verb: str, attribute: str | None, message: Message) -> Decoded:
    data: Any = read_scalar(message.payload) if attribute else None
    if attribute is None and message.payload:
        data = read_json(message.payload) if message.payload.lstrip()[:1] == b"{" else read_scalar(message.payload)
    notes: list[str] = []
    asked = data if isinstance(data, dict) else {attribute or "payload": data}
    values: dict[str, Value] = {"command": verb, **flatten(asked, notes)}
    return Decoded((_arrived(device_id, EventKind.COMMAND, message, values),), joined(notes))


def _arrived(
    device_id: str,
    kind: EventKind,
    message: Message,
    values: dict[str, Value],
    units: dict[str, str] | None = None,
) -> Event:
    at = message.received_at
    return Event(
        device_id, kind, at, at, TimeSource.ARRIVAL, "zigbee2mqtt", values, units or {}, None, message.retained
    )
