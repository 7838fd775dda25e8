"""The ladder: a message that nobody saw arrive goes out on the next channel, and is called back if it did arrive.

Silence says something only where the provider usually speaks: its transport can report delivery, and it has done so
here before (a webhook URL that the provider cannot reach looks like a customer who cannot be reached).

One message is a *family* of rows, one for each channel it went out on. No channel is used twice in a family, whatever
receipts, timers and crashes come in between.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from device_models.purpose import Purpose, Severity
from gateway.cases.record import load_case
from gateway.cases.timeline import add_entry
from gateway.commands import NoReceipt
from gateway.config import Config
from gateway.outbox.checking import has_one_address
from gateway.outbox.owed import owed_as
from gateway.outbox.queue import choose_now, load_notification, set_state, why_of
from gateway.store import dialect, schema
from gateway.store.statements import one_of
from gateway.transaction import Transaction
from notifiers.choice import Choice

_OLDEST = timedelta(days=2)
"""A message accepted longer ago, while the gateway stood still, is yesterday's news on every channel."""
_WAITING = ("awaiting_approval", "queued")
_FAMILY = (
    sa.select(schema.notifications)
    .where(one_of(schema.notifications.c.key, "keys"), schema.notifications.c.id != sa.bindparam("own"))
    .order_by(schema.notifications.c.id)
)


def wait_for_receipt(config: Config, purpose: Purpose, severity: Severity) -> timedelta | None:
    """How long a receipt is waited for; None: for ever. A safety notice is as urgent as what is critical."""
    waits = config.notifiers.no_receipt_after
    urgent = waits.get(Severity.CRITICAL) if purpose is Purpose.SAFETY else None
    own = waits.get(severity)
    return min((wait for wait in (urgent, own) if wait is not None), default=None)


def without_receipt(
    connection: sa.Connection, config: Config, reporting: Collection[str], now: datetime, limit: int = 200
) -> list[int]:
    """Read the messages that are due for the next channel.

    Args:
        connection: To the store.
        config: Says how long each is waited for.
        reporting: Channels whose transport can report delivery.
        now: The time.
        limit: At most so many at once.
    """
    waits = config.notifiers.no_receipt_after
    if not waits or not reporting:
        return []
    n, r = schema.notifications, schema.receipts
    speaks = sa.select(r.c.id).where(r.c.provider == n.c.provider, r.c.state.in_(("delivered", "read"))).exists()
    query = (
        sa.select(n.c.id, n.c.purpose, n.c.severity, n.c.accepted_at)
        .where(
            n.c.state == "accepted",
            n.c.reason.is_(None),
            n.c.accepted_at > now - _OLDEST,
            n.c.accepted_at <= now - min(waits.values()),
            n.c.channel.in_(sorted(reporting)),
            sa.or_(n.c.expires_at.is_(None), n.c.expires_at > now),
            speaks,
        )
        .order_by(n.c.accepted_at)
    )
    due = []
    for row in connection.execute(query).mappings():
        wait = wait_for_receipt(config, Purpose(row["purpose"]), Severity(row["severity"]))
        if wait is not None and row["accepted_at"] + wait <= now:
            due.append(row["id"])
        if len(due) == limit:
            break
    return due


def climb(tx: Transaction, command: NoReceipt) -> int:
    """Send what is still without a receipt on the next channel; return how many messages went on."""
    still_due = set(without_receipt(tx.connection, tx.config, command.reporting, tx.now, len(command.notification_ids)))
    rows = (load_notification(tx, i) for i in command.notification_ids if i in still_due)
    return sum(_climb(tx, row) for row in rows if row is not None)


def _climb(tx: Transaction, row: sa.RowMapping) -> bool:
    if _seen_elsewhere(tx, row):
        set_state(tx, row["id"], "accepted", reason="no receipt came, and it is not needed any more")
        return False
    choice = next_choice(tx, row)
    if choice is None:
        set_state(tx, row["id"], "accepted", reason="no receipt came, and there is no other channel")
        if row["case_id"] is not None:
            body = {"text": f"No receipt came for the message by {row['channel']}, and there is no other channel."}
            add_entry(tx, row["case_id"], "note", body=body, notification_id=row["id"])
        return False
    send_also(tx, row, choice, "no receipt came on the channel before")
    set_state(tx, row["id"], "accepted", reason=f"no receipt came; it goes out by {choice.channel} as well")
    return True


def _seen_elsewhere(tx: Transaction, row: sa.RowMapping) -> bool:
    """Whether they know already: another of the family arrived, they wrote since, or the case is over."""
    if any(sibling["state"] in ("delivered", "read") for sibling in _family(tx, row)):
        return True
    if row["case_id"] is None:
        return False
    i = schema.inbound
    wrote = sa.select(i.c.id).where(i.c.case_id == row["case_id"], i.c.received_at > row["accepted_at"]).limit(1)
    if tx.connection.execute(wrote).first() is not None:
        return True
    case = load_case(tx, row["case_id"])
    return case is None or (case["state"] != "open" and row["text"] is None)


def next_choice(tx: Transaction, row: sa.RowMapping) -> Choice | None:
    """The channel after those that the message's family used; None where there is none, or nothing may be sent."""
    customer = tx.registry.customers.get(row["customer_id"])
    if customer is None or tx.config.notifiers.mode == "off" or has_one_address(row):
        return None
    used = (*used_channels(tx, row), row["channel"])
    choice = choose_now(
        tx,
        customer,
        Purpose(row["purpose"]),
        Severity(row["severity"]),
        used,
        key=row["key"],
        device_id=row["device_id"],
        capped=False,
        owed=owed_as(row["template"], row["facts"].get("via")),
    )
    return None if choice.withheld or choice.channel is None else choice


def used_channels(tx: Transaction, row: sa.RowMapping) -> tuple[str, ...]:
    """The channels that a message may not take (any more): its own that failed, and those of the rest of its family."""
    used = list(row["tried"])
    for sibling in _family(tx, row):
        used += sibling["tried"]
        if sibling["handed_over_at"] is not None or sibling["state"] in _WAITING:
            used.append(sibling["channel"])
    return tuple(dict.fromkeys(channel for channel in used if channel is not None))


def went_on(tx: Transaction, row: sa.RowMapping) -> bool:
    """Whether a later one of the family is on its way or was handed over: it does what this one did not."""
    gone = ("cancelled", "withheld", "discarded", "expired")
    return any(sibling["id"] > row["id"] and sibling["state"] not in gone for sibling in _family(tx, row))


def call_back(tx: Transaction, row: sa.RowMapping) -> None:
    """It arrived after all: cancel those of its family that still wait."""
    for sibling in _family(tx, row):
        if sibling["state"] in _WAITING:
            set_state(tx, sibling["id"], "cancelled", reason=f"the message by {row['channel']} arrived after all")


def send_also(tx: Transaction, row: sa.RowMapping, choice: Choice, reason: str) -> None:
    """Put the same facts into the outbox for another channel, saying that they may repeat."""
    first = _first_key(row)
    # Numbered, since the channel is chosen again when it is handed over.
    key = f"{first}+{len(_family(tx, row)) + 2}"
    copy = {
        **{name: row[name] for name in row if name != "id"},
        "key": key,
        "state": "queued",
        "tried": list(dict.fromkeys((*used_channels(tx, row), row["channel"]))),
        "channel": choice.channel,
        "address": choice.address,
        "why": why_of(choice),
        "not_before": choice.not_before,
        "facts": {**row["facts"], "may_repeat": True, "first_key": first},
        "attempts": 0,
        "handed_over_at": None,
        "accepted_at": None,
        "provider": None,
        "provider_id": None,
        "subject": None,
        "body": None,
        "reason": reason,
        "created_at": tx.now,
        "updated_at": tx.now,
    }
    if not dialect.insert_new(tx.connection, schema.notifications, copy, unique=["key"]):
        return
    n = schema.notifications
    notification_id = tx.connection.execute(sa.select(n.c.id).where(n.c.key == key)).scalar_one()
    tx.changed("notification", notification_id)
    if row["case_id"] is not None:
        body = {"template": row["template"], "reason": reason}
        add_entry(tx, row["case_id"], "message_out", body=body, notification_id=notification_id)


def _first_key(row: sa.RowMapping) -> str:
    first: str = row["facts"].get("first_key", row["key"])
    return first


def _family(tx: Transaction, row: sa.RowMapping) -> Sequence[Any]:
    """The other rows that say the same: named by key, so that no pattern has to be searched for."""
    first = _first_key(row)
    keys = [first, *(f"{first}+{number}" for number in range(2, len(tx.config.notifiers.channels) + 2))]
    return tx.connection.execute(_FAMILY, {"keys": keys, "own": row["id"]}).mappings().all()
