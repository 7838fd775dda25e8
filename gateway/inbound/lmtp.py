"""The LMTP listener: the company's mail server hands customers' answers and bounces on to the gateway.

Source: RFC 2033 (LMTP). A mail is answered with 250 once what it came to is committed, so the mail server keeps and
repeats whatever did not get that far; a repeated one is known by its Message-ID.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import AnyStr

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from gateway.commands import CommandRefused, Commands, MailArrived, MailBounced
from gateway.config import InboundMail
from gateway.errors import StartRefused
from gateway.loopback import is_loopback
from notifiers.mail.bounces import Bounce
from notifiers.mail.inbound import Answer, read_mail
from notifiers.mail.sender import Verdict

log = structlog.get_logger()

LARGEST_MAIL = 40 * 2**20
"""Bytes: what the large mailbox providers let pass, with its files in base64."""
_COMMIT_WITHIN_S = 25.0
_MOST_AT_ONCE = 4
_TAKEN = "250 2.0.0 taken"
_LATER = "451 4.3.0 not stored yet, try again"
_TOO_LARGE = "552 "
_TOO_LONG = "500 Line too long"


@asynccontextmanager
async def mail_listener(settings: InboundMail, commands: Commands) -> AsyncIterator[int]:
    """Take mails while the block runs; yield the port.

    Raises StartRefused for an address that other machines reach, or one in use.
    """
    host, _, port = settings.listen.rpartition(":")
    host = host.strip("[]")
    if not is_loopback(host):
        raise StartRefused(
            f"notifiers.inbound_mail.listen: {settings.listen} can be reached from other machines, and whoever "
            "connects is believed about who wrote; listen on 127.0.0.1, with the mail server on this machine"
        )
    loop = asyncio.get_running_loop()
    reader = _MailReader(settings.authserv_id, commands)
    open_now: set[_Connection] = set()

    try:
        server = await loop.create_server(lambda: _Connection(reader, open_now), host, int(port))
    except OSError as error:
        where = settings.listen
        raise StartRefused(f"notifiers.inbound_mail.listen: cannot listen on {where}: {error.strerror}") from error
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        # One cut off before its 250 is repeated by the mail server.
        for connection in list(open_now):
            if connection.transport is not None:
                connection.transport.close()
        await server.wait_closed()


class _Connection(LMTP):
    """One connection; after DATA it answers once for each recipient (RFC 2033 §4.2)."""

    def __init__(self, reader: "_MailReader", open_now: "set[_Connection]") -> None:
        loop = asyncio.get_running_loop()
        super().__init__(
            reader, loop=loop, hostname="gateway", ident="LMTP", data_size_limit=LARGEST_MAIL, enable_SMTPUTF8=True
        )
        self._open_now = open_now
        self._recipients = 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._open_now.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._open_now.discard(self)
        super().connection_lost(error)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's
        # Counted now: the envelope is a new one by the time the answer is given.
        self._recipients = max(1, len(self.envelope.rcpt_tos)) if self.envelope else 1
        try:
            await super().smtp_DATA(arg)
        except Exception:
            # A customer's mail must not come back to them for a fault of ours: the mail server tries again.
            log.exception("mail.failed")
            await self.push(_LATER)
        finally:
            self._recipients = 1

    async def push(self, status: AnyStr) -> None:
        text = status.decode() if isinstance(status, bytes) else str(status)
        after_data = text in (_TAKEN, _LATER) or text.startswith((_TOO_LARGE, _TOO_LONG))
        for _ in range(self._recipients if after_data else 1):
            await super().push(status)


class _MailReader:
    """What comes of one mail."""

    def __init__(self, authserv_id: str, commands: Commands) -> None:
        self._authserv_id = authserv_id
        self._commands = commands
        self._slots = asyncio.Semaphore(_MOST_AT_ONCE)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Read one mail and commit what it came to."""
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        async with self._slots:
            # In a thread: forty megabytes take a second to read.
            mail = await asyncio.to_thread(read_mail, content, envelope.mail_from or "", self._authserv_id)
            command = command_of(mail)
            if command is None:
                log.info("mail.automatic")
                return _TAKEN
            try:
                async with asyncio.timeout(_COMMIT_WITHIN_S):
                    result = await self._commands.submit(command)
            except TimeoutError:
                log.warning("mail.not_stored", within_s=_COMMIT_WITHIN_S)
                return _LATER
            except CommandRefused as refused:
                # The mail server would only repeat what will be refused again.
                log.warning("mail.refused", reason=str(refused))
                return _TAKEN
        kind = "bounce" if isinstance(mail, Bounce) else "answer"
        log.info("mail.taken", kind=kind, new=bool(result), verified=getattr(command, "verified", None))
        return _TAKEN


def command_of(mail: object) -> MailArrived | MailBounced | None:
    """Say what a mail that was read comes to; None: nothing anybody has to see."""
    match mail:
        case Answer():
            return MailArrived(
                mail.message_id,
                mail.address,
                mail.verdict is Verdict.VERIFIED,
                mail.text,
                mail.keyword,
                mail.references,
                mail.files,
            )
        case Bounce():
            return MailBounced(mail.message_ids, mail.recipients, mail.status)
    return None
