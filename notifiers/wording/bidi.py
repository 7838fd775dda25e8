"""Text of one direction inside text of the other: names, codes and measurements kept in one piece.

Source: Unicode Standard Annex 9, §2.4 and §5.1: a fragment whose direction is not known stands between FIRST STRONG
ISOLATE and POP DIRECTIONAL ISOLATE.
"""

import unicodedata

from notifiers.message import Direction

FSI, LRI, PDI = "\u2068", "\u2066", "\u2069"
_RTL_LANGUAGES = frozenset({"ar", "fa", "he", "ps", "ur", "yi"})
_CONTROLS = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks, embeddings, overrides and isolates: in a name they would turn the sentence around it."""


def direction_of(language: str) -> Direction:
    """Tell which way a language (BCP 47) is written."""
    return "rtl" if language.split("-")[0].split("_")[0] in _RTL_LANGUAGES else "ltr"


def isolate(text: str, direction: Direction) -> str:
    """Isolate ``text`` where a sentence of ``direction`` would otherwise reorder it; leave it alone where not.

    Left-to-right text pays nothing for plain Latin names: an invisible character would cost an SMS its alphabet.
    """
    strong = {unicodedata.bidirectional(c) for c in text} & {"L", "R", "AL", "EN", "AN"}
    foreign = strong & {"R", "AL", "AN"} if direction == "ltr" else strong & {"L", "EN"}
    return f"{FSI}{text}{PDI}" if foreign else text


def isolate_number(text: str, direction: Direction) -> str:
    """Isolate a number with its unit as left to right, so that a sign stays before its digits in Arabic text."""
    return f"{LRI}{text}{PDI}" if direction == "rtl" else text


def without_controls(text: str) -> str:
    """Drop direction controls."""
    return "".join(c for c in text if c not in _CONTROLS)
