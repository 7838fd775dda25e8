"""The words of the customer's page: in their language where we speak it, else English; Arabic runs right to left."""

from collections.abc import Mapping
from importlib import import_module

Texts = Mapping[str, str]

_LANGUAGES = ("en", "de", "ar", "es", "fr", "id", "ja", "pt", "ru", "zh")


def _texts_of(language: str) -> Texts:
    parts = (import_module(f"gateway.web.customer.{part}.{language}") for part in ("languages", "deeds"))
    texts: dict[str, str] = {}
    for part in parts:
        texts |= part.TEXTS
    return texts


TEXTS: Mapping[str, Texts] = {language: _texts_of(language) for language in _LANGUAGES}
"""What the customer's pages say, by language."""


def language_of(locale: str | None) -> str:
    """Return the language of the page for a BCP 47 locale."""
    language = (locale or "en").replace("_", "-").split("-")[0].lower()
    return language if language in TEXTS else "en"
