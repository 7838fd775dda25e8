"""What is looked at in a series: its level over several spans, jumps, unrest; in several fields, how they relate."""

import math
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from rules.anomaly import whitening

if TYPE_CHECKING:
    from rules.anomaly.learned import Learned

SPANS = (1, 8, 32, 128)
"""Samples over which means are taken, exponentially (weight of the newest: 2 / (span + 1)). A small shift shows only in
a long mean, a large one at once."""
JUMP_FROM = 2
"""Index of the span that a jump is measured from."""
UNREST_SPAN = 32
STILLNESS = 0.02
"""Share of the usual unrest that is added to both before their ratio is taken: a stuck value has none at all."""
_FAR = 1.5
"""Mean square of a whitened sample (usually 1) from which on it counts for less in the covariance."""
_WHITEN_EVERY = 16

_ALPHAS = tuple(2 / (span + 1) for span in SPANS)


class Feature(NamedTuple):
    """One thing that is looked at."""

    about: str
    """``level``, ``jump``, ``unrest``; ``relation`` for the level of several fields together and its jumps."""
    span: int
    """Samples that it looks back on."""
    sides: int
    """2: too high and too low are told apart. 1: a distance."""


@cache
def features_of(fields: int) -> tuple[Feature, ...]:
    """Return what is looked at: the spans in their order, the jump, the unrest."""
    about, sides = ("level", 2) if fields == 1 else ("relation", 1)
    levels = [Feature(about, span, sides) for span in SPANS]
    jump = Feature("jump" if fields == 1 else about, SPANS[JUMP_FROM], sides)
    return (*levels, jump, Feature("unrest", UNREST_SPAN, sides))


def of_one(learned: "Learned", deviation: float, fresh: bool) -> list[float]:
    """Return the features of a single field and move its means; ``fresh``: what was before is not recent."""
    recent = learned.recent
    for index, alpha in enumerate(_ALPHAS):
        before = 0.0 if fresh else recent[index]
        recent[index] = before + alpha * (deviation - before)
    return [*recent, recent[0] - recent[JUMP_FROM], log_unrest(learned, 0)]


def of_several(learned: "Learned", deviations: Sequence[float], fresh: bool, rate: float) -> list[float]:
    """Return the features of several fields; ``rate`` is the sample's weight in their covariance, 0 for none."""
    n = len(deviations)
    spread = learned.spread
    values = [value / spread[i] if spread[i] > 0 else 0.0 for i, value in enumerate(deviations)]
    if learned.inverse[0] == 0 or learned.samples % _WHITEN_EVERY == 0:
        learned.inverse[:] = whitening.whitener(learned.covariance, n)
    whitened = whitening.whiten(learned.inverse, values)
    if rate:
        # The further out, the less it counts: a fault that creeps in must not widen what is usual.
        far = sum(value * value for value in whitened) / n
        whitening.take(learned.covariance, values, rate if far <= _FAR else rate * _FAR / far)
    recent = learned.recent
    found, start = [], 0
    for alpha in _ALPHAS:
        total = 0.0
        for i, value in enumerate(whitened, start):
            before = 0.0 if fresh else recent[i]
            recent[i] = after = before + alpha * (value - before)
            total += after * after
        found.append(math.sqrt(total))
        start += n
    away = JUMP_FROM * n
    found.append(math.sqrt(sum((recent[i] - recent[away + i]) ** 2 for i in range(n))))
    found.append(math.sqrt(sum(log_unrest(learned, i) ** 2 for i in range(n))))
    return found


def log_unrest(learned: "Learned", field: int) -> float:
    """Return how a field's recent unrest compares with its usual one, as a logarithm; 0: as ever."""
    usual = learned.usual_unrest[field]
    if usual <= 0:
        return 0.0
    return math.log((learned.unrest[field] / usual + STILLNESS) / (1 + STILLNESS))
