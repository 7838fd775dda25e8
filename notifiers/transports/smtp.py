"""Mail through the company's own relay.

Source: RFC 5321 (§4.5.3.2.6: after the final dot only the answer tells whether the server has the mail), RFC 3463
(enhanced codes), RFC 6531 (non-ASCII mailboxes).
"""

import asyncio
import re
import ssl
from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
from aiosmtplib import SMTP

from notifiers.errors import Because, NotifierError, TryLater, Undeliverable, Unknown, Unwritten
from notifiers.mail.compose import Mailbox, compose, own_message_id, parse_mailbox
from notifiers.mail.status import is_dead_address
from notifiers.message import Accepted, Outgoing
from notifiers.receipts import SendState

Tls = Literal["implicit", "required", "if-offered", "never"]

_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")
_SETTINGS_WAIT_S = 300.0
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_QUIT_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, repr=False)
class SmtpServer:
    """Where mail is handed over, and how."""

    host: str
    port: int
    tls: Tls
    username: str | None = None
    password: str | None = None
    ca_file: str | None = None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read ``smtp://``, ``smtp+starttls://`` or ``smtps://user:password@host:port?ca=FILE&tls=MODE``.

        ``smtps`` is TLS from the first byte (port 465), ``smtp+starttls`` insists on STARTTLS (587), ``smtp`` uses
        it where the server offers it (25), and insists wherever a password would otherwise travel in clear; ``tls``
        may say ``required``, ``if-offered`` or ``never``. Raises ValueError, without the URL, for anything else.
        """
        try:
            parts = urlsplit(url)
            port, options = parts.port, parse_qs(parts.query)
        except ValueError:
            raise ValueError("notifiers.email.url: is no URL; percent-encode the password") from None
        modes: dict[str, tuple[Tls, int]] = {
            "smtps": ("implicit", 465),
            "smtp+starttls": ("required", 587),
            "smtp": ("if-offered", 25),
        }
        if parts.scheme not in modes or not parts.hostname:
            raise ValueError("notifiers.email.url: write it like smtp://user:password@mail.example.com:587")
        tls, usual_port = modes[parts.scheme]
        wanted = options.pop("tls", [None])[0]
        if parts.scheme == "smtp" and wanted is None and parts.username and parts.hostname not in _LOOPBACK:
            wanted = "required"
        match wanted:
            case "required" | "if-offered" | "never" if parts.scheme == "smtp":
                tls = wanted
            case None:
                pass
            case _:
                raise ValueError("notifiers.email.url: tls is one of required, if-offered, never, and only for smtp://")
        ca_file = options.pop("ca", [None])[0]
        if options:
            raise ValueError(f"notifiers.email.url: unknown option {', '.join(sorted(options))}; there are tls and ca")
        username = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        return cls(parts.hostname, port or usual_port, tls, username, password, ca_file)

    def client(self, timeout_s: float) -> SMTP:
        """Make a client that connects, secures and logs in as told."""
        context = ssl.create_default_context(cafile=self.ca_file) if self.tls != "never" else None
        return SMTP(
            hostname=self.host,
            port=self.port,
            use_tls=self.tls == "implicit",
            start_tls={"implicit": False, "required": True, "if-offered": None, "never": False}[self.tls],
            tls_context=context,
            username=self.username,
            password=self.password,
            timeout=timeout_s,
        )


class SmtpTransport:
    """Hands mails to one server over a few kept connections."""

    name = "smtp"
    repeatable = False
    per_second = 20.0
    channels = frozenset({"email"})
    reports: frozenset[SendState] = frozenset()
    """SMTP tells of no delivery; a bounce is another mail."""

    def __init__(self, url: str, sender: str, *, timeout_s: float = 30.0, connections: int = 4) -> None:
        """Send as ``sender`` (``Acme Support <help@acme.example>``) through ``url``, see ``SmtpServer.parse``.

        Raises ValueError where either cannot be read.
        """
        self._server = SmtpServer.parse(url)
        try:
            self._sender = parse_mailbox(sender)
        except ValueError as error:
            raise ValueError(f"notifiers.email.sender: {error}") from None
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(connections)
        self._idle: list[SMTP] = []

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand one mail over; see ``Transport.send``."""
        if outgoing.expires_at is not None and outgoing.expires_at <= outgoing.now:
            raise Unwritten(self.name, "expired", "its time ran out before it was sent", Because.EXPIRED)
        try:
            recipient = parse_mailbox(outgoing.address)
        except ValueError:
            raise Unwritten(self.name, "5.1.3", "is no mail address", Because.ADDRESS) from None
        mail = compose(outgoing, self._sender, recipient).as_bytes()
        async with self._slots:
            client = await self._connect()
            try:
                await self._envelope(client, recipient)
                await self._data(client, mail)
            except BaseException:
                # Half a conversation is no state to begin the next mail in; a cancelled task leaves one too.
                client.close()
                raise
            self._idle.append(client)
        return Accepted(self.name, own_message_id(outgoing, self._sender), detail="250")

    async def close(self) -> None:
        """Say goodbye to the server and close."""
        while self._idle:
            client = self._idle.pop()
            try:
                await client.quit(timeout=_QUIT_TIMEOUT_S)
            except (aiosmtplib.SMTPException, OSError):
                client.close()

    async def _connect(self) -> SMTP:
        while self._idle:
            client = self._idle.pop()
            try:
                # A server drops idle connections; RSET finds out before there is anything to lose.
                await client.rset()
            except (aiosmtplib.SMTPException, OSError):
                client.close()
            else:
                return client
        try:
            client = self._server.client(self._timeout_s)
            await client.connect()
        except aiosmtplib.SMTPAuthenticationError as error:
            advice = "the server refused our user name or password; check notifiers.email.url"
            raise TryLater(self.name, _code(error), advice, _SETTINGS_WAIT_S) from None
        except aiosmtplib.SMTPResponseException as error:
            raise TryLater(self.name, _code(error), "the server is not taking mail from us now") from None
        except (aiosmtplib.SMTPTimeoutError, TimeoutError):
            raise TryLater(self.name, "connect_timeout", "no connection in time; check host and port") from None
        except ssl.SSLError:
            raise TryLater(
                self.name, "tls", "TLS failed; check the certificate and ?ca= of notifiers.email.url"
            ) from None
        except aiosmtplib.SMTPNotSupported:
            advice = "the server offers no STARTTLS or no log-in; check notifiers.email.url"
            raise TryLater(self.name, "not_offered", advice, _SETTINGS_WAIT_S) from None
        except (aiosmtplib.SMTPException, OSError):
            raise TryLater(self.name, "connect", "it takes no connection; check that it is up") from None
        return client

    async def _envelope(self, client: SMTP, recipient: Mailbox) -> None:
        """MAIL and RCPT: whatever goes wrong here, nothing was accepted."""
        utf8 = recipient.needs_utf8 or self._sender.needs_utf8
        try:
            if utf8 and not client.supports_extension("SMTPUTF8"):
                advice = "the server takes no address with letters beyond ASCII (SMTPUTF8)"
                raise Undeliverable(self.name, "5.6.7", advice, Because.ADDRESS)
            encoding = "utf-8" if utf8 else "ascii"
            options = ["SMTPUTF8", "BODY=8BITMIME"] if utf8 else []
            await client.mail(self._sender.spec, options=options, encoding=encoding)
            await client.rcpt(recipient.spec, encoding=encoding)
        except aiosmtplib.SMTPResponseException as error:
            raise self._refusal(error, at_recipient=isinstance(error, aiosmtplib.SMTPRecipientRefused)) from None
        except (aiosmtplib.SMTPException, OSError):
            raise TryLater(self.name, "disconnected", "the connection broke before the mail was written") from None

    async def _data(self, client: SMTP, mail: bytes) -> None:
        """DATA: a code is an answer; silence from here on may be a mail delivered."""
        try:
            await client.data(mail)
        except aiosmtplib.SMTPResponseException as error:
            raise self._refusal(error, at_recipient=False) from None
        except (aiosmtplib.SMTPTimeoutError, TimeoutError):
            raise Unknown(self.name, "read_timeout", "the mail was written and no answer came in time") from None
        except (aiosmtplib.SMTPException, OSError):
            raise Unknown(self.name, "disconnected", "the connection broke after the mail was written") from None

    def _refusal(self, error: aiosmtplib.SMTPResponseException, *, at_recipient: bool) -> NotifierError:
        code = _code(error)
        if error.code < 500:
            return TryLater(self.name, code, "the server asks to try later", about_recipient=at_recipient)
        if error.code in (530, 534, 535, 538):
            advice = "the server wants us to log in; check notifiers.email.url"
            return TryLater(self.name, code, advice, _SETTINGS_WAIT_S)
        if at_recipient and is_dead_address(code):
            return Undeliverable(self.name, code, "there is no such mailbox", Because.ADDRESS)
        return Undeliverable(self.name, code, "the server refuses this mail; see its log")


def _code(error: aiosmtplib.SMTPResponseException) -> str:
    """The enhanced code where there is one, else the reply code; never the server's words, which repeat addresses."""
    enhanced = _ENHANCED.match(error.message.strip())
    return enhanced.group() if enhanced else str(error.code)
