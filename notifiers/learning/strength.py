"""How much a person differs from those alike: learned from how well each candidate foretold what came next.

The Beta prior of a customer has the mean of their segment and a *strength*: so many messages of their own weigh as
much as all that is known of the others. Where people have tastes of their own a small one foretells best; where all are
alike a large one does, and then nobody is tried with a channel that is worse for everybody. The choice between the
candidates is by their prequential likelihood (A. P. Dawid, "Present position and potential developments", 1984): the
product of the probabilities that each gave to every outcome before it was known. Unlike a comparison of variances it
stays right when channels are chosen by what was learned.
"""

import math
from collections.abc import Sequence

STRENGTHS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 512.0)
_LIKELY = 8.0
"""Before anything is known: people differ by some 0.15 around their segment."""
_SPREAD = 2.0
"""Doublings of the strength that make a candidate less likely beforehand by a factor of e^(1/2)."""
_MEMORY = 0.9998
"""Each outcome leaves so much of the weight of those before it: the last 5,000 decide, so that change is noticed."""

BEFORE = tuple(-0.5 * (math.log2(strength / _LIKELY) / _SPREAD) ** 2 for strength in STRENGTHS)
"""Log weights of the candidates before anything is known."""


def foretold(scores: Sequence[float], mean: float, hits: float, tries: float, hit: bool) -> tuple[float, ...]:
    """Score the candidates by one more outcome.

    Args:
        scores: log weights so far; empty: none.
        mean: of those alike, within 0 and 1, both apart.
        hits: of this customer before, faded.
        tries: likewise. With none every candidate foretells the same, so nothing changes.
        hit: what came.
    """
    scores = scores or BEFORE
    if tries <= 0.0:
        return tuple(scores)
    scored = []
    for score, before, strength in zip(scores, BEFORE, STRENGTHS, strict=True):
        likely = (hits + strength * mean) / (tries + strength)
        scored.append(before + (score - before) * _MEMORY + math.log(likely if hit else 1.0 - likely))
    top = max(scored)
    return tuple(score - top for score in scored)


def strength_of(scores: Sequence[float]) -> float:
    """Return the strength to go by: the candidates' average, on the scale of the variance they stand for."""
    scores = scores or BEFORE
    top = max(scores)
    weights = [math.exp(score - top) for score in scores]
    share = sum(w / (s + 1.0) for w, s in zip(weights, STRENGTHS, strict=True)) / sum(weights)
    return 1.0 / share - 1.0
