"""The relay: messages of a customer's own broker, carried into the log.

A message is acknowledged to the broker once the log has it on disk, and not before, so the broker keeps what the log
has not. Where an acknowledgement is lost with its connection the broker delivers again; what can be recognised then
is not stored twice:

- stamped messages by device, stamp and content, through the log's duplicate window (``identify``);
- others while DUP is set: by packet id and content, or as one that was stored and whose acknowledgement was not sent.

An unstamped duplicate beyond that passes; it changes no level and opens no second case.
"""

import asyncio
import hashlib
import os
import random
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count, groupby, islice
from operator import attrgetter

import structlog
from paho.mqtt.enums import MQTTProtocolVersion

from gateway.ingest.connection import NotPublished, redacted
from gateway.ingest.filters import matches
from gateway.ingest.mqtt_connection import ConnectRefused, Delivery, MqttConnection
from gateway.ingest.relay_settings import RelaySettings, RelayStatus
from gateway.ingest.stream import Stream
from gateway.ingest.writer import NotStored, Stored

log = structlog.get_logger(__name__)

_BATCH = 500
_ANSWER_S = 5.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 30.0
_WELL_AFTER_S = 10.0
_CAUGHT_UP_QUIET_S, _CAUGHT_UP_AT_MOST_S = 1.0, 60.0


class Relay:
    """Carries one broker's messages into the log until cancelled."""

    def __init__(
        self,
        settings: RelaySettings,
        stream: Stream,
        *,
        identify: Callable[[str, bytes], str | None] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Check the settings, without connecting.

        ``identify`` returns for topic and payload what makes a stamped message the same one again (device and stamp),
        None for an unstamped one. Raises RelayRefused.
        """
        self._endpoint = settings.endpoint()
        self._filters = settings.filters()
        self._widened = set(self._filters) - set(settings.topics)
        self._settings = settings
        self._stream = stream
        self._identify = identify
        self._now = now
        self.status = RelayStatus(redacted(settings.url))
        self._log = log.bind(broker=self.status.broker, client_id=settings.client_id)
        self._connection: MqttConnection | None = None
        self._protocol = MQTTProtocolVersion.MQTTv5
        self._subscribed = False
        self._buffer: deque[Delivery] = deque()
        self._buffer_bytes = 0
        self._filled = asyncio.Event()
        self._run_id = os.urandom(6).hex()
        self._numbers = count(1)
        self._settled: OrderedDict[int, bytes] = OrderedDict()
        self._owed: Counter[bytes] = Counter()
        self._connected_at = self._heard_at = 0.0
        self._caught_up = False

    @property
    def catching_up(self) -> bool:
        """Whether what waited at the broker while we were away is still coming in.

        MQTT does not say where that ends: it is taken to end with the first quiet second, or after a minute.
        """
        if self._connection is None or not self._connection.open:
            return False
        if not self._caught_up:
            now = asyncio.get_running_loop().time()
            quiet = now - max(self._heard_at, self._connected_at) > _CAUGHT_UP_QUIET_S
            self._caught_up = quiet or now - self._connected_at > _CAUGHT_UP_AT_MOST_S
        return not self._caught_up or bool(self._buffer)

    async def run(self) -> None:
        """Connect, and carry messages until cancelled; whatever the broker or the log does is waited out."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._stay_connected(), name="relay-connection")
                tasks.create_task(self._carry(), name="relay-carry")
        finally:
            if self._connection:
                await self._connection.close()
            self.status.connected_since = None

    async def publish(self, topic: str, payload: bytes) -> None:
        """Publish to the relayed broker at QoS 1. Raises NotPublished."""
        if self._connection is None or not self._connection.open:
            raise NotPublished(f"{self._settings.client_id}: not connected")
        self._connection.publish(topic, payload)

    async def _stay_connected(self) -> None:
        clock = asyncio.get_running_loop().time
        pause_s = _FIRST_PAUSE_S
        while True:
            began = clock()
            try:
                reason = await self._connect_once()
            except ConnectRefused as error:
                if error.older_protocol and self._protocol is MQTTProtocolVersion.MQTTv5:
                    self._log.info("relay.older_protocol", reason=str(error))
                    self._protocol = MQTTProtocolVersion.MQTTv311
                    continue
                # A broker that was starting may have closed on MQTT 5 too: it gets its chance again.
                self._protocol = MQTTProtocolVersion.MQTTv5
                reason = str(error)
            if clock() - began > _WELL_AFTER_S:
                pause_s = _FIRST_PAUSE_S
            self.status.connected_since = None
            self.status.last_error = reason
            # All relays of a broker that restarts come back at once; jitter spreads them.
            wait_s = pause_s * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
            self._log.warning("relay.not_connected", reason=reason, retry_in_s=round(wait_s, 2))
            await asyncio.sleep(wait_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _connect_once(self) -> str:
        """Connect, subscribe, and return why the connection ended. Raises ConnectRefused."""
        connection = MqttConnection(self._endpoint, self._protocol, self._take)
        self._connection = connection
        try:
            session_kept = await connection.connect()
            status = self.status
            if not session_kept:
                self._lose_session()
            if not session_kept or not self._subscribed or self._protocol is MQTTProtocolVersion.MQTTv5:
                refused = await connection.subscribe(self._filters)
                for topic_filter, reason in refused.items():
                    status.last_error = f"{topic_filter}: {reason}"
                    self._log.error("relay.subscription_refused", topic_filter=topic_filter, reason=reason)
                self._subscribed = True
            if self._owed.total() > 10 * self._settings.receive_maximum:
                self._owed.clear()  # A broker that repeats without setting DUP never calls these in.
            status.connections += 1
            status.connected_since = self._now()
            status.protocol = "MQTT 5" if self._protocol is MQTTProtocolVersion.MQTTv5 else "MQTT 3.1.1"
            self._connected_at = asyncio.get_running_loop().time()
            self._caught_up = False
            if self.status.paused:
                connection.pause()
            self._log.info("relay.connected", protocol=status.protocol, session_kept=session_kept)
            return await connection.wait_ended()
        finally:
            self.status.refused += connection.unreadable
            await connection.close()

    def _lose_session(self) -> None:
        # Nothing of the old session will be delivered again, so nothing may be taken for a repetition of it.
        self._settled.clear()
        self._owed.clear()
        if self.status.connections:
            self.status.sessions_lost += 1
            self._log.warning("relay.session_lost", mend="the broker's session expiry and persistence; docs/brokers.md")

    def _take(self, delivery: Delivery) -> None:
        """Receive one message, on the event loop; stop reading where memory's bound is reached."""
        self.status.received += 1
        self._heard_at = asyncio.get_running_loop().time()
        self._buffer.append(delivery)
        self._buffer_bytes += len(delivery.payload) + len(delivery.topic) + 200
        self.status.backlog = len(self._buffer)
        self._filled.set()
        if self._buffer_bytes > self._settings.buffer_bytes and not self.status.paused:
            self.status.paused = True
            self._log.warning("relay.paused", backlog=len(self._buffer), bytes=self._buffer_bytes)
            delivery.connection.pause()

    async def _carry(self) -> None:
        """Store what was received, in order, and acknowledge it, until cancelled."""
        while True:
            await self._filled.wait()
            # Of one connection: what a later one repeats can be told only once the earlier is stored.
            _, together = next(groupby(islice(self._buffer, _BATCH), key=attrgetter("connection")))
            batch = list(together)
            await self._store(batch)
            for delivery in batch:
                self._buffer.popleft()
                self._buffer_bytes -= len(delivery.payload) + len(delivery.topic) + 200
                self._acknowledge(delivery)
            self.status.backlog = len(self._buffer)
            if not self._buffer:
                self._filled.clear()
            if self.status.paused and self._buffer_bytes < self._settings.buffer_bytes / 2:
                self.status.paused = False
                self._log.info("relay.resumed")
                if self._connection:
                    self._connection.resume()

    async def _store(self, batch: list[Delivery]) -> None:
        """Return once the log has every message of the batch, however long that takes."""
        waiting = [(delivery, self._message_id(delivery)) for delivery in batch if self._is_new(delivery)]
        pause_s = _FIRST_PAUSE_S
        while waiting:
            waiting, reason = await self._try_to_store(waiting)
            if reason:
                if self.status.last_error != reason:
                    self._log.warning("relay.log_unavailable", reason=reason, waiting=len(waiting))
                self.status.last_error = reason
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret
                pause_s = min(pause_s * 2, _ANSWER_S)

    async def _try_to_store(self, waiting: list[tuple[Delivery, str]]) -> tuple[list[tuple[Delivery, str]], str | None]:
        """Send all to the log; return those it did not acknowledge, and why."""
        if not self._stream.connected:
            return waiting, "the log is not connected"
        sent: list[tuple[asyncio.Future[Stored], tuple[Delivery, str]]] = []
        left: list[tuple[Delivery, str]] = []
        reason: str | None = None
        for index, (delivery, message_id) in enumerate(waiting):
            try:
                future = await self._stream.publish(
                    delivery.topic, delivery.payload, message_id=message_id, retained=delivery.retained
                )
            except ValueError as error:
                self.status.refused += 1
                self._log.warning("relay.payload_refused", topic=delivery.topic[:200], reason=str(error))
                continue
            except NotStored as error:
                left, reason = waiting[index:], str(error)
                break
            sent.append((future, (delivery, message_id)))
        if sent:
            await asyncio.wait([future for future, _ in sent], timeout=_ANSWER_S)
        unanswered: list[tuple[Delivery, str]] = []
        for future, item in sent:
            if not future.done():
                future.cancel()
                reason = reason or "the log does not answer"
                unanswered.append(item)
            elif refusal := future.exception():
                reason = reason or str(refusal)
                unanswered.append(item)
            else:
                self.status.stored += not future.result().duplicate
                self.status.duplicates += future.result().duplicate
        return unanswered + left, reason

    def _is_new(self, delivery: Delivery) -> bool:
        """Tell a repeated delivery, which is stored already, from one to store."""
        if self._widened and not any(matches(wanted, delivery.topic) for wanted in self._settings.topics):
            return False
        if not delivery.dup:
            return True
        digest = _digest(delivery)
        if self._settled.get(delivery.mid) == digest:
            self.status.duplicates += 1
            return False
        if self._owed[digest] > 0:
            # Stored before, never acknowledged: the broker gave it a new packet id and delivers it once more.
            self._owed -= Counter((digest,))
            self.status.duplicates += 1
            return False
        return True

    def _message_id(self, delivery: Delivery) -> str:
        """Return the id under which the log knows this message, also when it is sent again for want of an answer."""
        stamped = self._identify(delivery.topic, delivery.payload) if self._identify else None
        if stamped is None:
            return f"{self._run_id}-{next(self._numbers)}"
        return hashlib.blake2b(stamped.encode() + b"\0" + _digest(delivery), digest_size=16).hexdigest()

    def _acknowledge(self, delivery: Delivery) -> None:
        if delivery.qos == 0:
            return
        digest = _digest(delivery)
        if delivery.connection.acknowledge(delivery):
            self.status.acknowledged += 1
            self._settled.pop(delivery.mid, None)
            self._settled[delivery.mid] = digest
            while len(self._settled) > 2 * self._settings.receive_maximum:
                self._settled.popitem(last=False)
        else:
            self.status.stale_acks += 1
            self._owed[digest] += 1


def _digest(delivery: Delivery) -> bytes:
    return hashlib.blake2b(delivery.topic.encode() + b"\0" + delivery.payload, digest_size=16).digest()
