"""Business time: what lies between two moments, across nights, holidays and the days on which clocks change."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.staff.working_hours import ALWAYS, DAYS, Shift, WorkingHours, parse_hours

BERLIN = ZoneInfo("Europe/Berlin")
HOLIDAYS = frozenset({date(2026, 12, 25), date(2026, 5, 1)})


def hours(text: str, zone: ZoneInfo = BERLIN) -> WorkingHours:
    return WorkingHours("Berlin", zone, parse_hours(text), HOLIDAYS.__contains__)


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


OFFICE = hours("Mo-Fr 09:00-17:00")
NIGHT = hours("Mo-Fr 22:00-06:00")


@pytest.mark.parametrize(
    ("working", "since", "amount", "due"),
    [
        (OFFICE, "2026-03-02 10:00", "1h", "2026-03-02 11:00"),
        # What does not fit into the day goes on where the next one begins.
        (OFFICE, "2026-03-02 16:30", "1h", "2026-03-03 09:30"),
        # Friday evening: it begins on Monday.
        (OFFICE, "2026-03-06 18:00", "1h", "2026-03-09 10:00"),
        # A Friday that is a holiday.
        (OFFICE, "2026-04-30 16:30", "1h", "2026-05-04 09:30"),
        # At the very end of a shift it is still due that day.
        (OFFICE, "2026-03-02 16:00", "1h", "2026-03-02 17:00"),
        (NIGHT, "2026-03-02 23:00", "8h", "2026-03-03 23:00"),
        # Early on Saturday Friday's shift still lasts.
        (NIGHT, "2026-03-07 05:00", "30min", "2026-03-07 05:30"),
        # A night shift that would begin on a holiday does not take place, the one of its eve ends in it.
        (NIGHT, "2026-04-30 23:00", "8h", "2026-05-04 23:00"),
        # Clocks go forward at 2:00 on 2026-03-29: the night has an hour less. Back at 3:00 on 2026-10-25: one more.
        (hours("Sa 22:00-06:00"), "2026-03-28 22:00", "7h", "2026-03-29 06:00"),
        (hours("Sa 22:00-06:00"), "2026-10-24 22:00", "9h", "2026-10-25 06:00"),
        (ALWAYS, "2026-03-28 22:00", "7h", "2026-03-29 06:00"),
    ],
)
def test_business_time_passes_by_the_wall_clock_of_its_zone(
    working: WorkingHours, since: str, amount: str, due: str
) -> None:
    number = float(amount.rstrip("hmin"))
    span = timedelta(hours=number) if amount.endswith("h") else timedelta(minutes=number)
    assert working.add(berlin(since), span) == berlin(due)
    assert working.worked(berlin(since), berlin(due)) == span


def test_hours_that_the_clocks_skip_are_none() -> None:
    skipped = hours("Su 02:00-03:00")
    assert skipped.worked(berlin("2026-03-28 00:00"), berlin("2026-03-30 00:00")) == timedelta(0)
    assert skipped.worked(berlin("2026-03-21 00:00"), berlin("2026-03-23 00:00")) == timedelta(hours=1)


def test_whoever_never_works_is_never_due() -> None:
    closed = WorkingHours("", BERLIN, parse_hours("Mo 09:00-17:00"), lambda _: True)
    now = berlin("2026-03-02 10:00")
    assert (closed.add(now, timedelta(hours=1)), closed.next_begin(now), closed.working(now)) == (None, None, False)


@pytest.mark.parametrize("text", ["", "Mo", "Mo 9-17", "Mo 25:00-26:00", "Xx 09:00-17:00", "Mo-Fr 09:00", "always"])
def test_hours_of_another_form_are_refused_with_how_to_write_them(text: str) -> None:
    with pytest.raises(ValueError, match="write it like"):
        parse_hours(text)


def test_days_may_wrap_around_the_week_and_hours_may_come_in_parts() -> None:
    assert {shift.day for shift in parse_hours("Sa-Mo 08:00-12:00")} == {5, 6, 0}
    assert len(parse_hours("Mo,We 08:00-12:00,13:00-17:00")) == 4
    assert parse_hours("24/7") == parse_hours("Mo-Su 0:00-24:00")


_ZONES = st.sampled_from([ZoneInfo(z) for z in ("Europe/Berlin", "America/New_York", "Asia/Kathmandu", "UTC")])
_MOMENTS = st.integers(0, 525_600).map(lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes))
_CLOCK = st.times().map(lambda at: time(at.hour, at.minute))
_SHIFTS = st.lists(st.builds(Shift, st.integers(0, 6), _CLOCK, _CLOCK), min_size=1, max_size=6)
_CLOSED = st.frozensets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=20)
_WORKING = st.builds(
    lambda zone, shifts, closed: WorkingHours("", zone, tuple(shifts), closed.__contains__), _ZONES, _SHIFTS, _CLOSED
)
_AMOUNTS = st.timedeltas(timedelta(seconds=1), timedelta(hours=60))


@given(_WORKING, _MOMENTS, _AMOUNTS)
def test_what_is_added_is_what_was_worked_until_then(working: WorkingHours, since: datetime, amount: timedelta) -> None:
    due = working.add(since, amount)
    if due is not None:
        assert working.worked(since, due) == amount
        # No earlier moment would do.
        assert working.worked(since, due - timedelta(seconds=1)) < amount


@given(_WORKING, _MOMENTS, _AMOUNTS, _AMOUNTS)
def test_a_stretch_is_the_sum_of_its_parts(
    working: WorkingHours, since: datetime, first: timedelta, second: timedelta
) -> None:
    middle, end = since + first, since + first + second
    whole = working.worked(since, end)
    assert whole == working.worked(since, middle) + working.worked(middle, end)
    assert timedelta(0) <= whole <= end - since


@given(_WORKING, _MOMENTS)
def test_stretches_come_in_order_and_never_overlap(working: WorkingHours, since: datetime) -> None:
    before = None
    for _, (begins, ends) in zip(range(20), working.windows(since), strict=False):
        assert begins < ends
        assert ends > since
        assert before is None or begins >= before
        before = ends


@given(_WORKING, _MOMENTS)
def test_work_begins_next_at_a_moment_of_work(working: WorkingHours, since: datetime) -> None:
    begins = working.next_begin(since)
    if begins is not None:
        assert working.working(begins)
        assert begins >= since
        assert (begins == since) == working.working(since)


@given(st.lists(st.sampled_from(DAYS), min_size=1, unique=True), _CLOCK, _CLOCK)
def test_what_is_written_is_what_is_read(days: list[str], begins: time, ends: time) -> None:
    shifts = parse_hours(f"{','.join(days)} {begins:%H:%M}-{ends:%H:%M}")
    assert shifts == tuple(Shift(DAYS.index(day), begins, ends) for day in days)
