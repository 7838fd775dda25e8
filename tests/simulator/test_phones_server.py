"""Over real HTTP and SMTP: messages reach phones, receipts and replies reach the gateway, signed and in order."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import aiosmtplib
import pytest
from aiohttp import web

from device_models.registry import Customer
from gateway.clock import Clock
from simulator.phones import PhonesAddresses, PhonesServer

SID, TOKEN = "AC" + "0f" * 16, "a-token"
SENDER = "+15005550006"
ANA = Customer(
    id="ana",
    name="Ana Souza",
    locale="pt-BR",
    timezone="America/Sao_Paulo",
    phone="+5511987654321",
    email="ana@x.example",
)
JOHN = Customer(id="john", name="John", locale="en-US", timezone="America/New_York", phone="+12025550143")
START = datetime(2026, 3, 1, 16, 20, tzinfo=UTC)


@dataclass
class Gateway:
    """Takes what the provider posts; verifies the signature by itself."""

    url: str = ""
    posts: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    answer: str = "<Response/>"
    status: int = 200
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, request: web.Request) -> web.Response:
        pairs = parse_qsl((await request.read()).decode(), keep_blank_values=True)
        signed = f"{self.url}{request.path_qs}" + "".join(name + value for name, value in sorted(pairs))
        expected = base64.b64encode(hmac.new(TOKEN.encode(), signed.encode(), hashlib.sha1).digest()).decode()
        assert request.headers["X-Twilio-Signature"] == expected
        async with self.changed:
            self.posts.append((request.path, dict(pairs)))
            self.changed.notify_all()
        return web.Response(status=self.status, text=self.answer, content_type="text/xml")

    async def until(self, enough: Callable[["Gateway"], bool]) -> None:
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(lambda: enough(self))

    def states(self, sid: str) -> list[str]:
        return [form["MessageStatus"] for path, form in self.posts if path == "/status" and form["MessageSid"] == sid]


@dataclass
class World:
    phones: PhonesServer
    at: PhonesAddresses
    gateway: Gateway
    http: aiohttp.ClientSession

    async def send(self, to: str, body: str = "Hello", *, auth: str | None = None, **more: str) -> tuple[int, Any]:
        sender = f"whatsapp:{SENDER}" if to.startswith("whatsapp:") else SENDER
        form = {"To": to, "From": sender, "Body": body, "StatusCallback": f"{self.gateway.url}/status?n=1", **more}
        url = f"{self.at.http_url}/2010-04-01/Accounts/{SID}/Messages.json"
        headers = {"Authorization": auth or aiohttp.encode_basic_auth(SID, TOKEN)}
        async with self.http.post(url, data=form, headers=headers) as answer:
            return answer.status, await answer.json()

    async def fetch(self, path: str) -> tuple[int, Any]:
        headers = {"Authorization": aiohttp.encode_basic_auth(SID, TOKEN)}
        async with self.http.get(f"{self.at.http_url}{path}", headers=headers) as answer:
            return answer.status, await answer.json()

    async def type(self, customer: str, channel: str, text: str) -> int:
        body = {"channel": channel, "text": text}
        async with self.http.post(f"{self.at.http_url}/phones/{customer}/replies", json=body) as answer:
            return answer.status

    async def fly(self, customer: str, reachable: bool) -> None:
        body = {"reachable": reachable}
        async with self.http.post(f"{self.at.http_url}/phones/{customer}/reachable", json=body) as answer:
            assert answer.status == 200

    async def seen(self, enough: Callable[[list[dict[str, Any]]], bool]) -> None:
        """Watch the page's stream of events until it has shown ``enough``."""
        messages: dict[str, dict[str, Any]] = {}
        async with asyncio.timeout(10), self.http.get(f"{self.at.http_url}/events") as stream:
            while not enough(list(messages.values())):
                lines = (await stream.content.readuntil(b"\n\n")).decode().strip().split("\n")
                name, data = lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: "))
                for message in {"snapshot": data.get("messages", []), "message": [data]}.get(name, []):
                    messages[message["id"]] = message

    async def mail(self, to: str, html: str | None = None, text: str = "Guten Tag") -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "Lumen <help@lumen.example>", to, "Zu warm: „Keller“"
        message.set_content(text)
        if html:
            message.add_alternative(html, subtype="html")
        at = urlsplit(self.at.smtp_url)
        await aiosmtplib.send(message, hostname=at.hostname, port=at.port)


@asynccontextmanager
async def running(speed: float, templates: dict[str, str] | None = None) -> AsyncIterator[World]:
    gateway = Gateway()
    app = web.Application()
    app.add_routes([web.post("/status", gateway.take), web.post("/inbound", gateway.take)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    gateway.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    clock = Clock.simulated(START, speed)
    phones = PhonesServer([ANA, JOHN], SID, TOKEN, f"{gateway.url}/inbound", clock, whatsapp_templates=templates)
    at = await phones.start("127.0.0.1")
    async with aiohttp.ClientSession() as http:
        yield World(phones, at, gateway, http)
    await phones.stop()
    await runner.cleanup()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running(speed=500) as opened:
        yield opened


async def test_a_message_is_created_and_its_receipts_come_in_order_and_signed(world: World) -> None:
    status, message = await world.send("+5511987654321", "Olá “Ana”")
    assert status == 201
    assert message["sid"].startswith("SM")
    assert len(message["sid"]) == 34
    assert (message["status"], message["direction"], message["to"]) == ("queued", "outbound-api", "+5511987654321")
    assert message["num_segments"] == "1"
    await world.gateway.until(lambda g: g.states(message["sid"])[-1:] == ["delivered"])
    assert world.gateway.states(message["sid"]) == ["queued", "sent", "delivered"]
    status, later = await world.fetch(message["uri"])
    assert (status, later["status"]) == (200, "delivered")
    (shown,) = world.phones.messages()
    assert (shown["customer_id"], shown["channel"], shown["text"], shown["on_phone"]) == (
        "ana",
        "sms",
        "Olá “Ana”",
        True,
    )


async def test_whatsapp_is_read_at_last(world: World) -> None:
    _, message = await world.send("whatsapp:+5511987654321")
    await world.gateway.until(lambda g: g.states(message["sid"])[-1:] == ["read"])
    assert world.gateway.states(message["sid"]) == ["queued", "sent", "delivered", "read"]
    form = world.gateway.posts[-1][1]
    assert (form["From"], form["To"], form["EventType"]) == (f"whatsapp:{SENDER}", "whatsapp:+5511987654321", "READ")


async def test_a_wrong_token_and_a_wrong_account_are_refused(world: World) -> None:
    status, error = await world.send("+12025550143", auth=aiohttp.encode_basic_auth(SID, "wrong"))
    assert (status, error["code"], error["status"]) == (401, 20003, 401)
    assert (await world.send("+12025550143", auth="Basic ***"))[0] == 401
    status, error = await world.fetch("/2010-04-01/Accounts/AC00/Messages.json")
    assert (status, error["code"]) == (404, 20404)
    status, error = await world.fetch(f"/2010-04-01/Accounts/{SID}/Messages/SM00.json")
    assert (status, error["code"]) == (404, 20404)
    assert world.phones.messages() == []


async def test_a_number_that_is_nobodys_is_accepted_and_never_delivered(world: World) -> None:
    status, message = await world.send("+4915199999999")
    assert status == 201
    await world.gateway.until(lambda g: g.states(message["sid"])[-1:] == ["undelivered"])
    assert world.gateway.posts[-1][1]["ErrorCode"] == "30005"
    assert [m["on_phone"] for m in world.phones.messages()] == [False]


async def test_a_reply_is_posted_signed_with_the_number_it_answers(world: World) -> None:
    await world.send("+12025550143", "Service is due. DONE or LATER?")
    assert await world.type("john", "sms", "  later & thanks ☕  ") == 202
    await world.gateway.until(lambda g: any(path == "/inbound" for path, _ in g.posts))
    form = next(form for path, form in world.gateway.posts if path == "/inbound")
    assert (form["From"], form["To"], form["Body"]) == ("+12025550143", SENDER, "later & thanks ☕")
    assert (form["AccountSid"], form["NumMedia"], form["SmsStatus"]) == (SID, "0", "received")
    assert form["MessageSid"] == form["SmsSid"]


async def test_the_gateways_twiml_answer_appears_on_the_phone(world: World) -> None:
    world.gateway.answer = "<Response><Message>Thank you, Ana.</Message></Response>"
    await world.send("whatsapp:+5511987654321")
    await world.type("ana", "whatsapp", "obrigada")
    await world.gateway.until(lambda g: any(form.get("ProfileName") == "Ana Souza" for _, form in g.posts))
    await world.seen(lambda messages: any(m["text"] == "Thank you, Ana." for m in messages))
    assert [m["status"] for m in world.phones.messages() if m["direction"] == "out"] == ["received"]


async def test_stop_blocks_that_pair_until_start(world: World) -> None:
    await world.send("+12025550143")
    await world.type("john", "sms", "Stop")
    await world.seen(lambda messages: any("successfully been unsubscribed" in m["text"] for m in messages))
    status, error = await world.send("+12025550143")
    assert (status, error["code"], error["message"]) == (400, 21610, "Attempt to send to unsubscribed recipient")
    assert (await world.send("+5511987654321"))[0] == 201
    await world.gateway.until(lambda g: any(form.get("Body") == "Stop" for _, form in g.posts))
    await world.type("john", "sms", "START")
    await world.seen(lambda messages: any("re-subscribed" in m["text"] for m in messages))
    assert (await world.send("+12025550143"))[0] == 201


async def test_in_flight_mode_nothing_is_delivered_until_the_phone_is_back(world: World) -> None:
    await world.fly("john", False)
    _, message = await world.send("+12025550143")
    await world.gateway.until(lambda g: g.states(message["sid"]) == ["queued", "sent"])
    assert await world.type("john", "sms", "hello?") == 409
    await world.fly("john", True)
    await world.gateway.until(lambda g: g.states(message["sid"]) == ["queued", "sent", "delivered"])


async def test_a_message_that_cannot_be_delivered_in_its_validity_is_given_up(world: World) -> None:
    await world.fly("john", False)
    _, message = await world.send("+12025550143", ValidityPeriod="60")
    await world.gateway.until(lambda g: g.states(message["sid"])[-1:] == ["undelivered"])
    assert world.gateway.posts[-1][1]["ErrorCode"] == "30003"


async def test_whatsapp_wants_a_template_until_the_customer_has_written() -> None:
    async with running(speed=500, templates={"HXa": "{{1}}"}) as world:
        _, refused = await world.send("whatsapp:+5511987654321", "free text")
        await world.gateway.until(lambda g: g.states(refused["sid"])[-1:] == ["undelivered"])
        assert world.gateway.posts[-1][1]["ErrorCode"] == "63016"
        form = {"ContentSid": "HXa", "ContentVariables": '{"1": "from a template"}'}
        _, taken = await world.send("whatsapp:+5511987654321", "", **form)
        await world.gateway.until(lambda g: "delivered" in g.states(taken["sid"]))
        await world.type("ana", "whatsapp", "oi")
        _, free = await world.send("whatsapp:+5511987654321", "free text again")
        await world.gateway.until(lambda g: "delivered" in g.states(free["sid"]))


async def test_a_reply_that_the_gateway_does_not_take_is_shown_as_failed(world: World) -> None:
    world.gateway.status = 500
    await world.send("+12025550143")
    await world.type("john", "sms", "hello?")
    await world.seen(lambda messages: any(m["status"] == "failed" and m["error_code"] == 11200 for m in messages))


async def test_nobody_can_answer_before_anybody_wrote_and_forms_of_other_sites_are_refused(world: World) -> None:
    assert await world.type("john", "sms", "hello") == 409
    assert await world.type("nobody", "sms", "hello") == 400
    assert await world.type("john", "email", "hello") == 400
    url = f"{world.at.http_url}/phones/john/replies"
    async with world.http.post(url, data={"channel": "sms", "text": "forged"}) as answer:
        assert answer.status == 415


async def test_messages_can_be_looked_up_by_their_receiver(world: World) -> None:
    for to in ("+12025550143", "+5511987654321", "+12025550143"):
        await world.send(to)
    _, page = await world.fetch(f"/2010-04-01/Accounts/{SID}/Messages.json?To=%2B12025550143&PageSize=10")
    assert [message["to"] for message in page["messages"]] == ["+12025550143"] * 2


async def test_a_mail_is_delivered_to_its_owner_and_its_html_is_locked_up(world: World) -> None:
    await world.mail("Ana@X.example", html="<p>Zu warm</p><script>parent.alert(1)</script>")
    (shown,) = world.phones.messages()
    assert (shown["customer_id"], shown["channel"], shown["peer"]) == ("ana", "email", "Lumen")
    assert (shown["subject"], shown["text"], shown["status"]) == ("Zu warm: „Keller“", "Guten Tag", "delivered")
    async with world.http.get(f"{world.at.http_url}/mails/{shown['id']}") as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "sandbox allow-popups" in policy
        assert "default-src 'none'" in policy
        assert "allow-scripts" not in policy
        assert "allow-same-origin" not in policy


async def test_a_mailbox_that_is_nobodys_is_refused(world: World) -> None:
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as raised:
        await world.mail("someone@else.example")
    assert raised.value.recipients[0].code == 550


async def test_stopping_ends_deliveries_and_streams() -> None:
    async with running(speed=1) as world, world.http.get(f"{world.at.http_url}/events") as stream:
        assert (await stream.content.readline()) == b"event: snapshot\n"
        await world.send("+12025550143")
        async with asyncio.timeout(5):
            await world.phones.stop()
            await stream.read()
