"""A device's normal, learned sample by sample, and how far out of it each sample is.

The latest three samples are taken by their median: one outlier alone is never seen. What is left of it, less level and
season, gives features (``features``). How far each has to stray to be an anomaly is learned from it alone (``tail``),
and the sample's score is that of the feature furthest out. While something is wrong nothing is learned, so that a
fault stays one.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from rules.anomaly import ending, relation, season, tail
from rules.anomaly.features import SPANS, UNREST_SPAN, features_of, of_one
from rules.anomaly.learned import Learned
from rules.anomaly.places import SETTLING, scale_of, settling

_LEVEL_SPAN = 2000
"""Samples over which the level follows; until so many were seen all count alike."""
_SCALE_SPAN = 1000
_UNREST_SCALE_SPAN = 1500
_UNREST_OUTSIDE_SPAN = 16
"""While something is wrong: the sooner unrest forgets, the sooner it knows that it is over."""
_SEASON_SPAN = 600
_LEVEL_CLIP, _SPREAD_CLIP, _SCALE_CLIP, _STEP_CLIP = 3.0, 4.0, 5.0, 8.0
"""Mean distances by which one sample counts at most."""
_OUTLIER, _ALONE = 4.0, 64
"""An outlier leaves both its neighbours, which are near each other, by so many usual steps; it stands alone where there
was none in so many samples before."""
_GAP = 10.0
"""Usual intervals without a sample after which what was before is no longer recent."""


class Settings(NamedTuple):
    """What the rule says about learning."""

    target: float
    """Expected false alarms a sample and tail."""
    day: bool
    week: bool
    """Which seasons may be learned; the week only on top of the day."""
    gap_s: float
    """Least time without a sample that counts as a gap."""
    normal_after_s: float
    """An anomaly that stood for so long is the new normal."""


class Verdict(NamedTuple):
    """What one sample is."""

    score: float
    """1 at the limit; 0 within the usual."""
    tail: int
    """Index of the tail it is of, over all features' sides; -1 for none."""
    expected: tuple[float, ...]
    """Level and season by field, in the field's unit."""
    relearned: bool = False
    """It stood for so long that it became the new normal with this sample."""


def take(learned: Learned, settings: Settings, at_s: float, sample: Sequence[float], ready: bool) -> Verdict:
    """Take one sample into ``learned``, in place.

    Args:
        at_s: Epoch seconds, never before the last sample's.
        sample: One finite number a field.
        ready: Whether the warm-up is over: before, nothing is found.
    """
    n = learned.fields
    if bool(learned.day) is not settings.day:
        # The rule was edited since.
        learned.day, learned.week = season.unseen(n * season.DAY_HOURS) if settings.day else (), ()
        learned.day_text = learned.week_text = ""
    fresh = _tell_time(learned, settings, at_s)
    if fresh:
        learned.previous[:] = [math.nan] * (2 * n)
    if _is_first_move(learned, sample):
        _begin(learned, settings, at_s, sample)
    learned.samples += 1
    middle = [_median(learned.previous[i], learned.previous[n + i], value) for i, value in enumerate(sample)]
    usual = math.isnan(learned.outside_since)
    # Of several fields the nearer to the limit, the less is learned: a fault that creeps in along a narrow direction
    # would take its own normal along. A single field that wanders has to be followed.
    trust = 1.0 if n == 1 or not learned.score else max(1 - learned.score, 0.0) ** 2
    rhythm = seasonal(learned, at_s)
    plain = [value - level for value, level in zip(middle, learned.level, strict=True)]
    deviations = [value - part for value, part in zip(plain, rhythm, strict=True)]
    expected = tuple(level + part for level, part in zip(learned.level, rhythm, strict=True))
    _feel_steps(learned, sample, usual)
    if usual:
        _follow(learned, deviations, trust)
        if settings.day:
            _learn_season(learned, settings, at_s, plain)
    if n == 1:
        found = of_one(learned, sample[0], deviations[0], fresh)
    else:
        unfiltered = [value - usually for value, usually in zip(sample, expected, strict=True)]
        weight = trust if usual and learned.samples > SETTLING else 0.0
        rate, slow = (weight * max(1 / learned.samples, 1 / span) for span in (_LEVEL_SPAN, _SCALE_SPAN))
        found = relation.of_several(learned, deviations, unfiltered, fresh, rate, slow)
    learned.previous[:] = [*learned.previous[n:], *sample]
    if learned.samples < settling(n) or learned.moves < SETTLING:
        return Verdict(0.0, -1, expected)
    score, worst, back = _score(learned, settings, found, trust)
    learned.score = score
    if usual:
        if score >= 1 and ready:
            learned.outside_since, learned.worst, learned.inside = at_s, float(worst), 0.0
        return Verdict(score, worst, expected)
    relearned = False
    if back:
        ending.forget_it(learned)
    elif at_s - learned.outside_since >= settings.normal_after_s:
        _accept(learned, middle)
        relearned = True
    return Verdict(score, worst, expected, relearned)


def _accept(learned: Learned, middle: Sequence[float]) -> None:
    """Make what stands for so long the normal: how it varies is learned anew, its seasons are kept."""
    anew = Learned(learned.fields)
    for name in ("recent", "strays", "tails"):
        setattr(learned, name, getattr(anew, name))
    learned.level[:] = middle
    learned.samples = float(settling(learned.fields))
    learned.score = learned.repeats = 0.0
    learned.outside_since, learned.worst = math.nan, -1.0


def _tell_time(learned: Learned, settings: Settings, at_s: float) -> bool:
    """Take in the time since the last sample; tell whether it is a gap."""
    if not learned.samples:
        learned.first_at = learned.last_at = at_s
        return True
    passed = at_s - learned.last_at
    learned.last_at = at_s
    if passed <= 0:
        return False
    if not learned.interval_s:
        learned.interval_s = passed
        return False
    # The median, found by steps in proportion; large ones at first, since the first interval may be any.
    step = 1 + max(0.05, 2 / learned.samples)
    gap = passed > max(_GAP * learned.interval_s, settings.gap_s)
    learned.interval_s *= step if passed > learned.interval_s else 1 / step
    return gap


def _is_first_move(learned: Learned, sample: Sequence[float]) -> bool:
    """Count moves; tell whether what was learned so far is worth nothing, since the value never moved enough."""
    n = learned.fields
    last = learned.previous[n:]
    if not learned.samples:
        return True
    moved = any(value != before for value, before in zip(sample, last, strict=True) if before == before)
    if moved:
        learned.moves += 1
    return moved and learned.moves < SETTLING and learned.samples > 4 * SETTLING


def _begin(learned: Learned, settings: Settings, at_s: float, sample: Sequence[float]) -> None:
    """Start to learn from this sample on; moves are kept, so that a value that does move is learned in the end."""
    anew = Learned(learned.fields)
    anew.moves, anew.interval_s, anew.previous = learned.moves, learned.interval_s, learned.previous
    anew.first_at = anew.last_at = at_s
    anew.level = list(sample)
    if settings.day:
        anew.day = season.unseen(learned.fields * season.DAY_HOURS)
    for name in Learned.__slots__:
        setattr(learned, name, getattr(anew, name))


def _median(first: float, second: float, third: float) -> float:
    """The median of three; of two the earlier, since the later may be an outlier. NaN: not there."""
    if first != first:
        return third if second != second else second
    low, high = (first, second) if first < second else (second, first)
    return low if third < low else min(third, high)


def seasonal(learned: Learned, at_s: float) -> list[float]:
    """Return what the season adds to each field's level at a time."""
    n = learned.fields
    day, week = learned.season_shares()
    added = [day * season.value_at(learned.day, i, season.DAY_HOURS, at_s) for i in range(n)] if day else [0.0] * n
    if week:
        for i in range(n):
            added[i] += week * season.value_at(learned.week, i, season.WEEK_HOURS, at_s)
    return added


def _feel_steps(learned: Learned, sample: Sequence[float], usual: bool) -> None:
    """Take in the step that led to the last sample, which this one shows to be an outlier or none: unrest.

    The two steps to and from an outlier that stands alone are left out; several close together are no outliers.
    """
    n = learned.fields
    for i, value in enumerate(sample):
        first, second = learned.previous[i], learned.previous[n + i]
        if second == second and (finest := abs(value - second)) and not 0 < learned.resolution[i] <= finest:
            learned.resolution[i] = finest
        if first != first:
            continue
        known = learned.usual_unrest[i]
        step = abs(second - first)
        left_out = learned.apart[i] == 0
        learned.apart[i] += 1
        if known and learned.samples > SETTLING:
            out = min(step, abs(second - value))
            if not left_out and out > _OUTLIER * known and out > 2 * abs(value - first):
                left_out = learned.apart[i] > _ALONE
                learned.apart[i] = 0.0 if left_out else 1.0
            step = min(step, _STEP_CLIP * known)
        if left_out:
            continue
        if usual:
            learned.usual_unrest[i] = known + max(1 / learned.samples, 1 / _UNREST_SCALE_SPAN) * (step - known)
        span = UNREST_SPAN if usual else _UNREST_OUTSIDE_SPAN
        learned.unrest[i] += max(1 / learned.samples, 2 / (span + 1)) * (step - learned.unrest[i])


def _follow(learned: Learned, deviations: Sequence[float], trust: float) -> None:
    """Let level and spread follow."""
    rate = trust * max(1 / learned.samples, 1 / _LEVEL_SPAN)
    slow = trust * max(1 / learned.samples, 1 / _SCALE_SPAN)
    for i, deviation in enumerate(deviations):
        spread, away = learned.spread[i], abs(deviation)
        if spread and learned.samples > SETTLING:
            most = _LEVEL_CLIP * spread
            deviation = max(-most, min(most, deviation))
            away = min(away, _SPREAD_CLIP * spread)
        learned.level[i] += rate * deviation
        learned.spread[i] = spread + slow * (away - spread)


def _learn_season(learned: Learned, settings: Settings, at_s: float, plain: Sequence[float]) -> None:
    """Take in a sample without season: its hour's mean once the hour is over, and how well each season predicts."""
    n, seen_s = learned.fields, learned.seen_s
    hour = season.hour_at(at_s, season.WEEK_HOURS)
    if hour != learned.hour:
        if learned.visits:
            _end_visit(learned, settings, int(learned.hour), seen_s)
        learned.hour, learned.visits, learned.visit_sums = float(hour), 0.0, [0.0] * n
    learned.visits += 1
    for i, value in enumerate(plain):
        learned.visit_sums[i] += value
    if season.cycles(season.DAY_HOURS, seen_s) < season.COMPARED_AFTER:
        return
    compare_week = learned.week and season.cycles(season.WEEK_HOURS, seen_s) >= season.COMPARED_AFTER
    learned.compared += 1
    learned.week_compared += bool(compare_week)
    without = with_day = with_week = 0.0
    for i, value in enumerate(plain):
        spread = learned.spread[i] or 1.0
        left = value - season.value_at(learned.day, i, season.DAY_HOURS, at_s)
        without += abs(value) / spread
        with_day += abs(left) / spread
        if compare_week:
            with_week += abs(left - season.value_at(learned.week, i, season.WEEK_HOURS, at_s)) / spread
    rate = max(1 / learned.compared, 1 / _SEASON_SPAN)
    learned.plain_error += rate * (without - learned.plain_error)
    learned.day_error += rate * (with_day - learned.day_error)
    if compare_week:
        rate = max(1 / learned.week_compared, 1 / _SEASON_SPAN)
        learned.week_error += rate * (with_week - learned.week_error)


def _end_visit(learned: Learned, settings: Settings, hour: int, seen_s: float) -> None:
    """Take the hour that is over into the seasons."""
    if settings.week and not learned.week and season.cycles(season.WEEK_HOURS, seen_s) >= 1:
        learned.week = season.unseen(learned.fields * season.WEEK_HOURS)
    day, week = season.DAY_HOURS, season.WEEK_HOURS
    means = [total / learned.visits for total in learned.visit_sums]
    learned.day = season.learned(learned.day, {i * day + hour % day: m for i, m in enumerate(means)}, day, seen_s)
    if learned.week:
        rest = {i * week + hour: m - learned.day[i * day + hour % day] for i, m in enumerate(means)}
        learned.week = season.learned(learned.week, rest, week, seen_s)
    learned.day_text = learned.week_text = ""


def _score(learned: Learned, settings: Settings, found: Sequence[float], trust: float) -> tuple[float, int, bool]:
    """Hold each feature against its tails; return the worst score, its tail, and whether what was outside is back."""
    score, worst, at = 0.0, -1, 0
    outward: list[float] = []
    scores: list[float] = []
    samples = learned.samples - settling(learned.fields)
    usual = math.isnan(learned.outside_since)
    slow = trust * max(1 / (samples + 1), 1 / _SCALE_SPAN)
    expected = {averaged: tail.Expected(samples, settings.target, averaged) for averaged in (0, *SPANS)}
    for index, feature in enumerate(features_of(learned.fields)):
        value = found[index]
        if learned.centres:
            centre = learned.centres[index]
            if usual:
                learned.centres[index] = centre = centre + slow * (value - centre)
            value -= centre
        if usual:
            away, known = abs(value), learned.scales[index]
            if known and samples > SETTLING:
                away = min(away, _SCALE_CLIP * known)
            learned.scales[index] = known + slow * (away - known)
        scale = scale_of(learned, index)
        for sign in (1.0, -1.0)[: feature.sides]:
            outward.append(sign * value)
            scores.append(0.0)
            if scale > 0:
                scores[at] = tail.take(
                    learned.tails, at * tail.WIDTH, sign * value, scale, expected[feature.averaged], usual
                )
                if scores[at] > score:
                    score, worst = scores[at], at
            at += 1
    if usual:
        return score, worst, False
    return score, worst, ending.is_over(learned, settings.target, outward, scores)
