"""A geofence rule with many zones as detection asks for it: a fix costs what the zones around it cost.

Of the thousands of zones only those are remembered that a device is not simply outside of. A fix is held against
these and against those in whose surrounding circle it lies: from outside of that nobody is inside of the zone with more
than one half, however coarse the fix, and a rule asks for more.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from device_models.profile import DeviceProfile
from rules import alert as alerts
from rules.alert import Alert
from rules.evaluator import Fact, Fingerprint, Moment, RuleState
from rules.inputs import DeviceContext
from rules.kinds.geofence import GeofenceRule, ZoneSpec
from rules.kinds.guard import Draft, FenceEvaluator
from rules.kinds.motion import Fix
from rules.kinds.whereabouts import Guarded, Patrol, Whereabouts
from rules.places.distance import Point, haversine_m
from rules.places.fence import LONGEST_WAY_M, Circle, Fence, Side, Zone, sigma_of
from rules.places.polygon import read_geojson
from rules.spatial_index import PlaceIndex
from rules.transition import AlertState


@dataclass(frozen=True, slots=True)
class _Placed:
    """A zone as the index knows it: the circle around it."""

    id: str
    latitude: float
    longitude: float
    radius_m: float
    fence: Fence
    of: str
    """Digest of its form."""
    name: str | None


class ZonesEvaluator(FenceEvaluator):
    """Evaluates a ``GeofenceRule`` with ``zones`` for one profile: as one rule for each of them would, and faster."""

    def __init__(self, rule: GeofenceRule, profile: DeviceProfile) -> None:
        self._index = PlaceIndex(_placed(rule, zone) for zone in rule.zones)
        super().__init__(rule, profile, Fingerprint.of(rule, [(zone.id, zone.of) for zone in self._index]).meaning)

    def step(self, moment: Moment, state: RuleState | None) -> tuple[RuleState | None, Sequence[Fact]]:
        """Take in a fix, or a value that decides whether a dwell is in order."""
        event = moment.event
        if event is None:
            return state, ()
        if self._refused(moment):
            return self._forgotten(moment, state)
        patrol = Patrol.from_json(state.memory) if state is not None and state.memory else None
        fix = self._fix(moment)
        if fix is None:
            if state is None or patrol is None or self._rule.on != "dwell":
                return state, ()
            drafts = list(self._drafts(moment, patrol.zones, state.alerts))
            for draft in drafts:
                self._judge(draft)
            return self._state(patrol, drafts), _facts(drafts)
        if patrol is not None and patrol.heard_at is not None and event.observed_at <= patrol.heard_at:
            # A duplicate confirms nothing.
            return state, ()
        drafts = list(self._drafts(moment, self._concerned(patrol, fix), state.alerts if state else {}))
        passes = patrol.passes if patrol else 0
        for draft in drafts:
            draft.memory = replace(draft.memory, where=replace(draft.memory.where, passes=passes))
            self._refenced(draft)
            if draft.fence is not None:
                self._met(draft, fix, draft.fence)
            passes = draft.memory.where.passes
        met = Patrol(self._of, fix, event.observed_at, passes)
        return self._state(met, drafts), _facts(drafts)

    def release(self, moment: Moment, state: RuleState) -> tuple[RuleState, Sequence[Fact]]:
        """Complete dwells on the last fix, or take what sends no fixes any more to have left."""
        patrol = Patrol.from_json(state.memory)
        drafts = list(self._drafts(moment, patrol.zones, state.alerts))
        stale = patrol.last is not None and patrol.last.at + self._timing.stale_after <= moment.at
        for draft in drafts:
            due = alerts.due_at(draft.alert, self._timing) if draft.alert else None
            if stale or (due is not None and due <= moment.at):
                self._released(draft)
        if stale:
            patrol = replace(patrol, last=None)
        return self._state(patrol, drafts), _facts(drafts)

    def next_due(self, state: RuleState) -> datetime | None:
        """The earliest of the alerts' timers, or when the last fix is stale."""
        dues = [alerts.due_at(alert, self._timing) for alert in state.alerts.values()]
        if state.memory.get("last"):
            dues.append(Fix.from_list(state.memory["last"]).at + self._timing.stale_after)
        return min((due for due in dues if due is not None), default=None)

    def adopt(self, state: RuleState, moment: Moment) -> tuple[RuleState, Sequence[Fact]]:
        """Take over a state made before an edit: zones that are gone are closed, a single fence is as good as gone."""
        memory = state.memory
        if "zones" in memory:
            before = Patrol.from_json(memory)
            kept = {zone_id: guarded for zone_id, guarded in before.zones.items() if zone_id in self._index}
            memory = replace(before, zones=kept).to_json()
        elif memory:
            one = Guarded.from_json(memory)
            memory = Patrol(one.of, one.where.last, one.heard_at, one.where.passes).to_json()
        state, facts = self._without(replace(state, memory=memory), moment, keep=self._index)
        state, more = super().adopt(state, moment)
        return state, [*facts, *more]

    def explain(self, context: DeviceContext, state: RuleState | None, at: datetime) -> dict[str, Any]:
        """Which zones it is inside of, and how many it drove through; never the position itself."""
        patrol = Patrol.from_json(state.memory) if state and state.memory else Patrol("")
        return {
            "condition": self._says,
            "unless": self._rule.unless,
            "zones": len(self._index),
            "inside": sorted(i for i, guarded in patrol.zones.items() if guarded.where.side is Side.INSIDE),
            "passes": patrol.passes,
            "for_s": self._timing.hold.total_seconds(),
            "stale_after_s": self._timing.stale_after.total_seconds(),
        }

    def _concerned(self, patrol: Patrol | None, fix: Fix) -> Mapping[str, Guarded]:
        """Return the zones that a fix can make a difference to, with what is known of each."""
        if patrol is None:
            return {zone.id: Guarded(zone.of) for zone in self._around(fix)}
        zones = dict(patrol.zones)
        if patrol.of != self._of:
            # What the device is in, or may be, by an edit alone it did not enter.
            for zone in self._around(patrol.last or fix):
                zones.setdefault(zone.id, Guarded(zone.of, Whereabouts(last=patrol.last), edited=True))
        for zone in self._crossed(patrol.last, fix):
            if zone.id not in zones:
                # An exit is told of what was inside before.
                quiet = self._target is Side.OUTSIDE
                zones[zone.id] = Guarded(zone.of, Whereabouts(Side.OUTSIDE, last=patrol.last), quiet=quiet)
        return zones

    def _around(self, fix: Fix) -> list[_Placed]:
        """Return the zones that a fix is not surely outside of, and some more."""
        return self._index.candidates(*fix.point, self._terms.z * sigma_of(fix.accuracy_m))

    def _crossed(self, last: Fix | None, fix: Fix) -> Iterator[_Placed]:
        """Go through the zones that a fix may lie in, or that the way to it may have led through."""
        yield from self._index.candidates(*fix.point)
        if last is None:
            return
        length_m = haversine_m(last.point, fix.point)
        # Whoever is surely beyond a zone has come further than that since they were in it.
        if self._terms.z * sigma_of(fix.accuracy_m) < length_m <= LONGEST_WAY_M:
            yield from self._index.along(last.point, fix.point)

    def _drafts(self, moment: Moment, zones: Mapping[str, Guarded], by_fault: Mapping[str, Alert]) -> Iterator[Draft]:
        for zone_id in sorted(zones):
            placed = self._index.get(zone_id)
            if placed is None:
                continue
            memory = zones[zone_id].under(placed.of)
            alert, last = by_fault.get(zone_id), memory.where.last
            if alert is None and memory.where.side is not None and last is not None:
                # It was seen outside before, so that what begins now is nothing that was found on arrival.
                alert = Alert(AlertState.INACTIVE, last.at, last.at)
            yield Draft(moment, memory, alert, placed.fence, zone_id, placed.name)

    def _forgotten(self, moment: Moment, state: RuleState | None) -> tuple[RuleState | None, Sequence[Fact]]:
        """Keep nothing of where it was: nobody may know."""
        if state is None or not (state.memory or state.alerts):
            return state, ()
        patrol = Patrol.from_json(state.memory) if state.memory else Patrol(self._of)
        drafts = list(self._drafts(moment, patrol.zones, state.alerts))
        for draft in drafts:
            self._close(draft, "no_consent")
        return RuleState(self.fingerprint), _facts(drafts)

    def _state(self, patrol: Patrol, drafts: Sequence[Draft]) -> RuleState:
        """Keep what is more than being outside."""
        zones: dict[str, Guarded] = {}
        by_fault: dict[str, Alert] = {}
        for draft in drafts:
            if self._is_elsewhere(draft):
                continue
            zones[draft.fault] = draft.memory
            if draft.alert is not None:
                by_fault[draft.fault] = draft.alert
        state = RuleState(self.fingerprint, by_fault, replace(patrol, zones=zones).to_json())
        return replace(state, due_at=self.next_due(state))

    def _is_elsewhere(self, draft: Draft) -> bool:
        """Tell whether nothing is to be remembered of a zone: the device is outside, and that tells nobody anything."""
        where = draft.memory.where
        return (
            where.side is Side.OUTSIDE
            and where.candidate is None
            and (draft.memory.quiet or self._target is Side.INSIDE)
            and not (draft.alert is not None and draft.alert.is_open)
        )


def _placed(rule: GeofenceRule, zone: ZoneSpec) -> _Placed:
    of = Fingerprint.of(rule, (zone.circle, json.dumps(zone.geojson, sort_keys=True))).meaning
    fence: Fence
    centre: Point
    if zone.circle is not None:
        centre, radius_m = (zone.circle.latitude, zone.circle.longitude), zone.circle.radius_m
        fence = Circle(centre, radius_m)
    else:
        area = read_geojson(zone.geojson)
        fence, (centre, radius_m) = Zone(area), area.circle()
    return _Placed(zone.id, *centre, radius_m, fence, of, zone.name)


def _facts(drafts: Sequence[Draft]) -> list[Fact]:
    return [fact for draft in drafts for fact in draft.facts]
