"""A consenting customer nears a shop, slowly enough and for long enough to be a visitor.

From life: a customer strolls down the street with position sharing on; in the radius of the shop that has the filter
for their heat pump they slow down, and a minute later that is a visit. The tram past the same shop is not.
"""

from collections.abc import Mapping, Set
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from device_models.duration import Duration
from device_models.event import Event, Position, Tick, Value
from device_models.profile import GENERIC, DeviceProfile, PositionOf
from device_models.purpose import Purpose, Severity
from device_models.registry import Shop
from device_models.sentences import sentence
from rules.base import BaseRule
from rules.kinds.approach import (
    KM_H,
    Approach,
    Finding,
    NotCounted,
    Sighting,
    Terms,
    complete,
    end,
    sight,
)
from rules.kinds.motion import Fix, motion_at, next_anchor
from rules.kinds.proximity_state import ProximityState
from rules.places.distance import Measured, closest_approach_m, haversine_m, measure
from rules.spatial_index import ShopIndex
from rules.transition import Visit

COARSEST_M = 500.0
"""No fix of a worse accuracy decides anything, however large the radius, unless the rule says so."""
_SHORTEST_WAY_M = 30.0
_LONGEST_WAY_M = 10_000.0
"""Between fixes further apart nobody knows the way."""
_MOST_APPROACHES = 32
"""Bounds the state where radii overlap; nearer shops come first."""
_REFUSED_AGAIN = timedelta(hours=24)
_PERSONAL = frozenset({"owntracks"})
"""Ecosystems that run on a person's phone: the position is the person's unless the profile says otherwise."""


class Cap(BaseModel):
    """At most so many offers to one customer within a time that slides."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_most: int = Field(ge=0)
    within: Duration

    @field_validator("within")
    @classmethod
    def _longer_than_nothing(cls, within: timedelta) -> timedelta:
        if within <= timedelta(0):
            raise ValueError(sentence("must be longer than 0; write it like 1d"))
        return within


def _sorted_words(value: Any) -> Any:
    """One name may stand without brackets; sorted, so that a rule set's digest does not hang on the order."""
    words = value.split() if isinstance(value, str) else value
    return (
        tuple(sorted(set(words)))
        if isinstance(words, (list, tuple)) and all(isinstance(w, str) for w in words)
        else words
    )


Names = Annotated[tuple[str, ...], BeforeValidator(_sorted_words)]


class ProximityRule(BaseRule):
    """See ``docs/offers.md``."""

    kind: Literal["proximity"] = "proximity"
    purpose: Purpose = Purpose.OFFER
    severity: Severity = Severity.INFO
    shops: Names = ()
    """Ids of the shops it is about; empty: all."""
    services: Names = ()
    """Only shops that offer one of these services; empty: all."""
    radius_m: float | None = Field(default=None, gt=0, le=50_000)
    """Instead of each shop's own."""
    dwell: Duration = timedelta(seconds=60)
    """How long they must be inside and slow, by the device's clock. On foot, crossing a radius of 150 m takes 3.5
    minutes: walking towards a shop counts, and touching its edge does not."""
    max_speed_kmh: float = Field(default=7.0, gt=0)
    """Faster is not visiting: 5 km/h is a walk, 7 a brisk one."""
    max_accuracy_m: float | None = Field(default=None, gt=0)
    """A fix less accurate than this decides nothing; None: 500 m. Never more than the radius in any case."""
    leave_margin_m: float | None = Field(default=None, ge=0)
    """How far beyond the radius, its accuracy apart, a fix must be to have left; None: a fifth, at least 25 m."""
    stale_after: Duration = timedelta(hours=1)
    """Without a fix for so long they are taken to have left, and their last position is forgotten."""
    ridden_within: Duration = timedelta(minutes=15)
    """A thing counts only if it moved so recently, and is not locked."""
    lock_field: str = "locked"
    """The thing's field that says so."""
    cooldown: Duration = timedelta(days=7)
    """At most one offer from one shop to one customer in this time."""
    caps: tuple[Cap, ...] = (Cap(at_most=1, within=timedelta(days=1)), Cap(at_most=3, within=timedelta(days=30)))
    """At most so many offers to one customer from all shops together."""
    require_occasion: bool = True
    """Offers without an occasion go only to customers who agreed to ``news`` as well."""
    expires_after: Duration = timedelta(minutes=30)
    """An offer that could not be handed over by then is dropped."""

    @field_validator("purpose")
    @classmethod
    def _is_opt_in(cls, purpose: Purpose) -> Purpose:
        if not purpose.needs_opt_in:
            raise ValueError(sentence("must be offer or news: meeting a person near a shop needs their consent"))
        return purpose

    @model_validator(mode="after")
    def _dwells_while_fixes_are_fresh(self) -> Self:
        if self.dwell >= self.stale_after:
            raise ValueError(sentence("dwell must be shorter than stale_after, or no visit ever completes"))
        return self

    def wants(self, shop: Shop) -> bool:
        """Tell whether it is about ``shop``."""
        return (not self.shops or shop.id in self.shops) and (
            not self.services or not shop.services.isdisjoint(self.services)
        )

    def radius_of(self, shop: Shop) -> float:
        """The radius that counts at ``shop``, in metres."""
        return shop.radius_m if self.radius_m is None else self.radius_m

    def terms(self, radius_m: float) -> Terms:
        """What counts as a visit where the radius is ``radius_m``."""
        return Terms(
            radius_m=radius_m,
            dwell=self.dwell,
            max_speed_kmh=self.max_speed_kmh,
            coarsest_m=min(radius_m, self.max_accuracy_m or COARSEST_M),
            leave_margin_m=max(25.0, radius_m / 5) if self.leave_margin_m is None else self.leave_margin_m,
        )


def advance(
    rule: ProximityRule,
    state: ProximityState,
    event: Event,
    shops: ShopIndex,
    profile: DeviceProfile,
    twin_values: Mapping[str, Value],
    consent: bool,
) -> tuple[ProximityState, list[Visit]]:
    """Take in one event of a device.

    Args:
        state: what the rule remembers of the device, ``ProximityState()`` at first. Its timers that are due by then
            act before the event.
        event: one without a position matters only for whether a thing is locked; a retained one not at all, since a
            position from the broker's memory may be days old.
        shops: all of them; the rule chooses its own.
        twin_values: latest values in the profile's names, this event's included.
        consent: whether the owner agreed to be met near shops. Without it nothing of the fix is kept or looked at.
    Returns the new state, and the visits: counted ones with ``withheld`` None, once an approach, others with a
    ``NotCounted`` reason, each once an approach. ``no_consent`` names no shop, since none was looked for.
    """
    if event.retained:
        return state, []
    if not consent:
        return _refused(rule, state, event)
    thing = position_of(profile, event.ecosystem) is PositionOf.THING
    locked = thing and _is_locked(twin_values.get(rule.lock_field))
    if event.position is None:
        return (state if state.locked == locked else replace(state, locked=locked)), []
    if state.heard_at is not None and event.observed_at <= state.heard_at:
        return state, []
    state, visits = _release(rule, state, event.device_id, event.observed_at)
    state, more = _met(rule, replace(state, thing=thing, locked=locked, refused_at=None), event, event.position, shops)
    return state, visits + more


def tick(rule: ProximityRule, state: ProximityState, due: Tick, consent: bool) -> tuple[ProximityState, list[Visit]]:
    """Let timers act that are due: a dwell that completes on the last fix, fixes that stopped."""
    if not consent:
        return ProximityState(refused_at=state.refused_at), []
    return _release(rule, state, due.device_id, due.due_at)


def _refused(rule: ProximityRule, state: ProximityState, event: Event) -> tuple[ProximityState, list[Visit]]:
    told_at = state.refused_at
    if event.position is None or (told_at is not None and event.observed_at - told_at < _REFUSED_AGAIN):
        forgotten = ProximityState(refused_at=told_at)
        return (state if state == forgotten else forgotten), []
    refused = ProximityState(refused_at=event.observed_at)
    return refused, [Visit(rule.id, event.device_id, "", event.observed_at, NotCounted.NO_CONSENT.value)]


def _release(
    rule: ProximityRule, state: ProximityState, device_id: str, at: datetime
) -> tuple[ProximityState, list[Visit]]:
    """Let the timers up to ``at`` act, each at its own time."""
    approaches = dict(state.approaches)
    visits: list[Visit] = []
    for shop_id, approach in state.approaches.items():
        due_at = approach.completes_at
        if due_at is not None and due_at <= at:
            terms = rule.terms(approach.facts["radius_m"])
            after, findings = complete(approach, _is_riding(rule, state, due_at), terms)
            approaches[shop_id] = after or approach
            visits += _visits(rule, device_id, shop_id, findings)
    if state.stale_at is not None and state.stale_at <= at:
        for shop_id, approach in approaches.items():
            findings = end(approach, state.stale_at, rule.terms(approach.facts["radius_m"]), because="fixes_stopped")
            visits += _visits(rule, device_id, shop_id, findings)
        state = ProximityState()
    elif approaches != state.approaches:
        state = replace(state, approaches=approaches)
    return state, sorted(visits, key=lambda visit: (visit.at, visit.shop_id))


def _met(
    rule: ProximityRule, state: ProximityState, event: Event, position: Position, shops: ShopIndex
) -> tuple[ProximityState, list[Visit]]:
    """Hold a fix against the shops around it and those approached before."""
    at = event.observed_at
    fix = Fix(position.latitude, position.longitude, at, position.accuracy_m or 0.0)
    motion = motion_at(fix, position.speed_m_s, state.anchor, state.speed_m_s)
    moved_at = at if motion.moving else state.moved_at
    state = replace(state, moved_at=moved_at, heard_at=at, stale_at=at + rule.stale_after)
    riding = _is_riding(rule, state, at)

    near = {shop.id: shop for shop in shops.candidates(*fix.point, radius_m=rule.radius_m) if rule.wants(shop)}
    # A shop that was closed down or is no longer wanted is simply forgotten.
    near |= {i: shop for i in state.approaches if (shop := shops.get(i)) is not None and rule.wants(shop)}
    measured = {i: _measure(rule, shop, fix) for i, shop in near.items()}
    approaches: dict[str, Approach] = {}
    visits: list[Visit] = []
    # Those known first, then the nearest, so that the bound on their number keeps the right ones.
    for shop_id in sorted(near, key=lambda i: (i not in state.approaches, measured[i].distance_m, i)):
        before = state.approaches.get(shop_id)
        if before is None and len(approaches) >= _MOST_APPROACHES:
            break
        seen = Sighting(fix, motion, measured[shop_id], riding)
        after, findings = sight(before, seen, rule.terms(rule.radius_of(near[shop_id])))
        visits += _visits(rule, event.device_id, shop_id, findings)
        if after is not None:
            approaches[shop_id] = after
    if fix.accuracy_m <= (rule.max_accuracy_m or COARSEST_M):
        visits += _passed(rule, state, event.device_id, fix, shops, known=approaches.keys() | state.approaches.keys())
        anchor = next_anchor(fix, state.anchor)
        state = replace(state, last=fix, anchor=anchor, speed_m_s=motion.between_m_s)
    return replace(state, approaches=approaches), sorted(visits, key=lambda visit: visit.shop_id)


def _passed(
    rule: ProximityRule, state: ProximityState, device_id: str, fix: Fix, shops: ShopIndex, known: Set[str]
) -> list[Visit]:
    """Name the shop whose radius was crossed between two fixes, the closest of several: nobody stopped there."""
    if state.last is None:
        return []
    length_m = haversine_m(state.last.point, fix.point)
    if not _SHORTEST_WAY_M <= length_m <= _LONGEST_WAY_M:
        return []
    accuracy_m = max(state.last.accuracy_m, fix.accuracy_m)
    crossed = []
    for shop in shops.along(state.last.point, fix.point, radius_m=rule.radius_m):
        closest_m, radius_m = closest_approach_m(shop, state.last.point, fix.point), rule.radius_of(shop)
        if shop.id not in known and rule.wants(shop) and max(closest_m, accuracy_m) <= radius_m:
            crossed.append((closest_m, shop.id, radius_m))
    if not crossed:
        return []
    closest_m, shop_id, radius_m = min(crossed)
    speed_kmh = length_m / (fix.at - state.last.at).total_seconds() * KM_H
    facts = {
        "distance_m": round(closest_m, 1),
        "method": "haversine",
        "radius_m": radius_m,
        "speed_kmh": round(speed_kmh, 1),
        "speed_from": "fixes",
        "shops_passed": len(crossed),
    }
    reason = NotCounted.SPEED if speed_kmh > rule.max_speed_kmh else NotCounted.PASSED
    return _visits(rule, device_id, shop_id, [Finding(fix.at, reason, facts)])


def _measure(rule: ProximityRule, shop: Shop, fix: Fix) -> Measured:
    return measure(shop, fix.point, accuracy_m=fix.accuracy_m, radius_m=rule.radius_m)


def _visits(rule: ProximityRule, device_id: str, shop_id: str, findings: list[Finding]) -> list[Visit]:
    return [
        Visit(rule.id, device_id, shop_id, found.at, found.withheld and found.withheld.value, found.explanation)
        for found in findings
    ]


def _is_riding(rule: ProximityRule, state: ProximityState, at: datetime) -> bool:
    if not state.thing:
        return True
    return not state.locked and state.moved_at is not None and at - state.moved_at <= rule.ridden_within


def _is_locked(value: Value | None) -> bool:
    return value.lower() in ("true", "locked", "lock", "on", "1") if isinstance(value, str) else bool(value)


def position_of(profile: DeviceProfile, ecosystem: str) -> PositionOf:
    """Whose position it is: as the profile says, and where it says nothing, a phone's is its bearer's."""
    undescribed = profile.name == GENERIC.name or "position_of" not in profile.model_fields_set
    if undescribed and ecosystem in _PERSONAL:
        return PositionOf.PERSON
    return profile.position_of
