import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from device_models.purpose import Purpose
from notifiers.errors import Because, TryLater, Undeliverable, Unknown
from notifiers.message import Button, Outgoing
from notifiers.transports.web_push import (
    PUSH_SERVICES,
    WebPushTransport,
    application_server_key,
    load_vapid_key,
    parse_subscription,
)
from tests.notifiers.making import NOW, outgoing
from tests.notifiers.push_servers import Browser, vapid_pem
from tests.notifiers.servers import Answer, http_server

KEY = vapid_pem()
SUBJECT = "mailto:help@nordfrost.example"


def message(browser: Browser, **changes: object) -> Outgoing:
    receipt = "https://help.nordfrost.example/r/token"
    return outgoing(**({"channel": "webpush", "address": browser.subscription, "receipt_url": receipt} | changes))


@asynccontextmanager
async def browser_and_transport() -> AsyncIterator[tuple[Browser, WebPushTransport]]:
    browser = Browser()
    async with http_server(browser) as server:
        browser.url = server.url
        transport = WebPushTransport(KEY, SUBJECT, [server.url], timeout_s=2)
        yield browser, transport
        await transport.close()


async def test_the_browser_can_read_what_was_pushed() -> None:
    async with browser_and_transport() as (browser, transport):
        buttons = (Button("done", "Erledigt"),)
        sent = message(browser, rendered=replace(outgoing().rendered, buttons=buttons))
        accepted = await transport.send(sent)

    [shown] = browser.shown
    assert accepted.provider_id == f"{browser.url}/m/1"
    assert (shown["title"], shown["body"]) == (sent.rendered.subject, sent.rendered.text)
    assert (shown["url"], shown["receipt_url"]) == (sent.links.page_url, sent.receipt_url)
    assert (shown["lang"], shown["dir"]) == ("en", "ltr")
    assert shown["actions"] == [{"action": "done", "title": "Erledigt"}]


async def test_time_to_live_urgency_and_topic_are_the_messages_own() -> None:
    async with browser_and_transport() as (browser, transport):
        await transport.send(message(browser, expires_at=NOW + timedelta(minutes=30)))
        await transport.send(message(browser, purpose=Purpose.OFFER, key="another"))
        first, second = (shown["_headers"] for shown in browser.shown)

    assert (first["ttl"], first["urgency"]) == ("1800", "high")
    assert (second["ttl"], second["urgency"]) == ("2419200", "low")
    assert first["topic"] != second["topic"]


async def test_a_token_is_for_one_push_service_and_made_once_for_it() -> None:
    async with browser_and_transport() as (first, transport):
        second = Browser()
        async with http_server(second) as server:
            second.url = server.url
            transport._services = (first.url, second.url)
            for browser in (first, second, first, second):
                await transport.send(message(browser))

        assert [claims["aud"] for claims in first.claims] == [first.url] * 2
        assert [claims["aud"] for claims in second.claims] == [second.url] * 2
        assert all(claims["sub"] == SUBJECT for claims in first.claims + second.claims)
        tokens = {shown["_headers"]["authorization"] for shown in first.shown}
        assert len(tokens) == 1


@pytest.mark.parametrize("text", ["❄" * 3000, "x" * 9000])
async def test_what_does_not_fit_is_cut_and_the_rest_is_on_the_page(text: str) -> None:
    async with browser_and_transport() as (browser, transport):
        await transport.send(message(browser, rendered=replace(outgoing().rendered, text=text)))

    body = browser.shown[0]["body"]
    assert body.endswith(" …")
    assert text.startswith(body.removesuffix(" …"))


async def test_a_subscription_that_ended_is_a_dead_address() -> None:
    async with browser_and_transport() as (browser, transport):
        browser.ended = True
        with pytest.raises(Undeliverable) as refused:
            await transport.send(message(browser))

    assert (refused.value.code, refused.value.because) == ("http_410", Because.ADDRESS)


@pytest.mark.parametrize(
    ("status", "error", "because"),
    [
        (404, Undeliverable, Because.ADDRESS),
        (400, Undeliverable, Because.MESSAGE),
        (413, Undeliverable, Because.MESSAGE),
        (401, TryLater, None),
        (403, TryLater, None),
        (429, TryLater, None),
        (503, TryLater, None),
        (500, Unknown, None),
    ],
)
async def test_each_refusal_says_what_to_do_next(status: int, error: type[Exception], because: Because | None) -> None:
    browser = Browser()
    async with http_server(Answer(status, headers=(("Retry-After", "7"),))) as server:
        browser.url = server.url
        transport = WebPushTransport(KEY, SUBJECT, [server.url])
        with pytest.raises(error) as raised:
            await transport.send(message(browser))
        await transport.close()

    assert getattr(raised.value, "because", None) is because
    if error is TryLater:
        assert getattr(raised.value, "retry_after_s", None) == 7.0


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:8080/admin",
        "https://127.0.0.1/",
        "https://evil.example/push",
        "https://fcm.googleapis.com.evil.example/x",
        "https://fcm.googleapis.com@evil.example/x",
        "https://user:pass@fcm.googleapis.com/x",
        "http://fcm.googleapis.com/x",
        "https://fcm.googleapis.com:8443/x",
        "https://xpush.services.mozilla.com/x",
        "file:///etc/passwd",
        "https://[",
        "",
    ],
)
async def test_a_subscription_leads_to_no_other_place_than_a_push_service(endpoint: str) -> None:
    browser = Browser()
    transport = WebPushTransport(KEY, SUBJECT, PUSH_SERVICES)
    address = json.dumps(json.loads(browser.subscription) | {"endpoint": endpoint})
    with pytest.raises(Undeliverable) as refused:
        await transport.send(message(browser, address=address))

    assert refused.value.because is Because.ADDRESS
    assert not endpoint or endpoint not in str(refused.value)


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://fcm.googleapis.com/fcm/send/x",
        "https://updates.push.services.mozilla.com/wpush/v2/x",
        "https://web.push.apple.com/x",
        "https://wns2-par02p.notify.windows.com/w/?token=x",
    ],
)
def test_the_browsers_own_push_services_are_known(endpoint: str) -> None:
    transport = WebPushTransport(KEY, SUBJECT)

    assert transport._is_push_service(endpoint)


def broken(**changes: Any) -> str:
    data = json.loads(Browser(url="https://fcm.googleapis.com").subscription)
    return json.dumps(data | {"keys": data["keys"] | changes})


@pytest.mark.parametrize(
    "address", ["", "x", "[]", "{}", '{"endpoint": "x"}', broken(auth="AAAA"), broken(p256dh="AAAA"), broken(auth=7)]
)
def test_what_is_no_subscription_is_refused_without_being_shown(address: str) -> None:
    with pytest.raises(ValueError, match=r"^is no push subscription$"):
        parse_subscription(address)


async def test_a_point_that_is_not_on_the_curve_is_a_dead_address() -> None:
    off = "BA" + "A" * 85
    transport = WebPushTransport(KEY, SUBJECT)
    with pytest.raises(Undeliverable) as refused:
        await transport.send(message(Browser(), address=broken(p256dh=off)))

    assert refused.value.because is Because.ADDRESS


def test_the_page_is_given_the_public_half_of_the_key() -> None:
    public = application_server_key(load_vapid_key(KEY))

    assert len(public) == 87
    assert public[0] == "B"


def test_settings_that_cannot_be_used_are_refused() -> None:
    p384 = ec.generate_private_key(ec.SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for wrong in (b"", b"secret", p384):
        with pytest.raises(ValueError, match=r"notifiers\.webpush\.key: is no P-256 key"):
            WebPushTransport(wrong, SUBJECT)
    with pytest.raises(ValueError, match=r"notifiers\.webpush\.subject"):
        WebPushTransport(KEY, "help@acme.example")
