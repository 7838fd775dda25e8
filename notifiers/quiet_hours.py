"""Quiet hours and quiet days in the customer's own zone: until when a message is held."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
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


def held_over_days(
    hours: str | None, zone: ZoneInfo, now: datetime, is_quiet: Callable[[date], bool]
) -> datetime | None:
    """Tell when the quiet hours and days around ``now`` end: the first moment that is within neither.

    Args:
        hours: see ``held_until``.
        zone: the customer's.
        now: aware.
        is_quiet: whether nothing is sent on a local day, such as a public holiday. Asked of the next ``_MOST_DAYS`` at
            most: a longer rest than that ends by itself.
    Returns:
        Aware UTC, None where ``now`` is within neither. Raises ValueError as ``held_until`` does.
    """
    at = now
    for _ in range(_MOST_DAYS):
        local = at.astimezone(zone)
        if is_quiet(local.date()):
            at = datetime.combine(local.date() + timedelta(days=1), time(0), zone).astimezone(UTC)
        elif (ends := held_until(hours, zone, at)) is not None:
            at = ends
        else:
            break
    return None if at == now else at


_MOST_DAYS = 30


def _span(hours: str) -> tuple[time, time]:
    begins, _, ends = hours.partition("-")
    return time.fromisoformat(begins).replace(tzinfo=None), time.fromisoformat(ends).replace(tzinfo=None)


def _within(at: time, begins: time, ends: time) -> bool:
    at = at.replace(fold=0)
    return begins <= at < ends if begins < ends else at >= begins or at < ends
