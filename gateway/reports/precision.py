"""How often rules were right: what staff, and customers, said of the cases of a period."""

import sqlalchemy as sa

from gateway.reports.report import Cell, Column, Figure, Period, Report, Unit, share
from gateway.store.schema import cases
from gateway.store.verdicts import verdicts
from rules.authoring.precision import Verdicts


def precision(connection: sa.Connection, period: Period) -> Report:
    """Count verdicts by rule; a case that nobody judged says nothing."""
    now, before = _by_rule(connection, period), _by_rule(connection, period.before)
    all_now, all_before = _sum(now), _sum(before)
    opened, opened_before = (sum(count for count, _ in counted.values()) for counted in (now, before))
    rows: list[tuple[Cell, ...]] = []
    for rule, (count, said) in now.items():
        low, high = said.interval or (None, None)
        rows.append((rule, count, said.judged, said.real, said.false_alarm, said.duplicate, said.precision, low, high))
    # Where most was raised for nothing comes first.
    rows.sort(key=lambda row: (-int(row[4] or 0), -int(row[2] or 0), str(row[0])))
    return Report(
        "precision",
        "How right are the rules?",
        "Of the cases that opened and that somebody judged, the share that was real; duplicates count neither way."
        " Between the lowest and the highest it lies with 95 % confidence (Wilson), which is wide where few"
        " were judged.",
        (
            Figure(
                "precision",
                "Real, of those judged",
                all_now.precision,
                Unit.SHARE,
                all_now.judged,
                before=all_before.precision,
                better="up",
                note="nobody has judged a case",
            ),
            Figure(
                "false_alarms",
                "False alarms",
                all_now.false_alarm,
                Unit.COUNT,
                all_now.judged,
                before=all_before.false_alarm,
                better="down",
            ),
            Figure(
                "judged",
                "Cases that were judged",
                share(all_now.total, opened),
                Unit.SHARE,
                opened,
                before=share(all_before.total, opened_before),
                better="up",
            ),
        ),
        (
            Column("rule", "Rule"),
            Column("cases", "Cases", Unit.COUNT),
            Column("judged", "Judged", Unit.COUNT),
            Column("real", "Real", Unit.COUNT),
            Column("false_alarms", "False alarms", Unit.COUNT),
            Column("duplicates", "Duplicates", Unit.COUNT),
            Column("precision", "Precision", Unit.SHARE),
            Column("precision_low", "Lowest", Unit.SHARE),
            Column("precision_high", "Highest", Unit.SHARE),
        ),
        tuple(rows),
    )


def _by_rule(connection: sa.Connection, period: Period) -> dict[str, tuple[int, Verdicts]]:
    """Return, by rule, how many cases opened and what was said of them."""
    c, v = cases.c, verdicts.c
    query = (
        sa.select(c.rule, v.verdict, sa.func.count())
        .select_from(cases.outerjoin(verdicts, v.case_id == c.id))
        .where(c.opened_at >= period.since, c.opened_at < period.until, c.on_arrival.is_(sa.false()))
        .group_by(c.rule, v.verdict)
    )
    found: dict[str, tuple[int, Verdicts]] = {}
    for rule, verdict, count in connection.execute(query):
        opened, said = found.get(rule, (0, Verdicts()))
        if verdict is not None:
            said.add(verdict, count)
        found[rule] = (opened + count, said)
    return found


def _sum(counted: dict[str, tuple[int, Verdicts]]) -> Verdicts:
    every = [said for _, said in counted.values()]
    return Verdicts(
        sum(said.real for said in every), sum(said.false_alarm for said in every), sum(said.duplicate for said in every)
    )
