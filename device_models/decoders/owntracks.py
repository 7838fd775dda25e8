"""OwnTracks: phones and trackers that report where they are, on ``owntracks/<user>/<device>`` and below.

Source: OwnTracks booklet, "JSON" (owntracks.org/booklet/tech/json). The device id is ``user/device``. Message
types are told apart by ``_type``, as the booklet asks, not by topic. The older CSV form is not read.
"""

from collections.abc import Callable, Mapping
from typing import Any

from device_models.decoders.native import within
from device_models.decoders.payload import (
    REMOVED,
    UnusableError,
    checked_device_id,
    flatten,
    joined,
    number,
    read_object,
    shown,
)
from device_models.decoders.protocol import DecodeContext, Decoded
from device_models.decoders.stamp import observe
from device_models.decoders.topics import below_base
from device_models.event import Event, EventKind, Message, Position, Rejection, TimeSource, Value

SUFFIXES = frozenset(
    ("event", "info", "cmd", "request", "waypoint", "waypoints", "step", "steps", "beacon", "dump", "status", "lwt")
)
"""Last topic levels that name a kind of message; what stands before them is the device."""

UNITS: Mapping[str, str] = {
    "batt": "%",
    "p": "kPa",
    "vac": "m",
    "rad": "m",
    "dist": "m",
    "trip": "m",
    "odometer": "km",
    "hmc": "s",
    "ubatt": "V",
    "uext": "V",
    "aiv": "V",
    "don": "s",
    "doff": "s",
    "rpm": "/min",
    "flvl": "%",
}
"""UCUM units of the booklet's fields, phones and Queclink trackers alike."""

_IN_POSITION = frozenset(("lat", "lon", "acc", "alt", "vel", "cog"))
_NOT_VALUES = _IN_POSITION | {"tst", "topic"}
# These tell where a person is, or are pictures. A position is kept only as long as consent and a rule need it, and
# values go to the history store.
_PRIVATE = frozenset(
    ("SSID", "BSSID", "poi", "image", "imagename", "inregions", "inrids", "mcc", "mnc", "lac", "cid", "raw_line", "can")
)
_SILENT = {
    "encrypted": "is encrypted; the gateway holds no key of OwnTracks devices",
    "card": "is a person's name and picture",
    "waypoint": "defines a region, it is no statement of where the device is",
    "waypoints": "defines regions, it is no statement of where the device is",
    "configuration": "is the app's configuration, which may hold credentials",
    "dump": "is the app's configuration, which may hold credentials",
    "msg": "is a notice for people",
    "friends": "is about other people",
}


class OwnTracks:
    """Decoder of OwnTracks; see the module."""

    name = "owntracks"
    default_topics = ("owntracks/#",)

    def decode(self, message: Message, context: DecodeContext) -> Decoded | Rejection:
        """See ``Decoder.decode``."""
        try:
            return _decode(message, context)
        except UnusableError as error:
            return Rejection.of(message, str(error))


decoder = OwnTracks()


def _decode(message: Message, context: DecodeContext) -> Decoded:
    device_id = device_id_of(message.topic, context)
    if not message.payload:
        return Decoded(note=REMOVED)
    data = read_object(message.payload)
    kind = data.pop("_type", None)
    if type(kind) is str:
        if kind in _SILENT:
            return Decoded(note=f"_type: {kind} {_SILENT[kind]}")
        read = _READERS.get(kind)
        if read is not None:
            return read(device_id, data, message, context)
    raise UnusableError("_type: is missing" if kind is None else f"_type: {shown(kind)} is no type of OwnTracks")


def device_id_of(topic: str, context: DecodeContext) -> str:
    """Return ``user/device`` of a topic; another base topic than ``owntracks`` stays in front of it."""
    beginning, levels = below_base(topic, context.topic_filter, "owntracks")
    if len(levels) > 2 and levels[-1] in SUFFIXES:
        levels = levels[:-1]
    if len(levels) < 2 or not all(levels):
        raise UnusableError("topic: is not of the form owntracks/<user>/<device>")
    return checked_device_id(beginning + "/".join(levels))


def _location(device_id: str, data: dict[str, Any], message: Message, context: DecodeContext) -> Decoded:
    position = position_of(data)
    return _event(EventKind.LOCATION, device_id, data, message, context, position)


def _transition(device_id: str, data: dict[str, Any], message: Message, context: DecodeContext) -> Decoded:
    # Where the device was when it crossed the edge; optional, as for a BLE beacon.
    position = position_of(data) if data.get("lat") is not None else None
    kind = EventKind.LOCATION if position else EventKind.STATUS
    return _event(kind, device_id, data, message, context, position)


def _status(device_id: str, data: dict[str, Any], message: Message, context: DecodeContext) -> Decoded:
    return _event(EventKind.STATUS, device_id, data, message, context)


def _steps(device_id: str, data: dict[str, Any], message: Message, context: DecodeContext) -> Decoded:
    if data.get("steps") == -1:
        return Decoded(note="steps: -1, the device cannot count steps or not for this time")
    return _event(EventKind.STATUS, device_id, data, message, context)


def _beacon(device_id: str, data: dict[str, Any], message: Message, context: DecodeContext) -> Decoded:
    # acc is the beacon's distance here, not the accuracy of a fix.
    if data.get("acc") is not None:
        data["distance"] = data.pop("acc")
    return _event(EventKind.STATUS, device_id, data, message, context)


def _lwt(device_id: str, data: dict[str, Any], message: Message, context: DecodeContext) -> Decoded:
    # tst is when the app connected, not when the broker lost it: only the arrival says when that was.
    values: dict[str, Value] = {"online": False}
    at = message.received_at
    event = Event(
        device_id, EventKind.PRESENCE, at, at, TimeSource.ARRIVAL, "owntracks", values, {}, None, message.retained
    )
    return Decoded((event,), "tst: tells when the app had connected; the arrival time is used")


def _command(device_id: str, data: dict[str, Any], message: Message, context: DecodeContext) -> Decoded:
    # Nested parts are configurations with credentials, regions and tours: not for the history.
    scalars = {name: value for name, value in data.items() if not isinstance(value, dict | list)}
    return _event(EventKind.COMMAND, device_id, scalars, message, context)


_Reader = Callable[[str, dict[str, Any], Message, DecodeContext], Decoded]
_READERS: Mapping[str, _Reader] = {
    "location": _location,
    "transition": _transition,
    "lwt": _lwt,
    "steps": _steps,
    "beacon": _beacon,
    "status": _status,
    "cmd": _command,
    "request": _status,
}


def position_of(data: dict[str, Any]) -> Position:
    """Read a fix. ``vel`` is km/h; negative ``vel``, ``cog`` mean unknown, as in Apple's Core Location."""
    latitude = within(data, "lat", 90, text_too=True)
    longitude = within(data, "lon", 180, text_too=True)
    accuracy = number(data, "acc", text_too=True)
    if accuracy is not None and accuracy < 0:
        # Core Location: a negative horizontal accuracy says that latitude and longitude are not valid.
        raise UnusableError(f"acc: {accuracy:g} says that the fix is not valid")
    speed = _known(data, "vel")
    return Position(
        latitude,
        longitude,
        accuracy,
        number(data, "alt", text_too=True),
        None if speed is None else speed / 3.6,
        _known(data, "cog"),
    )


def _known(data: dict[str, Any], field: str) -> float | None:
    value = number(data, field, text_too=True)
    return None if value is None or value < 0 else value


def _event(
    kind: EventKind,
    device_id: str,
    data: dict[str, Any],
    message: Message,
    context: DecodeContext,
    position: Position | None = None,
) -> Decoded:
    at, source, note = observe(data.get("tst"), message, context, "tst")
    notes = [note] if note else []
    kept: dict[str, Any] = {}
    hidden: list[str] = []
    for name, value in data.items():
        if name in _NOT_VALUES or name.startswith("_") or (name in ("batt", "vac") and value == -1):
            continue
        if name in _PRIVATE:
            hidden.append(name)
        else:
            kept[name] = value
    values = flatten(kept, notes)
    if hidden:
        notes.append(f"not kept, since it tells where a person is: {', '.join(hidden)}")
    units = {name: UNITS[name] for name, value in values.items() if name in UNITS and type(value) in (float, int)}
    if kind is EventKind.STATUS and "distance" in values:
        units["distance"] = "m"
    arrival, retained = message.received_at, message.retained
    event = Event(device_id, kind, at, arrival, source, "owntracks", values, units, position, retained)
    return Decoded((event,), joined(notes))
