"""One device and one shop: from the first fix within the radius to the one that surely left.

A visit counts once an approach. Between the radius and the margin beyond it nothing changes, so that jitter around the
edge is neither a second visit nor an end.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from device_models.event import rfc3339
from rules.kinds.motion import Fix, Motion
from rules.places.distance import Measured

KM_H = 3.6
"""1 m/s in km/h."""


class NotCounted(StrEnum):
    """Why a fix that could have counted did not; ``docs/offers.md`` says what to do about each."""

    NO_CONSENT = "no_consent"
    ACCURACY = "accuracy"
    SPEED = "speed"
    PASSED = "passed"
    DWELL = "dwell"
    NOT_RIDING = "not_riding"
    LEFT = "left"
    """The end of a visit that counted: what was not sent yet is dropped."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What counts as a visit at one shop."""

    radius_m: float
    dwell: timedelta
    max_speed_kmh: float
    coarsest_m: float
    """A fix of a worse accuracy decides nothing."""
    leave_margin_m: float


@dataclass(frozen=True, slots=True)
class Sighting:
    """One fix held against one shop."""

    fix: Fix
    motion: Motion
    measured: Measured
    riding: bool
    """Whether a person is with the thing that was seen; True for a person's own position."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A visit that counts, ``withheld`` None, or why there was none."""

    at: datetime
    withheld: NotCounted | None
    explanation: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Approach:
    """What is remembered of one shop while a device is near it."""

    since: datetime | None = None
    """Since when it is inside and slow; None: it is not, as far as we know."""
    completes_at: datetime | None = None
    """When ``dwell`` completes on the last fix alone, unless another one says otherwise."""
    counted: bool = False
    told: tuple[str, ...] = ()
    """Reasons already told in this approach, each once."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The last measurement, for what a timer has to explain: distances and speeds, no coordinates."""

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON-ready form."""
        return {
            "since": self.since and rfc3339(self.since),
            "completes_at": self.completes_at and rfc3339(self.completes_at),
            "counted": self.counted,
            "told": list(self.told),
            "facts": dict(self.facts),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``as_dict`` wrote."""
        since, completes_at = (data[name] and datetime.fromisoformat(data[name]) for name in ("since", "completes_at"))
        return cls(since, completes_at, data["counted"], tuple(data["told"]), data["facts"])


Step = tuple[Approach | None, list[Finding]]
"""The approach after it, None once it is over."""


def sight(before: Approach | None, seen: Sighting, terms: Terms) -> Step:
    """Take in a fix. ``before`` is None where the device was not near this shop."""
    accuracy_m = seen.fix.accuracy_m
    if before is None and not seen.measured.inside:
        return None, []
    approach = replace(before or Approach(), facts=_facts(seen, terms))
    if accuracy_m > terms.coarsest_m:
        if before is not None:
            return before, []
        return _tell(approach, NotCounted.ACCURACY, seen.fix.at, limit_m=terms.coarsest_m)
    if not seen.measured.inside:
        if seen.measured.distance_m - accuracy_m > terms.radius_m + terms.leave_margin_m:
            return None, end(approach, seen.fix.at, terms)
        return before, []
    if approach.counted:
        return approach, []
    speed_m_s = seen.motion.speed_m_s
    if speed_m_s is not None and speed_m_s * KM_H > terms.max_speed_kmh:
        # Their own speed is of this moment: they are driving. The speed since an earlier fix is of the way here: they
        # may have stopped, but only a further fix can show it.
        since = None if seen.motion.reported else seen.fix.at
        approach = replace(approach, since=since, completes_at=None)
        return _tell(approach, NotCounted.SPEED, seen.fix.at, limit_kmh=terms.max_speed_kmh)
    since = approach.since or seen.fix.at
    if seen.fix.at < since + terms.dwell:
        return replace(approach, since=since, completes_at=since + terms.dwell), []
    return _count(approach, since, seen.fix.at, seen.riding, terms)


def complete(approach: Approach, riding: bool, terms: Terms) -> Step:
    """Let ``completes_at`` act: nothing that came since says that they moved on."""
    if approach.completes_at is None or approach.since is None:
        return replace(approach, completes_at=None), []
    return _count(approach, approach.since, approach.completes_at, riding, terms)


def end(approach: Approach, at: datetime, terms: Terms, because: str = "moved_on") -> list[Finding]:
    """Say how an approach ended: a visit that counted is over, or they did not stay for long enough."""
    facts = {**approach.facts, "because": because}
    if approach.counted:
        return [Finding(at, NotCounted.LEFT, facts)]
    if approach.told:
        return []
    stayed = at - approach.since if approach.since else timedelta(0)
    facts |= {"stayed_at_most_s": stayed.total_seconds(), "dwell_s": terms.dwell.total_seconds()}
    return [Finding(at, NotCounted.DWELL, facts)]


def _count(approach: Approach, since: datetime, at: datetime, riding: bool, terms: Terms) -> Step:
    approach = replace(approach, since=since, completes_at=None)
    if not riding:
        return _tell(approach, NotCounted.NOT_RIDING, at)
    facts = {**approach.facts, "since": rfc3339(since), "dwell_s": terms.dwell.total_seconds()}
    return replace(approach, counted=True), [Finding(at, None, facts)]


def _tell(approach: Approach, reason: NotCounted, at: datetime, **limits: float) -> Step:
    if reason in approach.told:
        return approach, []
    told = replace(approach, told=(*approach.told, reason.value))
    return told, [Finding(at, reason, {**approach.facts, **limits})]


def _facts(seen: Sighting, terms: Terms) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "distance_m": round(seen.measured.distance_m, 1),
        "method": seen.measured.method,
        "radius_m": terms.radius_m,
    }
    if seen.fix.accuracy_m:
        facts["accuracy_m"] = seen.fix.accuracy_m
    if seen.motion.speed_m_s is not None:
        facts["speed_kmh"] = round(seen.motion.speed_m_s * KM_H, 1)
        facts["speed_from"] = "device" if seen.motion.reported else "fixes"
    return facts
