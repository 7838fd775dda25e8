"""The gateway's own topics, for makers who choose their payloads: ``devices/<device_id>/status`` and its siblings.

========================= ====================================================================================
``…/status``              a flat or nested JSON object; ``ts`` (RFC 3339, epoch seconds or milliseconds) is optional
``…/location``            ``lat``, ``lon`` in degrees, optional ``acc``, ``alt`` (metres), ``speed`` (m/s), ``course``
                          (degrees), ``ts``; other fields become values
``…/lwt``                 ``online`` or ``offline``, retained
``…/commands``            what was asked of the device: a JSON object or text
========================= ====================================================================================
"""

from typing import Any

from device_models.decoders.payload import (
    REMOVED,
    UnusableError,
    checked_device_id,
    flatten,
    joined,
    number,
    online_of,
    read_object,
    read_scalar,
    shown,
)
from device_models.decoders.protocol import DecodeContext, Decoded
from device_models.decoders.stamp import observe
from device_models.event import Event, EventKind, Message, Position, Rejection, TimeSource

_POSITION_FIELDS = ("lat", "lon", "acc", "alt", "speed", "course")


class Native:
    """Decoder of the native topics. The device id is the level before the last, whatever stands in front."""

    name = "native"
    default_topics = ("devices/+/status", "devices/+/location", "devices/+/lwt", "devices/+/commands")

    def decode(self, message: Message, context: DecodeContext) -> Decoded | Rejection:
        """See ``Decoder.decode``."""
        try:
            return _decode(message, context)
        except UnusableError as error:
            return Rejection.of(message, str(error))


decoder = Native()


def _decode(message: Message, context: DecodeContext) -> Decoded:
    above, _, suffix = message.topic.rpartition("/")
    device_id = checked_device_id(above.rpartition("/")[2])
    if not message.payload:
        return Decoded(note=REMOVED)
    match suffix:
        case "status":
            return _status(device_id, message, context)
        case "location":
            return _location(device_id, message, context)
        case "lwt":
            values = {"online": online_of(message.payload)}
            return Decoded((_arrived(device_id, EventKind.PRESENCE, message, values),))
        case "commands":
            return _command(device_id, message)
    raise UnusableError(f"topic: {shown(suffix)} is none of status, location, lwt, commands")


def _status(device_id: str, message: Message, context: DecodeContext) -> Decoded:
    data = read_object(message.payload)
    at, source, note = observe(data.pop("ts", None), message, context)
    notes = [note] if note else []
    codes = _codes(data)
    arrival, retained = message.received_at, message.retained
    values = flatten(data, notes)
    status = Event(device_id, EventKind.STATUS, at, arrival, source, "native", values, {}, None, retained)
    if not codes:
        return Decoded((status,), joined(notes))
    errors = (
        Event(device_id, EventKind.ERROR, at, arrival, source, "native", {"code": code}, {}, None, retained)
        for code in codes
    )
    return Decoded((status, *errors), joined(notes))


def _codes(data: dict[str, Any]) -> list[str | int]:
    """Take a list of codes out of a status: each becomes an error event. A single ``code`` stays a value."""
    codes = data.get("code")
    if type(codes) is not list or not all(type(code) in (str, int) and len(str(code)) <= 100 for code in codes):
        return []
    # An empty list says that no code is active, which a rule must be able to see.
    del data["code"]
    if not codes:
        data["code"] = ""
    return list(dict.fromkeys(codes))


def _location(device_id: str, message: Message, context: DecodeContext) -> Decoded:
    data = read_object(message.payload)
    at, source, note = observe(data.pop("ts", None), message, context)
    notes = [note] if note else []
    position = native_position(data)
    rest = {name: value for name, value in data.items() if name not in _POSITION_FIELDS}
    values = flatten(rest, notes) if rest else {}
    arrival, retained = message.received_at, message.retained
    event = Event(device_id, EventKind.LOCATION, at, arrival, source, "native", values, {}, position, retained)
    return Decoded((event,), joined(notes))


def native_position(data: dict[str, Any]) -> Position:
    """Read a native fix; raises UnusableError naming the field that is missing or out of range."""
    latitude, longitude = within(data, "lat", 90), within(data, "lon", 180)
    accuracy = number(data, "acc")
    if accuracy is not None and accuracy < 0:
        raise UnusableError(f"acc: {accuracy:g} is below 0 metres")
    return Position(latitude, longitude, accuracy, number(data, "alt"), number(data, "speed"), number(data, "course"))


def within(data: dict[str, Any], field: str, bound: int, *, text_too: bool = False) -> float:
    """Return a required coordinate within ±``bound`` degrees; raises UnusableError naming the field."""
    value = number(data, field, text_too=text_too)
    if value is None:
        raise UnusableError(f"{field}: is missing")
    if not -bound <= value <= bound:
        raise UnusableError(f"{field}: {value:g} is not within -{bound}..{bound} degrees")
    return value


def _command(device_id: str, message: Message) -> Decoded:
    notes: list[str] = []
    if message.payload.lstrip()[:1] == b"{":
        values = flatten(read_object(message.payload), notes)
    else:
        values = {"command": read_scalar(message.payload)}
    return Decoded((_arrived(device_id, EventKind.COMMAND, message, values),), joined(notes))


def _arrived(device_id: str, kind: EventKind, message: Message, values: dict[str, Any]) -> Event:
    at = message.received_at
    return Event(device_id, kind, at, at, TimeSource.ARRIVAL, "native", values, {}, None, message.retained)
