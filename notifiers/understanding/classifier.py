"""A model of the company's own that says what a message is about, asked over HTTP where our cues are not sure."""

from typing import Any

import orjson

from notifiers.errors import NotifierError, TryLater
from notifiers.replies import Intent
from notifiers.transports.http import HttpClient, retry_after_s
from notifiers.understanding.language import Guess
from notifiers.understanding.understand import Sentiment, Tags, Urgency

LONGEST_TEXT = 4000


class Classifier:
    """Asks one service: ``{"text", "language", "intents"}`` → ``{"intent", "confidence", …}``."""

    def __init__(self, url: str, token: str | None = None, timeout_s: float = 10.0) -> None:
        """``token`` is sent as a bearer token."""
        self._url = url
        self._token = token
        self._http = HttpClient("classifier", timeout_s)

    async def tag(self, text: str, language: Guess) -> Tags | None:
        """Ask about one message; None where the answer says nothing that we understand.

        Raises TryLater where it is away or failed.
        """
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        asked = {"text": text[:LONGEST_TEXT], "language": language.language, "intents": [one.value for one in Intent]}
        try:
            answer = await self._http.post(self._url, orjson.dumps(asked), headers)
        except NotifierError as error:
            raise TryLater("classifier", error.code, error.advice) from error
        if answer.status != 200:
            wait_s = retry_after_s(answer.headers)
            raise TryLater("classifier", f"http_{answer.status}", "it failed; it is asked again", wait_s)
        return _tags(answer.json(), language)

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()


def _tags(said: dict[str, Any], language: Guess) -> Tags | None:
    intent, confidence = said.get("intent"), said.get("confidence")
    known = intent in Intent.__members__.values()
    if not known or isinstance(confidence, bool) or not isinstance(confidence, int | float):
        return None
    if not 0 <= confidence <= 1:
        return None
    urgency = said.get("urgency")
    mood = said.get("sentiment")
    sentiment: Sentiment = mood if mood in (-1, 0, 1) and not isinstance(mood, bool) else 0
    return Tags(
        Intent(str(intent)),
        float(confidence),
        "model",
        Urgency(str(urgency)) if urgency in Urgency.__members__.values() else Urgency.NORMAL,
        sentiment,
        noise=said.get("noise") is True,
        language=language,
    )
