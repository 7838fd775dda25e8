"""The log: every message of every device, in one order, until it is forgotten."""

import asyncio
import math
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Self

import structlog
from nats.errors import Error as NatsError
from nats.js.api import StreamState
from nats.js.errors import NotFoundError

from device_models.event import Message
from gateway.errors import StartRefused
from gateway.ingest.connection import LogClient, NotPublished, Unreachable, connect
from gateway.ingest.log_stream import EMBEDDED, LogSettings, ensure
from gateway.ingest.reader import OrderedReader
from gateway.ingest.topics import RELAY_PREFIX, RETAINED_HEADER, log_address, subject_of
from gateway.ingest.writer import MESSAGE_ID_HEADER, LogWriter, Stored, settled

log = structlog.get_logger(__name__)

_ANSWER_S = 5.0
_GLANCE_S = 1.0
_CHECK_S = 5.0
_WARN_AT = (0.80, 0.95)


class LogBehind(StartRefused):
    """The log ends before what the store has committed: it is an older copy, or lost its tail with the power.

    New messages would get sequences that count as done. The way out is in the message.
    """


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages in the order of the log."""

    messages: list[Message]
    """Empty when nothing arrived for a while: due timers can run."""
    last_sequence: int
    """Up to where the log is read with this batch; for an empty one, where it was."""
    at_end: bool
    """The log held nothing further when this was read. False also when that could not be asked."""


@dataclass(frozen=True, slots=True)
class Usage:
    """How full the log is."""

    messages: int
    bytes: int
    max_bytes: int
    first_sequence: int
    last_sequence: int

    @property
    def share(self) -> float:
        """From 0 to 1; at 1 nothing more is taken."""
        return self.bytes / self.max_bytes if self.max_bytes > 0 else 0.0


class Stream:
    """A JetStream stream, read and written. One connection, taken up again whenever it is lost.

    Reading: a pipeline owns the whole log (``batches``). Later several may share it by ``partition(n, …)`` (DESIGN.md,
    Scale); a position is then one of a partition, and nothing here but the subject filter of the reader changes.
    """

    def __init__(self, client: LogClient, settings: LogSettings) -> None:
        """Use ``open``."""
        self._client = client
        self._jetstream = client.jetstream(timeout=_ANSWER_S)
        self._writer = LogWriter(client)
        self._settings = settings
        self._readers: set[OrderedReader] = set()
        self._warned_at = 0.0
        self._checked_at = -math.inf
        self.usage: Usage | None = None
        """As last asked; refreshed while the log is read."""

    @classmethod
    async def open(cls, nats_url: str, settings: LogSettings = EMBEDDED, *, patience_s: float = 10.0) -> Self:
        """Connect and make the log, or bring an existing one to ``settings``. Raises Unreachable, LogRefused."""
        stream: Self | None = None

        async def connected_again() -> None:
            if stream is not None:
                stream._restart_readers()

        client = await connect(nats_url, "gateway-log", connected_again, patience_s)
        stream = cls(client, settings)
        try:
            await ensure(stream._jetstream, settings)
        except NatsError as error:
            await client.close()
            raise Unreachable(f"JetStream does not answer: {error}") from error
        except BaseException:
            await client.close()
            raise
        return stream

    async def close(self) -> None:
        """Give the connection back; iterators of ``batches`` end with it."""
        for reader in tuple(self._readers):
            await reader.close()
        await self._client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def connected(self) -> bool:
        """Whether NATS can be spoken to now."""
        return bool(self._client.is_connected)

    @property
    def max_payload_bytes(self) -> int:
        """What the server takes in one message, headers included."""
        return int(self._client.max_payload)

    async def last_sequence(self) -> int:
        """Return the sequence of the newest message, 0 for an empty log. Raises Unreachable."""
        return (await self._state()).last_seq

    async def batches(
        self, after: int, max_messages: int = 500, max_wait_s: float = 0.0, idle_s: float = 1.0
    ) -> AsyncGenerator[Batch, None]:
        """Read the log after sequence ``after``, in order, without end, across restarts of the server.

        A batch holds what has arrived, up to ``max_messages`` or about 4 MiB; ``max_wait_s`` lets one that is not
        full wait for more. When nothing arrives, an empty batch comes every ``idle_s``. Nothing is asked of the
        server beyond two batches ahead of the caller. Messages that the log has dropped already are reported as
        ``stream.gap``. Raises LogBehind.
        """
        while not await self._can_start(after):
            await asyncio.sleep(idle_s)
            yield Batch([], after, at_end=False)
        clock = asyncio.get_running_loop().time
        reader = OrderedReader(self._client, self._settings.name, after, max_messages)
        self._readers.add(reader)
        try:
            while not self._client.is_closed:
                messages, at_end = await reader.take(max_messages, idle_s)
                deadline = clock() + max_wait_s
                while messages and len(messages) < max_messages and clock() < deadline:
                    more, at_end = await reader.take(max_messages - len(messages), deadline - clock())
                    messages += more
                if messages:
                    after = messages[-1].sequence
                if not messages or clock() - self._checked_at > _CHECK_S:
                    at_end = await self._look(after) or at_end
                yield Batch(messages, after, at_end)
                _heed_cancellation()
        finally:
            self._readers.discard(reader)
            await reader.close()

    async def publish(
        self, topic: str, payload: bytes, *, message_id: str | None = None, retained: bool = False
    ) -> asyncio.Future[Stored]:
        """Hand a message to the log, in the order of the calls; the future completes when the log has it on disk.

        ``message_id``: a second message with the same one within the duplicate window is acknowledged and not stored.
        Raises NotStored where it could not even be written (also from the future: the log refused), and ValueError
        where it is larger than the server takes.
        """
        subject, headers = log_address(RELAY_PREFIX, topic)
        if message_id is not None:
            headers[MESSAGE_ID_HEADER] = message_id
        if retained:
            headers[RETAINED_HEADER] = "1"
        size = len(payload) + sum(len(name) + len(value) + 4 for name, value in headers.items()) + 14
        if size > self.max_payload_bytes:
            raise ValueError(f"payload: {len(payload)} bytes; the log takes {self.max_payload_bytes} with its headers")
        return await self._writer.send(subject, payload, headers)

    async def tell(self, topic: str, payload: bytes) -> None:
        """Publish to the devices that listen on an MQTT topic of this server. Raises NotPublished, ValueError."""
        try:
            await self._client.publish(subject_of(topic), payload)
            await self._client.flush(int(_ANSWER_S))
        except (NatsError, OSError) as error:
            raise NotPublished(f"the broker does not answer: {error}") from error

    async def stored(self, sent: asyncio.Future[Stored], within_s: float = _ANSWER_S) -> Stored:
        """Wait until a published message is stored. Raises NotStored."""
        return await settled(sent, within_s)

    async def forget(self, up_to_sequence: int) -> None:
        """Drop the messages up to and with ``up_to_sequence`` to make room; never beyond what is committed.

        The log never drops by itself: it cannot know what was processed, and full it refuses (no PUBACK) rather
        than lose. The caller forgets what pipeline and history have committed and replays no longer need.
        Raises Unreachable.
        """
        state = await self._state()
        # Purging beyond the end would also move it: the next message's sequence would jump.
        up_to = min(up_to_sequence, state.last_seq)
        if up_to >= state.first_seq:
            await self._purge(up_to + 1)
            log.info("stream.forgotten", up_to_sequence=up_to, messages=up_to - state.first_seq + 1)

    async def advance_to(self, sequence: int) -> None:
        """Let the log go on at ``sequence`` + 1 and drop what it holds; mends LogBehind. Raises Unreachable.

        Does nothing to a log that is there already.
        """
        if (await self._state()).last_seq < sequence:
            await self._purge(sequence + 1)
            log.warning("stream.advanced", last_sequence=sequence)

    async def _purge(self, first_kept: int) -> None:
        try:
            await self._jetstream.purge_stream(self._settings.name, seq=first_kept)
        except (NatsError, TimeoutError) as error:
            raise Unreachable(f"JetStream does not answer: {type(error).__name__}") from error

    async def _state(self, within_s: float = _ANSWER_S) -> StreamState:
        try:
            info = await self._client.jetstream(timeout=within_s).stream_info(self._settings.name)
        except NotFoundError as error:
            raise Unreachable(f"log {self._settings.name} is gone from the server") from error
        except (NatsError, TimeoutError) as error:
            raise Unreachable(f"JetStream does not answer: {type(error).__name__}") from error
        return info.state

    async def _can_start(self, after: int) -> bool:
        """Make sure that the log reaches ``after``; False where there is no answer. Raises LogBehind."""
        try:
            self._check_end(await self._state(_GLANCE_S), after)
        except Unreachable as error:
            log.warning("stream.unreachable", reason=str(error))
            return False
        return True

    def _check_end(self, state: StreamState, after: int) -> None:
        if after > state.last_seq:
            raise LogBehind(
                f"log {self._settings.name} ends at {state.last_seq}, but the store has committed up to {after}: "
                "one of them is an older copy. Restore the two from one backup, or let the log go on after what "
                "is committed (Stream.advance_to), which drops what it holds"
            )

    async def _look(self, after: int) -> bool:
        """Ask how full the log is and whether it ends at ``after``; False where there is no answer."""
        self._checked_at = asyncio.get_running_loop().time()
        if not self.connected:
            return False
        try:
            state = await self._state(_GLANCE_S)
        except Unreachable:
            return False
        self._check_end(state, after)
        usage = Usage(state.messages, state.bytes, self._settings.max_bytes, state.first_seq, state.last_seq)
        self.usage = usage
        reached = max((limit for limit in _WARN_AT if usage.share >= limit), default=0.0)
        if reached > self._warned_at:
            log.warning("stream.nearly_full", share=round(usage.share, 3), bytes=usage.bytes, max_bytes=usage.max_bytes)
        self._warned_at = reached
        # What was forgotten will not come any more.
        return usage.last_sequence <= after or usage.messages == 0

    def _restart_readers(self) -> None:
        for reader in self._readers:
            reader.restart()


def _heed_cancellation() -> None:
    """Raise a cancellation that nats-py's ``wait_for`` has lost (``gateway.ending``): reading has no other end."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
