"""Texts that are being written: one draft of each, beside what customers read, until somebody puts it live."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from gateway.commands import CommandRefused
from gateway.commands.texts import DropTextDraft, SaveTextDraft
from gateway.store import dialect
from gateway.store.own_texts import own_texts, text_drafts

if TYPE_CHECKING:
    from gateway.transaction import Transaction

LARGEST = 100_000


@dataclass(frozen=True, slots=True)
class TextDraft:
    """One draft, as it was kept last."""

    kind: str
    name: str
    language: str
    text: str
    began_from: int
    """The version in force when it was begun; 0: what the files, or the product, say."""
    version: int
    """How often it was kept."""
    saved_by: str
    saved_at: datetime
    moved: bool = False
    """Whether another version has gone live since it was begun."""


def drafts(connection: sa.Connection) -> list[TextDraft]:
    """Read all that is being written, what was kept last first."""
    d, t = text_drafts.c, own_texts.c
    newest = sa.select(sa.func.coalesce(sa.func.max(t.id), 0)).where(
        t.kind == d.kind, t.name == d.name, t.language == d.language
    )
    query = sa.select(text_drafts, (newest.scalar_subquery() != d.began_from).label("moved"))
    return [TextDraft(**row) for row in connection.execute(query.order_by(d.saved_at.desc())).mappings()]


def find(known: Iterable[TextDraft], kind: str, name: str, language: str) -> TextDraft | None:
    """Return the draft of one text among ``known``; None: nobody is writing it."""
    wanted = (kind, "" if kind == "words" else name, "" if kind == "template" else language)
    return next((one for one in known if (one.kind, one.name, one.language) == wanted), None)


def keep(tx: "Transaction", command: SaveTextDraft) -> int:
    """Keep a draft; return how often that was done. What is wrong with it is for whoever puts it live."""
    if len(command.text) > LARGEST:
        raise CommandRefused(f"{len(command.text)} characters; {LARGEST} is the most")
    known = find(drafts(tx.connection), command.kind, command.name, command.language)
    if known is not None and command.seen is not None and command.seen != known.version:
        raise CommandRefused(f"{known.saved_by} kept this draft meanwhile; reload to see it")
    began_from = known.began_from if known is not None else _in_force(tx, command.kind, command.name, command.language)
    version = (known.version if known is not None else 0) + 1
    row = {
        "kind": command.kind,
        "name": command.name,
        "language": command.language,
        "text": command.text,
        "began_from": began_from,
        "version": version,
        "saved_by": command.by,
        "saved_at": tx.now,
    }
    dialect.upsert(tx.connection, text_drafts, [row])
    tx.audit(command.by, "texts.draft", command.name or command.language, kind=command.kind)
    tx.changed("text", command.name or command.language)
    return version


def drop(tx: "Transaction", command: DropTextDraft) -> None:
    """Put a draft away for good."""
    if find(drafts(tx.connection), command.kind, command.name, command.language) is None:
        raise CommandRefused("there is no draft of it")
    forget(tx, command.kind, command.name, command.language)
    tx.audit(command.by, "texts.draft_drop", command.name or command.language, kind=command.kind)
    tx.changed("text", command.name or command.language)


def forget(tx: "Transaction", kind: str, name: str, language: str) -> None:
    """Forget the draft of a text, if there is one: it is live, or put away."""
    d = text_drafts.c
    tx.connection.execute(sa.delete(text_drafts).where(d.kind == kind, d.name == name, d.language == language))


def end(tx: "Transaction", kind: str, name: str, language: str, seen: int) -> None:
    """Forget the draft that goes live. Raises CommandRefused where somebody kept it after the version ``seen``."""
    known = find(drafts(tx.connection), kind, name, language)
    if known is not None and known.version != seen:
        raise CommandRefused(f"{known.saved_by} kept this draft meanwhile; reload to see it")
    forget(tx, kind, name, language)


def _in_force(tx: "Transaction", kind: str, name: str, language: str) -> int:
    t = own_texts.c
    newest = sa.select(sa.func.max(t.id)).where(t.kind == kind, t.name == name, t.language == language)
    return tx.connection.execute(newest).scalar() or 0
