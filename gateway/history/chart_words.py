"""A chart in words, for those who do not see it. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from gateway.history import Series, SeriesKind
from gateway.history.axes import write_number, write_time


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
) -> str:
    """Say of numbers what a glance at the chart tells: range, last value, limit, when it fired, silences."""

    def time(at: datetime) -> str:
        return write_time(at, series.since, series.until, zone)

    def number(value: float) -> str:
        if series.kind is SeriesKind.BOOL:
            return "yes" if value else "no"
        return f"{write_number(value, decimals)} {unit}".strip()

    sentences = [f"{title} from {time(series.since)} to {time(series.until)}."]
    if series.kind is not SeriesKind.BOOL and len(series.values) > 1:
        low, high = min(series.values), max(series.values)
        at = dict(zip(series.values, series.times, strict=True))
        sentences.append(f"Lowest {number(low)} at {time(at[low])}, highest {number(high)} at {time(at[high])}.")
    sentences.append(f"Last {number(series.values[-1])} at {time(series.times[-1])}.")
    if limit is not None:
        sentences.append(f"Limit {number(limit)}" + (f", wrong {direction} it." if direction else "."))
    sentences += [f"Firing from {time(begin)} to {time(end)}." for begin, end in firing]
    sentences += [f"No data from {time(begin)} to {time(end)}." for begin, end in series.gaps[:5]]
    if len(series.gaps) > 5:
        sentences.append(f"{len(series.gaps) - 5} more times without data.")
    return " ".join(sentences)


def describe_states(series: Series, *, title: str, zone: ZoneInfo) -> str:
    """Say of a text what it was at last, and how often it changed."""
    at, last = series.changes[-1]
    when = write_time(max(at, series.since), series.since, series.until, zone)
    changed = len(series.changes) - 1
    how_often = "It did not change." if changed == 0 else f"It changed {changed} time{'s' if changed > 1 else ''}."
    return f"{title}: {last} since {when}. {how_often}"
