"""What every simulated product has: a registry record, causes at work, a link to the broker and things to say."""

import copy
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from device_models.registry import Device
from simulator.machines.cause import Cause, UnknownCauseError

FORECAST_STEP_S = 20.0


@dataclass(frozen=True, slots=True)
class Publish:
    """One MQTT message that a link sends with QoS 1."""

    link: str
    """Client id of the connection it goes through."""
    topic: str
    payload: bytes
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """One MQTT connection: its client id, its will and what it publishes once it is up."""

    client_id: str
    will_topic: str | None = None
    will: bytes = b""
    will_retained: bool = True
    birth: tuple[tuple[str, bytes, bool], ...] = ()
    """(topic, payload, retain)."""


@dataclass(slots=True)
class Site:
    """A place with one mains connection, one indoor and one outdoor climate."""

    id: str
    timezone: ZoneInfo
    latitude: float
    longitude: float
    room_c: float = 21.0
    outdoor_mean_c: float = 3.0
    mains_ok: bool = True
    _asked_at: datetime | None = field(default=None, init=False, repr=False)
    _hour: float = field(default=0.0, init=False, repr=False)

    def local_hour(self, at: datetime) -> float:
        """Return the hour of the day, 0 to 24, that clocks at the site show."""
        # Everything at a site asks at the same instant, every five seconds.
        if at is not self._asked_at:
            local = at.astimezone(self.timezone)
            self._asked_at, self._hour = at, local.hour + local.minute / 60 + local.second / 3600
        return self._hour


def payload_of(values: Mapping[str, Any]) -> bytes:
    """Write a payload as products do: compact JSON."""
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass
class Machine(ABC):
    """One product at one site."""

    device: Device
    site: Site
    active: set[Cause] = field(default_factory=set, init=False)

    causes: frozenset[Cause] = field(default=frozenset(), init=False)
    """In what ways this product can fail."""
    harm: str | None = field(default=None, init=False)
    """What happens in the end if nobody helps, in a word; None for products whose faults only annoy."""

    @property
    def id(self) -> str:
        """The registry's id."""
        return self.device.id

    @property
    @abstractmethod
    def link(self) -> Link:
        """The connection it speaks through."""

    @property
    @abstractmethod
    def powered(self) -> bool:
        """Whether its electronics can speak."""

    @property
    def harmed(self) -> bool:
        """Whether the harm has come."""
        return False

    @abstractmethod
    def advance(self, at: datetime, dt_s: float) -> None:
        """Move the physics and the people on by ``dt_s`` seconds, to ``at``; nothing is said."""

    @abstractmethod
    def report(self, at: datetime) -> list[Publish]:
        """Return what the electronics say at ``at``: nothing, unless a report is due or something changed."""

    @abstractmethod
    def values(self) -> dict[str, Any]:
        """Return the true state, for people who look behind the scenes."""

    def begin(self, cause: Cause, rate: float | None = None) -> None:
        """Let ``cause`` act; ``rate`` overrides how fast it grows, in the unit of its physics.

        Raises UnknownCauseError for one that this product does not know.
        """
        if cause not in self.causes:
            known = ", ".join(sorted(self.causes)) or "none"
            raise UnknownCauseError(f"{self.id} cannot fail by {cause}; it knows {known}")
        self.active.add(cause)
        self._begin(cause, rate)

    def end(self, cause: Cause) -> None:
        """Mend ``cause``; nothing where it is not at work."""
        if cause in self.active:
            self.active.discard(cause)
            self._end(cause)

    @abstractmethod
    def _begin(self, cause: Cause, rate: float | None) -> None: ...

    @abstractmethod
    def _end(self, cause: Cause) -> None: ...

    def forecast(self, at: datetime, horizon: timedelta = timedelta(hours=72)) -> datetime | None:
        """Return when the harm comes if nobody does anything, None if not within ``horizon``.

        A copy lives on, with its people's habits, as this one would.
        """
        if self.harm is None:
            return None
        if self.harmed:
            return at
        other, end = copy.deepcopy(self), at + horizon
        while at < end:
            at += timedelta(seconds=FORECAST_STEP_S)
            other.advance(at, FORECAST_STEP_S)
            if other.harmed:
                return at
        return None
