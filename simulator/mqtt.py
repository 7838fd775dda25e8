"""Real MQTT connections for the fleet: one client a product, each with its own will, all on the running event loop.

paho's own thread a client would make sixty; its external-loop interface lets one event loop watch all sockets.
MQTT 3.1.1, QoS 1, clean sessions; what could not be sent waits in the client, bounded, as in a product's memory.
"""

import asyncio
import contextlib
import math
import socket
import ssl
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from simulator.machines.base import Link, Publish

log = structlog.get_logger(__name__)

_KEEPALIVE_S = 30
_HOUSEKEEPING_S = 0.5
_LONGEST_BACKOFF_S = 15.0
_ANSWER_S = 10.0
"""Brokers answer a CONNECT within a round trip; one that has not by now never will."""
_REMEMBERED = 2_000
_CONNECTS_AT_ONCE = 8
_REFUSALS = ("Not authorized", "Bad user name or password", "Client identifier not valid")


class BrokerRefusedError(Exception):
    """The broker answered and does not want us: credentials or permissions. Trying again cannot help."""


class BrokerUrlError(ValueError):
    """The broker's URL cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where to connect and as whom."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: str | None = None

    @classmethod
    def at(cls, url: str, username: str | None = None, password: str | None = None, ca: str | None = None) -> "Broker":
        """Read ``mqtt://host[:1883]`` or ``mqtts://host[:8883]``; user and password may stand in it.

        Raises BrokerUrlError.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise BrokerUrlError("write the broker as mqtt://host:1883 or mqtts://host:8883")
        try:
            port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
        except ValueError as error:
            raise BrokerUrlError(f"the broker's port is not a number up to 65535: {error}") from error
        return cls(
            parts.hostname, port, parts.scheme == "mqtts", username or parts.username, password or parts.password, ca
        )

    def client(self, client_id: str) -> paho.Client:
        """Return an unconnected client with these credentials."""
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv311)
        client.max_inflight_messages_set(100)
        if self.username is not None:
            client.username_pw_set(self.username, self.password)
        if self.tls:
            client.tls_set_context(ssl.create_default_context(cafile=self.ca))
        return client


@dataclass(slots=True)
class Traffic:
    """How much was said."""

    published: int = 0
    acknowledged: int = 0
    dropped: int = 0
    """Oldest first, where a product was cut off for longer than its memory lasts."""
    reconnects: int = 0


@dataclass(frozen=True, slots=True)
class Listener:
    """Who wants to hear what is published on a topic."""

    topic: str
    heard: Callable[[bytes], None]


class Connection:
    """One client on the event loop: watches its socket, keeps it alive, connects again when it should be up."""

    def __init__(
        self,
        broker: Broker,
        link: Link,
        traffic: Traffic,
        refused: Callable[[str], None],
        changed: Callable[[], None],
        listener: Listener | None = None,
    ) -> None:
        self.link = link
        self.up = False
        self.wanted = True
        self.unacknowledged = 0
        self._listener = listener
        self._broker = broker
        self._traffic = traffic
        self._refused = refused
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._memory: deque[tuple[str, bytes, bool]] = deque()
        self._trying = False
        self._answer_by = math.inf
        self._failures = 0
        self._not_before = 0.0
        self._ever_up = False
        self._client = broker.client(link.client_id)
        if link.will_topic is not None:
            self._client.will_set(link.will_topic, link.will, qos=1, retain=link.will_retained)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        self._client.on_socket_open = self._on_socket_open
        self._client.on_socket_close = self._on_socket_close
        self._client.on_socket_register_write = self._on_socket_register_write
        self._client.on_socket_unregister_write = self._on_socket_unregister_write

    @property
    def closed(self) -> bool:
        """Whether there is no socket."""
        return self._client.socket() is None

    @property
    def due(self) -> bool:
        """Whether it should connect now."""
        return self.wanted and self.closed and not self._trying and self._loop.time() >= self._not_before

    def publish(self, topic: str, payload: bytes, retain: bool) -> None:
        """Publish with QoS 1; kept, the newest up to a bound, while the connection is down."""
        self._traffic.published += 1
        if self.up:
            self._send(topic, payload, retain)
            return
        # paho's own queue would let a PUBLISH overtake the CONNECT of a socket that is just being opened.
        self._memory.append((topic, payload, retain))
        if len(self._memory) > _REMEMBERED:
            self._memory.popleft()
            self._traffic.dropped += 1

    async def connect(self) -> None:
        """Try once to connect; a failure sets the time of the next try."""
        self._trying = True
        try:
            await asyncio.to_thread(self._client.connect, self._broker.host, self._broker.port, _KEEPALIVE_S)
            self._answer_by = self._loop.time() + _ANSWER_S
        except OSError as error:
            self._back_off()
            log.debug("simulator.connect_failed", client_id=self.link.client_id, error=type(error).__name__)
        finally:
            self._trying = False

    def keep(self) -> None:
        """Send the ping that is due; give up on a broker that does not answer."""
        if self.closed or self._trying:
            return
        self._client.loop_misc()
        if not self.up and self._loop.time() > self._answer_by:
            self.cut()

    def cut(self) -> None:
        """Lose the connection as a product without power does: no DISCONNECT, so the broker publishes the will."""
        sock = self._client.socket()
        if isinstance(sock, socket.socket):
            # Closing alone would leave the loop watching a dead descriptor; a socket that is shut down reads as closed.
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def disconnect(self) -> None:
        """Say goodbye; the broker drops the will."""
        self.wanted = False
        self._client.disconnect()

    def _on_connect(self, _c: Any, _u: Any, _flags: Any, reason: ReasonCode, _props: Any) -> None:
        if reason.is_failure:
            if reason.getName() in _REFUSALS:
                self._refused(f"the broker refuses {self.link.client_id}: {reason.getName().lower()}")
            return
        self.up, self._failures = True, 0
        self._traffic.reconnects += self._ever_up
        self._ever_up = True
        for topic, payload, retain in self.link.birth:
            self.publish(topic, payload, retain)
        while self._memory:
            self._send(*self._memory.popleft())
        if self._listener is not None:
            self._client.subscribe(self._listener.topic, qos=1)
        self._changed()

    def _send(self, topic: str, payload: bytes, retain: bool) -> None:
        self.unacknowledged += 1
        self._client.publish(topic, payload, qos=1, retain=retain)

    def _on_disconnect(self, _c: Any, _u: Any, _flags: Any, _reason: Any, _props: Any) -> None:
        self.up = False
        self._back_off()
        self._changed()

    def _on_publish(self, _c: Any, _u: Any, _mid: Any, _reason: Any, _props: Any) -> None:
        self._traffic.acknowledged += 1
        self.unacknowledged -= 1
        self._changed()

    def _on_message(self, _c: Any, _u: Any, message: paho.MQTTMessage) -> None:
        if self._listener is not None:
            self._listener.heard(bytes(message.payload))

    def _back_off(self) -> None:
        self._failures += 1
        # Sixty products that all lost one broker come back spread out, each by its own name.
        share = 0.5 + zlib.crc32(self.link.client_id.encode()) % 100 / 100
        self._not_before = self._loop.time() + min(_LONGEST_BACKOFF_S, 0.25 * 2**self._failures) * share

    # paho calls the first and the third of these also from the thread that runs connect().

    def _on_socket_open(self, _c: Any, _u: Any, sock: Any) -> None:
        self._in_loop(self._loop.add_reader, sock.fileno(), self._client.loop_read)

    def _on_socket_close(self, _c: Any, _u: Any, sock: Any) -> None:
        self._loop.remove_reader(sock.fileno())

    def _on_socket_register_write(self, _c: Any, _u: Any, sock: Any) -> None:
        self._in_loop(self._loop.add_writer, sock.fileno(), self._client.loop_write)

    def _on_socket_unregister_write(self, _c: Any, _u: Any, sock: Any) -> None:
        self._in_loop(self._loop.remove_writer, sock.fileno())

    def _in_loop(self, call: Callable[..., object], *args: Any) -> None:
        if threading.get_ident() == self._thread:
            call(*args)
        else:
            self._loop.call_soon_threadsafe(call, *args)


class Connections:
    """All connections of a fleet; ``async with`` connects them and says goodbye at the end."""

    def __init__(self, broker: Broker, links: Mapping[str, Link], listeners: Mapping[str, Listener]) -> None:
        self.traffic = Traffic()
        self._changed = asyncio.Event()
        self._refusal: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._connections = {
            name: Connection(broker, link, self.traffic, self._refuse, self._changed.set)
            for name, link in links.items()
        }
        self._listening = [
            Connection(broker, Link(name), self.traffic, self._refuse, self._changed.set, listener)
            for name, listener in listeners.items()
        ]
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep(), name="simulator-connections")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(TimeoutError):
            await self.acknowledged(5.0)
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        for connection in self._all:
            connection.disconnect()
        with contextlib.suppress(TimeoutError):
            await self._until(lambda: not any(connection.up for connection in self._all), 2.0)
        if self._refusal.done():
            self._refusal.exception()

    @property
    def _all(self) -> list[Connection]:
        return [*self._connections.values(), *self._listening]

    @property
    def up(self) -> set[str]:
        """Client ids that are connected now."""
        return {name for name, connection in self._connections.items() if connection.up}

    def publish(self, messages: Iterable[Publish]) -> None:
        """Hand messages to their connections. Raises BrokerRefusedError once the broker has refused one of them."""
        if self._refusal.done():
            self._refusal.result()
        for message in messages:
            self._connections[message.link].publish(message.topic, message.payload, message.retain)

    def power(self, up: set[str]) -> None:
        """Cut connections that lost power; let the others connect."""
        for name, connection in self._connections.items():
            wanted = name in up
            if connection.wanted and not wanted:
                connection.cut()
            connection.wanted = wanted

    async def acknowledged(self, within_s: float) -> None:
        """Wait until the broker has acknowledged all that connected products sent. Raises TimeoutError."""
        await self._until(
            lambda: not any(connection.up and connection.unacknowledged for connection in self._connections.values()),
            within_s,
        )

    async def deliver(self, client_id: str, topic: str, payload: bytes, within_s: float) -> None:
        """Publish one message as ``client_id`` and wait for its acknowledgement.

        Raises TimeoutError, or BrokerRefusedError.
        """
        connection = self._connections[client_id]
        connection.publish(topic, payload, retain=False)
        await self._until(lambda: self._refusal.done() or (connection.up and not connection.unacknowledged), within_s)
        if self._refusal.done():
            self._refusal.result()

    async def _until(self, holds: Callable[[], bool], within_s: float) -> None:
        async with asyncio.timeout(within_s):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def _refuse(self, why: str) -> None:
        if not self._refusal.done():
            self._refusal.set_exception(BrokerRefusedError(why))
            self._changed.set()

    async def _keep(self) -> None:
        slots = asyncio.Semaphore(_CONNECTS_AT_ONCE)
        trying: set[Connection] = set()

        async def connect(connection: Connection) -> None:
            async with slots:
                await connection.connect()
            trying.discard(connection)

        async with asyncio.TaskGroup() as tasks:
            while True:
                for connection in self._all:
                    connection.keep()
                    if connection.due and connection not in trying:
                        trying.add(connection)
                        tasks.create_task(connect(connection))
                await asyncio.sleep(_HOUSEKEEPING_S)
