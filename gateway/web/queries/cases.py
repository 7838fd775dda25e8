"""Cases as lists and pages show them: the row, the device, the customer, and what has been said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gateway.cases.by_hand import KIND, MISSED
from gateway.store.schema import cases, customers, devices, inbound, notifications, timeline, transitions
from gateway.store.statements import one_of
from gateway.web.queries import attachments
from gateway.web.queries.attachments import FileLine
from gateway.web.wording import moment


@dataclass(frozen=True, slots=True)
class CaseLine:
    """One case with the names of its device and its customer."""

    id: int
    rule: str
    fault: str
    kind: str
    severity: str
    purpose: str
    state: str
    on_arrival: bool
    explanation: Mapping[str, Any]
    opened_at: datetime
    updated_at: datetime
    response_due_at: datetime | None
    sla_policy: str | None
    sla_hours: str | None
    sla_target: str | None
    sla_since: datetime | None
    sla_warn_at: datetime | None
    sla_due_at: datetime | None
    sla_paused: str | None
    waiting_since: datetime | None
    first_response_at: datetime | None
    acknowledged_at: datetime | None
    assignee: str | None
    team: str | None
    routed_to: str | None
    region: str | None
    needs_reply: bool
    resolved_at: datetime | None
    resolved_by: str | None
    resolution: str | None
    reopened: int
    previous_case_id: int | None
    snoozed_until: datetime | None
    merged_into: int | None
    escalated_at: datetime | None
    field_task: str | None
    cause: str | None
    fix: str | None
    version: int
    device_id: str
    device_name: str | None
    device_model: str | None
    profile: str | None
    site: str | None
    customer_id: str | None
    customer_name: str | None
    customer_locale: str | None
    customer_timezone: str | None
    waiting: int = 0
    """Messages of this case that wait for approval."""
    told_at: datetime | None = None
    """When a provider first accepted a message of this case."""
    last_words: str | None = None
    """What the customer wrote last, where it waits for an answer."""

    @property
    def device_label(self) -> str:
        """What people call the device."""
        return self.device_name or self.device_model or self.device_id or "no device"

    @property
    def was_missed(self) -> bool:
        """Whether a person reported it and a rule should have seen it."""
        return self.kind == KIND and self.fault == MISSED

    @property
    def open(self) -> bool:
        """Whether somebody may still have to act."""
        return self.state == "open"


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of a case's timeline, with the message it is about."""

    id: int
    case_id: int
    """Another than the one shown for what was merged into it."""
    at: datetime
    kind: str
    author: str
    body: Mapping[str, Any]
    notification_id: int | None
    channel: str | None = None
    message_state: str | None = None
    message_subject: str | None = None
    message_text: str | None = None
    message_to: str | None = None
    """The customer that a message of ours went to."""
    files: Sequence[FileLine] = ()
    """What came, or went, with it."""

    @property
    def text(self) -> str:
        """The words of a note or a message; empty where the entry has none."""
        return str(self.message_text or self.body.get("text") or "")


_COLUMNS = (
    *(c for c in cases.c if c.name != "dedupe_key"),
    devices.c.name.label("device_name"),
    devices.c.model.label("device_model"),
    devices.c.profile,
    devices.c.site,
    customers.c.name.label("customer_name"),
    customers.c.locale.label("customer_locale"),
    customers.c.timezone.label("customer_timezone"),
)
_FROM = cases.outerjoin(devices, devices.c.id == cases.c.device_id).outerjoin(
    customers, customers.c.id == cases.c.customer_id
)

# Built once (``gateway.store.statements``): half of a queue's time was the building of its statements.
_OF_CASES = one_of(notifications.c.case_id, "ids")
_LINES = sa.select(*_COLUMNS).select_from(_FROM).where(one_of(cases.c.id, "ids"))
_WAITING = (
    sa.select(notifications.c.case_id, sa.func.count())
    .where(_OF_CASES, notifications.c.state == "awaiting_approval")
    .group_by(notifications.c.case_id)
)
_TOLD = (
    sa.select(notifications.c.case_id, sa.func.min(notifications.c.accepted_at, type_=notifications.c.accepted_at.type))
    .where(_OF_CASES, notifications.c.accepted_at.is_not(None))
    .group_by(notifications.c.case_id)
)
_NEWEST = sa.select(sa.func.max(inbound.c.id)).where(one_of(inbound.c.case_id, "ids")).group_by(inbound.c.case_id)
_LAST_WORDS = sa.select(inbound.c.case_id, inbound.c.text).where(inbound.c.id.in_(_NEWEST))


def load(connection: sa.Connection, ids: Sequence[int]) -> list[CaseLine]:
    """Load cases in the order of ``ids``; those that do not exist are left out."""
    if not ids:
        return []
    rows = {row["id"]: row for row in connection.execute(_LINES, {"ids": ids}).mappings()}
    waiting = _by_case(connection, _WAITING, ids)
    told = _by_case(connection, _TOLD, ids)
    words = _by_case(connection, _LAST_WORDS, [i for i, row in rows.items() if row["needs_reply"]])
    return [
        CaseLine(**rows[i], waiting=waiting.get(i, 0), told_at=told.get(i), last_words=words.get(i))
        for i in ids
        if i in rows
    ]


def one(connection: sa.Connection, case_id: int) -> CaseLine | None:
    """Load one case; None where there is no such case."""
    return next(iter(load(connection, [case_id])), None)


def history_of(connection: sa.Connection, case_id: int, limit: int = 500) -> list[TimelineEntry]:
    """Load a case's newest ``limit`` timeline entries, oldest first."""
    chosen = (
        sa.select(
            timeline.c.id,
            timeline.c.case_id,
            timeline.c.at,
            timeline.c.kind,
            timeline.c.author,
            timeline.c.body,
            timeline.c.notification_id,
            notifications.c.channel,
            notifications.c.state.label("message_state"),
            notifications.c.subject.label("message_subject"),
            notifications.c.customer_id.label("message_to"),
            sa.func.coalesce(notifications.c.body, notifications.c.text).label("message_text"),
        )
        .select_from(timeline.outerjoin(notifications, notifications.c.id == timeline.c.notification_id))
        .where(sa.or_(timeline.c.case_id == case_id, timeline.c.case_id.in_(_merged_into(case_id))))
        .order_by(timeline.c.id.desc())
        .limit(limit)
    )
    entries = [TimelineEntry(**row) for row in connection.execute(chosen).mappings()]
    files = attachments.of_cases(connection, {entry.case_id for entry in entries})
    if files:
        entries = [replace(entry, files=files.get(_owner_of(entry), ())) for entry in entries]
    return sorted(entries, key=lambda entry: (entry.at, entry.id))


def _owner_of(entry: TimelineEntry) -> tuple[str, int]:
    """What the files of a line belong to, see ``attachments.of_cases``."""
    match entry.kind:
        case "message_in":
            return "inbound", int(entry.body.get("inbound_id") or 0)
        case "message_out" | "withheld":
            return "message", entry.notification_id or 0
        case _:
            return "entry", entry.id


def _merged_into(case_id: int) -> sa.Select[tuple[int]]:
    """What is read within a case because it was merged into it."""
    return sa.select(cases.c.id).where(cases.c.merged_into == case_id)


def of_device(connection: sa.Connection, device_id: str, limit: int = 20) -> list[CaseLine]:
    """Load a device's newest cases."""
    return load(connection, _ids(connection, cases.c.device_id == device_id, limit))


def of_customer(connection: sa.Connection, customer_id: str, limit: int = 20) -> list[CaseLine]:
    """Load a customer's newest cases."""
    return load(connection, _ids(connection, cases.c.customer_id == customer_id, limit))


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """What the API's list of cases may be narrowed by; None leaves a field alone."""

    state: str | None = None
    severity: str | None = None
    rule: str | None = None
    device_id: str | None = None
    customer_id: str | None = None
    on_arrival: bool | None = None
    opened_since: datetime | None = None


def page(connection: sa.Connection, wanted: CaseFilter, after_id: int | None, limit: int) -> list[CaseLine]:
    """Load a page of cases in the order they were opened, beginning after the case ``after_id``."""
    query = sa.select(cases.c.id).order_by(cases.c.id).limit(limit)
    for name in ("state", "severity", "rule", "device_id", "customer_id", "on_arrival"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(cases.c[name] == value)
    if wanted.opened_since is not None:
        query = query.where(cases.c.opened_at >= wanted.opened_since)
    if after_id is not None:
        query = query.where(cases.c.id > after_id)
    return load(connection, connection.execute(query).scalars().all())


def _ids(connection: sa.Connection, condition: sa.ColumnElement[bool], limit: int) -> Sequence[int]:
    return (
        connection.execute(sa.select(cases.c.id).where(condition).order_by(cases.c.id.desc()).limit(limit))
        .scalars()
        .all()
    )


def _by_case(connection: sa.Connection, query: sa.Select[Any], ids: Sequence[int]) -> dict[int, Any]:
    """Return what a query says of each case, by the case's id."""
    return {row[0]: row[1] for row in connection.execute(query, {"ids": ids})} if ids else {}


def firing_span(connection: sa.Connection, case: CaseLine) -> tuple[datetime, datetime | None]:
    """Return since when a case's fault holds and until when; None while it still does.

    The explanation's ``since`` is when the condition began; the case opened once it had held for long enough.
    """
    latest = (
        sa.select(transitions.c.state, transitions.c.at, transitions.c.explanation)
        .where(transitions.c.case_id == case.id, transitions.c.state.in_(("firing", "resolved")))
        .order_by(transitions.c.id.desc())
        .limit(20)
    )
    until: datetime | None = None
    for state, at, explanation in connection.execute(latest):
        if state == "firing":
            return moment(explanation.get("since")) or at, until
        until = at
    return moment(case.explanation.get("since")) or case.opened_at, case.resolved_at
