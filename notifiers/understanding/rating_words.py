"""A rating in words: "very good", "zufrieden", "pas mal", "不太好"; how easy it was, and what helped.

One file a language, ``rating_words/<language>.txt``: sections (``[rating 5]``, ``[effort 1]``, ``[helped steps]``) with
whole answers, parted by ``|`` or lines. A clause counts where nothing is left but one of them, courtesies and what is
listed under ``[around]``. So "not good" is what stands there for it, and of a no that nobody listed a person reads.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from notifiers.replies import POLITE, Phrase, phrases_of, tokens_of, without
from notifiers.understanding.language import guess_language
from notifiers.understanding.plain import UNSPACED

About = Literal["rating", "effort"]
_LANGUAGES = ("en", "de", "fr", "es", "pt", "ru", "ar", "ja", "id", "zh")
_CLAUSE = re.compile(
    r"[.,;:!()\n…،。、，！；：؛–—]+|\s-\s|\b(?:but|aber|mais|pero|mas|но|tapi|tetapi|however|though|لكن|ولكن)\b"
    r"|けれど|けど|ですが|但是|不过|可是|但(?=.)"
)
_TAIL = re.compile("(?:でした|です|だった|だ|と思います|かな|了|的|啊|呀|吧|哦|呢)+$")
"""What ends a sentence of Japanese or Chinese without changing it."""
_LONGEST = 80
"""Characters of a clause; whoever needs more says something of their own."""


@dataclass(frozen=True, slots=True)
class InWords:
    """What was said in words."""

    score: int
    rest: str
    """What else was said, as written; empty where that was all."""


@dataclass(frozen=True, slots=True)
class _Words:
    scores: Mapping[About, Mapping[Phrase, int]]
    helped: Mapping[Phrase, str]
    around: frozenset[Phrase]
    courtesies: frozenset[Phrase]


def score_in(text: str, locale: str, about: About) -> InWords | None:
    """Read how good (or how easy) it was from words; None where that is not surely said."""
    if any(mark in text for mark in "?？؟"):
        return None
    clauses = [(text, len(text))] if _score(text, locale, about) is not None else _clauses(text)
    said = [score for clause, _ in clauses if (score := _score(clause, locale, about)) is not None]
    # "Good, no, bad": nobody can tell. "Good, very good" is the better of the two.
    if not said or max(said) - min(said) > 1:
        return None
    for clause, end in clauses:
        if _is_said(clause, locale):
            score = _score(clause, locale, about)
            return None if score is None else InWords(max(said), _rest(text[end:], locale, about))
    return None


def helped_in(text: str, locale: str) -> str | None:
    """Read what helped (``steps``, ``message``, ``person``, ``nothing``); None where it is something else."""
    for words in _spoken(text, locale):
        for tokens in _forms(text, words):
            if tokens in words.helped:
                return words.helped[tokens]
    return None


def _rest(text: str, locale: str, about: About) -> str:
    """What is said beside the rating; a second one and courtesies say nothing more."""
    clauses = [clause for clause, _ in _clauses(text)]
    more = any(_is_said(clause, locale) and _score(clause, locale, about) is None for clause in clauses)
    return text.strip(" \t\n.,;:!–—-…、，。！；،؛") if more else ""


def _clauses(text: str) -> list[tuple[str, int]]:
    """The clauses of a text, each with where it ends."""
    found: list[tuple[str, int]] = []
    start = 0
    for gap in (*_CLAUSE.finditer(text), None):
        end = gap.start() if gap else len(text)
        if text[start:end].strip():
            found.append((text[start:end], end))
        start = gap.end() if gap else end
    return found


def _score(clause: str, locale: str, about: About) -> int | None:
    if len(clause) > _LONGEST:
        return None
    for words in _spoken(clause, locale):
        for tokens in _forms(clause, words):
            if tokens in words.scores[about]:
                return words.scores[about][tokens]
    return None


def _is_said(clause: str, locale: str) -> bool:
    """Tell whether a clause holds more than courtesies."""
    return any(without(tokens_of(clause), POLITE | words.around) for words in _spoken(clause, locale)[:1])


def _forms(text: str, words: _Words) -> list[Phrase]:
    """The words of a text as they are, and without what may stand around them."""
    written, courtesies = tokens_of(text), words.courtesies
    tokens = _once(written)
    left = (words.around, courtesies, courtesies | words.around)
    forms = [written, tokens, *(without(tokens, some) for some in left)]
    joined = "".join(tokens)
    if UNSPACED.search(joined):
        stems = [re.sub("^(?:" + "|".join("".join(phrase) for phrase in words.around) + ")+", "", joined), joined]
        # 好的 is "ok", and no 好.
        bare = [found for stem in stems if len(found := _TAIL.sub("", stem)) > 1]
        forms += [tokens_of(stem) for stem in (*bare, *stems)]
    return forms


def _once(tokens: Phrase) -> Phrase:
    """Drop repetitions: "very very good"."""
    return tuple(token for i, token in enumerate(tokens) if i == 0 or token != tokens[i - 1])


def _spoken(text: str, locale: str) -> list[_Words]:
    """The words of the customer's language, of the one it seems in, of English, and then of whichever knows it."""
    own, guess = locale.split("-")[0].lower(), guess_language(text)
    named = (own, guess.language if guess.confidence >= 0.5 else None, *_LANGUAGES)
    return [_words(name) for name in dict.fromkeys(named) if name in _LANGUAGES]


@cache
def _words(language: str) -> _Words:
    scores: dict[About, dict[Phrase, int]] = {"rating": {}, "effort": {}}
    helped: dict[Phrase, str] = {}
    sections: defaultdict[str, list[str]] = defaultdict(list)
    section = ""
    text = files("notifiers").joinpath("rating_words", f"{language}.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[] ")
        else:
            sections[section].append(line)
    for name, lines in sections.items():
        phrases = phrases_of("\n".join(lines))
        match name.split():
            case ["rating", score]:
                scores["rating"] |= dict.fromkeys(phrases, int(score))
            case ["effort", score]:
                scores["effort"] |= dict.fromkeys(phrases, int(score))
            case ["helped", what]:
                helped |= dict.fromkeys(phrases, what)
    known = {word for table in scores.values() for phrase in table for word in phrase}
    # "muito" stands around a thank-you, and in "muito bom".
    courtesies = frozenset(phrase for phrase in POLITE if len(phrase) > 1 or phrase[0] not in known)
    return _Words(scores, helped, phrases_of("\n".join(sections["around"])), courtesies)
