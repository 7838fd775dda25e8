"""How far a feature strays when nothing is wrong, and how far it therefore has to stray to be an anomaly.

Peaks over threshold (Pickands 1975; online as in Siffer et al., "Anomaly detection in streams with extreme value
theory", KDD 2017): the distances by which past excursions passed a high quantile follow a generalised Pareto
distribution whatever the feature's own distribution is, so the distance that is passed once in so many samples can be
worked out from them. One excursion counts once however long it lasts, so a slow feature is not taken for many.
"""

import math
from typing import NamedTuple

WIDTH = 6
"""Numbers of one tail, in this order."""
_QUANTILE, _COUNT, _MEAN, _SPREAD, _PEAK, _BACK = range(WIDTH)

BEYOND = 0.05
"""Share of the samples that lie beyond the quantile from which an excursion is counted."""
STEP = 1 / 200
"""By how much of the scale one sample moves the quantile, which is kept as a multiple of the scale."""
FLOOR = 0.2
"""The quantile is never nearer than this share of the feature's scale."""
RECENT = 60
"""Excursions that the mean looks back on; older ones fade."""
APART = 5
"""Samples inside the quantile after which an excursion is over."""
WINSOR = 3.0
"""An excursion teaches no more than this many times the limit: a fault must not make itself normal, yet what happens
over and over is."""

_YOUNG, _GROWN = 1.0, 600.0
"""How much further the limit lies at first, as a share, and after how many samples half as much: the first weekend and
the first burst are unlike what was seen before, and nothing is wrong."""

_PRIOR_QUANTILE = 2.0
# What is believed before there were excursions; near the exponential tail of noise, a little heavier.
_PRIOR_MEAN, _PRIOR_COUNT = 0.6, 4.0
_PRIOR_SHAPE, _PRIOR_SHAPE_COUNT = 0.1, 20.0
_SHAPES = (-0.1, 0.4)


class Expected(NamedTuple):
    """What a limit depends on beside the tail itself."""

    samples: float
    """How many were seen before."""
    target: float
    """Expected false alarms a sample, such as 1e-5."""
    averaged: int = 0
    """Samples of which the feature is a mean distance from a level that was learned from ``samples``."""


def take(tails: list[float], at: int, value: float, scale: float, expected: Expected, learn: bool) -> float:
    """Take one value of a feature into its tail, which stands in ``tails`` from ``at`` on, in place.

    Args:
        value: Of the feature, outward positive; 0 is usual.
        scale: Mean distance of the feature from 0, positive.
        learn: False while something is wrong: the quantile stands still.
    Returns:
        0 within the quantile, 1 at the limit, in proportion between and beyond.
    """
    ratio = tails[at] or _PRIOR_QUANTILE
    over = value - ratio * scale
    if learn:
        step = STEP if expected.samples > 2 / STEP else 2 / max(expected.samples, 10.0)
        moved = ratio + (step * (1 - BEYOND) if over > 0 else -step * BEYOND)
        tails[at] = moved if moved > FLOOR else FLOOR
    if over > 0:
        if over > tails[at + _PEAK]:
            tails[at + _PEAK] = over
        tails[at + _BACK] = 0.0
        return over / reach(tails, at, scale, expected)
    if tails[at + _PEAK]:
        tails[at + _BACK] += 1
        if tails[at + _BACK] >= APART:
            _remember(tails, at, scale, expected)
    return 0.0


def reach(tails: list[float], at: int, scale: float, expected: Expected) -> float:
    """Return how far beyond the quantile the limit lies; infinitely far while there is no telling."""
    count, mean, spread = tails[at + _COUNT], tails[at + _MEAN], tails[at + _SPREAD]
    recent = min(count, RECENT)
    believed = (_PRIOR_COUNT * _PRIOR_MEAN * scale + recent * mean) / (_PRIOR_COUNT + recent)
    shape = _PRIOR_SHAPE
    if count > 2:
        # By moments: variance / mean² is 1 / (1 - 2 shape).
        seen = 0.5 * (1 - 1 / max(spread - 1, 1e-6))
        low, high = _SHAPES
        seen = low if seen < low else high if seen > high else seen
        shape = (_PRIOR_SHAPE * _PRIOR_SHAPE_COUNT + seen * recent) / (_PRIOR_SHAPE_COUNT + recent)
    samples = expected.samples
    # Excursions a sample; the +1 and +50 keep a short history from promising too much.
    odds = max((count + 1) / (samples + 50) / expected.target, 10.0)
    if abs(shape) < 1e-3:
        far = believed * math.log(odds)
    else:
        far = believed * (1 - shape) / shape * (math.exp(shape * math.log(odds)) - 1)
    if expected.averaged:
        # The level is a mean as well, and errs by as much as one over so many samples: what is seen of a mean before is
        # too little by this share, and what comes strays by as much more.
        share = expected.averaged / samples if samples else 1.0
        if share >= 1:
            return math.inf
        inner = quantile(tails, at, scale)
        far = math.sqrt((1 + share) / (1 - share)) * (inner + far) - inner
    return far * (1 + _YOUNG * _GROWN / (_GROWN + samples))


def quantile(tails: list[float], at: int, scale: float) -> float:
    """Return the feature's value beyond which an excursion begins."""
    return (tails[at] or _PRIOR_QUANTILE) * scale


def limit(tails: list[float], at: int, scale: float, expected: Expected) -> float:
    """Return the feature's value at which the score is 1."""
    return quantile(tails, at, scale) + reach(tails, at, scale, expected)


def _remember(tails: list[float], at: int, scale: float, expected: Expected) -> None:
    peak = min(tails[at + _PEAK], WINSOR * reach(tails, at, scale, expected))
    count, mean = tails[at + _COUNT] + 1, tails[at + _MEAN]
    rate = 1 / min(count, RECENT)
    square = tails[at + _SPREAD] * mean * mean
    mean += rate * (peak - mean)
    square += rate * (peak * peak - square)
    # Kept relative to the mean: a square of a large unit does not fit 32 bits.
    tails[at + _COUNT : at + WIDTH] = (count, mean, square / (mean * mean), 0.0, 0.0)
