"""Business time: how much of it lies between two moments, and when some of it will have passed. Pure.

Hours are written as OpenStreetMap writes them, the weekly part of it: ``Mo-Fr 09:00-17:00; Sa 10:00-14:00``, ``24/7``.
A shift belongs to the day on which it begins: ``Fr 22:00-06:00`` lasts until Saturday morning, and does not take place
where Friday is a holiday. On the days on which clocks change a shift begins and ends by the wall clock, so it is an
hour shorter or longer, and so is the work that fits into it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_HORIZON = 400
"""Days that are looked through for the next shift: more than a year, so that a yearly closure ends within them."""
_PART = re.compile(r"(?P<days>[A-Za-z,\- ]+?)\s+(?P<times>\d.*)")
_SPAN = re.compile(r"(\d{1,2}:\d{2})\s*-\s*(\d{1,2}:\d{2})")
_HOW = "write it like 'Mo-Fr 09:00-17:00; Sa 10:00-14:00', or '24/7'"


@dataclass(frozen=True, slots=True)
class Shift:
    """Hours of work on one day of each week, by the wall clock."""

    day: int
    """0 is Monday: the day on which it begins."""
    begins: time
    ends: time
    """At or before ``begins``: on the next day."""


def parse_hours(text: str) -> tuple[Shift, ...]:
    """Read weekly hours. Raises ValueError, saying how to write them."""
    if text.strip() == "24/7":
        return tuple(Shift(day, time(0), time(0)) for day in range(7))
    shifts: list[Shift] = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"'{part}' says no days and hours; {_HOW}")
        spans = [_span(span.strip()) for span in match["times"].split(",")]
        shifts += [Shift(day, *span) for day in _days(match["days"]) for span in spans]
    if not shifts:
        raise ValueError(f"no hours; {_HOW}")
    return tuple(shifts)


def _days(text: str) -> list[int]:
    found: list[int] = []
    for word in text.split(","):
        first, _, last = (end.strip().capitalize() for end in word.partition("-"))
        if first not in DAYS or (last and last not in DAYS):
            raise ValueError(f"'{word.strip()}' names no days; they are {' '.join(DAYS)}, and {_HOW}")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found += [day % 7 for day in range(begin, (end if end >= begin else end + 7) + 1)]
    return found


def _span(text: str) -> tuple[time, time]:
    match = _SPAN.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        return tuple(time(0) if end == "24:00" else time.fromisoformat(end.zfill(5)) for end in match.groups())  # type: ignore[return-value]
    except ValueError:
        raise ValueError(f"'{text}' are no hours; {_HOW}") from None


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """When somebody works, week by week. Moments are aware; what is returned is UTC."""

    name: str
    zone: ZoneInfo
    shifts: tuple[Shift, ...]
    is_closed: Callable[[date], bool] = field(default=lambda _: False, compare=False)
    """Whether no shift begins on a local day: a public holiday, a day off of the company's own."""

    def windows(self, after: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield (begin, end) of each stretch of work that ends after ``after``, in order and without overlaps.

        Stretches may touch. It stops after ``_HORIZON`` days.
        """
        last = after.astimezone(UTC)
        # A shift that crosses midnight began the day before; none is longer than 24 h of the wall clock.
        first = last.astimezone(self.zone).date() - timedelta(days=1)
        begun: datetime | None = None
        for number in range(_HORIZON):
            for begins, ends in self._on(first + timedelta(days=number)):
                if ends <= last:
                    continue
                # Of two that overlap the second begins where the first ends.
                yield (begins if begun is None else max(begins, last), ends)
                begun, last = begins, ends

    def working(self, at: datetime) -> bool:
        """Tell whether ``at`` lies within a shift."""
        begins, _ = next(self.windows(at), (None, None))
        return begins is not None and begins <= at

    def next_begin(self, at: datetime) -> datetime | None:
        """Return when work next begins; ``at`` itself within a shift, None: not within the horizon."""
        return next((max(begins, at.astimezone(UTC)) for begins, _ in self.windows(at)), None)

    def worked(self, since: datetime, until: datetime) -> timedelta:
        """Return how much business time lies between two moments; 0 where ``until`` is not later."""
        total = timedelta(0)
        for begins, ends in self.windows(since):
            if begins >= until:
                break
            total += min(ends, until) - max(begins, since)
        return total

    def add(self, since: datetime, amount: timedelta) -> datetime | None:
        """Return when ``amount`` of business time will have passed since a moment; None: not within the horizon.

        With nothing to add it is the moment itself, be it at night. For anything else it lies within a shift or at the
        end of one.
        """
        if amount <= timedelta(0):
            return since.astimezone(UTC)
        for begins, ends in self.windows(since):
            begin = max(begins, since)
            if ends - begin >= amount:
                return (begin + amount).astimezone(UTC)
            amount -= ends - begin
        return None

    def _on(self, day: date) -> list[tuple[datetime, datetime]]:
        if self.is_closed(day):
            return []
        found = []
        for shift in self.shifts:
            if shift.day != day.weekday():
                continue
            last = day + timedelta(days=1) if shift.ends <= shift.begins else day
            # In UTC, so that a night on which the clocks change is as long as it is.
            begins = datetime.combine(day, shift.begins, self.zone).astimezone(UTC)
            ends = datetime.combine(last, shift.ends, self.zone).astimezone(UTC)
            # Hours that the clocks skip in spring are none.
            if begins < ends:
                found.append((begins, ends))
        return sorted(found)


ALWAYS = WorkingHours("", ZoneInfo("UTC"), parse_hours("24/7"))
"""Around the clock."""
