"""The company's own texts in force, as the writer holds them in memory."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import jinja2
import sqlalchemy as sa

from gateway.commands import CommandRefused
from gateway.commands.texts import DropTextDraft, NoteTestSend, SaveText, SaveTextDraft, TextCommand
from gateway.store.own_texts import own_texts
from gateway.texts import drafts
from notifiers.wording.article import Article, read_article
from notifiers.wording.render import TEMPLATES, Renderer

if TYPE_CHECKING:
    from gateway.transaction import Transaction

LARGEST = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class OwnTexts:
    """All that is in force; a saving makes a new one."""

    templates: Mapping[str, str] = field(default_factory=dict)
    """Source by name."""
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Translation by msgid, by language."""
    articles: Sequence[Article] = ()


NOTHING = OwnTexts()


@dataclass(frozen=True, slots=True)
class TextVersion:
    """One saving."""

    id: int
    kind: str
    name: str
    language: str
    text: str | None
    saved_by: str
    saved_at: datetime


def load_texts(connection: sa.Connection) -> OwnTexts:
    """Read what is in force. What cannot be read any more is left out: the files' word counts again."""
    newest = sa.select(sa.func.max(own_texts.c.id)).group_by(own_texts.c.kind, own_texts.c.name, own_texts.c.language)
    rows = connection.execute(sa.select(own_texts).where(own_texts.c.id.in_(newest)).order_by(own_texts.c.id))
    templates: dict[str, str] = {}
    words: dict[str, Mapping[str, str]] = {}
    articles = []
    for row in rows.mappings():
        if row["text"] is None:
            continue
        try:
            if row["kind"] == "template":
                templates[row["name"]] = row["text"]
            elif row["kind"] == "words":
                words[row["language"]] = read_words(row["text"])
            else:
                articles.append(read_article(row["text"], row["name"], row["language"], row["name"]))
        except ValueError:
            continue
    return OwnTexts(templates, words, tuple(articles))


def versions_of(connection: sa.Connection, kind: str, name: str, language: str, most: int = 50) -> list[TextVersion]:
    """Read what was saved of one text, the newest first."""
    t = own_texts.c
    query = sa.select(own_texts).where(t.kind == kind, t.name == name, t.language == language)
    rows = connection.execute(query.order_by(t.id.desc()).limit(most)).mappings()
    return [TextVersion(**row) for row in rows]


def version(connection: sa.Connection, version_id: int) -> TextVersion | None:
    """Read one saving."""
    row = connection.execute(sa.select(own_texts).where(own_texts.c.id == version_id)).mappings().first()
    return TextVersion(**row) if row is not None else None


def read_words(text: str) -> dict[str, str]:
    """Read translations by msgid. Raises ValueError."""
    read = json.loads(text)
    if not isinstance(read, dict) or not all(isinstance(said, str) for said in read.values()):
        raise ValueError("translations are a JSON object of texts")
    return {str(msgid): said for msgid, said in read.items() if said.strip()}


def check_text(kind: str, name: str, language: str, text: str) -> None:
    """Read a text as it would be used. Raises ValueError with what is wrong."""
    if len(text) > LARGEST:
        raise ValueError(f"{len(text)} characters; {LARGEST} is the most")
    match kind:
        case "template":
            if name not in TEMPLATES:
                raise ValueError(f"there is no template '{name}'")
            try:
                Renderer().parse(text)
            except jinja2.TemplateSyntaxError as error:
                raise ValueError(f"line {error.lineno}: {error.message}") from error
        case "words":
            read_words(text)
        case _:
            read_article(text, name, language, f"{name}/{language}.md")


def run(tx: "Transaction", command: TextCommand) -> Any:
    """Run one command within a transaction. Raises CommandRefused."""
    if isinstance(command, NoteTestSend):
        tx.audit(command.by, "texts.test", command.template, language=command.language, channel=command.channel)
        return None
    if isinstance(command, SaveTextDraft):
        return drafts.keep(tx, command)
    if isinstance(command, DropTextDraft):
        return drafts.drop(tx, command)
    return _save(tx, command)


def _save(tx: "Transaction", command: SaveText) -> int:
    if command.text is not None:
        try:
            check_text(command.kind, command.name, command.language, command.text)
        except ValueError as error:
            raise CommandRefused(str(error)) from error
    before = next(iter(versions_of(tx.connection, command.kind, command.name, command.language, 1)), None)
    if (before.text if before is not None else None) == command.text:
        raise CommandRefused("it says so already")
    inserted = tx.connection.execute(
        sa.insert(own_texts).values(
            kind=command.kind,
            name=command.name,
            language=command.language,
            text=command.text,
            saved_by=command.by,
            saved_at=tx.now,
        )
    )
    version_id = int(inserted.inserted_primary_key[0])  # type: ignore[index]
    tx.audit(command.by, "texts.save", command.name or command.language, kind=command.kind, version=version_id)
    tx.changed("text", version_id)
    if command.draft is not None:
        drafts.end(tx, command.kind, command.name, command.language, command.draft)
    registry, earlier = tx.registry, tx.registry.texts
    # The next message of this very commit says it already.
    registry.texts = load_texts(tx.connection)
    tx.on_rollback.append(lambda: setattr(registry, "texts", earlier))
    return version_id
