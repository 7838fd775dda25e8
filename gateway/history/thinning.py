"""Thinning a series out for a chart without losing what a reader looks for: spikes and silences. Pure.

The method is M4: of each of equal spans the first, lowest, highest and last sample. On a chart at least as many
pixels wide as there are spans the line drawn is the same as from all samples (Jugel, Jerzak, Hackenbroich and
Markl: "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB 2014).
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from gateway.history import Series

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SILENT_INTERVALS = 3
"""So many expected intervals without a sample are a gap: one lost message is not."""

Point = tuple[int, float]
"""(microseconds since the epoch, value)"""


def to_us(at: datetime) -> int:
    """Count microseconds since the epoch; exact, unlike ``timestamp()``."""
    return (at - EPOCH) // MICROSECOND


def from_us(at_us: int) -> datetime:
    """Return the aware UTC time of ``to_us``."""
    return EPOCH + at_us * MICROSECOND


@dataclass(frozen=True, slots=True)
class Span:
    """The four samples of one span that a chart needs; they may be one and the same."""

    first: Point
    lowest: Point
    highest: Point
    last: Point


@dataclass(frozen=True, slots=True)
class Thinned:
    """Points to draw, ascending, and the silences between them."""

    points: tuple[Point, ...] = ()
    gaps: tuple[tuple[int, int], ...] = ()

    def series(self, **rest: Any) -> Series:
        """Make a ``Series`` of it; ``rest`` are the fields that it does not know."""
        return Series(
            times=tuple(from_us(at) for at, _ in self.points),
            values=tuple(value for _, value in self.points),
            gaps=tuple((from_us(begins), from_us(ends)) for begins, ends in self.gaps),
            **rest,
        )


def span_count(max_points: int) -> int:
    """Tell into how many spans a series is cut; each gives up to four points. Raises ValueError below four."""
    if max_points < 4:
        raise ValueError(f"max_points: {max_points} is less than 4, one span's first, lowest, highest and last")
    return max_points // 4


def edges(since_us: int, until_us: int, count: int) -> list[int]:
    """Cut [``since_us``, ``until_us``) into ``count`` spans as equal as whole microseconds allow; return all edges."""
    count = max(1, min(count, until_us - since_us))
    return [since_us + (until_us - since_us) * n // count for n in range(count + 1)]


def cut(times: Sequence[int], since_us: int, until_us: int, count: int) -> Iterator[tuple[int, int]]:
    """Yield (begin, end) indices into ascending ``times`` for each span that holds any."""
    begin = 0
    for edge in edges(since_us, until_us, count)[1:]:
        end = bisect_left(times, edge, begin)
        if end > begin:
            yield begin, end
        begin = end


def evenly(times: Sequence[int], since_us: int, until_us: int, max_points: int) -> list[int]:
    """Return the indices of ascending ``times`` to keep: the first of each of equal spans, and the last."""
    if len(times) <= max_points:
        return list(range(len(times)))
    kept = [begin for begin, _ in cut(times, since_us, until_us, max_points - 1)]
    return kept if kept[-1] == len(times) - 1 else [*kept, len(times) - 1]


def thin(points: Sequence[Point], since_us: int, until_us: int, max_points: int, interval_us: int | None) -> Thinned:
    """Thin ascending ``points`` within [``since_us``, ``until_us``) out to ``max_points``; fewer stay as they are."""
    span_count(max_points)
    if len(points) <= max_points:
        steps = [later[0] - earlier[0] for earlier, later in pairwise(points)]
        usual = interval_us if interval_us is not None else (median(steps) if steps else 0)
        return Thinned(tuple(points), _gaps(((a[0], b[0]) for a, b in pairwise(points)), usual))
    spans = []
    for begin, end in cut([at for at, _ in points], since_us, until_us, span_count(max_points)):
        within = points[begin:end]
        lowest, highest = min(within, key=lambda p: (p[1], p[0])), max(within, key=lambda p: (p[1], -p[0]))
        spans.append(Span(within[0], lowest, highest, within[-1]))
    return from_spans(spans, len(points), interval_us)


def from_spans(spans: Sequence[Span], samples: int, interval_us: int | None, blur_us: int = 0) -> Thinned:
    """Draw spans that a database cut; ``samples`` is how many there were in all of them.

    ``blur_us``: silences up to this cannot be told, where the database does not give first and last of a span.
    """
    points = sorted({point for span in spans for point in (span.first, span.lowest, span.highest, span.last)})
    if interval_us is None:
        # Within spans only, so that the silences looked for do not themselves stretch what counts as usual.
        inner = sum(span.last[0] - span.first[0] for span in spans)
        interval_us = inner // max(1, samples - len(spans))
    usual_us = max(interval_us, blur_us / SILENT_INTERVALS)
    return Thinned(tuple(points), _gaps(((a.last[0], b.first[0]) for a, b in pairwise(spans)), usual_us))


def changes(points: Iterable[tuple[int, str]]) -> tuple[tuple[datetime, str], ...]:
    """Reduce ascending (time, text) to those where the text differs from the one before."""
    kept: list[tuple[datetime, str]] = []
    for at, text in points:
        if not kept or kept[-1][1] != text:
            kept.append((from_us(at), text))
    return tuple(kept)


def _gaps(neighbours: Iterable[tuple[int, int]], usual_us: float) -> tuple[tuple[int, int], ...]:
    return tuple((a, b) for a, b in neighbours if b - a > SILENT_INTERVALS * usual_us) if usual_us > 0 else ()
