import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_models.purpose import Purpose
from notifiers.errors import Because
from notifiers.inbound import Blocking, Inbound, Media
from notifiers.receipts import Receipt, SendState
from notifiers.transports.whatsapp_callbacks import WhatsAppCallbacks, signature

AT = datetime(2025, 3, 3, 14, 2, tzinfo=UTC)
SECRET, TOKEN, SENDER = "0123456789abcdef0123456789abcdef", "a-word-of-ours", "106540352242922"
CALLBACKS = WhatsAppCallbacks(SECRET, TOKEN, SENDER)


def post(sender: str = SENDER, **value: Any) -> bytes:
    metadata = {"display_phone_number": "15550783881", "phone_number_id": sender}
    change = {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
    return json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}).encode()


def inbound(**message: Any) -> Inbound:
    [item] = CALLBACKS.read(post(messages=[{"from": "5511987654321", "id": "wamid.IN", **message}]), AT).items
    assert isinstance(item, Inbound)
    return item


def test_only_what_meta_signed_is_believed() -> None:
    body = post(messages=[])
    assert CALLBACKS.is_genuine({"X-Hub-Signature-256": signature(SECRET, body)}, body, AT)
    for forged in (signature("x" * 32, body), signature(SECRET, body + b" "), signature(SECRET, body)[7:], "", "ü"):
        assert not CALLBACKS.is_genuine({"X-Hub-Signature-256": forged}, body, AT)


def test_the_signature_is_over_the_raw_body() -> None:
    # Computed with openssl: printf '{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
    assert signature(SECRET, b'{"a":1}').startswith("sha256=")
    assert signature(SECRET, b'{"a":1}') != signature(SECRET, b'{"a": 1}')


def test_meta_is_told_that_the_address_is_ours_where_it_knows_our_word() -> None:
    asked = {"hub.mode": "subscribe", "hub.verify_token": TOKEN, "hub.challenge": "1158201444"}
    assert CALLBACKS.challenge(asked) == "1158201444"
    assert CALLBACKS.challenge(asked | {"hub.verify_token": "guessed"}) is None
    assert CALLBACKS.challenge(asked | {"hub.mode": "unsubscribe"}) is None
    assert CALLBACKS.challenge({}) is None


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("sent", SendState.ACCEPTED),
        ("delivered", SendState.DELIVERED),
        ("read", SendState.READ),
    ],
)
def test_each_status_is_a_state_and_names_our_key(word: str, state: SendState) -> None:
    status = {"id": "wamid.X", "status": word, "timestamp": "1741010520", "biz_opaque_callback_data": "case:1:whatsapp"}

    at = datetime.fromtimestamp(1741010520, UTC)
    assert CALLBACKS.read(post(statuses=[status]), AT).items == (
        Receipt("whatsapp_cloud", "wamid.X", state, at, key="case:1:whatsapp"),
    )


@pytest.mark.parametrize(("code", "because"), [(131049, Because.MESSAGE), (131050, Because.NO_MARKETING)])
def test_a_failure_says_why(code: int, because: Because) -> None:
    status = {"id": "wamid.X", "status": "failed", "timestamp": "soon", "errors": [{"code": code, "title": "x"}]}

    [receipt] = CALLBACKS.read(post(statuses=[status]), AT).items
    assert receipt == Receipt("whatsapp_cloud", "wamid.X", SendState.FAILED, AT, str(code), because)


@pytest.mark.parametrize(
    ("pricing", "billed_as"),
    [
        ({"billable": True, "pricing_model": "PMP", "type": "regular", "category": "utility"}, "utility"),
        ({"billable": True, "pricing_model": "CBP", "category": "service"}, "service"),
        ({"pricing_model": "PMP", "type": "free_customer_service", "category": "utility"}, "free"),
        ({"billable": False, "category": "utility"}, "free"),
        ({"type": "regular", "category": "<b>" * 20}, None),
        (None, None),
    ],
)
def test_a_status_says_what_the_message_is_billed_as(pricing: object, billed_as: str | None) -> None:
    status = {"id": "wamid.X", "status": "delivered", "timestamp": "1767225600", "pricing": pricing}

    [receipt] = CALLBACKS.read(post(statuses=[status]), AT).items
    assert isinstance(receipt, Receipt)
    assert receipt.billed_as == billed_as


def test_what_a_customer_writes_or_taps_is_read() -> None:
    written = inbound(type="text", text={"body": "Voltou a gelar"}, context={"id": "wamid.OUT"})
    assert (written.channel, written.address, written.text) == ("whatsapp", "+5511987654321", "Voltou a gelar")
    assert (written.provider_id, written.answers) == ("wamid.IN", "wamid.OUT")

    reply = {"type": "button_reply", "button_reply": {"id": "done", "title": "Feito"}}
    tapped = inbound(type="interactive", interactive=reply)
    assert (tapped.text, tapped.keyword) == ("Feito", "done")
    quick = inbound(type="button", button={"text": "Parar", "payload": "stop"})
    assert (quick.text, quick.keyword) == ("Parar", "stop")
    picture = inbound(type="image", image={"caption": "gelo", "id": "1003383421387256", "mime_type": "image/jpeg"})
    assert (picture.text, picture.media) == ("gelo", (Media("photo", "1003383421387256"),))
    paper = inbound(type="document", document={"id": "77", "filename": "nota.pdf"})
    assert (paper.text, paper.media) == ("", (Media("document", "77", "nota.pdf"),))


def test_stopping_marketing_in_the_app_is_about_offers_and_news() -> None:
    preference = {"wa_id": "5511987654321", "category": "marketing_messages", "value": "stop", "timestamp": 1}

    assert CALLBACKS.read(post(user_preferences=[preference]), AT).items == (
        Blocking("whatsapp_cloud", "whatsapp", "+5511987654321", True, frozenset({Purpose.OFFER, Purpose.NEWS})),
    )


def test_what_is_for_another_number_or_odd_is_left_out() -> None:
    message = {"from": "5511987654321", "id": "wamid.IN", "type": "text", "text": {"body": "x"}}
    assert CALLBACKS.read(post("999", messages=[message]), AT).items == ()
    odd = [message | {"type": "reaction"}, message | {"from": "x"}, message | {"text": {}}, {"id": 7}, "x"]
    assert CALLBACKS.read(post(messages=odd, statuses=[{"id": "w", "status": "deleted"}, 7]), AT).items == ()


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_without_an_error(body: bytes) -> None:
    CALLBACKS.read(body, AT)
    CALLBACKS.read(post(messages=[{"type": "text", "text": body.decode("latin-1")}], statuses=body.hex()), AT)
