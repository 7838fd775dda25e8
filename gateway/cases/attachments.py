"""Files of a conversation, kept with the message they came with; they go wherever that goes, and end with it."""

from collections.abc import Sequence

import sqlalchemy as sa

from gateway.store import schema
from gateway.store.attachments import attachments
from gateway.transaction import Transaction
from notifiers.attachment import Attachment


def keep_from_customer(
    tx: Transaction, files: Sequence[Attachment], inbound_id: int, case_id: int | None, customer_id: str | None
) -> None:
    """Keep what came with a message; what the case has already, such as the picture of a signature, once."""
    a = attachments.c
    for file in {file.sha256: file for file in files}.values():
        known = sa.select(a.id).where(a.case_id == case_id, a.inbound_id.is_not(None), a.sha256 == file.sha256)
        if case_id is None or tx.connection.execute(known).first() is None:
            _keep(tx, file, "customer", case_id, customer_id, inbound_id=inbound_id)


def keep_with_answer(
    tx: Transaction, files: Sequence[Attachment], notification_id: int, case_id: int, customer_id: str, by: str
) -> None:
    """Keep what staff send: it goes with the mail, and lies on the customer's page."""
    for file in files:
        _keep(tx, file, by, case_id, customer_id, notification_id=notification_id)


def keep_with_note(
    tx: Transaction, files: Sequence[Attachment], case_id: int, customer_id: str | None, by: str
) -> None:
    """Keep what staff add to the case's newest note, for themselves."""
    t = schema.timeline.c
    newest = tx.connection.execute(sa.select(sa.func.max(t.id)).where(t.case_id == case_id, t.kind == "note"))
    entry_id = newest.scalar_one()
    for file in files:
        _keep(tx, file, by, case_id, customer_id, entry_id=entry_id)


def move(tx: Transaction, case_id: int, *, inbound_id: int | None = None, entry_id: int | None = None) -> None:
    """Let the files of a message or a note follow it into a case."""
    a = attachments
    of = a.c.inbound_id == inbound_id if inbound_id is not None else a.c.entry_id == entry_id
    tx.connection.execute(sa.update(a).where(of).values(case_id=case_id))


def join(tx: Transaction, case_id: int, customer_id: str | None, inbound_id: int) -> None:
    """Let the files of a message join a case with it; they are its customer's where they were nobody's."""
    a = attachments
    owner = sa.func.coalesce(a.c.customer_id, customer_id)
    tx.connection.execute(sa.update(a).where(a.c.inbound_id == inbound_id).values(case_id=case_id, customer_id=owner))


def drop(tx: Transaction, inbound_id: int) -> None:
    """Drop the files of a message that is dropped."""
    tx.connection.execute(sa.delete(attachments).where(attachments.c.inbound_id == inbound_id))


def to_send(tx: Transaction, notification_id: int) -> tuple[Attachment, ...]:
    """Read what goes with a message of ours."""
    a = attachments.c
    query = sa.select(a.name, a.kind, a.content).where(a.notification_id == notification_id).order_by(a.id)
    return tuple(Attachment(*row) for row in tx.connection.execute(query))


def _keep(
    tx: Transaction, file: Attachment, by: str, case_id: int | None, customer_id: str | None, **belongs_to: int
) -> None:
    row = {
        "case_id": case_id,
        "customer_id": customer_id,
        "name": file.name,
        "kind": file.kind,
        "size": len(file.content),
        "sha256": file.sha256,
        "added_by": by,
        "at": tx.now,
        "content": file.content,
    }
    tx.connection.execute(sa.insert(attachments).values(**row, **belongs_to))
