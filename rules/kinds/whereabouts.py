"""Where one device is with respect to one fence, from fix to fix: entered, left, passed through, or no longer known.

A side counts once so many fixes in a row agree on it; fixes that are unsure neither agree nor disagree. Jitter around
the edge is therefore no event, nor is a single wild fix.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from device_models.event import rfc3339
from rules.kinds.motion import Fix
from rules.places.distance import haversine_m
from rules.places.fence import LONGEST_WAY_M, Fence, Side, Terms, side_of, sigma_of


class Happening(StrEnum):
    """What a fix shows."""

    ENTERED = "entered"
    LEFT = "left"
    PASSED = "passed"
    """It was inside between two fixes outside, or at a single one: a drive-through and no stay."""
    FOUND = "found"
    """Its side is known for the first time: nothing was seen to happen."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A side that not enough fixes have agreed on yet."""

    side: Side
    at: datetime
    """The first fix that said so."""
    fixes: int


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What is remembered. A value."""

    side: Side | None = None
    """INSIDE or OUTSIDE; None: not known."""
    since: datetime | None = None
    """The first fix on this side, as far as it is known."""
    candidate: Candidate | None = None
    last: Fix | None = None
    """The last fix, for the way to the next; dropped when it is stale."""
    passes: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the JSON-ready form; what is empty is left out."""
        candidate = self.candidate
        data: dict[str, Any] = {
            "side": self.side and self.side.value,
            "since": self.since and rfc3339(self.since),
            "candidate": candidate and [candidate.side.value, rfc3339(candidate.at), candidate.fixes],
            "last": self.last and self.last.as_list(),
            "passes": self.passes or None,
        }
        return {name: value for name, value in data.items() if value is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` wrote."""
        candidate = data.get("candidate")
        return cls(
            side=Side(data["side"]) if "side" in data else None,
            since=datetime.fromisoformat(data["since"]) if "since" in data else None,
            candidate=Candidate(Side(candidate[0]), datetime.fromisoformat(candidate[1]), candidate[2])
            if candidate
            else None,
            last=Fix.from_list(data["last"]) if "last" in data else None,
            passes=data.get("passes", 0),
        )


@dataclass(frozen=True, slots=True)
class Guarded:
    """What a geofence rule remembers of one device."""

    of: str
    """The fence it was made of."""
    where: Whereabouts = field(default_factory=Whereabouts)
    quiet: bool = False
    """It is where the rule looks for, and nothing happened that should be told: it was found there, or is excused."""
    gone: bool = False
    """Its fixes stopped, so that it was told to have left."""
    edited: bool = False
    """The fence is another one than that of its last known side."""
    anchor: Fix | None = None
    """``moved_while``: where it stands."""
    heard_at: datetime | None = None
    """What the last fix was stamped with."""

    def under(self, of: str) -> "Guarded":
        """Return what is left of it under the fence ``of``: under another one its side is not known."""
        if self.of == of:
            return self
        return replace(self, of=of, where=replace(self.where, side=None, candidate=None), edited=True)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON-ready form; what is empty is left out."""
        data: dict[str, Any] = {"of": self.of, "where": self.where.to_json()}
        data |= {name: True for name in ("quiet", "gone", "edited") if getattr(self, name)}
        if self.anchor is not None:
            data["anchor"] = self.anchor.as_list()
        if self.heard_at is not None:
            data["heard_at"] = rfc3339(self.heard_at)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` wrote."""
        return cls(
            of=data["of"],
            where=Whereabouts.from_json(data["where"]),
            quiet=data.get("quiet", False),
            gone=data.get("gone", False),
            edited=data.get("edited", False),
            anchor=Fix.from_list(data["anchor"]) if "anchor" in data else None,
            heard_at=datetime.fromisoformat(data["heard_at"]) if "heard_at" in data else None,
        )


@dataclass(frozen=True, slots=True)
class Patrol:
    """What a rule with many zones remembers of one device: of the zones only those that it is not simply outside of."""

    of: str
    """Digest of all zones."""
    last: Fix | None = None
    heard_at: datetime | None = None
    passes: int = 0
    zones: Mapping[str, Guarded] = field(default_factory=dict)
    """By id, each with the patrol's own ``last``."""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON-ready form; what is empty is left out."""
        zones = {}
        for zone_id, guarded in self.zones.items():
            zones[zone_id] = guarded.to_json()
            zones[zone_id]["where"].pop("last", None)
        data: dict[str, Any] = {"of": self.of, "zones": zones}
        if self.last is not None:
            data["last"] = self.last.as_list()
        if self.heard_at is not None:
            data["heard_at"] = rfc3339(self.heard_at)
        if self.passes:
            data["passes"] = self.passes
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` wrote."""
        last = Fix.from_list(data["last"]) if "last" in data else None
        zones = {}
        for zone_id, guarded in data["zones"].items():
            made = Guarded.from_json(guarded)
            zones[zone_id] = replace(made, where=replace(made.where, last=last))
        heard_at = datetime.fromisoformat(data["heard_at"]) if "heard_at" in data else None
        return cls(data["of"], last, heard_at, data.get("passes", 0), zones)


def seen(
    before: Whereabouts, fix: Fix, fence: Fence, terms: Terms, confirm: int, extra_m: float = 0.0
) -> tuple[Whereabouts, Happening | None]:
    """Take in a fix.

    Args:
        before: not later than the fix.
        confirm: how many fixes in a row must agree.
        extra_m: radius with 68 % of what else is unsure, such as where the fence itself is.
    """
    sigma_m = sigma_of((fix.accuracy_m**2 + extra_m**2) ** 0.5)
    located = fence.locate(fix.point, sigma_m, terms.z * sigma_m + terms.margin_m)
    side = side_of(located, sigma_m, terms, before.side)
    now = replace(before, last=fix)
    if side is Side.UNSURE:
        return now, None
    if before.side is None:
        return replace(now, side=side, since=fix.at, candidate=None), Happening.FOUND
    if side is before.side:
        # One that only looked in, or whose way led through, was inside for less than anybody could confirm.
        looked_in = before.candidate is not None and before.candidate.side is Side.INSIDE
        if side is Side.OUTSIDE and (looked_in or _led_through(before.last, fix, fence, terms, extra_m)):
            return replace(now, candidate=None, passes=before.passes + 1), Happening.PASSED
        return replace(now, candidate=None), None
    candidate = before.candidate or Candidate(side, fix.at, 0)
    candidate = replace(candidate, fixes=candidate.fixes + 1)
    if candidate.fixes < confirm:
        return replace(now, candidate=candidate), None
    happened = Happening.ENTERED if side is Side.INSIDE else Happening.LEFT
    return replace(now, side=side, since=candidate.at, candidate=None), happened


def _led_through(last: Fix | None, fix: Fix, fence: Fence, terms: Terms, extra_m: float) -> bool:
    """Tell whether the straight way between two fixes outside surely led through."""
    if last is None or not 0 < haversine_m(last.point, fix.point) <= LONGEST_WAY_M:
        return False
    place = fence.deepest(last.point, fix.point)
    if place is None:
        return False
    sigma_m = sigma_of((max(last.accuracy_m, fix.accuracy_m) ** 2 + extra_m**2) ** 0.5)
    return fence.locate(place, sigma_m).probability >= terms.confidence
