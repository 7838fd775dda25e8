"""What came with a chat message and lies with its provider: noted with it at once, and filled in when it is fetched."""

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa

from gateway.cases.timeline import touch
from gateway.commands import MediaFetched, MediaNotFetched
from gateway.store.attachments import attachments
from gateway.store.statements import load, update
from gateway.transaction import Transaction
from notifiers.attachment import LARGEST, MOST, clean_name
from notifiers.inbound import Media

MOST_ATTEMPTS = 12
"""Over about six hours."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 15.0, 3600.0
_LONGEST_ASKED_S = 6 * 3600.0


def note_media(
    tx: Transaction,
    provider: str,
    media: Sequence[Media],
    inbound_id: int,
    case_id: int | None,
    customer_id: str | None,
) -> None:
    """Note what is to be fetched, or why it will not be."""
    for number, one in enumerate((one for one in media if one.ref), start=1):
        failed = _why_not(one, number)
        row = {
            "case_id": case_id,
            "customer_id": customer_id,
            "inbound_id": inbound_id,
            "name": clean_name(one.name or one.kind, None, number),
            "kind": "",
            "size": 0,
            "sha256": "",
            "added_by": "customer",
            "at": tx.now,
            "content": b"",
            "fetch_from": provider,
            "fetch_ref": one.ref,
            "fetch_at": None if failed else tx.now,
            "fetch_attempts": 0,
            "failed": failed,
        }
        tx.connection.execute(sa.insert(attachments).values(**row))


def media_fetched(tx: Transaction, command: MediaFetched) -> None:
    """Keep a file that came; what was dropped or erased meanwhile stays gone."""
    row = load(tx.connection, attachments, command.file_id)
    if row is None or row["fetch_at"] is None:
        return
    file = command.file
    values = {"name": file.name, "kind": file.kind, "size": len(file.content), "sha256": file.sha256}
    _settle(tx, row, {**values, "content": file.content, "fetch_at": None})


def media_not_fetched(tx: Transaction, command: MediaNotFetched) -> None:
    """Ask again later, or say with the message that it could not be fetched."""
    row = load(tx.connection, attachments, command.file_id)
    if row is None or row["fetch_at"] is None:
        return
    attempts = row["fetch_attempts"] + 1
    if command.for_good or attempts >= MOST_ATTEMPTS:
        _settle(tx, row, {"fetch_at": None, "fetch_attempts": attempts, "failed": command.reason})
        return
    wait_s = max(
        min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** (attempts - 1)), min(command.wait_s or 0.0, _LONGEST_ASKED_S)
    )
    values = {"fetch_attempts": attempts, "fetch_at": tx.now + timedelta(seconds=wait_s)}
    update(tx.connection, attachments, row["id"], values)


def _settle(tx: Transaction, row: sa.RowMapping, values: dict[str, object]) -> None:
    update(tx.connection, attachments, row["id"], values)
    if row["case_id"] is not None:
        touch(tx, row["case_id"])


def _why_not(one: Media, number: int) -> str | None:
    if number > MOST:
        return f"more than {MOST} files"
    return f"larger than {LARGEST // 2**20} MB" if one.size is not None and one.size > LARGEST else None
