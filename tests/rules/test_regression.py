import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.statistics.regression import FEWEST_POINTS, theil_sen

Points = list[tuple[float, float]]


def noisy(chance: random.Random, count: int, slope: float, memory: float = 0.0, outliers: float = 0.0) -> Points:
    """A line in noise of standard deviation 1 that remembers its last value, some of it fifteen times as large."""
    error, made = chance.gauss(0, 1), []
    for i in range(count):
        shock = chance.gauss(0, 1) * (15 if chance.random() < outliers else 1)
        error = memory * error + math.sqrt(1 - memory**2) * shock
        made.append((float(i), slope * i + error))
    return made


@given(st.floats(-5, 5), st.floats(-100, 100), st.integers(FEWEST_POINTS + 4, 48))
def test_a_line_without_noise_is_found_as_it_is(slope: float, level: float, count: int) -> None:
    trend = theil_sen([(100.0 + 7.0 * i, level + slope * i) for i in range(count)], 0.95)
    assert trend is not None
    assert trend.slope == pytest.approx(slope / 7, abs=1e-9)
    assert trend.slope_low <= trend.slope + 1e-9
    assert trend.slope_high >= trend.slope - 1e-9
    assert trend.level + trend.slope * (100 - trend.pivot) == pytest.approx(level, abs=1e-6)


@given(st.integers(0, 10_000), st.permutations(range(20)))
@settings(max_examples=30)
def test_a_fifth_of_the_points_may_be_nonsense(seed: int, order: list[int]) -> None:
    chance = random.Random(seed)
    points = [(t, v * 0.1) for t, v in noisy(chance, 20, 0.5)]
    for index in order[:4]:
        points[index] = (points[index][0], chance.choice([-1e6, 1e6]))
    trend = theil_sen([(t, v + 0.5 * t) for t, v in points], 0.95)
    assert trend is not None
    assert trend.slope == pytest.approx(0.55, abs=0.1)


def test_too_few_points_give_no_trend_and_few_no_bounds() -> None:
    assert theil_sen([(float(i), float(i)) for i in range(FEWEST_POINTS - 1)], 0.95) is None
    wavering = theil_sen([(float(i), i + (-1) ** i * 3.0) for i in range(FEWEST_POINTS)], 0.999)
    assert wavering is not None
    assert (wavering.slope_low, wavering.slope_high) == (-math.inf, math.inf)
    assert wavering.latest(100.0) is None
    assert wavering.earliest(100.0) == wavering.pivot


@pytest.mark.parametrize("memory", [0.0, 0.3, 0.6])
@pytest.mark.parametrize("outliers", [0.0, 0.15])
@pytest.mark.parametrize("count", [14, 48])
def test_the_interval_holds_the_truth_as_often_as_it_says(memory: float, outliers: float, count: int) -> None:
    chance = random.Random(f"{memory} {outliers} {count}")
    held = ups = 0
    for _ in range(150):
        trend = theil_sen(noisy(chance, count, 0.1, memory, outliers), 0.95)
        assert trend is not None
        held += trend.slope_low <= 0.1 <= trend.slope_high
        flat = theil_sen(noisy(chance, count, 0.0, memory, outliers), 0.95)
        assert flat is not None
        ups += flat.slope_low > 0
    # 95 % of 150 are 142.5, with a standard deviation of 2.7; one side of the interval is 2.5 %: 3.75 of 150.
    assert held >= 134
    assert ups <= 11


def test_a_limit_is_reached_first_by_the_steepest_and_last_by_the_flattest_line() -> None:
    trend = theil_sen(noisy(random.Random(4), 30, 0.5), 0.9)
    assert trend is not None
    earliest, middle, latest = trend.earliest(30.0), trend.reaches(30.0), trend.latest(30.0)
    assert earliest is not None
    assert middle is not None
    assert latest is not None
    assert 30 < earliest < middle < latest
    assert trend.reaches(30.0) == pytest.approx(60, abs=8)
    falling = theil_sen([(float(i), -0.5 * i) for i in range(20)], 0.9)
    assert falling is not None
    assert (falling.earliest(30.0), falling.reaches(30.0), falling.latest(30.0)) == (None, None, None)


def test_points_on_a_level_have_no_trend() -> None:
    trend = theil_sen([(float(i), 5.0) for i in range(20)], 0.9)
    assert trend is not None
    assert (trend.slope, trend.slope_low, trend.slope_high, trend.level) == (0, 0, 0, 5)
    assert trend.earliest(6.0) is None


def test_the_interval_of_the_slope_is_sens() -> None:
    """P. K. Sen (1968): of 45 slopes of ten points without ties, the ranks (45 ± 1.96 √125) / 2, rounded outwards."""
    errors = [0.11, -0.12, 0.14, -0.13, 0.16, -0.18, 0.17, -0.19, 0.21, -0.22]
    points = [(float(i), i + error) for i, error in enumerate(errors)]
    slopes = sorted((w - v) / (u - t) for i, (t, v) in enumerate(points) for u, w in points[i + 1 :])
    trend = theil_sen(points, 0.95)
    assert trend is not None
    assert (trend.slope_low, trend.slope_high) == (slopes[10], slopes[34])
