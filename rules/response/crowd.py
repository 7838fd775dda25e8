"""Devices that are alike and begin to fail: how many within a window, and how many usually do. A value, and bounded."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from device_models.event import rfc3339
from rules.kinds.fleet import FleetRule
from rules.statistics.excess import chance_of

BUCKETS = 32
"""Parts of the window: what is counted may be up to a 32nd of it older than the window is long."""
REMEMBERED = timedelta(days=28)
"""What is usual is learned over about so long; what was longer ago fades (by 1/e each time)."""
USUALLY = 0.1
"""Before anything was learned, this part of the rule's ``share`` is believed to be usual in a window."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a count is an incident, and how that was found."""

    count: int
    """Devices that began to fail within the window."""
    devices: int
    """Devices that are alike."""
    needed: int
    """By the rule's ``share`` and ``at_least``."""
    expected: float
    """How many usually do."""
    chance: float
    """Of so many or more, were it as usual."""
    significant: bool

    @property
    def opens(self) -> bool:
        """Whether it is an incident."""
        return self.count >= self.needed and self.significant

    def as_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {
            "count": self.count,
            "population": self.devices,
            "share": round(self.count / self.devices, 4) if self.devices else None,
            "needed": self.needed,
            "expected": float(f"{self.expected:.3g}"),
            "chance": float(f"{self.chance:.3g}"),
        }


@dataclass(frozen=True, slots=True)
class Crowd:
    """The alike devices of one fleet rule."""

    key: str
    """Dedupe key of its incident."""
    rule: str
    alike: Mapping[str, str]
    """What they have in common."""
    meaning: str
    """Of the rule that it counts for: another one begins anew."""
    began_at: datetime
    """When counting began."""
    learned_at: datetime
    """How far what is usual was learned."""
    buckets: Mapping[int, int] = field(default_factory=dict)
    """Devices that began to fail, by the part of time: see ``BUCKETS``."""
    past_count: float = 0.0
    """Devices that began to fail before the window, faded."""
    past_windows: float = 0.0
    """Devices times windows that were watched, faded likewise."""
    failing: int = 0
    """Devices of the open incident that fail still."""
    devices: int = 0
    """How many are alike, as they were counted last."""

    @classmethod
    def empty(cls, key: str, rule: FleetRule, alike: Mapping[str, str], since: datetime) -> Self:
        """Begin to count; ``since`` is when the rule began to watch: that nothing was counted until now counts too."""
        return cls(key, rule.id, alike, meaning_of(rule), since, since)

    def learned(self, rule: FleetRule, at: datetime, devices: int, *, in_incident: bool) -> Self:
        """Move on to ``at``: what is older than the window becomes what is usual. An incident is not what is usual."""
        newest = _bucket(rule, at)
        gone = {number: count for number, count in self.buckets.items() if number < newest - BUCKETS}
        kept = {number: count for number, count in self.buckets.items() if number not in gone}
        passed = max(timedelta(0), at - self.learned_at)
        fade = math.exp(-passed / REMEMBERED)
        seen = 0.0 if in_incident else devices * (REMEMBERED / rule.within) * (1 - fade)
        counted = 0 if in_incident else sum(gone.values())
        return replace(
            self,
            learned_at=max(self.learned_at, at),
            devices=devices,
            buckets=kept,
            past_count=self.past_count * fade + counted,
            past_windows=self.past_windows * fade + seen,
        )

    def counting(self, rule: FleetRule, at: datetime, before: datetime | None) -> Self:
        """Count a device that began to fail ``at``; ``before`` is when it did last, so that it is counted once."""
        buckets = dict(self.buckets)
        if before is not None and before >= self.began_at and (old := _bucket(rule, before)) in buckets:
            buckets[old] -= 1
            if not buckets[old]:
                del buckets[old]
        new = _bucket(rule, at)
        buckets[new] = buckets.get(new, 0) + 1
        return replace(self, buckets=buckets)

    def judge(self, rule: FleetRule, devices: int, more: int = 0) -> Verdict:
        """Say whether so many are an incident; ``more``: were it that many more."""
        count = sum(self.buckets.values()) + more
        needed = max(rule.at_least, math.ceil(round(rule.share * devices, 9)))
        # The window itself is no past of its own. One failure in this many windows is what is believed beforehand.
        past_windows = max(0.0, self.past_windows - devices) + 1 / (USUALLY * rule.share)
        past_count = self.past_count + 1.0
        exposure = devices * (1 + 1 / BUCKETS)
        chance = chance_of(count, exposure, past_count, past_windows) if devices else 1.0
        expected = exposure * past_count / past_windows
        return Verdict(count, devices, needed, expected, chance, chance <= rule.significance)

    def to_json(self) -> dict[str, Any]:
        """Return what is not in columns of its own, JSON-ready."""
        return {
            "meaning": self.meaning,
            "began_at": rfc3339(self.began_at),
            "learned_at": rfc3339(self.learned_at),
            "buckets": [[number, count] for number, count in self.buckets.items()],
            "past_count": self.past_count,
            "past_windows": self.past_windows,
            "failing": self.failing,
            "devices": self.devices,
        }

    @classmethod
    def from_json(cls, key: str, rule: str, alike: Mapping[str, str], data: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` wrote."""
        return cls(
            key=key,
            rule=rule,
            alike=alike,
            meaning=data["meaning"],
            began_at=datetime.fromisoformat(data["began_at"]),
            learned_at=datetime.fromisoformat(data["learned_at"]),
            buckets=dict(data["buckets"]),
            past_count=data["past_count"],
            past_windows=data["past_windows"],
            failing=data["failing"],
            devices=data["devices"],
        )


def crowd_key(rule: str, alike: Mapping[str, str]) -> str:
    """Return the key of a crowd, which is the dedupe key of its incident."""
    return "|".join([f"fleet:{rule}", *(f"{name}={value}" for name, value in alike.items())])


def meaning_of(rule: FleetRule) -> str:
    """Tell what a rule counts; what was counted for another meaning says nothing."""
    return f"{' '.join(sorted(rule.of))}|{' '.join(rule.alike)}|{rule.within.total_seconds():g}"


def is_recent(rule: FleetRule, crowd: Crowd, at: datetime) -> bool:
    """Tell whether a device that began to fail ``at`` is within the window that ends with the newest."""
    return _bucket(rule, at) >= _bucket(rule, crowd.learned_at) - BUCKETS


def _bucket(rule: FleetRule, at: datetime) -> int:
    return math.floor((at - _EPOCH) / (rule.within / BUCKETS))
