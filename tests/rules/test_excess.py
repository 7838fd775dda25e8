"""How surprising a count is: against the sum that the formula stands for, and by what must hold of any chance."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.statistics.excess import chance_of


def summed(count: int, exposure: float, past_count: float, past_exposure: float) -> float:
    """Add up the negative binomial's probabilities below ``count``, which is what the closed form is the rest of."""
    seen = past_exposure / (past_exposure + exposure)
    below = 0.0
    for number in range(count):
        log = math.lgamma(number + past_count) - math.lgamma(past_count) - math.lgamma(number + 1)
        below += math.exp(log + past_count * math.log(seen) + number * math.log1p(-seen))
    return 1 - below


@pytest.mark.parametrize(
    ("count", "exposure", "past_count", "past_exposure"),
    [(5, 100, 1, 200), (9, 100, 1, 200), (50, 1000, 1, 200), (5, 20, 1, 200), (1, 5, 3.5, 2), (320, 1e4, 4000, 1.3e5)],
)
def test_it_is_what_the_sum_over_all_smaller_counts_leaves(
    count: int, exposure: float, past_count: float, past_exposure: float
) -> None:
    wanted = summed(count, exposure, past_count, past_exposure)
    assert chance_of(count, exposure, past_count, past_exposure) == pytest.approx(wanted, rel=1e-6, abs=1e-12)


COUNTS, AMOUNTS = st.integers(0, 5000), st.floats(0.1, 1e7)


@settings(deadline=None)
@given(COUNTS, AMOUNTS, st.floats(1, 1e5), AMOUNTS)
def test_it_is_a_chance_and_more_is_rarer(count: int, exposure: float, past: float, past_exposure: float) -> None:
    here = chance_of(count, exposure, past, past_exposure)
    assert 0.0 <= here <= 1.0
    assert chance_of(count + 1, exposure, past, past_exposure) <= here + 1e-9


def test_a_longer_quiet_past_makes_the_same_count_more_surprising() -> None:
    chances = [chance_of(5, 100, 1, past) for past in (100, 1000, 10_000)]
    assert chances == sorted(chances, reverse=True)
    assert chance_of(0, 100, 1, 1) == 1.0
