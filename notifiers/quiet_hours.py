"""Quiet hours in the customer's own zone: until when a message is held."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


def held_until(hours: str | None, zone: ZoneInfo, now: datetime) -> datetime | None:
    """Tell when the quiet hours around ``now`` end.

    Args:
        hours: ``22:00-07:00`` by the wall clock of ``zone``; the end is no longer quiet. None: no quiet hours.
        zone: the customer's.
        now: aware.
    Returns:
        Aware UTC, None where ``now`` is not within quiet hours. Always later than ``now`` and itself not quiet. Where
        clocks change, the reading of the wall clock decides: an end that is skipped in spring falls on the same
        reading plus the skipped time, and one that comes twice counts from the first.
    Raises ValueError for hours of another form.
    """
    if hours is None:
        return None
    begins, ends = _span(hours)
    local = now.astimezone(zone)
    if not _within(local.time(), begins, ends):
        return None
    candidates = (
        # A wall-clock time names two instants when clocks go back (fold), and none when they go forward; each is
        # taken through UTC, which is what makes the reading below the true one.
        datetime.combine(local.date() + timedelta(days=days), ends, zone).replace(fold=fold).astimezone(UTC)
        for days in (0, 1, 2)
        for fold in (0, 1)
    )
    return min(end for end in candidates if end > now and not _within(end.astimezone(zone).time(), begins, ends))


def _span(hours: str) -> tuple[time, time]:
    begins, _, ends = hours.partition("-")
    return time.fromisoformat(begins).replace(tzinfo=None), time.fromisoformat(ends).replace(tzinfo=None)


def _within(at: time, begins: time, ends: time) -> bool:
    at = at.replace(fold=0)
    return begins <= at < ends if begins < ends else at >= begins or at < ends
