"""One turn of detection: a draft of a device's state while one input is taken in."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from device_models.event import Event, EventKind, Tick, rfc3339
from device_models.message_count import MISSED, RESTARTS
from device_models.profile import SequenceSpec
from device_models.purpose import Purpose, Severity
from rules import event_time
from rules.conditions.called import Around, windows_after
from rules.evaluator import Clock, Evaluator, Fact, Moment, RuleState
from rules.expression import Scope
from rules.inputs import DeviceContext, Input, Serviced, Snoozed, Sweep, acts_at
from rules.plan import Plan
from rules.state import DeviceState, Unsampled
from rules.transition import AlertState, Transition

_NO_VALUES: Mapping[str, Any] = {}


class Turn:
    """Takes in one input. The given state is left alone; what changes is copied when first written to."""

    __slots__ = ("_context", "_given", "_item", "_plan", "_state", "_timers_moved", "facts")

    def __init__(self, context: DeviceContext, plan: Plan, state: DeviceState, item: Input) -> None:
        self.facts: list[Fact] = []
        self._context = context
        self._plan = plan
        self._given = state
        self._state = state
        self._item = item
        self._timers_moved = False

    def finished(self) -> DeviceState:
        """Return the state as it is now, its earliest timers worked out."""
        if self._timers_moved:
            self._timers_moved = False
            dues: dict[Clock, datetime] = {}
            for rule_id, state in self._state.rules.items():
                if state.due_at is not None:
                    clock = self._plan.evaluators[rule_id].clock
                    dues[clock] = min(dues.get(clock, state.due_at), state.due_at)
            draft = self._draft()
            draft.event_due_at, draft.arrival_due_at = dues.get(Clock.EVENT), dues.get(Clock.ARRIVAL)
        return self._state

    def hear(self, event: Event) -> None:
        """Take in an event: at once what it is to presence, in its time what it says."""
        if event.kind is EventKind.COMMAND:
            # Said to the device, not by it.
            return
        if event.retained:
            self._seed(event)
            return
        due = self._state.arrival_due_at
        if due is not None and due < event.received_at:
            self._release(arrival_until=event.received_at)
        draft = self._draft()
        if draft.first_seen_at is None:
            draft.first_seen_at = event.received_at
        was_online = draft.presence.online
        draft.presence = draft.presence.after(event)
        if (sequence := self._context.profile.sequence) is not None and event.kind is not EventKind.PRESENCE:
            event = self._counted(event, sequence)
        moment: Moment | None = None
        turned = was_online is not draft.presence.online
        for evaluator in self._plan.on_arrival:
            if turned or evaluator.wants_heard(draft.rules.get(evaluator.rule.id)):
                moment = moment or self._moment(event.received_at)
                self._step(evaluator, moment)
        if event_time.is_late(draft, event):
            self._count("late")
        elif lateness := self._context.profile.lateness:
            event_time.hold(draft, event, lateness, self._take)
        else:
            self._take(event)

    def tick(self, tick: Tick) -> None:
        """Let act what is due: held events, then timers, each at its own time."""
        event_until = tick.due_at - self._state.wait
        if self._state.held and self._state.held[0].observed_at <= event_until:
            event_time.let_go(self._draft(), event_until, self._take)
        self._release(arrival_until=tick.due_at, event_until=event_until, inclusive=True)

    def sweep(self, item: Sweep | Serviced | Snoozed) -> None:
        """Take in a sweep, or an answer about a service."""
        moment = self._moment(item.at)
        for evaluator in self._plan.on_sweep:
            self._step(evaluator, moment)

    def reconcile(self, version: str, rule_ids: frozenset[str]) -> None:
        """Adopt a state that was made under other rules; see ``Detector.reconcile``."""
        draft = self._draft()
        draft.rules_version = version
        self._timers_moved = True
        moment = self._moment(acts_at(self._item))
        kept: dict[str, RuleState] = {}
        for rule_id, state in draft.rules.items():
            evaluator = self._plan.evaluators.get(rule_id)
            if evaluator is None or evaluator.fingerprint[:2] != state.fingerprint[:2]:
                reason = "rule_changed" if rule_id in rule_ids else "rule_removed"
                self.facts += _closings(rule_id, state, moment, reason)
            elif evaluator.fingerprint == state.fingerprint:
                kept[rule_id] = state
            else:
                kept[rule_id], made = evaluator.adopt(state, moment)
                self.facts += made
        draft.rules = kept
        draft.unsampled = {rule_id: why for rule_id, why in draft.unsampled.items() if rule_id in kept}
        draft.windows = {key: kept for key, kept in draft.windows.items() if key in self._plan.windows}
        for evaluator in self._plan.on_arrival:
            # A new rule about silence must not wait for a word from the very device that is silent.
            if evaluator.rule.id not in kept:
                self._step(evaluator, moment)

    def _seed(self, event: Event) -> None:
        """Take a retained message as memory: it fills what is not known and moves neither rules nor watermarks."""
        self._count("retained")
        draft = self._draft()
        draft.presence = draft.presence.after(event)
        values = self._plan.reader.read(event).values
        unknown = {name: value for name, value in values.items() if name not in draft.twin.values}
        draft.twin = draft.twin.after(unknown, event.observed_at)

    def _counted(self, event: Event, sequence: SequenceSpec) -> Event:
        """Count a numbered message as it arrives, however late its sample is, and let it say what is missing."""
        draft = self._draft()
        draft.presence = draft.presence.counted(event, sequence)
        count = draft.presence.count
        if count is None:
            return event
        derived = {MISSED: count.missed, RESTARTS: count.restarts}
        return replace(event, values={**event.values, **derived})

    def _take(self, event: Event) -> None:
        """Take in what an event says, in the device's time."""
        reading = self._plan.reader.read(event)
        clock, at = event_time.clock_of(event), event.observed_at
        draft = self._draft()
        if draft.watermarks.get(clock) == at and event.position is None and draft.twin.says(reading.values, at):
            self._count("duplicate")
            return
        for name in reading.implausible:
            self._count(f"implausible.{name}")
        rule_time = event_time.rule_time(draft, event, self._context.profile.lateness)
        if draft.event_due_at is not None and draft.event_due_at < rule_time:
            self._release(event_until=rule_time)
        if not self._context.profile.lateness:
            event_time.note_lag(draft, event, self._context.profile.lateness)
        draft.watermarks = {**draft.watermarks, clock: at}
        woken = self._plan.woken(event, reading.values)
        if woken.windows:
            draft.windows = windows_after(
                woken.windows, draft.windows, draft.twin, reading.values, rule_time, self._plan.longest_gap_s
            )
        draft.twin = draft.twin.after(reading.values, at)
        draft.rule_time = rule_time
        evaluators: Iterable[Evaluator] = woken.evaluators
        if woken.hearing:
            hearing = [e for e in woken.hearing if e.wants_heard(draft.rules.get(e.rule.id))]
            evaluators = (*woken.evaluators, *hearing)
        if not evaluators:
            return
        moment = Moment(
            self._context,
            event,
            rule_time,
            draft.twin,
            draft.presence,
            draft.first_seen_at,
            reading.values,
            self._is_arriving(event),
            Scope(draft.twin.values, woken.variables, woken.calls, self._around(rule_time)),
        )
        for evaluator in evaluators:
            self._step(evaluator, moment)
        if moment.unsampled or draft.unsampled:
            self._note_unsampled(moment, evaluators)

    def _is_arriving(self, event: Event) -> bool:
        """Whether this belongs to what the device said when it was first met: within its first reporting interval."""
        first = self._state.first_seen_at
        return first is not None and event.received_at - first <= self._context.profile.reporting_interval

    def _note_unsampled(self, moment: Moment, evaluators: Iterable[Evaluator]) -> None:
        draft = self._draft()
        unsampled = dict(draft.unsampled)
        for evaluator in evaluators:
            rule_id = evaluator.rule.id
            reason, before = moment.unsampled.get(rule_id), unsampled.pop(rule_id, None)
            if reason is not None:
                unsampled[rule_id] = Unsampled(reason, moment.at, before.count + 1 if before else 1)
        draft.unsampled = unsampled

    def _release(
        self,
        *,
        arrival_until: datetime | None = None,
        event_until: datetime | None = None,
        inclusive: bool = False,
    ) -> None:
        """Let the timers due before the given times act, the earliest first; ``inclusive``: those due just then too."""
        while (found := self._next_timer(arrival_until, event_until, inclusive)) is not None:
            evaluator, due = found
            before = self._state.rules[evaluator.rule.id]
            after, facts = evaluator.release(self._moment(due), before)
            if after.due_at is not None and after.due_at <= due and after == before:
                raise RuntimeError(f"rule {evaluator.rule.id}: its timer at {due} did not move")
            self._put(evaluator, after)
            self._timers_moved = True
            self.facts += facts
            draft = self._draft()
            if evaluator.clock is Clock.EVENT and (draft.rule_time is None or due > draft.rule_time):
                draft.rule_time = due

    def _next_timer(
        self, arrival_until: datetime | None, event_until: datetime | None, inclusive: bool
    ) -> tuple[Evaluator, datetime] | None:
        state = self.finished()
        found: list[tuple[datetime, str, Evaluator, datetime]] = []
        for rule_id, rule_state in state.rules.items():
            if (due := rule_state.due_at) is None:
                continue
            evaluator = self._plan.evaluators[rule_id]
            on_event = evaluator.clock is Clock.EVENT
            until = event_until if on_event else arrival_until
            if until is not None and (due < until or (inclusive and due == until)):
                found.append((due + state.wait if on_event else due, rule_id, evaluator, due))
        if not found:
            return None
        _, _, evaluator, due = min(found, key=lambda entry: entry[:2])
        return evaluator, due

    def _step(self, evaluator: Evaluator, moment: Moment) -> None:
        before = self._state.rules.get(evaluator.rule.id)
        after, facts = evaluator.step(moment, before)
        if after is not None and after is not before:
            self._put(evaluator, after)
            if after.due_at != (before.due_at if before else None):
                self._timers_moved = True
        if facts:
            self.facts += facts

    def _put(self, evaluator: Evaluator, state: RuleState) -> None:
        draft = self._draft()
        draft.rules = {**draft.rules, evaluator.rule.id: state}

    def _moment(self, at: datetime) -> Moment:
        state = self._state
        scope = Scope(state.twin.values, self._plan.variables, self._plan.calls, self._around(at))
        return Moment(
            self._context, self._item, at, state.twin, state.presence, state.first_seen_at, _NO_VALUES, False, scope
        )

    def _around(self, at: datetime) -> Around | None:
        if not self._plan.calls:
            return None
        state = self._state
        return Around(at, self._context.zone, state.twin.observed_at, state.windows)

    def _count(self, what: str) -> None:
        draft = self._draft()
        draft.counters = {**draft.counters, what: draft.counters.get(what, 0) + 1}

    def _draft(self) -> DeviceState:
        if self._state is self._given:
            self._state = self._given.copy()
        return self._state


def _closings(rule_id: str, state: RuleState, moment: Moment, reason: str) -> list[Fact]:
    """Close what a rule left open that is no longer there to describe it."""
    return [
        Transition(
            rule=rule_id,
            device_id=moment.context.device.id,
            state=AlertState.RESOLVED if alert.state is AlertState.FIRING else AlertState.INACTIVE,
            at=moment.at,
            severity=Severity(alert.facts.get("severity", Severity.MAJOR)),
            purpose=Purpose(alert.facts.get("purpose", Purpose.FAULT)),
            explanation={
                "kind": state.fingerprint.kind,
                "title": alert.facts.get("title") or {"en": rule_id},
                "advice": alert.facts.get("advice") or {},
                "since": rfc3339(alert.since),
                "reason": reason,
            },
            fault=fault,
            on_arrival=alert.on_arrival,
            shadow=state.fingerprint.mode == "shadow",
        )
        for fault, alert in state.alerts.items()
        if alert.is_open
    ]
