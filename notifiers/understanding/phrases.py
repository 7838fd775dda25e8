"""What customers wrote, with what a person says it is: known phrases to learn from, others to be scored on.

A file has a line each: language, what it is, text, parted by tabs. What it is: the intent, then ``!`` where
it is urgent, ``+`` or ``-`` where the mood is good or bad, ``~`` where it is noise: ``still_broken!-``.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from notifiers.replies import Intent

_WHAT = re.compile(r"(?P<intent>[a-z_]+)(?P<marks>[!+\-~]*)")


@dataclass(frozen=True, slots=True)
class Phrase:
    """One message with what a person says it is."""

    language: str
    intent: Intent
    urgent: bool
    sentiment: Literal[-1, 0, 1]
    noise: bool
    text: str
    line: int


def read_phrases(text: str, filename: str) -> list[Phrase]:
    """Read a file of phrases. Raises ValueError naming file and line."""
    phrases = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        columns = line.split("\t")
        what = _WHAT.fullmatch(columns[1]) if len(columns) == 3 else None
        if what is None or what["intent"] not in Intent.__members__.values():
            raise ValueError(f"{filename}:{number}: is no language, intent and text, parted by tabs")
        marks = what["marks"]
        mood: Literal[-1, 0, 1] = 1 if "+" in marks else -1 if "-" in marks else 0
        intent = Intent(what["intent"])
        phrases.append(Phrase(columns[0], intent, "!" in marks, mood, "~" in marks, columns[2], number))
    return phrases


@cache
def known_phrases() -> tuple[Phrase, ...]:
    """Return the phrases of all earlier rounds (``known_phrases/``), which a score says nothing about any more."""
    found: list[Phrase] = []
    for file in sorted(files("notifiers").joinpath("known_phrases").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".tsv"):
            found += read_phrases(file.read_text(encoding="utf-8"), file.name)
    return tuple(found)
