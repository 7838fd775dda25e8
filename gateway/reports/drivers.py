"""What customers write about: the contact drivers, ranked, and what comes back after it was solved."""

from collections import Counter
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from gateway.reports.case_facts import CaseFacts
from gateway.reports.report import Cell, Column, Figure, Period, Report, Unit, median_s, share
from gateway.store.schema import cases, inbound

NO_CONTACT = ("stop", "start", "help", "thanks")
"""Words to the gateway itself, and thanks, are no request for help."""


def contacts_by_rule(connection: sa.Connection, period: Period) -> Mapping[str, int]:
    """Count what customers wrote within the period, by the rule of the case it joined; ``""``: it joined none."""
    rule = sa.func.coalesce(cases.c.rule, "").label("rule")
    query = (
        sa.select(rule, sa.func.count().label("messages"))
        .select_from(inbound.outerjoin(cases, cases.c.id == inbound.c.case_id))
        .where(
            inbound.c.received_at >= period.since,
            inbound.c.received_at < period.until,
            inbound.c.intent.not_in(NO_CONTACT),
        )
        .group_by(rule)
    )
    return {row.rule: row.messages for row in connection.execute(query)}


def drivers(
    now: Sequence[CaseFacts], before: Sequence[CaseFacts], contacts: Mapping[str, int], earlier: Mapping[str, int]
) -> Report:
    """Rank rules by how much their faults make customers write."""
    of_rule: dict[str, list[CaseFacts]] = {}
    for case in now:
        of_rule.setdefault(case.rule, []).append(case)
    rows: list[tuple[Cell, ...]] = []
    for rule in sorted({*of_rule, *contacts}):
        held = of_rule.get(rule, [])
        back = sum(case.reopened > 0 for case in held)
        solved = [span for case in held if (span := case.solved_in) is not None]
        wrote = sum(case.wrote_at is not None for case in held)
        rows.append(
            (
                rule or "(no case)",
                contacts.get(rule, 0),
                len(held),
                share(wrote, len(held)),
                share(back, len(held)),
                median_s(solved),
            )
        )
    rows.sort(key=lambda row: (-float(row[1] or 0), -float(row[2] or 0), str(row[0])))
    severities = Counter(case.severity for case in now)
    figures = (
        Figure(
            "contacts",
            "Messages from customers",
            sum(contacts.values()),
            Unit.COUNT,
            sum(contacts.values()),
            before=sum(earlier.values()),
            better="down",
        ),
        Figure(
            "contacts_per_case",
            "Cases they wrote in",
            share(sum(case.wrote_at is not None for case in now), len(now)),
            Unit.SHARE,
            len(now),
            before=share(sum(case.wrote_at is not None for case in before), len(before)),
            better="down",
        ),
        Figure(
            "reopen_rate",
            "Came back",
            share(sum(case.reopened > 0 for case in now), len(now)),
            Unit.SHARE,
            len(now),
            before=share(sum(case.reopened > 0 for case in before), len(before)),
            better="down",
        ),
        Figure("critical", "Critical", severities["critical"], Unit.COUNT, len(now), better="down"),
    )
    columns = (
        Column("rule", "Rule"),
        Column("messages", "Messages", Unit.COUNT),
        Column("cases", "Cases", Unit.COUNT),
        Column("wrote_share", "Customer wrote", Unit.SHARE),
        Column("came_back_share", "Came back", Unit.SHARE),
        Column("solved_s", "Solved within, half", Unit.SECONDS),
    )
    return Report(
        "drivers",
        "What do customers write about?",
        "Each message of a customer counts for the rule of its case; STOP, START and HELP do not count. Came back: the"
        " fault returned within the rule's time for reopening.",
        figures,
        columns,
        tuple(rows),
    )
