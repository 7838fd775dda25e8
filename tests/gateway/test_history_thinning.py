"""A thinned series still shows what a reader looks for."""

import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.history import thinning as th

SINCE, UNTIL = 1_000, 1_001_000
values = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)
points = st.dictionaries(st.integers(SINCE, UNTIL - 1), values, max_size=300).map(lambda d: sorted(d.items()))
sizes = st.integers(4, 60)


@given(points, sizes)
def test_never_more_points_than_asked_for_and_all_of_them_real(points: list[th.Point], size: int) -> None:
    thinned = th.thin(points, SINCE, UNTIL, size, None)
    assert len(thinned.points) <= size
    assert set(thinned.points) <= set(points)
    assert list(thinned.points) == sorted(thinned.points)


@given(points, sizes)
def test_the_extremes_and_both_ends_survive(points: list[th.Point], size: int) -> None:
    thinned = th.thin(points, SINCE, UNTIL, size, None).points
    if points:
        assert thinned[0] == points[0]
        assert thinned[-1] == points[-1]
        assert min(v for _, v in thinned) == min(v for _, v in points)
        assert max(v for _, v in thinned) == max(v for _, v in points)


@given(points.filter(bool), sizes)
def test_each_span_keeps_its_own_spike(points: list[th.Point], size: int) -> None:
    kept = set(th.thin(points, SINCE, UNTIL, size, None).points)
    times = [at for at, _ in points]
    for begin, end in th.cut(times, SINCE, UNTIL, th.span_count(size)):
        within = points[begin:end]
        mine = [v for at, v in kept if within[0][0] <= at <= within[-1][0]]
        assert (min(mine), max(mine)) == (min(v for _, v in within), max(v for _, v in within))


@given(st.integers(0, 10**15), st.integers(0, 10**7), st.integers(1, 500))
def test_edges_cover_the_span_without_overlap(since: int, length: int, count: int) -> None:
    edges = th.edges(since, since + length, count)
    assert (edges[0], edges[-1]) == (since, since + length)
    assert all(a < b for a, b in itertools.pairwise(edges)) or length == 0


@given(points, sizes)
def test_gaps_begin_and_end_at_points_that_are_drawn(points: list[th.Point], size: int) -> None:
    thinned = th.thin(points, SINCE, UNTIL, size, 2_000)
    drawn = {at for at, _ in thinned.points}
    assert all({begin, end} <= drawn and end - begin > 6_000 for begin, end in thinned.gaps)


@pytest.mark.parametrize("size", [200, 20])
def test_a_silence_is_a_gap_and_one_lost_sample_is_not(size: int) -> None:
    minutes = [m for m in range(100) if m != 10 and not 40 <= m < 60]
    points = [(m * 60_000_000, 1.0) for m in minutes]
    thinned = th.thin(points, 0, 100 * 60_000_000, size, None)
    assert thinned.gaps == ((39 * 60_000_000, 60 * 60_000_000),)


def test_the_expected_interval_decides_over_what_is_usual() -> None:
    points = [(hour * 3_600_000_000, 1.0) for hour in range(5)]
    assert th.thin(points, 0, 10**11, 100, None).gaps == ()
    assert len(th.thin(points, 0, 10**11, 100, 60_000_000).gaps) == 4


@given(st.lists(st.integers(0, 10**6), unique=True, max_size=200).map(sorted), st.integers(2, 50))
def test_even_thinning_keeps_first_and_last(times: list[int], size: int) -> None:
    kept = th.evenly(times, 0, 10**6 + 1, size)
    assert len(kept) <= size
    assert kept == sorted(set(kept))
    if times:
        assert (kept[0], kept[-1]) == (0, len(times) - 1)


def test_fewer_points_than_one_span_gives_are_refused() -> None:
    with pytest.raises(ValueError, match="less than 4"):
        th.span_count(3)


def test_changes_keep_where_a_text_differs_from_the_one_before() -> None:
    assert [text for _, text in th.changes([(1, "a"), (2, "a"), (3, "b"), (4, "a")])] == ["a", "b", "a"]


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_survive_as_microseconds(at: datetime) -> None:
    assert th.from_us(th.to_us(at)) == at
