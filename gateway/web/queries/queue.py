"""The queue: which cases need a person, the most urgent first, and why each is here.

Each reason is a query of its own on an index of its own (a *band*), so that the queue's cost is that of the rows it
shows and not of the cases in store.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from gateway.staff.sla import Target
from gateway.store.readings import unjoined
from gateway.store.schema import cases, devices, notifications
from gateway.store.staff import staff_alerts, team_members
from gateway.web.queries import cases as case_queries
from gateway.web.queries import search
from gateway.web.queries.cases import CaseLine

PAGE = 50
COUNTED_TO = 1000
"""Counts in the navigation stop here ("999+"): counting on would cost more than the number is worth."""


class View(StrEnum):
    """The lists that the queue page can show."""

    NEEDS_YOU = "needs-you"
    MINE = "mine"
    OPEN = "open"
    ESCALATED = "escalated"
    RESTING = "resting"
    RESOLVED = "resolved"
    ANY = "any"
    ARRIVAL = "arrival"


class Reason(StrEnum):
    """Why a case needs a person now; in the order of urgency."""

    BREACHED = "breached"
    ESCALATED = "escalated"
    APPROVAL = "approval"
    REPLY = "reply"
    DUE = "due"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """What of the queue is asked for; the URL says the same."""

    view: View = View.NEEDS_YOU
    user: str = ""
    severity: str | None = None
    words: str = ""
    page: int = 1
    owner: str = ""
    """A user's name; ``me``; ``nobody``; empty: any."""
    rule: str = ""
    site: str = ""
    team: str = ""
    """A team's name; ``mine``: those that the user is of; empty: any."""

    @property
    def narrowed(self) -> bool:
        """Whether anything but the view was asked for."""
        return bool(self.severity or self.words or self.owner or self.rule or self.site or self.team)

    @property
    def for_anybody(self) -> "QueueFilter":
        """The same without its user, where whoever asks is shown the same cases."""
        own = self.view is View.MINE or self.owner == "me" or self.team == "mine"
        return self if own else replace(self, user="")


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A case and why it is here; ``reasons`` is empty in views that show all."""

    case: CaseLine
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class QueuePage:
    """One page of rows."""

    rows: list[QueueRow]
    page: int
    more: bool


def reasons_of(case: CaseLine, now: datetime) -> tuple[Reason, ...]:
    """Tell why a case needs a person at ``now``, the most urgent reason first."""
    due = case.sla_due_at if case.open and case.snoozed_until is None else None
    breached = due is not None and due <= now and case.sla_target != Target.RESOLVE
    soon = case.sla_warn_at is not None and case.sla_warn_at <= now
    due_shown = due is not None and not breached and (case.first_response_at is None or soon or due <= now)
    found = (
        (Reason.BREACHED, breached),
        (Reason.ESCALATED, case.open and case.snoozed_until is None and case.escalated_at is not None),
        (Reason.APPROVAL, case.waiting > 0),
        (Reason.REPLY, case.needs_reply),
        (Reason.DUE, due_shown),
        (Reason.NEW, case.open and not breached and not due_shown and case.acknowledged_at is None),
    )
    return () if case.on_arrival else tuple(reason for reason, holds in found if holds)


def load(connection: sa.Connection, wanted: QueueFilter, now: datetime) -> QueuePage:
    """Load one page of the queue as it stands at ``now``."""
    enough = wanted.page * PAGE + 1
    ids = (
        _needing(connection, wanted, now, enough)
        if wanted.view is View.NEEDS_YOU
        else _listed(connection, wanted, enough)
    )
    shown = ids[(wanted.page - 1) * PAGE : wanted.page * PAGE]
    rows = [QueueRow(case, reasons_of(case, now)) for case in case_queries.load(connection, shown)]
    return QueuePage(rows, wanted.page, more=len(ids) > wanted.page * PAGE)


def count(connection: sa.Connection, user: str, now: datetime) -> Mapping[str, int]:
    """Count what the navigation shows at ``now``, each up to COUNTED_TO.

    By name: ``needs_you``, ``mine``, ``messages``, ``arrival``, ``escalated``, ``team``, ``alerts``,
    ``unjoined``.
    """
    counted = connection.execute(_COUNTED, {"of_user": user, "of_now": now}).mappings().one()
    return {name: int(number) for name, number in counted.items()}


# Written as literals: SQLite uses a partial index only where the query's text repeats the index's condition.
_OPEN = cases.c.state == sa.literal_column("'open'")
_NOT_ARRIVAL = cases.c.on_arrival.is_(sa.false())
_AWAKE = cases.c.snoozed_until.is_(None)
_UNSEEN = (_OPEN, _AWAKE, _NOT_ARRIVAL, cases.c.acknowledged_at.is_(None))
_REPLY = (cases.c.needs_reply.is_(sa.true()), _AWAKE)
_ESCALATED = (cases.c.escalated_at.is_not(None), _OPEN)
_APPROVAL = (notifications.c.state == sa.literal_column("'awaiting_approval'"), notifications.c.case_id.is_not(None))
_ARRIVAL = (_OPEN, cases.c.on_arrival.is_(sa.true()))


_GRAVITY = sa.case({"critical": 0, "major": 1, "minor": 2}, value=cases.c.severity, else_=3)


_NOW = sa.bindparam("of_now", type_=cases.c.sla_due_at.type)
_USER = sa.bindparam("of_user", type_=sa.Text)
# What waits for its first answer, and whatever else is about to breach or did.
_NEAR = sa.or_(cases.c.first_response_at.is_(None), cases.c.sla_warn_at <= _NOW, cases.c.sla_due_at <= _NOW)
_DUE = (_OPEN, _AWAKE, _NOT_ARRIVAL, cases.c.sla_due_at.is_not(None), _NEAR)
_MINE = (_OPEN, cases.c.assignee == _USER)
_OWN_TEAMS = sa.select(team_members.c.team).where(team_members.c.user_name == _USER)


def _bands() -> tuple[sa.Select[Any], ...]:
    """What each reason gives, in the order of urgency."""
    due = cases.c.sla_due_at
    # A solution that is late is no reason to let customers wait for an answer: only answers overdue come first.
    late = (due <= _NOW, cases.c.sla_target != Target.RESOLVE.value)
    # The one whose answer is due first; a case that was answered already waits behind those that were not.
    urgency = (cases.c.first_response_at.is_not(None), due, sa.func.min(notifications.c.id))
    approval = (
        sa.select(cases.c.id)
        .join(notifications, notifications.c.case_id == cases.c.id)
        .where(*_APPROVAL, _AWAKE)
        .group_by(cases.c.id)
        .order_by(*urgency)
    )
    return (
        sa.select(cases.c.id).where(*_DUE, *late).order_by(due, cases.c.id),
        sa.select(cases.c.id).where(*_ESCALATED, _AWAKE).order_by(cases.c.escalated_at, cases.c.id),
        approval,
        sa.select(cases.c.id).where(*_REPLY).order_by(due.is_(None), due, cases.c.updated_at, cases.c.id),
        sa.select(cases.c.id).where(*_DUE).order_by(due, cases.c.id),
        sa.select(cases.c.id).where(*_UNSEEN).order_by(_GRAVITY, cases.c.id.desc()),
    )


def _counted() -> sa.Select[Any]:
    """All that the navigation shows in one statement."""
    needing = sa.union(
        sa.select(cases.c.id).where(*_DUE).limit(COUNTED_TO).subquery().select(),
        sa.select(cases.c.id).where(*_UNSEEN).limit(COUNTED_TO).subquery().select(),
        sa.select(cases.c.id).where(*_ESCALATED, _AWAKE).limit(COUNTED_TO).subquery().select(),
        sa.select(cases.c.id).where(*_REPLY).limit(COUNTED_TO).subquery().select(),
        sa.select(notifications.c.case_id).where(*_APPROVAL).distinct().limit(COUNTED_TO).subquery().select(),
    )
    counted: dict[str, sa.Select[Any] | sa.CompoundSelect[Any]] = {
        "needs_you": needing,
        "mine": sa.select(cases.c.id).where(*_MINE),
        "messages": sa.select(notifications.c.id).where(_APPROVAL[0]),
        "arrival": sa.select(cases.c.id).where(*_ARRIVAL),
        "escalated": sa.select(cases.c.id).where(*_ESCALATED),
        "team": sa.select(cases.c.id).where(_OPEN, _AWAKE, _NOT_ARRIVAL, cases.c.team.in_(_OWN_TEAMS)),
        "alerts": sa.select(staff_alerts.c.id).where(staff_alerts.c.state == "open"),
        "unjoined": sa.select(unjoined.c.inbound_id).where(unjoined.c.state == sa.literal_column("'open'")),
    }
    return sa.select(*(_size(query).label(name) for name, query in counted.items()))


def _size(query: sa.Select[Any] | sa.CompoundSelect[Any]) -> sa.ScalarSelect[Any]:
    bounded = query.limit(COUNTED_TO).subquery()
    return sa.select(sa.func.count()).select_from(bounded).scalar_subquery()


# Built once: building them took longer than running them (``gateway.store.statements``).
_BANDS = _bands()
_COUNTED = _counted()


def _needing(connection: sa.Connection, wanted: QueueFilter, now: datetime, enough: int) -> list[int]:
    """Join the bands in the order of urgency; a case stands in the first it belongs to."""
    narrowed = _narrow(connection, wanted)
    found: dict[int, None] = {}
    for band in _BANDS:
        query = band.where(*narrowed).limit(enough)
        found.update(dict.fromkeys(connection.execute(query, {"of_now": now, "of_user": wanted.user}).scalars()))
        if len(found) >= enough:
            break
    return list(found)[:enough]


def _listed(connection: sa.Connection, wanted: QueueFilter, enough: int) -> list[int]:
    conditions = {
        View.MINE: _MINE,
        View.OPEN: (_OPEN, _NOT_ARRIVAL),
        View.ESCALATED: _ESCALATED,
        View.RESTING: (cases.c.snoozed_until.is_not(None), _OPEN),
        View.RESOLVED: (cases.c.state == sa.literal_column("'resolved'"),),
        View.ANY: (),
        View.ARRIVAL: _ARRIVAL,
    }[wanted.view]
    query = sa.select(cases.c.id).where(*conditions, *_narrow(connection, wanted)).limit(enough)
    newest = (cases.c.id.desc(),) if wanted.view is View.ANY else (cases.c.updated_at.desc(), cases.c.id.desc())
    return list(connection.execute(query.order_by(*newest), {"of_user": wanted.user}).scalars())


def _narrow(connection: sa.Connection, wanted: QueueFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.severity:
        conditions.append(cases.c.severity == wanted.severity)
    if wanted.owner == "nobody":
        conditions.append(cases.c.assignee.is_(None))
    elif wanted.owner:
        conditions.append(cases.c.assignee == (wanted.user if wanted.owner == "me" else wanted.owner))
    if wanted.rule:
        conditions.append(cases.c.rule == wanted.rule)
    if wanted.site:
        of_site = sa.select(devices.c.id).where(devices.c.site == wanted.site)
        conditions.append(cases.c.device_id.in_(of_site))
    if wanted.team == "mine":
        conditions.append(cases.c.team.in_(_OWN_TEAMS))
    elif wanted.team:
        conditions.append(cases.c.team == wanted.team)
    if wanted.words:
        conditions.append(cases.c.id.in_(search.case_ids(connection, wanted.words)))
    return conditions
