"""What the functions of conditions give: out of a device's windows, its twin and the time of day where it is.

Windows are kept once per device, whatever number of rules asks for them, and hold what a message brought; the value of
a call is worked out from them for the moment at which a condition is looked at. ``turns_at`` tells when it will become
another by time alone, so that a timer can look again when no further message comes.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from operator import itemgetter
from typing import Any

from device_models.event import Value
from device_models.twin import Twin
from rules.conditions.functions import CLOCK, Call, Window
from rules.conditions.local_time import hour_of, next_turn, weekday_of
from rules.windows import Ends, Extreme, Steady, Totals, at_least

Windows = Mapping[str, Any]
"""By ``Window.key``; JSON-ready, values that are never changed in place."""

JUST_AFTER_S = 1e-6
"""Time is read as if it were a microsecond later: an age that reaches its limit has passed it, and a sample leaves its
window, at the very time that people reckon with; below that a double would have no digits left since 1970."""
_MONOTONE = frozenset({"<", "<=", ">", ">="})


@dataclass(frozen=True, slots=True)
class Around:
    """The moment in which calls are evaluated."""

    at: datetime
    zone: tzinfo
    observed_at: Mapping[str, datetime]
    """The twin's."""
    windows: Windows


def windows_after(
    wanted: Iterable[Window],
    windows: Windows,
    twin: Twin,
    values: Mapping[str, Value],
    at: datetime,
    longest_gap_s: float,
) -> Windows:
    """Take what a message brought into the windows that want it; the same object where that changes none.

    Args:
        wanted: Those whose field is among ``values``.
        twin: As it was before the message.
        at: The rules' time, which never runs backwards.
        longest_gap_s: How long a sample speaks for the time after it.
    """
    at_s, changed = at.timestamp(), {}
    for window in wanted:
        before = windows.get(window.key)
        after = _after(window, before, twin, values[window.field], at_s, longest_gap_s)
        if after is not before:
            changed[window.key] = after
    return {**windows, **changed} if changed else windows


def values_of(calls: Iterable[Call], around: Around) -> dict[str, float]:
    """Return the value of each call by its variable; what is not known is left out."""
    found = {}
    for call in calls:
        value = _value(call, around)
        if value is not None:
            found[call.variable] = value
    return found


def turns_at(call: Call, op: str | None, literal: float | None, around: Around) -> datetime | None:
    """Return the first moment after this one at which ``call op literal`` may give another answer by time alone.

    ``op`` None: the call stands otherwise than compared with a number. None: never, or nobody can tell beforehand.
    """
    if call.name in CLOCK:
        return next_turn(call.name, op, literal, around.at, around.zone)
    if op is None or literal is None or not math.isfinite(literal):
        return None
    since_s = _since_s(call, around)
    if since_s is not None:
        turn = _moment(since_s + literal)
    elif call.name == "count":
        turn = _shrinking(call, op, literal, around)
    elif call.name in ("min", "max"):
        turn = _fading(call, op, literal, around)
    else:
        return None
    return turn if turn is not None and turn > around.at else None


def _after(window: Window, before: Any, twin: Twin, value: Value, at_s: float, longest_gap_s: float) -> Any:
    if window.family == "since":
        return _taken_up(window.field, before, twin, value, at_s)
    if window.family == "count":
        return Totals(before).after(at_s, 0.0, window.length_s).rows
    if isinstance(value, bool | str):
        return before
    number = float(value)
    match window.family:
        case "totals":
            return Totals(before).after(at_s, number, window.length_s).rows
        case "lowest" | "highest":
            return Extreme(window.family, before).after(at_s, number, window.length_s).rows
        case "ends":
            return Ends(before).after(at_s, number, window.length_s).rows
        case _:
            steady = Steady.of(before) if before else Steady(number, at_s, at_s)
            return steady.after(at_s, number, window.tolerance, longest_gap_s).row


def _taken_up(field: str, before: Any, twin: Twin, value: Value, at_s: float) -> list[Any]:
    """[value, since]; a field that was known before anybody asked for its age is as old as its last report."""
    if before is None and field in twin.values:
        before = [twin.values[field], twin.observed_at[field].timestamp()]
    # A number and a truth value are equal in Python and different things in a payload.
    same = before is not None and before[0] == value and isinstance(before[0], bool) is isinstance(value, bool)
    return before if same else [value, at_s]


def _value(call: Call, around: Around) -> float | None:
    if call.name in CLOCK:
        read = hour_of if call.name == "hour_local" else weekday_of
        return float(read(around.at, around.zone))
    since_s = _since_s(call, around)
    if since_s is not None:
        # Rounded, since doubles of today have a quarter of a microsecond to spare: nobody's limit is to feel that.
        return max(0.0, round(around.at.timestamp() - since_s, 6)) + JUST_AFTER_S
    kept = around.windows.get(call.window.key) if call.window else None
    return None if kept is None else _measured(call, kept, around.at.timestamp() + JUST_AFTER_S)


def _since_s(call: Call, around: Around) -> float | None:
    if call.field is None or call.name not in ("age", "heard_age"):
        return None
    kept = around.windows.get(call.window.key) if call.window else None
    if kept is not None:
        return float(kept[1])
    heard_at = around.observed_at.get(call.field)
    return heard_at.timestamp() if heard_at else None


def _measured(call: Call, kept: Any, at_s: float) -> float | None:
    match call.name:
        case "count":
            return float(Totals(kept).until(at_s, call.length_s).count)
        case "avg":
            return Totals(kept).until(at_s, call.length_s).average
        case "min" | "max":
            extreme = Extreme("lowest" if call.name == "min" else "highest", kept).until(at_s, call.length_s)
            return extreme.value if extreme.rows else None
        case "delta":
            ends = Ends(kept).until(at_s, call.length_s)
            return ends.delta if ends.rows else None
        case "rate":
            ends = Ends(kept).until(at_s, call.length_s)
            # Two samples a minute apart say nothing about six hours.
            per_s = ends.rate_per_s if ends.rows and at_least(ends.span_s, call.length_s / 2) else None
            return None if per_s is None else per_s * call.per_s
        case _:
            steady = Steady.of(kept)
            return steady.at_s - steady.since_s


def _shrinking(call: Call, op: str, literal: float, around: Around) -> datetime | None:
    """When so many samples have left that their count passes the limit."""
    kept = around.windows.get(call.window.key) if call.window else None
    if kept is None:
        return None
    rows = Totals(kept).until(around.at.timestamp() + JUST_AFTER_S, call.length_s).rows
    count, last = rows[-1][1] - rows[0][1], rows[-1][1]
    if op in (">", "<="):
        lower = math.floor(literal)
    elif op in (">=", "<"):
        lower = math.ceil(literal) - 1
    else:
        lower = int(literal) if count > literal else math.ceil(literal) - 1
    if lower < 0 or count <= lower:
        return None
    # The first row is outside already; the count is down to the limit when this one has left as well.
    leaving = bisect_left(rows, last - lower, key=itemgetter(1))
    return _moment(rows[leaving][0] + call.length_s)


def _fading(call: Call, op: str, literal: float, around: Around) -> datetime | None:
    """When the extremes beyond the limit have left, as far as one within it is there to take their place."""
    kept = around.windows.get(call.window.key) if call.window else None
    if kept is None or op not in _MONOTONE:
        return None
    extreme = Extreme("lowest" if call.name == "min" else "highest", kept)
    rows = extreme.until(around.at.timestamp() + JUST_AFTER_S, call.length_s).rows
    if not rows or _holds(rows[0][1], op, literal) == _holds(rows[-1][1], op, literal):
        return None
    # From the extreme to the newest the values go one way only, so the answer changes once.
    first = _holds(rows[0][1], op, literal)
    turn = bisect_left(rows, True, key=lambda row: _holds(row[1], op, literal) != first)
    return _moment(rows[turn - 1][0] + call.length_s)


def _holds(value: float, op: str, literal: float) -> bool:
    if op == ">":
        return value > literal
    if op == ">=":
        return value >= literal
    return value < literal if op == "<" else value <= literal


def _moment(at_s: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(at_s, UTC)
    except (ValueError, OverflowError, OSError):
        # Beyond what a calendar has: never.
        return None
