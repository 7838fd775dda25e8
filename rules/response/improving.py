"""Getting better after a step: the value that fired moves towards its limit, for long enough and far enough to say so.

Nothing is said on old data, on a single good sample, or on a wobble: a customer who is told "it is cooling again" and
finds it warm an hour later believes nothing any more.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

HOLD = timedelta(minutes=10)
"""How long it has to get better before that is said."""
_LEAST_SHARE = 0.15
"""Of the way to the limit that has to be made good."""
_WOBBLE_SHARE = 0.05
"""Of that way by which a value may turn back and still be getting better."""


@dataclass(frozen=True, slots=True)
class Watch:
    """One value since a step was tried."""

    direction: Literal["above", "below"]
    """On which side of ``limit`` the fault fires."""
    limit: float
    worst: float
    """Where the way back begins: the worst value since the step."""
    worst_at: datetime
    last: float
    last_at: datetime
    """When the device measured it, by its own clock."""


def begin(direction: Literal["above", "below"], limit: float, value: float, at: datetime) -> Watch:
    """Begin watching at the value that holds when the step is tried."""
    return Watch(direction, limit, value, at, value, at)


def advance(watch: Watch, value: float, observed_at: datetime) -> Watch:
    """Take in one sample; one that is no newer than the last changes nothing."""
    if observed_at <= watch.last_at:
        return watch
    moved = replace(watch, last=value, last_at=observed_at)
    turned_back = _way(watch, watch.last, value) < -_WOBBLE_SHARE * _whole(watch)
    if _way(watch, watch.worst, value) <= 0 or turned_back:
        return replace(moved, worst=value, worst_at=observed_at)
    return moved


def is_improving(watch: Watch, now: datetime, fresh_within: timedelta, hold: timedelta = HOLD) -> bool:
    """Tell whether the value has been getting better for ``hold`` and far enough, on data no older than asked."""
    long_enough = watch.last_at - watch.worst_at >= hold
    far_enough = _way(watch, watch.worst, watch.last) >= _LEAST_SHARE * _whole(watch)
    return long_enough and far_enough and now - watch.last_at <= fresh_within


def _way(watch: Watch, before: float, after: float) -> float:
    """By how much ``after`` is better than ``before``; negative where it is worse."""
    return before - after if watch.direction == "above" else after - before


def _whole(watch: Watch) -> float:
    """The way from the worst value to the limit; never nothing, since a value at its limit may swing by itself."""
    return max(abs(watch.worst - watch.limit), abs(watch.limit) * 0.02, 1e-6)
