"""The trend of a short series, with an interval that outliers, ties and slow noise do not make too narrow.

Theil-Sen: the median of the slopes between all pairs of points; up to 29 % of the points may be wrong (Sen, J. Am.
Stat. Assoc. 63, 1968). Its interval comes from Kendall's S, whose variance is raised where neighbouring points err
alike: what drifts up and down by itself shows trends all the time (Hamed and Rao, J. Hydrol. 204, 1998).
"""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import combinations, pairwise
from statistics import NormalDist, fmean, median
from typing import NamedTuple

FEWEST_POINTS = 6
"""With fewer no interval is worth its name: five points in perfect order are 95 % sure of nothing but the sign."""

_MAD_TO_SD = 1.4826
"""Median absolute deviation to standard deviation, for normal noise."""
_MEDIAN_TO_MEAN_ERROR = math.sqrt(math.pi / 2)
"""How much larger the standard error of a median is than that of a mean, for normal noise."""


class Trend(NamedTuple):
    """A line through a series, in the series' own units."""

    pivot: float
    """The time around which it turns within its interval: the middle of the series."""
    level: float
    """Its value there."""
    level_error: float
    """Half of the interval of ``level``."""
    slope: float
    slope_low: float
    """The interval of ``slope``; infinite where so few points bound nothing."""
    slope_high: float

    def reaches(self, limit: float) -> float | None:
        """Return when the line, rising, reaches ``limit``; None: never."""
        return _crossing(self.pivot, self.level, self.slope, limit)

    def earliest(self, limit: float) -> float | None:
        """Return the first time at which the interval allows that it reaches ``limit``; None: never."""
        return _crossing(self.pivot, self.level + self.level_error, self.slope_high, limit)

    def latest(self, limit: float) -> float | None:
        """Return the time by which the whole interval has reached ``limit``; None: not all of it ever does."""
        return _crossing(self.pivot, self.level - self.level_error, self.slope_low, limit)


def theil_sen(points: Sequence[tuple[float, float]], confidence: float) -> Trend | None:
    """Fit a line to (time, value) points in the order of time.

    Args:
        points: at most some dozens, since the cost grows with their square; times differ.
        confidence: of the two-sided intervals, within 0..1.
    Returns None for fewer than ``FEWEST_POINTS``.
    """
    count = len(points)
    if count < FEWEST_POINTS:
        return None
    slopes = sorted((w - v) / (u - t) for (t, v), (u, w) in combinations(points, 2))
    slope = median(slopes)
    pivot = median(t for t, _ in points)
    levels = [v - slope * (t - pivot) for t, v in points]
    level = median(levels)
    errors = [one - level for one in levels]
    independent = count * _independent_share(errors)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    spread = z * math.sqrt(_variance_of_s([v for _, v in points]) * count / independent)
    low, high = math.floor((len(slopes) - spread) / 2) - 1, math.ceil((len(slopes) + spread) / 2)
    deviation = _MAD_TO_SD * median(map(abs, errors))
    return Trend(
        pivot,
        level,
        z * _MEDIAN_TO_MEAN_ERROR * deviation / math.sqrt(independent),
        slope,
        slopes[low] if low >= 0 else -math.inf,
        slopes[high] if high < len(slopes) else math.inf,
    )


def _variance_of_s(values: Sequence[float]) -> float:
    """Variance of Kendall's S without a trend; tied values say less (Kendall, Rank Correlation Methods, 1975)."""
    count = len(values)
    ties = sum(n * (n - 1) * (2 * n + 5) for n in Counter(values).values() if n > 1)
    return (count * (count - 1) * (2 * count + 5) - ties) / 18


def _independent_share(errors: Sequence[float]) -> float:
    """Return the share of points that are worth as much as independent ones, by the errors' autocorrelation.

    Of ranks, so that outliers do not hide it; corrected for what fitting a line takes away from it.
    """
    count = len(errors)
    order = sorted(range(count), key=lambda i: (errors[i], i))
    ranks = [0.0] * count
    for rank, i in enumerate(order):
        ranks[i] = rank - (count - 1) / 2
    power = math.fsum(rank * rank for rank in ranks)
    if max(errors) - min(errors) <= 1e-12 * (1 + fmean(map(abs, errors))):
        return 1.0
    measured = math.fsum(a * b for a, b in pairwise(ranks)) / power
    rho = min(max((count * measured + 2) / (count - 4), 0.0), 0.95)
    return (1 - rho) / (1 + rho)


def _crossing(pivot: float, level: float, slope: float, limit: float) -> float | None:
    if slope <= 0:
        return None
    return pivot if math.isinf(slope) else pivot + (limit - level) / slope
