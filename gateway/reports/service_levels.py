"""Whether service levels were kept: answers and solutions within the time that a policy gave, by severity and team."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from gateway.reports.report import Cell, Column, Figure, Period, Report, Unit, share
from gateway.store.schema import cases
from gateway.store.staff import sla_clocks

_TARGETS: Mapping[str, str] = {
    "first_response": "First answer",
    "next_response": "Answer to their words",
    "resolve": "Solution",
}
_SEVERITIES = ("critical", "major", "minor", "info")


@dataclass(slots=True)
class _Kept:
    """Clocks that have been decided."""

    met: int = 0
    missed: int = 0

    @property
    def of(self) -> int:
        """All of them."""
        return self.met + self.missed


_By = tuple[str, str, str]
"""(target, team, severity)."""


def service_levels(connection: sa.Connection, period: Period) -> Report:
    """Say how often the time was kept; what is late at the period's end is missed, though it may still be open."""
    kept, before = (_load(connection, one, period.until) for one in (period, period.before))
    rows: list[tuple[Cell, ...]] = []
    for target, label in _TARGETS.items():
        found = [(by[2], by[1], count) for by, count in kept.items() if by[0] == target]
        for severity, team, count in sorted(found, key=lambda one: (_rank(one[0]), one[1])):
            rows.append((label, severity, team, count.met, count.missed, share(count.met, count.of)))
    return Report(
        "service_levels",
        "Did we keep our service levels?",
        "Of cases that opened in this time, in the business time of their service level, pauses left out. Late counts"
        " as soon as it is late; what may yet be in time does not count. What ended before it was due is in time.",
        tuple(_figure(target, label, kept, before) for target, label in _TARGETS.items()),
        (
            Column("step", "What was due"),
            Column("severity", "Severity"),
            Column("team", "Team"),
            Column("met", "In time", Unit.COUNT),
            Column("missed", "Late", Unit.COUNT),
            Column("share", "In time, of those", Unit.SHARE),
        ),
        tuple(rows),
    )


def _figure(target: str, label: str, kept: Mapping[_By, _Kept], before: Mapping[_By, _Kept]) -> Figure:
    now, earlier = _sum(target, kept), _sum(target, before)
    return Figure(
        target,
        label,
        share(now.met, now.of),
        Unit.SHARE,
        now.of,
        before=share(earlier.met, earlier.of),
        better="up",
        note="nothing of it was due",
    )


def _sum(target: str, kept: Mapping[_By, _Kept]) -> _Kept:
    of_target = [count for by, count in kept.items() if by[0] == target]
    return _Kept(sum(count.met for count in of_target), sum(count.missed for count in of_target))


def _load(connection: sa.Connection, period: Period, now: datetime) -> dict[_By, _Kept]:
    c, k = cases.c, sla_clocks.c
    # A clock that stopped in time is due no more; one that was late keeps the moment at which it was due.
    met = sa.and_(k.stopped_at.is_not(None), sa.or_(k.due_at.is_(None), k.stopped_at <= k.due_at))
    missed = sa.or_(k.stopped_at > k.due_at, sa.and_(k.stopped_at.is_(None), k.due_at < now))
    query = (
        sa.select(k.target, c.team, c.severity, *(sa.func.sum(sa.case((held, 1), else_=0)) for held in (met, missed)))
        .join(cases, c.id == k.case_id)
        .where(
            c.opened_at >= period.since,
            c.opened_at < period.until,
            c.on_arrival.is_(sa.false()),
            c.merged_into.is_(None),
            sa.or_(met, missed),
        )
        .group_by(k.target, c.team, c.severity)
    )
    found: defaultdict[_By, _Kept] = defaultdict(_Kept)
    for target, team, severity, kept, late in connection.execute(query):
        found[target, team or "", severity] = _Kept(int(kept), int(late))
    return found


def _rank(severity: str) -> int:
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)
