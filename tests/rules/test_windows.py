import json
import math
import random
import time
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.windows import CELLS, MOST_ROWS, Ends, Extreme, Steady, Times, Totals

START = 1_772_352_000.0
LENGTH = 600.0
CELL = LENGTH / CELLS

Samples = list[tuple[float, float]]


def samples(gaps: st.SearchStrategy[float], most: int) -> st.SearchStrategy[Samples]:
    """Samples in the order of time; the gaps may be 0."""
    pairs = st.lists(st.tuples(gaps, st.integers(-20, 20).map(float)), min_size=1, max_size=most)
    return pairs.map(
        lambda made: [(START + t, v) for t, (_, v) in zip(accumulate(p[0] for p in made), made, strict=True)]
    )


FEW = samples(st.integers(0, 300).map(float), MOST_ROWS - 1)


def crowd(seed: int) -> Samples:
    """More samples than a window keeps, now dense and now sparse, in noise upon a slope that keeps deques long."""
    chance = random.Random(seed)
    gap, slope, at, made = 1.0, 0.0, START, []
    for _ in range(700):
        if chance.random() < 0.02:
            gap, slope = chance.choice([0.3, 1.0, 4.0, 30.0]), chance.choice([-1.0, 0.0, 1.0])
        at += gap * chance.random()
        made.append((at, slope * (at - START) + chance.gauss(0.0, 0.5)))
    return made


def inside(given_samples: Samples, length: float = LENGTH) -> Samples:
    """What brute force finds in the window that ends at the last sample."""
    at = given_samples[-1][0]
    return [(t, v) for t, v in given_samples if t >= at - length]


@given(FEW)
def test_few_samples_give_just_what_brute_force_gives(series: Samples) -> None:
    lowest, highest, ends, totals = Extreme("lowest"), Extreme("highest"), Ends(), Totals()
    for i, (at, value) in enumerate(series):
        # Each goes through JSON at each step, as the device's state does.
        lowest = Extreme("lowest", json.loads(json.dumps(lowest.rows))).after(at, value, LENGTH)
        highest = Extreme("highest", json.loads(json.dumps(highest.rows))).after(at, value, LENGTH)
        ends = Ends(json.loads(json.dumps(ends.rows))).after(at, value, LENGTH)
        totals = Totals(json.loads(json.dumps(totals.rows))).after(at, value, LENGTH)
        now = inside(series[: i + 1])
        values = [v for _, v in now]
        assert (lowest.value, highest.value) == (min(values), max(values))
        assert lowest.at_s == max(t for t, v in now if v == lowest.value)
        assert (ends.first, ends.last, ends.delta) == (now[0], now[-1], values[-1] - values[0])
        assert (totals.count, totals.sum) == (len(now), sum(values))
        assert totals.average == pytest.approx(sum(values) / len(values))


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_a_crowded_window_is_bounded_and_wrong_by_a_cell_at_most(seed: int) -> None:
    series = crowd(seed)
    lowest, ends, totals = Extreme("lowest"), Ends(), Totals()
    for i, (at, value) in enumerate(series):
        lowest, ends, totals = (
            lowest.after(at, value, LENGTH),
            ends.after(at, value, LENGTH),
            totals.after(at, value, LENGTH),
        )
        so_far = series[: i + 1]
        shorter, exact, longer = (inside(so_far, LENGTH + by) for by in (-CELL, 0.0, CELL))
        assert max(len(lowest.rows), len(ends.rows), len(totals.rows)) <= MOST_ROWS + 2
        assert min(v for _, v in exact) <= lowest.value <= min(v for _, v in shorter)
        assert (lowest.at_s, lowest.value) in exact
        assert ends.first in exact
        assert ends.first[0] <= shorter[0][0]
        assert ends.last == (at, value)
        assert len(exact) <= totals.count <= len(longer)


def test_sums_stay_true_however_many_samples_came_before() -> None:
    totals = Totals()
    values = [0.1 + (i % 7) / 3 for i in range(20_000)]
    for i, value in enumerate(values):
        totals = totals.after(START + 60.0 * i, value, LENGTH)
    assert totals.count == 11
    assert totals.sum == pytest.approx(math.fsum(values[-11:]), abs=1e-9)


def test_an_update_costs_the_same_in_a_crowded_window_as_in_one_never_crowded() -> None:
    def cost_s(gap: float) -> float:
        window = Extreme("lowest")
        begun = time.process_time()
        for i in range(20_000):
            window = window.after(START + gap * i, float(i), LENGTH)
        return time.process_time() - begun

    # A rising value keeps every sample in the deque: 60,000 would be in the window at 100 a second.
    assert cost_s(0.01) < 5 * cost_s(5.0) + 0.1


@given(FEW, st.integers(1, 10))
def test_times_know_the_last_that_are_asked_for(series: Samples, most: int) -> None:
    times = Times()
    for at, _ in series:
        times = Times(json.loads(json.dumps(times.times))).after(at, most)
    wanted = [t for t, _ in inside(series)][-most:]
    assert times.within(series[-1][0], LENGTH) == wanted
    assert len(times.times) <= most


def test_a_steady_value_is_known_since_it_came_there() -> None:
    steady = Steady(20.0, START, START)
    for minute, value in ((1, 20.1), (2, 19.9), (3, 20.0)):
        steady = Steady.of(json.loads(json.dumps(steady.row))).after(START + 60 * minute, value, 0.1, 300)
    assert (steady.value, steady.since_s, steady.at_s) == (20.0, START, START + 180)
    moved = steady.after(START + 240, 20.2, 0.1, 300)
    assert (moved.value, moved.since_s) == (20.2, START + 240)


def test_a_value_that_drifts_is_not_steady_however_slowly_it_does() -> None:
    steady = Steady(20.0, START, START)
    for step in range(1, 100):
        steady = steady.after(START + 60 * step, 20.0 + 0.01 * step, 0.1, 300)
    assert steady.since_s > START + 60 * 80


def test_a_gap_is_no_proof_of_steadiness() -> None:
    steady = Steady(20.0, START, START)
    assert steady.after(START + 300, 20.0, 0.0, 300).since_s == START
    assert steady.after(START + 301, 20.0, 0.0, 300).since_s == START + 301
