"""Messages that one person does not want to hear for a time, though others are told."""

import sqlalchemy as sa

from device_models.event import rfc3339
from device_models.purpose import Purpose
from gateway.outbox.caps import is_capped
from gateway.store.schema import HEARER, cases, silences
from gateway.transaction import Transaction
from notifiers.reasons import Reason
from rules.respond import Notify


def muted_by_themselves(tx: Transaction, notify: Notify, text: str | None) -> Reason | None:
    """Say why somebody who has to do with another's product is not told of it now; None where they are.

    An owner's silence is met earlier: nothing opens a case meanwhile. Safety, answers and people's own words go out.
    """
    contacts = tx.registry.contacts.get(notify.device_id, ())
    if notify.customer_id not in {contact.customer_id for contact in contacts}:
        return None
    if notify.purpose is Purpose.SAFETY or text is not None or not is_capped(notify.template):
        return None
    s, c = silences.c, cases.c
    rule = sa.select(c.rule).where(c.id == notify.case_id).scalar_subquery()
    query = sa.select(sa.func.max(s.ends_at, type_=s.ends_at.type)).where(
        s.whose == HEARER,
        s.customer_id == notify.customer_id,
        sa.or_(s.device_id.is_(None), s.device_id == notify.device_id),
        sa.or_(s.rule.is_(None), s.rule == rule),
        s.starts_at <= tx.now,
        s.ends_at > tx.now,
        s.ended_at.is_(None),
    )
    until = tx.connection.execute(query).scalar()
    return Reason("silence.own", {"until": rfc3339(until)}) if until is not None else None
