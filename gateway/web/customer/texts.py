"""The words of the customer's page: in their language where we speak it, else English; Arabic runs right to left."""

from collections.abc import Mapping

from gateway.web.customer.languages import ar, de, en, es, fr, ja, pt, ru, zh
from gateway.web.customer.languages import id as indonesian

Texts = Mapping[str, str]

TEXTS: Mapping[str, Texts] = {
    "en": en.TEXTS,
    "de": de.TEXTS,
    "ar": ar.TEXTS,
    "es": es.TEXTS,
    "fr": fr.TEXTS,
    "id": indonesian.TEXTS,
    "ja": ja.TEXTS,
    "pt": pt.TEXTS,
    "ru": ru.TEXTS,
    "zh": zh.TEXTS,
}


def language_of(locale: str | None) -> str:
    """Return the language of the page for a BCP 47 locale."""
    language = (locale or "en").replace("_", "-").split("-")[0].lower()
    return language if language in TEXTS else "en"
