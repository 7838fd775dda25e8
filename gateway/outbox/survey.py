"""Asking by message how the help was: whose fault ended a while ago, who was told of it, and who is not asked often."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from device_models.purpose import Purpose, Severity
from gateway.cases.record import load_case
from gateway.outbox.outcomes import SURVEY
from gateway.outbox.queue import enqueue
from gateway.settings.contact import Survey
from gateway.store.desk import survey_answers
from gateway.store.schema import cases, devices, notifications, timeline
from gateway.transaction import Transaction
from rules.respond import Notify, device_facts

_TOO_LATE = timedelta(days=3)
"""What ended longer ago is not asked about: after a stop of the gateway, or on the day that surveys are switched on."""
_TOLD = ("handed_over", "accepted", "delivered", "read", "unknown")
_NEVER_ASKED = ("withheld", "discarded", "cancelled", "expired", "dead")
_AT_ONCE = 200
_PURPOSES = (Purpose.FAULT.value, Purpose.SAFETY.value)


def due_surveys(connection: sa.Connection, settings: Survey, now: datetime, most: int = _AT_ONCE) -> list[int]:
    """Return the ids of cases whose customers may be asked now, the latest first.

    Their fault is over for ``settings.after``, they were told of it and have not rated it, nothing they wrote waits
    for a person, and the product is still theirs.
    """
    c, n, t, a = cases.c, notifications.c, timeline.c, survey_answers.c
    ended = (now - settings.after - _TOO_LATE, now - settings.after)
    # By the timeline's lines: a digest is a message of one case and tells of several.
    told = sa.select(t.id).join(notifications, n.id == t.notification_id)
    told = told.where(t.case_id == c.id, n.customer_id == c.customer_id, n.state.in_(_TOLD))
    rated = sa.select(a.id).where(a.case_id == c.id, a.customer_id == c.customer_id)
    once = sa.select(n.id).where(n.case_id == c.id, n.template == SURVEY)
    lately = sa.select(n.id).where(
        n.customer_id == c.customer_id,
        n.template == SURVEY,
        n.created_at > now - settings.at_most_every,
        n.state.not_in(_NEVER_ASKED),
    )
    query = (
        sa.select(c.id)
        .join(devices, sa.and_(devices.c.id == c.device_id, devices.c.customer_id == c.customer_id))
        # Nothing is written to a case before it happens, so its index by ``updated_at`` bounds ``resolved_at`` too.
        .where(c.state == "resolved", c.updated_at > ended[0], c.resolved_at > ended[0], c.resolved_at <= ended[1])
        .where(c.purpose.in_(_PURPOSES), c.severity.in_([severity.value for severity in settings.severities]))
        .where(c.needs_reply.is_(False), c.merged_into.is_(None))
        .where(told.exists(), ~rated.exists(), ~once.exists(), ~lately.exists())
        .order_by(c.resolved_at.desc(), c.id.desc())
        .limit(most)
    )
    return list(connection.execute(query).scalars())


def send_surveys(tx: Transaction) -> int:
    """Ask each customer of whom ``due_surveys`` knows about their latest case; return how many."""
    settings = tx.config.notifiers.survey
    asked: set[str] = set()
    for case_id in due_surveys(tx.connection, settings, tx.now) if settings.enabled else ():
        case = load_case(tx, case_id)
        if case is not None and case["customer_id"] not in asked and _ask(tx, case):
            asked.add(case["customer_id"])
    return len(asked)


def why_moot(tx: Transaction, row: sa.RowMapping) -> str | None:
    """Say why a survey that is about to go out asks nothing any more; None where it does, and of any other message."""
    if row["template"] != SURVEY:
        return None
    case = load_case(tx, row["case_id"])
    if case is None or case["state"] != "resolved":
        return "the case was opened again"
    if case["needs_reply"]:
        return "they wrote, and a person answers first"
    a = survey_answers.c
    rated = sa.select(a.id).where(a.case_id == row["case_id"], a.customer_id == row["customer_id"])
    return "they have rated it already" if tx.connection.execute(rated).first() is not None else None


def _ask(tx: Transaction, case: sa.RowMapping) -> bool:
    facts = {
        **case["explanation"],
        **device_facts(tx.registry.devices.get(case["device_id"]), tx.profiles),
        "severity": case["severity"],
        # A question is no safety notice, which would break quiet hours and know no cap.
        "purpose": Purpose.FAULT.value,
        "case_id": case["id"],
    }
    notify = Notify(
        key=f"case:{case['id']}:{SURVEY}",
        template=SURVEY,
        customer_id=case["customer_id"],
        device_id=case["device_id"],
        case_id=case["id"],
        purpose=Purpose.FAULT,
        severity=Severity.INFO,
        facts=facts,
    )
    return enqueue(tx, notify, via=_wrote_on(tx, case)) is not None


def _wrote_on(tx: Transaction, case: sa.RowMapping) -> str | None:
    """The channel of their last words in the case; None where there are none, and the usual choice holds."""
    t = timeline.c
    query = sa.select(t.body).where(t.case_id == case["id"], t.kind == "message_in").order_by(t.id.desc())
    for body in tx.connection.execute(query).scalars():
        if body.get("from", case["customer_id"]) == case["customer_id"] and body.get("channel") != "page":
            return str(body["channel"]) if body.get("channel") else None
    return None
