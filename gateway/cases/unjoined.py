"""Messages that join no case by themselves: nobody's address, an unproven sender, a customer without a case.

A person puts each into a case or discards it. Joining changes no consent: a STOP of an unproven sender stays without
effect until that person records it.
"""

from datetime import timedelta

import sqlalchemy as sa

from device_models.registry import Customer
from gateway.cases import attachments
from gateway.cases.record import load_case
from gateway.cases.timeline import add_entry, touch
from gateway.cases.unanswered import ASKS
from gateway.commands import CommandRefused, CustomerWrote, DiscardMessage, JoinMessage
from gateway.store import dialect, schema
from gateway.store.readings import readings, unjoined
from gateway.transaction import Transaction

KEPT = timedelta(days=90)
"""How long a message that nobody decided on is kept."""
_FORGOTTEN_AT_ONCE = 500


def keep_apart(
    tx: Transaction, inbound_id: int, customer: Customer | None, command: CustomerWrote, *, known: bool
) -> None:
    """List a message for a person to decide on; ``known``: its sender is proven to be at a customer's address."""
    row = {
        "inbound_id": inbound_id,
        "customer_id": customer.id if customer else None,
        "address": command.claims or command.address,
        "verified": known,
        "claims_case_id": command.claims_case_id,
        "state": "open",
        "at": tx.now,
    }
    dialect.insert_new(tx.connection, unjoined, row, unique=["inbound_id"])


def join(tx: Transaction, command: JoinMessage) -> None:
    """Put a message into a case. Raises CommandRefused where it was decided on already, or there is no such case."""
    message = _open(tx, command.inbound_id)
    case = load_case(tx, command.case_id)
    if case is None:
        raise CommandRefused(f"there is no case {command.case_id}; look its number up in the queue")
    i = schema.inbound
    tx.connection.execute(sa.update(i).where(i.c.id == command.inbound_id).values(case_id=case["id"]))
    tx.connection.execute(
        sa.update(readings).where(readings.c.inbound_id == command.inbound_id).values(case_id=case["id"])
    )
    body = {
        "text": message["text"],
        "channel": message["channel"],
        "intent": message["intent"],
        "inbound_id": command.inbound_id,
        "joined_by": command.by,
        "unproven": not message["verified"],
        ASKS: True,
    }
    attachments.join(tx, case["id"], case["customer_id"], command.inbound_id)
    add_entry(tx, case["id"], "message_in", "customer", body=body)
    touch(tx, case["id"], needs_reply=True)
    _decide(tx, command.inbound_id, "joined", command.by, case["id"])
    tx.audit(command.by, "message.join", str(command.inbound_id), case_id=case["id"])


def discard(tx: Transaction, command: DiscardMessage) -> None:
    """Drop a message: its text and its sender's address go. Raises CommandRefused where it was decided on already."""
    _open(tx, command.inbound_id)
    _drop(tx, command.inbound_id, command.by)
    tx.audit(command.by, "message.discard_unjoined", str(command.inbound_id))


def forget(tx: Transaction) -> int:
    """Drop the messages that nobody decided on for ``KEPT``; return how many."""
    old = unjoined.c.state == "open", unjoined.c.at < tx.now - KEPT
    found = sa.select(unjoined.c.inbound_id).where(*old).order_by(unjoined.c.at).limit(_FORGOTTEN_AT_ONCE)
    ids = tx.connection.execute(found).scalars().all()
    for inbound_id in ids:
        _drop(tx, inbound_id, "gateway")
    return len(ids)


def _drop(tx: Transaction, inbound_id: int, by: str) -> None:
    i = schema.inbound
    tx.connection.execute(sa.update(i).where(i.c.id == inbound_id).values(text=""))
    tx.connection.execute(
        sa.update(readings).where(readings.c.inbound_id == inbound_id).values(cues=[], translation=None)
    )
    attachments.drop(tx, inbound_id)
    _decide(tx, inbound_id, "discarded", by, None)


def _open(tx: Transaction, inbound_id: int) -> sa.RowMapping:
    i, u = schema.inbound, unjoined
    query = (
        sa.select(i.c.text, i.c.channel, i.c.intent, u.c.state, u.c.verified, u.c.case_id, u.c.decided_by)
        .join(u, u.c.inbound_id == i.c.id)
        .where(i.c.id == inbound_id)
    )
    row = tx.connection.execute(query).mappings().first()
    if row is None:
        raise CommandRefused(f"there is no message {inbound_id} to decide on")
    if row["state"] != "open":
        where = f" into case {row['case_id']}" if row["case_id"] else ""
        raise CommandRefused(f"{row['decided_by']} has {row['state']} this message already{where}")
    return row


def _decide(tx: Transaction, inbound_id: int, state: str, by: str, case_id: int | None) -> None:
    values = {"state": state, "decided_by": by, "decided_at": tx.now, "case_id": case_id}
    if state == "discarded":
        values["address"] = ""
    tx.connection.execute(sa.update(unjoined).where(unjoined.c.inbound_id == inbound_id).values(**values))
    tx.changed("inbound", inbound_id)
