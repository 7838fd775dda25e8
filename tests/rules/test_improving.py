from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from rules.response.improving import HOLD, Watch, advance, begin, is_improving

T0 = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
FRESH = timedelta(minutes=15)


def watch(values: list[float], every: float = 5.0) -> tuple[Watch, datetime]:
    """A freezer that fires above −12 °C; the first value is that of the step."""
    at = T0
    state = begin("above", -12.0, values[0], at)
    for number, value in enumerate(values[1:], start=1):
        at = T0 + timedelta(minutes=every * number)
        state = advance(state, value, at)
    return state, at


def test_a_freezer_that_cools_for_ten_minutes_is_getting_better() -> None:
    state, now = watch([-6.0, -6.4, -7.2])
    assert is_improving(state, now, FRESH)


def test_one_good_sample_says_nothing() -> None:
    state, now = watch([-6.0, -9.0])
    assert not is_improving(state, now, FRESH)


def test_what_still_warms_is_not_getting_better_and_counts_from_its_worst() -> None:
    state, now = watch([-6.0, -5.0, -4.0, -4.5])
    assert not is_improving(state, now, FRESH)
    state, now = watch([-6.0, -5.0, -4.0, -4.9, -6.0])
    assert is_improving(state, now, FRESH)


def test_a_wobble_is_forgiven_and_a_turn_back_is_not() -> None:
    steady, now = watch([-6.0, -7.0, -6.9, -8.0])
    assert is_improving(steady, now, FRESH)
    turned, now = watch([-6.0, -8.0, -7.0, -7.2])
    assert not is_improving(turned, now, FRESH)


def test_old_data_say_nothing_however_good_they_are() -> None:
    state, now = watch([-6.0, -8.0, -10.0])
    assert not is_improving(state, now + FRESH + timedelta(seconds=1), FRESH)


def test_a_value_that_only_trembles_is_not_getting_better() -> None:
    state, now = watch([-6.0, -6.1, -6.0, -6.1, -6.05, -6.1])
    assert not is_improving(state, now, FRESH)


def test_pressure_that_rises_is_the_same_thing_the_other_way_round() -> None:
    state = begin("below", 1.0, 0.5, T0)
    state = advance(state, 0.8, T0 + timedelta(minutes=6))
    state = advance(state, 0.9, T0 + timedelta(minutes=12))
    assert is_improving(state, T0 + timedelta(minutes=12), FRESH)


@given(st.lists(st.floats(min_value=-11, max_value=5), min_size=2, max_size=30))
def test_nothing_is_said_while_the_worst_is_the_last(values: list[float]) -> None:
    state, now = watch(sorted(values))
    assert not is_improving(state, now, FRESH)


@given(st.lists(st.floats(min_value=-30, max_value=20), min_size=2, max_size=20))
def test_a_sample_repeated_changes_nothing(values: list[float]) -> None:
    state, now = watch(values)
    assert advance(state, 99.0, now) == state
    assert advance(state, 99.0, now - HOLD) == state
