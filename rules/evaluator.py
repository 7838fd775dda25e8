"""What detection asks of each kind of rule, and what it hands to it."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar, NamedTuple, Self

from device_models.event import Event, Value, rfc3339
from device_models.presence import Presence
from device_models.profile import DeviceProfile
from device_models.purpose import Purpose, Severity
from device_models.twin import Twin
from rules.alert import Alert
from rules.base import BaseRule
from rules.expression import Expression, Scope
from rules.inputs import DeviceContext, Input
from rules.transition import AlertState, Transition, Visit

Fact = Transition | Visit


class Wake(Enum):
    """What an evaluator looks at; detection calls no evaluator for anything else."""

    VALUES = "values"
    """An event brought one of ``Evaluator.reads``."""
    FIX = "fix"
    """A location event with a position."""
    HEARD = "heard"
    """The device said anything at all, or its presence changed; called only while ``wants_heard`` or on a change."""
    SWEEP = "sweep"
    """``Sweep``, ``Serviced`` and ``Snoozed``."""


class Clock(Enum):
    """Whose time an evaluator's timers are in."""

    EVENT = "event"
    """The device's samples: held back as long as the device's messages lag behind."""
    ARRIVAL = "arrival"
    """Our own: silence is measured where it is noticed."""


class Fingerprint(NamedTuple):
    """What a rule's state was made under; tells what an edit keeps (``docs/rules.md``, "Editing")."""

    kind: str
    mode: str
    meaning: str
    """Digest of what a fault is: another one takes back what is pending."""
    timing: str
    """Digest of the rest that the state depends on: timers are set anew."""

    @classmethod
    def of(cls, rule: BaseRule, meaning: Sequence[object], timing: Sequence[object] = ()) -> Self:
        """Digest the parts of a rule."""
        return cls(rule.kind, rule.mode, _digest(meaning), _digest(timing))


@dataclass(frozen=True, slots=True)
class RuleState:
    """What one rule remembers of one device. A value: a step returns a new one or the very same."""

    fingerprint: Fingerprint
    alerts: Mapping[str, Alert] = field(default_factory=dict)
    """By fault; the empty one for kinds with a single fault."""
    memory: Mapping[str, Any] = field(default_factory=dict)
    """The kind's own, JSON-ready, never changed in place."""
    due_at: datetime | None = None
    """When it wants ``release``; None: no timer."""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON-ready form."""
        data: dict[str, Any] = {"fingerprint": list(self.fingerprint)}
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
            fingerprint=Fingerprint(*data["fingerprint"]),
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
    """When it acts, in event time; for timers their due time; for ``Clock.ARRIVAL`` evaluators the arrival time."""
    twin: Twin
    """The latest values in the profile's names and units, this event's included."""
    presence: Presence
    first_seen_at: datetime | None
    """Arrival time of the device's first live message."""
    values: Mapping[str, Value]
    """What this event brought, in the profile's names and units; empty for other inputs."""
    arriving: bool
    """Whether the gateway has only just met the device: what is true now was true before."""
    scope: Scope
    """Shared by all expressions evaluated in this moment."""
    unsampled: dict[str, str] = field(default_factory=dict)
    """Reason by rule id: an evaluator that could not take a sample says why here; detection counts and shows it."""

    @property
    def event(self) -> Event | None:
        """The event, None for other inputs."""
        return self.item if isinstance(self.item, Event) else None


class Evaluator(ABC):
    """One rule, made ready for the devices of one profile. Stateless: all it remembers is in ``RuleState``."""

    wakes: frozenset[Wake]
    """What it looks at."""
    clock: ClassVar[Clock] = Clock.EVENT
    """Whose time ``RuleState.due_at`` is in."""

    def __init__(
        self, rule: BaseRule, profile: DeviceProfile, fingerprint: Fingerprint, *, reads: frozenset[str] = frozenset()
    ) -> None:
        """``reads``: fields whose arrival wakes it, in the profile's names; ``name.*`` stands for a list's items."""
        self.rule = rule
        self.override: Mapping[str, Any] | None = None
        """Why the rule is otherwise here, see ``rules.override.Applied``."""
        self.profile = profile
        self.fingerprint = fingerprint
        self.reads = reads

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """The expressions it evaluates, so that their variables are in ``Moment.scope``."""
        return ()

    @abstractmethod
    def step(self, moment: Moment, state: RuleState | None) -> tuple[RuleState | None, Sequence[Fact]]:
        """Take in an event, sweep or answer. ``state`` is None before the rule's first; the same object: no change."""

    @abstractmethod
    def release(self, moment: Moment, state: RuleState) -> tuple[RuleState, Sequence[Fact]]:
        """Let the timer ``state.due_at`` act at ``moment.at``, which equals it. Must move or drop ``due_at``."""

    def wants_heard(self, state: RuleState | None) -> bool:
        """Tell whether the next sign of life matters, so that most events cost nothing here."""
        return False

    def steady(self, state: RuleState) -> tuple[Expression, bool] | None:
        """Return what decides whether a sample moves ``state``: an expression, and the answer with which it stays.

        With that answer, and before ``due_at``, ``step`` gives no fact and leaves nothing but the sample's own time,
        which the next sample's replaces: of a run of such samples the last one stands for all. None: each one counts.
        """
        return None

    def next_due(self, state: RuleState) -> datetime | None:
        """Return when the next timer of ``state`` acts, by this rule's durations."""
        return state.due_at

    def adopt(self, state: RuleState, moment: Moment) -> tuple[RuleState, Sequence[Fact]]:
        """Take over a state made under another fingerprint of the same rule, kind and mode, after an edit.

        What fires stays open, since its case is; what is pending under another meaning is taken back; timers follow
        the new durations.
        """
        alerts, memory = state.alerts, state.memory
        facts: list[Fact] = []
        if state.fingerprint.meaning != self.fingerprint.meaning:
            pending = {fault: a for fault, a in alerts.items() if a.state is AlertState.PENDING}
            facts = [
                self.transition(moment, AlertState.INACTIVE, alert, fault=fault, reason="edited")
                for fault, alert in pending.items()
            ]
            alerts = {fault: alert for fault, alert in alerts.items() if fault not in pending}
        adopted = RuleState(self.fingerprint, alerts, memory, state.due_at)
        return RuleState(self.fingerprint, alerts, memory, self.next_due(adopted)), facts

    def explain(self, context: DeviceContext, state: RuleState | None, at: datetime) -> dict[str, Any]:
        """Add what the kind knows to ``rules.explain``: what it waits for, what it remembers. JSON-ready."""
        return {}

    def transition(
        self,
        moment: Moment,
        state: AlertState,
        alert: Alert,
        *,
        fault: str = "",
        at: datetime | None = None,
        **more: Any,
    ) -> Transition:
        """Make a fact about ``alert``, whose ``since`` is when this episode began, with ``more`` in its explanation.

        Severity, purpose, title and advice are the alert's own where its facts have them, otherwise the rule's.
        """
        rule = self.rule
        facts = alert.facts
        at = at or moment.at
        explanation: dict[str, Any] = {
            "kind": rule.kind,
            "title": facts.get("title") or rule.title or {"en": rule.id},
            "advice": facts.get("advice") or rule.advice,
            "since": rfc3339(alert.since),
            "held_s": (at - alert.since).total_seconds(),
            "override": self.override,
            **more,
        }
        return Transition(
            rule=rule.id,
            device_id=moment.context.device.id,
            state=state,
            at=at,
            severity=Severity(facts.get("severity", rule.severity)),
            purpose=Purpose(facts.get("purpose", rule.purpose)),
            explanation={key: value for key, value in explanation.items() if value is not None},
            fault=fault,
            on_arrival=alert.on_arrival,
            shadow=rule.shadow,
        )


def _digest(parts: Sequence[object]) -> str:
    return hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=6).hexdigest()
