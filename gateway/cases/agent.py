"""What support staff do to a case and its messages."""

from typing import Any

import sqlalchemy as sa

from device_models.purpose import Purpose, Severity
from gateway.cases.attachments import keep_with_answer, keep_with_note
from gateway.cases.claiming import claimed
from gateway.cases.record import case_of
from gateway.cases.timeline import add_entry, touch
from gateway.commands import (
    AddNote,
    Approve,
    CommandRefused,
    Discard,
    Hold,
    Reply,
    Resend,
)
from gateway.outbox.approval import needs_second, note_use
from gateway.outbox.queue import enqueue, load_notification, set_state
from gateway.outbox.reachability import mend_address, try_again
from gateway.store import schema
from gateway.transaction import Transaction
from rules.respond import Notify, device_facts

_SECOND = "approval.second_person"
_HELD_BACK = ("awaiting_approval", "queued")


def add_note(tx: Transaction, command: AddNote) -> None:
    """Keep an internal note."""
    case = case_of(tx, command.case_id)
    add_entry(tx, case["id"], "note", command.by, body={"text": _words(command.text)})
    if command.files:
        keep_with_note(tx, command.files, case["id"], case["customer_id"], command.by)


def reply(tx: Transaction, command: Reply) -> int | None:
    """Answer the customer where they last wrote; return the message's id."""
    case = case_of(tx, command.case_id)
    own = _words(command.text)
    text = _words(command.translation) if command.translation is not None else own
    to, via = _wrote_last(tx, case)
    if not to or to not in tx.registry.customers:
        raise CommandRefused(f"case {case['id']} has no customer to answer")
    _refuse_second_answer(tx, case, command)
    count = sa.select(sa.func.count()).where(schema.notifications.c.case_id == case["id"])
    number = tx.connection.execute(count).scalar_one()
    answer = notify_of(tx, case, "agent_reply", f"case:{case['id']}:reply:{number}", to)
    notification_id = enqueue(tx, answer, text, via)
    if notification_id is not None and text != own:
        _keep_original(tx, notification_id, command.by, own)
    if notification_id is not None:
        keep_with_answer(tx, command.files, notification_id, case["id"], to, command.by)
    values = {} if case["first_response_at"] else {"first_response_at": tx.now}
    waiting = tx.now if command.waits and case["state"] == "open" else None
    values |= claimed(case, command.by, tx.now)
    touch(tx, case["id"], needs_reply=False, waiting_since=waiting, **values)
    tx.audit(command.by, "case.reply", str(case["id"]))
    return notification_id


def _keep_original(tx: Transaction, notification_id: int, by: str, original: str) -> None:
    """Keep an agent's own words beside the translation that goes out."""
    t = schema.timeline
    line = sa.select(t.c.id, t.c.body).where(t.c.notification_id == notification_id).order_by(t.c.id).limit(1)
    for entry_id, body in tx.connection.execute(line).all():
        changed = {**body, "original": original}
        tx.connection.execute(sa.update(t).where(t.c.id == entry_id).values(author=by, body=changed))


def _refuse_second_answer(tx: Transaction, case: sa.RowMapping, command: Reply) -> None:
    """Two people who answer at the same time would both be read as the company's word."""
    if command.seen is None:
        return
    n = schema.notifications
    newer = sa.select(n.c.id).where(n.c.case_id == case["id"], n.c.template == "agent_reply", n.c.id > command.seen)
    if tx.connection.execute(newer.limit(1)).first() is not None:
        who = case["assignee"] if case["assignee"] not in (None, command.by) else "somebody"
        raise CommandRefused(f"{who} has answered since you read this; read that, then send what is still needed")


def approve(tx: Transaction, command: Approve) -> None:
    """Let a waiting message go, in its own or the approver's words."""
    row = _notification(tx, command.notification_id)
    if row["state"] != "awaiting_approval":
        raise CommandRefused(f"message {row['id']} does not wait for approval: it is {row['state']}")
    text = _words(command.text) if command.text is not None else row["text"]
    first = row["approved_by"]
    tx.audit(command.by, "message.approve", str(row["id"]), edited=command.text is not None, first=first)
    if row["case_id"] is not None:
        touch(tx, row["case_id"])
    if needs_second(tx, Severity(row["severity"])):
        if first == command.by:
            raise CommandRefused(f"message {row['id']} waits for a second person; {first} has approved it already")
        if first is None or command.text is not None:
            # New words are nobody's but their author's: the other has to read them as well.
            set_state(tx, row["id"], "awaiting_approval", approved_by=command.by, text=text, reason=_SECOND)
            return
    set_state(tx, row["id"], "queued", approved_by=" and ".join(filter(None, (first, command.by))), text=text)
    customer = tx.registry.customers.get(row["customer_id"])
    if command.text is None and customer is not None:
        note_use(tx, row["template"], customer.locale, command.by)


def discard(tx: Transaction, command: Discard) -> None:
    """Never send a message."""
    row = _notification(tx, command.notification_id)
    if row["state"] not in (*_HELD_BACK, "dead", "unknown"):
        raise CommandRefused(f"message {row['id']} cannot be taken back: it is {row['state']}")
    set_state(tx, row["id"], "discarded", reason=command.reason or f"discarded by {command.by}")
    tx.audit(command.by, "message.discard", str(row["id"]))
    if row["case_id"] is not None:
        touch(tx, row["case_id"])


def resend(tx: Transaction, command: Resend) -> None:
    """Try a dead or unknown message again; a person takes the risk that it arrives twice."""
    row = _notification(tx, command.notification_id)
    if row["state"] not in ("dead", "unknown", "expired"):
        raise CommandRefused(f"message {row['id']} need not be resent: it is {row['state']}")
    if row["template"] == "offer":
        raise CommandRefused(f"message {row['id']} is an offer: they have left the shop, and its code may be another's")
    if command.address is not None:
        mend_address(tx, row, command.address)
    elif row["channel"] is not None:
        try_again(tx, row["customer_id"], row["channel"])
    values = {"tried": [], "attempts": 0, "not_before": None, "provider": None, "provider_id": None}
    expires_at = tx.now + (row["expires_at"] - row["created_at"]) if row["expires_at"] else None
    set_state(tx, row["id"], "queued", reason=f"resent by {command.by}", expires_at=expires_at, **values)
    tx.audit(command.by, "message.resend", str(row["id"]), address_mended=command.address is not None)


def hold(tx: Transaction, command: Hold) -> int:
    """Stop, or let go of, all that goes out; return how many messages were kept and are now released or dropped."""
    tx.set_meta("hold", command.on)
    tx.audit(command.by, "outbox.hold" if command.on else "outbox.release", "all", discard=command.discard)
    tx.changed("hold", command.on)
    n = schema.notifications
    kept = tx.connection.execute(sa.select(n.c.id).where(n.c.state == "queued")).scalars().all()
    if not command.on and command.discard:
        for notification_id in kept:
            set_state(tx, notification_id, "discarded", reason=f"discarded by {command.by} with the hold")
    return len(kept)


def _words(text: str) -> str:
    words = text.strip()
    if not words:
        raise CommandRefused("the text is empty")
    return words[:10_000]


def _notification(tx: Transaction, notification_id: int) -> sa.RowMapping:
    row = load_notification(tx, notification_id)
    if row is None:
        raise CommandRefused(f"there is no message {notification_id}")
    return row


def _wrote_last(tx: Transaction, case: sa.RowMapping) -> tuple[str | None, str | None]:
    """Whom an answer goes to, and the channel they wrote on last in this case; what was written on their page is
    answered by their channel of choice."""
    i = schema.inbound.c
    last = sa.select(i.customer_id, i.channel).where(i.case_id == case["id"]).order_by(i.id.desc()).limit(1)
    row = tx.connection.execute(last).first()
    if row is None or row.customer_id is None:
        return case["customer_id"], None
    return row.customer_id, row.channel if row.channel != "page" else None


def notify_of(tx: Transaction, case: sa.RowMapping, template: str, key: str, to: str) -> Notify:
    """Say to the outbox what a person has to tell ``to`` of a case; the same ``key`` is told once."""
    return Notify(
        key=key,
        template=template,
        customer_id=to,
        device_id=case["device_id"],
        case_id=case["id"],
        purpose=Purpose(case["purpose"]),
        severity=Severity(case["severity"]),
        facts=_facts(tx, case),
    )


def _facts(tx: Transaction, case: sa.RowMapping) -> dict[str, Any]:
    return {
        **case["explanation"],
        **device_facts(tx.registry.devices.get(case["device_id"]), tx.profiles),
        "case_id": case["id"],
        "severity": case["severity"],
        "purpose": case["purpose"],
    }
