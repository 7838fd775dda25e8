"""The time of day where a device is, and when it next becomes another that a condition cares about."""

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

_STEP = timedelta(minutes=15)
"""Zones are a whole number of quarters of an hour from UTC, and turn their clocks at one: so hours begin only there.
Source: IANA time zone database; the last exception, Liberia at -0:44:30, ended in 1972."""
_LOOK_AHEAD = 8 * 24 * 4
"""Steps: a little more than a week, after which days of the week repeat."""


def hour_of(at: datetime, zone: tzinfo) -> int:
    """Return the hour of the day, 0 to 23."""
    return at.astimezone(zone).hour


def weekday_of(at: datetime, zone: tzinfo) -> int:
    """Return the day of the week, Monday 1 to Sunday 7 (ISO 8601)."""
    return at.astimezone(zone).isoweekday()


def next_turn(what: str, op: str | None, literal: float | None, after: datetime, zone: tzinfo) -> datetime | None:
    """Return when ``hour_local`` or ``weekday_local`` next gives another answer to ``op literal``, or another value
    where ``op`` is None; None: not within a week, so never."""
    slot = int(after.timestamp() // _STEP.total_seconds())
    return _next_turn(what, op, literal, slot, zone)


@lru_cache(maxsize=4096)
def _next_turn(what: str, op: str | None, literal: float | None, slot: int, zone: tzinfo) -> datetime | None:
    # Devices of one zone ask for the same, so the walk is made once in a quarter of an hour.
    read = hour_of if what == "hour_local" else weekday_of
    at = datetime.fromtimestamp(slot * _STEP.total_seconds(), UTC)
    before = _answer(read(at, zone), op, literal)
    for _ in range(_LOOK_AHEAD):
        at += _STEP
        if _answer(read(at, zone), op, literal) != before:
            return at
    return None


def _answer(value: int, op: str | None, literal: float | None) -> object:
    if op is None or literal is None:
        return value
    answers = {
        "<": value < literal,
        "<=": value <= literal,
        ">": value > literal,
        ">=": value >= literal,
        "==": value == literal,
    }
    return answers.get(op, value != literal)
