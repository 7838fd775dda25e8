"""Telegram, LINE, WhatsApp and Web Push through outages, with a real gateway and servers that answer as theirs do."""

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from notifiers.transports import line_callbacks, whatsapp_callbacks
from tests.notifiers.provider_servers import (
    CHAT,
    LINE_TOKEN,
    LINE_USER,
    NUMBER,
    TELEGRAM_TOKEN,
    WHATSAPP_SENDER,
    WHATSAPP_TOKEN,
    LineApi,
    TelegramApi,
    WhatsAppApi,
    telegram_flood,
)
from tests.notifiers.push_servers import Browser, vapid_pem
from tests.notifiers.servers import HANG, RESET, Answer, HttpServer, Request, http_server, json_answer
from tests.system.gateway_process import GatewayProcess, MailServer, wait_for
from tests.system.test_inbound_mail import post as post_to_api

SECRET = "0123456789abcdef0123456789abcdef"
RULES = """
rules:
  - id: too-warm
    kind: condition
    profile: freezer
    when: temperature > -12
    clear_when: temperature < -15
    title: {en: "is too warm"}
"""


@contextmanager
def served(behaviour: Callable[[Request], Answer | str]) -> Iterator[HttpServer]:
    """Run a server on a loop and a thread of its own, beside the test that waits."""
    loop, ready, over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    running: list[HttpServer] = []

    async def serve() -> None:
        async with http_server(behaviour) as server:
            running.append(server)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    try:
        yield running[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(20)
        loop.close()


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


class Moody:
    """Behaves oddly for the first requests, as a list says, and then as it should."""

    def __init__(self, api: Callable[[Request], Answer | str], *moods: Answer | str) -> None:
        """A mood is an answer, or ``reset``/``hang`` after the API has taken the message."""
        self.api, self.moods = api, list(moods)

    def __call__(self, request: Request) -> Answer | str:
        """Answer one request."""
        if not self.moods:
            return self.api(request)
        mood = self.moods.pop(0)
        if mood in (RESET, HANG):
            self.api(request)
        return mood


def customer(channel: str, address: str, name: str = "ana") -> dict[str, Any]:
    return {"id": name, "name": name.title(), "email": f"{name}@example.com", "addresses": {channel: address}}


def warm(gateway: GatewayProcess, *people: dict[str, Any]) -> None:
    """Each of them has a freezer that becomes too warm."""
    devices = [{"id": f"f-{p['id']}", "profile": "freezer", "customer_id": p["id"]} for p in people]
    gateway.register(customers=list(people), devices=devices)
    for person in people:
        for celsius in (-18, -8):
            gateway.publish(f"devices/f-{person['id']}/status", {"temperature": celsius})


def rows(gateway: GatewayProcess, state: str, channel: str) -> list[dict[str, Any]]:
    found = gateway.rows("SELECT * FROM notifications")
    return [row for row in found if (row["state"], row["channel"]) == (state, channel)]


def post(gateway: GatewayProcess, provider: str, data: Any, **headers: str) -> int:
    body = json.dumps(data).encode()
    signed = {
        "line": {"X-Line-Signature": line_callbacks.signature(SECRET, body)},
        "whatsapp": {"X-Hub-Signature-256": whatsapp_callbacks.signature(SECRET, body)},
        "telegram": {"X-Telegram-Bot-Api-Secret-Token": SECRET},
    }[provider] | headers
    request = urllib.request.Request(f"http://127.0.0.1:{gateway.web_port}/webhooks/{provider}", body, signed)
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return int(answer.status)


def test_line_and_telegram_through_their_outages(tmp_path: Path, mail: MailServer) -> None:
    line, telegram = LineApi(), TelegramApi(chats={CHAT, "1"}, blocked_by={"2"})
    limited = json_answer(429, {"message": "The API rate limit has been exceeded."}, ("Retry-After", "1"))
    with served(Moody(line, RESET, limited)) as lines, served(Moody(telegram, telegram_flood(1))) as chats:
        extra = (
            f'[notifiers.line]\ntoken = "{LINE_TOKEN}"\nsecret = "{SECRET}"\nbase_url = "{lines.url}"\n'
            f'[notifiers.telegram]\ntoken = "{TELEGRAM_TOKEN}"\nsecret = "{SECRET}"\nbase_url = "{chats.url}"\n'
        )
        with GatewayProcess(tmp_path, mail, RULES, extra) as gateway:
            people = [("line", LINE_USER, "ana"), ("telegram", CHAT, "bea"), ("telegram", "2", "cai")]
            warm(gateway, *(customer(*one) for one in people))
            # LINE took the first one and the answer was lost; the same key asks for it again, and once more after 429.
            wait_for(lambda: rows(gateway, "accepted", "line"), "LINE to say that it has it", within_s=90)
            assert len(line.messages) == 1
            assert len({request.headers["x-line-retry-key"] for request in lines.requests}) == 1
            wait_for(lambda: rows(gateway, "accepted", "telegram"), "Telegram after its flood", within_s=90)
            assert [message["chat_id"] for message in telegram.messages] == [CHAT]
            # Who blocked the bot has a mail instead, and the bot leaves them alone.
            wait_for(lambda: rows(gateway, "accepted", "email"), "the mail to who blocked the bot", within_s=90)
            assert [str(message["To"]) for message in mail.mails] == ["cai@example.com"]
            [shut] = gateway.rows("SELECT * FROM unreachable")
            assert (shut["customer_id"], shut["channel"], shut["reason"]) == ("cai", "telegram", "blocked")
            message = {"message_id": 9, "from": {"id": 1}, "chat": {"id": int(CHAT)}, "text": "The door was open"}
            update = {"update_id": 7, "message": message | {"reply_to_message": {"message_id": 1}}}
            for _ in range(2):
                assert post(gateway, "telegram", update) == 200
            [written] = gateway.rows("SELECT * FROM timeline WHERE kind = 'message_in'")
            assert "The door was open" in written["body"]
            telegram.files["large"] = b"\xff\xd8\xff the door"
            for number, file_id in ((8, "large"), (9, "lost")):
                photo = {
                    "message_id": number,
                    "from": {"id": 1},
                    "chat": {"id": int(CHAT)},
                    "photo": [{"file_id": file_id}],
                }
                assert post(gateway, "telegram", {"update_id": number, "message": photo}) == 200
            wait_for(lambda: not _waiting(gateway), "the photos", within_s=60)
            files = gateway.rows("SELECT name, kind, size, failed FROM attachments ORDER BY id")
            assert [(file["name"], file["kind"], file["size"]) for file in files] == [
                ("photo.jpg", "image/jpeg", len(telegram.files["large"])),
                ("photo", "", 0),
            ]
            assert "gives it out no longer" in files[1]["failed"]
            log = gateway.log.read_text(encoding="utf-8")
            assert not [secret for secret in (TELEGRAM_TOKEN, LINE_TOKEN, CHAT, LINE_USER, SECRET) if secret in log]


def test_whatsapp_is_unknown_until_its_status_tells_and_receipts_come_in_any_order(
    tmp_path: Path, mail: MailServer
) -> None:
    api = WhatsAppApi(templates={("gateway_update", "en")})
    with served(Moody(api, RESET)) as server:
        extra = (
            f'[notifiers.whatsapp]\nphone_number_id = "{WHATSAPP_SENDER}"\ntoken = "{WHATSAPP_TOKEN}"\n'
            f'app_secret = "{SECRET}"\nverify_token = "a-word-of-ours"\ntemplate = "gateway_update"\n'
            f'base_url = "{server.url}"\n'
        )
        with GatewayProcess(tmp_path, mail, RULES, extra) as gateway:
            warm(gateway, customer("whatsapp", NUMBER))
            wait_for(lambda: rows(gateway, "unknown", "whatsapp"), "the lost answer", within_s=60)
            [sent] = api.messages
            key = sent["biz_opaque_callback_data"]
            for word in ("read", "sent", "delivered", "read"):
                status = {"id": "wamid.1", "status": word, "timestamp": "1", "biz_opaque_callback_data": key}
                assert post(gateway, "whatsapp", _change(statuses=[status])) == 200
            [row] = rows(gateway, "read", "whatsapp")
            assert row["provider_id"] == "wamid.1"
            forged = {"X-Hub-Signature-256": "sha256=" + "0" * 64}
            with pytest.raises(urllib.error.HTTPError, match="403"):
                post(gateway, "whatsapp", _change(statuses=[{"id": "wamid.1", "status": "failed"}]), **forged)
            wrote = {"from": NUMBER[1:], "id": "wamid.IN", "type": "text", "text": {"body": "Can somebody come?"}}
            api.in_session.add(NUMBER)
            assert post(gateway, "whatsapp", _change(messages=[wrote])) == 200
            [case] = gateway.rows("SELECT id FROM cases")
            assert gateway.api(f"/api/cases/{case['id']}")["needs_reply"]
            post_to_api(gateway, f"/api/cases/{case['id']}/reply", '{"text": "We come on Friday."}')
            wait_for(lambda: "We come on Friday." in str(api.messages[1:]), "the agent's answer", within_s=60)
            assert {message["type"] for message in api.messages[1:]} <= {"text", "interactive"}
            assert mail.mails == []


def _waiting(gateway: GatewayProcess) -> list[dict[str, Any]]:
    return gateway.rows("SELECT id FROM attachments WHERE fetch_at IS NOT NULL")


def _change(**value: Any) -> dict[str, Any]:
    change = {"field": "messages", "value": {"metadata": {"phone_number_id": WHATSAPP_SENDER}, **value}}
    return {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}


def test_a_push_is_read_by_the_browser_and_an_ended_subscription_gives_way_to_mail(
    tmp_path: Path, mail: MailServer
) -> None:
    browser, gone = Browser(), Browser(ended=True)
    (tmp_path / "vapid.pem").write_bytes(vapid_pem())
    with served(Moody(browser, Answer(503, headers=(("Retry-After", "1"),)))) as server, served(gone) as other:
        browser.url, gone.url = server.url, other.url
        extra = (
            '[notifiers.webpush]\nkey = "vapid.pem"\nsubject = "mailto:help@acme.example"\n'
            f'push_services = ["{server.url}", "{other.url}"]\n'
        )
        with GatewayProcess(tmp_path, mail, RULES, extra) as gateway:
            warm(gateway, customer("webpush", browser.subscription), customer("webpush", gone.subscription, "bea"))
            wait_for(lambda: browser.shown, "the browser to show it", within_s=90)
            [shown] = browser.shown
            assert "too warm" in shown["title"] + shown["body"]
            wait_for(lambda: rows(gateway, "accepted", "webpush"), "the push to be accepted")
            request = urllib.request.Request(f"{shown['receipt_url']}/read", b"")  # noqa: S310
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                assert answer.status == 204
            assert len(rows(gateway, "read", "webpush")) == 1
            wait_for(lambda: mail.mails, "the mail to who has no subscription any more", within_s=90)
            assert [str(message["To"]) for message in mail.mails] == ["bea@example.com"]
            [shut] = gateway.rows("SELECT * FROM unreachable")
            assert (shut["customer_id"], shut["reason"], shut["code"]) == ("bea", "dead", "http_410")
