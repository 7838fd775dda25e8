"""Rows of the outbox: how a decision to tell someone becomes a message that waits, and how waiting ends early."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from device_models.purpose import Purpose, Severity
from device_models.registry import Customer
from gateway.cases.timeline import add_entry
from gateway.outbox.approval import why_it_waits
from gateway.outbox.caps import is_capped, within_caps
from gateway.outbox.channels import configured_channels
from gateway.outbox.learning import learner_for, left_out
from gateway.outbox.muted import muted_by_themselves
from gateway.outbox.owed import OWED, owed_as
from gateway.outbox.reachability import shut_channels
from gateway.outbox.unread import after_unread
from gateway.people.proven import proven_channels
from gateway.store import dialect, schema
from gateway.store.statements import load, update
from gateway.transaction import Transaction
from notifiers.choice import Choice, choose
from rules.respond import Notify

_WAITING = ("awaiting_approval", "queued")
_STAY = ("agent_reply", *sorted(OWED))
"""Templates that go out whatever becomes of their case."""
_BY_KEY = sa.select(schema.notifications.c.id).where(schema.notifications.c.key == sa.bindparam("of_key"))

_LIFETIME: Mapping[Purpose, timedelta] = {
    Purpose.SAFETY: timedelta(hours=24),
    Purpose.FAULT: timedelta(hours=48),
    Purpose.MAINTENANCE: timedelta(days=14),
    Purpose.OFFER: timedelta(minutes=30),
    Purpose.NEWS: timedelta(days=2),
}
"""How long a message may wait (for approval, quiet hours or a provider) before it would tell yesterday's news."""


def enqueue(
    tx: Transaction,
    notify: Notify,
    text: str | None = None,
    via: str | None = None,
    not_before: datetime | None = None,
) -> int | None:
    """Write one message to the outbox, or the reason why it is withheld; the same key never makes a second one.

    Args:
        tx: The transaction that also commits the cause.
        notify: What is to be said, to whom.
        text: An agent's own words instead of the template's.
        via: The channel they last wrote on, which an answer goes back to.
        not_before: When it may go out at the earliest, so that whoever wrote it can take it back.
    Returns:
        The row's id, or None where the key was there already.
    """
    customer = tx.registry.customers.get(notify.customer_id)
    if customer is None:
        return None
    choice = choose_now(
        tx,
        customer,
        notify.purpose,
        notify.severity,
        key=notify.key,
        device_id=notify.device_id,
        via=via,
        capped=is_capped(notify.template),
        owed=owed_as(notify.template, via),
    )
    muted = muted_by_themselves(tx, notify, text)
    if muted is not None and not choice.withheld:
        choice = replace(choice, withheld=muted.code, why=(*choice.why, muted))
    state, reason = _first_state(tx, notify, choice, written_by_a_person=text is not None)
    row = {
        "key": notify.key,
        "case_id": notify.case_id,
        "customer_id": customer.id,
        "device_id": notify.device_id,
        "purpose": notify.purpose.value,
        "severity": notify.severity.value,
        "template": notify.template,
        "facts": {**notify.facts, **({"via": via} if via else {})},
        "text": text,
        "state": state,
        "reason": reason,
        "channel": choice.channel,
        "address": choice.address,
        "why": why_of(choice),
        "tried": [],
        "not_before": max(filter(None, (choice.not_before, not_before)), default=None),
        "expires_at": notify.expires_at or tx.now + _LIFETIME[notify.purpose],
        "attempts": 0,
        "created_at": tx.now,
        "updated_at": tx.now,
    }
    if not dialect.insert_new(tx.connection, schema.notifications, row, unique=["key"]):
        if notify.refresh:
            _refresh(tx, notify)
        return None
    notification_id: int = tx.connection.execute(_BY_KEY, {"of_key": notify.key}).scalar_one()
    if notify.case_id is not None:
        kind = "withheld" if state == "withheld" else "message_out"
        body = {"template": notify.template, "reason": reason}
        add_entry(tx, notify.case_id, kind, body=body, notification_id=notification_id)
    tx.changed("notification", notification_id)
    return notification_id


def _refresh(tx: Transaction, notify: Notify) -> None:
    """Let a message that still waits, and that nobody has reworded, tell of what came since."""
    n = schema.notifications
    waits = sa.and_(n.c.key == notify.key, n.c.state.in_(_WAITING), n.c.text.is_(None))
    tx.connection.execute(sa.update(n).where(waits).values(facts=dict(notify.facts), updated_at=tx.now))


def withdraw(
    tx: Transaction, case_id: int, reason: str, customer_id: str | None = None
) -> list[tuple[int, str, str | None]]:
    """Cancel what a case has not handed over yet; ``customer_id``: only what is for them.

    Returns each message's id with the state and reason it had. One that tells of other cases too goes on without this.
    """
    n = schema.notifications
    waiting = sa.select(n.c.id, n.c.state, n.c.reason).where(
        n.c.case_id == case_id, n.c.state.in_(_WAITING), n.c.template.not_in(_STAY)
    )
    if customer_id is not None:
        waiting = waiting.where(n.c.customer_id == customer_id)
    withdrawn: list[tuple[int, str, str | None]] = []
    for notification_id, state, why in tx.connection.execute(waiting).all():
        if not goes_on_without(tx, notification_id, lambda item: item["case_id"] == case_id):
            set_state(tx, notification_id, "cancelled", reason=reason)
            withdrawn.append((notification_id, state, why))
    return withdrawn


def goes_on_without(tx: Transaction, notification_id: int, is_over: Callable[[Mapping[str, Any]], bool]) -> bool:
    """Whether a message that waits tells of other things too; then it goes on without those of which ``is_over``."""
    row = load_notification(tx, notification_id)
    items = row["facts"].get("items", ()) if row is not None else ()
    left = [item for item in items if not is_over(item)]
    if row is None or not left:
        return False
    if len(left) < len(items):
        first = {name: left[0][name] for name in ("case_id", "device_id")}
        set_state(tx, notification_id, row["state"], **first, facts={**row["facts"], "items": left})
    return True


def set_state(tx: Transaction, notification_id: int, state: str, **values: Any) -> None:
    """Move a message to ``state``, with what belongs to it."""
    update(tx.connection, schema.notifications, notification_id, {"state": state, "updated_at": tx.now, **values})
    tx.changed("notification", notification_id)


def load_notification(tx: Transaction, notification_id: int) -> sa.RowMapping | None:
    """Read one message's row."""
    return load(tx.connection, schema.notifications, notification_id)


def choose_now(
    tx: Transaction,
    customer: Customer,
    purpose: Purpose,
    severity: Severity,
    tried: tuple[str, ...] = (),
    *,
    key: str,
    device_id: str | None,
    via: str | None = None,
    capped: bool = True,
    owed: Literal["now", "waits"] | None = None,
) -> Choice:
    """Choose channel and time as things stand now.

    Args:
        tx: The transaction.
        customer: Who is told.
        purpose: What for.
        severity: How urgent it is.
        tried: Channels that failed before, or that the message went out on already.
        key: The message's own; choosing again under it, as things stand, chooses the same.
        device_id: What it is about.
        via: Where the customer wrote last.
        capped: Whether it counts among the messages that a customer gets only so many of.
        owed: Whether they asked for it, so that it needs no consent, and are there for the answer.
    """
    settings = tx.config.notifiers
    shut = shut_channels(tx, customer)
    choice = choose(
        customer,
        purpose,
        severity,
        [channel for channel in available_channels(tx) if channel not in tried and channel not in shut],
        tx.now,
        verified=proven_channels(tx.connection, customer, settings),
        learned=learner_for(tx, customer, purpose, severity, key, device_id),
        holdout=left_out(tx, customer),
        via=via,
        owed=owed,
        default_quiet_hours=settings.quiet_hours.default,
        quiet_holidays=purpose in settings.quiet_hours.holidays,
    )
    if choice.channel is not None and capped:
        choice = within_caps(tx, customer, purpose, severity, choice, key)
        choice = after_unread(tx, customer, purpose, choice)
    return replace(choice, why=(*shut.values(), *choice.why)) if shut else choice


def available_channels(tx: Transaction) -> list[str]:
    """Return the channels that have a provider, in the company's order."""
    return configured_channels(tx.config.notifiers)


def is_held(tx: Transaction) -> bool:
    """Whether the switch that stops all that goes out is on."""
    return bool(tx.get_meta("hold", False))


def why_of(choice: Choice) -> list[dict[str, Any]]:
    """Return the reasons of a choice as JSON, for "why this channel, why now"."""
    return [reason.as_dict() for reason in choice.why]


def _first_state(
    tx: Transaction, notify: Notify, choice: Choice, *, written_by_a_person: bool
) -> tuple[str, str | None]:
    settings = tx.config.notifiers
    mode = notify.mode or settings.modes.get(notify.purpose, settings.mode)
    if settings.mode == "off" or (mode == "off" and not written_by_a_person):
        return "withheld", "mode_off"
    if choice.withheld:
        return "withheld", choice.withheld
    if not written_by_a_person:
        customer = tx.registry.customers[notify.customer_id]
        waits = why_it_waits(tx, notify.template, notify.severity, customer.locale, mode)
        if waits is not None:
            return "awaiting_approval", None if waits == "mode" else f"approval.{waits}"
    return "queued", None
