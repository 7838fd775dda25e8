"""Verdicts: whether a case was real, said by staff or by the customer; from them each rule's precision."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gateway.cases.record import load_case
from gateway.cases.timeline import add_entry
from gateway.commands import CommandRefused, GiveVerdict, JudgeWouldBe
from gateway.store import schema
from gateway.store.verdicts import verdicts
from gateway.transaction import Transaction
from rules.authoring.precision import Verdict, Verdicts

CUSTOMER = "customer"
"""Who says so where it is the customer: ``by`` of a command from their page."""


def give_verdict(tx: Transaction, command: GiveVerdict) -> str | None:
    """Keep a verdict on a case, or take it back; return the one that stood before.

    A customer's word counts until somebody of the staff has said theirs, and never takes theirs back.
    """
    case = load_case(tx, command.case_id)
    if case is None:
        raise CommandRefused(f"there is no case {command.case_id}")
    if command.duplicate_of is not None:
        _check_duplicate(tx, command)
    before = _standing(tx, verdicts.c.case_id == case["id"])
    said = before["verdict"] if before else None
    if before and command.by == CUSTOMER and before["said_by"] != CUSTOMER:
        return said
    if said == command.verdict and (before is None or (before["duplicate_of"], before["said_by"]) == _same(command)):
        return said
    tx.connection.execute(sa.delete(verdicts).where(verdicts.c.case_id == case["id"]))
    if command.verdict is not None:
        tx.connection.execute(
            sa.insert(verdicts).values(
                case_id=case["id"],
                rule=case["rule"],
                device_id=case["device_id"],
                verdict=Verdict(command.verdict).value,
                duplicate_of=command.duplicate_of,
                said_by=command.by,
                at=tx.now,
                fired_at=case["opened_at"],
            )
        )
    body = {"verdict": command.verdict, "before": said, "duplicate_of": command.duplicate_of, "name": command.name}
    add_entry(tx, case["id"], "verdict", command.by, body=body)
    tx.audit(command.by, "case.verdict", str(case["id"]), verdict=command.verdict, before=said)
    return said


def judge_would_be(tx: Transaction, command: JudgeWouldBe) -> str | None:
    """Keep a verdict on a case there would have been, or take it back; return the one that stood before."""
    t = schema.transitions
    query = sa.select(t).where(t.c.id == command.transition_id, t.c.shadow.is_(sa.true()), t.c.state == "firing")
    row = tx.connection.execute(query).mappings().first()
    if row is None:
        raise CommandRefused(f"no rule in shadow fired as number {command.transition_id}")
    before = _standing(tx, verdicts.c.transition_id == row["id"])
    said = before["verdict"] if before else None
    if said == command.verdict:
        return said
    tx.connection.execute(sa.delete(verdicts).where(verdicts.c.transition_id == row["id"]))
    if command.verdict is not None:
        tx.connection.execute(
            sa.insert(verdicts).values(
                transition_id=row["id"],
                rule=row["rule"],
                device_id=row["device_id"],
                verdict=Verdict(command.verdict).value,
                said_by=command.by,
                at=tx.now,
                fired_at=row["at"],
            )
        )
    tx.audit(command.by, "rule.verdict", str(row["id"]), rule=row["rule"], verdict=command.verdict, before=said)
    tx.changed("rules", row["rule"])
    return said


def verdict_of(connection: sa.Connection, case_id: int) -> Mapping[str, Any] | None:
    """Read the verdict on a case: ``verdict``, ``said_by``, ``at``, ``duplicate_of``; None where nobody said one."""
    columns = (verdicts.c.verdict, verdicts.c.said_by, verdicts.c.at, verdicts.c.duplicate_of)
    row = connection.execute(sa.select(*columns).where(verdicts.c.case_id == case_id)).mappings().first()
    return {str(name): value for name, value in row.items()} if row else None


def said_of(standing: Mapping[str, Any]) -> dict[str, Any]:
    """Write a verdict as ``verdict_of`` reads it so that ``put_back`` can say it again."""
    return {**standing, "at": standing["at"].isoformat()}


def put_back(tx: Transaction, case_id: int, said: Mapping[str, Any] | None, by: str) -> None:
    """Let a verdict stand again as it was said, by whom and when; None: none stands."""
    give_verdict(tx, GiveVerdict(case_id, said["verdict"] if said else None, by))
    if said is not None:
        values = {**said, "at": datetime.fromisoformat(said["at"])}
        tx.connection.execute(sa.update(verdicts).where(verdicts.c.case_id == case_id).values(values))


def count_by_rule(connection: sa.Connection, since: datetime | None = None) -> dict[str, Verdicts]:
    """Count the verdicts on cases that opened from ``since`` on, by rule."""
    query = sa.select(verdicts.c.rule, verdicts.c.verdict, sa.func.count()).where(verdicts.c.case_id.is_not(None))
    if since is not None:
        query = query.where(verdicts.c.fired_at >= since)
    counted: dict[str, Verdicts] = {}
    for rule, verdict, count in connection.execute(query.group_by(verdicts.c.rule, verdicts.c.verdict)):
        counted.setdefault(rule, Verdicts()).add(verdict, count)
    return counted


def _standing(tx: Transaction, which: sa.ColumnElement[bool]) -> sa.RowMapping | None:
    return tx.connection.execute(sa.select(verdicts).where(which)).mappings().first()


def _same(command: GiveVerdict) -> tuple[int | None, str]:
    return command.duplicate_of, command.by


def _check_duplicate(tx: Transaction, command: GiveVerdict) -> None:
    if command.verdict != Verdict.DUPLICATE.value:
        raise CommandRefused("only a duplicate names the case that it doubles")
    if command.duplicate_of == command.case_id:
        raise CommandRefused("a case cannot double itself")
    if load_case(tx, command.duplicate_of or 0) is None:
        raise CommandRefused(f"there is no case {command.duplicate_of}")
