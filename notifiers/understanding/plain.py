"""Text as people mean it: without case, accents, vowel signs, typographic form or invisible characters."""

import re
import unicodedata

UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
"""Kana and Han characters, which are written without spaces."""

_ARABIC = str.maketrans("ةىیک", "هييك")
"""Endings that are typed either way, and the Persian keyboard's letters for the Arabic ones."""
_VOICED = "\u3099\u309a"
"""Marks of kana: が and か are different letters, unlike é and e."""


def keepable(text: str) -> str:
    """Return ``text`` without what no database keeps: NUL characters and lone surrogates, which odd charsets give."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def plain(text: str) -> str:
    """Return ``text`` with case, accents, Arabic vowel signs and full-width forms gone; punctuation stays."""
    parts = unicodedata.normalize("NFKD", text).casefold()
    kept = (c for c in parts if c in _VOICED or (unicodedata.category(c) not in ("Mn", "Cf") and c != "ـ"))
    return unicodedata.normalize("NFC", "".join(kept)).translate(_ARABIC)


def words_of(text: str) -> list[str]:
    """Return the words of ``text`` in their plain form; a run of kana and Han is one word."""
    return re.findall(r"\w+", plain(text))
