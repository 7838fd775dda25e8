"""Writing to the log, many messages under way at once, each with the log's own acknowledgement.

nats-py's ``publish_async`` does the same, but in 2.16 leaves the future of a refused message (a full log) pending for
ever: its ``APIError.from_error`` raises within the handler instead of returning.
"""

import asyncio
import json
from dataclasses import dataclass
from functools import partial
from itertools import count

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

MESSAGE_ID_HEADER = "Nats-Msg-Id"


class NotStored(Exception):
    """The log did not acknowledge a message; sending it again with the same id stores it once."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The log's acknowledgement: the message is on its disk."""

    sequence: int
    duplicate: bool
    """The message id was known: it is stored under ``sequence`` since earlier."""


class LogWriter:
    """Sends messages and matches the acknowledgements to them."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._inbox = client.new_inbox()
        self._numbers = count(1)
        self._waiting: dict[str, asyncio.Future[Stored]] = {}
        self._listening = False

    async def send(self, subject: str, payload: bytes, headers: dict[str, str]) -> asyncio.Future[Stored]:
        """Write one message behind those sent before; the future has the log's answer, or NotStored.

        Raises NotStored where it could not be written at all.
        """
        reply = f"{self._inbox}.{next(self._numbers)}"
        future: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        self._waiting[reply] = future
        future.add_done_callback(partial(self._forget, reply))
        try:
            if not self._listening:
                # Bounded by what is under way, which the callers wait for.
                await self._client.subscribe(f"{self._inbox}.*", cb=self._answered, pending_msgs_limit=0)
                self._listening = True
            await self._client.publish(subject, payload, reply=reply, headers=headers or None)
        except NatsError as error:
            future.cancel()
            raise NotStored(type(error).__name__) from error
        return future

    def _forget(self, reply: str, future: asyncio.Future[Stored]) -> None:
        self._waiting.pop(reply, None)
        if not future.cancelled():
            # Looked at, so that a caller who gives up a batch at its first refusal leaves no "never retrieved" behind.
            future.exception()

    async def _answered(self, msg: Msg) -> None:
        future = self._waiting.get(msg.subject)
        if future is None or future.done():
            return
        if msg.headers and msg.headers.get("Status"):
            # 503: no stream listens (yet, after a restart); 429: it cannot keep up.
            future.set_exception(NotStored(f"status {msg.headers['Status']}"))
            return
        answer = json.loads(msg.data)
        if error := answer.get("error"):
            future.set_exception(NotStored(str(error.get("description", "refused"))))
        else:
            future.set_result(Stored(int(answer["seq"]), bool(answer.get("duplicate", False))))


async def settled(sent: asyncio.Future[Stored], within_s: float) -> Stored:
    """Wait for the log's answer. Raises NotStored; after ``within_s`` it is not known whether it was stored."""
    try:
        async with asyncio.timeout(within_s):
            return await sent
    except TimeoutError as error:
        raise NotStored(f"no answer within {within_s:g} s") from error
