"""What holds for every transport: each way a provider fails is one of three errors, and none of them leaks."""

import base64
import json
import math
import ssl
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from notifiers.errors import NotifierError, TryLater, Unknown
from notifiers.message import Outgoing
from notifiers.receipts import SendState
from notifiers.transports import Transport
from notifiers.transports.fcm import FcmTransport
from notifiers.transports.line import LineTransport
from notifiers.transports.smtp import SmtpTransport
from notifiers.transports.telegram import TelegramTransport
from notifiers.transports.twilio import TwilioTransport
from notifiers.transports.web_push import WebPushTransport
from notifiers.transports.webhook import WebhookTransport
from notifiers.transports.whatsapp import WhatsAppTransport
from tests.notifiers.making import outgoing
from tests.notifiers.provider_servers import CHAT, LINE_USER, TELEGRAM_TOKEN
from tests.notifiers.push_servers import FCM_TOKEN, Browser, service_account, vapid_pem
from tests.notifiers.servers import (
    CLOSE,
    HANG,
    RESET,
    Answer,
    closed_port,
    deaf_port,
    http_server,
    json_answer,
    server_tls,
)
from tests.notifiers.smtp_server import Script, smtp_server

TIMEOUT_S = 0.4
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
TOKEN, PASSWORD = "very-secret-token", "very-secret-password"

Make = Callable[[str], Transport]


def _twilio(url: str) -> Transport:
    return TwilioTransport("AC" + "0" * 32, TOKEN, "+447700900000", base_url=url, timeout_s=TIMEOUT_S)


def _webhook(url: str) -> Transport:
    return WebhookTransport(f"{url}/hook/{TOKEN}", [SECRET], timeout_s=TIMEOUT_S)


def _smtp(url: str) -> Transport:
    return SmtpTransport(url, "Nordfrost <help@nordfrost.example>", timeout_s=TIMEOUT_S)


def _telegram(url: str) -> Transport:
    return TelegramTransport(TELEGRAM_TOKEN, base_url=url, timeout_s=TIMEOUT_S)


def _line(url: str) -> Transport:
    return LineTransport(f"{TOKEN}-of-line", base_url=url, timeout_s=TIMEOUT_S)


def _whatsapp(url: str) -> Transport:
    return WhatsAppTransport("106540352242922", TOKEN, base_url=url, timeout_s=TIMEOUT_S)


def _web_push(url: str) -> Transport:
    return WebPushTransport(vapid_pem(), "mailto:help@nordfrost.example", [url], timeout_s=TIMEOUT_S)


def _fcm(url: str) -> Transport:
    """With an access token in hand: how one is fetched is told in ``test_fcm.py``."""
    transport = FcmTransport(service_account(url), base_url=url, timeout_s=TIMEOUT_S)
    transport._account._token, transport._account._ends_at_s = TOKEN, math.inf
    return transport


HTTP: dict[str, tuple[Make, Outgoing]] = {
    "fcm": (_fcm, outgoing(channel="push", address=FCM_TOKEN)),
    "telegram": (_telegram, outgoing(channel="telegram", address=CHAT)),
    "line": (_line, outgoing(channel="line", address=LINE_USER)),
    "web_push": (_web_push, outgoing(channel="webpush", address=Browser().subscription)),
    "whatsapp": (_whatsapp, outgoing(channel="whatsapp", address="+447400123456", session_open=True)),
    "twilio": (_twilio, outgoing(channel="sms", address="+447400123456")),
    "webhook": (_webhook, outgoing(channel="webhook", address="customer-4711")),
}
MAIL = outgoing(address="ana.souza@example.com")
LEAKS = (
    TOKEN,
    TELEGRAM_TOKEN,
    CHAT,
    LINE_USER,
    FCM_TOKEN,
    "/wpush/",
    PASSWORD,
    SECRET.removeprefix("whsec_"),
    "447400123456",
    "customer-4711",
    "ana.souza",
    "has warmed",
)


def _assert_tight(error: NotifierError) -> None:
    """Neither the error nor the traceback that a log would print shows a secret, an address or the message."""
    printed = "".join(traceback.format_exception(error)) + repr(error) + repr(error.args) + repr(vars(error))
    # Source lines of the traceback are not the world's data; the values in them would be.
    assert not [leak for leak in LEAKS if leak in printed]
    assert error.code
    assert error.advice


async def _at_url(make: Make, url: str, message: Outgoing) -> NotifierError:
    return await _fails(make(url), _to(url, message))


def _to(url: str, message: Outgoing) -> Outgoing:
    """A push subscription names the service itself."""
    if message.channel != "webpush":
        return message
    return replace(message, address=json.dumps(json.loads(message.address) | {"endpoint": f"{url}/wpush/x"}))


async def _fails(transport: Transport, message: Outgoing) -> NotifierError:
    with pytest.raises(NotifierError) as raised:
        await transport.send(message)
    await transport.close()
    _assert_tight(raised.value)
    assert raised.value.provider == transport.name
    return raised.value


@pytest.fixture(params=sorted(HTTP))
def http_transport(request: pytest.FixtureRequest) -> tuple[Make, Outgoing]:
    return HTTP[request.param]


async def test_a_refused_connection_is_safe_to_repeat(http_transport: tuple[Make, Outgoing]) -> None:
    make, message = http_transport

    error = await _at_url(make, f"http://127.0.0.1:{closed_port()}", message)

    assert isinstance(error, TryLater)
    assert error.code == "connect"


async def test_a_host_that_does_not_exist_is_safe_to_repeat(http_transport: tuple[Make, Outgoing]) -> None:
    make, message = http_transport

    error = await _at_url(make, "http://nowhere.invalid", message)

    assert isinstance(error, TryLater)


async def test_a_connection_that_never_stands_is_safe_to_repeat(http_transport: tuple[Make, Outgoing]) -> None:
    make, message = http_transport

    async with deaf_port() as port:
        error = await _at_url(make, f"http://127.0.0.1:{port}", message)

    assert isinstance(error, TryLater)
    assert error.code == "connect_timeout"


async def test_a_certificate_nobody_trusts_is_safe_to_repeat(
    http_transport: tuple[Make, Outgoing], tmp_path: Path
) -> None:
    make, message = http_transport
    context: ssl.SSLContext = server_tls(tmp_path)[0]

    async with http_server(Answer(200), context) as server:
        error = await _at_url(make, server.url, message)

    assert isinstance(error, TryLater)
    assert error.code == "tls"
    assert server.requests == []


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (HANG, "read_timeout"),
        (RESET, "disconnected"),
        (CLOSE, "disconnected"),
        (Answer(200, b"{", announced=500), "disconnected"),
    ],
)
async def test_silence_after_the_request_is_unknown(
    http_transport: tuple[Make, Outgoing], behaviour: str | Answer, code: str
) -> None:
    make, message = http_transport

    async with http_server(behaviour) as server:
        error = await _at_url(make, server.url, message)

    assert isinstance(error, Unknown)
    assert error.code == code
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 410, 418, 429, 500, 502, 503])
async def test_no_refusal_repeats_what_the_provider_said(http_transport: tuple[Make, Outgoing], status: int) -> None:
    make, message = http_transport
    said = json_answer(status, {"message": f"{message.address} {TOKEN}", "code": 21211}, ("Location", "http://x/"))

    async with http_server(said) as server:
        await _at_url(make, server.url, message)

    assert len(server.requests) == 1


async def test_a_huge_answer_is_no_trouble(http_transport: tuple[Make, Outgoing]) -> None:
    make, message = http_transport

    async with http_server(Answer(500, b"x" * 5_000_000)) as server:
        error = await _at_url(make, server.url, message)

    assert isinstance(error, Unknown)


async def test_connections_are_kept_between_messages(http_transport: tuple[Make, Outgoing]) -> None:
    make, message = http_transport

    taken = {
        "sid": "SM1",
        "name": "projects/x/messages/1",
        "result": {"message_id": 1},
        "messages": [{"id": "wamid.1"}],
    }
    async with http_server(json_answer(200, taken)) as server:
        transport = make(server.url)
        for _ in range(3):
            accepted = await transport.send(_to(server.url, message))
            assert accepted.provider == transport.name
            assert accepted.state == "accepted"
        await transport.close()

    assert len(server.requests) == 3


def test_each_transport_says_what_it_serves_and_what_it_can_report() -> None:
    for transport in (*(make("http://x") for make, _ in HTTP.values()), _smtp("smtp://localhost")):
        assert transport.name
        assert transport.channels
        assert transport.reports <= {SendState.DELIVERED, SendState.READ, SendState.FAILED}


@pytest.mark.parametrize(
    ("script", "error", "code"),
    [
        (Script(greeting="421 4.3.2 ana.souza@example.com go away"), TryLater, "4.3.2"),
        (Script(greeting="554 5.7.1 blocked"), TryLater, "5.7.1"),
        (Script(greeting=""), TryLater, "connect_timeout"),
        (Script(mail="451 4.3.0 <ana.souza@example.com>"), TryLater, "4.3.0"),
        (Script(mail="550 5.7.1 <ana.souza@example.com>"), NotifierError, "5.7.1"),
        (Script(rcpt="450 4.2.0 <ana.souza@example.com> greylisted"), TryLater, "4.2.0"),
        (Script(rcpt="550 5.1.1 <ana.souza@example.com>: unknown"), NotifierError, "5.1.1"),
        (Script(rcpt="drop"), TryLater, "disconnected"),
        (Script(rcpt=""), TryLater, "disconnected"),
        (Script(data="452 4.3.1 full"), TryLater, "4.3.1"),
        (Script(end="451 4.3.0 later"), TryLater, "4.3.0"),
        (Script(end="554 5.6.0 ana.souza@example.com is spam"), NotifierError, "5.6.0"),
        (Script(end="drop"), Unknown, "disconnected"),
        (Script(end=""), Unknown, "read_timeout"),
    ],
)
async def test_each_way_a_mail_server_fails_is_one_of_three(
    script: Script, error: type[NotifierError], code: str
) -> None:
    async with smtp_server(script) as port:
        raised = await _fails(_smtp(f"smtp://127.0.0.1:{port}"), MAIL)

    assert isinstance(raised, error)
    assert raised.code == code


async def test_a_mail_server_that_is_down_is_safe_to_repeat() -> None:
    error = await _fails(_smtp(f"smtp://user:{PASSWORD}@127.0.0.1:{closed_port()}"), MAIL)

    assert isinstance(error, TryLater)
    assert error.code == "connect"


async def test_a_mail_server_that_never_answers_is_safe_to_repeat() -> None:
    async with deaf_port() as port:
        error = await _fails(_smtp(f"smtp://127.0.0.1:{port}"), MAIL)

    assert isinstance(error, TryLater)
    assert error.code == "connect_timeout"
