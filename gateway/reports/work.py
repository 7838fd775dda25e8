"""Who closed what, and how many in an hour of work."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta

import sqlalchemy as sa

from gateway.reports.drivers import NO_CONTACT
from gateway.reports.report import Cell, Column, Figure, Period, Report, Unit, median_s
from gateway.store.schema import audit, cases, inbound, notifications, users

_NOBODY = frozenset({"telemetry", "incident", "customer"})
"""What ended a case where no agent did."""


def work(connection: sa.Connection, period: Period) -> Report:
    """Count what each agent closed and answered, and in how many hours they did anything at all."""
    closed = _closed(connection, period)
    hours = _active_hours(connection, period)
    answers = _answers(connection, period)
    waits = _waits(connection, period)
    people = sorted({*closed, *hours, *answers} - _NOBODY)
    rows: list[tuple[Cell, ...]] = [
        (
            name,
            closed.get(name, 0),
            answers.get(name, 0),
            hours.get(name, 0),
            closed[name] / hours[name] if name in closed and hours.get(name) else None,
        )
        for name in people
    ]
    rows.sort(key=lambda row: (-float(row[1] or 0), str(row[0])))
    by_people = sum(count for name, count in closed.items() if name not in _NOBODY)
    worked = sum(hours.values())
    before = _closed(connection, period.before)
    figures = (
        Figure(
            "closed",
            "Closed by people",
            by_people,
            Unit.COUNT,
            by_people,
            before=sum(count for name, count in before.items() if name not in _NOBODY),
        ),
        Figure(
            "closed_per_hour",
            "Closed in an hour of work",
            by_people / worked if worked else None,
            Unit.PER_HOUR,
            worked,
            better="up",
            note="" if worked else "nobody has worked yet",
        ),
        Figure(
            "reply_wait",
            "Until a customer is answered",
            median_s(waits),
            Unit.SECONDS,
            len(waits),
            before=median_s(_waits(connection, period.before)),
            better="down",
        ),
    )
    columns = (
        Column("name", "Who"),
        Column("closed", "Closed", Unit.COUNT),
        Column("answers", "Answers", Unit.COUNT),
        Column("hours", "Hours at work", Unit.COUNT),
        Column("closed_per_hour", "Closed per hour", Unit.PER_HOUR),
    )
    return Report(
        "work",
        "Who did the work?",
        "An hour counts as work for somebody who did anything in it that the audit log knows. Until a customer is"
        " answered: from what they wrote to the next answer by a person, half of them.",
        figures,
        columns,
        tuple(rows),
    )


def _closed(connection: sa.Connection, period: Period) -> Counter[str]:
    query = (
        sa.select(cases.c.resolved_by, sa.func.count().label("n"))
        .where(cases.c.resolved_at >= period.since, cases.c.resolved_at < period.until)
        .group_by(cases.c.resolved_by)
    )
    return Counter({row.resolved_by or "": row.n for row in connection.execute(query)})


def _active_hours(connection: sa.Connection, period: Period) -> dict[str, int]:
    """Count the hours in which each person did anything; parts of the gateway and tokens are no people."""
    query = sa.select(audit.c.who, audit.c.at).where(audit.c.at >= period.since, audit.c.at < period.until)
    hours: defaultdict[str, set[int]] = defaultdict(set)
    known = set(connection.execute(sa.select(users.c.name)).scalars())
    for row in connection.execute(query):
        if row.who in known:
            hours[row.who].add(int(row.at.timestamp()) // 3600)
    return {name: len(met) for name, met in hours.items()}


def _answers(connection: sa.Connection, period: Period) -> Counter[str]:
    query = (
        sa.select(audit.c.who, sa.func.count().label("n"))
        .where(audit.c.action == "case.reply", audit.c.at >= period.since, audit.c.at < period.until)
        .group_by(audit.c.who)
    )
    return Counter({row.who: row.n for row in connection.execute(query)})


def _waits(connection: sa.Connection, period: Period) -> list[timedelta]:
    """How long each first unanswered word of a customer waited for a person's answer within the period."""
    n = notifications
    wrote = sa.select(inbound.c.case_id, inbound.c.received_at.label("at"), sa.literal(0).label("answer")).where(
        inbound.c.case_id.is_not(None),
        inbound.c.received_at >= period.since,
        inbound.c.received_at < period.until,
        inbound.c.intent.not_in(NO_CONTACT),
    )
    answered = sa.select(n.c.case_id, n.c.created_at.label("at"), sa.literal(1).label("answer")).where(
        n.c.template == "agent_reply",
        n.c.case_id.is_not(None),
        n.c.created_at >= period.since,
        n.c.created_at < period.until,
    )
    both = sa.union_all(wrote, answered).order_by("case_id", "at", "answer")
    waits: list[timedelta] = []
    waiting: tuple[int, datetime] | None = None
    for case_id, at, is_answer in connection.execute(both):
        if waiting is not None and waiting[0] != case_id:
            waiting = None
        if not is_answer:
            waiting = waiting or (case_id, at)
        elif waiting is not None:
            waits.append(at - waiting[1])
            waiting = None
    return waits
