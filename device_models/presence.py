"""Whether a device can be heard: one state out of what it says and of what its broker says about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from device_models.event import Event, EventKind, rfc3339


@dataclass(frozen=True, slots=True)
class Presence:
    """When a device was heard, and whether it was declared offline since. Times are arrival times, aware UTC.

    Silence and disconnects happen on our side of the network, so the device's own clock has no say in them.
    """

    last_heard_at: datetime | None = None
    """The last live message of the device itself; None: only the broker's memory of it was seen so far."""
    offline_since: datetime | None = None
    """When its LWT (or its ecosystem's word for it) came, with nothing heard after; None: not declared offline."""

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
                return self if known != (None, None) else Presence(None, at)
            if self.offline_since is not None or (self.last_heard_at is not None and at < self.last_heard_at):
                return self
            return Presence(self.last_heard_at, at)
        if event.retained:
            return self
        if self.last_heard_at is None or at > self.last_heard_at or self.offline_since is not None:
            # An offline word that came with the same arrival time but earlier in the log is outdated as well.
            return Presence(max(at, self.last_heard_at or at), None)
        return self

    def to_json(self) -> dict[str, Any]:
        """Return the JSON-ready form."""
        known = (("last_heard_at", self.last_heard_at), ("offline_since", self.offline_since))
        return {name: rfc3339(at) for name, at in known if at is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` wrote."""
        return cls(
            *(datetime.fromisoformat(data[n]) if n in data else None for n in ("last_heard_at", "offline_since"))
        )
