"""What is looked at in a series: level over several spans, jumps, unrest, repeats; how several fields relate."""

import math
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rules.anomaly.learned import Learned

SPANS = (1, 8, 32, 128)
"""Samples over which means are taken, exponentially (weight of the newest: 2 / (span + 1)). A small shift shows only in
a long mean, a large one at once."""
RESIDUAL_SPANS = SPANS[1:3]
"""Of a field's distance from what the others let expect: one sample's is noise, and 32 tell what 128 would."""
SCATTER_SPANS = (8, 32)
JUMP_FROM = 2
"""Index of the span that a jump is measured from."""
UNREST_SPAN = 32
STILLNESS = 0.02
"""Share of the usual unrest that is added to both before their ratio is taken: a stuck value has none at all."""
MOST_REPEATS = 48.0
"""Repeats in a row beyond which they are not counted: what rests for so long by nature is never called stuck."""

ALPHAS = tuple(2 / (span + 1) for span in SPANS)


class Feature(NamedTuple):
    """One thing that is looked at."""

    about: str
    """``level``, ``jump``, ``unrest``, ``stuck``; of several fields ``relation`` (their level together, its jumps, each
    one's distance from what the others let expect) and ``scatter`` (how far that distance varies)."""
    span: int
    """Samples that it looks back on."""
    sides: int
    """2: too high and too low are told apart. 1: a distance."""
    quicker: int
    """Index of the feature that looks at the same over a shorter span and so knows first that it is over; its own where
    there is none."""
    averaged: int
    """Samples of which it is a mean distance from a level that had to be learned, too; 0 where it is none."""


@cache
def features_of(fields: int) -> tuple[Feature, ...]:
    """Return what is looked at: the spans in order, the jump, the unrest; then repeats, or residuals and scatter."""
    about, sides = ("level", 2) if fields == 1 else ("relation", 1)
    features = [Feature(about, span, sides, max(index - 1, 0), span) for index, span in enumerate(SPANS)]
    jump = SPANS[JUMP_FROM]
    features.append(Feature("jump" if fields == 1 else about, jump, sides, len(features), jump))
    features.append(Feature("unrest", UNREST_SPAN, sides, len(features), 0))
    if fields == 1:
        return (*features, Feature("stuck", 1, 1, len(features), 0))
    for index, span in enumerate(RESIDUAL_SPANS):
        features.append(Feature("relation", span, 1, RESIDUALS + max(index - 1, 0), span))
    for index, span in enumerate(SCATTER_SPANS):
        features.append(Feature("scatter", span, 1, SCATTER + max(index - 1, 0), 0))
    return tuple(features)


RESIDUALS = len(SPANS) + 2
SCATTER = RESIDUALS + len(RESIDUAL_SPANS)
"""Indices of the first residual and the first scatter among the features of several fields."""


def of_one(learned: "Learned", value: float, deviation: float, fresh: bool) -> list[float]:
    """Return the features of a single field and move its means; ``fresh``: what was before is not recent."""
    recent = learned.recent
    for index, alpha in enumerate(ALPHAS):
        before = 0.0 if fresh else recent[index]
        recent[index] = before + alpha * (deviation - before)
    learned.repeats = min(learned.repeats + 1, MOST_REPEATS) if value == learned.previous[1] else 0.0
    return [*recent, recent[0] - recent[JUMP_FROM], log_unrest(learned, 0), learned.repeats]


def log_unrest(learned: "Learned", field: int) -> float:
    """Return how a field's recent unrest compares with its usual one, as a logarithm; 0: as ever."""
    usual = learned.usual_unrest[field]
    if usual <= 0:
        return 0.0
    return math.log((learned.unrest[field] / usual + STILLNESS) / (1 + STILLNESS))
