import email
from email import policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.mail.compose import compose, one_line, parse_mailbox
from notifiers.message import Links, Rendered, Thread, message_id
from tests.notifiers.making import LINKS, NOW, outgoing

SENDER = parse_mailbox("Nordfrost Service <help@nordfrost.example>")
ANA = parse_mailbox("ana@example.com")


def _received(mail: EmailMessage) -> EmailMessage:
    """What arrives, once it went over the wire."""
    parsed = email.message_from_bytes(mail.as_bytes(), policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def _rendered(subject: str = "Freezer too warm", text: str = "Text", html: str | None = None) -> Rendered:
    return Rendered(subject, text, html, "en", "ltr")


def test_a_mail_says_who_to_whom_when_and_that_a_machine_wrote_it() -> None:
    mail = _received(compose(outgoing(), SENDER, ANA))

    assert mail["From"] == "Nordfrost Service <help@nordfrost.example>"
    assert mail["To"] == "ana@example.com"
    assert mail["Date"].datetime == NOW
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Content-Language"] == "en"
    assert mail["Message-ID"] == message_id(outgoing().key, "nordfrost.example")


def test_an_agents_own_words_are_not_automatic() -> None:
    mail = _received(compose(outgoing(automatic=False), SENDER, ANA))

    assert mail["Auto-Submitted"] is None


def test_each_attempt_has_the_same_id_and_each_message_another() -> None:
    first, again = compose(outgoing(), SENDER, ANA), compose(outgoing(), SENDER, ANA)
    other = compose(outgoing(key="case:1043"), SENDER, ANA)

    assert first["Message-ID"] == again["Message-ID"] != other["Message-ID"]
    assert "1042" not in first["Message-ID"]


def test_a_reply_stands_in_its_thread() -> None:
    long_id = f"<{'x' * 120}@mail.example.com>"
    thread = Thread(
        "<own@nordfrost.example>", long_id, ("<first@nordfrost.example>", long_id), "case+1042@nordfrost.example"
    )

    wire = compose(outgoing(thread=thread), SENDER, ANA).as_bytes()
    mail = email.message_from_bytes(wire, policy=policy.default)

    assert mail["Message-ID"] == "<own@nordfrost.example>"
    assert mail["In-Reply-To"] == long_id
    assert mail["References"].split() == ["<first@nordfrost.example>", long_id]
    assert mail["Reply-To"] == "case+1042@nordfrost.example"
    # Encoded words in an id are undone by nobody.
    assert b"=?utf-8?" not in wire


def test_both_bodies_are_there_in_seven_bits_and_short_lines() -> None:
    html = "<p>" + "Größe °C م " * 400 + "</p>"
    mail = compose(outgoing(rendered=_rendered(text="Größe °C م\n.\n" * 200, html=html)), SENDER, ANA)

    wire = mail.as_bytes()
    received = _received(mail)

    assert wire.isascii()
    assert max(len(one) for one in wire.split(b"\r\n")) <= 998
    assert received.get_content_type() == "multipart/alternative"
    text, page = received.iter_parts()
    assert isinstance(text, EmailMessage)
    assert isinstance(page, EmailMessage)
    assert (text.get_content_type(), page.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content().replace("\r\n", "\n") == "Größe °C م\n.\n" * 200
    assert page.get_content().strip() == html


def test_unsubscribing_takes_one_click_and_a_long_link_stays_whole() -> None:
    links = Links(LINKS.page_url, LINKS.stop_url, f"https://help.nordfrost.example/u/{'a1' * 150}?p=offer")

    wire = compose(outgoing(links=links), SENDER, ANA).as_bytes()
    mail = email.message_from_bytes(wire, policy=policy.default)

    assert mail["List-Unsubscribe"] == f"<{links.unsubscribe_post_url}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"List-Unsubscribe: <{links.unsubscribe_post_url}>\r\n".encode() in wire


def test_a_page_that_needs_a_click_is_not_offered_as_one_click() -> None:
    mail = _received(compose(outgoing(links=Links(stop_url=LINKS.stop_url)), SENDER, ANA))

    assert mail["List-Unsubscribe"] == f"<{LINKS.stop_url}>"
    assert mail["List-Unsubscribe-Post"] is None


@given(
    subject=st.text(max_size=120),
    text=st.text(max_size=120),
    in_reply_to=st.text(max_size=60),
    url=st.text(max_size=60),
)
def test_nothing_written_anywhere_becomes_a_header(subject: str, text: str, in_reply_to: str, url: str) -> None:
    text, subject = (one.encode("utf-8", "replace").decode() for one in (text, subject))
    message = outgoing(
        rendered=_rendered(f"{subject}\r\nBcc: x@evil.example", f"{text}\r\n.\r\nBcc: x@evil.example"),
        thread=Thread(in_reply_to=f"{in_reply_to}\r\nBcc: x@evil.example", references=(f"a\nBcc: {in_reply_to}",)),
        links=Links(stop_url=f"https://x/{url.encode('utf-8', 'replace').decode()}\r\nBcc: x@evil.example"),
    )

    mail = _received(compose(message, SENDER, ANA))

    assert mail["Bcc"] is None
    assert mail["Subject"] == one_line(f"{subject} Bcc: x@evil.example")
    assert "\n" not in mail["Subject"]


@pytest.mark.parametrize(
    ("text", "spec", "needs_utf8"),
    [
        ("ana@example.com", "ana@example.com", False),
        ("Ana Souza <ana@example.com>", "ana@example.com", False),
        ("jörg@müller.example", "jörg@xn--mller-kva.example", True),
        ("info@straße.example", "info@xn--strae-oqa.example", False),
        ("info@مثال.إختبار", "info@xn--mgbh0fb.xn--kgbechtv", False),
        ("ops@localhost", "ops@localhost", False),
        ("a+b=c@example.com", "a+b=c@example.com", False),
    ],
)
def test_an_address_is_made_fit_for_an_envelope(text: str, spec: str, needs_utf8: bool) -> None:
    mailbox = parse_mailbox(text)

    assert (mailbox.spec, mailbox.needs_utf8) == (spec, needs_utf8)


@pytest.mark.parametrize(
    "text",
    [
        "", "ana", "@example.com", "ana@", "ana@@example.com", "a na@example.com", "ana@exa mple.com",
        "ana@example.com\r\nRCPT TO:<x@evil.example>", "ana@example.com, x@evil.example", "<ana@example.com> x",
        "ana@-example-.com", f"{'x' * 65}@example.com", "ana@example.com\x00", "a@b@c.example", "ana@ex_ample..com",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match="is no mail address") as refused:
        parse_mailbox(text)

    assert "ana" not in str(refused.value)
