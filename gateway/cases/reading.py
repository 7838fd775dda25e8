"""How each message was understood, kept beside it; and what services outside add: a model's tags, a translation."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from gateway.cases.timeline import touch
from gateway.commands import AskLater, MessageTagged, MessageTranslated
from gateway.store import dialect, schema
from gateway.store.readings import phrases, readings
from gateway.transaction import Transaction
from notifiers.replies import Intent
from notifiers.understanding.lexicon import LONGEST_TEXT
from notifiers.understanding.stopping import sentences
from notifiers.understanding.understand import Tags, phrase_of

MOST_ATTEMPTS = 8
"""Of asking a service outside about one message; a person has long read it by then."""
_FIRST_WAIT = timedelta(seconds=5)
_LONGEST_WAIT = timedelta(minutes=10)


def keep_reading(
    tx: Transaction, inbound_id: int, customer_id: str | None, case_id: int | None, tags: Tags, text: str
) -> None:
    """Write down how a message was understood, and which service outside is still to be asked about it."""
    row = {
        "inbound_id": inbound_id,
        "customer_id": customer_id,
        "case_id": case_id,
        "intent": tags.intent.value,
        "confidence": tags.confidence,
        "tagged_by": tags.by,
        "urgency": tags.urgency.value,
        "sentiment": tags.sentiment,
        "noise": tags.noise,
        "may_stop": tags.may_stop,
        "language": tags.language.language,
        "language_confidence": tags.language.confidence,
        "cues": list(tags.cues),
        "waits_for": _waits_for(tx, customer_id, tags, text),
        "attempts": 0,
        "at": tx.now,
    }
    dialect.insert_new(tx.connection, readings, row, unique=["inbound_id"])


def shown_tags(tx: Transaction, tags: Tags) -> dict[str, Any]:
    """Return what a line of a case's timeline shows of the tags; the language where staff may not read it."""
    language = tags.language.language
    return {
        "urgency": tags.urgency.value,
        "sentiment": tags.sentiment,
        "confidence": tags.confidence,
        "tagged_by": tags.by,
        "language": language if language != tx.config.notifiers.staff_language else None,
    }


def _waits_for(tx: Transaction, customer_id: str | None, tags: Tags, text: str) -> str | None:
    if tags.by != "cues" or not text.strip():
        return None
    settings = tx.config.notifiers
    if settings.classifier is not None and not tags.sure:
        return "model"
    return _waits_for_translation(tx, customer_id, tags.language.language)


def _waits_for_translation(tx: Transaction, customer_id: str | None, language: str | None) -> str | None:
    """A text too short to tell its language is taken to be in its customer's."""
    settings, customer = tx.config.notifiers, tx.registry.customers.get(customer_id or "")
    spoken = language or (customer.locale.split("-")[0].lower() if customer else None)
    foreign = spoken is not None and spoken != settings.staff_language
    return "translation" if settings.translator is not None and foreign else None


def tagged(tx: Transaction, command: MessageTagged) -> sa.RowMapping | None:
    """Take a model's word on a message that our cues were not sure about; return the message, None where it is gone.

    A model's START is for a person: nobody is signed up by a guess.
    """
    row = _load(tx, command.inbound_id)
    if row is None or row["waits_for"] != "model":
        return None
    values: dict[str, Any] = {
        "waits_for": _waits_for_translation(tx, row["customer_id"], row["language"]),
        "attempts": 0,
    }
    tags: Tags | None = command.tags
    if tags is not None:
        values |= {
            "intent": tags.intent.value,
            "confidence": tags.confidence,
            "tagged_by": "model",
            "urgency": tags.urgency.value,
            "sentiment": tags.sentiment,
            "noise": tags.noise,
        }
        _write(tx, command.inbound_id, values)
        i = schema.inbound
        tx.connection.execute(sa.update(i).where(i.c.id == command.inbound_id).values(intent=tags.intent.value))
        amend_entry(tx, row["case_id"], command.inbound_id, shown_tags(tx, tags))
    else:
        _write(tx, command.inbound_id, values)
    query = sa.select(schema.inbound).where(schema.inbound.c.id == command.inbound_id)
    return tx.connection.execute(query).mappings().first()


def understood_by_a_person(tx: Transaction, message: sa.RowMapping, tags: Tags) -> None:
    """Write down what a person says a message means; no service outside is asked about its meaning any more."""
    row = _load(tx, message["id"])
    values = {"intent": tags.intent.value, "confidence": tags.confidence, "tagged_by": tags.by, "may_stop": False}
    if row is not None:
        waits = {"waits_for": None} if row["waits_for"] == "model" else {}
        _write(tx, message["id"], {**values, **waits})
    i = schema.inbound
    tx.connection.execute(sa.update(i).where(i.c.id == message["id"]).values(intent=tags.intent.value))
    amend_entry(tx, message["case_id"], message["id"], {**shown_tags(tx, tags), "intent": tags.intent.value})


def own_phrases(tx: Transaction, text: str) -> dict[str, Intent]:
    """Return what staff said the words of a text mean, by the words: of the whole, and of its sentences."""
    wanted = {words for part in (text, *sentences(text[:LONGEST_TEXT])) if (words := phrase_of(part))}
    query = sa.select(phrases.c.words, phrases.c.intent).where(phrases.c.words.in_(wanted))
    return {words: Intent(intent) for words, intent in tx.connection.execute(query)}


def translated(tx: Transaction, command: MessageTranslated) -> None:
    """Keep a translation beside the words as they were written."""
    row = _load(tx, command.inbound_id)
    if row is None or row["waits_for"] != "translation":
        return
    to = tx.config.notifiers.staff_language
    values: dict[str, Any] = {"waits_for": None}
    if command.text is not None:
        values |= {"translation": command.text[:20_000], "translated_to": to}
        added = {"translation": command.text[:20_000], "translated_to": to}
        if command.source is not None:
            values["language"] = added["language"] = command.source
        amend_entry(tx, row["case_id"], command.inbound_id, added)
    _write(tx, command.inbound_id, values)


def ask_later(tx: Transaction, command: AskLater) -> None:
    """Put off asking, a little longer each time; after ``MOST_ATTEMPTS`` the message stays as it is."""
    row = _load(tx, command.inbound_id)
    if row is None or row["waits_for"] is None:
        return
    attempts = row["attempts"] + 1
    if attempts >= MOST_ATTEMPTS:
        next_one = (
            _waits_for_translation(tx, row["customer_id"], row["language"]) if row["waits_for"] == "model" else None
        )
        _write(tx, command.inbound_id, {"waits_for": next_one, "attempts": 0, "not_before": None})
        return
    wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** row["attempts"])
    _write(tx, command.inbound_id, {"attempts": attempts, "not_before": tx.now + wait})


def amend_entry(tx: Transaction, case_id: int | None, inbound_id: int, added: dict[str, Any]) -> None:
    """Add to the timeline's line of a message what was learned about it since."""
    if case_id is None:
        return
    t = schema.timeline
    query = sa.select(t.c.id, t.c.body).where(t.c.case_id == case_id, t.c.kind == "message_in")
    for entry_id, body in tx.connection.execute(query.order_by(t.c.id.desc())):
        if body.get("inbound_id") == inbound_id:
            tx.connection.execute(sa.update(t).where(t.c.id == entry_id).values(body={**body, **added}))
            touch(tx, case_id)
            return


def _load(tx: Transaction, inbound_id: int) -> sa.RowMapping | None:
    query = sa.select(readings).where(readings.c.inbound_id == inbound_id)
    return tx.connection.execute(query).mappings().first()


def _write(tx: Transaction, inbound_id: int, values: dict[str, Any]) -> None:
    tx.connection.execute(sa.update(readings).where(readings.c.inbound_id == inbound_id).values(**values))
