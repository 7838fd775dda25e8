from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.inbound import Media
from notifiers.receipts import Receipt, SendState
from notifiers.replies import Intent
from notifiers.transports.twilio_callbacks import (
    parse_form,
    parse_inbound,
    parse_receipt,
    signature,
    verify_signature,
)

AT = datetime(2025, 3, 3, 14, 2, tzinfo=UTC)
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
# The example of Twilio's documentation, "Webhooks security".
FORM = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+14158675309"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
]
SIGNATURE = "RSOYDt4T1cUTdK1PDd93/VVr8B8="
TOKEN = "12345"


def test_the_signature_is_that_of_twilios_own_example() -> None:
    assert signature(TOKEN, URL, FORM) == SIGNATURE
    assert verify_signature(TOKEN, URL, FORM, SIGNATURE)


def test_fields_are_signed_in_any_order_and_a_repeated_one_once() -> None:
    assert verify_signature(TOKEN, URL, [*reversed(FORM), FORM[0]], SIGNATURE)


@pytest.mark.parametrize(
    ("token", "url", "form", "header"),
    [
        ("12346", URL, FORM, SIGNATURE),
        (TOKEN, URL.replace("https", "http"), FORM, SIGNATURE),
        (TOKEN, URL.replace("bar=2", "bar=3"), FORM, SIGNATURE),
        (TOKEN, URL, FORM[:-1], SIGNATURE),
        (TOKEN, URL, [*FORM, ("X", "1")], SIGNATURE),
        (TOKEN, URL, FORM, ""),
        (TOKEN, URL, FORM, "ünïcode"),
        (TOKEN, URL, FORM, SIGNATURE.lower()),
    ],
)
def test_anything_changed_is_refused(token: str, url: str, form: list[tuple[str, str]], header: str) -> None:
    assert not verify_signature(token, url, form, header)


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=5), st.text(max_size=30))
def test_a_signature_is_never_guessed(form: list[tuple[str, str]], header: str) -> None:
    encodable = [
        (name.encode("utf-8", "replace").decode(), value.encode("utf-8", "replace").decode()) for name, value in form
    ]

    assert not verify_signature(TOKEN, URL, encodable, header.encode("utf-8", "replace").decode())


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("queued", SendState.ACCEPTED),
        ("sent", SendState.ACCEPTED),
        ("delivered", SendState.DELIVERED),
        ("read", SendState.READ),
        ("undelivered", SendState.FAILED),
        ("failed", SendState.FAILED),
        ("canceled", SendState.FAILED),
    ],
)
def test_each_status_is_a_state(status: str, state: SendState) -> None:
    body = f"MessageSid=SM1&MessageStatus={status}&To=%2B447400123456&ErrorCode=30003".encode()

    code = "30003" if state is SendState.FAILED else None
    assert parse_receipt(parse_form(body), AT) == Receipt("twilio", "SM1", state, AT, code)


@pytest.mark.parametrize("body", [b"", b"MessageSid=SM1", b"MessageStatus=sent", b"MessageSid=SM1&MessageStatus=odd"])
def test_what_is_no_receipt_is_none(body: bytes) -> None:
    assert parse_receipt(parse_form(body), AT) is None


def test_a_reply_by_sms_is_read() -> None:
    body = b"MessageSid=SM2&From=%2B447400123456&To=%2B447700900000&Body=It+works+%26+cools+%F0%9F%91%8D&NumMedia=1"
    body += b"&MediaUrl0=https%3A%2F%2Fapi.twilio.com%2FME1&MediaContentType0=image%2Fjpeg"

    inbound = parse_inbound(parse_form(body))

    assert inbound is not None
    assert (inbound.provider, inbound.provider_id, inbound.channel) == ("twilio", "SM2", "sms")
    assert (inbound.address, inbound.to) == ("+447400123456", "+447700900000")
    assert (inbound.text, inbound.opt_out) == ("It works & cools 👍", None)
    assert inbound.media == (Media("photo", "https://api.twilio.com/ME1"),)
    assert "447400123456" not in repr(inbound)
    assert "works" not in repr(inbound)


def test_a_button_on_whatsapp_is_its_text_and_its_id() -> None:
    body = (
        b"MessageSid=SM3&From=whatsapp%3A%2B971501234567&To=whatsapp%3A%2B14155238886&Body=x&ButtonText=Erledigt"
        b"&ButtonPayload=done&OriginalRepliedMessageSid=SM2"
    )

    inbound = parse_inbound(parse_form(body))

    assert inbound is not None
    assert (inbound.channel, inbound.address, inbound.to) == ("whatsapp", "+971501234567", "+14155238886")
    assert (inbound.text, inbound.keyword, inbound.answers) == ("Erledigt", "done", "SM2")


@pytest.mark.parametrize(
    ("payload", "keyword"), [("later", "later"), ("rating_4", "rating_4"), ("btn-7", None), ("", None)]
)
def test_only_an_id_of_ours_says_more_than_a_buttons_label(payload: str, keyword: str | None) -> None:
    form = [("MessageSid", "SM5"), ("From", "whatsapp:+971501234567"), ("Body", "x"), ("ButtonPayload", payload)]
    inbound = parse_inbound(form)

    assert inbound is not None
    assert inbound.keyword == keyword


def test_an_opt_out_that_twilio_has_obeyed_is_known() -> None:
    inbound = parse_inbound(parse_form(b"MessageSid=SM4&From=%2B447400123456&Body=STOP&OptOutType=STOP"))

    assert inbound is not None
    assert inbound.opt_out is Intent.STOP


@pytest.mark.parametrize("body", [b"", b"MessageSid=SM1&From=%2B44", b"From=%2B44&Body=x", b"MessageSid=SM1&Body=x"])
def test_what_is_no_message_is_none(body: bytes) -> None:
    assert parse_inbound(parse_form(body)) is None


@pytest.mark.parametrize("body", ["ü".encode(), b"a=%FF", b"&".join(b"a=1" for _ in range(300))])
def test_a_body_that_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the standard library says of it
        parse_form(body)
