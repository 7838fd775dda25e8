"""Mails as they come in: answers, bounces, automatic ones, forgeries and garbage."""

from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.mail.bounces import Bounce
from notifiers.mail.inbound import Answer, Automatic, read_mail
from notifiers.mail.sender import Verdict

MX = "mx.acme.example"
PASS = f"{MX}; dmarc=pass (p=NONE sp=NONE) header.from=example.com"
OURS = "<0123456789abcdef@acme.example>"
JPEG = b"\xff\xd8\xff picture"


def mail(
    text: str = "It beeps.",
    sender: str = "Ana Souza <ana@example.com>",
    results: str | None = PASS,
    **headers: str,
) -> EmailMessage:
    made = EmailMessage(policy=SMTP_POLICY)
    made["From"] = sender
    made["Message-ID"] = "<answer@example.com>"
    if results:
        made["Authentication-Results"] = results
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    return made


def read(content: EmailMessage | bytes, return_path: str = "ana@example.com") -> Answer | Bounce | Automatic:
    return read_mail(content if isinstance(content, bytes) else content.as_bytes(), return_path, MX)


def answer(content: EmailMessage | bytes) -> Answer:
    found = read(content)
    assert isinstance(found, Answer)
    return found


def test_an_answer_has_its_sender_text_and_what_it_answers() -> None:
    found = answer(mail(In_Reply_To=OURS, References=f"<first@acme.example> {OURS}"))
    assert found == Answer(
        "<answer@example.com>",
        "ana@example.com",
        Verdict.VERIFIED,
        "It beeps.",
        "It beeps.",
        (OURS, "<first@acme.example>"),
    )
    assert "ana@" not in repr(found)
    assert "beeps" not in repr(found)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        (PASS, Verdict.VERIFIED),
        (f"{MX} 1; DMARC=Pass header.from=Example.COM", Verdict.VERIFIED),
        (f"{MX}; spf=pass smtp.mailfrom=ana@example.com", Verdict.VERIFIED),
        (f"{MX}; dkim=pass (2048-bit key; unprotected) header.d=example.com header.s=k1", Verdict.VERIFIED),
        (f"{MX}; dmarc=none header.from=example.com; dkim=pass header.i=@example.com", Verdict.VERIFIED),
        (f"{MX}; dmarc=fail header.from=example.com; spf=pass smtp.mailfrom=x@example.com", Verdict.FAILED),
        (f"{MX}; dmarc=pass header.from=other.example", Verdict.FAILED),
        (f"{MX}; spf=fail smtp.mailfrom=ana@example.com; dkim=none", Verdict.FAILED),
        (f"{MX}; spf=pass smtp.mailfrom=bounce@sender.example", Verdict.UNKNOWN),
        (f"{MX}; dkim=pass header.d=evil-example.com", Verdict.UNKNOWN),
        (f"{MX}; none", Verdict.UNKNOWN),
        ("mx.evil.example; dmarc=pass header.from=example.com", Verdict.UNKNOWN),
        (f"evil.example ({MX}); dmarc=pass header.from=example.com", Verdict.UNKNOWN),
        (f"{MX}; (dmarc=pass header.from=example.com;) spf=none", Verdict.UNKNOWN),
        (None, Verdict.UNKNOWN),
    ],
)
def test_a_sender_is_believed_only_where_our_own_mail_server_vouches_for_the_address(
    results: str | None, expected: Verdict
) -> None:
    assert answer(mail(results=results)).verdict is expected


@pytest.mark.parametrize(
    "sender",
    [
        "ana@example.com, mallory@evil.example",
        "ana@example.com <mallory@evil.example>, x",
        "Ana",
        "",
        "ana@example.com (x",
    ],
)
def test_a_from_that_is_not_one_address_is_nobody(sender: str) -> None:
    raw = f"From: {sender}\r\nAuthentication-Results: {PASS}\r\n\r\nhi".encode()
    found = answer(raw)
    assert (found.address, found.verdict) == ("", Verdict.FAILED)


def test_two_from_headers_are_nobody() -> None:
    raw = f"From: ana@example.com\r\nFrom: mallory@evil.example\r\nAuthentication-Results: {PASS}\r\n\r\nhi".encode()
    assert answer(raw).address == ""


def test_html_alone_is_read_without_its_quotation() -> None:
    made = mail()
    made.set_content(
        "<html><head><style>p {color: red}</style></head><body><p>It is <b>beeping</b> again&nbsp;&mdash;<br>help</p>"
        '<div class="gmail_quote"><div class="gmail_attr">On Monday Acme wrote:</div><blockquote>Your freezer'
        "</blockquote></div></body></html>",
        subtype="html",
    )
    assert answer(made).text == "It is beeping again —\nhelp"


def test_what_stands_behind_outlooks_mark_is_not_read() -> None:
    made = mail()
    made.set_content('<p>Friday is fine.</p><hr><div id="x_divRplyFwdMsg">From: Acme</div><p>old</p>', subtype="html")
    assert answer(made).text == "Friday is fine."


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (b"Message-ID: <a\0b@example.com>\r\nReferences: <\xff\0@b>\r\nSubject: =?utf-8?B?AGhpAA==?=", b""),
        (b"Content-Type: text/plain; charset=raw_unicode_escape", b"\\ud800 hi"),
        (b"Content-Type: text/plain; charset=utf-7", b"+2AA-hi"),
    ],
)
def test_what_no_database_keeps_is_not_in_it(headers: bytes, body: bytes) -> None:
    found = answer(b"From: ana@example.com\r\n" + headers + b"\r\n\r\n" + body)
    assert found.text.endswith("hi")
    for text in (found.message_id, found.text, found.keyword, *found.references):
        assert "\0" not in text
        assert text.encode()


def test_flowed_text_is_joined() -> None:
    raw = b"From: ana@example.com\r\nContent-Type: text/plain; format=flowed\r\n\r\nIt is \r\nbeeping.\r\nHelp\r\n"
    assert answer(raw).text == "It is beeping.\nHelp"


def test_files_are_mentioned_and_do_not_hide_a_keyword() -> None:
    made = mail("STOP")
    made.add_attachment(b"MZ\x90", maintype="image", subtype="jpeg", filename="lid.jpg")
    found = answer(made)
    assert (found.text, found.keyword) == ("STOP\n\n[Not kept: lid.jpg (neither a picture nor a PDF)]", "STOP")


def test_pictures_and_pdfs_are_kept_under_a_plain_name_wherever_the_mail_has_them() -> None:
    made = mail("The lid is open.")
    made.add_attachment(JPEG, maintype="application", subtype="octet-stream", filename="C:\\photos\\T\u00fcr.JPG")
    made.add_attachment(b"%PDF-1.7 bill", maintype="application", subtype="pdf", filename="bill.exe")
    made.attach(inline := EmailMessage())
    inline.set_content(b"GIF89a" + bytes(40), maintype="image", subtype="gif", disposition="inline")
    found = answer(made)
    assert [(file.name, file.kind) for file in found.files] == [
        ("T\u00fcr.jpg", "image/jpeg"),
        ("bill.exe.pdf", "application/pdf"),
    ]
    assert (found.files[0].content, found.text) == (JPEG, "The lid is open.")
    assert "bill" not in repr(found)


def test_a_mail_of_a_picture_alone_says_its_name() -> None:
    made = mail("", Subject="")
    made.add_attachment(JPEG, maintype="image", subtype="jpeg", filename="lid.jpg")
    assert (answer(made).text, answer(made).keyword) == ("lid.jpg", "")


def test_a_stop_in_the_subject_of_an_empty_mail_is_read_and_our_own_subject_is_not() -> None:
    assert answer(mail("\n", Subject="Re: STOP")).keyword == "STOP"
    assert answer(mail("\n", Subject="Re: Your freezer stops")).text == ""


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto-Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-generated; owner-email=x"},
        {"X_Autoreply": "yes"},
        {"Precedence": "bulk"},
        {"List_Id": "<news.example.com>"},
        {"Subject": "Automatische Antwort: Ihr Gerät"},
        {"Subject": "=?utf-8?q?R=C3=A9ponse_automatique?= : Re"},
    ],
)
def test_automatic_mails_are_nobodys_words(headers: dict[str, str]) -> None:
    assert read(mail(**headers)) == Automatic()


def test_a_mail_without_a_return_path_is_automatic() -> None:
    assert read(mail(), return_path="") == Automatic()


def test_a_person_may_write_auto_submitted_no() -> None:
    assert isinstance(read(mail(Auto_Submitted="no")), Answer)


def dsn(action: str = "failed", status: str = "5.1.1", returned: str = "message/rfc822") -> bytes:
    return f"""From: MAILER-DAEMON@mx.acme.example
To: service@acme.example
Auto-Submitted: auto-replied
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I could not deliver it.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.acme.example
Arrival-Date: Mon, 2 Mar 2026 10:00:00 +0000

Final-Recipient: rfc822; Ana@example.com
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 5.1.1 no such user

--b
Content-Type: {returned}

From: Acme <service@acme.example>
To: Ana <alias@example.com>
Message-ID: {OURS}
Subject: Your freezer

--b--
""".replace("\n", "\r\n").encode()


@pytest.mark.parametrize("returned", ["message/rfc822", "text/rfc822-headers"])
def test_a_bounce_names_the_mail_that_came_back_and_whom_it_was_for(returned: str) -> None:
    assert read(dsn(returned=returned), "") == Bounce((OURS,), ("ana@example.com", "alias@example.com"), "5.1.1")


def test_a_delay_is_no_bounce() -> None:
    assert read(dsn("delayed", "4.4.1"), "") == Automatic()


def test_giving_up_after_days_is_a_bounce_though_its_code_is_temporary() -> None:
    found = read(dsn("failed", "4.4.1"), "")
    assert isinstance(found, Bounce)
    assert found.status == "4.4.1"


@given(st.binary(max_size=2000))
def test_no_bytes_break_it(content: bytes) -> None:
    read_mail(content, "x@example.com", MX)


@given(
    st.lists(
        st.sampled_from(
            [
                b"From: a@b.example\r\n",
                b"Content-Type: multipart/report; boundary=b\r\n",
                b"--b\r\n",
                b"\r\n",
                b"--b--\r\n",
                b"Content-Type: message/delivery-status\r\n",
                b"Action: failed\r\n",
                b"Content-Type: message/rfc822\r\n",
                b"Content-Type: text/html; charset=nope\r\n",
                b"<![x[<p>",
                b"Content-Transfer-Encoding: base64\r\n",
                b"=?x?b?!?=\r\n",
                b"Subject: =?utf-8?b?////?=\r\n",
                b"Authentication-Results: mx.acme.example; (((\r\n",
                b"\xff\xfe text\r\n",
            ]
        ),
        max_size=25,
    )
)
def test_no_arrangement_of_mail_parts_breaks_it(parts: list[bytes]) -> None:
    read_mail(b"".join(parts), "x@example.com", MX)
