"""Keep what becomes of each message: receipts, answers and the end of the fault, until its time is over.

An answer belongs to the last message that went out in its case on the channel they wrote on, or on any channel where
they answered elsewhere, such as on their page. What is learned from it is ``gateway.outbox.learning``'s.
"""

from typing import Any

import sqlalchemy as sa

from gateway.store import dialect
from gateway.store.outcomes import channel_reports, outcomes
from gateway.transaction import Transaction
from notifiers.learning.outcomes import Stage
from notifiers.learning.thompson import segment_of
from notifiers.receipts import SendState
from notifiers.wording.segments import segments

ASKS = frozenset({"fault_opened", "fault_update", "maintenance_due", "digest", "agent_reply", "offer"})
"""Templates that ask for something; that all is well again, or that a STOP was heeded, needs no answer."""
SURVEY = "survey"
"""The template that asks how the help was. Few answer such, which says nothing of the channel: nothing is learned."""


def note_sent(tx: Transaction, row: sa.RowMapping, state: SendState) -> None:
    """A provider took the message on ``row["channel"]``; ``state`` is how far it has come by now."""
    if _insert(tx, row, taken=True):
        note_receipt(tx, row["id"], row["channel"], state)


def note_billing(tx: Transaction, notification_id: int, channel: str, billed_as: str) -> None:
    """The provider said what it bills a message as, see ``outcomes.billed_as``; its last word counts."""
    of_message = (outcomes.c.notification_id == notification_id, outcomes.c.channel == channel)
    tx.connection.execute(sa.update(outcomes).where(*of_message).values(billed_as=billed_as))


def note_receipt(tx: Transaction, notification_id: int, channel: str, state: SendState) -> None:
    """A provider reported that it arrived, or was read."""
    if not state.reached:
        return
    stages = (Stage.DELIVERED, Stage.READ) if state is SendState.READ else (Stage.DELIVERED,)
    of_message = (outcomes.c.notification_id == notification_id, outcomes.c.channel == channel)
    for stage in stages:
        column = outcomes.c[f"{stage.value}_at"]
        tx.connection.execute(sa.update(outcomes).where(*of_message, column.is_(None)).values({column.name: tx.now}))
    reported = [{"channel": channel, "stage": stage.value, "last_at": tx.now} for stage in stages]
    dialect.upsert(tx.connection, channel_reports, reported)


def note_failed(tx: Transaction, row: sa.RowMapping) -> None:
    """The channel failed for good, before or after it took the message: settled at once, as not reached."""
    if row["channel"] is None:
        return
    _insert(tx, row, taken=False)
    tx.connection.execute(
        sa.update(outcomes)
        .where(
            outcomes.c.notification_id == row["id"],
            outcomes.c.channel == row["channel"],
            outcomes.c.settled.is_(sa.false()),
        )
        .values(failed_at=tx.now, settles_at=tx.now)
    )


def note_answer(tx: Transaction, case_id: int, channel: str | None) -> None:
    """They answered in a case; ``channel`` is where, None where that is none of the channels (their page)."""
    found = _last_open(tx, case_id, channel) or _last_open(tx, case_id, None)
    if found is not None:
        _mark(tx, found, outcomes.c.answered_at)


def note_redeemed(tx: Transaction, notification_id: int) -> None:
    """An offer was redeemed: the best answer there is."""
    query = (
        sa.select(outcomes.c.notification_id, outcomes.c.channel)
        .where(outcomes.c.notification_id == notification_id, outcomes.c.settled.is_(sa.false()))
        .order_by(outcomes.c.sent_at.desc())
    )
    if (found := tx.connection.execute(query).mappings().first()) is not None:
        _mark(tx, found, outcomes.c.answered_at)


def note_fixed(tx: Transaction, case_id: int) -> None:
    """The fault ended, or the service was done."""
    if (found := _last_open(tx, case_id, None)) is not None:
        _mark(tx, found, outcomes.c.fixed_at)


def scope_text(level: str, key: str, purpose: str) -> str:
    """Write a scope as the store keys it."""
    return f"{level}/{purpose}/{key}"


def _insert(tx: Transaction, row: sa.RowMapping, *, taken: bool) -> bool:
    customer = tx.registry.customers.get(row["customer_id"])
    if customer is None:
        return False
    codes = [step["code"] for step in row["why"]]
    deciding = [code for code in codes if code.startswith("channel.") and code != "channel.holdout"]
    values = {
        "notification_id": row["id"],
        "channel": row["channel"],
        "customer_id": customer.id,
        "case_id": row["case_id"],
        "purpose": row["purpose"],
        "country": customer.country,
        "segment": segment_of(profile_of(tx, row["device_id"]), customer),
        "decided_by": deciding[-1] if deciding else "channel.configured",
        "holdout": "channel.holdout" in codes,
        "asks": row["template"] in ASKS,
        "sent_at": tx.now,
        "settles_at": tx.now + tx.config.notifiers.learning.answer_within,
        "settled": False,
        "taken": taken,
        "segments": segments(row["body"] or "").count if taken and row["channel"] == "sms" else None,
    }
    return dialect.insert_new(tx.connection, outcomes, values, unique=["notification_id", "channel"])


def profile_of(tx: Transaction, device_id: str | None) -> str:
    """Name the kind of product a message is about, as segments do."""
    device = tx.registry.devices.get(device_id) if device_id else None
    return device.profile if device else ""


def _last_open(tx: Transaction, case_id: int, channel: str | None) -> sa.RowMapping | None:
    query = sa.select(outcomes.c.notification_id, outcomes.c.channel).where(
        outcomes.c.case_id == case_id,
        outcomes.c.asks,
        outcomes.c.settled.is_(sa.false()),
        outcomes.c.failed_at.is_(None),
    )
    if channel is not None:
        query = query.where(outcomes.c.channel == channel)
    order = (outcomes.c.sent_at.desc(), outcomes.c.notification_id.desc())
    return tx.connection.execute(query.order_by(*order).limit(1)).mappings().first()


def _mark(tx: Transaction, found: sa.RowMapping, column: sa.Column[Any]) -> None:
    of_message = (outcomes.c.notification_id == found["notification_id"], outcomes.c.channel == found["channel"])
    tx.connection.execute(sa.update(outcomes).where(*of_message, column.is_(None)).values({column.name: tx.now}))
