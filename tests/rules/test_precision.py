"""Precision by verdicts: the share, and how sure it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.authoring.precision import Verdicts, wilson


@pytest.mark.parametrize(
    ("right", "judged", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_agrees_with_published_figures(right: int, judged: int, low: float, high: float) -> None:
    assert wilson(right, judged) == pytest.approx((low, high), abs=5e-5)


def test_nothing_judged_has_no_interval_and_more_right_than_judged_is_refused() -> None:
    assert wilson(0, 0) is None
    with pytest.raises(ValueError, match="3 of 2"):
        wilson(3, 2)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_share_and_stays_within_0_and_1(pair: tuple[int, int]) -> None:
    right, judged = pair
    interval = wilson(right, judged)
    assert interval is not None
    low, high = interval
    assert 0 <= low <= right / judged <= high <= 1


@given(st.integers(0, 50), st.integers(1, 50))
def test_ten_times_the_verdicts_are_surer(real: int, false: int) -> None:
    few, many = Verdicts(real, false), Verdicts(10 * real, 10 * false)
    assert few.interval is not None
    assert many.interval is not None
    assert many.interval[1] - many.interval[0] < few.interval[1] - few.interval[0]


def test_a_duplicate_counts_neither_for_nor_against_a_rule() -> None:
    counted = Verdicts()
    for verdict in ("real", "real", "real", "false_alarm", "duplicate"):
        counted.add(verdict)
    assert counted.as_dict() == {
        "real": 3,
        "false_alarms": 1,
        "duplicates": 1,
        "precision": 0.75,
        "precision_95": [0.3006, 0.9544],
    }
    assert counted.sentence() == "precision 75 % (3 of 4 real, 95 %: 30–95 %), 1 duplicate"
    assert Verdicts().sentence() == "no verdicts yet"


def test_an_unknown_verdict_is_refused() -> None:
    with pytest.raises(ValueError, match="perhaps"):
        Verdicts().add("perhaps")
