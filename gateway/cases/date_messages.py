"""What a customer is told of their service date: that it is booked, with a calendar file, and that it is cancelled."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from device_models.event import rfc3339
from device_models.purpose import Purpose, Severity
from device_models.registry import Device
from gateway.cases.record import load_case
from gateway.date_feeds import calendar_entry, uid_of
from gateway.outbox.owed import DATE_BOOKED, DATE_CANCELLED, OWED
from gateway.outbox.queue import enqueue
from gateway.store.desk import bookings
from gateway.transaction import Transaction
from notifiers.attachment import Attachment
from rules.respond import Notify, device_facts

_SOON = timedelta(hours=12)
"""Whose date begins so soon hears at any hour that it is cancelled: they may be waiting at the door."""
_TASKS_FOR = timedelta(days=2)


def tell_booked(tx: Transaction, row: sa.RowMapping) -> None:
    """Confirm a date."""
    _tell(tx, row, DATE_BOOKED, _device_of(tx, row), row["case_id"], {}, Severity.INFO)


def tell_cancelled(tx: Transaction, row: sa.RowMapping) -> None:
    """Say that a date will not be."""
    _tell(tx, row, DATE_CANCELLED, _device_of(tx, row), row["case_id"], {}, _urgency(tx, row))


def tell_not_theirs(tx: Transaction, row: sa.RowMapping, device: Device) -> None:
    """Say that a date will not be, since the product is another's; ``device`` as it was theirs."""
    # Their link to the case works no more, so the message leads to their own page.
    _tell(tx, row, DATE_CANCELLED, device, None, {"is_anothers": True}, _urgency(tx, row))


def tell_of_tasks(tx: Transaction, customer_id: str, device: Device) -> None:
    """Say that a call or visit that they asked for will not be, since the product is another's."""
    enqueue(
        tx,
        Notify(
            key=f"tasks:{customer_id}:{device.id}:{tx.now.isoformat()}",
            template=DATE_CANCELLED,
            customer_id=customer_id,
            device_id=device.id,
            case_id=None,
            purpose=Purpose.MAINTENANCE,
            severity=Severity.INFO,
            facts={**device_facts(device, tx.profiles), "is_anothers": True},
            mode="auto",
            expires_at=tx.now + _TASKS_FOR,
        ),
    )


def why_moot(tx: Transaction, row: sa.RowMapping) -> str | None:
    """Say why a confirmation that is about to go out is not true any more; None where it is, and of other messages."""
    if row["template"] != DATE_BOOKED:
        return None
    b = bookings.c
    state = tx.connection.execute(sa.select(b.state).where(b.id == row["facts"].get("booking_id"))).scalar()
    return None if state == "booked" else "the date was cancelled"


def calendar_of(tx: Transaction, row: sa.RowMapping) -> tuple[Attachment, ...]:
    """The calendar file that goes with a mail about a date: it puts the date in, and takes it out again."""
    b = bookings
    of_row = sa.select(b).where(b.c.id == row["facts"].get("booking_id"))
    booking = tx.connection.execute(of_row).mappings().first() if row["template"] in OWED else None
    if booking is None:
        return ()
    text = calendar_entry(
        uid_of(booking["id"], tx.config.public_url),
        tx.config.brand.name,
        booking["starts_at"],
        booking["ends_at"],
        tx.now,
        cancelled=row["template"] == DATE_CANCELLED,
    )
    return (Attachment("service.ics", "text/calendar", text.encode()),)


def _tell(
    tx: Transaction,
    row: sa.RowMapping,
    template: str,
    device: Device | None,
    case_id: int | None,
    facts: Mapping[str, Any],
    severity: Severity,
) -> None:
    date = {"booking_id": row["id"], "team": row["team"]}
    span = {"starts_at": rfc3339(row["starts_at"]), "ends_at": rfc3339(row["ends_at"])}
    case = {"case_id": case_id} if case_id is not None else {}
    urgency = {"severity": severity.value} if template == DATE_CANCELLED else {}
    enqueue(
        tx,
        Notify(
            key=f"booking:{row['id']}:{template}",
            template=template,
            customer_id=row["customer_id"],
            device_id=device.id if device else "",
            case_id=case_id,
            purpose=Purpose.MAINTENANCE,
            severity=severity,
            facts={**device_facts(device, tx.profiles), **date, **span, **case, **urgency, **facts},
            mode="auto",
            expires_at=row["starts_at"],
        ),
    )


def _urgency(tx: Transaction, row: sa.RowMapping) -> Severity:
    return Severity.CRITICAL if row["starts_at"] - tx.now < _SOON else Severity.MAJOR


def _device_of(tx: Transaction, row: sa.RowMapping) -> Device | None:
    case = load_case(tx, row["case_id"]) if row["case_id"] is not None else None
    return tx.registry.devices.get(case["device_id"]) if case is not None else None
