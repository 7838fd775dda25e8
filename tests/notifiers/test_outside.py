"""The services that are asked about messages, against servers that answer as theirs do, and misbehave."""

import json
from collections.abc import Callable

import pytest

from notifiers.errors import TryLater, Undeliverable
from notifiers.replies import Intent
from notifiers.understanding.classifier import Classifier
from notifiers.understanding.language import Guess
from notifiers.understanding.translator import Translator
from notifiers.understanding.understand import Urgency
from tests.notifiers.servers import CLOSE, HANG, RESET, Answer, Request, http_server, json_answer

GERMAN = Guess("de", 0.9)


def libre(request: Request) -> Answer:
    """Answer as LibreTranslate does."""
    asked = json.loads(request.body)
    if request.path != "/translate" or set(asked) - {"q", "source", "target", "format", "api_key"}:
        return json_answer(400, {"error": "Invalid request"})
    if asked.get("api_key") != "key":
        return json_answer(403, {"error": "Invalid API key"})
    if asked["source"] not in ("auto", "de") or asked["target"] != "en":
        return json_answer(400, {"error": f"{asked['source']} is not supported"})
    detected = {"detectedLanguage": {"confidence": 90, "language": "de"}} if asked["source"] == "auto" else {}
    return json_answer(200, {"translatedText": f"en: {asked['q']}", **detected})


async def test_a_message_is_translated_as_libretranslate_wants_it() -> None:
    async with http_server(libre) as server:
        translator = Translator(server.url + "/", "key")
        known = await translator.translate("Es geht nicht", "de", "en")
        unknown = await translator.translate("Es geht nicht", None, "en")
        renamed = await translator.translate("Es geht nicht", "gsw", "en")
        await translator.close()

    assert (known.text, known.source) == ("en: Es geht nicht", "de")
    assert unknown.source == "de"
    assert renamed.text == "en: Es geht nicht"
    assert server.requests[0].headers["content-type"] == "application/json"


async def test_a_refused_key_is_given_up_and_named_nowhere() -> None:
    async with http_server(libre) as server:
        translator = Translator(server.url, "wrong-key")
        with pytest.raises(Undeliverable) as refused:
            await translator.translate("Es geht nicht", "de", "en")
        await translator.close()

    assert "wrong-key" not in str(refused.value)
    assert "Es geht" not in repr(refused.value)


@pytest.mark.parametrize(
    "behaviour",
    [
        lambda _: json_answer(500, {"error": "boom"}),
        lambda _: json_answer(429, {"error": "slow down"}, ("Retry-After", "7")),
        lambda _: Answer(200, b"<html>not json"),
        lambda _: json_answer(200, {"translatedText": 7}),
        lambda _: RESET,
        lambda _: CLOSE,
        lambda _: HANG,
    ],
    ids=["500", "429", "html", "no text", "reset", "close", "hang"],
)
async def test_a_service_that_is_ill_is_asked_again(behaviour: Callable[[Request], Answer | str]) -> None:
    async with http_server(behaviour) as server:
        translator = Translator(server.url, timeout_s=0.5)
        with pytest.raises(TryLater) as later:
            await translator.translate("Es geht nicht", "de", "en")
        await translator.close()

    assert later.value.retry_after_s in (None, 7.0)


async def test_a_service_that_is_away_is_asked_again() -> None:
    async with http_server(libre) as server:
        url = server.url
    translator, classifier = Translator(url, timeout_s=0.5), Classifier(url, timeout_s=0.5)
    with pytest.raises(TryLater):
        await translator.translate("Es geht nicht", "de", "en")
    with pytest.raises(TryLater):
        await classifier.tag("Es geht nicht", GERMAN)
    await translator.close()
    await classifier.close()


async def test_a_model_is_asked_with_its_token_and_tags_what_it_knows() -> None:
    def model(request: Request) -> Answer:
        asked = json.loads(request.body)
        assert request.headers["authorization"] == "Bearer t0ken"
        assert asked["language"] == "de"
        assert "still_broken" in asked["intents"]
        said = {"intent": "still_broken", "confidence": 0.8, "urgency": "high", "sentiment": -1, "noise": False}
        return json_answer(200, said)

    async with http_server(model) as server:
        classifier = Classifier(server.url, "t0ken")
        tags = await classifier.tag("So ein Ärger damit", GERMAN)
        await classifier.close()

    assert tags is not None
    assert (tags.intent, tags.confidence, tags.by) == (Intent.STILL_BROKEN, 0.8, "model")
    assert (tags.urgency, tags.sentiment) == (Urgency.HIGH, -1)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"intent": "buy_a_boat", "confidence": 0.9},
        {"intent": "fixed", "confidence": "high"},
        {"intent": "fixed", "confidence": 7},
        {"intent": ["fixed"], "confidence": 0.9},
        {"intent": "fixed", "confidence": True},
    ],
)
async def test_nonsense_from_a_model_is_no_tag(said: dict[str, object]) -> None:
    async with http_server(lambda _: json_answer(200, said)) as server:
        classifier = Classifier(server.url)
        assert await classifier.tag("hm", GERMAN) is None
        await classifier.close()
