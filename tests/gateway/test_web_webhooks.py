"""Twilio's webhooks: believed with its signature over the public address, and only then."""

from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from gateway.store import schema
from gateway.store.reachability import unreachable
from gateway.web.links import twilio_status_url
from notifiers.transports.twilio_callbacks import signature
from tests.gateway.web_fleet import TWILIO_TOKEN
from tests.gateway.web_visit import Visit, visit

STATUS, INBOUND = "/webhooks/twilio/status", "/webhooks/twilio/inbound"
WROTE = {
    "MessageSid": "SM99",
    "From": "whatsapp:+491512345671",
    "To": "whatsapp:+4930123456",
    "Body": "Die Tür war offen",
}


async def call(
    web: Visit, path: str, form: dict[str, str], *, public: str = "http://127.0.0.1:8080"
) -> tuple[int, str]:
    """Post as Twilio does: signed over the address that it was given, not the one this server happens to have."""
    signed = signature(TWILIO_TOKEN, public + path, list(form.items()))
    headers = {"X-Twilio-Signature": signed, "Content-Type": "application/x-www-form-urlencoded"}
    answer = await web.client.post(path, data=urlencode(form), headers=headers)
    return answer.status, await answer.text()


async def test_a_receipt_moves_its_message_forward(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        sent = web.town.rows(schema.notifications, state="delivered")[0]
        status, body = await call(web, STATUS, {"MessageSid": sent["provider_id"], "MessageStatus": "read"})
        assert (status, body.endswith("<Response/>")) == (200, True)
        assert web.town.rows(schema.notifications, id=sent["id"])[0]["state"] == "read"


async def test_what_a_customer_writes_joins_their_case_once(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        for _ in range(2):
            assert (await call(web, INBOUND, WROTE))[0] == 200
        received = [row for row in web.town.rows(schema.inbound) if row["provider_id"] == "SM99"]
        assert [(row["customer_id"], row["text"]) for row in received] == [("c-lumen", "Die Tür war offen")]
        case = web.town.rows(schema.cases, id=received[0]["case_id"])[0]
        assert case["needs_reply"]


async def test_a_keyword_of_the_companys_own_that_twilio_obeyed_ends_and_reopens_the_channel(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        before = len(web.town.rows(schema.notifications))
        stop = {**WROTE, "Body": "ADIEU", "OptOutType": "STOP"}
        assert (await call(web, INBOUND, stop))[0] == 200
        stopped = web.town.rows(schema.consent_log, customer_id="c-lumen", granted=False)
        assert {row["source"] for row in stopped} == {"stop by whatsapp"}
        [shut] = web.town.rows(unreachable, customer_id="c-lumen")
        assert (shut["channel"], shut["reason"]) == ("whatsapp", "blocked")
        await call(web, INBOUND, {**WROTE, "MessageSid": "SM100", "Body": "REVOILA", "OptOutType": "START"})
        assert web.town.rows(unreachable, customer_id="c-lumen") == []
        # They had never agreed to news: a START signs nobody up.
        assert web.town.rows(schema.customers, id="c-lumen")[0]["objections"] == ["news"]
        assert len(web.town.rows(schema.notifications)) == before, "Twilio has answered both"


@pytest.mark.parametrize("path", [STATUS, INBOUND])
async def test_an_unsigned_or_forged_call_is_refused_and_changes_nothing(tmp_path: Path, path: str) -> None:
    async with visit(tmp_path, None) as web:
        before = len(web.town.rows(schema.inbound))
        assert (await web.client.post(path, data=WROTE)).status == 403
        assert (await call(web, path, WROTE, public="http://elsewhere.example"))[0] == 403
        assert (await call(web, path, {}))[0] == 403
        headers = {"X-Twilio-Signature": "bm9uZQ==", "Content-Type": "application/x-www-form-urlencoded"}
        assert (await web.client.post(path, data=b"\xff\xfe=1", headers=headers)).status == 403
        assert (await web.client.post(path, data=b"a=" + b"x" * 70_000, headers=headers)).status == 413
        assert len(web.town.rows(schema.inbound)) == before


async def test_a_genuine_call_that_is_not_understood_is_answered_calmly(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        assert (await call(web, STATUS, {"MessageSid": "SM1", "MessageStatus": "levitating"}))[0] == 200
        assert (await call(web, INBOUND, {"MessageSid": "SM1"}))[0] == 200


async def test_a_refused_call_is_logged_without_its_content(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with visit(tmp_path, None) as web:
        await web.client.post(INBOUND, data=WROTE)
        logged = capsys.readouterr().out
        assert "webhook.forged" in logged
        assert "Die Tür" not in logged
        assert "+49151" not in logged


async def test_a_receipt_finds_a_send_whose_answer_was_lost_by_the_key_in_its_signed_address(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        sent = web.town.rows(schema.notifications, state="delivered", channel="whatsapp")[0]
        with web.town.store.write() as connection:
            connection.execute(
                schema.notifications.update()
                .where(schema.notifications.c.id == sent["id"])
                .values(state="unknown", provider=None, provider_id=None)
            )
        path = twilio_status_url("", f"{sent['key']}:whatsapp")
        assert path == quote(path, safe="/?="), "nothing in it may be written in two ways: the signature is over it"
        assert (await call(web, path, {"MessageSid": "SM777", "MessageStatus": "delivered"}))[0] == 200
        row = web.town.rows(schema.notifications, id=sent["id"])[0]
        assert (row["state"], row["provider_id"]) == ("delivered", "SM777")
        other = twilio_status_url("", f"{sent['key']}:sms")
        form = {"MessageSid": "SM778", "MessageStatus": "read"}
        headers = {"X-Twilio-Signature": signature(TWILIO_TOKEN, f"http://127.0.0.1:8080{path}", list(form.items()))}
        assert (await web.client.post(other, data=form, headers=headers)).status == 403
