"""The history: every sample and fix a device sent, kept for charts, maps and backtests.

One interface, two implementations that pass one contract suite: a table of our own
(``gateway.history.embedded``) and InfluxDB (``gateway.history.influxdb``). The history is never in the way of
cases: it knows how far it is and reads what it missed from the log (``gateway.history.recorder``).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from device_models.event import Position, Value

MAX_TEXT = 500
"""Characters of a text value that are kept: a state or a message, not a device's whole log."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one device said at one time; a second sample of that device and time adds to it or replaces it."""

    device_id: str
    observed_at: datetime
    """Aware UTC."""
    values: Mapping[str, Value] = field(default_factory=dict)
    """By field name; a number that is not finite is left out."""
    units: Mapping[str, str] = field(default_factory=dict)
    """UCUM unit by field name, where known."""
    position: Position | None = None
    """None also where nobody agreed to its being kept."""


class SeriesKind(StrEnum):
    """What a field holds; of one that changed its mind, what it held last."""

    NUMBER = "number"
    BOOL = "bool"
    TEXT = "text"


def classify(value: Value) -> tuple[SeriesKind | None, float]:
    """Tell what a value is and its number (0 for a text); kind None for a number that no finite float holds."""
    if isinstance(value, bool):
        return SeriesKind.BOOL, float(value)
    if isinstance(value, str):
        return SeriesKind.TEXT, 0.0
    try:
        number = float(value)
    except OverflowError:
        return None, 0.0
    return (SeriesKind.NUMBER, number) if math.isfinite(number) else (None, 0.0)


def storable(text: str) -> str:
    """Return ``text`` with lone surrogates replaced, which JSON's ``\\ud800`` gives and no database takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


@dataclass(frozen=True, slots=True)
class Series:
    """One field of one device over a span of time, ready to be drawn."""

    device_id: str
    field: str
    since: datetime
    until: datetime
    """The span asked for, ``until`` excluded."""
    kind: SeriesKind = SeriesKind.NUMBER
    unit: str = ""
    """UCUM; empty where the device never stated one."""
    times: tuple[datetime, ...] = ()
    """Aware UTC, ascending: times of real samples, also where the series was thinned out."""
    values: tuple[float, ...] = ()
    """As long as ``times``; finite; 0 or 1 for a bool."""
    gaps: tuple[tuple[datetime, datetime], ...] = ()
    """(last sample before, first sample after) each silence; both ends are in ``times``."""
    changes: tuple[tuple[datetime, str], ...] = ()
    """Of a text: when it took which value. The first may lie before ``since``: it held when the span began."""


@dataclass(frozen=True, slots=True)
class Fix:
    """Where a device was, and when it said so."""

    observed_at: datetime
    position: Position


class HistoryError(Exception):
    """The history cannot be used as it is configured or lies on disk; the message says what to do."""


class HistoryUnavailable(HistoryError):
    """The history cannot be reached or written just now. Trying again later is safe: writes are idempotent."""


class History(Protocol):
    """Where samples are kept. All methods may raise ``HistoryUnavailable``."""

    async def write(self, samples: Sequence[Sample], *, sequence: int | None = None) -> None:
        """Keep ``samples``, then remember that the log is recorded up to and with ``sequence``.

        Idempotent on (device, field, ``observed_at``). The sequence is stored after the samples or with them,
        so that a crash in between writes them again rather than never.
        """

    async def series(
        self,
        device_id: str,
        field: str,
        since: datetime,
        until: datetime,
        max_points: int,
        *,
        interval: timedelta | None = None,
    ) -> Series:
        """Read one field within [``since``, ``until``), thinned out to at most ``max_points`` (at least 4).

        Thinning keeps the first, lowest, highest and last sample of each of equal spans, so that a spike of one
        sample stays visible. ``interval`` is how often the device is expected to be heard (its profile's
        ``reporting_interval``); None: judged by the samples themselves. A silence of more than three intervals
        is a gap. Nothing known gives an empty series, no error.
        """

    async def positions(self, device_id: str, since: datetime, until: datetime, max_points: int) -> list[Fix]:
        """Read where a device was within [``since``, ``until``), ascending.

        Of more than ``max_points`` (at least 2) fixes the first of each of equal spans and the last of all.
        """

    async def fields(self, device_id: str) -> list[str]:
        """List the fields that have samples, sorted."""

    async def last_sequence(self) -> int:
        """Tell how far the log was recorded; 0 at first."""

    async def erase(self, device_id: str) -> None:
        """Forget all samples and fixes of a device."""

    async def size_bytes(self) -> int | None:
        """Tell how much disk the history takes; None where a server keeps that to itself."""

    async def close(self) -> None:
        """Let go of files and connections, after what was accepted has been written."""
