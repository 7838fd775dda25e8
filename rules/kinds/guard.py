"""What fixes and timers make of one device and one fence: enter, exit, dwell and theft as facts."""

import math
from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from device_models.duration import format_duration
from device_models.profile import DeviceProfile, PositionOf
from rules import alert as alerts
from rules.alert import Alert, Timing
from rules.evaluator import Evaluator, Fact, Fingerprint, Moment, RuleState, Wake
from rules.expression import Expression, NoSample, compile_expression
from rules.kinds.condition import STALE_INTERVALS
from rules.kinds.geofence import GeofenceRule
from rules.kinds.motion import Fix
from rules.kinds.proximity import position_of
from rules.kinds.whereabouts import Guarded, Happening, seen
from rules.places.distance import geodesic_m
from rules.places.fence import Circle, Fence, Side, Terms, sigma_of
from rules.transition import AlertState

_LEAST_STALE = timedelta(hours=1)


@dataclass(slots=True)
class Draft:
    """One step of one device at one fence: where memory and alert go, and what is told of it."""

    moment: Moment
    memory: Guarded
    alert: Alert | None
    fence: Fence | None
    """None: the device is registered without the place that it is drawn around."""
    fault: str = ""
    """The zone's id where a rule has several."""
    place: str | None = None
    """The zone's name."""
    facts: list[Fact] = field(default_factory=list)


class FenceEvaluator(Evaluator):
    """What is the same for a rule with one fence and for one with thousands."""

    wakes = frozenset({Wake.FIX, Wake.VALUES})

    def __init__(self, rule: GeofenceRule, profile: DeviceProfile, of: str) -> None:
        """``of``: digest of the rule's geometry."""
        self._rule = rule
        self._of = of
        self._unless = compile_expression(rule.unless, profile) if rule.unless else None
        self._while = compile_expression(rule.moved_while, profile) if rule.moved_while else None
        self._terms = Terms(rule.confidence, rule.margin_m)
        self._target = Side.INSIDE if rule.on in ("enter", "dwell") else Side.OUTSIDE
        stale_after = rule.stale_after or max(STALE_INTERVALS * profile.reporting_interval, _LEAST_STALE)
        self._timing = Timing(rule.hold, rule.clear_for, stale_after)
        timing = (of, rule.radius_m, rule.confidence, rule.confirm, rule.margin_m, rule.accuracy_m)
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

    def _refused(self, moment: Moment) -> bool:
        """Tell whether it is a person's position and they did not agree to its use."""
        event = moment.event
        if event is None or position_of(self.profile, event.ecosystem) is not PositionOf.PERSON:
            return False
        if moment.context.location_consent:
            return False
        if event.position is not None:
            moment.unsampled[self.rule.id] = "its owner did not agree to the use of their position"
        return True

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
        elif rule.zones:
            fence = f"one of {len(rule.zones)} zones"
        span = f" for {format_duration(rule.hold)}" if rule.hold else ""
        verb = {"enter": "enters", "exit": "leaves", "dwell": "is inside"}[rule.on or "enter"]
        return f"{verb} {fence}{span}"

    def _fix(self, moment: Moment) -> Fix | None:
        position = moment.event.position if moment.event else None
        if position is None:
            return None
        if position.latitude == 0 and position.longitude == 0:
            moment.unsampled[self.rule.id] = "0°N 0°E is what a receiver without a fix says"
            return None
        return Fix(position.latitude, position.longitude, moment.at, position.accuracy_m or self._rule.accuracy_m)

    def _met(self, draft: Draft, fix: Fix, fence: Fence) -> None:
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

    def _excused(self, draft: Draft) -> bool | None:
        """Tell whether ``unless`` holds now; None where that cannot be told."""
        if self._unless is None:
            return False
        verdict = self._unless.evaluate(draft.moment.scope)
        if isinstance(verdict, NoSample):
            draft.moment.unsampled[self.rule.id] = verdict.reason
            return None
        return verdict

    def _judge(self, draft: Draft, reason: str | None = None) -> None:
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

    def _passed(self, draft: Draft) -> None:
        """Tell of a drive-through: it is over when it is seen."""
        at = draft.moment.at
        last = draft.memory.where.last
        draft.alert = Alert(AlertState.FIRING, at, at, fired_at=at)
        changes = [alerts.Change(AlertState.FIRING, at), alerts.Change(AlertState.RESOLVED, at)]
        self._tell(draft, draft.alert, changes, event="pass", passes=draft.memory.where.passes)
        draft.alert = Alert(AlertState.RESOLVED, at, last.at if last else at)

    def _lose(self, draft: Draft) -> None:
        """Forget a position that is stale; what was inside has left as far as anybody knows."""
        memory = draft.memory
        # Since when it was there counts no longer: a gap in the data is no stay.
        where = replace(memory.where, last=None, candidate=None, since=None)
        if self._target is Side.INSIDE and where.side is Side.INSIDE:
            where = replace(where, side=None)
            memory = replace(memory, gone=not memory.quiet)
            self._close(draft, "fixes_stopped")
        draft.memory = replace(memory, where=where)

    def _refenced(self, draft: Draft) -> None:
        """Hold the last fix against a fence that was edited since, before anything acts on one that is no more."""
        last = draft.memory.where.last
        if draft.memory.edited and last is not None and draft.fence is not None:
            self._met(draft, last, draft.fence)

    def _released(self, draft: Draft) -> None:
        """Let timers act: a dwell completes on the last fix, and what sends no fixes any more has left."""
        self._refenced(draft)
        last = draft.memory.where.last
        before, at = draft.alert, draft.moment.at
        if before is not None:
            draft.alert, changes = alerts.release(before, at, self._timing)
            self._tell(draft, before, changes)
        if last is None or last.at + self._timing.stale_after <= at:
            self._lose(draft)

    def _without(self, state: RuleState, moment: Moment, keep: Container[str]) -> tuple[RuleState, list[Fact]]:
        """Close what an edit leaves without a fence."""
        gone = {fault: alert for fault, alert in state.alerts.items() if fault not in keep}
        facts: list[Fact] = [
            self.transition(moment, closed(alert), alert, fault=fault, reason="edited")
            for fault, alert in gone.items()
            if alert.is_open
        ]
        kept = {fault: alert for fault, alert in state.alerts.items() if fault not in gone}
        return replace(state, alerts=kept), facts

    def _close(self, draft: Draft, reason: str) -> None:
        alert, at = draft.alert, draft.moment.at
        if alert is None or not alert.is_open:
            return
        state = closed(alert)
        draft.alert = Alert(state, at, alert.sampled_at)
        self._tell(draft, alert, [alerts.Change(state, at)], reason)

    def _tell(
        self,
        draft: Draft,
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
            "zone": draft.fault or None,
            "zone_name": draft.place,
            "condition": self._says,
            "unless": rule.unless,
            "for_s": self._timing.hold.total_seconds(),
            "values": {name: known[name] for name in fields if name in known},
            "units": {name: specs[name].unit for name in fields if name in specs and specs[name].unit},
            **self._measured(draft),
            **more,
        }
        draft.facts += [
            self.transition(
                moment, change.state, episode, fault=draft.fault, at=change.at, reason=change.reason or reason, **told
            )
            for change in changes
        ]

    def _measured(self, draft: Draft) -> dict[str, Any]:
        """How far from the edge the last fix is and how surely so; no coordinates."""
        memory, fix, fence = draft.memory, draft.memory.where.last, draft.fence
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


def closed(alert: Alert) -> AlertState:
    """Return the state in which an open alert ends."""
    return AlertState.RESOLVED if alert.state is AlertState.FIRING else AlertState.INACTIVE
