"""Tasmota: firmware of plugs, switches and sensors, and its bridges for Zigbee and LoRa.

Source: tasmota.github.io/docs, "MQTT", "Commands", "JSON Status Responses", "Zigbee". A topic holds one of the
prefixes ``tele``, ``stat``, ``cmnd`` and ends with the kind of message. The device id is what is left, so that
``tele/plug/SENSOR``, ``stat/plug/RESULT`` and ``plug/tele/LWT`` are all ``plug``, and ``site/tele/hall/plug/STATE``
is ``site/hall/plug``. A device behind a bridge is a device of its own: ``<bridge>/<name or address>``.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from device_models.decoders.payload import (
    REMOVED,
    UnusableError,
    checked_device_id,
    flatten,
    joined,
    online_of,
    read_object,
    read_scalar,
    shown,
)
from device_models.decoders.protocol import DecodeContext, Decoded
from device_models.decoders.stamp import Observed, observe
from device_models.decoders.tasmota_units import ZIGBEE, StatedUnits, units_of
from device_models.event import Event, EventKind, Message, Rejection, TimeSource, Value

PREFIXES = frozenset(("tele", "stat", "cmnd"))
_KIND = re.compile(r"[A-Z][A-Z0-9_]*")
_BARE = re.compile(r"(?:POWER|SWITCH|BUTTON|PWM|EVENT|UPGRADE|VAR|MEM)\d*T?")
"""Kinds that may carry plain text instead of JSON (SetOption4, SetOption90, OTA progress)."""
_BRIDGED = ("ZbReceived", "LwReceived", "ZbInfo")
"""``{kind: {name or address: {…}}}``: what a device behind the bridge said, or what the bridge remembers of it."""
_SECRET = re.compile(r"(?i)(?:pass(?:word|wd|phrase)|secret|apikey|tlskey|psk)")
_UPTIME = re.compile(r"(\d+)T(\d\d):(\d\d):(\d\d)")
_DISCOVERY = "a discovery document describes the device; it is no statement about its state"


class Tasmota:
    """Decoder of Tasmota; see the module."""

    name = "tasmota"
    # The default full topic, its reverse, and up to two levels in front of either.
    default_topics = (
        *(f"{above}{prefix}/#" for above in ("", "+/", "+/+/") for prefix in ("tele", "stat", "cmnd")),
        "tasmota/discovery/#",
    )

    def decode(self, message: Message, context: DecodeContext) -> Decoded | Rejection:
        """See ``Decoder.decode``."""
        try:
            return _decode(message, context)
        except UnusableError as error:
            return Rejection.of(message, str(error))


decoder = Tasmota()


def _decode(message: Message, context: DecodeContext) -> Decoded:
    levels = message.topic.split("/")
    if levels[:2] == ["tasmota", "discovery"]:
        if message.payload:
            read_object(message.payload)
        return Decoded(note=_DISCOVERY)
    index = next((i for i, level in enumerate(levels[:-1]) if level in PREFIXES), None)
    if index is None:
        raise UnusableError("topic: has no level tele, stat or cmnd before its last")
    device_id = checked_device_id("/".join(levels[:index] + levels[index + 1 : -1]))
    kind = levels[-1]
    if levels[index] == "cmnd":
        return _command(device_id, kind, message)
    if not message.payload:
        return Decoded(note=REMOVED)
    if kind == "LWT":
        values: dict[str, Value] = {"online": online_of(message.payload)}
        return Decoded((_arrived(device_id, EventKind.PRESENCE, message, values),))
    if kind == "LOGGING":
        return Decoded(note="a line of the device's log")
    if not _KIND.fullmatch(kind):
        raise UnusableError(f"topic: {shown(kind)} is no kind of Tasmota message, such as STATE, SENSOR or RESULT")
    if _BARE.fullmatch(kind) and message.payload.lstrip()[:1] != b"{":
        return Decoded((_arrived(device_id, EventKind.STATUS, message, {kind: read_scalar(message.payload)}),))
    return _telemetry(device_id, read_object(message.payload), message, context)


def _command(device_id: str, command: str, message: Message) -> Decoded:
    if not command:
        raise UnusableError("topic: names no command")
    values: dict[str, Value] = {"command": command}
    notes = []
    if message.payload:
        payload = read_scalar(message.payload)
        if _SECRET.search(command) or _SECRET.search(str(payload)):
            notes.append("the command's parameter is left out, it may be a credential")
        else:
            values["payload"] = payload
    return Decoded((_arrived(device_id, EventKind.COMMAND, message, values),), joined(notes))


def _telemetry(device_id: str, data: dict[str, Any], message: Message, context: DecodeContext) -> Decoded:
    data = _unwrapped(data)
    observed = _observed(data, message, context)
    notes = [observed[2]] if observed[2] else []
    events = list(_bridged(device_id, data, observed, message, context, notes))
    stated = StatedUnits.taken_from(data)
    values = flatten(data, notes)
    for name in [name for name in values if _SECRET.search(name.rpartition(".")[2])]:
        if type(values[name]) is str:
            del values[name]
            notes.append(f"{shown(name)}: is left out, it may be a credential")
    _count_uptime(values)
    if values or not events:
        units = units_of(values, stated)
        events.insert(0, _event(device_id, EventKind.STATUS, message, values, units, observed))
    return Decoded(tuple(events), joined(notes))


def _unwrapped(data: dict[str, Any]) -> dict[str, Any]:
    """Give STATUS8, STATUS10 and STATUS11 the names that SENSOR and STATE use for the same values."""
    if "StatusSNS" not in data and "StatusSTS" not in data:
        return data
    flat: dict[str, Any] = {}
    for key, value in data.items():
        flat.update(value if key in ("StatusSNS", "StatusSTS") and isinstance(value, dict) else {key: value})
    return flat


def _observed(data: dict[str, Any], message: Message, context: DecodeContext) -> Observed:
    """Take the message's own stamp: ``Epoch`` wins, since ``Time`` is local and mostly without a zone."""
    time, epoch = data.pop("Time", None), data.pop("Epoch", None)
    if epoch is not None:
        return observe(epoch, message, context, "Epoch")
    if time is None and isinstance(data.get("StatusTIM"), dict):
        time = data["StatusTIM"].get("UTC")
        # Firmware before 9 wrote this as C's asctime; it is not worth a note.
        if not (isinstance(time, str) and time.endswith("Z")):
            time = None
    return observe(time, message, context, "Time")


def _bridged(
    bridge_id: str,
    data: dict[str, Any],
    observed: Observed,
    message: Message,
    context: DecodeContext,
    notes: list[str],
) -> Iterator[Event]:
    """Take what devices behind the bridge said out of a message, one event each."""
    for kind in _BRIDGED:
        devices = data.get(kind)
        if not isinstance(devices, dict) or not all(isinstance(said, dict) for said in devices.values()):
            continue
        del data[kind]
        for key, said in devices.items():
            at = _remembered(said, observed, message, context) if kind == "ZbInfo" else observed
            values = flatten(said, notes)
            units = units_of(values, ZIGBEE if kind != "LwReceived" else StatedUnits())
            yield _event(bridged_id(bridge_id, key, said), EventKind.STATUS, message, values, units, at)


def bridged_id(bridge_id: str, key: str, said: dict[str, Any]) -> str:
    """Return the id of a device behind a bridge: ``<bridge>/<friendly name, else short address>``.

    A name survives joining the network anew, an address does not; both forms of a message (SetOption83) carry the
    name once there is one. With a topic for each device (SetOption89) the topic's last level is replaced by it.
    """
    name = said.get("Name")
    own = name if isinstance(name, str) and name else key
    address = said.get("Device", key)
    above, slash, last = bridge_id.rpartition("/")
    same = {str(each).lower().removeprefix("0x") for each in (own, key, address)}
    parent = above if slash and last.lower().removeprefix("0x") in same else bridge_id
    return checked_device_id(f"{parent}/{own}")


def _remembered(said: dict[str, Any], observed: Observed, message: Message, context: DecodeContext) -> Observed:
    """ZbInfo is the bridge's memory: its values were true when the device was last heard."""
    if said.get("LastSeenEpoch") is not None:
        return observe(said["LastSeenEpoch"], message, context, "LastSeenEpoch")
    ago = said.get("LastSeen")
    if type(ago) is int and 0 <= ago <= 10**9:
        return message.received_at - timedelta(seconds=ago), TimeSource.DEVICE, None
    return observed


def _count_uptime(values: dict[str, Value]) -> None:
    """Firmware before 8 has only ``Uptime``; a rule needs the seconds."""
    uptime = values.get("Uptime")
    if "UptimeSec" not in values and isinstance(uptime, str) and (match := _UPTIME.fullmatch(uptime)):
        days, hours, minutes, seconds = map(int, match.groups())
        values["UptimeSec"] = ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _event(
    device_id: str,
    kind: EventKind,
    message: Message,
    values: dict[str, Value],
    units: dict[str, str],
    observed: Observed,
) -> Event:
    at, source, _ = observed
    return Event(device_id, kind, at, message.received_at, source, "tasmota", values, units, None, message.retained)


def _arrived(device_id: str, kind: EventKind, message: Message, values: dict[str, Value]) -> Event:
    return _event(device_id, kind, message, values, {}, (message.received_at, TimeSource.ARRIVAL, None))
