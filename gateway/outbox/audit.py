"""The outbox's audit of itself: what each case was promised, beside what providers reported.

Each finding is something that never happens while all is well: a message that nobody carries out, a send that nobody
answered, a row at odds with its receipts, a provider whose receipts stopped. The audit also is the outbox's heartbeat:
it is committed by the one writer, so one that stands still says that nothing is carried out any more.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog

from device_models.event import rfc3339
from gateway.clock import Clock
from gateway.commands import Commands, SetMeta
from gateway.outbox.metrics import OutboxMetrics
from gateway.store import schema
from gateway.store.store import Store

log = structlog.get_logger()

KEY = "outbox_audit"
"""Of ``meta``: ``{"at": RFC 3339, "findings": {finding: count}, "cases": {finding: [case ids]}}``."""
EVERY = timedelta(minutes=1)
LATE = timedelta(minutes=5)
"""An audit older than this is a heartbeat that stopped."""
_WAITED_TOO_LONG = timedelta(minutes=15)
_UNANSWERED = timedelta(minutes=10)
_LOOK_BACK = timedelta(days=7)
_SILENT_AFTER, _SILENT_MESSAGES = timedelta(hours=6), 20
_MOST_NAMED = 5

SENTENCES: Mapping[str, str] = {
    "waiting": "are due for more than 15 minutes and were not handed over",
    "unanswered": "were handed over more than 10 minutes ago, and what came of it was never stored",
    "parted": "stand otherwise than their provider's receipts say",
    "unproven": "count as delivered, and no receipt says so",
    "missing": "were promised in a case's timeline and are not in the outbox",
    "stranger": "receipts are about messages that this gateway never sent",
    "silent": "were accepted by a provider that has reported on none of its last ones, and used to",
}
"""What each finding says of its messages."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which messages and receipts part."""

    name: str
    """One of ``SENTENCES``."""
    count: int
    cases: tuple[int, ...] = ()
    """Some of the cases it is about."""


def audit(connection: sa.Connection, now: datetime, speed: float = 1.0) -> list[Finding]:
    """Compare what was promised with what was reported; every finding is there, with 0 where all is well.

    ``speed``: simulated seconds per real one. Providers answer in real time, however fast the clock of a demo runs.
    """
    waited, unanswered = now - _WAITED_TOO_LONG * speed, now - _UNANSWERED * speed
    n, r, t = schema.notifications, schema.receipts, schema.timeline
    held = connection.execute(sa.select(schema.meta.c.value).where(schema.meta.c.key == "hold")).scalar()
    recent = n.c.created_at > now - _LOOK_BACK
    receipt = sa.and_(r.c.provider == n.c.provider, r.c.provider_id == n.c.provider_id)
    arrived = sa.select(r.c.id).where(receipt, r.c.state.in_(("delivered", "read"))).exists()
    by_app = sa.select(r.c.id).where(r.c.provider == "app", r.c.provider_id == n.c.key + ":" + n.c.channel).exists()
    failed = sa.select(r.c.id).where(receipt, r.c.state == "failed", r.c.received_at >= n.c.handed_over_at).exists()
    due = sa.func.coalesce(n.c.not_before, n.c.created_at) < waited
    approved = n.c.updated_at < waited
    waiting = [n.c.state == "queued", due, approved] if not held else [sa.false()]
    parted = sa.or_(
        sa.and_(n.c.state.in_(("accepted", "unknown", "handed_over", "queued")), arrived),
        sa.and_(n.c.state == "accepted", failed),
    )
    unproven = (n.c.state.in_(("delivered", "read")), n.c.channel != "inbox", ~arrived, ~by_app)
    promised = sa.select(t.c.case_id).where(
        t.c.kind == "message_out",
        t.c.at > now - _LOOK_BACK,
        ~sa.select(n.c.id).where(n.c.id == t.c.notification_id).exists(),
    )
    known = sa.select(n.c.id).where(n.c.provider == r.c.provider, n.c.provider_id == r.c.provider_id).exists()
    named = sa.select(n.c.id).where(n.c.key + ":" + n.c.channel == r.c.provider_id).exists()
    other = r.alias("other")
    given_up = (
        sa.select(other.c.id)
        .where(other.c.provider == r.c.provider, other.c.provider_id == r.c.provider_id, other.c.state == "failed")
        .exists()
    )
    strangers = (
        sa.select(sa.func.count())
        .select_from(r)
        # Meta reports what anybody sends from that number, be it another system of the company's.
        .where(r.c.provider != "whatsapp_cloud", r.c.state.in_(("delivered", "read")), ~known, ~named, ~given_up)
        .where(r.c.received_at.between(now - _LOOK_BACK, unanswered))
    )
    return [
        _messages(connection, "waiting", *waiting),
        _messages(connection, "unanswered", n.c.state == "handed_over", n.c.handed_over_at < unanswered),
        _messages(connection, "parted", recent, parted),
        _messages(connection, "unproven", recent, *unproven),
        _of_cases("missing", list(connection.execute(promised).scalars())),
        Finding("stranger", connection.execute(strangers).scalar_one()),
        _silent(connection, now),
    ]


def _messages(connection: sa.Connection, name: str, *where: sa.ColumnElement[bool]) -> Finding:
    n = schema.notifications
    return _of_cases(name, list(connection.execute(sa.select(n.c.case_id).where(*where).order_by(n.c.id)).scalars()))


def _of_cases(name: str, case_ids: list[int | None]) -> Finding:
    cases = dict.fromkeys(case_id for case_id in case_ids if case_id is not None)
    return Finding(name, len(case_ids), tuple(cases)[:_MOST_NAMED])


def _silent(connection: sa.Connection, now: datetime) -> Finding:
    """Providers that reported in the week before, and on none of many messages accepted since some hours."""
    n, r = schema.notifications, schema.receipts
    accepted = (
        sa.select(n.c.provider, sa.func.count().label("messages"))
        .where(n.c.accepted_at.between(now - timedelta(days=1), now - timedelta(hours=1)))
        .group_by(n.c.provider)
        .having(sa.func.count() >= _SILENT_MESSAGES)
    )
    silent = 0
    for provider, messages in connection.execute(accepted).all():
        last = sa.select(sa.func.max(r.c.received_at)).where(
            r.c.provider == provider, r.c.state.in_(("delivered", "read"))
        )
        heard_at = connection.execute(last).scalar()
        if heard_at is not None and now - _LOOK_BACK < heard_at < now - _SILENT_AFTER:
            silent += messages
    return Finding("silent", silent)


class Auditor:
    """Audits each minute, says so, and raises an alarm where something parts."""

    def __init__(self, store: Store, commands: Commands, clock: Clock, metrics: OutboxMetrics) -> None:
        """Read from ``store``; what is found is committed through ``commands``."""
        self._store, self._commands, self._clock, self._metrics = store, commands, clock, metrics
        self._last_at = clock.now()
        self._alarmed: dict[str, int] = {}

    async def look(self) -> None:
        """Audit once."""
        now = self._clock.now()
        findings = await self._read(now)
        counts = {finding.name: finding.count for finding in findings}
        cases = {finding.name: list(finding.cases) for finding in findings if finding.count}
        await self._commands.submit(SetMeta(KEY, {"at": rfc3339(now), "findings": counts, "cases": cases}))
        self._metrics.audited(counts, now)
        parted = {name: count for name, count in counts.items() if count}
        if parted and parted != self._alarmed:
            log.error("outbox.audit_alarm", **parted, cases=sorted({case for ids in cases.values() for case in ids}))
        elif self._alarmed and not parted:
            log.info("outbox.audit_well")
        self._alarmed, self._last_at = parted, now

    def status(self) -> dict[str, Any]:
        """Say what the last audit found, and whether it still comes."""
        age = self._clock.now() - self._last_at
        if age > LATE * self._clock.speed:
            return {"ok": False, "detail": f"the last one was {age.total_seconds() / 60:.0f} minutes ago"}
        said = [f"{count} {SENTENCES[name]}" for name, count in self._alarmed.items()]
        return {"ok": not said, "detail": "; ".join(said) or "messages and receipts agree"}

    async def _read(self, now: datetime) -> list[Finding]:
        def read() -> list[Finding]:
            with self._store.read() as connection:
                return audit(connection, now, self._clock.speed)

        return await asyncio.to_thread(read)
