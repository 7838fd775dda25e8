from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from notifiers.quiet_hours import held_until

BERLIN = ZoneInfo("Europe/Berlin")
_ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Sao_Paulo"]


def _local(text: str, fold: int = 0, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2025-01-15T21:59", None),
        ("2025-01-15T22:00", "2025-01-16T07:00"),
        ("2025-01-15T23:30", "2025-01-16T07:00"),
        ("2025-01-16T00:00", "2025-01-16T07:00"),
        ("2025-01-16T06:59", "2025-01-16T07:00"),
        ("2025-01-16T07:00", None),
    ],
)
def test_a_night_ends_in_the_morning(now: str, until: str | None) -> None:
    assert held_until("22:00-07:00", BERLIN, _local(now)) == (_local(until) if until else None)


def test_hours_within_a_day_end_the_same_day() -> None:
    assert held_until("13:00-15:00", BERLIN, _local("2025-01-15T14:00")) == _local("2025-01-15T15:00")
    assert held_until("13:00-15:00", BERLIN, _local("2025-01-15T12:59")) is None


def test_the_night_clocks_go_forward_is_an_hour_shorter() -> None:
    began = _local("2025-03-29T22:00")

    until = held_until("22:00-07:00", BERLIN, began)

    assert until == datetime(2025, 3, 30, 5, 0, tzinfo=UTC)
    assert until - began == timedelta(hours=8)


def test_the_night_clocks_go_back_is_an_hour_longer() -> None:
    began = _local("2025-10-25T22:00")

    until = held_until("22:00-07:00", BERLIN, began)

    assert until == datetime(2025, 10, 26, 6, 0, tzinfo=UTC)
    assert until - began == timedelta(hours=10)


def test_an_end_that_the_clock_skips_falls_an_hour_later() -> None:
    # 02:30 does not exist on 30 March in Berlin: 02:00 is followed by 03:00.
    until = held_until("22:00-02:30", BERLIN, _local("2025-03-30T01:00"))

    assert until == _local("2025-03-30T03:30")


def test_an_end_that_comes_twice_counts_from_the_first() -> None:
    assert held_until("22:00-02:30", BERLIN, _local("2025-10-26T01:00")) == _local("2025-10-26T02:30", fold=0)
    # The clock shows 02:10 again, which is quiet again.
    assert held_until("22:00-02:30", BERLIN, _local("2025-10-26T02:10", fold=1)) == _local("2025-10-26T02:30", fold=1)


def test_without_quiet_hours_nothing_is_held() -> None:
    assert held_until(None, BERLIN, _local("2025-01-15T03:00")) is None


@given(
    begins=st.times(),
    ends=st.times(),
    zone=st.sampled_from(_ZONES),
    now=st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 - aware by timezones
)
def test_what_is_held_comes_out_later_and_never_within_quiet_hours(
    begins: time, ends: time, zone: str, now: datetime
) -> None:
    begins, ends = begins.replace(second=0, microsecond=0), ends.replace(second=0, microsecond=0)
    assume(begins != ends)
    hours = f"{begins:%H:%M}-{ends:%H:%M}"

    until = held_until(hours, ZoneInfo(zone), now)

    if until is not None:
        assert now < until <= now + timedelta(hours=26)
        assert held_until(hours, ZoneInfo(zone), until) is None
