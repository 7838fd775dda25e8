"""Cases that a person opens: somebody called, and what they report is worked on like any other."""

import sqlalchemy as sa

from device_models.event import rfc3339
from device_models.purpose import Purpose
from gateway.cases.timeline import add_entry
from gateway.commands import CommandRefused
from gateway.commands.cases import OpenCase
from gateway.store import schema
from gateway.transaction import Transaction

KIND = "reported"
"""``kind`` and ``rule`` of such a case."""
MISSED = "missed"
"""``fault`` of one that a rule should have seen."""
_LONGEST = 200


def open_by_hand(tx: Transaction, command: OpenCase) -> int:
    """Open a case for a device, a customer or both; it is the opener's."""
    title = command.title.strip()[:_LONGEST]
    if not title:
        raise CommandRefused("say in a few words what it is about")
    device = tx.registry.devices.get(command.device_id) if command.device_id else None
    if command.device_id and device is None:
        raise CommandRefused(f"there is no device '{command.device_id}'")
    customer_id = command.customer_id or (device.customer_id if device else None)
    if customer_id and customer_id not in tx.registry.customers:
        raise CommandRefused(f"there is no customer '{customer_id}'")
    if device is None and customer_id is None:
        raise CommandRefused("name a device or a customer")
    if command.missed and device is None:
        raise CommandRefused("only a device's fault can have been missed by a rule; name the device")
    c = schema.cases
    number: int = (tx.connection.execute(sa.select(sa.func.max(c.c.id))).scalar() or 0) + 1
    explanation = {"kind": KIND, "title": {"en": title}, "advice": {}, "since": rfc3339(tx.now), "by": command.by}
    tx.connection.execute(
        sa.insert(c).values(
            id=number,
            dedupe_key=f"{KIND}|{number}",
            rule=KIND,
            fault=MISSED if command.missed else "",
            kind=KIND,
            device_id=device.id if device else "",
            customer_id=customer_id,
            severity=command.severity.value,
            purpose=Purpose.FAULT.value,
            state="open",
            on_arrival=False,
            explanation=explanation,
            opened_at=tx.now,
            updated_at=tx.now,
            # They have spoken with somebody already: that was the first answer.
            first_response_at=tx.now,
            acknowledged_at=tx.now,
            assignee=command.by,
            needs_reply=False,
            reopened=0,
            version=1,
        )
    )
    add_entry(tx, number, "reported", command.by, body={"missed": command.missed})
    if text := command.text.strip():
        add_entry(tx, number, "note", command.by, body={"text": text[:10_000]})
    tx.audit(command.by, "case.open", str(number), missed=command.missed)
    return number
