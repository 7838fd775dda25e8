"""Simple and well-known detectors, for comparison alone: each gives one row's score, higher is odder.

All see one value at a time, in order, and learn online. None is part of the product.
"""

import math
import statistics
from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

_WARM_UP = 400
"""Rows before a method says anything."""
_REST = 24
"""Rows in a row below the threshold that end an alert: the product's own measure, so that alerts compare."""


class Method(ABC):
    """One detector on one series."""

    @abstractmethod
    def take(self, at_s: float, value: float) -> float:
        """Return how odd the value is, 0 or more, and learn from it."""


class FixedThreshold(Method):
    """How far outside the range of the first rows, in that range; a rule's limit set by somebody who saw two days."""

    def __init__(self) -> None:
        self._seen: list[float] = []
        self._low = self._range = 0.0

    def take(self, at_s: float, value: float) -> float:
        if len(self._seen) < _WARM_UP:
            self._seen.append(value)
            self._low, self._range = min(self._seen), max(self._seen) - min(self._seen)
            return 0.0
        outside = max(self._low - value, value - self._low - self._range, 0.0)
        return outside / self._range if self._range else outside


class ThreeSigma(Method):
    """Distance from the mean of all rows so far in standard deviations (Welford's recurrence)."""

    def __init__(self) -> None:
        self._rows, self._mean, self._squares = 0, 0.0, 0.0

    def take(self, at_s: float, value: float) -> float:
        deviation = math.sqrt(self._squares / self._rows) if self._rows else 0.0
        odd = abs(value - self._mean) / deviation if self._rows >= _WARM_UP and deviation else 0.0
        self._rows += 1
        step = value - self._mean
        self._mean += step / self._rows
        self._squares += step * (value - self._mean)
        return odd


class WindowedGaussian(Method):
    """NAB's baseline: a Gaussian over the last 6,400 rows, fitted anew every 100 (its own values)."""

    _WINDOW, _STEP = 6400, 100

    def __init__(self) -> None:
        self._window: deque[float] = deque(maxlen=self._WINDOW)
        self._fresh = 0
        self._mean = self._deviation = 0.0

    def take(self, at_s: float, value: float) -> float:
        odd = abs(value - self._mean) / self._deviation if self._deviation else 0.0
        self._window.append(value)
        self._fresh += 1
        if len(self._window) < self._STEP or self._fresh >= self._STEP:
            self._fresh = 0
            self._mean = statistics.fmean(self._window)
            self._deviation = statistics.pstdev(self._window, self._mean) or 1e-6
        return odd


class RobustEwma(Method):
    """Distance from an exponential mean of clipped values, in an exponential mean distance."""

    _SPAN, _CLIP = 500, 3.0

    def __init__(self) -> None:
        self._rows, self._level, self._spread = 0, 0.0, 0.0

    def take(self, at_s: float, value: float) -> float:
        self._rows += 1
        if self._rows == 1:
            self._level = value
        away = value - self._level
        odd = abs(away) / self._spread if self._spread and self._rows > _WARM_UP else 0.0
        rate = max(1 / self._rows, 1 / self._SPAN)
        most = self._CLIP * self._spread if self._spread and self._rows > 20 else math.inf
        self._level += rate * max(-most, min(most, away))
        self._spread += rate * (min(abs(away), most) - self._spread)
        return odd


class SeasonalQuantiles(Method):
    """Distance outside the 1st and 99th percentile of the hour of day, in the distance between the two."""

    _STEP = 0.02

    def __init__(self) -> None:
        self._all = RobustEwma()
        self._rows = 0
        self._low: list[float | None] = [None] * 24
        self._high: list[float | None] = [None] * 24

    def take(self, at_s: float, value: float) -> float:
        self._rows += 1
        self._all.take(at_s, value)
        hour = int(at_s // 3600) % 24
        low, high = self._low[hour], self._high[hour]
        if low is None or high is None:
            self._low[hour] = self._high[hour] = value
            return 0.0
        odd = 0.0
        if self._rows > _WARM_UP and high > low:
            odd = max(low - value, value - high, 0.0) / (high - low)
        step = self._all._spread * self._STEP
        self._low[hour] = low + step * (0.01 if value > low else -0.99) * 5
        self._high[hour] = high + step * (0.99 if value > high else -0.01) * 5
        return odd


class ForecastResidual(Method):
    """Error of Holt's linear forecast one row ahead, in its mean error."""

    _LEVEL, _TREND, _SPAN = 0.3, 0.02, 500

    def __init__(self) -> None:
        self._rows, self._level, self._trend, self._spread = 0, 0.0, 0.0, 0.0

    def take(self, at_s: float, value: float) -> float:
        self._rows += 1
        if self._rows == 1:
            self._level = value
            return 0.0
        error = value - self._level - self._trend
        odd = abs(error) / self._spread if self._spread and self._rows > _WARM_UP else 0.0
        self._level += self._trend + self._LEVEL * error
        self._trend += self._LEVEL * self._TREND * error
        self._spread += max(1 / self._rows, 1 / self._SPAN) * (abs(error) - self._spread)
        return odd


class RobustCusum(Method):
    """Two-sided cumulative sums of clipped distances beyond 1.25 mean distances (Page 1954)."""

    _SLACK, _CLIP = 1.25, 4.0

    def __init__(self) -> None:
        self._usual = RobustEwma()
        self._up = self._down = 0.0

    def take(self, at_s: float, value: float) -> float:
        ready = self._usual.take(at_s, value)
        spread = self._usual._spread
        if not ready or not spread:
            return 0.0
        away = max(-self._CLIP, min(self._CLIP, (value - self._usual._level) / spread))
        self._up = min(max(self._up + away - self._SLACK, 0.0), 1000.0)
        self._down = min(max(self._down - away - self._SLACK, 0.0), 1000.0)
        return max(self._up, self._down)


class ChangePoint(Method):
    """Bayesian online change point (Adams and MacKay 2007): odds that the run is younger than 12 rows.

    Normal with unknown mean and variance, one change expected in 1,000 rows, the 120 likeliest runs kept.
    """

    _HAZARD, _RUNS, _YOUNG = 1 / 1000, 120, 12

    def __init__(self) -> None:
        self._usual = RobustEwma()
        self._rows = 0
        # (age, probability, mean, kappa, alpha, beta) of each run that is still thought possible
        self._hypotheses: list[tuple[int, float, float, float, float, float]] = []

    def take(self, at_s: float, value: float) -> float:
        self._rows += 1
        self._usual.take(at_s, value)
        spread = self._usual._spread or 1.0
        fresh = (0, 1.0, self._usual._level, 0.05, 1.0, spread * spread)
        if not self._hypotheses:
            self._hypotheses = [fresh]
        grown: list[tuple[int, float, float, float, float, float]] = []
        changed = total = 0.0
        for age, probability, mean, kappa, alpha, beta in self._hypotheses:
            weight = probability * _student(value, mean, beta * (kappa + 1) / (alpha * kappa), 2 * alpha)
            changed += weight * self._HAZARD
            step = value - mean
            after = (mean + step / (kappa + 1), kappa + 1, alpha + 0.5, beta + kappa * step * step / (2 * (kappa + 1)))
            grown.append((age + 1, weight * (1 - self._HAZARD), *after))
            total += weight
        if total <= 0:
            self._hypotheses = [fresh]
            return 0.0
        grown.append((0, changed, *fresh[2:]))
        kept = sorted(grown, key=lambda run: -run[1])[: self._RUNS]
        total = sum(run[1] for run in kept)
        self._hypotheses = [(age, p / total, m, k, a, b) for age, p, m, k, a, b in kept]
        young = sum(run[1] for run in self._hypotheses if 1 < run[0] <= self._YOUNG)
        return -math.log(max(1 - young, 1e-12)) if self._rows > _WARM_UP else 0.0


class LeftDiscord(Method):
    """Distance of the last 24 rows to the nearest of 150 earlier stretches, in the median of such distances.

    A sparse left matrix profile with a bounded memory; after Yeh et al., "Matrix Profile I", ICDM 2016.
    """

    _LENGTH, _KEPT = 24, 150

    def __init__(self) -> None:
        self._usual = RobustEwma()
        self._last: deque[float] = deque(maxlen=self._LENGTH)
        self._past: list[list[float]] = []
        self._stride, self._rows = 8, 0
        self._distances: list[float] = []
        self._recent: deque[float] = deque()

    def take(self, at_s: float, value: float) -> float:
        self._rows += 1
        self._usual.take(at_s, value)
        self._last.append(value)
        if len(self._last) < self._LENGTH:
            return 0.0
        odd = 0.0
        here = list(self._last)
        if self._past:
            nearest = math.sqrt(min(sum((a - b) ** 2 for a, b in zip(here, past, strict=True)) for past in self._past))
            if self._rows > _WARM_UP and (usual := self._distances[len(self._distances) // 2]):
                odd = nearest / usual
            insort(self._distances, nearest)
            self._recent.append(nearest)
            if len(self._recent) > 500:
                del self._distances[bisect_left(self._distances, self._recent.popleft())]
        if self._rows % self._stride == 0:
            self._past.append(here)
            if len(self._past) > self._KEPT:
                # Every other one goes, so that the memory spans all of the past.
                self._past = self._past[::2]
                self._stride *= 2
        return odd


class Baseline(NamedTuple):
    """A method and the threshold its textbook gives."""

    make: Callable[[], Method]
    threshold: float | None
    """None: the method's own literature gives none."""


BASELINES: Mapping[str, Baseline] = {
    "fixed threshold": Baseline(FixedThreshold, 0.1),
    "3-sigma": Baseline(ThreeSigma, 3.0),
    "windowed Gaussian": Baseline(WindowedGaussian, None),
    "robust EWMA": Baseline(RobustEwma, 6.0),
    "seasonal quantiles": Baseline(SeasonalQuantiles, None),
    "forecast residual": Baseline(ForecastResidual, 6.0),
    "robust CUSUM": Baseline(RobustCusum, None),
    "Bayesian change point": Baseline(ChangePoint, None),
    "left discord": Baseline(LeftDiscord, None),
}


def scores_of(make: Callable[[], Method], times: Iterable[float], values: Iterable[float]) -> list[float]:
    """Run a method over a series."""
    method = make()
    return [method.take(at_s, value) for at_s, value in zip(times, values, strict=True)]


def alerts_of(scores: Sequence[float], threshold: float) -> list[int]:
    """Return the rows at which an alert opens; one is over after 24 rows in a row below the threshold."""
    opened: list[int] = []
    below = _REST
    for row, score in enumerate(scores):
        if score > threshold:
            if below >= _REST:
                opened.append(row)
            below = 0
        else:
            below += 1
    return opened


def thresholds(scores: Iterable[Sequence[float]], count: int = 60) -> list[float]:
    """Return thresholds worth trying: quantiles of all scores, ever denser towards the largest."""
    ordered = sorted(score for each in scores for score in each)
    return sorted({ordered[-1 - int(len(ordered) ** (i / count)) + 1] for i in range(count)})


def _student(value: float, mean: float, variance: float, freedom: float) -> float:
    """Density of Student's t."""
    log = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - 0.5 * math.log(freedom * math.pi * variance)
    return math.exp(log - (freedom + 1) / 2 * math.log1p((value - mean) ** 2 / (freedom * variance)))
