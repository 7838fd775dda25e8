"""Whether steps helped without a person, and whether one answer was enough."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from gateway.reports.report import Cell, Column, Figure, Period, Report, Unit, share
from gateway.store.desk import tasks
from gateway.store.schema import cases, inbound, notifications
from gateway.store.self_help import tried_steps, watches

QUIET_FOR = timedelta(days=7)
"""After its end a case must stay over, and its customer silent about it, for its first answer to have been enough."""
_BY_ITSELF = frozenset({"telemetry", "customer"})


@dataclass(frozen=True, slots=True)
class HelpFacts:
    """One case as this report sees it."""

    rule: str
    resolved_at: datetime | None
    resolved_by: str | None
    reopened: int
    steps: int
    """How many of its steps were tried."""
    told: bool
    """Whether its customer was told unasked that it got better."""
    answers: int
    """Of agents."""
    tasks: int
    """Calls and dates that were asked for."""
    last_wrote_at: datetime | None

    @property
    def deflected(self) -> bool:
        """Solved after a step, with no person in it."""
        return bool(self.steps) and self.resolved_by in _BY_ITSELF and not self.answers and not self.tasks

    @property
    def resolved_at_first_contact(self) -> bool | None:
        """Whether the first answer was enough; None where its customer never wrote, or it is not over."""
        if self.last_wrote_at is None or self.resolved_at is None:
            return None
        wrote_again = self.last_wrote_at > self.resolved_at and self.last_wrote_at <= self.resolved_at + QUIET_FOR
        return self.answers <= 1 and not self.reopened and not wrote_again


def self_help(connection: sa.Connection, period: Period) -> Report:
    """Compare what steps solved with what people had to."""
    now, before = load(connection, period), load(connection, period.before)
    figures = (
        _figure("deflection", "Solved by a step alone", now, before),
        _first_contact(now, before),
        Figure("told_better", "Told unasked that it gets better", sum(c.told for c in now), Unit.COUNT, len(now)),
        Figure("steps_tried", "Steps tried", sum(c.steps for c in now), Unit.COUNT, len(now)),
    )
    columns = (
        Column("rule", "Rule"),
        Column("tried", "Cases with a step tried", Unit.COUNT),
        Column("deflected", "Solved by a step alone", Unit.COUNT),
        Column("deflection", "Share", Unit.SHARE),
    )
    return Report(
        "self_help",
        "Did the steps help?",
        "Solved by a step alone: of the cases in which the customer tried a step, those that ended by telemetry or the"
        " customer's word without an agent's answer, a call or a date. First contact: of the ended cases in which the"
        " customer wrote, those with one answer at most that stayed over, without a further message, for seven days.",
        figures,
        columns,
        tuple(_rows(now)),
    )


def load(connection: sa.Connection, period: Period) -> list[HelpFacts]:
    """Read the cases that were opened within ``period``; those found on arrival are left out."""
    steps = _count(tried_steps.c.case_id, sa.true())
    answers = _count(
        notifications.c.case_id, notifications.c.text.is_not(None) & notifications.c.handed_over_at.is_not(None)
    )
    asked = _count(tasks.c.case_id, sa.true())
    wrote = (
        sa.select(inbound.c.case_id, sa.func.max(inbound.c.received_at, type_=inbound.c.received_at.type).label("n"))
        .where(inbound.c.case_id.is_not(None))
        .group_by(inbound.c.case_id)
        .subquery()
    )
    query = (
        sa.select(
            cases.c.rule,
            cases.c.resolved_at,
            cases.c.resolved_by,
            cases.c.reopened,
            sa.func.coalesce(steps.c.n, 0).label("steps"),
            sa.func.coalesce(watches.c.told, sa.false()).label("told"),
            sa.func.coalesce(answers.c.n, 0).label("answers"),
            sa.func.coalesce(asked.c.n, 0).label("tasks"),
            wrote.c.n.label("last_wrote_at"),
        )
        .select_from(
            cases.outerjoin(steps, steps.c.case_id == cases.c.id)
            .outerjoin(watches, watches.c.case_id == cases.c.id)
            .outerjoin(answers, answers.c.case_id == cases.c.id)
            .outerjoin(asked, asked.c.case_id == cases.c.id)
            .outerjoin(wrote, wrote.c.case_id == cases.c.id)
        )
        .where(cases.c.opened_at >= period.since, cases.c.opened_at < period.until, cases.c.on_arrival.is_(sa.false()))
        .order_by(cases.c.id)
    )
    return [HelpFacts(**{**row, "told": bool(row["told"])}) for row in connection.execute(query).mappings()]


def _count(case_id: sa.ColumnElement[int], condition: sa.ColumnElement[bool]) -> sa.Subquery:
    counted = sa.select(case_id.label("case_id"), sa.func.count().label("n"))
    return counted.where(case_id.is_not(None), condition).group_by(case_id).subquery()


def _figure(name: str, label: str, now: Sequence[HelpFacts], before: Sequence[HelpFacts]) -> Figure:
    tried, tried_before = [c for c in now if c.steps], [c for c in before if c.steps]
    return Figure(
        name,
        label,
        share(sum(c.deflected for c in tried), len(tried)),
        Unit.SHARE,
        len(tried),
        before=share(sum(c.deflected for c in tried_before), len(tried_before)),
        better="up",
        note="" if tried else "no step was tried",
    )


def _first_contact(now: Sequence[HelpFacts], before: Sequence[HelpFacts]) -> Figure:
    known = [c.resolved_at_first_contact for c in now if c.resolved_at_first_contact is not None]
    known_before = [c.resolved_at_first_contact for c in before if c.resolved_at_first_contact is not None]
    return Figure(
        "first_contact",
        "Solved at first contact",
        share(sum(known), len(known)),
        Unit.SHARE,
        len(known),
        before=share(sum(known_before), len(known_before)),
        better="up",
        note="" if known else "nobody has written about an ended case",
    )


def _rows(now: Sequence[HelpFacts]) -> list[tuple[Cell, ...]]:
    by_rule: defaultdict[str, list[HelpFacts]] = defaultdict(list)
    for case in now:
        if case.steps:
            by_rule[case.rule].append(case)
    rows: list[tuple[Cell, ...]] = []
    for rule, tried in sorted(by_rule.items(), key=lambda item: (-len(item[1]), item[0])):
        solved = sum(case.deflected for case in tried)
        rows.append((rule, len(tried), solved, share(solved, len(tried))))
    return rows
