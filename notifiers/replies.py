"""What a customer's short answer means; anything longer than a keyword is for a person to read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from device_models.purpose import Purpose
from notifiers.understanding import reply_words as words
from notifiers.understanding.plain import UNSPACED, words_of


class Intent(StrEnum):
    """What is asked of us."""

    STOP = "stop"
    START = "start"
    HELP = "help"
    DONE = "done"
    LATER = "later"
    YES = "yes"
    NO = "no"
    FIXED = "fixed"
    """It works again."""
    STILL_BROKEN = "still_broken"
    """It does not, or something is wrong."""
    CALL_ME = "call_me"
    BOOK = "book"
    """Somebody is to come, or a service is to be booked."""
    QUESTION = "question"
    THANKS = "thanks"
    TEXT = "text"
    """Their own words: a person reads them."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One inbound message, read."""

    intent: Intent
    text: str
    """As written, trimmed."""
    purposes: frozenset[Purpose] = frozenset()
    """What a STOP or START names: ``STOP OFFERS``; empty where it names none."""
    everything: bool = False
    """``STOP ALL``."""
    number: int | None = None
    """The choice where the whole message is one number, in whatever digits."""

    @property
    def purpose(self) -> Purpose | None:
        """The one purpose named, None for none or several."""
        return next(iter(self.purposes)) if len(self.purposes) == 1 else None


Phrase = tuple[str, ...]

_LONGEST = 10
"""Words; a keyword with courtesies around it is shorter, and a longer text says something of its own."""


def read_reply(text: str, options: Sequence[Intent] = ()) -> Reply:
    """Read one inbound message.

    A keyword counts only when it is the whole message, save courtesies and a purpose ("Please stop the offers"):
    "it does not stop beeping" is no STOP. Never raises.

    Args:
        text: as received.
        options: what the numbers of the message it answers stood for: 1 is the first.
    """
    text = text.strip()
    tokens = tokens_of(text)
    if not tokens or len(tokens) > _LONGEST:
        return Reply(Intent.TEXT, text)
    number = _number(tokens)
    if number is not None:
        chosen = options[number - 1] if 1 <= number <= len(options) else Intent.TEXT
        return Reply(chosen, text, number=number)
    # The bare word first: "si" alone is a yes, though elsewhere it could be dropped.
    for intent, phrases in _ALONE.items():
        if tokens in phrases:
            return Reply(intent, text)
    return _with_courtesies(tokens, text)


def _number(tokens: Phrase) -> int | None:
    """The number where there is nothing else but courtesies: "2", "Nr. 2 bitte", "２番でお願いします"."""
    left = tokens if len(tokens) == 1 else without(tokens, POLITE | _NUMBERED)
    return int(left[0][:6]) if len(left) == 1 and left[0].isdecimal() else None


def _with_courtesies(tokens: Phrase, text: str) -> Reply:
    core = without(tokens, POLITE)
    for intent, phrases in _ALONE.items():
        if core in phrases:
            return Reply(intent, text)
    for intent, phrases in _PER_PURPOSE.items():
        # A keyword may hold a courtesy's word ("plus de"), so it is looked for with and without them.
        for left in (tokens, core):
            held = _runs(left)
            purposes = frozenset(p for p, names in _PURPOSES.items() if not held.isdisjoint(names))
            everything = not held.isdisjoint(_EVERYTHING)
            rest = without(left, _NAMED)
            if (purposes or everything) and rest in phrases:
                return Reply(intent, text, purposes, everything and not purposes)
    return Reply(Intent.TEXT, text)


def tokens_of(text: str) -> Phrase:
    """Split into words as people mean them: no case, accents, Arabic vowel signs or punctuation."""
    runs = (run for word in words_of(text) for run in (_RUN.findall(word) if UNSPACED.search(word) else (word,)))
    return tuple(part for run in runs for part in (_parts(run) if UNSPACED.search(run) else (run,)))


def _parts(word: str) -> Phrase:
    """Cut a run of Japanese or Chinese, which is written without spaces, into words known here, the longest first.

    A run that is not made of them entirely stays whole: 運転停止 (it has stopped running) holds no 停止 (stop).
    """
    parts: list[str] = []
    start = 0
    while start < len(word):
        end = next((end for end in range(len(word), start, -1) if word[start:end] in _UNSPACED_WORDS), None)
        if end is None:
            return (word,)
        parts.append(word[start:end])
        start = end
    return tuple(parts)


_RUN = re.compile(r"\d+|\D+")
"""Digits beside kana and Han stand on their own: 2番."""


def phrases_of(text: str) -> frozenset[Phrase]:
    """Read a table of words: phrases apart by ``|`` and lines."""
    return frozenset(tokens_of(phrase) for line in text.splitlines() for phrase in line.split("|") if phrase.strip())


def _runs(tokens: Phrase) -> set[Phrase]:
    """Every run of words in a message."""
    return {tokens[i:end] for i in range(len(tokens)) for end in range(i + 1, len(tokens) + 1)}


def without(tokens: Phrase, phrases: frozenset[Phrase]) -> Phrase:
    """Drop each occurrence of any of ``phrases``, the longer first."""
    kept: list[str] = []
    i = 0
    while i < len(tokens):
        end = next((end for end in range(len(tokens), i, -1) if tokens[i:end] in phrases), None)
        if end is None:
            kept.append(tokens[i])
        i = end or i + 1
    return tuple(kept)


_UNSPACED_WORDS: set[str] = set()
"""Empty while the tables below are read, so that each of their words stays whole; then every word they hold."""
POLITE = phrases_of(words.POLITE)
"""What may stand around a keyword without changing it."""
_NUMBERED = phrases_of(words.NUMBERED)
_EVERYTHING = phrases_of(words.EVERYTHING)
_PURPOSES = {purpose: phrases_of(names) for purpose, names in words.PURPOSES.items()}
_NAMED = _EVERYTHING.union(*_PURPOSES.values())
_ALONE = {
    Intent.STOP: phrases_of(words.STOP) | phrases_of(words.STOP_ALONE),
    Intent.START: phrases_of(words.START),
    Intent.HELP: phrases_of(words.HELP),
    Intent.DONE: phrases_of(words.DONE),
    Intent.LATER: phrases_of(words.LATER),
    Intent.YES: phrases_of(words.YES),
    Intent.NO: phrases_of(words.NO),
    Intent.FIXED: phrases_of(words.FIXED),
    Intent.CALL_ME: phrases_of(words.CALL_ME),
    Intent.BOOK: phrases_of(words.BOOK),
}
_PER_PURPOSE = {Intent.STOP: phrases_of(words.STOP), Intent.START: phrases_of(words.START)}
_UNSPACED_WORDS.update(
    word
    for table in (POLITE, _NUMBERED, _EVERYTHING, *_PURPOSES.values(), *_ALONE.values())
    for phrase in table
    for word in phrase
)
