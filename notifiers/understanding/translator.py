"""A translator over HTTP, in LibreTranslate's form.

Source: LibreTranslate's API, ``POST /translate`` with JSON ``q``, ``source`` (a language or ``auto``), ``target``,
``format`` and ``api_key``; it answers ``translatedText`` and, for ``auto``, ``detectedLanguage``; errors as ``error``
with 400 (unknown language), 403 (key), 429 (too many), 500. Asking twice does no harm, so it may be tried again.
"""

from dataclasses import dataclass, field

import orjson

from notifiers.errors import NotifierError, TryLater, Undeliverable
from notifiers.transports.http import HttpClient, retry_after_s

LONGEST_TEXT = 5000
"""Characters sent; LibreTranslate's usual ``--char-limit``."""


@dataclass(frozen=True, slots=True)
class Translation:
    """A text in another language."""

    text: str = field(repr=False)
    source: str | None
    """The language it was taken to be in, where the translator says."""


class Translator:
    """Asks one service."""

    def __init__(self, url: str, token: str | None = None, timeout_s: float = 10.0) -> None:
        """``url``: of the service, without ``/translate``; ``token``: its ``api_key``."""
        self._url = f"{url.rstrip('/')}/translate"
        self._token = token
        self._http = HttpClient("translator", timeout_s)

    async def translate(self, text: str, source: str | None, target: str) -> Translation:
        """Translate ``text``; ``source`` None: the service finds out.

        Raises:
            TryLater: it is away, overloaded, or answered nothing that can be used.
            Undeliverable: it will never translate this: a language it does not know, a key it refuses.
        """
        asked = {"q": text[:LONGEST_TEXT], "source": source or "auto", "target": target, "format": "text"}
        if self._token:
            asked["api_key"] = self._token
        try:
            answer = await self._http.post(self._url, orjson.dumps(asked), {"Content-Type": "application/json"})
        except NotifierError as error:
            raise TryLater("translator", error.code, error.advice) from error
        said = answer.json()
        if answer.status == 400 and source is not None:
            # It may well know the language by another name.
            return await self.translate(text, None, target)
        if answer.status in (400, 401, 403):
            raise Undeliverable("translator", f"http_{answer.status}", "it refuses this language or our key")
        translated = said.get("translatedText")
        if answer.status != 200 or not isinstance(translated, str):
            advice = "it failed; it is asked again"
            raise TryLater("translator", f"http_{answer.status}", advice, retry_after_s(answer.headers))
        found = said.get("detectedLanguage")
        language = found.get("language") if isinstance(found, dict) else None
        return Translation(translated, language if isinstance(language, str) else source)

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()
