"""The daily rhythm, and the weekly one once there were weeks, as far as they explain what is seen.

A profile of the 24 hours of a day, and later of the 168 of a week on top, each hour learned once a visit from the mean
of that visit. It is used in the measure in which it predicts better than no season: a device without a rhythm is
judged without one. Hours are UTC's.
"""

import math
from collections.abc import Mapping, Sequence

HOUR_S = 3600.0
DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
DAY_HOURS, WEEK_HOURS = 24, 168
_MONDAY_S = 4 * DAY_S
"""The epoch began on a Thursday: seconds from it to the first Monday."""

COMPARED_AFTER = 2
"""Days or weeks after which a profile is held against the data."""
USED_AFTER = 3
"""Days or weeks after which it may be used."""
_SLOWEST = 0.15
"""Least weight of the newest visit of an hour: a rhythm of half a year ago is no rhythm."""
_GAIN, _FULL = 0.1, 0.4
"""Share of the error that the profile must take away to be used at all, and to be used in full."""


def value_at(profiles: Sequence[float], field: int, hours: int, at_s: float) -> float:
    """Return a field's profile at a time, between the middles of the hours; 0 for hours that nobody has seen.

    ``profiles`` has ``hours`` numbers a field, one field after the other.
    """
    place = _place(at_s, hours) - 0.5
    index = math.floor(place)
    share = place - index
    before, after = profiles[field * hours + index % hours], profiles[field * hours + (index + 1) % hours]
    # NaN: not seen yet.
    if before != before:
        return 0.0 if after != after else after
    return before if after != after else before + share * (after - before)


def hour_at(at_s: float, hours: int) -> int:
    """Return the index of the hour of the day or the week."""
    return int(_place(at_s, hours)) % hours


def learned(profiles: Sequence[float], means: Mapping[int, float], hours: int, seen_s: float) -> list[float]:
    """Return profiles after one visit of an hour: ``means`` by index, ``seen_s`` after the first sample."""
    rate = max(1 / (cycles(hours, seen_s) + 1), _SLOWEST)
    after = list(profiles)
    for at, mean in means.items():
        known = after[at]
        after[at] = mean if known != known else known + rate * (mean - known)
    return after


def weight(plain_error: float, season_error: float) -> float:
    """Return in which measure to use a profile, 0 to 1, by the mean errors without it and with it."""
    if plain_error <= 0:
        return 0.0
    return min(max((1 - season_error / plain_error - _GAIN) / (_FULL - _GAIN), 0.0), 1.0)


def cycles(hours: int, seen_s: float) -> float:
    """Return how many days or weeks ``seen_s`` are."""
    return seen_s / (hours * HOUR_S)


def unseen(hours: int) -> list[float]:
    """Return an empty profile."""
    return [math.nan] * hours


def _place(at_s: float, hours: int) -> float:
    offset = _MONDAY_S if hours == WEEK_HOURS else 0.0
    return ((at_s - offset) / HOUR_S) % hours
