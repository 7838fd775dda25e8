"""``gateway/bench/nab.py``: the benchmark's score, from its published description."""

import math
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bench.baselines import BASELINES, alerts_of, scores_of, thresholds
from gateway.bench.nab import OURS, PROFILES, Series, engine_alerts, raw_score, read_series, score, sigmoid
from gateway.bench.synthetic import FAULTS, MACHINES, ROWS, cases

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
ROWS_SHORT = 1000
WINDOW = (600, 699)
DATA = Path(__file__).parents[3] / "shared" / "data" / "faults"


def series(windows: list[tuple[int, int]]) -> Series:
    """A series of which only the labels matter."""
    return Series("s", [BEGIN + i * timedelta(minutes=5) for i in range(ROWS_SHORT)], [0.0] * ROWS_SHORT, windows)


@pytest.mark.parametrize("profile", PROFILES)
def test_saying_nothing_scores_0_and_a_perfect_detector_100(profile: str) -> None:
    made = [series([WINDOW, (800, 849)])]
    assert score(made, {"s": []}, profile) == 0
    assert score(made, {"s": [600, 800]}, profile) == pytest.approx(100)


def test_an_earlier_detection_is_worth_more_and_only_the_earliest_counts() -> None:
    made = [series([WINDOW])]
    worth = [score(made, {"s": [row]}) for row in (600, 650, 690, 699)]
    assert worth == sorted(worth, reverse=True)
    assert score(made, {"s": [600, 650, 699]}) == score(made, {"s": [600]})


def test_a_false_alarm_costs_by_its_profile_and_less_just_after_a_window() -> None:
    weights = PROFILES["standard"]
    missed = raw_score(ROWS_SHORT, [WINDOW], [], weights)
    assert missed == -1
    assert raw_score(ROWS_SHORT, [WINDOW], [300], weights) - missed == pytest.approx(-0.11)
    assert raw_score(ROWS_SHORT, [WINDOW], [999], PROFILES["reward low FP"]) - missed == pytest.approx(-0.22, rel=0.01)
    just_after = raw_score(ROWS_SHORT, [WINDOW], [705], weights) - missed
    assert -0.03 < just_after < 0
    assert raw_score(ROWS_SHORT, [WINDOW], [], PROFILES["reward low FN"]) == -2


def test_rows_of_the_probation_are_not_looked_at() -> None:
    made = [series([WINDOW])]
    assert score(made, {"s": [149]}) == 0
    assert score(made, {"s": [150]}) < 0


@given(st.floats(-1, 3), st.floats(-1, 3))
def test_the_sigmoid_falls_from_1_to_minus_1(first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert -1 <= sigmoid(high) <= sigmoid(low) <= 1
    assert sigmoid(0) == 0
    assert sigmoid(3.1) == -1


@pytest.mark.parametrize("name", BASELINES)
def test_every_method_finds_a_plain_shift_more_odd_than_what_was_before(name: str) -> None:
    chance = random.Random(1)
    values = [20 + chance.gauss(0, 1) + (12 if row >= 1200 else 0) for row in range(1260)]
    times = [BEGIN.timestamp() + 300 * row for row in range(len(values))]
    scores = scores_of(BASELINES[name].make, times, values)
    assert all(math.isfinite(each) and each >= 0 for each in scores)
    assert max(scores[1200:]) > max(scores[450:1200])


def test_alerts_are_openings_and_end_after_two_dozen_quiet_rows() -> None:
    scores = [0.0] * 5 + [2.0] * 3 + [0.0] * 23 + [2.0] + [0.0] * 24 + [2.0]
    assert alerts_of(scores, 1.0) == [5, 56]


def test_thresholds_include_the_highest_scores() -> None:
    assert thresholds([[1.0, 2.0], [3.0, 4.0, 5.0]])[-2:] == [4.0, 5.0]


def test_made_series_are_the_same_for_a_seed_and_broken_only_where_they_say() -> None:
    made = list(cases(7, per_kind=1))
    assert len(made) == len(MACHINES) * (1 + len(FAULTS))
    again = next(iter(cases(7, per_kind=1)))
    assert again.series.values == made[0].series.values
    for case in made:
        assert len(case.series.values) == ROWS
        assert (case.fault is None) == (case.end == 0)
    case = next(case for case in made if case.fault == "stuck")
    assert len(set(case.series.values[case.begin : case.end])) == 1
    assert case.split([case.begin - 1, case.begin]) == (1, True)


def test_our_rule_runs_through_the_engine() -> None:
    chance = random.Random(1)
    values = [20 + chance.gauss(0, 1) + (9 if 800 <= row < 850 else 0) for row in range(ROWS_SHORT)]
    made = Series("s", [BEGIN + i * timedelta(minutes=5) for i in range(ROWS_SHORT)], values, [(790, 860)])
    fired = engine_alerts(OURS.format(sensitivity="normal"), made)
    assert len(fired) == 1
    assert 800 <= fired[0] <= 803


@pytest.mark.parametrize("made", read_series(DATA) if DATA.exists() else [], ids=lambda made: made.name)
def test_a_window_of_each_labelled_series_is_found_by_the_usual_rule(made: Series) -> None:
    fired = engine_alerts(OURS.format(sensitivity="normal"), made)
    assert any(start <= row <= end for row in fired for start, end in made.windows)
    assert len(fired) < 12
