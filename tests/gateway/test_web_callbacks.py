"""The chat providers' webhooks over a real committer: believed with their proof, each thing in them with one effect."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.commands import CustomerWrote, HandOver, Sent, Upsert
from gateway.store import schema
from gateway.store.attachments import attachments
from gateway.store.reachability import unreachable
from notifiers.transports import line_callbacks, whatsapp_callbacks
from notifiers.transports.inbox import InboxTransport
from notifiers.transports.webhook import secret_key, sign
from tests.gateway.web_fleet import NOW
from tests.gateway.web_visit import Visit, visit

SECRET = "0123456789abcdef0123456789abcdef"
WHSEC = "whsec_" + base64.b64encode(bytes(range(32))).decode()
SENDER, USER = "106540352242922", "U" + "0" * 32
NOTIFIERS: dict[str, Any] = {
    "telegram": {"token": "123456789:" + "x" * 35, "secret": SECRET},
    "line": {"token": "t" * 30, "secret": SECRET},
    "whatsapp": {
        "phone_number_id": SENDER,
        "token": "t",
        "app_secret": SECRET,
        "verify_token": "a-word-of-ours",
    },
    "webhook": {"url": "http://127.0.0.1:1/", "secret": WHSEC},
}
ANA = {"id": "c-ana", "name": "Ana", "addresses": {"telegram": "987", "line": USER, "whatsapp": "+5511987654321"}}
TELEGRAM = {"message": {"message_id": 5, "from": {"id": 987}, "chat": {"id": 987}, "text": "It cools again"}}


def headers(provider: str, body: bytes) -> dict[str, str]:
    """What the provider would sign it with."""
    stamp = int(NOW.timestamp())
    return {
        "telegram": {"X-Telegram-Bot-Api-Secret-Token": SECRET},
        "line": {"X-Line-Signature": line_callbacks.signature(SECRET, body)},
        "whatsapp": {"X-Hub-Signature-256": whatsapp_callbacks.signature(SECRET, body)},
        "webhook": {
            "webhook-id": "evt_1",
            "webhook-timestamp": str(stamp),
            "webhook-signature": sign(secret_key(WHSEC), "evt_1", stamp, body),
        },
    }[provider]


async def call(web: Visit, provider: str, data: Any) -> tuple[int, Any]:
    """Post as the provider does."""
    body = json.dumps(data).encode()
    answer = await web.client.post(f"/webhooks/{provider}", data=body, headers=headers(provider, body))
    return answer.status, await answer.json() if answer.status == 200 else None


def line(text: str, event_id: str = "01F") -> dict[str, Any]:
    message = {"type": "text", "id": "1", "text": text}
    event = {"type": "message", "webhookEventId": event_id, "source": {"userId": USER}, "message": message}
    return {"destination": "x", "events": [event]}


def whatsapp(**value: Any) -> dict[str, Any]:
    change = {"field": "messages", "value": {"metadata": {"phone_number_id": SENDER}, **value}}
    return {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}


def wrote(text: str) -> dict[str, Any]:
    return whatsapp(messages=[{"from": "5511987654321", "id": "wamid.1", "type": "text", "text": {"body": text}}])


@pytest.mark.parametrize(
    ("provider", "data", "channel"),
    [
        ("telegram", {"update_id": 1, **TELEGRAM}, "telegram"),
        ("line", line("It cools again"), "line"),
        ("whatsapp", wrote("It cools again"), "whatsapp"),
    ],
)
async def test_what_a_customer_writes_is_theirs_and_comes_once(
    tmp_path: Path, provider: str, data: Any, channel: str
) -> None:
    async with visit(tmp_path, None, empty=True, notifiers=NOTIFIERS) as web:
        web.town.do(Upsert("customers", (ANA,), by="test"))
        for _ in range(2):
            assert (await call(web, provider, data))[0] == 200
        [row] = web.town.rows(schema.inbound)
        assert (row["customer_id"], row["channel"], row["text"]) == ("c-ana", channel, "It cools again")


@pytest.mark.parametrize("provider", ["telegram", "line", "whatsapp", "webhook"])
async def test_a_forged_post_is_refused_and_changes_nothing(
    tmp_path: Path, provider: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = {"telegram": {"update_id": 1, **TELEGRAM}, "line": line("x"), "whatsapp": wrote("x")}.get(provider, {})
    async with visit(tmp_path, None, empty=True, notifiers=NOTIFIERS) as web:
        web.town.do(Upsert("customers", (ANA,), by="test"))
        body = json.dumps(data).encode()
        for sent in ({}, dict.fromkeys(headers(provider, body), "bm9uZQ==")):
            assert (await web.client.post(f"/webhooks/{provider}", data=body, headers=sent)).status == 403
        if provider != "telegram":
            genuine = headers(provider, body)
            assert (await web.client.post(f"/webhooks/{provider}", data=body + b" ", headers=genuine)).status == 403
        huge = await web.client.post(f"/webhooks/{provider}", data=b"x" * (1024 * 1024 + 1))
        assert huge.status == 413
        assert web.town.rows(schema.inbound) == []
    logged = capsys.readouterr().out
    assert "webhook.forged" in logged
    assert "It cools" not in logged


async def test_a_genuine_post_is_read_to_its_end_however_it_arrives(tmp_path: Path) -> None:
    body = json.dumps(line("x" * 150_000)).encode()

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 40_000):
            yield body[start : start + 40_000]
            await asyncio.sleep(0)

    async with visit(tmp_path, None, empty=True, notifiers=NOTIFIERS) as web:
        web.town.do(Upsert("customers", (ANA,), by="test"))
        answer = await web.client.post("/webhooks/line", data=in_pieces(), headers=headers("line", body))
        assert answer.status == 200
        assert len(web.town.rows(schema.inbound)) == 1


async def test_a_photo_is_noted_and_the_provider_answered_before_it_is_fetched(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True, notifiers=NOTIFIERS) as web:
        message = {"id": "wamid.P", "from": "5511987654321", "type": "image", "image": {"id": "1003383421387256"}}
        status, _ = await call(web, "whatsapp", whatsapp(messages=[message]))
        assert status == 200
        [row] = web.town.rows(attachments)
        assert (row["name"], row["fetch_from"], row["fetch_ref"]) == ("photo", "whatsapp_cloud", "1003383421387256")
        assert row["fetch_at"] is not None
        assert web.town.rows(schema.inbound, provider_id="wamid.P")[0]["text"] == "[photo]"


async def test_a_provider_that_is_not_set_up_is_not_found(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        assert (await web.client.post("/webhooks/telegram", data=b"{}")).status == 404
        assert (await web.client.get("/webhooks/whatsapp")).status == 404


async def test_meta_is_answered_where_it_knows_our_word(tmp_path: Path) -> None:
    asked = {"hub.mode": "subscribe", "hub.verify_token": "a-word-of-ours", "hub.challenge": "1158201444"}
    async with visit(tmp_path, None, empty=True, notifiers=NOTIFIERS) as web:
        answer = await web.client.get("/webhooks/whatsapp", params=asked)
        assert (answer.status, await answer.text()) == (200, "1158201444")
        assert (await web.client.get("/webhooks/whatsapp", params=asked | {"hub.verify_token": "x"})).status == 403
        assert (await web.client.get("/webhooks/telegram", params=asked)).status == 403


async def test_a_tapped_button_is_answered_so_that_it_stops_turning(tmp_path: Path) -> None:
    query = {"id": "77", "data": "later", "message": {"message_id": 5, "chat": {"id": 987}}}
    async with visit(tmp_path, None, empty=True, notifiers=NOTIFIERS) as web:
        web.town.do(Upsert("customers", (ANA,), by="test"))
        status, said = await call(web, "telegram", {"update_id": 1, "callback_query": query})
        assert (status, said) == (200, {"method": "answerCallbackQuery", "callback_query_id": "77"})
        assert web.town.rows(schema.inbound)[0]["intent"] == "later"


async def test_receipts_move_a_message_forward_only_and_a_key_finds_a_lost_send(tmp_path: Path) -> None:
    async with visit(tmp_path, None, notifiers=NOTIFIERS) as web:
        sent = web.town.rows(schema.notifications, state="delivered")[0]
        with web.town.store.write() as connection:
            connection.execute(
                schema.notifications.update()
                .where(schema.notifications.c.id == sent["id"])
                .values(state="unknown", provider=None, provider_id=None, channel="whatsapp")
            )
        key = f"{sent['key']}:whatsapp"
        for word in ("read", "sent", "delivered", "read"):
            status = {"id": "wamid.9", "status": word, "timestamp": "1", "biz_opaque_callback_data": key}
            assert (await call(web, "whatsapp", whatsapp(statuses=[status])))[0] == 200
        row = web.town.rows(schema.notifications, id=sent["id"])[0]
        assert (row["state"], row["provider"], row["provider_id"]) == ("read", "whatsapp_cloud", "wamid.9")


async def test_who_blocks_us_is_remembered_and_who_lets_us_in_forgotten(tmp_path: Path) -> None:
    event = {"webhookEventId": "01F", "source": {"userId": USER}}
    async with visit(tmp_path, None, empty=True, notifiers=NOTIFIERS) as web:
        web.town.do(Upsert("customers", (ANA,), by="test"))
        await call(web, "line", {"events": [event | {"type": "unfollow"}]})
        [row] = web.town.rows(unreachable)
        assert (row["channel"], row["reason"]) == ("line", "blocked")
        await call(web, "line", {"events": [event | {"type": "follow"}]})
        assert web.town.rows(unreachable) == []


async def test_stopping_marketing_in_whatsapp_is_an_objection_to_offers_and_news(tmp_path: Path) -> None:
    preference = {"wa_id": "5511987654321", "category": "marketing_messages", "value": "stop"}
    async with visit(tmp_path, None, empty=True, notifiers=NOTIFIERS) as web:
        web.town.do(Upsert("customers", (ANA,), by="test"))
        await call(web, "whatsapp", whatsapp(user_preferences=[preference]))
        assert web.town.registry.customers["c-ana"].objections == {"offer", "news"}
        assert web.town.rows(unreachable) == []


async def test_the_companys_app_reports_what_it_showed(tmp_path: Path) -> None:
    async with visit(tmp_path, None, notifiers=NOTIFIERS) as web:
        sent = web.town.rows(schema.notifications, state="delivered")[0]
        with web.town.store.write() as connection:
            connection.execute(
                schema.notifications.update()
                .where(schema.notifications.c.id == sent["id"])
                .values(state="accepted", provider="webhook", provider_id="msg_1")
            )
        report = {"type": "notification.read", "data": {"id": "msg_1"}}
        assert (await call(web, "webhook", report))[0] == 200
        assert web.town.rows(schema.notifications, id=sent["id"])[0]["state"] == "read"


async def test_an_app_reports_with_the_messages_own_address_and_no_other(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        sent = web.town.rows(schema.notifications, state="delivered")[0]
        url = web.town.deps.links.receipt_url(f"{sent['key']}:{sent['channel']}").removeprefix("http://127.0.0.1:8080")
        for wrong in (f"{url}x/read", f"{url}/levitated", "/r/x/read", "/r/1.x/read", f"/p/{url[3:]}"):
            assert (await web.client.post(wrong)).status in (404, 405), wrong
        assert (await web.client.get(f"/p/{url[3:]}")).status == 404
        assert web.town.rows(schema.notifications, id=sent["id"])[0]["state"] == "delivered"
        for state in ("read", "delivered", "read"):
            assert (await web.client.post(f"{url}/{state}")).status == 204
        assert web.town.rows(schema.notifications, id=sent["id"])[0]["state"] == "read"


async def test_a_customers_page_link_is_no_receipt(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        token = web.town.deps.links.token("c-ana")
        assert (await web.client.post(f"/r/{token}/read")).status == 404


async def test_the_inbox_shows_its_owners_messages_and_knows_when_they_were_opened(tmp_path: Path) -> None:
    channels = {"mode": "auto", "channels": ["inbox"]}
    async with visit(tmp_path, None, empty=True, notifiers=channels) as web:
        town = web.town
        people = ({"id": "c-ana", "name": "Ana", "locale": "de"}, {"id": "c-bo", "name": "Bo"})
        town.do(Upsert("customers", people, by="test"))
        # Whoever asks for help is answered where they asked.
        town.do(CustomerWrote("app", "1", "inbox", "c-ana", "HELP"))
        [row] = town.rows(schema.notifications, channel="inbox", state="queued")
        outgoing = town.do(HandOver(row["id"]))
        accepted = await InboxTransport().send(outgoing)
        town.do(Sent(row["id"], accepted.provider, accepted.provider_id, accepted.state))
        token = town.deps.links.token("c-ana")
        [message] = (await (await web.client.get(f"/p/{token}/inbox")).json())["messages"]
        assert (message["title"], message["read_at"]) == (outgoing.rendered.subject, None)
        other = await web.client.get(f"/p/{town.deps.links.token('c-bo')}/inbox")
        assert (await other.json())["messages"] == []
        assert (await web.client.post(f"/p/{token}/inbox/read")).status == 204
        [message] = (await (await web.api("GET", "/api/customers/c-ana/inbox")).json())["messages"]
        assert message["read_at"] is not None
        assert (await web.client.get("/p/1.x/inbox")).status == 404


async def test_a_signed_post_of_another_hour_is_refused(tmp_path: Path) -> None:
    body = b"{}"
    stamp = int((NOW - timedelta(minutes=6)).timestamp())
    old = {"webhook-id": "e", "webhook-timestamp": str(stamp)}
    old["webhook-signature"] = sign(secret_key(WHSEC), "e", stamp, body)
    async with visit(tmp_path, None, empty=True, notifiers=NOTIFIERS) as web:
        assert (await web.client.post("/webhooks/webhook", data=body, headers=old)).status == 403
