"""Where each subscription stands, as rows."""

from typing import assert_never

import sqlalchemy as sa

from gateway.commands import CommandRefused
from gateway.commands import subscriptions as s
from gateway.store import dialect
from gateway.store.schema import timeline
from gateway.store.subscriptions import refused_events, subscriptions
from gateway.transaction import Transaction


def run(tx: Transaction, command: s.SubscriptionCommand) -> int | None:
    """Do what ``command`` says; raises CommandRefused where there is no such subscription."""
    match command:
        case s.OpenSubscription():
            return _open(tx, command.name)
        case s.AdvanceSubscription():
            _update(tx, command.name, position=command.position, failures=0, failing_since=None, reason=None)
        case s.SubscriptionFailed():
            _failed(tx, command)
        case s.PutEventAside():
            row = {
                "subscription": command.name,
                "entry_id": command.entry_id,
                "case_id": command.case_id,
                "kind": command.kind,
                "reason": command.reason,
                "at": tx.now,
            }
            dialect.insert_new(tx.connection, refused_events, row, unique=["subscription", "entry_id"])
            _update(tx, command.name, position=command.entry_id, failures=0, failing_since=None)
        case s.ResumeSubscription():
            _resume(tx, command)
        case _:
            assert_never(command)
    return None


def _open(tx: Transaction, name: str) -> int:
    known = tx.connection.execute(sa.select(subscriptions.c.position).where(subscriptions.c.name == name)).scalar()
    if known is not None:
        return int(known)
    newest = tx.connection.execute(sa.select(sa.func.coalesce(sa.func.max(timeline.c.id), 0))).scalar_one()
    row = {"name": name, "position": newest, "state": "active", "failures": 0}
    tx.connection.execute(sa.insert(subscriptions).values(row))
    return int(newest)


def _failed(tx: Transaction, command: s.SubscriptionFailed) -> None:
    t = subscriptions
    tx.connection.execute(
        sa.update(t)
        .where(t.c.name == command.name)
        .values(
            failures=t.c.failures + 1,
            failing_since=sa.func.coalesce(t.c.failing_since, sa.bindparam("since", tx.now, t.c.failing_since.type)),
            next_try_at=command.next_try_at,
            reason=command.reason,
            state="active" if command.next_try_at is not None else "paused",
        )
    )
    tx.changed("subscription", command.name)


def _resume(tx: Transaction, command: s.ResumeSubscription) -> None:
    values = {"state": "active", "failures": 0, "failing_since": None, "next_try_at": None, "reason": None}
    if command.after is not None:
        values["position"] = command.after
        again = refused_events.c.subscription == command.name, refused_events.c.entry_id > command.after
        tx.connection.execute(sa.delete(refused_events).where(*again))
    _update(tx, command.name, **values)
    tx.audit(command.by, "subscription.resume", command.name, after=command.after)


def _update(tx: Transaction, name: str, **values: object) -> None:
    t = subscriptions
    values.setdefault("next_try_at", None)
    if tx.connection.execute(sa.update(t).where(t.c.name == name).values(**values)).rowcount != 1:
        raise CommandRefused(f"there is no subscription '{name}'; see [[subscriptions]] in the configuration")
    tx.changed("subscription", name)
