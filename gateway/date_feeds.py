"""Feeds of free service dates: a CSV or an iCalendar file (RFC 5545), or an address where one is.

CSV has the columns ``starts_at`` and ``ends_at`` (RFC 3339) and may have ``id``. In a calendar each VEVENT is one free
date; one that repeats is refused, since what is free on which week is the calendar program's to say.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import aiohttp

_LARGEST = 5_000_000
_MOST = 5000
_TIMEOUT_S = 20
Slot = tuple[str, datetime, datetime]


class FeedError(Exception):
    """A feed cannot be read; the message names it and says why. Its catcher keeps what was read before."""


async def read_feed(team: str, feed: str, zone: str) -> list[Slot]:
    """Read a team's free dates; ``zone`` is that of times without one. Raises FeedError."""
    text = await _fetch(feed) if feed.startswith(("http://", "https://")) else _read(Path(feed))
    return parse_feed(team, feed, text, zone)


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
    # Two teams' calendars may number their events alike.
    unique = {identity: (starts, ends) for identity, starts, ends in slots}
    return [(_identity(team, identity), starts, ends) for identity, (starts, ends) in unique.items()]


def calendar_entry(identity: str, title: str, starts_at: datetime, ends_at: datetime, now: datetime) -> str:
    """Write one date as a calendar file that a customer may keep."""
    return calendar_file("dates", [(identity, title, starts_at, ends_at)], now)


def calendar_file(name: str, entries: Iterable[tuple[str, str, datetime, datetime]], now: datetime) -> str:
    """Write (identity, title, begin, end) each as a calendar file. Source: RFC 5545."""
    stamp = "%Y%m%dT%H%M%SZ"
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:-//proactive-support-gateway//{name}//EN", "METHOD:PUBLISH"]
    for identity, title, starts_at, ends_at in entries:
        lines += [
            "BEGIN:VEVENT",
            f"UID:{identity}",
            f"DTSTAMP:{now.astimezone(UTC):{stamp}}",
            f"DTSTART:{starts_at.astimezone(UTC):{stamp}}",
            f"DTEND:{ends_at.astimezone(UTC):{stamp}}",
            f"SUMMARY:{_escaped(title)}",
            "END:VEVENT",
        ]
    return "\r\n".join(_folded(line) for line in [*lines, "END:VCALENDAR", ""])


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
        except ValueError as error:
            raise FeedError(f"{feed}:{number}: {error}") from error
        if ends <= starts:
            raise FeedError(f"{feed}:{number}: ends_at is not after starts_at")
        yield (row.get("id") or f"{starts.isoformat()}/{ends.isoformat()}", starts, ends)


def _calendar(feed: str, text: str, zone: ZoneInfo) -> Iterator[Slot]:
    event: dict[str, tuple[str, str]] | None = None
    unfolded = re.sub(r"\r?\n[ \t]", "", text)
    for number, line in enumerate(unfolded.splitlines(), start=1):
        name, _, value = line.partition(":")
        name, _, parameters = name.partition(";")
        key = name.strip().upper()
        if key == "BEGIN" and value.strip().upper() == "VEVENT":
            event = {}
        elif key == "END" and value.strip().upper() == "VEVENT" and event is not None:
            yield _event(feed, number, event, zone)
            event = None
        elif event is not None:
            event[key] = (parameters, value.strip())


def _event(feed: str, number: int, event: dict[str, tuple[str, str]], zone: ZoneInfo) -> Slot:
    if "RRULE" in event or "RDATE" in event:
        raise FeedError(f"{feed}:{number}: an event repeats; export single events")
    if "DTSTART" not in event or "DTEND" not in event:
        raise FeedError(f"{feed}:{number}: an event lacks DTSTART or DTEND")
    try:
        starts, ends = (_moment(*event[name], zone) for name in ("DTSTART", "DTEND"))
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise FeedError(f"{feed}:{number}: {error}") from error
    if ends <= starts:
        raise FeedError(f"{feed}:{number}: an event ends before it begins")
    return event.get("UID", ("", f"{starts.isoformat()}/{ends.isoformat()}"))[1], starts, ends


def _moment(parameters: str, value: str, zone: ZoneInfo) -> datetime:
    named = re.search(r"TZID=\"?([^;\"]+)", parameters, re.IGNORECASE)
    if re.fullmatch(r"\d{8}", value):
        return _aware(datetime.combine(datetime.strptime(value, "%Y%m%d").replace(tzinfo=UTC).date(), time(0)), zone)
    at = datetime.strptime(value.removesuffix("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007  (its zone is beside it)
    if value.endswith("Z"):
        return at.replace(tzinfo=UTC)
    return _aware(at, ZoneInfo(named[1]) if named else zone)


def _aware(at: datetime, zone: ZoneInfo) -> datetime:
    return (at if at.tzinfo is not None else at.replace(tzinfo=zone)).astimezone(UTC)


def _identity(team: str, identity: str) -> str:
    return hashlib.sha256(f"{team}\0{identity}".encode()).hexdigest()[:24]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def _folded(line: str) -> str:
    """Fold at 75 octets (RFC 5545 §3.1), never within a character."""
    parts: list[str] = []
    current = ""
    for letter in line:
        if len((current + letter).encode()) > (75 if not parts else 74):
            parts.append(current)
            current = ""
        current += letter
    return "\r\n ".join([*parts, current])


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
