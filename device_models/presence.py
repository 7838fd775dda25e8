"""Whether a device can be heard: one state out of what it says and of what its broker says about it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from device_models.event import Event, EventKind, TimeSource, rfc3339
from device_models.message_count import MessageCount, number_of
from device_models.profile import SequenceSpec


@dataclass(frozen=True, slots=True)
class Presence:
    """When a device was heard, and whether it was declared offline since. Times are arrival times, aware UTC.

    Silence and disconnects happen on our side of the network, so the device's own clock has no say in them.
    """

    last_heard_at: datetime | None = None
    """The last live message of the device itself; None: only the broker's memory of it was seen so far."""
    offline_since: datetime | None = None
    """When its LWT (or its ecosystem's word for it) came, with nothing heard after; None: not declared offline."""
    count: MessageCount | None = None
    """Where its own message counter stands; None: it was never heard, or its profile names none."""

    @property
    def online(self) -> bool | None:
        """The latest word: False when declared offline, True when heard since, None when neither was ever said."""
        if self.offline_since is not None:
            return False
        return None if self.last_heard_at is None else True

    def after(self, event: Event) -> "Presence":
        """Take in one event.

        A will is published by the broker, so it is no sign of life. Disconnect and connect may arrive in either
        order when a session is taken over (MQTT 5 §3.1.4): the device's next message, whatever it is, proves that
        it is there. A retained message says how things stood, not when, so it counts only until the device is heard.
        """
        at = event.received_at
        if event.kind is EventKind.PRESENCE and event.values.get("online") is False:
            known = (self.last_heard_at, self.offline_since)
            if event.retained:
                return self if known != (None, None) else replace(self, offline_since=at)
            if self.offline_since is not None or (self.last_heard_at is not None and at < self.last_heard_at):
                return self
            return replace(self, offline_since=at)
        if event.retained:
            return self
        if self.last_heard_at is None or at > self.last_heard_at or self.offline_since is not None:
            # An offline word that came with the same arrival time but earlier in the log is outdated as well.
            return Presence(max(at, self.last_heard_at or at), None, self.count)
        return self

    def counted(self, event: Event, sequence: SequenceSpec) -> "Presence":
        """Take in the number of one live message of the device itself; without one nothing changes."""
        number = number_of(event.values, sequence.field)
        if number is None:
            return self
        at = event.observed_at if event.time_source is TimeSource.DEVICE else None
        count = MessageCount(number, latest=at) if self.count is None else self.count.after(number, at, sequence.modulo)
        return replace(self, count=count)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON-ready form."""
        data: dict[str, Any] = {}
        if self.last_heard_at is not None:
            data["last_heard_at"] = rfc3339(self.last_heard_at)
        if self.offline_since is not None:
            data["offline_since"] = rfc3339(self.offline_since)
        if self.count is not None:
            data["count"] = self.count.to_json()
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` wrote."""
        heard, offline = (datetime.fromisoformat(data[n]) if n in data else None for n in _TIMES)
        return cls(heard, offline, MessageCount.from_json(data["count"]) if "count" in data else None)


_TIMES = ("last_heard_at", "offline_since")
