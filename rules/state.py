"""Everything detection remembers of one device; JSON in the store, and nothing of it anywhere else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from device_models.event import Event, EventKind, Position, TimeSource, rfc3339
from device_models.presence import Presence
from device_models.twin import Twin
from rules.evaluator import RuleState

FORMAT = 2
"""Version of the JSON form."""


@dataclass(frozen=True, slots=True)
class Unsampled:
    """Why a rule could not evaluate what the device said last."""

    reason: str
    at: datetime
    count: int
    """How often in a row; a sample that counts clears it."""


@dataclass(slots=True)
class DeviceState:
    """The state of one device. Detection treats it as a value: it returns a new one and leaves the given one alone.

    Not frozen only because one is made per event and a frozen dataclass takes three times as long to make.
    """

    twin: Twin = field(default_factory=Twin)
    presence: Presence = field(default_factory=Presence)
    rules: Mapping[str, RuleState] = field(default_factory=dict)
    """By rule id."""
    watermarks: Mapping[str, datetime] = field(default_factory=dict)
    """The latest time taken in, by clock: ``device``, ``arrival``, and ``….fix`` for positions, which GPS stamps."""
    wait: timedelta = timedelta(0)
    """How far the device's messages lag behind its stamps, plus its profile's ``lateness``: timers in the device's
    time are held back this long, so that what is still under way is heard first. Negative for a clock that is fast."""
    first_seen_at: datetime | None = None
    """Arrival of the first live message; None: known from retained messages at most."""
    rule_time: datetime | None = None
    """The last time at which an event or a timer acted on rules, in the device's time; it never runs backwards."""
    event_due_at: datetime | None = None
    """The earliest timer in the device's time."""
    arrival_due_at: datetime | None = None
    """The earliest timer in ours."""
    held: tuple[Event, ...] = ()
    """Events within the profile's ``lateness``, ordered by time, waiting for what may still come before them."""
    rules_version: str = ""
    """``Detector.version`` it was last reconciled with."""
    unsampled: Mapping[str, Unsampled] = field(default_factory=dict)
    """By rule id."""
    windows: Mapping[str, Any] = field(default_factory=dict)
    """What conditions that look back have to remember, by ``Window.key``; shared by all rules."""
    counters: Mapping[str, int] = field(default_factory=dict)
    """``late``, ``duplicate``, ``implausible.<field>``, ``retained``: what did not count as a sample."""

    @property
    def due_at(self) -> datetime | None:
        """When to hand in the next ``Tick`` (with this very ``due_at``) if nothing else is heard; None: no timer.

        It is our time: timers in the device's time are shifted by ``wait``.
        """
        dues = [] if self.arrival_due_at is None else [self.arrival_due_at]
        if self.event_due_at is not None:
            dues.append(self.event_due_at + self.wait)
        if self.held:
            dues.append(self.held[0].observed_at + self.wait)
        return min(dues) if dues else None

    def copy(self) -> "DeviceState":
        """Return a shallow copy; its parts are values."""
        # By position: six times as fast as dataclasses.replace, and this runs for every event.
        return DeviceState(
            self.twin,
            self.presence,
            self.rules,
            self.watermarks,
            self.wait,
            self.first_seen_at,
            self.rule_time,
            self.event_due_at,
            self.arrival_due_at,
            self.held,
            self.rules_version,
            self.unsampled,
            self.windows,
            self.counters,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON-ready form; what is empty is left out."""
        # One ``if`` after the other: it runs for every event, and a device has little of what there may be.
        data: dict[str, Any] = {"format": FORMAT}
        if self.twin.values:
            data["twin"] = self.twin.to_json()
        if presence := self.presence.to_json():
            data["presence"] = presence
        if self.rules:
            data["rules"] = {rule: state.to_json() for rule, state in self.rules.items()}
        if self.watermarks:
            data["watermarks"] = {clock: rfc3339(at) for clock, at in self.watermarks.items()}
        if self.wait:
            data["wait_s"] = self.wait.total_seconds()
        if self.held:
            data["held"] = [event.as_dict() for event in self.held]
        if self.rules_version:
            data["rules_version"] = self.rules_version
        if self.unsampled:
            data["unsampled"] = {rule: [u.reason, rfc3339(u.at), u.count] for rule, u in self.unsampled.items()}
        if self.windows:
            data["windows"] = dict(self.windows)
        if self.counters:
            data["counters"] = dict(self.counters)
        for name in _TIMES:
            if (at := getattr(self, name)) is not None:
                data[name] = rfc3339(at)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` wrote; raises ValueError for a format from a newer version."""
        if data.get("format", FORMAT) != FORMAT:
            raise ValueError(f"device state: format {data['format']} is not {FORMAT}, the one known here")
        return cls(
            twin=Twin.from_json(data.get("twin", {})),
            presence=Presence.from_json(data.get("presence", {})),
            rules={rule: RuleState.from_json(state) for rule, state in data.get("rules", {}).items()},
            watermarks={clock: datetime.fromisoformat(at) for clock, at in data.get("watermarks", {}).items()},
            wait=timedelta(seconds=data.get("wait_s", 0)),
            held=tuple(_event_from_json(event) for event in data.get("held", ())),
            rules_version=data.get("rules_version", ""),
            unsampled={
                rule: Unsampled(reason, datetime.fromisoformat(at), count)
                for rule, (reason, at, count) in data.get("unsampled", {}).items()
            },
            windows=data.get("windows", {}),
            counters=data.get("counters", {}),
            **{name: datetime.fromisoformat(data[name]) for name in _TIMES if name in data},
        )


_TIMES = ("first_seen_at", "rule_time", "event_due_at", "arrival_due_at")


def _event_from_json(data: Mapping[str, Any]) -> Event:
    return Event(
        device_id=data["device_id"],
        kind=EventKind(data["kind"]),
        observed_at=datetime.fromisoformat(data["observed_at"]),
        received_at=datetime.fromisoformat(data["received_at"]),
        time_source=TimeSource(data["time_source"]),
        ecosystem=data["ecosystem"],
        values=data["values"],
        units=data["units"],
        position=Position(**data["position"]) if data["position"] else None,
    )
