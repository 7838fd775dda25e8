"""What was learned of channels, kept in the store: read for a choice by key, written when a message is settled."""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from device_models.purpose import Purpose, Severity
from device_models.registry import Customer
from gateway.outbox.outcomes import profile_of, scope_text
from gateway.store import dialect
from gateway.store.outcomes import channel_reports, outcomes, tallies
from gateway.store.statements import one_of
from gateway.transaction import Transaction
from notifiers.choice import OWN_CHOICE
from notifiers.holdout import in_holdout
from notifiers.learning.outcomes import REPORTED, Outcome, Stage
from notifiers.learning.tally import NOTHING, Tally
from notifiers.learning.thompson import Learner, Scope, learn, scopes_of, segment_of

EXPERIMENT = "channels"
_MOST_SETTLED = 500
"""In one transaction; what is left is settled by the next look."""
_OF_SCOPES = sa.select(tallies).where(one_of(tallies.c.scope, "scopes"))


class StoredKnowledge:
    """The tallies of some scopes, read in one query: a ``notifiers.learning.thompson.Knowledge``."""

    def __init__(self, connection: sa.Connection, scopes: Iterable[Scope]) -> None:
        keys = {scope_text(*scope) for scope in scopes}
        rows = connection.execute(_OF_SCOPES, {"scopes": sorted(keys)})
        self._tallies = {(row.scope, row.channel): Tally.from_json(row.counts) for row in rows}

    def tally(self, scope: Scope, channel: str) -> Tally:
        """See ``Knowledge``."""
        return self._tallies.get((scope_text(*scope), channel), NOTHING)


def learner_for(
    tx: Transaction, customer: Customer, purpose: Purpose, severity: Severity, key: str, device_id: str | None
) -> Learner | None:
    """Say what is known of a customer for one message; None where learning is switched off.

    A safety notice, or what is critical, is no time to try a channel out: it takes what is known to be best.
    """
    settings = tx.config.notifiers.learning
    if not settings.enabled:
        return None
    segment = segment_of(profile_of(tx, device_id), customer)
    knowledge = StoredKnowledge(tx.connection, scopes_of(customer, purpose, segment))
    explore = purpose is not Purpose.SAFETY and severity is not Severity.CRITICAL
    return Learner(knowledge, segment, key, explore, settings.half_life)


def left_out(tx: Transaction, customer: Customer) -> bool:
    """Whether a customer is left out of learning, so that its gain can be measured."""
    settings = tx.config.notifiers.learning
    return settings.enabled and in_holdout(customer.id, settings.holdout, EXPERIMENT)


def settle_outcomes(tx: Transaction) -> int:
    """Learn from messages whose time is over; return how many. The same ones never count twice."""
    due = sa.select(outcomes).where(outcomes.c.settled.is_(sa.false()), outcomes.c.settles_at <= tx.now)
    order = (outcomes.c.settles_at, outcomes.c.notification_id, outcomes.c.channel)
    rows = tx.connection.execute(due.order_by(*order).limit(_MOST_SETTLED)).mappings().all()
    reports = {(r.channel, r.stage): r.last_at for r in tx.connection.execute(sa.select(channel_reports))}
    for row in rows:
        customer = tx.registry.customers.get(row["customer_id"])
        reached = _reached(row, reports)
        if customer is not None and reached:
            _learn(tx, customer, row, reached)
        of_message = (outcomes.c.notification_id == row["notification_id"], outcomes.c.channel == row["channel"])
        tx.connection.execute(sa.update(outcomes).where(*of_message).values(settled=True))
    return len(rows)


def count_due(connection: sa.Connection, now: Any) -> int:
    """Count messages whose time is over and that were not learned from yet."""
    due = (outcomes.c.settled.is_(sa.false()), outcomes.c.settles_at <= now)
    return connection.execute(sa.select(sa.func.count()).select_from(outcomes).where(*due)).scalar_one()


def _learn(tx: Transaction, customer: Customer, row: sa.RowMapping, reached: Mapping[Stage, bool]) -> None:
    purpose = Purpose(row["purpose"])
    knowledge = StoredKnowledge(tx.connection, scopes_of(customer, purpose, row["segment"]))
    own = row["decided_by"] in OWN_CHOICE or row["decided_by"] == "channel.reply"
    outcome = Outcome(
        customer.id, purpose, row["channel"], customer.country, row["segment"], reached, row["settles_at"], own
    )
    changed = list(learn(knowledge, outcome, tx.config.notifiers.learning.half_life))
    written = [
        {
            "scope": scope_text(*scope),
            "channel": channel,
            "customer_id": scope.key if scope.level == "customer" else None,
            "counts": tally.to_json(),
        }
        for scope, channel, tally in changed
    ]
    dialect.upsert(tx.connection, tallies, written)


def _reached(row: sa.RowMapping, reports: Mapping[tuple[str, str], Any]) -> dict[Stage, bool]:
    """What the message came to, by the stages that could have been seen.

    Silence counts only where the channel has spoken since: one that never reports, or whose receipts stopped coming,
    says nothing of the message.
    """
    answered = row["answered_at"] is not None
    reached = {}
    for stage in sorted(REPORTED):
        last_at = reports.get((row["channel"], stage.value))
        if row["failed_at"] is not None or (last_at is not None and last_at >= row["sent_at"]):
            reached[stage] = row["failed_at"] is None and (answered or row[f"{stage.value}_at"] is not None)
    if row["asks"]:
        reached[Stage.ANSWERED] = answered
        if row["case_id"] is not None and row["purpose"] not in (Purpose.OFFER.value, Purpose.NEWS.value):
            reached[Stage.FIXED] = row["fixed_at"] is not None
    return reached
