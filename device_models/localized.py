"""A text in several languages, as rule and profile files carry it."""

from typing import Annotated

from pydantic import BeforeValidator


def _by_language(value: object) -> object:
    return {"en": value} if isinstance(value, str) else value


Localized = Annotated[dict[str, str], BeforeValidator(_by_language)]
"""Text by language tag; a plain string is English."""


def in_language(text: dict[str, str], locale: str) -> str:
    """Pick the text for a BCP 47 locale: ``pt-BR``, then ``pt``, then English, then whichever there is, else empty."""
    language = locale.replace("_", "-")
    for tag in (language, language.split("-")[0], "en"):
        if tag in text:
            return text[tag]
    return next(iter(text.values()), "")
