"""Service levels followed: after a commit's deeds, the clocks of every case it touched are set by what is true now.

No deed has to remember the clocks: whatever changed a case (an agent, a customer, its device, a merge), what counts is
how the case stands at the end of the transaction.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from device_models.purpose import Severity
from gateway.cases.timeline import add_entry
from gateway.staff.alerts import tell_of_breach
from gateway.staff.records import load_hours, load_policies
from gateway.staff.sla import OF_TEAM, CaseFacts, Clock, Pause, Policy, Target, advance, due_at, pause_of, policy_of
from gateway.staff.teams import hours_of_teams
from gateway.staff.working_hours import ALWAYS, WorkingHours
from gateway.store import dialect
from gateway.store.schema import cases
from gateway.store.staff import sla_clocks
from gateway.store.statements import one_of
from gateway.transaction import Transaction

_PART = 500
_CASES = sa.select(cases).where(one_of(cases.c.id, "ids"), cases.c.on_arrival.is_(sa.false()))
_CLOCKS = sa.select(sla_clocks).where(one_of(sla_clocks.c.case_id, "ids"))
_STANDING: dict[str, Any] = dict.fromkeys(("sla_target", "sla_since", "sla_warn_at", "sla_due_at", "sla_paused"))
_SAID = {"first_response": "first answer", "next_response": "answer", "resolve": "solution"}
_NOT_TOLD: Mapping[str, None] = {"warned_at": None, "breached_at": None}
_UNLESS_SAID = "usual"
"""Name of the policy of cases that no policy is about: ``cases.respond_within``."""


@dataclass(frozen=True, slots=True)
class _Hours:
    by_name: Mapping[str | None, WorkingHours]
    of_teams: Mapping[str, str | None]

    def of(self, policy: Policy, team: str | None) -> str | None:
        """Name whose hours count; None: around the clock."""
        return self.of_teams.get(team or "") if policy.hours == OF_TEAM else policy.hours


def follow(tx: Transaction, case_ids: Collection[int]) -> None:
    """Set the clocks of cases by how they stand now."""
    ids = sorted(case_ids)
    if not ids:
        return
    policies = load_policies(tx.connection)
    hours = _Hours(load_hours(tx.connection), hours_of_teams(tx.connection))
    for start in range(0, len(ids), _PART):
        _follow(tx, ids[start : start + _PART], policies, hours)


def follow_all(tx: Transaction) -> None:
    """Let every open case follow policies or hours that changed, at the end of this transaction."""
    query = sa.select(cases.c.id).where(cases.c.state == "open", cases.c.on_arrival.is_(sa.false()))
    for case_id in tx.connection.execute(query).scalars():
        tx.changed("case", case_id)


def watch(tx: Transaction) -> dict[str, int]:
    """Write down which clocks ran out, or soon will; each is told of once."""
    told = {"warned": 0, "breached": 0}
    for row in tx.connection.execute(due_now(tx.now)).mappings().all():
        breached = row["due_at"] is not None and row["due_at"] <= tx.now
        kind, mark = ("sla_breached", "breached_at") if breached else ("sla_warning", "warned_at")
        this = (sla_clocks.c.case_id == row["case_id"], sla_clocks.c.target == row["target"])
        tx.connection.execute(sa.update(sla_clocks).where(*this).values({mark: tx.now}))
        body = {
            "target": row["target"],
            "due_at": row["due_at"].isoformat(),
            "policy": row["sla_policy"],
            "hours": row["sla_hours"],
        }
        add_entry(tx, row["case_id"], kind, body=body)
        said = "is overdue" if breached else "is due soon"
        tell_of_breach(tx, row["case_id"], row["target"], body["due_at"], f"{_SAID[row['target']]} {said}")
        told["breached" if breached else "warned"] += 1
    return told


def due_now(now: datetime) -> sa.Select[Any]:
    """Select the clocks that have something to say and did not say it yet."""
    c = sla_clocks.c
    return (
        sa.select(c.case_id, c.target, c.due_at, cases.c.sla_policy, cases.c.sla_hours)
        .join(cases, cases.c.id == c.case_id)
        .where(
            c.breached_at.is_(None),
            sa.or_(c.due_at <= now, sa.and_(c.warn_at <= now, c.warned_at.is_(None))),
        )
        .limit(_PART)
    )


def _follow(tx: Transaction, ids: list[int], policies: list[Policy], hours: _Hours) -> None:
    rows = tx.connection.execute(_CASES, {"ids": ids}).mappings()
    known: dict[int, dict[Target, sa.RowMapping]] = {}
    for clock in tx.connection.execute(_CLOCKS, {"ids": ids}).mappings():
        known.setdefault(clock["case_id"], {})[Target(clock["target"])] = clock
    kept: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    for row in rows.all():
        facts = _facts(tx, row)
        policy = policy_of(policies, facts) or _usual(tx, facts)
        whose = hours.of(policy, row["team"])
        of_case = _advance(tx, row, facts, policy, hours.by_name.get(whose, ALWAYS), known.get(row["id"], {}))
        kept += [clock for clock in of_case if clock not in map(dict, known.get(row["id"], {}).values())]
        if (shown := _shown(row, policy.name, whose, pause_of(facts, policy), of_case)) is not None:
            changed.append({"of_case": row["id"], **shown})
    dialect.upsert(tx.connection, sla_clocks, kept)
    if changed:
        # No new version: whatever brought this about has counted as one.
        tx.connection.execute(sa.update(cases).where(cases.c.id == sa.bindparam("of_case")), changed)


def _facts(tx: Transaction, row: sa.RowMapping) -> CaseFacts:
    customer = tx.registry.customers.get(row["customer_id"]) if row["customer_id"] else None
    return CaseFacts(
        open=row["state"] == "open",
        round=row["reopened"],
        severity=row["severity"],
        kind=row["kind"],
        segment=customer.segment if customer else None,
        tier=customer.tier if customer else None,
        answered=row["first_response_at"] is not None,
        needs_reply=row["needs_reply"],
        waiting=row["waiting_since"] is not None,
        snoozed=row["snoozed_until"] is not None,
    )


def _usual(tx: Transaction, facts: CaseFacts) -> Policy:
    within = tx.config.cases.respond_within.get(Severity(facts.severity))
    # Nobody asked for it to stand: the first answer is due as the configuration says.
    targets = {Target.FIRST_RESPONSE: within} if within else {}
    return Policy(_UNLESS_SAID, targets, pauses=frozenset())


def _advance(
    tx: Transaction,
    row: sa.RowMapping,
    facts: CaseFacts,
    policy: Policy,
    hours: WorkingHours,
    known: Mapping[Target, sa.RowMapping],
) -> list[dict[str, Any]]:
    paused = pause_of(facts, policy) is not None
    moved: list[dict[str, Any]] = []
    for target in Target:
        before, budget = known.get(target), policy.within.get(target)
        if budget is None and before is None:
            continue
        clock = advance(_clock(before) if before else None, target, facts, paused, tx.now)
        if clock is None:
            continue
        due = due_at(clock, budget, hours) if budget is not None else None
        told = before if before is not None and not _began_anew(before, clock) else _NOT_TOLD
        moved.append(
            {
                "case_id": row["id"],
                "target": target.value,
                "round": clock.round,
                "runs": _written(clock),
                "stopped_at": clock.stopped_at,
                "due_at": due,
                # Nobody need be warned of a clock that stands.
                "warn_at": _warn_at(clock, budget, hours, policy.warn_before) if budget and clock.running else None,
                "warned_at": told["warned_at"],
                "breached_at": told["breached_at"],
            }
        )
    return moved


def _began_anew(before: sa.RowMapping, clock: Clock) -> bool:
    begun = [since for since, _ in before["runs"][:1]]
    return before["round"] != clock.round or begun != [since for since, _ in _written(clock)[:1]]


def _warn_at(clock: Clock, budget: timedelta, hours: WorkingHours, before: timedelta) -> datetime | None:
    # Half of a short time must have gone, or the warning would come with the case.
    return due_at(clock, max(budget - before, budget / 2), hours)


def _shown(
    row: sa.RowMapping, policy: str, hours: str | None, pause: Pause | None, of_case: list[dict[str, Any]]
) -> dict[str, Any] | None:
    """Return the clock that is due first as the case shows it, to queue, page and API; None: it does already."""
    going = [clock for clock in of_case if clock["stopped_at"] is None]
    running = [clock for clock in going if clock["due_at"] is not None]
    shown = _STANDING | {"sla_policy": policy if going else None, "sla_hours": hours if going else None}
    if running:
        first = min(running, key=lambda clock: clock["due_at"])
        since = datetime.fromisoformat(first["runs"][0][0])
        shown |= {"sla_target": first["target"], "sla_since": since}
        shown |= {"sla_warn_at": first["warn_at"], "sla_due_at": first["due_at"]}
    elif going and pause is not None:
        shown |= {"sla_target": going[0]["target"], "sla_paused": pause.value}
    answer = next((c["due_at"] for c in of_case if c["target"] == Target.FIRST_RESPONSE.value and c["due_at"]), None)
    shown["response_due_at"] = answer or row["response_due_at"]
    return shown if any(row[name] != value for name, value in shown.items()) else None


def _clock(row: sa.RowMapping) -> Clock:
    runs = tuple(
        (datetime.fromisoformat(since), datetime.fromisoformat(until) if until else None)
        for since, until in row["runs"]
    )
    return Clock(Target(row["target"]), row["round"], runs, row["stopped_at"])


def _written(clock: Clock) -> list[list[str | None]]:
    return [[since.isoformat(), until.isoformat() if until else None] for since, until in clock.runs]
