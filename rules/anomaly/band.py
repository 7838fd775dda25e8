"""What an anomaly is, in the words of the field it is about: the band that was expected, and what was there instead."""

import math
from typing import Any, NamedTuple

from rules.anomaly import tail, whitening
from rules.anomaly.features import JUMP_FROM, RESIDUALS, SCATTER, SPANS, STILLNESS, features_of, log_unrest
from rules.anomaly.learned import Learned
from rules.anomaly.learner import Settings, Verdict, seasonal
from rules.anomaly.places import expected_of, first_tail, scale_of, settling, tail_place


class Anomaly(NamedTuple):
    """One finding, in the field's unit."""

    about: str
    """``level``, ``jump``, ``unrest``, ``stuck``, ``relation`` or ``scatter``."""
    field: int
    """Index of the field that departs most."""
    value: float
    """Its mean over ``over_s``; of ``unrest`` the mean step from sample to sample, of ``scatter`` the mean distance
    from what the others let expect, of ``stuck`` the number of samples in a row that repeat the one before."""
    low: float
    high: float
    """Between these it would have been no anomaly."""
    over_s: float
    """The time that ``value`` looks back on; 0: the latest three samples."""

    @property
    def is_value(self) -> bool:
        """Whether ``value`` and band are values of the field; unrest, scatter and repeats are none."""
        return self.about in ("level", "jump", "relation")

    def as_dict(self) -> dict[str, Any]:
        """Return it for an explanation, without the field's index."""
        above = self.value > (self.low + self.high) / 2
        told: dict[str, Any] = {
            "about": self.about,
            "value": plain(self.value),
            "band": {"low": plain(self.low), "high": plain(self.high)},
            "over_s": round(self.over_s, 3),
        }
        if self.is_value:
            # What a chart draws as a dashed line.
            told |= {"limit": plain(self.high if above else self.low), "direction": "above" if above else "below"}
        return told


def describe(learned: Learned, settings: Settings, verdict: Verdict) -> Anomaly | None:
    """Say what ``verdict``, the last one, is about; None where nothing is out of the usual."""
    if verdict.tail < 0:
        return None
    index, _ = tail_place(learned.fields, verdict.tail)
    feature = features_of(learned.fields)[index]
    over_s = 0.0 if feature.span == 1 else feature.span * learned.interval_s
    if feature.about == "unrest":
        field = max(range(learned.fields), key=lambda i: abs(log_unrest(learned, i)))
        low, high = _unrest_band(learned, settings, index, field)
        return Anomaly("unrest", field, learned.unrest[field], low, high, over_s)
    if feature.about == "stuck":
        limit = _limits(learned, settings, index)[0]
        return Anomaly("stuck", 0, learned.repeats, 0.0, limit, learned.repeats * learned.interval_s)
    if feature.about == "scatter":
        return _scatter(learned, settings, index, over_s)
    if learned.fields == 1:
        centre = verdict.expected[0] + (learned.recent[JUMP_FROM] if feature.about == "jump" else 0.0)
        value = verdict.expected[0] + learned.recent[index if index < len(SPANS) else 0]
        above, below = _limits(learned, settings, index)
        return Anomaly(feature.about, 0, value, centre - below, centre + above, over_s)
    return _departure(learned, settings, verdict, index, over_s)


def usual_band(learned: Learned, settings: Settings, at_s: float) -> tuple[float, float] | None:
    """Return the band in which a single field is expected; None for several fields and before there is one."""
    if learned.fields > 1 or learned.samples < settling(1) or not learned.spread[0]:
        return None
    expected = learned.level[0] + seasonal(learned, at_s)[0]
    above, below = _limits(learned, settings, 0)
    return expected - below, expected + above


def _limits(learned: Learned, settings: Settings, index: int) -> tuple[float, ...]:
    """The feature's limits, outward from its centre, one a side."""
    first, expected = first_tail(learned.fields, index), expected_of(learned, index, settings.target)
    return tuple(
        tail.limit(learned.tails, at * tail.WIDTH, scale_of(learned, index), expected)
        for at in range(first, first + features_of(learned.fields)[index].sides)
    )


def _departure(learned: Learned, settings: Settings, verdict: Verdict, index: int, over_s: float) -> Anomaly:
    """Name the field that departs most from what the others let expect, and the band that they leave it."""
    n = learned.fields
    span = SPANS.index(features_of(n)[index].span) if index >= RESIDUALS else index if index < len(SPANS) else 0
    whitened = learned.recent[span * n : (span + 1) * n]
    if index == len(SPANS):
        whitened = [now - before for now, before in zip(whitened, learned.recent[JUMP_FROM * n :], strict=False)]
    residuals = whitening.residuals(learned.inverse, whitened, learned.rooms)
    usual = [1.0] * n
    if index >= RESIDUALS:
        usual = learned.residual_scales[(index - RESIDUALS) * n :][:n]
    field = max(range(n), key=lambda i: abs(residuals[i]) / usual[i] if usual[i] else 0.0)
    room = learned.rooms[field] * learned.spread[field]
    value = verdict.expected[field] + whitening.unwhiten(learned.inverse, whitened)[field] * learned.spread[field]
    # It alone, the others being as expected, would reach the limit of the distance here.
    wide = (learned.centres[index] + _limits(learned, settings, index)[0]) * usual[field] * room
    expected = value - residuals[field] * room
    return Anomaly("relation", field, value, expected - wide, expected + wide, over_s)


def _scatter(learned: Learned, settings: Settings, index: int, over_s: float) -> Anomaly:
    """Name the field whose distance from what the others let expect grew most."""
    n, usual = learned.fields, learned.scatter_scales
    means = learned.strays[(2 + index - SCATTER) * n :][:n]
    field = max(range(n), key=lambda i: means[i] / usual[i] if usual[i] else 0.0)
    room = learned.rooms[field] * learned.spread[field]
    high = (learned.centres[index] + _limits(learned, settings, index)[0]) * usual[field] * room
    return Anomaly("scatter", field, means[field] * room, 0.0, high, over_s)


def _unrest_band(learned: Learned, settings: Settings, index: int, field: int) -> tuple[float, float]:
    limits = _limits(learned, settings, index)
    above = limits[0] + (learned.centres[index] if learned.centres else 0.0)
    below = limits[-1] if len(limits) > 1 else above
    usual = learned.usual_unrest[field]
    low, high = (usual * ((1 + STILLNESS) * math.exp(log) - STILLNESS) for log in (-below, min(above, 300.0)))
    return max(low, 0.0), high


def plain(number: float) -> float:
    """Six digits: more is noise to whoever reads it."""
    return float(f"{number:.6g}")
