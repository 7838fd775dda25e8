"""A mailbox read by IMAP, with a real server: each answer joins its case once, whatever is restarted when."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage
from functools import partial
from pathlib import Path

import pytest

from gateway.clock import Clock
from gateway.ending import end
from gateway.inbound.mailbox import Mailbox
from gateway.ingest.stream import Batch
from gateway.live import LiveFeed
from gateway.pipeline.metrics import Metrics
from gateway.pipeline.pipeline import Pipeline
from gateway.store import schema
from notifiers.mail.bounces import Bounce
from notifiers.mail.inbound import Answer, Automatic, read_mail
from tests.gateway.making import gateway as opened
from tests.imap_server import PASSWORD, ImapServer
from tests.mqtt_servers import eventually
from tests.notifiers.servers import certificate
from tests.system.gateway_process import GatewayProcess, MailServer, wait_for
from tests.system.test_inbound_mail import MX, answer
from tests.system.test_main_way import CUSTOMER, FREEZER, RULES, warm_up


@pytest.fixture
def imap(tmp_path: Path) -> Iterator[ImapServer]:
    folder = tmp_path / "imap"
    folder.mkdir()
    with ImapServer(folder) as server:
        yield server


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def gateway(tmp_path: Path, mail: MailServer, imap: ImapServer) -> Iterator[GatewayProcess]:
    imap.deliver(b"From: ana@example.com\r\nMessage-ID: <old@example.com>\r\n\r\nFrom before the gateway came\r\n")
    extra = f'[notifiers.mailbox]\nurl = "{imap.url}"\nauthserv_id = "{MX}"\n'
    with GatewayProcess(tmp_path, mail, RULES, extra) as running:
        running.register(customers=[CUSTOMER], devices=[FREEZER])
        wait_for(lambda: running.api("/api/status")["mailbox"]["detail"].endswith("connected"), "the mailbox")
        wait_for(lambda: running.rows("SELECT 1 FROM meta WHERE key LIKE 'mailbox:%'"), "its place to be known")
        yield running


@pytest.fixture
def told(gateway: GatewayProcess, mail: MailServer) -> EmailMessage:
    warm_up(gateway)
    wait_for(lambda: gateway.rows("SELECT 1 FROM notifications WHERE state = 'accepted'"), "the mail to be accepted")
    [sent] = mail.mails
    return sent


def messages(gateway: GatewayProcess) -> int:
    return len(gateway.rows("SELECT 1 FROM timeline WHERE kind = 'message_in'"))


def test_an_answer_joins_its_case_at_once_and_stays_unread_for_people(
    gateway: GatewayProcess, told: EmailMessage, imap: ImapServer
) -> None:
    imap.deliver(answer(told, "The lid is closed."))
    wait_for(lambda: messages(gateway) == 1, "the answer")
    [case] = gateway.rows("SELECT * FROM cases")
    assert case["needs_reply"]
    assert all("Seen" not in flags for flags in imap.flags())
    assert gateway.rows("SELECT 1 FROM inbound WHERE provider_id = '<old@example.com>'") == []


def test_a_mail_in_the_customers_name_that_nobody_vouches_for_joins_nothing(
    gateway: GatewayProcess, told: EmailMessage, imap: ImapServer
) -> None:
    imap.deliver(answer(told, "STOP ALL", dmarc="fail"))
    imap.deliver(answer(told, "Thank you"))
    wait_for(lambda: messages(gateway) == 1, "the genuine one, which came later")
    assert gateway.rows("SELECT 1 FROM consent_log WHERE granted = 0") == []


def test_what_came_while_the_gateway_or_the_server_was_down_is_read_once(
    gateway: GatewayProcess, told: EmailMessage, imap: ImapServer
) -> None:
    imap.deliver(answer(told, "First"))
    wait_for(lambda: messages(gateway) == 1, "the first answer")
    gateway.kill()
    imap.deliver(answer(told, "Second"))
    gateway.start()
    wait_for(lambda: messages(gateway) == 2, "the second answer", within_s=90)
    imap.stop()
    wait_for(lambda: not gateway.api("/api/status")["mailbox"]["ok"], "the operator to see it", within_s=60)
    imap.start()
    imap.deliver(answer(told, "Third"))
    wait_for(lambda: messages(gateway) == 3, "the third answer", within_s=90)
    assert PASSWORD not in gateway.log.read_text(encoding="utf-8")


def test_a_mail_whose_place_was_not_stored_or_was_renumbered_has_its_effect_once(
    gateway: GatewayProcess, told: EmailMessage, imap: ImapServer
) -> None:
    imap.deliver(answer(told, "First"))
    wait_for(lambda: messages(gateway) == 1, "the first answer")
    gateway.stop()
    imap.stop()
    imap.renumber()
    imap.start()
    gateway.start()
    imap.deliver(answer(told, "Second"))
    wait_for(lambda: messages(gateway) == 2, "the second answer", within_s=90)
    assert '"mailbox.renumbered"' in gateway.log.read_text(encoding="utf-8")


async def test_a_mail_that_trips_a_fault_stays_for_people_and_the_next_is_read(
    imap: ImapServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tripping(content: bytes, *more: str) -> Answer | Bounce | Automatic:
        if b"trips it" in content:
            raise ZeroDivisionError
        return read_mail(content, *more)

    monkeypatch.setattr("gateway.inbound.mailbox.read_mail", tripping)

    async def nothing(_after: int) -> AsyncIterator[Batch]:
        await asyncio.Event().wait()
        yield Batch([], 0, at_end=True)

    with opened(f"sqlite:///{tmp_path / 'gateway.sqlite'}", tmp_path) as made:
        pipeline = Pipeline(made.committer, nothing, Clock(), LiveFeed(), Metrics())
        mailbox = Mailbox(imap.url, MX, pipeline, made.store, Clock())
        tasks = [asyncio.create_task(part.run()) for part in (pipeline, mailbox)]
        await eventually(lambda: made.rows(schema.meta), "its place to be known")
        for text in ("trips it", "comes after it"):
            await asyncio.to_thread(imap.deliver, f"From: a@b.example\r\nMessage-ID: <1@b>\r\n\r\n{text}\r\n".encode())
        await eventually(lambda: made.rows(schema.inbound) or tasks[1].done(), "the second")
        await end(*tasks)
        assert [row["text"] for row in made.rows(schema.inbound)] == ["comes after it"]
    assert all("Seen" not in flags for flags in imap.flags())


def says(gateway: GatewayProcess, reason: str) -> bool:
    return reason in gateway.api("/api/status")["mailbox"]["detail"]


def test_a_wrong_password_and_a_strange_certificate_are_told_without_a_secret(tmp_path: Path, mail: MailServer) -> None:
    folder = tmp_path / "tls"
    folder.mkdir()
    cert, key = certificate(folder)
    with ImapServer(folder, (cert, key)) as imap:
        for number, (url, reason) in enumerate(
            [
                (f"imap://help:wrong-{PASSWORD}@127.0.0.1:{imap.port}/", "refused our user name or password"),
                (f"imaps://help:{PASSWORD}@127.0.0.1:{imap.tls_port}/", "TLS failed"),
                (f"imaps://help:{PASSWORD}@127.0.0.1:{imap.tls_port}/?ca={cert}", "connected"),
            ]
        ):
            own = tmp_path / str(number)
            own.mkdir()
            extra = f'[notifiers.mailbox]\nurl = "{url}"\nauthserv_id = "{MX}"\n'
            with GatewayProcess(own, mail, RULES, extra) as gateway:
                wait_for(partial(says, gateway, reason), reason, within_s=90)
                assert PASSWORD not in gateway.log.read_text(encoding="utf-8")
