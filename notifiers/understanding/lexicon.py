"""Cues: short phrases that tell what a message is about, one file a language (``cues/<language>.txt``).

A file has sections (``[fixed]``) and in each the cues, parted by ``|`` or by lines. In a cue ``..`` stands for up to
three words in between (six characters where a language is written without spaces), and a word's ``*`` for any ending.
Cues are compared in their plain form (``notifiers.understanding.plain``). Where cues of two topics lie over each other
the longer one counts: "not working" is no "working".
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from notifiers.understanding.plain import plain

STOPPING = ("keep", "machine", "stop")
"""Sections that compete for the same words. ``keep`` wins always: "don't stop these messages" is no stop; ``machine``
is what else people want stopped: the alarm, the pump."""
_HALVES = ("end", "messages")
"""A stop in two parts: something that ends, and our messages near it."""
OBJECTS = ("messages", "thing", "off", "product")
"""What a stop may be about: our messages, another thing that comes (a technician, a bill), or the product; ``off`` is
made of ``end`` and ``thing``: such a thing is called off."""
_CURT = ("enough", "filler")
"""What a curt stop is made of: words that end a talk by themselves, and those that may stand around them."""
_PERHAPS = "perhaps"
"""Words that hardly a stop does without and many other texts have: a no, an end, something taken away or given up."""
TOPICS = ("help", "fixed", "still_broken", "call_me", "book", "question", "done", "later")
"""Sections that compete among themselves."""
MOODS = ("thanks", "urgent", "happy", "upset", "noise", "price", "automatic")
"""Sections that are looked for beside them."""
UNSPACED_LANGUAGES = frozenset({"ja", "zh"})
LONGEST_TEXT = 2000
"""Characters looked at; a longer text is for a person whatever it begins with."""
_LONGEST_CURT = 70
"""Characters; whoever writes more says something."""
_ARABIC_BEFORE = "(?:[وف]?(?:ال|بال|لل|[بل])?)"
"""Conjunctions, prepositions and the article, which Arabic writes together with the word."""

_A_WORD_MORE = r" (?:\w+ ){0,2}?"
"""Between the words of a stop: "tragen Sie mich *bitte sofort* aus" must not be missed."""
_NEAR = r" (?:\w+ ){0,4}?"
_NEAR_UNSPACED = ".{0,8}?"


@dataclass(frozen=True, slots=True)
class Found:
    """One cue met in a text."""

    section: str
    words: str
    """As they stand in the text, plain."""
    start: int
    end: int


class Lexicon:
    """The cues of one language."""

    def __init__(self, language: str, sections: Mapping[str, list[str]]) -> None:
        """``sections``: cues by section; raises ValueError for a section that nobody reads."""
        unknown = set(sections) - {*STOPPING, *TOPICS, *MOODS, *_HALVES, *OBJECTS, *_CURT, _PERHAPS, "spelling"}
        if unknown:
            raise ValueError(f"cues/{language}.txt: there is no section [{min(unknown)}]")
        self.language = language
        self._spelling = _spelling_of(sections.get("spelling", ()), language)
        meant = {name: [self._spelt(cue) for cue in cues] for name, cues in sections.items() if name != "spelling"}
        self._meant = meant
        apart = {"end", *_CURT, _PERHAPS}
        self._patterns = [(name, _pattern(name, cues, language)) for name, cues in meant.items() if name not in apart]
        if all(meant.get(half) for half in _HALVES):
            self._patterns.append(("stop", _both(meant["end"], meant["messages"], language)))
        if meant.get("end") and meant.get("thing"):
            self._patterns.append(("off", _both(meant["end"], meant["thing"], language)))
        self._enough = _pattern("enough", meant["enough"], language) if meant.get("enough") else None
        ending = [*meant.get("end", ()), *meant.get("enough", ())]
        self._ending = _pattern("end", ending, language) if ending else None
        self._perhaps = _pattern(_PERHAPS, meant[_PERHAPS], language) if meant.get(_PERHAPS) else None
        around = [cue for name in (*_CURT, "messages") for cue in meant.get(name, ())]
        self._around = _pattern("filler", around, language) if around else None

    def find(self, text: str) -> list[Found]:
        """Return the cues of a text, as it was written, in its order."""
        shown = self._prepared(text)
        found = [
            Found(name, match.group(), match.start(), match.end())
            for name, pattern in self._patterns
            for match in pattern.finditer(shown)
        ]
        kept = [cue for cue in found if cue.section in MOODS or cue.section in OBJECTS]
        for rivals in (STOPPING, TOPICS):
            kept += _longest([cue for cue in found if cue.section in rivals], rivals)
        return sorted(kept, key=lambda cue: cue.start)

    def written(self, *sections: str) -> list[str]:
        """Return the cues of sections as a customer would write them, the words between left out."""
        cues = (cue for section in sections for cue in self._meant.get(section, ()))
        return [cue.replace("*", "").replace("..", "") for cue in cues]

    def ends_something(self, text: str) -> bool:
        """Tell whether a word of a text says that something is to end, whatever it is."""
        return self._ending is not None and self._ending.search(self._prepared(text)) is not None

    def perhaps_ends(self, text: str) -> bool:
        """Tell whether a text has a word that a stop could be made of."""
        return self._perhaps is not None and self._perhaps.search(self._prepared(text)) is not None

    def is_curt(self, text: str) -> bool:
        """Tell whether a text ends the talk and says nothing else: "enough of this already", "stop it you people"."""
        shown = self._prepared(text)
        if len(shown) > _LONGEST_CURT or self._enough is None or self._around is None:
            return False
        return self._enough.search(shown) is not None and not self._around.sub("", shown).strip()

    def _prepared(self, text: str) -> str:
        words = re.findall(r"\w+", plain(text[:LONGEST_TEXT]))
        if self.language in UNSPACED_LANGUAGES:
            return "".join(words)
        return " ".join(self._spelling.get(word, word) for word in words)

    def _spelt(self, cue: str) -> str:
        """A cue as texts are read: with what is typed short written out."""
        if self.language in UNSPACED_LANGUAGES:
            return cue
        return " ".join(self._spelling.get(plain(word), word) for word in cue.split())


def _longest(found: list[Found], sections: tuple[str, ...]) -> list[Found]:
    """Of cues that overlap keep the longest; of equals the one whose section comes first."""
    kept: list[Found] = []
    for cue in sorted(found, key=lambda c: (c.section != "keep", c.start - c.end, sections.index(c.section))):
        if all(cue.end <= other.start or other.end <= cue.start for other in kept):
            kept.append(cue)
    return kept


def _spelling_of(lines: Iterable[str], language: str) -> dict[str, str]:
    """Read ``typed=meant`` pairs. Raises ValueError for a line that is none."""
    pairs = [line.partition("=") for line in lines]
    wrong = next((typed for typed, sign, meant in pairs if not (sign and typed.strip() and meant.strip())), None)
    if wrong is not None:
        raise ValueError(f"cues/{language}.txt: [spelling] {wrong!r} is no typed=meant")
    return {plain(typed.strip()): " ".join(re.findall(r"\w+", plain(meant))) for typed, _, meant in pairs}


def _pattern(section: str, cues: list[str], language: str) -> re.Pattern[str]:
    between = _A_WORD_MORE if section in ("stop", "machine") else " "
    return _bounded(_any_of(cues, language, between), language)


def _both(end: list[str], messages: list[str], language: str) -> re.Pattern[str]:
    """What says that something is to end, and close to it, before or behind, what names our messages."""
    near = _NEAR_UNSPACED if language in UNSPACED_LANGUAGES else _NEAR
    one, other = _any_of(end, language, " "), _any_of(messages, language, " ")
    prefix = _ARABIC_BEFORE if language == "ar" else ""
    return _bounded(f"(?:{one}{near}{prefix}{other}|{other}{near}{prefix}{one})", language)


def _any_of(cues: list[str], language: str, between: str) -> str:
    spellings = {spelling for cue in cues for spelling in _spellings(cue, language)}
    longest_first = sorted(spellings, key=lambda cue: (-len(cue), cue))
    return f"(?:{'|'.join(_expression(cue, language, between) for cue in longest_first)})"


def _bounded(either: str, language: str) -> re.Pattern[str]:
    if language in UNSPACED_LANGUAGES:
        return re.compile(either)
    before = _ARABIC_BEFORE if language == "ar" else ""
    return re.compile(rf"(?<!\w){before}{either}(?!\w)")


def _spellings(cue: str, language: str) -> set[str]:
    """As written, as typed without the apostrophe, and German with ae for ä."""
    spellings = {cue, cue.replace("'", "")}
    if language == "de":
        spellings |= {cue.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")}
    return spellings


def _expression(cue: str, language: str, between: str) -> str:
    if language in UNSPACED_LANGUAGES:
        parts = ("".join(re.findall(r"\w+", plain(part))) for part in cue.split(".."))
        return ".{0,6}?".join(re.escape(part) for part in parts)
    pieces: list[str] = []
    for part in cue.split(".."):
        words = re.findall(r"\w+\*?", plain(part))
        pieces.append(between.join(rf"{re.escape(word[:-1])}\w*" if word.endswith("*") else word for word in words))
    return r" (?:\w+ ){0,3}?".join(piece for piece in pieces if piece)


@cache
def lexicon(language: str) -> Lexicon | None:
    """Return the cues of a language, None where there are none.

    Raises ValueError for a file that is wrong.
    """
    file = files("notifiers").joinpath("cues", f"{language}.txt")
    return read_lexicon(language, file.read_text(encoding="utf-8")) if file.is_file() else None


def languages() -> list[str]:
    """Return the languages that there are cues for."""
    names = (file.name for file in files("notifiers").joinpath("cues").iterdir())
    return sorted(name.removesuffix(".txt") for name in names if name.endswith(".txt"))


@cache
def version() -> str:
    """Return a name for cues, keywords and known phrases as they are; it changes with each, as the score may."""
    cues = files("notifiers").joinpath("cues")
    texts = [cues.joinpath(f"{language}.txt").read_text(encoding="utf-8") for language in languages()]
    texts.append(files("notifiers").joinpath("understanding", "reply_words.py").read_text(encoding="utf-8"))
    known = [file for file in files("notifiers").joinpath("known_phrases").iterdir() if file.name.endswith(".tsv")]
    texts += [file.read_text(encoding="utf-8") for file in sorted(known, key=lambda file: file.name)]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:8]


def read_lexicon(language: str, text: str) -> Lexicon:
    """Read one file of cues. Raises ValueError where it is no such file."""
    sections: dict[str, list[str]] = {}
    here: list[str] | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        if header := re.fullmatch(r"\[(\w+)\]\s*", line):
            here = sections.setdefault(header[1], [])
        elif here is None:
            raise ValueError(f"cues/{language}.txt:{number}: stands in no section")
        else:
            here.extend(cue.strip() for cue in line.split("|") if cue.strip())
    return Lexicon(language, sections)
