"""The few facts of each case that reports are made from, read in one go."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa

from gateway.reports.report import Period
from gateway.store.schema import cases, inbound, notifications


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """One case as reports see it."""

    id: int
    rule: str
    kind: str
    severity: str
    purpose: str
    opened_at: datetime
    since: datetime | None
    """When the fault began, by its device's clock."""
    resolved_at: datetime | None
    resolved_by: str | None
    """``telemetry`` or a user's name."""
    reopened: int
    response_due_at: datetime | None
    first_response_at: datetime | None
    told_at: datetime | None
    """When a provider first took a message about it."""
    wrote_at: datetime | None
    """When its customer first wrote."""

    @property
    def spoke_first(self) -> Literal["us", "customer"] | None:
        """Who did; None where nobody has said anything yet."""
        if self.told_at is None and self.wrote_at is None:
            return None
        if self.wrote_at is None or (self.told_at is not None and self.told_at <= self.wrote_at):
            return "us"
        return "customer"

    @property
    def detected_in(self) -> timedelta | None:
        """From the fault's beginning to the case; None where it does not say when it began."""
        return None if self.since is None else max(self.opened_at - self.since, timedelta(0))

    @property
    def told_in(self) -> timedelta | None:
        """From the case to the first message that a provider took."""
        return None if self.told_at is None else self.told_at - self.opened_at

    @property
    def solved_in(self) -> timedelta | None:
        """From the case to its end."""
        return None if self.resolved_at is None else self.resolved_at - self.opened_at

    @property
    def answered_in_time(self) -> bool | None:
        """Whether the first answer came before it was due; None where none was due, or none came yet."""
        if self.response_due_at is None or self.first_response_at is None:
            return None
        return self.first_response_at <= self.response_due_at


def load(connection: sa.Connection, period: Period) -> list[CaseFacts]:
    """Read the cases that were opened within ``period``, in that order; those found on arrival are left out."""
    told = (
        sa.select(notifications.c.case_id, sa.func.min(notifications.c.accepted_at).label("told_at"))
        .where(notifications.c.accepted_at.is_not(None), notifications.c.case_id.is_not(None))
        .group_by(notifications.c.case_id)
        .subquery()
    )
    wrote = (
        sa.select(inbound.c.case_id, sa.func.min(inbound.c.received_at).label("wrote_at"))
        .where(inbound.c.case_id.is_not(None))
        .group_by(inbound.c.case_id)
        .subquery()
    )
    query = (
        sa.select(
            cases.c.id,
            cases.c.rule,
            cases.c.kind,
            cases.c.severity,
            cases.c.purpose,
            cases.c.opened_at,
            cases.c.explanation["since"].as_string().label("since"),
            cases.c.resolved_at,
            cases.c.resolved_by,
            cases.c.reopened,
            cases.c.response_due_at,
            cases.c.first_response_at,
            told.c.told_at,
            wrote.c.wrote_at,
        )
        .select_from(
            cases.outerjoin(told, told.c.case_id == cases.c.id).outerjoin(wrote, wrote.c.case_id == cases.c.id)
        )
        .where(cases.c.opened_at >= period.since, cases.c.opened_at < period.until, cases.c.on_arrival.is_(sa.false()))
        .order_by(cases.c.opened_at, cases.c.id)
    )
    return [CaseFacts(**{**row, "since": _moment(row["since"])}) for row in connection.execute(query).mappings()]


def _moment(said: str | None) -> datetime | None:
    return datetime.fromisoformat(said) if said else None
