"""One alert of one rule on one device, and how samples and timers move it between Alertmanager's states."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

from device_models.event import rfc3339
from rules.transition import AlertState


@dataclass(frozen=True, slots=True)
class Alert:
    """Where one fault stands. All times are in the clock of its rule's samples, aware UTC."""

    state: AlertState
    since: datetime
    """Pending and firing: since when the condition holds. Inactive and resolved: since when it does not."""
    sampled_at: datetime
    """The last sample that could be evaluated; what it said stands until it is stale."""
    fired_at: datetime | None = None
    clear_since: datetime | None = None
    """Firing: since when the clear condition holds; None while it does not."""
    on_arrival: bool = False
    """This episode was already there when the gateway first met the device."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """JSON-ready: what the kind needs to explain and to close the alert later, such as the code's severity."""

    @property
    def is_open(self) -> bool:
        """Pending or firing: something that an edit of the rules may have to close."""
        return self.state in (AlertState.PENDING, AlertState.FIRING)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON-ready form; defaults are left out."""
        data: dict[str, Any] = {
            "state": self.state.value,
            "since": rfc3339(self.since),
            "sampled_at": rfc3339(self.sampled_at),
        }
        if self.fired_at is not None:
            data["fired_at"] = rfc3339(self.fired_at)
        if self.clear_since is not None:
            data["clear_since"] = rfc3339(self.clear_since)
        if self.on_arrival:
            data["on_arrival"] = True
        if self.facts:
            data["facts"] = dict(self.facts)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` wrote."""
        return cls(
            state=AlertState(data["state"]),
            since=datetime.fromisoformat(data["since"]),
            sampled_at=datetime.fromisoformat(data["sampled_at"]),
            fired_at=datetime.fromisoformat(data["fired_at"]) if "fired_at" in data else None,
            clear_since=datetime.fromisoformat(data["clear_since"]) if "clear_since" in data else None,
            on_arrival=data.get("on_arrival", False),
            facts=data.get("facts", {}),
        )


class Timing(NamedTuple):
    """The durations that decide an alert."""

    hold: timedelta
    """``for``: how long the condition must hold before it fires."""
    clear_for: timedelta
    """How long the clear condition must hold before it resolves."""
    stale_after: timedelta
    """How long a sample speaks for the time after it."""


class Change(NamedTuple):
    """A new state of an alert, and when it took effect."""

    state: AlertState
    at: datetime
    reason: str | None = None
    """Why without a sample: ``stale``; None otherwise."""


def sample(
    alert: Alert | None, holds: bool, clears: bool, at: datetime, timing: Timing, *, arriving: bool = False
) -> tuple[Alert, list[Change]]:
    """Advance an alert by one sample.

    Args:
        alert: None before the first sample.
        holds: Whether the condition is true.
        clears: Whether the clear condition is true. Where neither is, nothing changes: a value between the two
            limits neither fires nor resolves.
        at: When it was observed; timers due earlier were released before (``release``).
        timing: See there.
        arriving: Whether this is what the gateway found when it first met the device.
    """
    if alert is None or not alert.is_open:
        if not holds:
            if alert is None:
                return Alert(AlertState.INACTIVE, at, at), []
            return alert, []
        opened = Alert(AlertState.PENDING, at, at, on_arrival=arriving and alert is None)
        if timing.hold:
            return opened, [Change(AlertState.PENDING, at)]
        return replace(opened, state=AlertState.FIRING, fired_at=at), [Change(AlertState.FIRING, at)]
    if alert.state is AlertState.PENDING:
        if not holds:
            return Alert(AlertState.INACTIVE, at, at), [Change(AlertState.INACTIVE, at)]
        if at - alert.since >= timing.hold:
            return replace(alert, state=AlertState.FIRING, fired_at=at, sampled_at=at), [Change(AlertState.FIRING, at)]
        return replace(alert, sampled_at=at), []
    if not clears:
        return replace(alert, clear_since=None, sampled_at=at), []
    clear_since = alert.clear_since or at
    if at - clear_since >= timing.clear_for:
        return Alert(AlertState.RESOLVED, at, at, on_arrival=alert.on_arrival), [Change(AlertState.RESOLVED, at)]
    return replace(alert, clear_since=clear_since, sampled_at=at), []


def release(alert: Alert, until: datetime, timing: Timing) -> tuple[Alert, list[Change]]:
    """Let the timers of an alert that are due at or before ``until`` act at their own time.

    ``for`` and ``clear_for`` complete on the last sample while that is fresh. A pending alert whose samples stop
    becomes inactive when the last one is stale: silence is no proof that it still holds.
    """
    due = due_at(alert, timing)
    if due is None or due > until:
        return alert, []
    if alert.state is AlertState.PENDING:
        if alert.since + timing.hold <= alert.sampled_at + timing.stale_after:
            return replace(alert, state=AlertState.FIRING, fired_at=due), [Change(AlertState.FIRING, due)]
        return Alert(AlertState.INACTIVE, due, alert.sampled_at), [Change(AlertState.INACTIVE, due, "stale")]
    if alert.clear_since is not None and alert.clear_since + timing.clear_for <= alert.sampled_at + timing.stale_after:
        return (
            Alert(AlertState.RESOLVED, due, alert.sampled_at, on_arrival=alert.on_arrival),
            [Change(AlertState.RESOLVED, due)],
        )
    return replace(alert, clear_since=None), []


def due_at(alert: Alert, timing: Timing) -> datetime | None:
    """Return when the alert's next timer acts, None if it waits for samples only."""
    if alert.state is AlertState.PENDING:
        return min(alert.since + timing.hold, alert.sampled_at + timing.stale_after)
    if alert.state is AlertState.FIRING and alert.clear_since is not None:
        return min(alert.clear_since + timing.clear_for, alert.sampled_at + timing.stale_after)
    return None
