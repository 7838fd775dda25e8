"""What devices that fail alike have in common, and what changed before: a firmware roll-out, an edited rule."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from device_models.event import rfc3339
from device_models.registry import Device
from rules.kinds.fleet import FleetRule
from rules.response.alike import LIKENESSES, Census, value_of

CHANGES = ("firmware", "model", "site", "hub", "profile")
"""What is kept of a device's past."""
SHARED = 0.8
"""What so many of the failing devices have in common is told …"""
UNUSUAL = 0.75
"""… where it is that much rarer among all that are alike."""
_MOST_TOLD = 5


@dataclass(frozen=True, slots=True)
class DeviceChange:
    """Something about a device changed, by import or by its own word."""

    device_id: str
    field: str
    before: str | None
    """None: it became known."""
    after: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A rule was put live or edited."""

    rule: str
    change: str
    """``added`` | ``changed``"""
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of the time before an incident."""

    devices: Sequence[DeviceChange] = ()
    """Of the devices that fail."""
    elsewhere: Mapping[tuple[str, str | None, str | None], int] = field(default_factory=dict)
    """How many devices, failing or not, changed so: by (field, before, after)."""
    rules: Sequence[RuleChange] = ()


def what_changed(past: Past, rule: FleetRule, failing: Collection[str], began: datetime) -> list[dict[str, Any]]:
    """List what changed in the time before ``began``, what concerns most of the ``failing`` devices first; JSON-ready.

    Of devices: ``field``, ``before``, ``after``, ``failing`` (how many of them changed so), ``devices`` (how many of
    all did), ``first_at``, ``last_at``. Of rules: ``rule``, ``change``, ``by``, ``first_at``.
    """
    since = began - rule.changed_within
    found: defaultdict[tuple[str, str | None, str | None], dict[str, datetime]] = defaultdict(dict)
    for change in past.devices:
        # What only became known is no change.
        if change.device_id in failing and change.before is not None and since <= change.at <= began:
            found[change.field, change.before, change.after][change.device_id] = change.at
    told: list[dict[str, Any]] = [
        {
            "rule": change.rule,
            "change": change.change,
            "by": change.by,
            "first_at": rfc3339(change.at),
        }
        for change in past.rules
        if change.rule in rule.of and since <= change.at <= began
    ]
    ranked = sorted(found.items(), key=lambda item: (-len(item[1]), item[0][0], str(item[0][1:])))
    for (name, before, after), times in ranked[:_MOST_TOLD]:
        told.append(
            {
                "field": name,
                "before": before,
                "after": after,
                "failing": len(times),
                "devices": max(len(times), past.elsewhere.get((name, before, after), 0)),
                "first_at": rfc3339(min(times.values())),
                "last_at": rfc3339(max(times.values())),
            }
        )
    return told


def in_common(
    rule: FleetRule, values: tuple[str, ...], failing: Sequence[Device], census: Census, watched: Callable[[str], bool]
) -> list[dict[str, Any]]:
    """List what most of the failing devices share and other alike devices do not; JSON-ready.

    ``field``, ``value``, ``failing`` (how many of them have it), ``devices`` (how many of all that are alike do).
    """
    alike = census.count(rule.alike, values, watched)
    found: list[dict[str, Any]] = []
    for likeness in LIKENESSES:
        if likeness in rule.alike or not failing:
            continue
        counts = Counter(value for device in failing if (value := value_of(device, likeness)) is not None)
        if not counts:
            continue
        value, count = max(counts.items(), key=lambda item: (item[1], item[0]))
        have = census.count((*rule.alike, likeness), (*values, value), watched)
        if count / len(failing) >= SHARED and alike and have / alike <= UNUSUAL * count / len(failing):
            found.append({"field": likeness, "value": value, "failing": count, "devices": have})
    return found


def changes_between(before: Device, after: Device, at: datetime) -> list[DeviceChange]:
    """Return what changed about a device from one record of it to the next."""
    return [
        DeviceChange(after.id, name, old, new, at)
        for name in CHANGES
        if (old := getattr(before, name)) != (new := getattr(after, name))
    ]
