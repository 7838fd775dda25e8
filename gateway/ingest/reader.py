"""Reading the log in order from a sequence on: an ordered consumer that pulls.

An ephemeral consumer without acknowledgements, asked for as many messages as there is room for. Compared with
nats-py's ordered push consumer it is faster here (204 k against 177 k messages a second), its memory is bounded by what
it asked for rather than by the server's flow control window, and it recovers by itself when a request to the server
fails in between. Whatever goes wrong (a reconnect, a gap in the consumer's count, silence), the answer is one: a new
consumer from the sequence after the last one received.
"""

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime

import structlog
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from device_models.event import Message
from gateway.ingest.connection import LogClient, read_headers
from gateway.ingest.topics import OWN_HEADERS, RETAINED_HEADER, logged_topic

log = structlog.get_logger(__name__)

_HEARTBEAT_S = 2.0
_UNREAD_S = 0.05
"""For what lies in the socket to be read."""
_ANSWER_S = 2.0
_REQUEST_S = 30.0
_REQUEST_BYTES = 4 * 1024**2
"""Bound of one request's answer; with two requests under way at most twice this waits in memory."""
_CONSUMER_KEPT_S = 60.0


class OrderedReader:
    """Messages after ``after``, in order, none twice and none left out."""

    def __init__(self, client: LogClient, stream: str, after: int, max_messages: int) -> None:
        self._client = client
        self._clock = asyncio.get_running_loop().time
        self._stream = stream
        self._request_size = max(1, max_messages)
        self._buffer: deque[Message] = deque()
        self._received = after
        self._delivery = 0
        self._pending = -1
        self._asked = 0
        self._consumer: str | None = None
        self._request_subject = ""
        self._inbox = ""
        self._subscription: Subscription | None = None
        self._arrived = asyncio.Event()
        self._heard_at = 0.0
        self._broken = True
        self.resets = 0

    async def take(self, max_messages: int, wait_s: float) -> tuple[list[Message], bool]:
        """Return up to ``max_messages``, waiting up to ``wait_s`` for the first, and whether the log ends there.

        The end is what the server said with the last message taken; False when nothing was taken.
        """
        clock = self._clock
        deadline = clock() + wait_s
        while not self._buffer:
            if not await self._keep_alive():
                # No consumer to be had now: the caller's timers go on, and the next call tries again.
                await asyncio.sleep(max(0.0, min(0.2, deadline - clock())))
                return [], False
            if self._buffer:
                break
            self._arrived.clear()
            try:
                async with asyncio.timeout_at(min(deadline, self._heard_at + 2.5 * _HEARTBEAT_S)):
                    await self._arrived.wait()
            except TimeoutError:
                if clock() >= deadline and not self._buffer:
                    return [], False
        taken = [self._buffer.popleft() for _ in range(min(max_messages, len(self._buffer)))]
        await self._keep_alive()
        return taken, not self._buffer and self._pending == 0

    def restart(self) -> None:
        """Make a new consumer before the next message: the connection was lost, and perhaps the server with it."""
        self._broken = True
        self._arrived.set()

    async def close(self) -> None:
        """Let the server forget the consumer; it would by itself after a while."""
        await self._drop_consumer()

    async def _keep_alive(self) -> bool:
        """Have a consumer that hears from the server and has been asked for what there is room for."""
        if not self._client.is_connected:
            return False
        try:
            if self._broken or await self._server_is_silent():
                await self._reset()
            if self._asked + len(self._buffer) <= self._request_size:
                await self._ask()
        except (NatsError, TimeoutError) as error:
            if not self._broken:
                log.info("stream.reader_waits", stream=self._stream, error=type(error).__name__)
            self._broken = True
            return False
        return True

    async def _server_is_silent(self) -> bool:
        """Tell whether a server that was asked for messages sends neither these nor heartbeats."""
        if not self._asked or self._heard_s_ago() <= 2.5 * _HEARTBEAT_S:
            return False
        # Perhaps it was this process that stood still, and what came meanwhile lies unread: begun anew, all of it would
        # be fetched once more, and an overloaded gateway have even more to do.
        await asyncio.sleep(_UNREAD_S)
        return self._heard_s_ago() > 2.5 * _HEARTBEAT_S

    def _heard_s_ago(self) -> float:
        return self._clock() - self._heard_at

    async def _reset(self) -> None:
        await self._drop_consumer()
        self.resets += 1
        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=self._received + 1,
            ack_policy=AckPolicy.NONE,
            inactive_threshold=_CONSUMER_KEPT_S,
            mem_storage=True,
            num_replicas=1,
        )
        info = await self._client.jetstream(timeout=_ANSWER_S).add_consumer(self._stream, config)
        self._consumer = info.name
        self._request_subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{info.name}"
        self._delivery, self._asked, self._pending = 0, 0, -1
        self._inbox = self._client.new_inbox()
        self._subscription = await self._client.subscribe(self._inbox)
        self._client.hand_on(self._subscription, self._receive)
        self._heard_at = self._clock()
        self._broken = False

    async def _drop_consumer(self) -> None:
        subscription, self._subscription = self._subscription, None
        consumer, self._consumer = self._consumer, None
        if self._client.is_closed:
            return
        if subscription:
            await subscription.unsubscribe()
        if consumer and self._client.is_connected:
            try:
                await self._client.jetstream(timeout=1.0).delete_consumer(self._stream, consumer)
            except (NotFoundError, NatsError, TimeoutError):
                log.debug("stream.consumer_left", stream=self._stream)

    async def _ask(self) -> None:
        if not self._asked:
            # While the caller was busy with what it had, there was nothing that the server should have said.
            self._heard_at = self._clock()
        self._asked += self._request_size
        request = {
            "batch": self._request_size,
            "max_bytes": _REQUEST_BYTES,
            "expires": int(_REQUEST_S * 1e9),
            "idle_heartbeat": int(_HEARTBEAT_S * 1e9),
        }
        await self._client.publish(self._request_subject, json.dumps(request).encode(), reply=self._inbox)

    def _receive(self, subject: bytes, reply: bytes, payload: bytes, raw_headers: bytes | None) -> bool:
        if self._subscription is None or self._broken:
            return True
        self._heard_at = self._clock()
        if reply.startswith(b"$JS.ACK."):
            self._read(subject, reply, payload, raw_headers)
        else:
            self._read_status(read_headers(raw_headers or b""))
        return True

    def _read(self, subject: bytes, reply: bytes, payload: bytes, raw_headers: bytes | None) -> None:
        sequence, delivery, stored_at, pending = _read_metadata(reply)
        self._asked -= 1
        if delivery != self._delivery + 1 or sequence <= self._received:
            log.warning("stream.delivery_lost", stream=self._stream, expected=self._delivery + 1, got=delivery)
            self.restart()
            return
        if sequence > self._received + 1:
            self._read_gap(sequence)
        self._delivery, self._received, self._pending = delivery, sequence, pending
        # Nearly all have but those that nats-server puts on what comes by MQTT, which say nothing that is needed.
        headers = read_headers(raw_headers) if raw_headers is not None and OWN_HEADERS in raw_headers else {}
        topic = logged_topic(subject.decode(errors="replace"), headers)
        self._buffer.append(Message(topic, payload, stored_at, sequence, RETAINED_HEADER in headers))
        self._arrived.set()

    def _read_status(self, headers: Mapping[str, str]) -> None:
        """Take a request's end, a heartbeat or an error (NATS ADR-13)."""
        status = headers.get("Status", "")
        if status == "100":
            return
        if status in ("408", "409") and "Nats-Pending-Messages" in headers:
            # That much of a request will not be answered any more.
            self._asked = max(0, self._asked - int(headers["Nats-Pending-Messages"]))
        else:
            self._broken = True
        self._arrived.set()

    def _read_gap(self, sequence: int) -> None:
        missing = sequence - self._received - 1
        log.warning("stream.gap", stream=self._stream, missing=missing, after=self._received, next=sequence)


def _read_metadata(reply: bytes) -> tuple[int, int, datetime, int]:
    """Read what JetStream says of a delivery in its reply subject (NATS ADR-15).

    Sequence in the log; the consumer's own count from 1, in which a jump means that one was lost on the way; when it
    was stored; how many messages of the log followed when it was delivered.
    """
    # $JS.ACK.stream.consumer.delivered.sequence.count.time_ns.pending, newer: two more in front, one behind.
    tokens = reply.split(b".")
    at = 5 if len(tokens) == 9 else 7
    sequence, count, nanoseconds, pending = tokens[at : at + 4]
    return int(sequence), int(count), _time(int(nanoseconds)), int(pending)


def _time(nanoseconds: int) -> datetime:
    """The microsecond in which that was: a float holds it until 2255, and this takes a third of adding a timedelta."""
    return datetime.fromtimestamp(nanoseconds // 1_000 / 1e6, UTC)
