"""Geofences as detection asks for them: fixes and timers become enter, exit, dwell and theft."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from device_models.duration import format_duration
from device_models.event import rfc3339
from device_models.profile import DeviceProfile, PositionOf
from rules import alert as alerts
from rules.alert import Alert, Timing
from rules.distance import geodesic_m
from rules.evaluator import Evaluator, Fact, Fingerprint, Moment, RuleState, Wake
from rules.expression import Expression, NoSample, compile_expression
from rules.fence import Circle, Fence, Side, Terms, Zone, sigma_of
from rules.inputs import DeviceContext
from rules.kinds.condition import STALE_INTERVALS
from rules.kinds.geofence import GeofenceRule
from rules.kinds.motion import Fix
from rules.kinds.proximity import position_of
from rules.kinds.whereabouts import Guarded, Happening, Whereabouts, seen
from rules.polygon import read_geojson
from rules.transition import AlertState

STANDING_M_S = 1.0
"""What is slower stands: receivers at rest report some tenths."""
_LEAST_STALE = timedelta(hours=1)


@dataclass(slots=True)
class _Draft:
    """One step: where memory and alert go, and what is told of it."""

    moment: Moment
    memory: Guarded
    alert: Alert | None
    facts: list[Fact] = field(default_factory=list)


class GeofenceEvaluator(Evaluator):
    """Evaluates a ``GeofenceRule`` for one profile."""

    wakes = frozenset({Wake.FIX, Wake.VALUES})

    def __init__(self, rule: GeofenceRule, profile: DeviceProfile) -> None:
        self._rule = rule
        self._unless = compile_expression(rule.unless) if rule.unless else None
        self._while = compile_expression(rule.moved_while) if rule.moved_while else None
        self._terms = Terms(rule.confidence, rule.margin_m)
        self._target = Side.INSIDE if rule.on in ("enter", "dwell") else Side.OUTSIDE
        stale_after = rule.stale_after or max(STALE_INTERVALS * profile.reporting_interval, _LEAST_STALE)
        self._timing = Timing(rule.hold, rule.clear_for, stale_after)
        self._fence: Fence | None = None
        if rule.circle is not None:
            self._fence = Circle((rule.circle.latitude, rule.circle.longitude), rule.circle.radius_m)
        elif rule.geojson is not None:
            self._fence = Zone(read_geojson(rule.geojson))
        geometry = (rule.circle, json.dumps(rule.geojson, sort_keys=True), rule.site_radius_m)
        self._of = Fingerprint.of(rule, geometry).meaning
        timing = (self._of, rule.radius_m, rule.confidence, rule.confirm, rule.margin_m, rule.accuracy_m)
        super().__init__(
            rule,
            profile,
            Fingerprint.of(rule, (rule.on, rule.moved_while, rule.unless), (*timing, *self._timing)),
            reads=frozenset(name for expression in self.expressions for name in expression.fields),
        )

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """``unless`` and ``moved_while``."""
        return tuple(e for e in (self._unless, self._while) if e is not None)

    def step(self, moment: Moment, state: RuleState | None) -> tuple[RuleState | None, Sequence[Fact]]:
        """Take in a fix, or a value that decides whether one matters."""
        event = moment.event
        if event is None:
            return state, ()
        draft = self._draft(moment, state)
        if position_of(self.profile, event.ecosystem) is PositionOf.PERSON and not moment.context.location_consent:
            if event.position is not None:
                moment.unsampled[self.rule.id] = "its owner did not agree to the use of their position"
            return self._forgotten(draft, state, "no_consent")
        fix = self._fix(moment)
        if fix is not None:
            if draft.memory.heard_at is not None and event.observed_at <= draft.memory.heard_at:
                # A duplicate confirms nothing.
                return state, ()
            draft.memory = replace(draft.memory, heard_at=event.observed_at)
        if self._while is not None:
            stands = self._while.evaluate(moment.scope)
            if isinstance(stands, NoSample):
                moment.unsampled[self.rule.id] = stands.reason
                return state, ()
            if not stands:
                return self._forgotten(draft, state, "released")
            if draft.memory.anchor is None:
                return self._anchored(draft, fix), ()
        if fix is None:
            if state is None or self._rule.on != "dwell":
                return state, ()
            self._judge(draft)
            return self._state(draft), draft.facts
        fence = self._fence_of(moment.context, draft.memory)
        if fence is None:
            moment.unsampled[self.rule.id] = "the device is registered without a place"
            return state, ()
        self._met(draft, fix, fence)
        return self._state(draft), draft.facts

    def release(self, moment: Moment, state: RuleState) -> tuple[RuleState, Sequence[Fact]]:
        """Complete a dwell on the last fix, or take what sends no fixes any more to have left."""
        draft = self._draft(moment, state)
        last, fence = draft.memory.where.last, self._fence_of(moment.context, draft.memory)
        if draft.memory.edited and last is not None and fence is not None:
            # Before anything acts on a fence that is no more.
            self._met(draft, last, fence)
        before = draft.alert
        if before is not None:
            draft.alert, changes = alerts.release(before, moment.at, self._timing)
            self._tell(draft, before, changes)
        if last is None or last.at + self._timing.stale_after <= moment.at:
            self._lose(draft)
        return self._state(draft), draft.facts

    def next_due(self, state: RuleState) -> datetime | None:
        """The alert's timer, or when the last fix is stale."""
        alert = state.alerts.get("")
        dues = [alerts.due_at(alert, self._timing)] if alert else []
        if state.memory and (last := Guarded.from_json(state.memory).where.last) is not None:
            dues.append(last.at + self._timing.stale_after)
        return min((due for due in dues if due is not None), default=None)

    def explain(self, context: DeviceContext, state: RuleState | None, at: datetime) -> dict[str, Any]:
        """On which side it is, since when, and what drove through; never the position itself."""
        where = Guarded.from_json(state.memory).where if state and state.memory else Whereabouts()
        candidate = where.candidate
        return {
            "condition": self._says,
            "unless": self._rule.unless,
            "side": where.side.value if where.side else None,
            "side_since": rfc3339(where.since) if where.since else None,
            "candidate": f"{candidate.side.value} by {candidate.fixes} of {self._rule.confirm} fixes"
            if candidate
            else None,
            "passes": where.passes,
            "for_s": self._timing.hold.total_seconds(),
            "stale_after_s": self._timing.stale_after.total_seconds(),
        }

    @property
    def _says(self) -> str:
        rule = self._rule
        if rule.moved_while is not None:
            return f"moves by more than {rule.radius_m:g} m while {rule.moved_while}"
        fence = "an area"
        if rule.circle is not None:
            fence = f"a circle of {rule.circle.radius_m:g} m"
        elif rule.site_radius_m is not None:
            fence = f"its site's {rule.site_radius_m:g} m"
        span = f" for {format_duration(rule.hold)}" if rule.hold else ""
        verb = {"enter": "enters", "exit": "leaves", "dwell": "is inside"}[rule.on or "enter"]
        return f"{verb} {fence}{span}"

    def _draft(self, moment: Moment, state: RuleState | None) -> _Draft:
        device = moment.context.device
        site = f"@{device.latitude},{device.longitude}" if self._rule.site_radius_m is not None else ""
        of, alert = self._of + site, state.alerts.get("") if state else None
        if state is None or not state.memory:
            return _Draft(moment, Guarded(of), alert)
        memory = Guarded.from_json(state.memory)
        if memory.of != of:
            where = replace(memory.where, side=None, candidate=None)
            memory = replace(memory, of=of, where=where, edited=True)
        return _Draft(moment, memory, alert)

    def _fix(self, moment: Moment) -> Fix | None:
        position = moment.event.position if moment.event else None
        if position is None:
            return None
        if position.latitude == 0 and position.longitude == 0:
            moment.unsampled[self.rule.id] = "0°N 0°E is what a receiver without a fix says"
            return None
        return Fix(position.latitude, position.longitude, moment.at, position.accuracy_m or self._rule.accuracy_m)

    def _fence_of(self, context: DeviceContext, memory: Guarded) -> Fence | None:
        if memory.anchor is not None:
            return Circle(memory.anchor.point, self._rule.radius_m)
        device = context.device
        if self._rule.site_radius_m is not None and device.latitude is not None and device.longitude is not None:
            return Circle((device.latitude, device.longitude), self._rule.site_radius_m)
        return self._fence

    def _anchored(self, draft: _Draft, fix: Fix | None) -> RuleState:
        """Take the first fix at which it stands for its place; an earlier one may be from the way there."""
        position = draft.moment.event.position if draft.moment.event else None
        if fix is not None and position is not None and (position.speed_m_s or 0.0) < STANDING_M_S:
            where = Whereabouts(Side.INSIDE, since=fix.at, last=fix)
            draft.memory = replace(draft.memory, where=where, anchor=fix, edited=False)
        return self._state(draft)

    def _met(self, draft: _Draft, fix: Fix, fence: Fence) -> None:
        """Hold a fix against the fence, and what that shows against the rule."""
        memory = draft.memory
        unsure_m = memory.anchor.accuracy_m if memory.anchor else 0.0
        where, happened = seen(memory.where, fix, fence, self._terms, self._rule.confirm, unsure_m)
        there = where.side is self._target
        quiet, reason = memory.quiet and there, None
        if happened is Happening.FOUND and there and not memory.gone:
            # A dwell is a fact from now on; an enter or exit that nobody saw is none, nor what an edit brings about.
            was_open = draft.alert is not None and draft.alert.is_open
            quiet = not was_open and (self._rule.on != "dwell" or memory.edited)
        elif happened in (Happening.ENTERED, Happening.LEFT, Happening.FOUND) and there and self._rule.on != "dwell":
            excused = self._excused(draft)
            if excused is None:
                draft.memory = replace(memory, where=replace(memory.where, last=fix))
                return
            quiet = excused
        if happened is Happening.FOUND and memory.edited:
            reason = "edited"
        known = happened is Happening.FOUND
        draft.memory = replace(
            memory, where=where, quiet=quiet, edited=memory.edited and not known, gone=memory.gone and not known
        )
        if happened is Happening.PASSED and self._rule.passes and self._excused(draft) is False:
            self._passed(draft)
        self._judge(draft, reason)

    def _excused(self, draft: _Draft) -> bool | None:
        """Tell whether ``unless`` holds now; None where that cannot be told."""
        if self._unless is None:
            return False
        verdict = self._unless.evaluate(draft.moment.scope)
        if isinstance(verdict, NoSample):
            draft.moment.unsampled[self.rule.id] = verdict.reason
            return None
        return verdict

    def _judge(self, draft: _Draft, reason: str | None = None) -> None:
        """Advance the alert by where the device is now."""
        moment, memory, before = draft.moment, draft.memory, draft.alert
        if memory.where.side is None:
            return
        holds = memory.where.side is self._target and not memory.quiet
        if self._rule.on == "dwell" and holds:
            excused = self._excused(draft)
            if excused is None:
                return
            holds = not excused
        arriving = moment.arriving and self._rule.on == "dwell"
        after, changes = alerts.sample(before, holds, not holds, moment.at, self._timing, arriving=arriving)
        if after.is_open and not (before is not None and before.is_open):
            if memory.where.since is not None and (self._rule.on != "dwell" or self._unless is None):
                # It was there from the first of the fixes that had to agree.
                after = replace(after, since=memory.where.since)
            if after.state is AlertState.PENDING:
                after, more = alerts.sample(after, True, False, moment.at, self._timing)
                changes += more
        draft.alert = after
        self._tell(draft, before, changes, reason)

    def _passed(self, draft: _Draft) -> None:
        """Tell of a drive-through: it is over when it is seen."""
        at = draft.moment.at
        last = draft.memory.where.last
        draft.alert = Alert(AlertState.FIRING, at, at, fired_at=at)
        changes = [alerts.Change(AlertState.FIRING, at), alerts.Change(AlertState.RESOLVED, at)]
        self._tell(draft, draft.alert, changes, event="pass", passes=draft.memory.where.passes)
        draft.alert = Alert(AlertState.RESOLVED, at, last.at if last else at)

    def _lose(self, draft: _Draft) -> None:
        """Forget a position that is stale; what was inside has left as far as anybody knows."""
        memory = draft.memory
        # Since when it was there counts no longer: a gap in the data is no stay.
        where = replace(memory.where, last=None, candidate=None, since=None)
        if self._target is Side.INSIDE and where.side is Side.INSIDE:
            where = replace(where, side=None)
            memory = replace(memory, gone=not memory.quiet)
            self._close(draft, "fixes_stopped")
        draft.memory = replace(memory, where=where)

    def _forgotten(
        self, draft: _Draft, state: RuleState | None, reason: str
    ) -> tuple[RuleState | None, Sequence[Fact]]:
        """Keep nothing of where it was: it need no longer stand, or nobody may know."""
        if state is None or (not state.memory and not any(alert.is_open for alert in state.alerts.values())):
            return state, ()
        self._close(draft, reason)
        by_fault = {} if draft.alert is None else {"": draft.alert}
        return RuleState(self.fingerprint, by_fault), draft.facts

    def _close(self, draft: _Draft, reason: str) -> None:
        alert, at = draft.alert, draft.moment.at
        if alert is None or not alert.is_open:
            return
        state = AlertState.RESOLVED if alert.state is AlertState.FIRING else AlertState.INACTIVE
        draft.alert = Alert(state, at, alert.sampled_at)
        self._tell(draft, alert, [alerts.Change(state, at)], reason)

    def _state(self, draft: _Draft) -> RuleState:
        by_fault = {} if draft.alert is None else {"": draft.alert}
        state = RuleState(self.fingerprint, by_fault, draft.memory.to_json())
        return replace(state, due_at=self.next_due(state))

    def _tell(
        self,
        draft: _Draft,
        before: Alert | None,
        changes: Sequence[alerts.Change],
        reason: str | None = None,
        **more: Any,
    ) -> None:
        episode = before if before is not None and before.is_open else draft.alert
        if not changes or episode is None:
            return
        moment, rule = draft.moment, self._rule
        known, specs, fields = moment.twin.values, self.profile.fields, sorted(self.reads)
        told: dict[str, Any] = {
            "event": rule.on or "moved",
            "condition": self._says,
            "unless": rule.unless,
            "for_s": self._timing.hold.total_seconds(),
            "values": {name: known[name] for name in fields if name in known},
            "units": {name: specs[name].unit for name in fields if name in specs and specs[name].unit},
            **self._measured(draft),
            **more,
        }
        draft.facts += [
            self.transition(moment, change.state, episode, at=change.at, reason=change.reason or reason, **told)
            for change in changes
        ]

    def _measured(self, draft: _Draft) -> dict[str, Any]:
        """How far from the edge the last fix is and how surely so; no coordinates."""
        memory, fix = draft.memory, draft.memory.where.last
        fence = self._fence_of(draft.moment.context, memory)
        if fix is None or fence is None:
            return {}
        unsure_m = memory.anchor.accuracy_m if memory.anchor else 0.0
        located = fence.locate(fix.point, sigma_of(math.hypot(fix.accuracy_m, unsure_m)))
        told: dict[str, Any] = {
            "side": memory.where.side.value if memory.where.side else None,
            "distance_m": round(fence.edge_m(fix.point), 1),
            "inside_probability": round(located.probability, 4),
            "accuracy_m": fix.accuracy_m,
            "method": located.method,
        }
        if isinstance(fence, Circle):
            told["radius_m"] = fence.radius_m
        if memory.anchor is not None:
            told["moved_m"] = round(geodesic_m(memory.anchor.point, fix.point), 1)
        return told
