"""The connection to NATS, as the log's reader and writers need it."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit, urlunsplit

import structlog
from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.errors import SlowConsumerError
from nats.protocol import parser

from gateway.errors import StartRefused

log = structlog.get_logger(__name__)

# MQTT allows a vertical tab in a topic, nats-server passes it on, and nats-py's own pattern ([^\s]) takes it for the
# end of the subject: the parser then fails on that message after every reconnect, so that one device could stop the
# gateway for good. The protocol's delimiters are space and tab alone. tests/system/test_stream.py sends such a topic.
parser.MSG_RE = re.compile(rb"\AMSG[ \t]+([^ \t\r\n]+)[ \t]+(\d+)[ \t]+(([^ \t\r\n]+)[ \t]+)?(\d+)\r\n")
parser.HMSG_RE = re.compile(rb"\AHMSG[ \t]+([^ \t\r\n]+)[ \t]+(\d+)[ \t]+(([^ \t\r\n]+)[ \t]+)?(\d+)[ \t]+(\d+)\r\n")


Take = Callable[[bytes, bytes, bytes, bytes | None], bool]
"""Is given a message as it was read: subject, reply subject, payload, headers with their status line or None. Returns
whether that is all there is to do with it."""


class LogClient(Client):
    """Can hand on a subscription's messages as they are read.

    nats-py itself reads each message's headers, makes an object of it and puts that into a queue for a task: two thirds
    of what reading a message costs.
    """

    def __init__(self) -> None:
        super().__init__()
        self._taking: dict[int, Take] = {}

    def hand_on(self, subscription: Subscription, take: Take) -> None:
        """Give ``take`` each message of a subscription; nats-py sees those alone for which it returns False."""
        self._taking[subscription._id] = take

    def _remove_sub(self, sid: int, *rest: int) -> None:
        self._taking.pop(sid, None)
        super()._remove_sub(sid, *rest)

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None) -> None:
        take = self._taking.get(sid)
        if take is None or not take(subject, reply, data, headers):
            await super()._process_msg(sid, subject, reply, data, headers or b"")


def read_headers(raw: bytes) -> dict[str, str]:
    """Read headers as they stand in a message; a status in their first line is called ``Status`` (NATS ADR-4)."""
    first, *lines = raw.decode(errors="replace").split("\r\n")
    headers = {name: value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}
    status = first.split()[1:2]
    return {"Status": status[0], **headers} if status else headers


class NotPublished(Exception):
    """A broker did not take a message; the reason says why. Trying again is safe."""


class Unreachable(StartRefused):
    """NATS did not answer; trying again later may help."""


async def connect(
    url: str,
    name: str,
    on_reconnect: Callable[[], Awaitable[None]] | None = None,
    patience_s: float = 10.0,
    on_dropped: Callable[[], None] | None = None,
    on_lost: Callable[[], None] | None = None,
) -> LogClient:
    """Connect to NATS and stay connected: a lost connection is taken up again until ``close``.

    ``on_dropped`` is called for each message that a subscription of bounded memory had no room for.
    Raises Unreachable where the first connection is not made within ``patience_s``; no message names a password.
    """
    client = LogClient()
    last_error = "no answer"

    async def lost() -> None:
        if on_lost:
            on_lost()
        if not client.is_closed:
            log.warning("nats.connection_lost", connection=name)

    async def back() -> None:
        log.info("nats.connected_again", connection=name)
        if on_reconnect:
            await on_reconnect()

    async def failed(error: Exception) -> None:
        # Attempts to reconnect come here too, several each second; "nats.connection_lost" has said it.
        nonlocal last_error
        last_error = str(error) or type(error).__name__
        if on_dropped and isinstance(error, SlowConsumerError):
            on_dropped()
        log.debug("nats.error", connection=name, error=type(error).__name__)

    try:
        async with asyncio.timeout(patience_s):
            await client.connect(
                url,
                name=name,
                connect_timeout=5,
                reconnect_time_wait=0.2,  # type: ignore[arg-type]  # seconds, slept as they are
                max_reconnect_attempts=-1,
                ping_interval=10,
                max_outstanding_pings=2,
                pending_size=16 * 1024**2,
                disconnected_cb=lost,
                reconnected_cb=back,
                error_cb=failed,
            )
    except (NatsError, OSError, TimeoutError) as error:
        await client.close()
        raise Unreachable(f"{redacted(url)}: {last_error}") from error
    return client


def redacted(url: str) -> str:
    """Return a URL without the credentials in it, for logs and errors."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return urlunsplit((parts.scheme, host + port, parts.path, "", ""))
