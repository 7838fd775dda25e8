"""How sure a share is, and the difference of two: intervals that stay honest with few."""

from math import sqrt

_Z = 1.959964
"""Of the normal distribution, for 95 %."""


def wilson(part: int, whole: int) -> tuple[float, float]:
    """Return the 95 % interval of a share; (0, 1) of nothing. Source: E. B. Wilson, JASA 22 (1927)."""
    if not whole:
        return 0.0, 1.0
    share, z2 = part / whole, _Z * _Z
    centre = (share + z2 / (2 * whole)) / (1 + z2 / whole)
    half = _Z * sqrt(share * (1 - share) / whole + z2 / (4 * whole * whole)) / (1 + z2 / whole)
    return max(0.0, centre - half), min(1.0, centre + half)


def difference(part: int, whole: int, part_2: int, whole_2: int) -> tuple[float, float]:
    """Return the 95 % interval of the first share less the second.

    Source: R. G. Newcombe, Statistics in Medicine 17 (1998), method 10: it joins the two Wilson intervals.
    """
    first, second = part / whole if whole else 0.5, part_2 / whole_2 if whole_2 else 0.5
    low, high = wilson(part, whole)
    low_2, high_2 = wilson(part_2, whole_2)
    below = sqrt((first - low) ** 2 + (high_2 - second) ** 2)
    above = sqrt((high - first) ** 2 + (second - low_2) ** 2)
    return max(-1.0, first - second - below), min(1.0, first - second + above)
