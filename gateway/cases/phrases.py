"""The company's own lexicon: words of customers' that staff gave a meaning, understood so from then on."""

import re

import sqlalchemy as sa

from gateway.cases.inbound import understood_later
from gateway.cases.reading import understood_by_a_person
from gateway.commands import CommandRefused
from gateway.commands.cases import DropPhrase, TeachPhrase
from gateway.store import schema
from gateway.store.readings import phrases
from gateway.transaction import Transaction
from notifiers.replies import Intent, read_reply
from notifiers.understanding.understand import phrase_of, understand

MOST_WORDS = 20
_LONGEST = 200
_PERSONAL = re.compile(r"@|\d{4,}|https?:")
"""What names a person or a case, and no meaning."""


def teach(tx: Transaction, command: TeachPhrase) -> int:
    """Give words a meaning; the same words again replace it. The message they were met in has it from now on."""
    text = " ".join(command.text.split())
    words = phrase_of(text)
    if not words or words.isdecimal():
        raise CommandRefused("write the words that customers use")
    if len(text) > _LONGEST or len(words.split()) > MOST_WORDS:
        raise CommandRefused(f"at most {MOST_WORDS} words: what another customer may write just so")
    if _PERSONAL.search(text):
        raise CommandRefused("leave out addresses and numbers: the phrase is kept for every customer")
    if command.intent is Intent.START:
        raise CommandRefused("who wants messages again says START; nobody is signed up by a phrase")
    if read_reply(text).intent is Intent.STOP and command.intent is not Intent.STOP:
        raise CommandRefused("this is a keyword that is always obeyed")
    row = {
        "words": words,
        "text": text,
        "language": command.language,
        "intent": command.intent.value,
        "said_by": command.by,
        "at": tx.now,
    }
    tx.connection.execute(sa.delete(phrases).where(phrases.c.words == words))
    number: int = tx.connection.execute(sa.insert(phrases).values(row).returning(phrases.c.id)).scalar_one()
    tx.audit(command.by, "phrase.teach", str(number), intent=command.intent.value, inbound_id=command.inbound_id)
    tx.changed("phrase", number)
    if command.inbound_id is not None:
        _read_again(tx, command.inbound_id, command.intent)
    return number


def drop(tx: Transaction, command: DropPhrase) -> None:
    """Take a meaning back; what followed from it stays."""
    gone = tx.connection.execute(sa.delete(phrases).where(phrases.c.id == command.phrase_id)).rowcount
    if not gone:
        raise CommandRefused(f"there is no phrase {command.phrase_id}")
    tx.audit(command.by, "phrase.drop", str(command.phrase_id))
    tx.changed("phrase", command.phrase_id)


def _read_again(tx: Transaction, inbound_id: int, intent: Intent) -> None:
    """Let the message that was misread have the effect that a person gives it."""
    i = schema.inbound
    message = tx.connection.execute(sa.select(i).where(i.c.id == inbound_id)).mappings().first()
    if message is None:
        raise CommandRefused(f"there is no message {inbound_id}")
    before = Intent(message["intent"])
    tags = understand(message["text"], own={phrase_of(message["text"]): intent})
    understood_by_a_person(tx, message, tags)
    if before is not intent:
        understood_later(tx, message, tags)
