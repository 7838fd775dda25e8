"""Mail through a real SMTP server (aiosmtpd): TLS, log-in, refusals, connections that die."""

import asyncio
import email
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from notifiers.errors import Because, TryLater, Undeliverable, Unknown
from notifiers.message import message_id
from notifiers.transports.smtp import SmtpTransport
from notifiers.wording.render import render
from tests.notifiers.making import BRAND, FREEZER, LINKS, NOW, YUSUF, outgoing
from tests.notifiers.servers import server_tls

SENDER = "Nordfrost Service <help@nordfrost.example>"
USER, PASSWORD = "gateway", "p@ss/w:rd%"
QUOTED = "p%40ss%2Fw%3Ard%25"


@dataclass
class Postbox:
    """An aiosmtpd handler that keeps mails, and misbehaves on order."""

    refuse_rcpt: str = ""
    refuse_data: str = ""
    drop_after_data: bool = False
    answer_when: asyncio.Event | None = None
    """Holds the answer to a mail back until it is set."""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    envelopes: list[Envelope] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    servers: list[SMTP] = field(default_factory=list)
    """One a connection."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        """Accept a recipient, or refuse as told."""
        if self.refuse_rcpt:
            return self.refuse_rcpt
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Keep the mail, then answer, refuse or die."""
        if self.refuse_data:
            return self.refuse_data
        self.envelopes.append(envelope)
        self.sessions.append(session)
        self.arrived.set()
        if self.answer_when is not None:
            await self.answer_when.wait()
        if self.drop_after_data:
            # The mail is kept and the client never hears of it.
            _drop(server)
        return "250 2.0.0 kept"

    @property
    def mails(self) -> list[EmailMessage]:
        """What arrived, parsed."""
        return [_parsed(envelope.content) for envelope in self.envelopes]


def _drop(server: SMTP) -> None:
    assert isinstance(server.transport, asyncio.Transport)
    server.transport.abort()


def _parsed(content: object) -> EmailMessage:
    assert isinstance(content, bytes)
    mail = email.message_from_bytes(content, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def _authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=False)


@asynccontextmanager
async def running(postbox: Postbox, *, implicit: ssl.SSLContext | None = None, **settings: Any) -> AsyncIterator[int]:
    """Serve on a port of the loopback."""
    loop = asyncio.get_running_loop()

    def protocol() -> SMTP:
        postbox.servers.append(SMTP(postbox, hostname="localhost", loop=loop, **settings))
        return postbox.servers[-1]

    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=implicit)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def sending(url: str, **settings: Any) -> AsyncIterator[SmtpTransport]:
    """A transport that is closed at the end."""
    transport = SmtpTransport(url, SENDER, timeout_s=5, **settings)
    try:
        yield transport
    finally:
        await transport.close()


async def test_a_mail_arrives_whole() -> None:
    postbox = Postbox()
    async with running(postbox) as port, sending(f"smtp://127.0.0.1:{port}") as transport:
        accepted = await transport.send(outgoing())

    (envelope,), (mail,) = postbox.envelopes, postbox.mails
    assert (envelope.mail_from, envelope.rcpt_tos) == ("help@nordfrost.example", ["ana@example.com"])
    assert mail["Subject"] == "Garage freezer: Freezer too warm"
    assert mail["Date"].datetime == NOW
    assert mail["List-Unsubscribe"] == f"<{LINKS.unsubscribe_post_url}>"
    assert mail["Message-ID"] == accepted.provider_id == message_id(outgoing().key, "nordfrost.example")
    text = mail.get_body(("plain",))
    page = mail.get_body(("html",))
    assert text is not None
    assert page is not None
    assert text.get_content().strip() == outgoing().rendered.text
    assert "has warmed" in page.get_content()


async def test_a_mail_in_arabic_arrives_as_written() -> None:
    rendered = render("fault_opened", YUSUF, FREEZER, "email", BRAND, LINKS, NOW)
    postbox = Postbox()
    async with running(postbox) as port, sending(f"smtp://127.0.0.1:{port}") as transport:
        await transport.send(outgoing(rendered=rendered))

    (mail,) = postbox.mails
    text = mail.get_body(("plain",))
    page = mail.get_body(("html",))
    assert text is not None
    assert page is not None
    assert mail["Subject"] == rendered.subject
    assert mail["Content-Language"] == "ar"
    assert text.get_content().replace("\r\n", "\n").strip() == rendered.text
    assert page.get_content().replace("\r\n", "\n").strip() == rendered.html


async def test_starttls_and_a_log_in_with_a_password_of_every_character(tmp_path: Path) -> None:
    context, trusted = server_tls(tmp_path)
    postbox = Postbox()
    settings: dict[str, Any] = {
        "tls_context": context,
        "require_starttls": True,
        "authenticator": _authenticate,
        "auth_required": True,
    }
    async with (
        running(postbox, **settings) as port,
        sending(f"smtp+starttls://{USER}:{QUOTED}@localhost:{port}?ca={trusted}") as transport,
    ):
        await transport.send(outgoing())

    (session,) = postbox.sessions
    assert session.ssl is not None
    assert session.authenticated


async def test_starttls_is_used_wherever_it_is_offered(tmp_path: Path) -> None:
    context, trusted = server_tls(tmp_path)
    postbox = Postbox()
    async with (
        running(postbox, tls_context=context) as port,
        sending(f"smtp://localhost:{port}?ca={trusted}") as transport,
    ):
        await transport.send(outgoing())

    assert postbox.sessions[0].ssl is not None


async def test_tls_from_the_first_byte(tmp_path: Path) -> None:
    context, trusted = server_tls(tmp_path)
    postbox = Postbox()
    async with (
        running(postbox, implicit=context) as port,
        sending(f"smtps://localhost:{port}?ca={trusted}") as transport,
    ):
        await transport.send(outgoing())

    assert len(postbox.envelopes) == 1


async def test_a_certificate_nobody_trusts_gets_no_mail_and_no_password(tmp_path: Path) -> None:
    context, _ = server_tls(tmp_path)
    postbox = Postbox()
    settings: dict[str, Any] = {"tls_context": context, "authenticator": _authenticate}
    async with (
        running(postbox, **settings) as port,
        sending(f"smtp+starttls://{USER}:{QUOTED}@localhost:{port}") as transport,
    ):
        with pytest.raises(TryLater) as refused:
            await transport.send(outgoing())

    assert refused.value.code == "tls"
    assert postbox.envelopes == []


async def test_without_the_tls_that_is_required_nothing_is_sent() -> None:
    postbox = Postbox()
    async with running(postbox) as port, sending(f"smtp+starttls://localhost:{port}") as transport:
        with pytest.raises(TryLater):
            await transport.send(outgoing())

    assert postbox.envelopes == []


async def test_a_wrong_password_waits_to_be_mended(tmp_path: Path) -> None:
    context, trusted = server_tls(tmp_path)
    postbox = Postbox()
    settings: dict[str, Any] = {"tls_context": context, "authenticator": _authenticate, "auth_required": True}
    async with (
        running(postbox, **settings) as port,
        sending(f"smtp+starttls://{USER}:wrong-secret@localhost:{port}?ca={trusted}") as transport,
    ):
        with pytest.raises(TryLater) as refused:
            await transport.send(outgoing())

    assert refused.value.code == "5.7.8"
    assert refused.value.retry_after_s
    assert "wrong-secret" not in str(refused.value)


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
async def test_a_server_that_wants_a_log_in_waits_for_one() -> None:
    postbox = Postbox()
    settings: dict[str, Any] = {"authenticator": _authenticate, "auth_required": True, "auth_require_tls": False}
    async with running(postbox, **settings) as port, sending(f"smtp://127.0.0.1:{port}") as transport:
        with pytest.raises(TryLater):
            await transport.send(outgoing())


async def test_greylisting_is_tried_again_and_a_dead_mailbox_is_not() -> None:
    postbox = Postbox(refuse_rcpt="450 4.7.1 <ana@example.com> greylisted")
    async with running(postbox) as port, sending(f"smtp://127.0.0.1:{port}") as transport:
        with pytest.raises(TryLater) as later:
            await transport.send(outgoing())
        postbox.refuse_rcpt = "550 5.1.1 <ana@example.com> unknown"
        with pytest.raises(Undeliverable) as dead:
            await transport.send(outgoing())
        postbox.refuse_rcpt = "550 5.7.1 relaying denied"
        with pytest.raises(Undeliverable) as denied:
            await transport.send(outgoing())
        postbox.refuse_rcpt = ""
        await transport.send(outgoing())

    assert later.value.code == "4.7.1"
    assert (dead.value.code, dead.value.because) == ("5.1.1", Because.ADDRESS)
    assert denied.value.because is Because.MESSAGE
    assert len(postbox.envelopes) == 1


async def test_a_mail_refused_after_its_text_is_not_unknown() -> None:
    postbox = Postbox(refuse_data="552 5.3.4 too big")
    async with running(postbox) as port, sending(f"smtp://127.0.0.1:{port}") as transport:
        with pytest.raises(Undeliverable):
            await transport.send(outgoing())
        postbox.refuse_data = "451 4.3.0 try later"
        with pytest.raises(TryLater):
            await transport.send(outgoing())


async def test_a_connection_that_dies_after_the_text_leaves_it_unknown_and_the_mail_there() -> None:
    postbox = Postbox(drop_after_data=True)
    async with running(postbox) as port, sending(f"smtp://127.0.0.1:{port}") as transport:
        with pytest.raises(Unknown):
            await transport.send(outgoing())
        postbox.drop_after_data = False
        await transport.send(outgoing(key="another"))

    # This is why unknown is never sent again by itself: the first one was kept.
    assert len(postbox.envelopes) == 2


async def test_connections_are_kept_and_made_anew_when_the_server_dropped_them() -> None:
    postbox = Postbox()
    async with running(postbox) as port, sending(f"smtp://127.0.0.1:{port}") as transport:
        await transport.send(outgoing())
        await transport.send(outgoing(key="second"))
        (first,) = postbox.servers
        _drop(first)
        await transport.send(outgoing(key="third"))

    assert len(postbox.servers) == 2
    assert len(postbox.envelopes) == 3


async def test_many_at_once_share_a_few_connections() -> None:
    postbox = Postbox()
    async with running(postbox) as port, sending(f"smtp://127.0.0.1:{port}", connections=3) as transport:
        accepted = await asyncio.gather(*(transport.send(outgoing(key=f"n{n}")) for n in range(40)))

    assert len({one.provider_id for one in accepted}) == len(postbox.envelopes) == 40
    assert len(postbox.servers) <= 3


async def test_a_cancelled_send_leaves_no_half_conversation_behind() -> None:
    postbox = Postbox(answer_when=asyncio.Event())
    async with running(postbox) as port, sending(f"smtp://127.0.0.1:{port}", connections=1) as transport:
        cancelled = asyncio.create_task(transport.send(outgoing(key="cancelled")))
        await postbox.arrived.wait()
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        postbox.answer_when = None
        accepted = await transport.send(outgoing(key="after"))

    assert accepted.provider_id == postbox.mails[-1]["Message-ID"] == message_id("after", "nordfrost.example")
    assert len(postbox.servers) == 2


@pytest.mark.parametrize("offered", [True, False])
async def test_a_mailbox_beyond_ascii_needs_a_server_that_takes_it(offered: bool) -> None:
    postbox = Postbox()
    async with running(postbox, enable_SMTPUTF8=offered) as port, sending(f"smtp://127.0.0.1:{port}") as transport:
        message = outgoing(address="jörg@müller.example")
        if offered:
            await transport.send(message)
        else:
            with pytest.raises(Undeliverable) as refused:
                await transport.send(message)
            assert refused.value.because is Because.ADDRESS
        # A domain alone has an ASCII form that any server takes.
        await transport.send(outgoing(address="info@müller.example"))

    assert [envelope.rcpt_tos for envelope in postbox.envelopes] == [
        *([["jörg@xn--mller-kva.example"]] if offered else []),
        ["info@xn--mller-kva.example"],
    ]


async def test_an_address_that_is_none_and_a_mail_that_is_late_never_reach_the_server() -> None:
    postbox = Postbox()
    async with running(postbox) as port, sending(f"smtp://127.0.0.1:{port}") as transport:
        with pytest.raises(Undeliverable) as malformed:
            await transport.send(outgoing(address="ana@example.com>\r\nRCPT TO:<x@evil.example"))
        with pytest.raises(Undeliverable) as late:
            await transport.send(outgoing(expires_at=NOW))

    assert malformed.value.because is Because.ADDRESS
    assert late.value.because is Because.EXPIRED
    assert postbox.servers == []


@pytest.mark.parametrize(
    "url",
    [
        "http://mail.example.com",
        "smtp://",
        "smtp://mail.example.com:seventy",
        "smtp://mail.example.com?tls=maybe",
        "smtps://mail.example.com?tls=never",
        "smtp://user:secret@mail.example.com?timeout=3",
        "smtp://user:sec/ret@mail.example.com",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"notifiers\.email\.url") as refused:
        SmtpTransport(url, SENDER)

    assert "sec" not in str(refused.value)


def test_a_sender_that_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match=r"notifiers\.email\.sender"):
        SmtpTransport("smtp://localhost", "Nordfrost")
