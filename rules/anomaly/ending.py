"""When what was wrong is over: what knows first says so, for long enough, and nothing else speaks against it."""

import math
from collections.abc import Sequence

from rules.anomaly import tail
from rules.anomaly.features import SCATTER_SPANS, SPANS, features_of
from rules.anomaly.learned import Learned
from rules.anomaly.places import expected_of, first_tail, scale_of, tail_place

ENOUGH = 16.0
"""Samples within the usual, less twice those that were not, after which it is over."""
_DOUBT = 2.0
_INSIDE_SCORE = 0.35
"""Nearer than this is within the usual."""
_CLEAR = 1.5
"""Score from which on a shorter span is the witness instead of a longer: it knows sooner that it is over."""
_REMEMBERS = 8
"""Samples; a mean over more holds what is over for long."""


def is_over(learned: Learned, target: float, outward: Sequence[float], scores: Sequence[float]) -> bool:
    """Count one more sample; tell whether what is outside has been back for long enough.

    ``outward`` and ``scores`` are by tail: how far each feature is out, and in which measure of its limit. Where
    another still says that something is wrong (after a jump the level, after noise a shift), that has to be back next.
    """
    _choose_witness(learned, scores)
    learned.inside = learned.inside + 1 if _is_inside(learned, target, outward) else max(learned.inside - _DOUBT, 0.0)
    if learned.inside < ENOUGH:
        return False
    other = _still_outside(learned, scores)
    if other is not None:
        learned.worst, learned.inside = float(other), 0.0
    return other is None


def forget_it(learned: Learned) -> None:
    """End what was outside; the longer means, which still hold it, begin anew."""
    n = learned.fields
    learned.recent[2 * n :] = [0.0] * (n * (len(SPANS) - 2))
    if n > 1:
        shortest = learned.strays[2 * n : 3 * n]
        learned.strays[2 * n :] = shortest * len(SCATTER_SPANS)
    learned.outside_since, learned.worst, learned.inside = math.nan, -1.0, 0.0


def _choose_witness(learned: Learned, scores: Sequence[float]) -> None:
    features = features_of(learned.fields)
    at = int(learned.worst)
    index, _ = tail_place(learned.fields, at)
    side = at - first_tail(learned.fields, index)
    while (quicker := features[index].quicker) != index:
        index = quicker
        if scores[(at := first_tail(learned.fields, index) + side)] >= _CLEAR:
            learned.worst = float(at)


def _is_inside(learned: Learned, target: float, outward: Sequence[float]) -> bool:
    at = int(learned.worst)
    index, _ = tail_place(learned.fields, at)
    scale, expected = scale_of(learned, index), expected_of(learned, index, target)
    over = outward[at] - tail.quantile(learned.tails, at * tail.WIDTH, scale)
    if over < _INSIDE_SCORE * tail.reach(learned.tails, at * tail.WIDTH, scale, expected):
        return True
    quicker = features_of(learned.fields)[index].quicker
    if quicker == index:
        return False
    # A long mean is the last to know: the next shorter one says that the value is where it usually is.
    place = first_tail(learned.fields, quicker) + at - first_tail(learned.fields, index)
    return outward[place] < tail.quantile(learned.tails, place * tail.WIDTH, scale_of(learned, quicker))


def _still_outside(learned: Learned, scores: Sequence[float]) -> int | None:
    """Return a tail that is outside and only knows the latest; that the value is back is a jump, too, and no fault."""
    for other, score in enumerate(scores):
        index, _ = tail_place(learned.fields, other)
        feature = features_of(learned.fields)[index]
        if score >= 1 and other != learned.worst and (feature.span <= _REMEMBERS or feature.about == "unrest"):
            return other
    return None
