"""The very engine over recorded data: what rules would have done."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from device_models.event import Event, EventKind, TimeSource, Value, rfc3339
from device_models.profile import DeviceProfile
from device_models.registry import Customer, Device
from rules.detect import Detector
from rules.evaluator import Fact
from rules.inputs import DeviceContext
from rules.quiet import QuietRun
from rules.schema import RuleSet
from rules.state import DeviceState
from rules.transition import Transition, Visit

_NOTHING: Sequence[Fact] = ()


class _Recording:
    """One device's samples on their way through the detector."""

    __slots__ = ("context", "first", "last", "quiet", "state", "waiting")

    def __init__(self, context: DeviceContext, first: datetime) -> None:
        self.context = context
        self.state = DeviceState()
        self.first = self.last = first
        self.quiet: QuietRun | None = None
        self.waiting: Mapping[str, Value] | None = None
        """The last sample of a quiet run, observed at ``last``; not handed in while more of them may follow."""


class Backtest:
    """Feeds samples and events of any number of devices to a detector."""

    def __init__(
        self,
        detector: Detector,
        profile: DeviceProfile,
        devices: Mapping[str, Device] | None = None,
        profiles: Mapping[str, DeviceProfile] | None = None,
        *,
        customers: Mapping[str, Customer] | None = None,
        zone: tzinfo = UTC,
    ) -> None:
        """``devices`` are those known by id, with their profiles by name; all others have ``profile``. They stand in
        the time zone of their owner among ``customers``, otherwise in ``zone``."""
        self._detector = detector
        self._profile = profile
        self._devices = devices or {}
        self._profiles = profiles or {}
        self._customers = customers or {}
        self._zone = zone
        self._recordings: dict[str, _Recording] = {}
        self.samples = 0

    def take(self, device_id: str, at: datetime, values: Mapping[str, Value]) -> Sequence[Fact]:
        """Take in a status that its device stamped and that arrived at once; the same as ``feed``, and fast."""
        recording = self._recordings.get(device_id) or self._meet(device_id, at)
        self.samples += 1
        quiet = recording.quiet
        if quiet is not None and quiet.takes(at, values):
            recording.waiting = values
            recording.last = at
            return _NOTHING
        event = Event(device_id, EventKind.STATUS, at, at, TimeSource.DEVICE, "csv", values)
        facts = self._detect(recording, event)
        plan = self._detector.plan_for(recording.context)
        recording.quiet = QuietRun.behind(plan, recording.context, recording.state, event)
        return facts

    def feed(self, event: Event) -> list[Fact]:
        """Take in one event."""
        recording = self._recordings.get(event.device_id) or self._meet(event.device_id, event.received_at)
        self.samples += 1
        recording.quiet = None
        return self._detect(recording, event)

    def finish(self) -> Iterator[Fact]:
        """Let the timers act that were due by each device's last sample; what comes after it nobody recorded."""
        for recording in self._recordings.values():
            self._hand_in(recording)
            until = recording.last + timedelta(microseconds=1)
            recording.state, facts = self._detector.advance(recording.context, recording.state, until)
            yield from facts

    def state(self, device_id: str, at: datetime | None = None) -> tuple[DeviceContext, DeviceState] | None:
        """Return a device and its state after what was taken in, and after the timers due by ``at``; None for one
        never heard."""
        recording = self._recordings.get(device_id)
        if recording is None:
            return None
        self._hand_in(recording)
        if at is None:
            return recording.context, recording.state
        until = at + timedelta(microseconds=1)
        return recording.context, self._detector.advance(recording.context, recording.state, until)[0]

    @property
    def device_days(self) -> float:
        """Days between first and last sample, of all devices together."""
        return sum((r.last - r.first) / timedelta(days=1) for r in self._recordings.values())

    def report(self) -> dict[str, Any]:
        """What was fed and what of it did not count."""
        counters: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        for recording in self._recordings.values():
            self._hand_in(recording)
            counters.update(recording.state.counters)
            reasons.update({f"{rule}: {u.reason}": u.count for rule, u in recording.state.unsampled.items()})
        return {
            "samples": self.samples,
            "devices": len(self._recordings),
            "device_days": round(self.device_days, 2),
            "not_counted": dict(counters),
            "no_sample": dict(reasons),
        }

    def _meet(self, device_id: str, at: datetime) -> _Recording:
        device = self._devices.get(device_id) or Device(id=device_id, profile=self._profile.name)
        # Whether an owner agrees to be met is not what a backtest asks; without it no fix would be looked at.
        profile = self._profiles.get(device.profile, self._profile)
        owner = self._customers.get(device.customer_id or "")
        zone = owner.zone if owner is not None else self._zone
        made = _Recording(DeviceContext(device, profile, location_consent=True, zone=zone), at)
        self._recordings[device_id] = made
        return made

    def _detect(self, recording: _Recording, event: Event) -> list[Fact]:
        self._hand_in(recording)
        facts: list[Fact] = []
        state = recording.state
        # A timer that is due before this sample acts first; most events have none to wait for.
        due = state.due_at
        if due is not None and due < event.received_at:
            state, facts = self._detector.advance(recording.context, state, event.received_at)
        state, made = self._detector.detect(recording.context, state, event)
        recording.state = state
        recording.last = event.received_at
        return facts + made if facts else made

    def _hand_in(self, recording: _Recording) -> None:
        values, recording.waiting = recording.waiting, None
        if values is None:
            return
        at = recording.last
        event = Event(recording.context.device.id, EventKind.STATUS, at, at, TimeSource.DEVICE, "csv", values)
        recording.state, facts = self._detector.detect(recording.context, recording.state, event)
        if facts:
            raise RuntimeError(f"a quiet sample at {at} was not: {facts[0].rule}")


def alert_line(fact: Transition) -> dict[str, Any]:
    """Return an alert as ``rules backtest`` prints it."""
    explanation = dict(fact.explanation)
    if fact.on_arrival:
        explanation["on_arrival"] = True
    return {
        "rule": fact.rule,
        "device_id": fact.device_id,
        "state": fact.state.value,
        "at": rfc3339(fact.at),
        "severity": fact.severity.value,
        "explanation": explanation | ({"fault": fact.fault} if fact.fault else {}),
    }


def visit_line(visit: Visit, ruleset: RuleSet, decision: Mapping[str, Any]) -> dict[str, Any]:
    """Return a visit as ``rules backtest`` prints it: it fires when somebody is near a shop; ``decision`` says what
    came of it."""
    return {
        "rule": visit.rule,
        "device_id": visit.device_id,
        "state": "firing",
        "at": rfc3339(visit.at),
        "severity": ruleset[visit.rule].severity.value,
        "explanation": {"kind": "proximity", "shop_id": visit.shop_id, **visit.explanation, **decision},
    }
