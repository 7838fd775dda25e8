"""What a rule's faults turned out to be: from it the order in which causes, runbook and self-help steps stand."""

import sqlalchemy as sa

from gateway.store.schema import cases

_LEARNED_FROM = 500
"""Resolved cases of a rule, the newest, whose causes are counted."""


def shares(connection: sa.Connection, rule: str) -> tuple[dict[str, int], dict[str, int]]:
    """Count what the newest resolved cases of a rule turned out to be, and what fixed them."""
    found = (
        sa.select(cases.c.cause, cases.c.fix)
        .where(cases.c.rule == rule, cases.c.cause.is_not(None))
        .order_by(cases.c.id.desc())
        .limit(_LEARNED_FROM)
    )
    causes: dict[str, int] = {}
    fixes: dict[str, int] = {}
    for cause, fix in connection.execute(found):
        causes[cause] = causes.get(cause, 0) + 1
        if fix:
            fixes[fix] = fixes.get(fix, 0) + 1
    return causes, fixes
