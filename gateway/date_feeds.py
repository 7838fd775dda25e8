"""Feeds of free service dates: a CSV or an iCalendar file (RFC 5545), or an address where one is.

CSV has the columns ``starts_at`` and ``ends_at`` (RFC 3339) and may have ``id``. In a calendar each VEVENT is one free
date, unless it is cancelled; one that repeats is refused, since what is free on which week is the calendar program's to
say.
"""

import asyncio
import csv
import hashlib
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import aiohttp
import icalendar

_LARGEST = 5_000_000
_MOST = 5000
_TIMEOUT_S = 20
_LONGEST_REASON = 200
Slot = tuple[str, datetime, datetime]


class FeedError(Exception):
    """A feed cannot be read; the message names it and says why. Its catcher keeps what was read before."""


async def read_feed(team: str, feed: str, zone: str) -> list[Slot]:
    """Read a team's free dates; ``zone`` is that of times without one. Raises FeedError."""
    text = await _fetch(feed) if feed.startswith(("http://", "https://")) else _read(Path(feed))
    # Thousands of events take a calendar's reader seconds.
    return await asyncio.to_thread(parse_feed, team, feed, text, zone)


def parse_feed(team: str, feed: str, text: str, zone: str) -> list[Slot]:
    """Parse a feed. Raises FeedError naming ``feed``."""
    try:
        local = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise FeedError(f"{feed}: '{zone}' is no IANA time zone") from error
    if text.lstrip().upper().startswith("BEGIN:VCALENDAR"):
        slots = list(_calendar(feed, text, local))
    else:
        slots = list(_table(feed, text, local))
    if len(slots) > _MOST:
        raise FeedError(f"{feed}: {len(slots)} dates; {_MOST} is the most")
    unique = {identity: (starts, ends) for identity, starts, ends in slots}
    return [(_identity(team, feed, identity), starts, ends) for identity, (starts, ends) in unique.items()]


def calendar_entry(
    identity: str, title: str, starts_at: datetime, ends_at: datetime, now: datetime, *, cancelled: bool = False
) -> str:
    """Write one date as a calendar file that a customer may keep, or that takes it out of their calendar again."""
    return calendar_file("dates", [(identity, title, starts_at, ends_at)], now, cancelled=cancelled)


def uid_of(booking_id: int, public_url: str) -> str:
    """Return what a booking is known by in calendars."""
    return f"booking-{booking_id}@{urlsplit(public_url).hostname}"


def calendar_file(
    name: str, entries: Iterable[tuple[str, str, datetime, datetime]], now: datetime, *, cancelled: bool = False
) -> str:
    """Write (identity, title, begin, end) each as a calendar file. Source: RFC 5545; RFC 5546 §3.2.5 for CANCEL."""
    calendar = icalendar.Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", f"-//proactive-support-gateway//{name}//EN")
    calendar.add("method", "CANCEL" if cancelled else "PUBLISH")
    for identity, title, starts_at, ends_at in entries:
        event = icalendar.Event()
        event.add("uid", identity)
        for key, at in (("dtstamp", now), ("dtstart", starts_at), ("dtend", ends_at)):
            event.add(key, at.astimezone(UTC).replace(microsecond=0))
        event.add("summary", title)
        if cancelled:
            event.add("status", "CANCELLED")
            event.add("sequence", 1)
        calendar.add_component(event)
    written: bytes = calendar.to_ical(sorted=False)
    return written.decode()


def _table(feed: str, text: str, zone: ZoneInfo) -> Iterator[Slot]:
    try:
        yield from _rows(feed, csv.DictReader(io.StringIO(text, newline="")), zone)
    except csv.Error as error:
        raise FeedError(f"{feed}: is no CSV: {error}") from error


def _rows(feed: str, rows: "csv.DictReader[str]", zone: ZoneInfo) -> Iterator[Slot]:
    if not {"starts_at", "ends_at"} <= set(rows.fieldnames or ()):
        raise FeedError(f"{feed}:1: needs the columns starts_at and ends_at")
    for number, row in enumerate(rows, start=2):
        try:
            starts, ends = (_aware(datetime.fromisoformat(str(row[n]).strip()), zone) for n in ("starts_at", "ends_at"))
        except (ValueError, OverflowError) as error:
            raise FeedError(f"{feed}:{number}: {error}") from error
        if ends <= starts:
            raise FeedError(f"{feed}:{number}: ends_at is not after starts_at")
        yield (row.get("id") or f"{starts.isoformat()}/{ends.isoformat()}", starts, ends)


def _calendar(feed: str, text: str, zone: ZoneInfo) -> Iterator[Slot]:
    try:
        calendars = icalendar.Calendar.from_ical(text, multiple=True)
        events = [event for calendar in calendars for event in calendar.walk("VEVENT")]
    except (ValueError, IndexError, KeyError) as error:
        raise FeedError(f"{feed}: is no calendar: {str(error)[:_LONGEST_REASON]}") from error
    if not calendars:
        # Nothing in it may not be mistaken for nothing free.
        raise FeedError(f"{feed}: the calendar does not end; it was cut off")
    for event in events:
        if str(event.get("STATUS", "")).strip().upper() != "CANCELLED":
            try:
                yield _event(event, zone)
            except (ValueError, OverflowError, AttributeError, TypeError) as error:
                raise FeedError(f"{feed}: event {event.get('UID', '?')}: {str(error)[:_LONGEST_REASON]}") from error


def _event(event: Any, zone: ZoneInfo) -> Slot:
    if "RRULE" in event or "RDATE" in event:
        raise ValueError("it repeats; export single events")
    if "DTSTART" not in event or not ("DTEND" in event or "DURATION" in event):
        raise ValueError("it lacks DTSTART, or both DTEND and DURATION")
    starts = _moment(event, "DTSTART", event.start, zone)
    ends = _moment(event, "DTEND", event.end, zone)
    if ends <= starts:
        raise ValueError("it ends before it begins")
    own = str(event.get("UID", ""))
    # Exceptions of a series that was exported one by one share its id.
    return (f"{own}/{starts.isoformat()}" if "RECURRENCE-ID" in event or not own else own), starts, ends


def _moment(event: icalendar.Event, name: str, at: date, zone: ZoneInfo) -> datetime:
    if not isinstance(at, datetime):
        return _aware(datetime.combine(at, time(0)), zone)
    named = event[name].params.get("TZID") if name in event else None
    if at.tzinfo is None and named is not None:
        raise ValueError(f"there is no time zone '{named}'")
    return _aware(at, zone)


def _aware(at: datetime, zone: ZoneInfo) -> datetime:
    return (at if at.tzinfo is not None else at.replace(tzinfo=zone)).astimezone(UTC)


def _identity(team: str, feed: str, identity: str) -> str:
    # Two calendars may number their events alike.
    return hashlib.sha256(f"{team}\0{feed}\0{identity}".encode()).hexdigest()[:24]


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise FeedError(f"{path}: is larger than {_LARGEST // 1_000_000} MB")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FeedError(f"{path}: cannot be read: {error}") from error


async def _fetch(url: str) -> str:
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
            if response.status != 200:
                raise FeedError(f"{url}: answers {response.status}")
            body = await response.content.read(_LARGEST + 1)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise FeedError(f"{url}: cannot be read: {type(error).__name__}") from error
    if len(body) > _LARGEST:
        raise FeedError(f"{url}: is larger than {_LARGEST // 1_000_000} MB")
    return body.decode("utf-8-sig", "replace")
