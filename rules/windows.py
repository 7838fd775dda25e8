"""Sliding windows over one number of one device, in event time: bounded, JSON-ready, never a store query.

Each window keeps what its own question needs and no more, as rows of numbers that go into the device's state as they
are. ``after`` returns a new window and leaves the old one alone, since a commit that fails goes back to it. Times are
seconds since 1970, UTC, and never run backwards. A window of ``length_s`` holds what is at most that old, both ends
included.

An update looks at O(1) rows, amortised, and copies at most ``MOST_ROWS`` references. Up to ``MOST_ROWS`` rows a window
is exact. When more arrive, those of one cell, a 64th of the window's length, become one, so a window that is asked more
than that may be too long or too short by up to a 64th of its length (1.6 %); each class says which.
"""

import math
from bisect import bisect_left
from operator import itemgetter
from typing import Literal

Rows = list[list[float]]
"""JSON-ready; the first number of each row is its time."""

MOST_ROWS = 128
CELLS = MOST_ROWS // 2
"""Per length. Thinning leaves at most one row more than this, so it is due again only after as many arrivals."""


class Extreme:
    """The lowest or highest value of the window and when it was last seen: a monotonic deque.

    Crowded, a value that is neither the extreme nor the newest may be forgotten up to a 64th of the length early.
    """

    __slots__ = ("_sign", "rows")

    def __init__(self, which: Literal["lowest", "highest"], rows: Rows | None = None) -> None:
        """``rows``: what ``rows`` gave before; None begins an empty window."""
        self._sign = 1.0 if which == "lowest" else -1.0
        self.rows: Rows = rows or []
        """[time, value], the extreme first."""

    @property
    def at_s(self) -> float:
        """When the extreme was last seen; IndexError while the window is empty."""
        return self.rows[0][0]

    @property
    def value(self) -> float:
        """The extreme; IndexError while the window is empty."""
        return self.rows[0][1]

    def after(self, at_s: float, value: float, length_s: float) -> "Extreme":
        """Take in a sample."""
        rows, sign = self.rows, self._sign
        begin, end = _first_from(rows, at_s - length_s), len(rows)
        while end > begin and rows[end - 1][1] * sign >= value * sign:
            end -= 1
        kept = rows[begin:end]
        if len(kept) >= MOST_ROWS:
            kept = _first_of_cells(kept, length_s)
        kept.append([at_s, value])
        return Extreme("lowest" if sign > 0 else "highest", kept)

    def until(self, at_s: float, length_s: float) -> "Extreme":
        """Return the window as it is at a later time without a further sample; it may be empty."""
        kept = _not_older(self.rows, at_s - length_s)
        return self if kept is self.rows else Extreme("lowest" if self._sign > 0 else "highest", kept)


class Ends:
    """The first and the last sample of the window, and so delta and rate between them.

    Crowded, the first sample may be up to a 64th of the length younger than the oldest; ``span_s`` is true in any case.
    """

    __slots__ = ("rows",)

    def __init__(self, rows: Rows | None = None) -> None:
        """``rows``: what ``rows`` gave before; None begins an empty window."""
        self.rows: Rows = rows or []
        """[time, value], in the order of time."""

    def after(self, at_s: float, value: float, length_s: float) -> "Ends":
        """Take in a sample."""
        kept = self.rows[_first_from(self.rows, at_s - length_s) :]
        if len(kept) >= MOST_ROWS:
            kept = _first_of_cells(kept, length_s)
        kept.append([at_s, value])
        return Ends(kept)

    def until(self, at_s: float, length_s: float) -> "Ends":
        """Return the window as it is at a later time without a further sample; it may be empty."""
        kept = _not_older(self.rows, at_s - length_s)
        return self if kept is self.rows else Ends(kept)

    @property
    def first(self) -> tuple[float, float]:
        """(time, value); IndexError while the window is empty."""
        return self.rows[0][0], self.rows[0][1]

    @property
    def last(self) -> tuple[float, float]:
        """(time, value); IndexError while the window is empty."""
        return self.rows[-1][0], self.rows[-1][1]

    @property
    def delta(self) -> float:
        """Last minus first; 0 for a single sample."""
        return self.rows[-1][1] - self.rows[0][1]

    @property
    def span_s(self) -> float:
        """Seconds between the two."""
        return self.rows[-1][0] - self.rows[0][0]

    @property
    def rate_per_s(self) -> float | None:
        """Delta by span; None while all samples are of one moment."""
        return self.delta / self.span_s if self.span_s else None


class Totals:
    """Count, sum and average of the window, by running totals.

    Crowded, a sample may count up to a 64th of the length too long.
    """

    __slots__ = ("rows",)

    _REBASE_AT = 4096.0

    def __init__(self, rows: Rows | None = None) -> None:
        """``rows``: what ``rows`` gave before; None begins an empty window."""
        self.rows: Rows = rows or [[0.0, 0.0, 0.0]]
        """[time, count, sum] with all samples before added up; the first row is the last that is outside."""

    def after(self, at_s: float, value: float, length_s: float) -> "Totals":
        """Take in a sample."""
        rows = self.rows
        outside = max(0, _first_from(rows, at_s - length_s) - 1)
        kept = rows[outside:]
        if len(kept) > MOST_ROWS:
            kept = [kept[0], *_last_of_cells(kept[1:], length_s)]
        count, total = kept[-1][1], kept[-1][2]
        if count >= self._REBASE_AT:
            # Sums that grow for years would lose their last digits.
            _, count0, total0 = kept[0]
            kept = [[at, n - count0, s - total0] for at, n, s in kept]
            count, total = count - count0, total - total0
        kept.append([at_s, count + 1, total + value])
        return Totals(kept)

    def until(self, at_s: float, length_s: float) -> "Totals":
        """Return the window as it is at a later time without a further sample; it may be empty."""
        outside = max(0, bisect_left(self.rows, at_s - length_s, key=itemgetter(0)) - 1)
        return Totals(self.rows[outside:]) if outside else self

    @property
    def count(self) -> int:
        """Samples in the window."""
        return int(self.rows[-1][1] - self.rows[0][1])

    @property
    def sum(self) -> float:
        """Sum of their values."""
        return self.rows[-1][2] - self.rows[0][2]

    @property
    def average(self) -> float | None:
        """Their mean; None while there are none."""
        return self.sum / self.count if self.count else None


class Times:
    """When something happened last, as often as is asked for and no more: exact, whatever arrives."""

    __slots__ = ("times",)

    def __init__(self, times: list[float] | None = None) -> None:
        """``times``: what ``times`` gave before."""
        self.times: list[float] = times or []
        """In the order of time."""

    def after(self, at_s: float, most: int) -> "Times":
        """Take in that it happened; only the last ``most`` are kept."""
        return Times([*self.times[max(0, len(self.times) + 1 - most) :], at_s])

    def within(self, at_s: float, length_s: float) -> list[float]:
        """Return those in the window that ends at ``at_s``."""
        since = at_s - length_s
        return [t for t in self.times if t >= since]


class Steady:
    """Since when a value stays where it is: within ``tolerance`` of what it was when it came there.

    A value that drifts leaves that band, however slowly; one that jitters by at most ``tolerance`` from its lowest to
    its highest never does.
    """

    __slots__ = ("at_s", "since_s", "value")

    def __init__(self, value: float, since_s: float, at_s: float) -> None:
        self.value = value
        """What it was then."""
        self.since_s = since_s
        self.at_s = at_s
        """The last sample."""

    @classmethod
    def of(cls, row: list[float]) -> "Steady":
        """Read what ``row`` gave."""
        return cls(*row)

    @property
    def row(self) -> list[float]:
        """The JSON-ready form."""
        return [self.value, self.since_s, self.at_s]

    def after(self, at_s: float, value: float, tolerance: float, longest_gap_s: float) -> "Steady":
        """Take in a sample; nobody knows what the value did in a gap longer than ``longest_gap_s``."""
        stays = at_least(tolerance, abs(value - self.value)) and at_s - self.at_s <= longest_gap_s
        return Steady(self.value, self.since_s, at_s) if stays else Steady(value, at_s, at_s)


def at_least(value: float, limit: float) -> bool:
    """Tell whether ``value >= limit``, as people reckon: from 20.0 to 20.1 is 0.1, though not in binary fractions."""
    return value >= limit or math.isclose(value, limit, rel_tol=1e-9, abs_tol=1e-12)


def _first_from(rows: Rows, since: float) -> int:
    """Index of the first row that is not older; expired rows are met once each, since they are dropped after."""
    index = 0
    while index < len(rows) and rows[index][0] < since:
        index += 1
    return index


def _not_older(rows: Rows, since: float) -> Rows:
    """The very rows where none is older, as right after a sample."""
    if not rows or rows[0][0] >= since:
        return rows
    return rows[bisect_left(rows, since, key=itemgetter(0)) :]


def _first_of_cells(rows: Rows, length_s: float) -> Rows:
    width = length_s / CELLS
    kept, last_cell = [], -math.inf
    for row in rows:
        cell = row[0] // width
        if cell != last_cell:
            kept.append(row)
        last_cell = cell
    return kept


def _last_of_cells(rows: Rows, length_s: float) -> Rows:
    width = length_s / CELLS
    kept: Rows = []
    for row in rows:
        if kept and kept[-1][0] // width == row[0] // width:
            kept[-1] = row
        else:
            kept.append(row)
    return kept
