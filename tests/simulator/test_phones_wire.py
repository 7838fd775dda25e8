"""The phones' provider speaks Twilio's wire format to the letter."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.phones import twilio_wire as wire

GOOD = {"To": "+4915112345678", "From": "+15005550006", "Body": "Hello"}
TEMPLATES = {"HX1": "Update: {{1}}"}


def test_the_signature_is_the_one_of_twilios_documentation() -> None:
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+12349013030",
        "Digits": "1234",
        "From": "+12349013030",
        "To": "+18005551212",
    }
    assert wire.sign("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", form) == "0/KCTR6DLpKmkAf8muzZqo1nDgQ="


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=20)), st.text(min_size=1, max_size=32))
def test_the_signature_covers_every_field(form: dict[str, str], token: str) -> None:
    text = "https://gateway.example/in" + "".join(key + form[key] for key in sorted(form))
    expected = base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()
    assert wire.sign(token, "https://gateway.example/in", form) == expected


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"To": None}, 21604),
        ({"To": "0151 123"}, 21211),
        ({"To": "telegram:+4915112345678"}, 21211),
        ({"From": None}, 21603),
        ({"From": "+1 (500)"}, 21212),
        ({"From": "whatsapp:+15005550006"}, 21910),
        ({"Body": None}, 21602),
        ({"Body": ""}, 21602),
        ({"Body": "x" * 1601}, 21617),
        ({"StatusCallback": "not a url"}, 21609),
        ({"ValidityPeriod": "36001"}, 21637),
        ({"ValidityPeriod": "soon"}, 21637),
        ({"ContentSid": "HX2"}, 21655),
        ({"ContentSid": "HX1", "ContentVariables": "{"}, 21656),
    ],
)
def test_a_wrong_field_is_refused_with_twilios_code(change: dict[str, str | None], code: int) -> None:
    form = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    answer = wire.parse_send(form, TEMPLATES)
    assert isinstance(answer, wire.ApiError)
    assert answer.as_dict() == {
        "code": code,
        "message": answer.message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": 400,
    }
    assert "4915112345678" not in answer.message


def test_a_template_takes_its_variables() -> None:
    form = {"To": "whatsapp:+4915112345678", "From": "whatsapp:+15005550006", "ContentSid": "HX1"}
    answer = wire.parse_send({**form, "ContentVariables": '{"1": "it is warm"}'}, TEMPLATES)
    assert isinstance(answer, wire.SendRequest)
    assert (answer.channel, answer.to, answer.body) == ("whatsapp", "+4915112345678", "Update: it is warm")


@given(st.dictionaries(st.sampled_from(["To", "From", "Body", "ValidityPeriod", "ContentSid"]), st.text(max_size=40)))
def test_no_form_breaks_the_parser(form: dict[str, str]) -> None:
    assert isinstance(wire.parse_send(form, TEMPLATES), wire.ApiError | wire.SendRequest)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("م" * 70, 1),
        ("م" * 71, 2),
        ("😀" * 35, 1),
    ],
)
def test_segments_are_counted_as_the_network_does(text: str, count: int) -> None:
    assert wire.segments(text) == count


@pytest.mark.parametrize(
    ("text", "meaning"),
    [(" Stop ", "stop"), ("UNSUBSCRIBE", "stop"), ("stop please", None), ("start", "start"), ("later", None)],
)
def test_only_a_single_word_is_a_keyword(text: str, meaning: str | None) -> None:
    assert wire.keyword(text) == meaning


def test_twiml_gives_its_messages_and_anything_else_none() -> None:
    assert wire.twiml_messages("<Response><Message>One</Message><Message><Body>Two</Body></Message></Response>") == [
        "One",
        "Two",
    ]
    assert wire.twiml_messages("<Response/>") == wire.twiml_messages("ok") == wire.twiml_messages("") == []
