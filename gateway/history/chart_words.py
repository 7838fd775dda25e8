"""A chart in words, for those who do not see it. Pure."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from gateway.history import Series, SeriesKind
from gateway.history.axes import Day, english_day, write_number, write_time


class Say(Protocol):
    """Says an English text in the viewer's language, with ``put`` for ``{1}``, ``{2}``, …"""

    def __call__(self, msgid: str, /, *put: object) -> str:
        """Return it, filled."""
        ...


def english(msgid: str, /, *put: object) -> str:
    """Say it as it is."""
    return re.sub(r"\{(\d+)\}", lambda number: str(put[int(number[1]) - 1]), msgid)


def describe(
    series: Series,
    *,
    title: str,
    unit: str,
    decimals: int,
    limit: float | None,
    direction: Literal["above", "below"] | None,
    firing: Sequence[tuple[datetime, datetime]],
    zone: ZoneInfo,
    say: Say = english,
    day: Day = english_day,
    decimal: str = ".",
) -> str:
    """Say of numbers what a glance at the chart tells: range, last value, limit, when it fired, silences."""

    def time(at: datetime) -> str:
        return write_time(at, series.since, series.until, zone, day)

    def number(value: float) -> str:
        if series.kind is SeriesKind.BOOL:
            return say("yes") if value else say("no")
        return f"{write_number(value, decimals).replace('.', decimal)} {unit}".strip()

    sentences = [say("{1} from {2} to {3}.", title, time(series.since), time(series.until))]
    if series.kind is not SeriesKind.BOOL and len(series.values) > 1:
        low, high = min(series.values), max(series.values)
        at = dict(zip(series.values, series.times, strict=True))
        extremes = number(low), time(at[low]), number(high), time(at[high])
        sentences.append(say("Lowest {1} at {2}, highest {3} at {4}.", *extremes))
    sentences.append(say("Last {1} at {2}.", number(series.values[-1]), time(series.times[-1])))
    if limit is not None:
        said = number(limit)
        beyond = (
            say("Limit {1}, wrong above it.", said) if direction == "above" else say("Limit {1}, wrong below it.", said)
        )
        sentences.append(beyond if direction else say("Limit {1}.", said))
    sentences += [say("Firing from {1} to {2}.", time(begin), time(end)) for begin, end in firing]
    sentences += [say("No data from {1} to {2}.", time(begin), time(end)) for begin, end in series.gaps[:5]]
    if len(series.gaps) > 5:
        sentences.append(say("{1} more times without data.", len(series.gaps) - 5))
    return " ".join(sentences)


def describe_states(series: Series, *, title: str, zone: ZoneInfo, say: Say = english, day: Day = english_day) -> str:
    """Say of a text what it was at last, and how often it changed."""
    at, last = series.changes[-1]
    when = write_time(max(at, series.since), series.since, series.until, zone, day)
    changed = len(series.changes) - 1
    once = say("It did not change.") if changed == 0 else say("It changed once.")
    how_often = say("It changed {1} times.", changed) if changed > 1 else once
    return f"{say('{1}: {2} since {3}.', title, last, when)} {how_often}"
