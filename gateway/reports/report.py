"""What every report is made of: a period, figures beside those of the period before, a table."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Period:
    """From ``since`` up to, and without, ``until``; aware UTC."""

    since: datetime
    until: datetime

    @property
    def before(self) -> "Period":
        """The period of the same length that ends where this one begins."""
        return Period(self.since - (self.until - self.since), self.since)

    @property
    def hours(self) -> float:
        """Its length."""
        return (self.until - self.since) / timedelta(hours=1)


class Unit(StrEnum):
    """What a number counts."""

    SHARE = "share"
    """0 to 1."""
    SECONDS = "seconds"
    COUNT = "count"
    PER_HOUR = "per_hour"
    MONEY = "money"
    """In ``Report.currency``."""
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, and what it rests on."""

    name: str
    label: str
    value: float | None
    """None: not enough to say; ``note`` says what is missing."""
    unit: Unit
    of: int
    """How many cases, messages, … it was made from."""
    before: float | None = None
    """The same in the period before."""
    better: Literal["up", "down"] | None = None
    """Which way is good; None: neither."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a report's table."""

    name: str
    label: str
    unit: Unit = Unit.TEXT


@dataclass(frozen=True, slots=True)
class Report:
    """One section of the page, one CSV, one answer of the API."""

    name: str
    title: str
    explains: str
    """What is counted, in a sentence or two."""
    figures: tuple[Figure, ...] = ()
    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    currency: str | None = None
    """Of its money, ISO 4217; None where there is none."""


def share(part: int, whole: int) -> float | None:
    """Return ``part / whole``; None of nothing."""
    return part / whole if whole else None


def median_s(spans: Sequence[timedelta]) -> float | None:
    """Return the middle span in seconds, the mean of both where there are two; None of none."""
    return statistics.median(span.total_seconds() for span in spans) if spans else None


def quantile_s(spans: Sequence[timedelta], q: float) -> float | None:
    """Return the span in seconds that a share ``q`` of them does not exceed (nearest rank); None of none."""
    ordered = sorted(spans)
    return ordered[min(len(ordered) - 1, max(0, -int(-q * len(ordered) // 1) - 1))].total_seconds() if ordered else None
