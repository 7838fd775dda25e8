"""What Zigbee2MQTT's bridge says of itself, on ``<base>/bridge/…``."""

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
    shown,
)
from device_models.decoders.protocol import DecodeContext, Decoded
from device_models.decoders.stamp import Observed, observe
from device_models.event import Event, EventKind, Message, TimeSource, Value

_INVENTORIES = {
    "devices": "an inventory of the bridge; its devices did not speak",
    "groups": "an inventory of groups",
    "definitions": "definitions of clusters",
    "extensions": "an inventory of extensions",
    "converters": "an inventory of converters",
    "config": "the bridge's configuration",
    "networkmap": "a map of the network",
    "log": "a message of the API before version 1.17",
}
_INFO = ("version", "commit", "coordinator", "network", "log_level", "permit_join", "restart_required", "os", "mqtt")
"""Fields of ``bridge/info`` that are kept; ``config`` may hold credentials and ``config_schema`` says nothing."""
_LOUD = ("warning", "warn", "error")


def bridge_of(beginning: str) -> str:
    """Return the id of the bridge whose devices' ids begin with ``beginning``, ``""`` or ``base/``."""
    return f"{beginning or 'zigbee2mqtt/'}bridge"


def decode_bridge(beginning: str, topic: str, message: Message, context: DecodeContext) -> Decoded:
    """Read a message of the bridge.

    ``beginning`` is what ids begin with, ``""`` or ``base/``; ``topic`` is what follows ``bridge/``.
    Raises UnusableError.
    """
    bridge_id = checked_device_id(bridge_of(beginning))
    head, _, rest = topic.partition("/")
    if head == "request":
        return _request(bridge_id, rest, message)
    if not message.payload:
        return Decoded(note=REMOVED)
    if head in _INVENTORIES:
        if head != "networkmap":
            read_json(message.payload)
        return Decoded(note=_INVENTORIES[head])
    match head:
        case "state" if not rest:
            return _state(bridge_id, message)
        case "logging" if not rest:
            return _logging(bridge_id, message)
        case "event" if not rest:
            return _event(bridge_id, beginning, message)
        case "info" if not rest:
            data = read_object(message.payload)
            return _status(bridge_id, {name: data[name] for name in _INFO if name in data}, message)
        case "health" if not rest:
            data = read_object(message.payload)
            data.pop("devices", None)
            observed = observe(data.pop("response_time", None), message, context, "response_time")
            return _status(bridge_id, data, message, observed)
        case "response" if rest:
            return _status(bridge_id, {"response": rest, **read_object(message.payload)}, message)
    raise UnusableError(f"topic: {shown('bridge/' + topic)} is no topic of Zigbee2MQTT's bridge")


def _state(bridge_id: str, message: Message) -> Decoded:
    payload = message.payload
    if payload.lstrip()[:1] == b"{":
        state = read_object(payload).get("state")
        if not isinstance(state, str):
            raise UnusableError(f"state: is {kind_of(state)}, not online or offline")
        payload = state.encode()
    return Decoded((_said(bridge_id, EventKind.PRESENCE, message, {"online": online_of(payload)}),))


def _logging(bridge_id: str, message: Message) -> Decoded:
    data = read_object(message.payload)
    if data.get("level") not in _LOUD:
        return Decoded(note="a line of the bridge's log below warning")
    return _status(bridge_id, {"log": data}, message)


def _event(bridge_id: str, beginning: str, message: Message) -> Decoded:
    """Joining, announcing and leaving are the device's own doing; it is named by its friendly name."""
    data = read_object(message.payload)
    kind, about = data.get("type"), data.get("data")
    if not isinstance(kind, str) or not isinstance(about, dict):
        raise UnusableError("type, data: one is missing or of a wrong type")
    name = about.get("friendly_name") or about.get("ieee_address")
    device_id = checked_device_id(beginning + name) if isinstance(name, str) and name else bridge_id
    definition = about.pop("definition", None)
    if isinstance(definition, dict):
        about.update({key: definition.get(key) for key in ("model", "vendor", "description")})
    notes: list[str] = []
    values: dict[str, Value] = {"event": kind, **flatten(about, notes)}
    events = [_said(device_id, EventKind.STATUS, message, values)]
    if kind == "device_leave" and device_id != bridge_id:
        events.append(_said(device_id, EventKind.PRESENCE, message, {"online": False}))
    return Decoded(tuple(events), joined(notes))


def _request(bridge_id: str, request: str, message: Message) -> Decoded:
    if not request:
        raise UnusableError("topic: names no request")
    notes: list[str] = []
    payload: Any = {}
    if message.payload:
        is_object = message.payload.lstrip()[:1] == b"{"
        payload = read_object(message.payload) if is_object else {"payload": read_scalar(message.payload)}
    # Options may hold credentials of the broker.
    values: dict[str, Value] = {"command": request}
    if not request.startswith("options"):
        values.update(flatten(payload, notes))
    return Decoded((_said(bridge_id, EventKind.COMMAND, message, values),), joined(notes))


def _status(bridge_id: str, data: dict[str, Any], message: Message, observed: Observed | None = None) -> Decoded:
    notes = [observed[2]] if observed and observed[2] else []
    values = flatten(data, notes)
    return Decoded((_said(bridge_id, EventKind.STATUS, message, values, observed),), joined(notes))


def _said(
    device_id: str, kind: EventKind, message: Message, values: dict[str, Value], observed: Observed | None = None
) -> Event:
    at, source, _ = observed or (message.received_at, TimeSource.ARRIVAL, None)
    return Event(device_id, kind, at, message.received_at, source, "zigbee2mqtt", values, {}, None, message.retained)
