import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from notifiers.errors import Because, TryLater, Undeliverable, Unknown, Unwritten
from notifiers.message import Accepted
from notifiers.transports.twilio import LONGEST_VALIDITY_S, TwilioTransport
from notifiers.transports.whatsapp_templates import Template
from tests.notifiers.making import NOW, outgoing
from tests.notifiers.servers import Answer, http_server, json_answer

ACCOUNT, TOKEN, SERVICE = "AC" + "0" * 32, "auth-token-secret", "MG" + "f" * 32
SMS = {"channel": "sms", "address": "+447400123456"}
WHATSAPP = {"channel": "whatsapp", "address": "+971501234567"}
CREATED = json_answer(201, {"sid": "SM123", "status": "queued"})


def _transport(base_url: str, sender: str = "+447700900000", **more: Any) -> TwilioTransport:
    return TwilioTransport(ACCOUNT, TOKEN, sender, "+14155238886", base_url=base_url, timeout_s=5, **more)


async def test_a_text_message_is_posted_as_twilio_documents_it() -> None:
    async with http_server(CREATED) as server:
        transport = _transport(f"{server.url}/")
        message = outgoing(
            **SMS,
            expires_at=NOW + timedelta(minutes=30),
            status_callback_url="https://help.nordfrost.example/webhooks/twilio/status",
        )
        accepted = await transport.send(message)
        await transport.close()

    (request,) = server.requests
    assert (request.method, request.path) == ("POST", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["authorization"] == "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    assert request.form == {
        "To": "+447400123456",
        "From": "+447700900000",
        "Body": message.rendered.text,
        "StatusCallback": "https://help.nordfrost.example/webhooks/twilio/status",
        "ValidityPeriod": "1800",
    }
    assert accepted == Accepted("twilio", "SM123", "accepted", "queued")


async def test_a_messaging_service_sends_in_its_own_name() -> None:
    async with http_server(CREATED) as server:
        transport = _transport(server.url, SERVICE)
        await transport.send(outgoing(**SMS))
        await transport.close()

    assert server.requests[0].form["MessagingServiceSid"] == SERVICE
    assert "From" not in server.requests[0].form


async def test_whatsapp_is_written_to_with_its_prefix() -> None:
    async with http_server(CREATED) as server:
        transport = _transport(server.url)
        await transport.send(outgoing(**WHATSAPP))
        await transport.close()

    form = server.requests[0].form
    assert (form["To"], form["From"]) == ("whatsapp:+971501234567", "whatsapp:+14155238886")
    assert "Body" in form


@pytest.mark.parametrize("session_open", [True, False])
async def test_whatsapp_takes_a_template_unless_the_customer_wrote_today(session_open: bool) -> None:
    content_sid = "HX" + "a" * 32
    async with http_server(CREATED) as server:
        transport = _transport(server.url, whatsapp_templates=[Template(content_sid)])
        await transport.send(outgoing(**WHATSAPP, session_open=session_open))
        await transport.close()

    form = server.requests[0].form
    if session_open:
        assert "ContentSid" not in form
        assert form["Body"] == outgoing().rendered.text
    else:
        assert form["ContentSid"] == content_sid
        assert orjson.loads(form["ContentVariables"]) == {"1": outgoing().rendered.text}
        assert "Body" not in form


async def test_a_message_that_is_too_long_for_a_template_goes_by_another_channel() -> None:
    async with http_server(CREATED) as server:
        transport = _transport(server.url, whatsapp_templates=[Template("HX" + "a" * 32)])
        rendered = replace(outgoing().rendered, text="word " * 300 + "https://help.acme.example/c/x9K2mQ")
        with pytest.raises(Unwritten) as refused:
            await transport.send(outgoing(**WHATSAPP, session_open=False, rendered=rendered))
        await transport.close()

    assert (refused.value.code, server.requests) == ("63013", [])


async def test_validity_is_within_what_twilio_allows() -> None:
    async with http_server(CREATED) as server:
        transport = _transport(server.url)
        await transport.send(outgoing(**SMS, expires_at=NOW + timedelta(days=3)))
        with pytest.raises(Undeliverable) as expired:
            await transport.send(outgoing(**SMS, expires_at=NOW))
        await transport.close()

    assert server.requests[0].form["ValidityPeriod"] == str(LONGEST_VALIDITY_S)
    assert expired.value.because is Because.EXPIRED
    assert len(server.requests) == 1


@pytest.mark.parametrize("address", ["07400123456", "+0123", "whatsapp:+447400123456", "+44 7400", "+4474001234567890"])
async def test_a_number_that_is_none_is_not_tried(address: str) -> None:
    async with http_server(CREATED) as server:
        transport = _transport(server.url)
        with pytest.raises(Undeliverable) as refused:
            await transport.send(outgoing(channel="sms", address=address))
        await transport.close()

    assert refused.value.because is Because.ADDRESS
    assert server.requests == []


@pytest.mark.parametrize(
    ("status", "code", "error", "because"),
    [
        (400, 21211, Undeliverable, Because.ADDRESS),
        (400, 21614, Undeliverable, Because.ADDRESS),
        (400, 21610, Undeliverable, Because.OPTED_OUT),
        (400, 21408, Undeliverable, Because.MESSAGE),
        (400, 63016, Undeliverable, Because.MESSAGE),
        (400, 99999, Undeliverable, Because.MESSAGE),
        (404, 20404, Undeliverable, Because.MESSAGE),
        (429, 20429, TryLater, None),
        (400, 21611, TryLater, None),
        (400, 63017, TryLater, None),
        (401, 20003, TryLater, None),
        (403, 20005, TryLater, None),
        (503, 20503, TryLater, None),
        (500, 20500, Unknown, None),
        (502, 20502, Unknown, None),
    ],
)
async def test_each_refusal_says_what_to_do_next(
    status: int, code: int, error: type[Exception], because: Because | None
) -> None:
    refusal = json_answer(
        status,
        {
            "code": code,
            "message": "The 'To' number +447400123456 is not a valid phone number.",
            "more_info": f"https://www.twilio.com/docs/errors/{code}",
            "status": status,
        },
    )
    async with http_server(refusal) as server:
        transport = _transport(server.url)
        with pytest.raises(error) as raised:
            await transport.send(outgoing(**SMS))
        await transport.close()

    assert raised.value.code == str(code)  # type: ignore[attr-defined] # every error here is a NotifierError
    assert getattr(raised.value, "because", None) is because
    assert "447400123456" not in str(raised.value)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ([("Retry-After", "7")], 7.0),
        ([("Retry-After", "9999999")], 86_400.0),
        ([("Date", "Mon, 03 Mar 2025 14:00:00 GMT"), ("Retry-After", "Mon, 03 Mar 2025 14:01:30 GMT")], 90.0),
        ([("Date", "Mon, 03 Mar 2025 14:00:00 GMT"), ("Retry-After", "Mon, 03 Mar 2025 13:00:00 GMT")], 0.0),
        ([("Retry-After", "Mon, 03 Mar 2025 14:01:30 GMT")], None),
        ([("Date", "Mon, 03 Mar 2025 14:00:00 GMT"), ("Retry-After", "Mon, 03 Mar 2025 14:01:30 -0000")], None),
        ([("Retry-After", "soon")], None),
        ([("Retry-After", "-5")], None),
        ([], None),
    ],
)
async def test_the_wait_that_is_asked_for_is_kept(headers: list[tuple[str, str]], wait_s: float | None) -> None:
    async with http_server(json_answer(429, {"code": 20429}, *headers)) as server:
        transport = _transport(server.url)
        with pytest.raises(TryLater) as later:
            await transport.send(outgoing(**SMS))
        await transport.close()

    assert later.value.retry_after_s == wait_s


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"sid": 7}', b"{", b"\xff"])
async def test_an_acceptance_without_an_id_is_unknown(body: bytes) -> None:
    async with http_server(Answer(201, body)) as server:
        transport = _transport(server.url)
        with pytest.raises(Unknown):
            await transport.send(outgoing(**SMS))
        await transport.close()


def test_a_transport_serves_the_channels_it_has_a_sender_for() -> None:
    assert TwilioTransport(ACCOUNT, TOKEN, "+447700900000").channels == {"sms"}
    assert TwilioTransport(ACCOUNT, TOKEN, None, "+14155238886").channels == {"whatsapp"}
    with pytest.raises(ValueError, match="sender"):
        TwilioTransport(ACCOUNT, TOKEN)


async def test_a_channel_without_a_sender_is_the_settings_fault() -> None:
    transport = TwilioTransport(ACCOUNT, TOKEN, "+447700900000")

    with pytest.raises(Undeliverable, match="no_sender"):
        await transport.send(outgoing(**WHATSAPP))
