"""When a shop is open: OpenStreetMap's ``opening_hours`` in the shop's own zone, with its country's holidays.

Syntax: https://wiki.openstreetmap.org/wiki/Key:opening_hours/specification, read by opening-hours-py.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import tzfpy
from opening_hours import (  # type: ignore[attr-defined]  # its stub leaves the exceptions out
    OpeningHours,
    ParserError,
    State,
    UnknownCountryError,
)

from device_models.registry import Shop

_HORIZON = timedelta(days=370)
"""How far ahead an opening is looked for: a year, and the days that a yearly date may move."""
_UTC = ZoneInfo("UTC")
_PLACE_IN_ERROR = re.compile(r"--> \d+:(\d+)")
_COMMENT_ALONE = re.compile(r'\s*"[^"]*"\s*')


def check_opening_hours(text: str) -> str | None:
    """Return what is wrong with an ``opening_hours`` text and how to write it, None where it can be read."""
    try:
        OpeningHours(text, auto_country=False, auto_timezone=False)
    except ParserError as error:
        place = _PLACE_IN_ERROR.search(str(error))
        where = f" at column {place[1]}" if place else ""
        shown = text if len(text) <= 60 else text[:60] + "…"
        return (
            f"'{shown}' cannot be read{where}; write it as OpenStreetMap does, such as "
            "'Mo-Fr 09:00-18:00; Sa 10:00-14:00; PH off'"
        )
    return None


def zone_of(shop: Shop) -> ZoneInfo:
    """Return the time zone a shop stands in, by its coordinates; UTC where the sea has none."""
    return _zone_at(shop.latitude, shop.longitude)


def is_open(shop: Shop, at: datetime) -> bool | None:
    """Tell whether a shop is open at an aware time.

    True where no hours are given. None where nobody can tell: the text cannot be read (an import refuses such, yet old
    rows may hold one), says ``unknown``, or is a mere comment such as ``"by appointment"``.
    """
    if shop.opening_hours is None:
        return True
    hours = _hours_of(shop)
    if hours is None:
        return None
    state, _ = hours.state(at.astimezone(zone_of(shop)))
    return None if state == State.UNKNOWN else bool(state == State.OPEN)


def opens_next(shop: Shop, at: datetime) -> datetime | None:
    """Return when a shop next opens, UTC; ``at`` itself while it is open, None where that is not within a year."""
    return _next(shop, at, being_open=True)


def closes_next(shop: Shop, at: datetime) -> datetime | None:
    """Return when a shop next closes, UTC; ``at`` itself while it is closed, None where that is not within a year."""
    return _next(shop, at, being_open=False)


def _next(shop: Shop, at: datetime, *, being_open: bool) -> datetime | None:
    if shop.opening_hours is None:
        return at.astimezone(UTC) if being_open else None
    hours = _hours_of(shop)
    if hours is None:
        return None
    local = at.astimezone(zone_of(shop))
    for begins, _, state, _ in hours.intervals(local, local + _HORIZON):
        if (state == State.OPEN) is being_open:
            return max(begins.astimezone(UTC), at.astimezone(UTC))
    return None


@lru_cache(maxsize=16_384)
def _zone_at(latitude: float, longitude: float) -> ZoneInfo:
    try:
        return ZoneInfo(tzfpy.get_tz(longitude, latitude) or "UTC")
    except ZoneInfoNotFoundError:
        # tzfpy's boundaries may know a zone that this machine's tz database is too old for.
        return _UTC


def _hours_of(shop: Shop) -> OpeningHours | None:
    return _read(shop.opening_hours or "", shop.latitude, shop.longitude, shop.country)


@lru_cache(maxsize=16_384)
def _read(text: str, latitude: float, longitude: float, country: str | None) -> OpeningHours | None:
    if _COMMENT_ALONE.fullmatch(text):
        # The library calls it open; the specification calls a rule that is a comment alone unknown.
        return None
    zone = _zone_at(latitude, longitude)
    try:
        return OpeningHours(text, zone, country, (latitude, longitude), country is None, False)
    except UnknownCountryError:
        # No holiday calendar for it: `PH` then matches no day, and the rest holds.
        return OpeningHours(text, zone, None, (latitude, longitude), False, False)
    except ParserError:
        return None
