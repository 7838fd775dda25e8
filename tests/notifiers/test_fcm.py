from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from device_models.purpose import Purpose
from notifiers.errors import Because, TryLater, Undeliverable, Unknown
from notifiers.message import Outgoing
from notifiers.transports.fcm import FcmTransport
from tests.notifiers.making import NOW, outgoing
from tests.notifiers.push_servers import FCM_TOKEN, PROJECT, Firebase, fcm_error, service_account
from tests.notifiers.servers import HANG, RESET, Answer, Request, http_server, json_answer

RECEIPT = "https://help.nordfrost.example/r/token"


def message(**changes: object) -> Outgoing:
    return outgoing(**({"channel": "push", "address": FCM_TOKEN, "receipt_url": RECEIPT} | changes))


@asynccontextmanager
async def firebase() -> AsyncIterator[tuple[FcmTransport, Firebase]]:
    api = Firebase()
    async with http_server(api) as server:
        api.url = server.url
        transport = FcmTransport(service_account(server.url), base_url=server.url, timeout_s=1)
        yield transport, api
        await transport.close()


async def test_a_message_reaches_the_app_with_what_it_needs_to_report() -> None:
    async with firebase() as (transport, api):
        accepted = await transport.send(message(expires_at=NOW + timedelta(hours=2)))

    assert accepted.provider_id == f"projects/{PROJECT}/messages/1"
    [sent] = api.messages
    assert sent["notification"] == {"title": message().rendered.subject, "body": message().rendered.text}
    assert sent["data"] == {"page_url": message().links.page_url, "receipt_url": RECEIPT, "purpose": "fault"}
    assert sent["android"] == {"priority": "HIGH", "ttl": "7200s"}
    expires = str(int((NOW + timedelta(hours=2)).timestamp()))
    assert sent["apns"]["headers"] == {"apns-expiration": expires, "apns-priority": "10"}


async def test_an_offer_waits_for_the_phone_to_wake() -> None:
    async with firebase() as (transport, api):
        await transport.send(message(purpose=Purpose.OFFER))

    assert api.messages[0]["android"] == {"priority": "NORMAL", "ttl": "2419200s"}


async def test_one_access_token_serves_many_messages_and_a_refused_one_is_replaced() -> None:
    async with firebase() as (transport, api):
        for _ in range(3):
            await transport.send(message())
        assert api.tokens_given == 1
        api.revoked.add("ya29.1")
        with pytest.raises(TryLater):
            await transport.send(message())
        await transport.send(message())

    assert (api.tokens_given, len(api.messages)) == (2, 4)


@pytest.mark.parametrize("text", ["❄" * 3000, "x" * 9000, 'quote " and \\ ' * 500])
async def test_what_does_not_fit_a_push_card_is_cut_and_the_rest_is_on_the_page(text: str) -> None:
    async with firebase() as (transport, api):
        await transport.send(message(rendered=replace(message().rendered, text=text)))

    body = api.messages[0]["notification"]["body"]
    assert body.endswith(" …")
    assert text.startswith(body.removesuffix(" …"))
    assert len(body) > 500


@pytest.mark.parametrize(
    ("answer", "error", "because"),
    [
        (fcm_error(404, "NOT_FOUND", "x", "UNREGISTERED"), Undeliverable, Because.ADDRESS),
        (fcm_error(403, "PERMISSION_DENIED", "x", "SENDER_ID_MISMATCH"), Undeliverable, Because.ADDRESS),
        (
            fcm_error(400, "INVALID_ARGUMENT", "The registration token is not a valid FCM registration token"),
            Undeliverable,
            Because.ADDRESS,
        ),
        (fcm_error(400, "INVALID_ARGUMENT", "x", "INVALID_ARGUMENT"), Undeliverable, Because.MESSAGE),
        (fcm_error(429, "RESOURCE_EXHAUSTED", "x", "QUOTA_EXCEEDED"), TryLater, None),
        (fcm_error(503, "UNAVAILABLE", "x", "UNAVAILABLE"), TryLater, None),
        (fcm_error(401, "UNAUTHENTICATED", "x", "THIRD_PARTY_AUTH_ERROR"), TryLater, None),
        (fcm_error(500, "INTERNAL", "x", "INTERNAL"), Unknown, None),
        (Answer(502, b"<html>"), Unknown, None),
        (json_answer(200, {}), Unknown, None),
    ],
)
async def test_each_refusal_says_what_to_do_next(
    answer: Answer, error: type[Exception], because: Because | None
) -> None:
    granted = json_answer(200, {"access_token": "ya29.1", "expires_in": 3599})
    async with http_server(lambda request: granted if request.path == "/token" else answer) as server:
        transport = FcmTransport(service_account(server.url), base_url=server.url)
        with pytest.raises(error) as raised:
            await transport.send(message())
        await transport.close()

    assert getattr(raised.value, "because", None) is because
    if "QUOTA" in str(answer.body):
        assert getattr(raised.value, "retry_after_s", 0) >= 60


@pytest.mark.parametrize("trouble", [HANG, RESET, Answer(500), Answer(400, b"{}"), json_answer(200, {})])
async def test_without_an_access_token_nothing_was_sent(trouble: Answer | str) -> None:
    asked: list[str] = []

    def behaves(request: Request) -> Answer | str:
        asked.append(request.path)
        return trouble

    async with http_server(behaves) as server:
        transport = FcmTransport(service_account(server.url), base_url=server.url, timeout_s=0.4)
        with pytest.raises(TryLater):
            await transport.send(message())
        await transport.close()

    assert asked == ["/token"]


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"private_key": "x"}', b"\xff"])
def test_a_file_that_is_no_service_account_is_refused_with_the_setting(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"notifiers\.fcm\.credentials: is no service account"):
        FcmTransport(content)


async def test_what_is_no_token_is_not_tried() -> None:
    async with firebase() as (transport, api):
        with pytest.raises(Undeliverable) as refused:
            await transport.send(message(address="Ana"))

    assert refused.value.because is Because.ADDRESS
    assert api.tokens_given == 0
