"""Where the tail of a feature stands, and what its limit depends on."""

from functools import cache

from rules.anomaly.features import features_of
from rules.anomaly.learned import Learned
from rules.anomaly.tail import Expected

_SETTLING_A_FIELD = 12
"""Further samples for each of several fields: a covariance of fewer says nothing, and its distances are wild."""
SETTLING = 20
"""Samples, and moves, before anything is scaled: a value that never moves has no scale."""
_FINENESS = 0.25
"""Share of the smallest step a value ever made below which its scale does not fall: it is rounded, not steady."""
_ONE_REPEAT = 1.0
"""A value that never repeats is as rare a repeat away from being stuck as one that repeats now and then."""


def settling(fields: int) -> int:
    """Return how many samples come before the first that is scored."""
    return SETTLING + (fields * _SETTLING_A_FIELD if fields > 1 else 0)


@cache
def tail_place(fields: int, at: int) -> tuple[int, int]:
    """Return the index of the feature that a tail is of, and the number of its sides."""
    for index, feature in enumerate(features_of(fields)):
        if at < feature.sides:
            return index, feature.sides
        at -= feature.sides
    raise IndexError(f"there is no tail {at}")


@cache
def first_tail(fields: int, index: int) -> int:
    """Return the index of a feature's first tail; that of its other side follows."""
    return sum(feature.sides for feature in features_of(fields)[:index])


def expected_of(learned: Learned, index: int, target: float) -> Expected:
    """Return what the limits of a feature depend on."""
    return Expected(learned.samples - settling(learned.fields), target, features_of(learned.fields)[index].averaged)


def scale_of(learned: Learned, index: int) -> float:
    """Return a feature's scale, never finer than the value is rounded."""
    scale = learned.scales[index]
    about = features_of(learned.fields)[index].about
    if about == "stuck":
        return max(scale, _ONE_REPEAT)
    return max(scale, _FINENESS * learned.resolution[0]) if about in ("level", "jump") else scale
