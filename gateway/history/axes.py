"""Where a chart's axes have their ticks and what stands beside them. Pure."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as wall_time
from zoneinfo import ZoneInfo

_SECOND, _MINUTE, _HOUR, _DAY = 1, 60, 3_600, 86_400
_STEPS_S = (
    *(n * _SECOND for n in (1, 2, 5, 10, 15, 30)),
    *(n * _MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * _HOUR for n in (1, 2, 3, 6, 12)),
)
_STEPS_DAYS = (1, 2, 4, 7, 14)
_STEPS_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# Beyond these the arithmetic of an axis would leave what a float holds; no measured quantity comes near.
_LARGEST, _SMALLEST = 1e300, 1e-280

_UNIT_LABELS = {
    "Cel": "°C",
    "[degF]": "°F",
    "deg": "°",
    "kW.h": "kWh",
    "W.h": "Wh",
    "A.h": "Ah",
    "mA.h": "mAh",
    "[ppm]": "ppm",
    "[ppb]": "ppb",
    "ug/m3": "µg/m³",
    "m3": "m³",
    "m2": "m²",
    "m3/h": "m³/h",
    "L": "l",
    "L/min": "l/min",
    "um": "µm",
    "us": "µs",
    "m/s2": "m/s²",
    "B[W]": "dBW",
    "dB[mW]": "dBm",
    "[mi_i]": "mi",
    "[mi_i]/h": "mph",
    "[psi]": "psi",
    "{rpm}": "rpm",
    "/min": "1/min",
    "1": "",
}


Day = Callable[[datetime, bool], str]
"""Writes the day of a wall time as the viewer does, with its year or without."""


def english_day(at: datetime, year: bool) -> str:
    """Write a day: ``2 Mar``, ``2 Mar 2026``."""
    return f"{at.day} {_MONTHS[at.month - 1]}{f' {at.year}' if year else ''}"


def unit_label(ucum: str) -> str:
    """Write a UCUM unit as people do: ``Cel`` is °C; one that is not known here stands as it is."""
    return _UNIT_LABELS.get(ucum, ucum.strip("{}"))


def write_number(value: float, decimals: int) -> str:
    """Write a number with a true minus sign, no negative zero, and thousands apart; from 10⁹ on with an exponent."""
    if abs(value) >= 1e9:
        mantissa, _, exponent = f"{value:.2e}".partition("e")
        return f"{mantissa}·10^{int(exponent)}".replace("-", "−")
    # Four digits stay together, as years and cycle counts do.
    text = f"{value:,.{decimals}f}" if abs(value) >= 10_000 else f"{value:.{decimals}f}"
    sign = "" if float(text.replace(",", "")) == 0 else "−"
    return text.replace("-", sign).replace(",", "\u202f")


@dataclass(frozen=True, slots=True)
class Scale:
    """The value axis: its ends, and the ticks within them."""

    low: float
    high: float
    ticks: tuple[float, ...]
    decimals: int
    """How many the labels of the ticks need."""


def value_scale(low: float, high: float, most_ticks: int) -> Scale:
    """Choose an axis that holds ``low`` to ``high`` with steps of 1, 2, 2.5 or 5 times a power of ten.

    A flat series gets an axis of one unit to either side, more for large values, so that noise of the last bit
    is not blown up to the full height.
    """
    low, high = max(low, -_LARGEST), min(high, _LARGEST)
    if high - low <= max(abs(low), abs(high), _SMALLEST) * 1e-9:
        margin = max(1.0, abs(low) * 0.05)
        low, high = low - margin, high + margin
    rough = (high - low) / max(1, most_ticks - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    decimals = next((n for n in range(10) if math.isclose(step * 10**n, round(step * 10**n), rel_tol=1e-9)), 10)
    ticks = tuple(n * step for n in range(first, last + 1))
    return Scale(ticks[0], ticks[-1], ticks, decimals)


@dataclass(frozen=True, slots=True)
class Tick:
    """One place on the time axis."""

    at: datetime
    label: str


def time_ticks(since: datetime, until: datetime, zone: ZoneInfo, most_ticks: int, day: Day = english_day) -> list[Tick]:
    """Choose round times of the viewer's day within [``since``, ``until``]; midnight is labelled by its date."""
    for ticks in _candidates(since, until, zone, max(2, most_ticks), day):
        if len(ticks) <= max(2, most_ticks):
            return ticks
    return []


def _candidates(since: datetime, until: datetime, zone: ZoneInfo, most: int, written: Day) -> Iterator[list[Tick]]:
    length_s = (until - since).total_seconds()
    for step_s in _STEPS_S:
        if length_s / step_s <= most + 1:
            yield _within_days(since, until, zone, step_s, written)
    for days in _STEPS_DAYS:
        if length_s / _DAY / days <= most + 1:
            yield [
                Tick(at, written(datetime.combine(day, wall_time()), False))
                for day, at in _midnights(since, until, zone)
                if day.toordinal() % days == 0
            ]
    for months in _STEPS_MONTHS:
        yield [
            Tick(at, str(day.year) if day.month == 1 else _MONTHS[day.month - 1])
            for day, at in _midnights(since, until, zone)
            if day.day == 1 and (day.year * 12 + day.month - 1) % months == 0
        ]


def _within_days(since: datetime, until: datetime, zone: ZoneInfo, step_s: int, written: Day) -> list[Tick]:
    ticks: list[Tick] = []
    day = since.astimezone(zone).date()
    while day <= until.astimezone(zone).date():
        midnight = datetime.combine(day, wall_time())
        begin_s = 0
        if not ticks:
            begin_s = int((since.astimezone(zone).replace(tzinfo=None) - midnight).total_seconds()) // step_s * step_s
        for offset_s in range(begin_s, _DAY, step_s):
            wall = (midnight + timedelta(seconds=offset_s)).replace(tzinfo=zone)
            at = wall.astimezone(UTC)
            if at > until:
                return ticks
            # On the day a zone changes its clocks some wall times do not exist.
            exists = at.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None)
            if at >= since and exists and (not ticks or at > ticks[-1].at):
                clock = f"{wall:%H:%M:%S}" if step_s < _MINUTE else f"{wall:%H:%M}"
                ticks.append(Tick(at, clock if offset_s else written(midnight, False)))
        day += timedelta(days=1)
    return ticks


def _midnights(since: datetime, until: datetime, zone: ZoneInfo) -> Iterator[tuple[date, datetime]]:
    day, last = since.astimezone(zone).date(), until.astimezone(zone).date()
    while day <= last:
        at = datetime.combine(day, wall_time(), zone).astimezone(UTC)
        if since <= at <= until:
            yield day, at
        day += timedelta(days=1)


def write_span(since: datetime, until: datetime, zone: ZoneInfo, day: Day = english_day) -> str:
    """Write which days a chart shows: ``1 Mar 2026``, ``1–3 Mar 2026``, ``28 Feb – 3 Mar 2026``."""
    # A span that ends at midnight does not show that day.
    first, last = since.astimezone(zone), (until - timedelta(microseconds=1)).astimezone(zone)
    end = day(last, True)
    if first.date() >= last.date():
        return end
    if day is english_day and (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{end}"
    return f"{day(first, first.year != last.year)} – {end}"


def write_time(at: datetime, since: datetime, until: datetime, zone: ZoneInfo, day: Day = english_day) -> str:
    """Write a time as briefly as a chart's span allows: seconds up to ten minutes, the day where it shows several."""
    local, length = at.astimezone(zone), until - since
    if length <= timedelta(minutes=10):
        return f"{local:%H:%M:%S}"
    same_day = since.astimezone(zone).date() == (until - timedelta(microseconds=1)).astimezone(zone).date()
    return f"{local:%H:%M}" if same_day else f"{day(local, False)} {local:%H:%M}"
