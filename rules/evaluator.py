"""What detection asks of each kind of rule, and what it hands to it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Protocol, Self

from device_models.event import Event, Value, rfc3339
from device_models.presence import Presence
from device_models.twin import Twin
from rules.alert import Alert
from rules.base import BaseRule
from rules.inputs import DeviceContext, Input
from rules.transition import Transition, Visit

Fact = Transition | Visit


class Wake(Enum):
    """What an evaluator looks at; detection calls no evaluator for anything else."""

    VALUES = "values"
    """An event brought one of ``Evaluator.reads``."""
    FIX = "fix"
    """A location event with a position."""
    HEARD = "heard"
    """The device said anything at all, or its presence changed; called only while ``wants_heard``."""
    SWEEP = "sweep"
    """``Sweep``, ``Serviced`` and ``Snoozed``."""


class Clock(Enum):
    """Whose time an evaluator's timers are in."""

    EVENT = "event"
    """The device's samples: held back as long as the device's messages lag behind."""
    ARRIVAL = "arrival"
    """Our own: silence is measured where it is noticed."""


@dataclass(frozen=True, slots=True)
class RuleState:
    """What one rule remembers of one device. A value: a step returns a new one or the very same."""

    fingerprint: str
    """``Evaluator.fingerprint`` it was made under."""
    alerts: Mapping[str, Alert] = field(default_factory=dict)
    """By fault; the empty one for kinds with a single fault."""
    memory: Mapping[str, Any] = field(default_factory=dict)
    """The kind's own, JSON-ready, never changed in place."""
    due_at: datetime | None = None
    """When it wants ``release``; None: no timer."""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON-ready form."""
        data: dict[str, Any] = {"fingerprint": self.fingerprint}
        if self.alerts:
            data["alerts"] = {fault: alert.to_json() for fault, alert in self.alerts.items()}
        if self.memory:
            data["memory"] = dict(self.memory)
        if self.due_at is not None:
            data["due_at"] = rfc3339(self.due_at)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` wrote."""
        return cls(
            fingerprint=data["fingerprint"],
            alerts={fault: Alert.from_json(alert) for fault, alert in data.get("alerts", {}).items()},
            memory=data.get("memory", {}),
            due_at=datetime.fromisoformat(data["due_at"]) if "due_at" in data else None,
        )


@dataclass(slots=True)
class Moment:
    """One input as the evaluators see it: the device, what it said, and its twin after that."""

    context: DeviceContext
    item: Input
    at: datetime
    """When it acts, in event time; for timers their due time."""
    twin: Twin
    """The latest values in the profile's names and units, this event's included."""
    presence: Presence
    values: Mapping[str, Value]
    """What this event brought, in the profile's names and units; empty for other inputs."""
    arriving: bool
    """Whether the gateway has only just met the device: what is true now was true before."""
    scope: Any = None
    """``rules.expression.Scope`` of this moment, shared by all expressions evaluated in it."""

    @property
    def event(self) -> Event | None:
        """The event, None for other inputs."""
        return self.item if isinstance(self.item, Event) else None


class Evaluator(Protocol):
    """One rule, made ready for the devices of one profile. Stateless: all it remembers is in ``RuleState``."""

    @property
    def rule(self) -> BaseRule:
        """The rule it evaluates."""

    @property
    def wakes(self) -> frozenset[Wake]:
        """What it looks at."""

    @property
    def reads(self) -> frozenset[str]:
        """Fields whose arrival wakes it, in the profile's names."""

    @property
    def clock(self) -> Clock:
        """Whose time ``RuleState.due_at`` is in."""

    @property
    def fingerprint(self) -> str:
        """Digest of what resets the state when it is edited; see ``fingerprint``."""

    def step(self, moment: Moment, state: RuleState | None) -> tuple[RuleState | None, Sequence[Fact]]:
        """Take in an event, sweep or answer. ``state`` is None before the rule's first; the same object: no change."""

    def release(self, moment: Moment, state: RuleState) -> tuple[RuleState, Sequence[Fact]]:
        """Let the timer ``state.due_at`` act at ``moment.at``, which equals it. Must move or drop ``due_at``."""

    def wants_heard(self, state: RuleState | None) -> bool:
        """Tell whether the next sign of life matters, so that most events cost nothing here."""

    def adopt(self, state: RuleState, moment: Moment) -> tuple[RuleState, Sequence[Fact]]:
        """Take over a state made under another fingerprint of the same rule and kind, after an edit."""

    def explain(self, context: DeviceContext, state: RuleState | None, at: datetime) -> Mapping[str, Any]:
        """Say where the rule stands, as data: what it waits for, what is missing, what it remembers."""


Build = Callable[..., Evaluator]


def fingerprint(*parts: object) -> str:
    """Return a short digest of what matters to a kind's state."""
    return hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).hexdigest()
