"""Rules in shadow: the cases there would have been, what the lead says of them, and how it stands on going live."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from device_models.event import rfc3339
from device_models.registry import Device
from gateway.store import schema
from gateway.store.verdicts import verdicts
from gateway.transaction import Transaction
from rules.authoring.precision import Verdicts
from rules.schema import RuleSet
from rules.transition import AlertState

LOOK_BACK = timedelta(days=90)
"""How far back the cases of a rule in shadow are looked for."""


@dataclass(slots=True)
class WouldBe:
    """A case that a rule in shadow would have opened: a firing, and those that would have reopened it."""

    id: int
    """Of the transition that would have opened it; a verdict is on this."""
    rule: str
    device_id: str
    customer_id: str | None
    fault: str
    at: datetime
    on_arrival: bool
    """Nobody would have been told."""
    explanation: Mapping[str, Any]
    severity: str = "major"
    firings: int = 1
    resolved_at: datetime | None = None
    """When it last resolved; None while it fires."""
    verdict: str | None = None
    said_by: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {
            "id": self.id,
            "rule": self.rule,
            "device_id": self.device_id,
            "customer_id": self.customer_id,
            "fault": self.fault,
            "severity": self.severity,
            "at": rfc3339(self.at),
            "resolved_at": rfc3339(self.resolved_at) if self.resolved_at else None,
            "firings": self.firings,
            "on_arrival": self.on_arrival,
            "verdict": self.verdict,
            "said_by": self.said_by,
            "explanation": dict(self.explanation),
        }


@dataclass(slots=True)
class Trial:
    """How a rule did in shadow."""

    rule: str
    since: datetime | None
    """Its first firing looked at; None: it never fired."""
    cases: list[WouldBe] = field(default_factory=list)
    """The newest first."""
    verdicts: Verdicts = field(default_factory=Verdicts)

    @property
    def news(self) -> list[WouldBe]:
        """Those that somebody would have been told of."""
        return [case for case in self.cases if not case.on_arrival]

    @property
    def customers(self) -> int:
        """How many customers would have been told."""
        return len({case.customer_id for case in self.news if case.customer_id})

    @property
    def hours(self) -> Mapping[int, int]:
        """Cases by hour of the day, UTC."""
        return Counter(case.at.hour for case in self.news)

    def as_dict(self) -> dict[str, Any]:
        """Return the counts, JSON-ready; the cases stay out."""
        return {
            "since": rfc3339(self.since) if self.since else None,
            "cases": len(self.news),
            "customers": self.customers,
            "by_hour_utc": {str(hour): self.hours[hour] for hour in sorted(self.hours)},
            **self.verdicts.as_dict(),
        }


def trials(
    connection: sa.Connection,
    reopen_within: Mapping[str, timedelta],
    devices: Mapping[str, Device],
    since: datetime,
) -> dict[str, Trial]:
    """Look at what rules in shadow did from ``since`` on, by rule.

    ``reopen_within`` names the rules; within that time of resolving a firing belongs to the same case, as live.
    """
    t = schema.transitions
    columns = (t.c.id, t.c.rule, t.c.device_id, t.c.fault, t.c.state, t.c.at, t.c.on_arrival, t.c.severity)
    query = (
        sa.select(*columns, t.c.explanation, verdicts.c.verdict, verdicts.c.said_by)
        .select_from(t.outerjoin(verdicts, verdicts.c.transition_id == t.c.id))
        .where(t.c.rule.in_(sorted(reopen_within)), t.c.at >= since, t.c.shadow.is_(sa.true()))
        .where(t.c.state.in_((AlertState.FIRING.value, AlertState.RESOLVED.value)))
        .order_by(t.c.at, t.c.id)
    )
    found = {rule: Trial(rule, None) for rule in reopen_within}
    latest: dict[tuple[str, str, str], WouldBe] = {}
    for row in connection.execute(query):
        key = (row.rule, row.device_id, row.fault)
        known = latest.get(key)
        if row.state == AlertState.RESOLVED.value:
            if known is not None:
                known.resolved_at = row.at
            continue
        within = reopen_within[row.rule]
        if known is not None and (known.resolved_at is None or row.at - known.resolved_at <= within):
            known.firings += 1
            known.resolved_at = None
            known.on_arrival = known.on_arrival and row.on_arrival
            continue
        device = devices.get(row.device_id)
        latest[key] = case = WouldBe(
            row.id,
            row.rule,
            row.device_id,
            device.customer_id if device else None,
            row.fault,
            row.at,
            row.on_arrival,
            row.explanation,
            row.severity,
            verdict=row.verdict,
            said_by=row.said_by,
        )
        trial = found[row.rule]
        trial.since = trial.since or row.at
        trial.cases.insert(0, case)
    for trial in found.values():
        for case in trial.cases:
            if case.verdict:
                trial.verdicts.add(case.verdict)
    return found


def with_trials(
    tx: Transaction, before: RuleSet, after: RuleSet, migration: Iterable[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Add to each rule that leaves shadow, as ``trial``, how it did there: see ``Trial.as_dict``."""
    old = {rule.id: rule for rule in before.rules}
    leaving = {
        rule.id: rule.reopen_within
        for rule in after.rules
        if not rule.shadow and rule.id in old and old[rule.id].shadow
    }
    changes = list(migration)
    if not leaving:
        return changes
    found = trials(tx.connection, leaving, tx.registry.devices, tx.now - LOOK_BACK)
    return [
        {**change, "trial": found[change["rule"]].as_dict()} if change["rule"] in found else change
        for change in changes
    ]


def trial_lines(trial: Mapping[str, Any]) -> Sequence[str]:
    """Write what ``Trial.as_dict`` says, for a person at a terminal."""
    counted = Verdicts(trial["real"], trial["false_alarms"], trial["duplicates"])
    cases = f"{trial['cases']} case{'' if trial['cases'] == 1 else 's'}"
    customers = f"{trial['customers']} customer{'' if trial['customers'] == 1 else 's'}"
    lines = [f"in shadow it would have opened {cases} for {customers}; {counted.sentence()}"]
    hours = ", ".join(f"{int(hour):02}h {count}" for hour, count in trial["by_hour_utc"].items())
    return [*lines, f"by hour (UTC): {hours}"] if hours else lines
