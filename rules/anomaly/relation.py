"""How several fields move together: their level as a whole, and each field against what the others let expect.

Means of whitened deviations tell that all moved. They are blind to a small fault of one field, since what the fields
have in common wanders far more than any of them strays from the rest. So each is also held against its conditional
expectation given the others (Hawkins 1991, "Multivariate quality control based on regression-adjusted variables"): the
mean of this residual tells a small shift, the mean of its size that the field no longer moves with the others at all.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rules.anomaly import whitening
from rules.anomaly.features import ALPHAS, JUMP_FROM, RESIDUAL_SPANS, SCATTER_SPANS, SPANS, log_unrest

if TYPE_CHECKING:
    from rules.anomaly.learned import Learned

_FAR = 1.5
"""Mean square of a whitened sample (usually 1) from which on it counts for less in the covariance."""
_WHITEN_EVERY = 16
_CLIP, _CLIPPED_AFTER = 5.0, 40
"""Scales by which one residual counts at most in its scale, once there were so many samples."""


def of_several(
    learned: "Learned",
    deviations: Sequence[float],
    unfiltered: Sequence[float],
    fresh: bool,
    rate: float,
    slow: float,
) -> list[float]:
    """Return the features of several fields and move their means.

    Args:
        deviations: Of the median of the latest three samples, by field, in the field's unit.
        unfiltered: Of the latest sample itself: the median takes away most of what makes a field noisy.
        fresh: What was before is not recent.
        rate: The sample's weight in the covariance; 0 for none.
        slow: Its weight in the scales of the residuals.
    """
    n = len(deviations)
    if fresh:
        learned.recent[:] = [0.0] * len(learned.recent)
        learned.strays[:] = [0.0] * len(learned.strays)
    values = _standardised(learned, deviations)
    if learned.inverse[0] == 0 or learned.samples % _WHITEN_EVERY == 0:
        learned.inverse[:] = whitening.whitener(learned.covariance, n)
        learned.rooms[:] = whitening.rooms(learned.inverse, n)
    whitened = whitening.whiten(learned.inverse, values)
    if rate:
        # The further out, the less it counts: a fault that creeps in must not widen what is usual.
        far = sum(value * value for value in whitened) / n
        whitening.take(learned.covariance, values, rate if far <= _FAR else rate * _FAR / far)
    recent = learned.recent
    found, start = [], 0
    for alpha in ALPHAS:
        total = 0.0
        for i, value in enumerate(whitened, start):
            before = recent[i]
            recent[i] = after = before + alpha * (value - before)
            total += after * after
        found.append(math.sqrt(total))
        start += n
    away = JUMP_FROM * n
    found.append(math.sqrt(sum((recent[i] - recent[away + i]) ** 2 for i in range(n))))
    found.append(math.sqrt(sum(log_unrest(learned, i) ** 2 for i in range(n))))
    clip = _CLIP if learned.samples > _CLIPPED_AFTER else math.inf
    found += [_residual(learned, index, slow, clip) for index in range(len(RESIDUAL_SPANS))]
    return found + _scatter(learned, unfiltered, slow, clip)


def residuals(learned: "Learned", index: int) -> list[float]:
    """Return the mean over ``RESIDUAL_SPANS[index]`` of each field's residual, in the residual's standard deviation."""
    n = learned.fields
    start = SPANS.index(RESIDUAL_SPANS[index]) * n
    return whitening.residuals(learned.inverse, learned.recent[start : start + n], learned.rooms)


def _standardised(learned: "Learned", deviations: Sequence[float]) -> list[float]:
    return [value / spread if spread > 0 else 0.0 for value, spread in zip(deviations, learned.spread, strict=True)]


def _residual(learned: "Learned", index: int, slow: float, clip: float) -> float:
    """Return the largest mean residual in its own usual size, which is what noise of this field leaves in this span."""
    scales, worst = learned.residual_scales, 0.0
    for i, residual in enumerate(residuals(learned, index), index * learned.fields):
        size, scale = abs(residual), scales[i]
        if slow:
            counted = min(size, clip * scale) if scale else size
            scales[i] = scale = scale + slow * (counted - scale)
        if scale > 0 and size > worst * scale:
            worst = size / scale
    return worst


def _scatter(learned: "Learned", unfiltered: Sequence[float], slow: float, clip: float) -> list[float]:
    """Return the largest mean size of a residual over each span, in its own usual size; one outlier is not seen."""
    n, strays, scales = learned.fields, learned.strays, learned.scatter_scales
    whitened = whitening.whiten(learned.inverse, _standardised(learned, unfiltered))
    worst = [0.0] * len(SCATTER_SPANS)
    for i, residual in enumerate(whitening.residuals(learned.inverse, whitened, learned.rooms)):
        size, first, second = abs(residual), strays[i], strays[n + i]
        strays[i], strays[n + i] = second, size
        low, high = (first, second) if first < second else (second, first)
        middle = low if size < low else min(size, high)
        scale = scales[i]
        if slow:
            counted = min(middle, clip * scale) if scale else middle
            scales[i] = scale = scale + slow * (counted - scale)
        for index, span in enumerate(SCATTER_SPANS):
            at = (2 + index) * n + i
            strays[at] = mean = strays[at] + 2 / (span + 1) * (middle - strays[at])
            if scale > 0 and mean > worst[index] * scale:
                worst[index] = mean / scale
    return worst
