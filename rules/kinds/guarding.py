"""A geofence rule with one fence as detection asks for it: a circle, an area, a site, or where a thing stands."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from device_models.event import rfc3339
from device_models.profile import DeviceProfile
from rules import alert as alerts
from rules.evaluator import Fact, Fingerprint, Moment, RuleState
from rules.expression import NoSample
from rules.inputs import DeviceContext
from rules.kinds.geofence import GeofenceRule
from rules.kinds.guard import Draft, FenceEvaluator
from rules.kinds.motion import Fix
from rules.kinds.whereabouts import Guarded, Patrol, Whereabouts
from rules.places.fence import Circle, Fence, Side, Zone
from rules.places.polygon import read_geojson

STANDING_M_S = 1.0
"""What is slower stands: receivers at rest report some tenths."""


class GeofenceEvaluator(FenceEvaluator):
    """Evaluates a ``GeofenceRule`` with one fence for one profile."""

    def __init__(self, rule: GeofenceRule, profile: DeviceProfile) -> None:
        self._fence: Fence | None = None
        if rule.circle is not None:
            self._fence = Circle((rule.circle.latitude, rule.circle.longitude), rule.circle.radius_m)
        elif rule.geojson is not None:
            self._fence = Zone(read_geojson(rule.geojson))
        geometry = (rule.circle, json.dumps(rule.geojson, sort_keys=True), rule.site_radius_m)
        super().__init__(rule, profile, Fingerprint.of(rule, geometry).meaning)

    def step(self, moment: Moment, state: RuleState | None) -> tuple[RuleState | None, Sequence[Fact]]:
        """Take in a fix, or a value that decides whether one matters."""
        event = moment.event
        if event is None:
            return state, ()
        draft = self._draft(moment, state)
        if self._refused(moment):
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
        if draft.fence is None:
            moment.unsampled[self.rule.id] = "the device is registered without a place"
            return state, ()
        self._refenced(draft)
        self._met(draft, fix, draft.fence)
        return self._state(draft), draft.facts

    def release(self, moment: Moment, state: RuleState) -> tuple[RuleState, Sequence[Fact]]:
        """Complete a dwell on the last fix, or take what sends no fixes any more to have left."""
        draft = self._draft(moment, state)
        self._released(draft)
        return self._state(draft), draft.facts

    def next_due(self, state: RuleState) -> datetime | None:
        """The alert's timer, or when the last fix is stale."""
        alert = state.alerts.get("")
        dues = [alerts.due_at(alert, self._timing)] if alert else []
        if state.memory and (last := Guarded.from_json(state.memory).where.last) is not None:
            dues.append(last.at + self._timing.stale_after)
        return min((due for due in dues if due is not None), default=None)

    def adopt(self, state: RuleState, moment: Moment) -> tuple[RuleState, Sequence[Fact]]:
        """Take over a state made before an edit; one made of several zones knows where the device was, and no more."""
        facts: list[Fact] = []
        if "zones" in state.memory:
            before = Patrol.from_json(state.memory)
            memory = Guarded(before.of, Whereabouts(last=before.last), heard_at=before.heard_at)
            state, facts = self._without(replace(state, memory=memory.to_json()), moment, keep=())
        state, more = super().adopt(state, moment)
        return state, [*facts, *more]

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

    def _draft(self, moment: Moment, state: RuleState | None) -> Draft:
        device = moment.context.device
        site = f"@{device.latitude},{device.longitude}" if self._rule.site_radius_m is not None else ""
        of, alert = self._of + site, state.alerts.get("") if state else None
        if state is None or not state.memory:
            return Draft(moment, Guarded(of), alert, self._fence_of(moment.context, None))
        memory = Guarded.from_json(state.memory).under(of)
        return Draft(moment, memory, alert, self._fence_of(moment.context, memory.anchor))

    def _fence_of(self, context: DeviceContext, anchor: Fix | None) -> Fence | None:
        if anchor is not None:
            return Circle(anchor.point, self._rule.radius_m)
        device = context.device
        if self._rule.site_radius_m is not None and device.latitude is not None and device.longitude is not None:
            return Circle((device.latitude, device.longitude), self._rule.site_radius_m)
        return self._fence

    def _anchored(self, draft: Draft, fix: Fix | None) -> RuleState:
        """Take the first fix at which it stands for its place; an earlier one may be from the way there."""
        position = draft.moment.event.position if draft.moment.event else None
        if fix is not None and position is not None and (position.speed_m_s or 0.0) < STANDING_M_S:
            where = Whereabouts(Side.INSIDE, since=fix.at, last=fix)
            draft.memory = replace(draft.memory, where=where, anchor=fix, edited=False)
        return self._state(draft)

    def _forgotten(self, draft: Draft, state: RuleState | None, reason: str) -> tuple[RuleState | None, Sequence[Fact]]:
        """Keep nothing of where it was: it need no longer stand, or nobody may know."""
        if state is None or (not state.memory and not any(alert.is_open for alert in state.alerts.values())):
            return state, ()
        self._close(draft, reason)
        by_fault = {} if draft.alert is None else {"": draft.alert}
        return RuleState(self.fingerprint, by_fault), draft.facts

    def _state(self, draft: Draft) -> RuleState:
        by_fault = {} if draft.alert is None else {"": draft.alert}
        state = RuleState(self.fingerprint, by_fault, draft.memory.to_json())
        return replace(state, due_at=self.next_due(state))
