"""Who is on call when: weekly shifts in turn, holidays, swaps; and who is told next. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from gateway.staff.working_hours import WorkingHours


@dataclass(frozen=True, slots=True)
class Line:
    """Shifts that some people take in turn, week by week."""

    level: int
    """1 is told first."""
    hours: WorkingHours
    people: tuple[str, ...]
    """In the order of their weeks; one alone is always it."""
    since: date
    """A day in the first one's week; weeks begin on Monday, by the wall clock of ``hours``."""


@dataclass(frozen=True, slots=True)
class Override:
    """For a time somebody stands in."""

    begins: datetime
    ends: datetime
    person: str
    instead_of: str | None = None
    """None: whoever it is."""


@dataclass(frozen=True, slots=True)
class Duty:
    """One person on call for one stretch, UTC."""

    level: int
    person: str
    begins: datetime
    ends: datetime
    instead_of: str | None = None
    """Whose shift it was before a swap."""


def duties(lines: Iterable[Line], overrides: Sequence[Override], since: datetime, until: datetime) -> list[Duty]:
    """List who is on call between two moments, in the order in which they begin; what is longer is cut there."""
    of_lines = [_joined(_of_line(line, since, until)) for line in lines]
    standing = [duty for of_line in of_lines for duty in of_line]
    for override in overrides:
        standing = [part for duty in standing for part in _overridden(duty, override)]
    return sorted(standing, key=lambda duty: (duty.begins, duty.level, duty.person))


def on_call(lines: Iterable[Line], overrides: Sequence[Override], at: datetime) -> list[str]:
    """List who is on call at a moment, in the order of the levels."""
    found = duties(lines, overrides, at, at + timedelta(seconds=1))
    return list(dict.fromkeys(duty.person for duty in sorted(found, key=lambda duty: duty.level)))


def in_order(lines: Sequence[Line], overrides: Sequence[Override], at: datetime) -> list[str]:
    """List all who may be told at a moment: first who is on call, then the others as the lines name them."""
    others = (person for line in sorted(lines, key=lambda line: line.level) for person in line.people)
    return list(dict.fromkeys([*on_call(lines, overrides, at), *others]))


def next_to_tell(
    people: Iterable[tuple[str, Sequence[str]]], told: Iterable[tuple[str, str | None]]
) -> tuple[str, str, int] | None:
    """Return the next (person, channel, how many channels they have) to tell; None: all were.

    Args:
        people: Whom there is, in order, each with their channels in order.
        told: (person, channel) that was tried; None as channel: they passed it on.
    """
    tried = set(told)
    for name, channels in people:
        if (name, None) in tried:
            continue
        left = [channel for channel in channels if (name, channel) not in tried]
        if left:
            return name, left[0], len(channels)
    return None


def _of_line(line: Line, since: datetime, until: datetime) -> Iterable[Duty]:
    for begins, ends in line.hours.windows(since):
        if begins >= until:
            return
        week = (_monday(begins.astimezone(line.hours.zone).date()) - _monday(line.since)).days // 7
        person = line.people[week % len(line.people)]
        yield Duty(line.level, person, max(begins, since), min(ends, until))


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _joined(found: Iterable[Duty]) -> list[Duty]:
    joined: list[Duty] = []
    for duty in found:
        if joined and joined[-1].ends == duty.begins and joined[-1].person == duty.person:
            joined[-1] = replace(joined[-1], ends=duty.ends)
        else:
            joined.append(duty)
    return joined


def _overridden(duty: Duty, override: Override) -> Iterable[Duty]:
    begins, ends = max(duty.begins, override.begins), min(duty.ends, override.ends)
    if begins >= ends or override.instead_of not in (None, duty.person) or override.person == duty.person:
        return (duty,)
    parts = (
        replace(duty, ends=begins),
        replace(duty, person=override.person, begins=begins, ends=ends, instead_of=duty.person),
        replace(duty, begins=ends),
    )
    return tuple(part for part in parts if part.begins < part.ends)
