"""What an inbound message is about: intent, urgency, sentiment, noise, and how sure that is. No model is needed.

In this order: a keyword or a number alone (``notifiers.replies``), a keyword with a slip or within a sentence
(``stopping``), then cues (``lexicon``). What the cues say and how well they agree gives a confidence; below ``SURE``
nothing is done by itself and a person reads the message.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from device_models.purpose import Purpose
from notifiers.replies import Intent, Reply, read_reply
from notifiers.understanding.language import Guess, guess_language
from notifiers.understanding.lexicon import LONGEST_TEXT, OBJECTS, Found, Lexicon, lexicon
from notifiers.understanding.plain import plain, words_of
from notifiers.understanding.stopping import calls_off, heard_stop, may_be_stop, mentions_stop, sentences, tidy

SURE = 0.6
"""From this confidence on a message moves its case by itself. Chosen on the phrases for tuning; docs/replies.md has
what it gives on unseen ones."""
_MAY_HIDE_A_STOP = frozenset({Intent.NO, Intent.YES, Intent.LATER, Intent.DONE, Intent.HELP})
"""Short answers in which the words around the keyword may say more than courtesies do."""
_LONGEST_KEYWORD = 4
"""Characters; so few are a keyword alone."""
_SHORT = 8
"""Words that a courtesy may have."""
_LONG = 30
"""Words; a longer text says more than one thing."""
_REQUESTS = (Intent.CALL_ME, Intent.BOOK)
_STATES = (Intent.STILL_BROKEN, Intent.FIXED)
_OF_TOPIC = {
    "fixed": Intent.FIXED,
    "still_broken": Intent.STILL_BROKEN,
    "call_me": Intent.CALL_ME,
    "book": Intent.BOOK,
    "done": Intent.DONE,
    "later": Intent.LATER,
    "help": Intent.HELP,
}


class Urgency(StrEnum):
    """How long it can wait."""

    LOW = "low"
    """Nothing is asked."""
    NORMAL = "normal"
    HIGH = "high"
    """Danger, loss, or they say so."""


Sentiment = Literal[-1, 0, 1]
By = Literal["keyword", "number", "button", "phrase", "cues", "model"]


@dataclass(frozen=True, slots=True)
class Tags:
    """One message, understood. Its repr shows none of its words."""

    intent: Intent
    confidence: float
    """0 to 1; below ``SURE`` a person reads it before anything follows from it."""
    by: By
    urgency: Urgency = Urgency.NORMAL
    sentiment: Sentiment = 0
    noise: bool = False
    """It asks for nothing: thanks, "ok", an automatic answer."""
    language: Guess = field(default_factory=lambda: Guess(None, 0.0))
    purposes: frozenset[Purpose] = frozenset()
    """What a STOP or START names; empty where it names none."""
    everything: bool = False
    """``STOP ALL``."""
    cues: tuple[str, ...] = field(default=(), repr=False)
    """The words it was understood by, plain."""
    may_stop: bool = False
    """It was taken for no STOP and may be one: what can wait is not sent before a person has read it."""

    @property
    def sure(self) -> bool:
        """Whether something may follow from it without a person."""
        return self.confidence >= SURE


def phrase_of(text: str) -> str:
    """Return the words by which a phrase of the company's own is known: plain, without repetition and punctuation."""
    return " ".join(words_of(tidy(text)))


def understand(
    text: str, locale: str = "en", options: Sequence[Intent] = (), own: Mapping[str, Intent] | None = None
) -> Tags:
    """Tag one inbound message. Never raises.

    Args:
        text: as received.
        locale: the customer's, BCP 47: its language's cues are looked for beside those of the language it seems in.
        options: what the numbers of the message it answers stood for: 1 is the first.
        own: what phrases mean that the company taught, by ``phrase_of``; they count before all but numbers and STOP.
    """
    guess = guess_language(text)
    reply = read_reply(text, options)
    taught = _taught(text, own or {})
    if taught is not None and reply.intent is not Intent.STOP and reply.number is None:
        found = _best(text, _lexicons(guess, locale))
        tags = _tagged(taught, 1.0, Reply(taught, text), found, guess)
        return replace(tags, by="phrase", confidence=1.0)
    if reply.intent is not Intent.TEXT:
        tags = _of_keyword(reply, guess)
        # "Works again?" asks; "STOP?" is a stop all the same.
        asks = any(mark in text for mark in "?？؟") and reply.intent in (Intent.FIXED, Intent.DONE)
        tags = replace(tags, confidence=0.5) if asks else tags
        # "不用再通知我": a no with our messages in it.
        names_words = tags.by == "keyword" and reply.intent in _MAY_HIDE_A_STOP and len(text) > _LONGEST_KEYWORD
        return replace(
            tags, may_stop=names_words and may_be_stop(text, _lexicons(guess, locale), _spoken(guess, locale), True)
        )
    lexicons = _lexicons(guess, locale)
    found = _best(text, lexicons)
    stop = heard_stop(text, lexicons)
    if stop is not None:
        return _tagged(Intent.STOP, stop.confidence, stop.reply, found, guess)
    intent, confidence = _intent(text, found)
    if mentions_stop(text) or any(cue.section == "stop" for cue in found):
        # "Stop, it works again": no STOP, yet nothing follows from it before a person read it.
        confidence = min(confidence, 0.5)
    tags = _tagged(intent, confidence, reply, found, guess)
    said_else = tags.sure and (tags.noise or intent is not Intent.TEXT)
    # Whoever asks how to leave is told, and means to.
    asks_how = tags.intent is Intent.HELP
    return replace(tags, may_stop=asks_how or may_be_stop(text, lexicons, _spoken(guess, locale), said_else))


def _taught(text: str, own: Mapping[str, Intent]) -> Intent | None:
    """What the company says a text means: the whole of it, or a STOP that is a sentence of it."""
    if not own:
        return None
    of_sentences = (own.get(phrase_of(sentence)) for sentence in sentences(text[:LONGEST_TEXT]))
    return own.get(phrase_of(text)) or next((intent for intent in of_sentences if intent is Intent.STOP), None)


def _of_keyword(reply: Reply, guess: Guess) -> Tags:
    quiet = reply.intent not in (Intent.STILL_BROKEN, Intent.CALL_ME, Intent.BOOK, Intent.HELP)
    return Tags(
        reply.intent,
        1.0,
        "number" if reply.number is not None else "keyword",
        Urgency.LOW if quiet else Urgency.NORMAL,
        language=guess,
        purposes=reply.purposes,
        everything=reply.everything,
    )


def _spoken(guess: Guess, locale: str) -> list[str]:
    """The language it seems to be in, and the customer's."""
    return [
        name for name in dict.fromkeys((guess.language if guess.confidence >= 0.5 else None, _base(locale))) if name
    ]


def _base(locale: str) -> str:
    return locale.split("-")[0].lower()


def _lexicons(guess: Guess, locale: str) -> list[Lexicon]:
    """Of the languages it may be in, and English."""
    wanted = dict.fromkeys((*_spoken(guess, locale), "en"))
    return [one for one in (lexicon(name) for name in wanted if name) if one is not None]


def _best(text: str, lexicons: Sequence[Lexicon]) -> list[Found]:
    """The cues of the language that finds most in it."""
    if not lexicons:
        return []
    # Latin words stand in texts of every script, so English is asked last and wins only where it finds more.
    return max((one.find(text) for one in lexicons), key=lambda cues: sum(cue.end - cue.start for cue in cues))


def _intent(text: str, found: list[Found]) -> tuple[Intent, float]:
    sections = [cue.section for cue in found]
    if "automatic" in sections:
        return Intent.TEXT, 0.8
    counts = {intent: sections.count(topic) for topic, intent in _OF_TOPIC.items() if topic in sections}
    asks = "question" in sections or any(mark in text for mark in "?？؟")
    words = len(words_of(text))
    if calls_off(found):
        # "Cancel the visit": whatever is booked or put off by itself would be the opposite of it.
        counts = {intent: n for intent, n in counts.items() if intent in (*_STATES, Intent.CALL_ME)}
    if not counts:
        return _without_topic(text, sections, asks, words)
    requests = [intent for intent in _REQUESTS if intent in counts]
    states = [intent for intent in _STATES if intent in counts]
    chosen = (requests or states or sorted(counts, key=lambda intent: -counts[intent]))[0]
    if "price" in sections and chosen not in (*_STATES, Intent.CALL_ME):
        return Intent.QUESTION, 0.7
    confidence = 0.75 + 0.08 * (counts[chosen] - 1)
    if chosen in _STATES and len(states) > 1:
        confidence -= 0.25
    if len(requests) > 1:
        # "Call me to arrange a visit": either way a person takes it up.
        confidence -= 0.1
    if asks and chosen in (Intent.FIXED, Intent.DONE, Intent.LATER, Intent.HELP):
        confidence -= 0.25
    if chosen in (Intent.DONE, Intent.LATER) and Intent.STILL_BROKEN in counts:
        confidence -= 0.25
    if words > _LONG:
        confidence -= 0.2
    return chosen, max(0.1, min(confidence, 0.95))


def _names_a_number(text: str) -> bool:
    """Tell whether a time, a date or a price is in it: "at 5 pm, thanks" answers what somebody asked."""
    return any(character.isdecimal() for character in text)


def _without_topic(text: str, sections: list[str], asks: bool, words: int) -> tuple[Intent, float]:
    if asks:
        # A question mark alone may end anything: "unsubscribe me? no".
        return Intent.QUESTION, 0.7 if "question" in sections else 0.5
    if "thanks" in sections:
        return Intent.THANKS, 0.8 if words <= 8 and not _names_a_number(plain(text)) else 0.5
    return Intent.TEXT, 0.3


def _tagged(intent: Intent, confidence: float, reply: Reply, found: list[Found], guess: Guess) -> Tags:
    sections = {cue.section for cue in found}
    upset, happy = "upset" in sections, bool(sections & {"happy", "thanks"})
    # "Thanks for nothing": where both are said the complaint is what matters.
    sentiment: Sentiment = -1 if upset else 1 if happy and intent is not Intent.STILL_BROKEN else 0
    contentless = intent is Intent.TEXT and (
        not words_of(reply.text) or "automatic" in sections or ("noise" in sections and _short(reply.text))
    )
    bare_thanks = intent is Intent.THANKS and confidence >= SURE
    noise = contentless or (bare_thanks and not upset and "urgent" not in sections)
    urgency = Urgency.NORMAL
    if "urgent" in sections and intent not in (Intent.FIXED, Intent.STOP):
        urgency = Urgency.HIGH
    elif noise or intent in (Intent.FIXED, Intent.DONE, Intent.LATER, Intent.STOP, Intent.THANKS):
        urgency = Urgency.LOW
    cues = tuple(dict.fromkeys(cue.words for cue in found if cue.section not in OBJECTS))[:12]
    return Tags(
        intent,
        0.8 if contentless else round(confidence, 2),
        "cues",
        urgency,
        sentiment,
        noise,
        guess,
        reply.purposes,
        reply.everything,
        cues,
    )


def _short(text: str) -> bool:
    return len(words_of(text)) <= _SHORT and len(text) <= 60
