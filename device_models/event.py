"""An event: one thing a device said, decoded, with whose clock said when."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

import orjson

Value = float | int | str | bool


class EventKind(StrEnum):
    """What an event is about; the names are those of a decoded line."""

    STATUS = "status"
    LOCATION = "location"
    PRESENCE = "presence"
    ERROR = "error"
    COMMAND = "command"


class TimeSource(StrEnum):
    """Whose clock ``Event.observed_at`` is."""

    DEVICE = "device"
    ARRIVAL = "arrival"


@dataclass(frozen=True, slots=True)
class Position:
    """Where a device was, WGS 84.

    Raises ValueError for a latitude beyond ±90°, a longitude beyond ±180° or a number that is not finite.
    """

    latitude: float
    """Degrees north."""
    longitude: float
    """Degrees east."""
    accuracy_m: float | None = None
    """Radius in metres that holds the device with 68 % confidence; None where the device does not say."""
    altitude_m: float | None = None
    speed_m_s: float | None = None
    course_deg: float | None = None
    """Degrees clockwise from north."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.latitude) and -90 <= self.latitude <= 90):
            raise ValueError(f"latitude: {self.latitude} is not within -90..90 degrees")
        if not (math.isfinite(self.longitude) and -180 <= self.longitude <= 180):
            raise ValueError(f"longitude: {self.longitude} is not within -180..180 degrees")

    def as_dict(self) -> dict[str, float]:
        """Return the fields that are known, as the decoded line and the store write them."""
        known = (
            ("latitude", self.latitude),
            ("longitude", self.longitude),
            ("accuracy_m", self.accuracy_m),
            ("altitude_m", self.altitude_m),
            ("speed_m_s", self.speed_m_s),
            ("course_deg", self.course_deg),
        )
        return {name: value for name, value in known if value is not None}


@dataclass(frozen=True, slots=True)
class Event:
    """One decoded statement of a device."""

    device_id: str
    kind: EventKind
    observed_at: datetime
    """Aware UTC; the device's own stamp, or the arrival time where it sent none that can be used."""
    received_at: datetime
    """Aware UTC; when the log stored the message."""
    time_source: TimeSource
    ecosystem: str
    """Name of the decoder that claimed the topic: native, owntracks, tasmota, …"""
    values: Mapping[str, Value] = field(default_factory=dict)
    """Flat: nested names joined with ``.``, arrays ``.0``; nulls left out; numbers finite."""
    units: Mapping[str, str] = field(default_factory=dict)
    """UCUM unit by value name, where the device or its protocol states one."""
    position: Position | None = None
    retained: bool = False
    """The broker's memory, maybe days old: seeds twin and presence, opens no case (MQTT 3.1.1 §3.3.1.3)."""

    def as_dict(self) -> dict[str, Any]:
        """Return the event as the decoded line of ``gateway decode`` shows it."""
        return {
            "device_id": self.device_id,
            "kind": self.kind.value,
            "observed_at": rfc3339(self.observed_at),
            "received_at": rfc3339(self.received_at),
            "time_source": self.time_source.value,
            "ecosystem": self.ecosystem,
            "values": dict(self.values),
            "units": dict(self.units),
            "position": self.position.as_dict() if self.position else None,
        }


@dataclass(frozen=True, slots=True)
class Tick:
    """A timer that came due for one device; it acts at ``due_at``, whenever it is delivered."""

    device_id: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """One MQTT message as the log stored it."""

    topic: str
    payload: bytes
    received_at: datetime
    """Aware UTC; the log's own time of storing."""
    sequence: int = 0
    """Position in the log, from 1; 0 outside one (``gateway decode``, tests)."""
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Rejection:
    """A message that said nothing we can use, and why: kept, counted and shown."""

    topic: str
    reason: str
    """A sentence a person can act on, such as ``location.lat: 91 is not within -90..90 degrees``."""
    first_bytes: bytes
    """At most 256 bytes of the payload."""
    received_at: datetime
    sequence: int = 0

    @classmethod
    def of(cls, message: Message, reason: str) -> "Rejection":
        """Reject ``message`` for ``reason``."""
        return cls(message.topic, reason, message.payload[:256], message.received_at, message.sequence)


# A device's state names few instants many times over, and is written with each of its messages.
@lru_cache(maxsize=16_384)
def rfc3339(at: datetime) -> str:
    """Write an aware time as RFC 3339 in UTC, ``Z`` for the zone."""
    # A seventh of what ``isoformat`` takes.
    return orjson.dumps(at.astimezone(UTC), option=orjson.OPT_UTC_Z)[1:-1].decode()
