"""A mailbox read by IMAP: customers' answers and bounces, for companies without a mail server of their own.

Source: RFC 9051 (UID, UIDVALIDITY §2.3.1.1, BODY.PEEK), RFC 2177 (IDLE). A mail is known by UIDVALIDITY and UID, and
its place is stored once what it came to is committed: one that was read twice because of a crash is known by its
Message-ID. Nothing is marked, moved or deleted: the mailbox stays its people's.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import sqlalchemy as sa
import structlog
from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError, LoginError

from gateway.clock import Clock
from gateway.commands import CommandRefused, Commands, SetMeta
from gateway.errors import StartRefused
from gateway.inbound.lmtp import LARGEST_MAIL, command_of
from gateway.store import schema
from gateway.store.store import Store
from notifiers.mail.inbound import read_mail

log = structlog.get_logger()

_CONNECT_S, _ANSWER_S = 15.0, 60.0
_IDLE_S = 60.0
"""How long to wait for news in one go: a mail that comes between looking and waiting may not be announced."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 5.0, 300.0
_LOOK_BACK = timedelta(days=7)
"""After the server has renumbered its mails: what is older was read or is past."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class MailboxAddress:
    """Where the mailbox is."""

    host: str
    port: int
    tls: bool
    username: str = field(repr=False)
    password: str = field(repr=False)
    folder: str
    ca_file: str | None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read ``imaps://user:password@host:993/INBOX?ca=FILE``, or ``imap://`` on this very machine.

        Raises StartRefused, without the URL, for anything else: a password does not travel in clear.
        """
        try:
            parts = urlsplit(url)
            port, options = parts.port, parse_qs(parts.query)
        except ValueError:
            raise StartRefused("notifiers.mailbox.url: is no URL; percent-encode user name and password") from None
        if parts.scheme not in ("imaps", "imap") or not parts.hostname or not parts.username or not parts.password:
            raise StartRefused("notifiers.mailbox.url: write it like imaps://user:password@imap.example.com/INBOX")
        if parts.scheme == "imap" and parts.hostname not in _LOOPBACK:
            raise StartRefused("notifiers.mailbox.url: a password would travel in clear; use imaps://")
        ca_file = options.pop("ca", [None])[0]
        if options:
            raise StartRefused(f"notifiers.mailbox.url: unknown option {', '.join(sorted(options))}; there is ca")
        tls = parts.scheme == "imaps"
        folder = unquote(parts.path.strip("/")) or "INBOX"
        user, password = unquote(parts.username), unquote(parts.password)
        return cls(parts.hostname, port or (993 if tls else 143), tls, user, password, folder, ca_file)

    @property
    def position_key(self) -> str:
        """The name under which the place reached is stored."""
        return f"mailbox:{self.host}:{self.folder}"


class Mailbox:
    """Reads what comes in, until cancelled."""

    def __init__(self, url: str, authserv_id: str, commands: Commands, store: Store, clock: Clock) -> None:
        """Read the mailbox at ``url``, see ``MailboxAddress.parse``.

        ``authserv_id`` names the server whose ``Authentication-Results`` are believed: the mailbox's own.
        """
        self._address = MailboxAddress.parse(url)
        self._authserv_id = authserv_id
        self._commands, self._store, self._clock = commands, store, clock
        self.status: Mapping[str, Any] = {"ok": True, "detail": "connecting"}

    async def run(self) -> None:
        """Read, wait for more, and connect again after whatever breaks."""
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                async with _Connection(self._address) as mailbox:
                    wait_s = _FIRST_WAIT_S
                    self.status = {"ok": True, "detail": f"{self._address.host}: connected"}
                    log.info("mailbox.connected", host=self._address.host)
                    while True:
                        await self._take_new(mailbox)
                        await mailbox.wait_for_news()
            except LoginError:
                wait_s, reason = _LONGEST_WAIT_S, "it refused our user name or password; check notifiers.mailbox.url"
            except ssl.SSLError:
                wait_s, reason = _LONGEST_WAIT_S, "TLS failed; check its certificate and ?ca= of notifiers.mailbox.url"
            except (IMAPClientError, OSError) as error:
                # Never the server's words, which may repeat whose mailbox it is.
                reason = f"it does not answer ({type(error).__name__})"
            self.status = {"ok": False, "detail": f"{self._address.host}: {reason}"}
            log.warning("mailbox.away", host=self._address.host, reason=reason, again_in_s=wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(_LONGEST_WAIT_S, wait_s * 2)

    async def _take_new(self, mailbox: "_Connection") -> None:
        validity = mailbox.validity
        position = await asyncio.to_thread(self._position)
        if position is None:
            # What lay there before the gateway came is not for it.
            position = {"validity": validity, "uid": mailbox.next_uid - 1}
            await self._keep(position)
        if position["validity"] != validity:
            since = (self._clock.now() - _LOOK_BACK).date()
            uids = await mailbox.do(lambda client: client.search(["SINCE", since]))
            log.warning("mailbox.renumbered", mails_again=len(uids))
        else:
            after = position["uid"]
            found = await mailbox.do(lambda client: client.search(["UID", f"{after + 1}:*"]))
            # The star names the last mail even where that is an older one.
            uids = [uid for uid in found if uid > after]
        for uid in sorted(uids):
            await self._take(mailbox, uid)
            await self._keep({"validity": validity, "uid": uid})

    async def _take(self, mailbox: "_Connection", uid: int) -> None:
        sizes = await mailbox.do(lambda client: client.fetch([uid], ["RFC822.SIZE"]))
        if uid not in sizes:
            return  # deleted meanwhile
        if sizes[uid][b"RFC822.SIZE"] > LARGEST_MAIL:
            log.warning("mail.too_large", size=sizes[uid][b"RFC822.SIZE"])
            return
        fetched = await mailbox.do(lambda client: client.fetch([uid], ["BODY.PEEK[]"]))
        content = fetched.get(uid, {}).get(b"BODY[]")
        if not isinstance(content, bytes):
            return
        try:
            mail = await asyncio.to_thread(lambda: read_mail(content, _return_path(content), self._authserv_id))
            command = command_of(mail)
            if command is None:
                log.info("mail.automatic")
                return
            result = await self._commands.submit(command)
        except CommandRefused as refused:
            log.warning("mail.refused", reason=str(refused))
        except Exception:
            # A mail that trips a fault of ours must not come again for ever; it stays in the mailbox for its people.
            log.exception("mail.put_aside", uid=uid)
        else:
            log.info("mail.taken", kind=type(mail).__name__.lower(), new=bool(result))

    def _position(self) -> dict[str, int] | None:
        query = sa.select(schema.meta.c.value).where(schema.meta.c.key == self._address.position_key)
        with self._store.read() as connection:
            found: dict[str, int] | None = connection.execute(query).scalar()
            return found

    async def _keep(self, position: Mapping[str, int]) -> None:
        await self._commands.submit(SetMeta(self._address.position_key, dict(position)))


class _Connection:
    """One log-in. Its client blocks, so each step runs in a thread, one at a time."""

    def __init__(self, address: MailboxAddress) -> None:
        self._address = address
        self._client: IMAPClient | None = None
        self.validity = 0
        self.next_uid = 1

    async def __aenter__(self) -> Self:
        try:
            self._client = await asyncio.to_thread(self._connect)
            await self.do(self._log_in)
        except BaseException:
            self._cut()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._cut()

    async def do(self, step: Callable[[IMAPClient], Any]) -> Any:
        """Run one step in a thread."""
        return await asyncio.to_thread(step, self._open())

    async def wait_for_news(self) -> None:
        """Return when the server says that something changed, or after a while; without IDLE after a minute."""

        def idle(client: IMAPClient) -> None:
            client.idle()
            try:
                client.idle_check(timeout=_IDLE_S)
            finally:
                client.idle_done()

        if self._open().has_capability("IDLE"):
            await self.do(idle)
        else:
            await asyncio.sleep(_IDLE_S)
            await self.do(lambda one: one.noop())

    def _open(self) -> IMAPClient:
        if self._client is None:
            raise RuntimeError("used outside its block")
        return self._client

    def _connect(self) -> IMAPClient:
        address = self._address
        context = ssl.create_default_context(cafile=address.ca_file) if address.tls else None
        timeout = SocketTimeout(connect=_CONNECT_S, read=_ANSWER_S)
        return IMAPClient(address.host, address.port, ssl=address.tls, ssl_context=context, timeout=timeout)

    def _log_in(self, client: IMAPClient) -> None:
        client.login(self._address.username, self._address.password)
        selected = client.select_folder(self._address.folder, readonly=True)
        self.validity, self.next_uid = int(selected[b"UIDVALIDITY"]), int(selected[b"UIDNEXT"])

    def _cut(self) -> None:
        """Break the connection off, which also wakes a thread that waits on it: a log-out would wait behind it."""
        client, self._client = self._client, None
        if client is None:
            return
        with suppress(OSError):
            client.socket().shutdown(socket.SHUT_RDWR)


def _return_path(content: bytes) -> str:
    """The envelope's sender as the mailbox's server wrote it down; unknown, not empty, where it did not."""
    found = message_from_bytes(content[:65_536]).get("Return-Path")
    return "unknown" if found is None else str(found)
