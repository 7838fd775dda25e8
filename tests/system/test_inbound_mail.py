"""Mail both ways with real servers: SMTP out, LMTP in, as a company's Postfix would hand it over."""

import smtplib
import socket
import time
import urllib.request
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from pathlib import Path

import pytest

from tests.servers import free_port
from tests.system.gateway_process import TOKEN, GatewayProcess, MailServer, wait_for
from tests.system.test_main_way import CUSTOMER, FREEZER, RULES, warm_up

MX = "mx.acme.example"
SERVICE = "service@acme.example"
PHOTO = b"\xff\xd8\xff" + bytes(300_000)


class Lmtp(smtplib.LMTP):
    """Hands over one mail and keeps the answer for each recipient."""

    def deliver(
        self, mail: EmailMessage | bytes, return_path: str, recipients: tuple[str, ...]
    ) -> list[tuple[int, bytes]]:
        content = mail if isinstance(mail, bytes) else mail.as_bytes(policy=SMTP_POLICY)
        self.ehlo_or_helo_if_needed()
        assert self.mail(return_path)[0] == 250
        for recipient in recipients:
            assert self.rcpt(recipient)[0] == 250
        first = self.data(content)
        return [first, *(self.getreply() for _ in recipients[1:])]


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def gateway(tmp_path: Path, mail: MailServer, port: int) -> Iterator[GatewayProcess]:
    extra = f'[notifiers.inbound_mail]\nlisten = "127.0.0.1:{port}"\nauthserv_id = "{MX}"\n'
    with GatewayProcess(tmp_path, mail, RULES, extra) as running:
        running.register(customers=[CUSTOMER], devices=[FREEZER])
        yield running


@pytest.fixture
def told(gateway: GatewayProcess, mail: MailServer) -> EmailMessage:
    """The mail that told the customer."""
    warm_up(gateway)
    wait_for(lambda: gateway.rows("SELECT 1 FROM notifications WHERE state = 'accepted'"), "the mail to be accepted")
    [sent] = mail.mails
    return sent


def answer(told: EmailMessage, text: str, sender: str = "ana@example.com", dmarc: str = "pass") -> EmailMessage:
    """A reply as Gmail makes it, with what our own mail server adds on the way in."""
    made = EmailMessage()
    made["Authentication-Results"] = f"{MX}; dmarc={dmarc} header.from={sender.rpartition('@')[2]}"
    made["From"] = sender
    made["To"] = SERVICE
    made["Subject"] = f"Re: {told['Subject']}"
    made["Message-ID"] = f"<{time.monotonic_ns()}@mail.example.com>"
    made["In-Reply-To"] = told["Message-ID"]
    made["References"] = told["Message-ID"]
    made.set_content(f"{text}\n\nOn Mon, Mar 2, 2026 at 10:00 AM Acme Service <{SERVICE}> wrote:\n\n> Your freezer\n")
    return made


def hand_in(port: int, mail: EmailMessage | bytes, return_path: str = "ana@example.com", *recipients: str) -> list[int]:
    with Lmtp("127.0.0.1", port, timeout=30) as client:
        return [code for code, _ in client.deliver(mail, return_path, recipients or (SERVICE,))]


def test_an_answer_reaches_the_agent_and_the_agents_answer_the_same_thread(
    gateway: GatewayProcess, mail: MailServer, told: EmailMessage, port: int
) -> None:
    reply = answer(told, "The lid is closed. Can somebody come?")
    reply.add_attachment(PHOTO, maintype="image", subtype="jpeg", filename="lid.jpg")
    assert hand_in(port, reply) == [250]
    # 250 came after the commit: nothing is waited for.
    [case] = gateway.rows("SELECT * FROM cases")
    assert case["needs_reply"]
    shown = gateway.api(f"/api/cases/{case['id']}")
    [message] = [entry for entry in shown["timeline"] if entry["kind"] == "message_in"]
    assert (message["author"], message["body"]["text"]) == ("customer", "The lid is closed. Can somebody come?")
    [photo] = message["attachments"]
    assert (photo["name"], photo["kind"], photo["size"]) == ("lid.jpg", "image/jpeg", len(PHOTO))
    form = b"--b\r\nContent-Disposition: form-data; name=text\r\n\r\nWe come on Friday.\r\n--b\r\n"
    form += b'Content-Disposition: form-data; name=file; filename="plan.pdf"\r\n\r\n%PDF-1.7\r\n--b--\r\n'
    post(gateway, f"/api/cases/{case['id']}/reply", form, "multipart/form-data; boundary=b")
    # The wish for a visit was confirmed by itself, before or after it.
    first = mail.mails[0]
    [agents] = wait_for(lambda: [one for one in mail.mails if "We come on Friday." in said(one)], "the agent's answer")
    # The thread goes on from their answer, or from what was said since.
    assert {first["Message-ID"], reply["Message-ID"]} <= set(agents["References"].split())
    [plan] = agents.iter_attachments()
    assert (plan.get_filename(), plan.get_content()) == ("plan.pdf", b"%PDF-1.7")


def said(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    return str(body.get_content()) if body is not None else ""


def post(gateway: GatewayProcess, path: str, body: str | bytes, kind: str = "application/json") -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{gateway.web_port}{path}",
        data=body.encode() if isinstance(body, str) else body,
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": kind},
    )
    with urllib.request.urlopen(request, timeout=10) as answered:  # noqa: S310
        assert answered.status < 300


def test_each_recipient_is_answered_and_a_repeated_mail_is_one_message(
    gateway: GatewayProcess, told: EmailMessage, port: int
) -> None:
    reply = answer(told, "Thank you")
    assert hand_in(port, reply, "ana@example.com", SERVICE, "help@acme.example") == [250, 250]
    assert hand_in(port, reply) == [250]
    assert len(gateway.rows("SELECT 1 FROM timeline WHERE kind = 'message_in'")) == 1


@pytest.mark.parametrize(
    ("sender", "dmarc"), [("mallory@evil.example", "pass"), ("ana@example.com", "fail")], ids=["stranger", "forged"]
)
def test_a_mail_with_copied_references_that_is_not_the_customers_does_not_join(
    gateway: GatewayProcess, told: EmailMessage, port: int, sender: str, dmarc: str
) -> None:
    assert hand_in(port, answer(told, "STOP ALL", sender, dmarc), sender) == [250]
    assert gateway.rows("SELECT 1 FROM timeline WHERE kind = 'message_in'") == []
    assert gateway.rows("SELECT 1 FROM cases WHERE needs_reply") == []
    assert gateway.rows("SELECT 1 FROM consent_log WHERE granted = 0") == []
    assert sender not in gateway.log.read_text(encoding="utf-8")


def test_stop_by_mail_is_obeyed(gateway: GatewayProcess, told: EmailMessage, port: int) -> None:
    assert hand_in(port, answer(told, "STOP\n\nBest regards\nAna Souza")) == [250]
    [stopped] = gateway.rows("SELECT * FROM consent_log WHERE granted = 0")
    assert (stopped["customer_id"], stopped["purpose"]) == ("ana", "fault")


def test_a_bounce_makes_the_message_a_dead_letter_and_an_absence_note_changes_nothing(
    gateway: GatewayProcess, told: EmailMessage, port: int
) -> None:
    absent = answer(told, "I am away until Monday.")
    absent["Auto-Submitted"] = "auto-replied"
    assert hand_in(port, absent) == [250]
    assert gateway.rows("SELECT 1 FROM inbound") == []
    report = (
        f"From: MAILER-DAEMON@{MX}\r\nTo: {SERVICE}\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        'MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        f"Reporting-MTA: dns; mx\r\n\r\nFinal-Recipient: rfc822; ana@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        f"\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: {told['Message-ID']}\r\n\r\n\r\n--b--\r\n"
    )
    assert hand_in(port, report.encode(), "") == [250]
    [message] = gateway.rows("SELECT state, reason FROM notifications")
    assert message["state"] == "dead"
    assert "5.1.1" in message["reason"]


def test_a_mail_that_is_too_large_is_refused_once_for_each_recipient(gateway: GatewayProcess, port: int) -> None:
    with Lmtp("127.0.0.1", port, timeout=60) as client:
        huge = b"From: ana@example.com\r\n\r\n" + b"x" * 900 + b"\r\n"
        huge += (b"y" * 900 + b"\r\n") * 48_000
        answers = client.deliver(huge, "ana@example.com", (SERVICE, "help@acme.example"))
        assert [code for code, _ in answers] == [552, 552]
        assert client.noop()[0] == 250


def test_garbage_and_a_connection_that_breaks_off_stop_nothing(
    gateway: GatewayProcess, told: EmailMessage, port: int
) -> None:
    assert hand_in(port, b"\xff\xfe\x00 no mail at all") == [250]
    with socket.create_connection(("127.0.0.1", port)) as broken:
        broken.sendall(b"LHLO x\r\nMAIL FROM:<ana@example.com>\r\nRCPT TO:<a@b.example>\r\nDATA\r\nFrom: ana")
    assert hand_in(port, answer(told, "Thank you")) == [250]
    assert len(gateway.rows("SELECT 1 FROM timeline WHERE kind = 'message_in'")) == 1


def test_a_mail_handed_in_again_after_a_kill_is_there_once(
    gateway: GatewayProcess, told: EmailMessage, port: int
) -> None:
    reply = answer(told, "Thank you")
    assert hand_in(port, reply) == [250]
    gateway.kill()
    gateway.start()
    assert hand_in(port, reply) == [250]
    assert len(gateway.rows("SELECT 1 FROM timeline WHERE kind = 'message_in'")) == 1


def test_it_does_not_listen_where_other_machines_could_say_who_wrote(tmp_path: Path, mail: MailServer) -> None:
    extra = f'[notifiers.inbound_mail]\nlisten = "0.0.0.0:{free_port()}"\nauthserv_id = "{MX}"\n'
    gateway = GatewayProcess(tmp_path, mail, RULES, extra)
    with pytest.raises(AssertionError, match=r"inbound_mail\.listen"):
        gateway.start()
