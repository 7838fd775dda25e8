"""The one clock."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import Clock

START = datetime(2026, 1, 1, tzinfo=UTC)
WALL = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2040, 1, 1)).map(lambda t: t.replace(tzinfo=UTC))  # noqa: DTZ001


@given(WALL)
def test_the_default_clock_shows_the_wall_clocks_time(wall: datetime) -> None:
    assert Clock().at(wall) == wall


@given(WALL, st.floats(min_value=0.1, max_value=1000), st.integers(min_value=0, max_value=10**6))
def test_simulated_time_runs_speed_times_as_fast(anchor: datetime, speed: float, seconds: int) -> None:
    clock = Clock(START, anchor, speed)
    gone = clock.at(anchor + timedelta(seconds=seconds)) - START
    assert gone.total_seconds() == pytest.approx(seconds * speed, abs=1e-3)


def test_a_speed_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="speed: 0 is not above 0"):
        Clock.simulated(START, 0)


def test_sleeping_until_a_simulated_time_takes_its_share_of_real_time() -> None:
    clock = Clock.simulated(START, speed=36_000)
    begins = time.monotonic()
    asyncio.run(clock.sleep_until(START + timedelta(hours=2)))
    assert clock.now() >= START + timedelta(hours=2)
    assert time.monotonic() - begins < 60
