"""One connection to a customer's broker: paho-mqtt, driven by the event loop.

A paho client reconnects by itself and acknowledges on whatever connection is up, while brokers number messages anew
after a restart: a late acknowledgement would take away a message that nobody stored. So a client lives for one
connection here, a delivery knows its connection, and an acknowledgement after the connection's end goes nowhere.
"""

import asyncio
import ssl
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import paho.mqtt.client as mqtt
from paho.mqtt import MQTTException
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.ingest.connection import NotPublished

_CONNECT_S = 10.0
_SESSION_EXPIRY_S = 7 * 24 * 3600
_RETAINED_FOR_NEW_SUBSCRIPTIONS = 1
_FILTERS_AT_ONCE = 8
"""In one SUBSCRIBE; AWS IoT Core closes the connection at more."""


class ConnectRefused(Exception):
    """The broker would not have us, or could not be reached."""

    def __init__(self, reason: str, *, older_protocol: bool = False) -> None:
        """``older_protocol``: MQTT 3.1.1 may be taken where MQTT 5 was not."""
        super().__init__(reason)
        self.older_protocol = older_protocol


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and as whom to connect."""

    host: str
    port: int
    client_id: str
    username: str | None
    password: str | None
    tls: ssl.SSLContext | None
    keepalive_s: int
    receive_maximum: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as the broker handed it over."""

    connection: "MqttConnection"
    mid: int
    qos: int
    dup: bool
    retained: bool
    topic: str
    payload: bytes


class MqttConnection:
    """One connection, from CONNECT to its end."""

    def __init__(self, endpoint: Endpoint, protocol: MQTTProtocolVersion, deliver: Callable[[Delivery], None]) -> None:
        self._endpoint = endpoint
        self._protocol = protocol
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._connected: asyncio.Future[bool] = self._loop.create_future()
        self._subscribed: asyncio.Future[list[ReasonCode]] = self._loop.create_future()
        self._ended: asyncio.Future[str] = self._loop.create_future()
        self._socket: Any = None
        self._reading = False
        self.unreadable = 0
        """Messages whose topic is no UTF-8; acknowledged and left."""
        modern = protocol is MQTTProtocolVersion.MQTTv5
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=endpoint.client_id,
            protocol=protocol,
            manual_ack=True,
            # MQTT 5 says it in CONNECT's flags (clean_start), below.
            clean_session=None if modern else False,
        )
        if endpoint.username is not None:
            client.username_pw_set(endpoint.username, endpoint.password)
        if endpoint.tls is not None:
            client.tls_set_context(endpoint.tls)
        client.connect_timeout = _CONNECT_S
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        self._client = client

    @property
    def open(self) -> bool:
        """Whether the connection stands."""
        return self._connected.done() and not self._ended.done()

    async def connect(self) -> bool:
        """Connect; return whether the broker kept our session. Raises ConnectRefused."""
        try:
            async with asyncio.timeout(2 * _CONNECT_S):
                # Name resolution, TCP and TLS block in paho.
                await asyncio.to_thread(self._dial)
                self._attach()
                await self._until(self._connected)
        except ssl.SSLCertVerificationError as error:
            raise ConnectRefused(f"TLS: the broker's certificate is not trusted: {error.verify_message}") from error
        except ssl.SSLError as error:
            raise ConnectRefused(f"TLS: {error.reason or error}") from error
        except TimeoutError as error:
            raise ConnectRefused("no answer") from error
        except OSError as error:
            raise ConnectRefused(error.strerror or str(error)) from error
        finally:
            if not self._connected.done() or self._connected.exception() is not None:
                self._close_socket()
        if not self._connected.done():
            if not self._ended.done():
                raise ConnectRefused("no answer to CONNECT")
            raise ConnectRefused(f"closed without an answer: {self._ended.result()}", older_protocol=True)
        return self._connected.result()

    async def subscribe(self, filters: Sequence[str]) -> dict[str, str]:
        """Subscribe at QoS 1; return the refused filters with the broker's reason. Raises ConnectRefused."""
        refused: dict[str, str] = {}
        for start in range(0, len(filters), _FILTERS_AT_ONCE):
            some = filters[start : start + _FILTERS_AT_ONCE]
            reasons = await self._subscribe_some(some)
            refused |= {name: str(reason) for name, reason in zip(some, reasons, strict=False) if reason.is_failure}
        return refused

    async def _subscribe_some(self, filters: Sequence[str]) -> list[ReasonCode]:
        answer: asyncio.Future[list[ReasonCode]] = self._loop.create_future()
        self._subscribed = answer
        if self._protocol is MQTTProtocolVersion.MQTTv5:
            options = SubscribeOptions(qos=1, retainHandling=_RETAINED_FOR_NEW_SUBSCRIPTIONS)
            self._client.subscribe([(topic_filter, options) for topic_filter in filters])
        else:
            self._client.subscribe([(topic_filter, 1) for topic_filter in filters])
        await self._until(answer)
        if not answer.done():
            raise ConnectRefused("no answer to SUBSCRIBE")
        return answer.result()

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 1, without waiting for the acknowledgement. Raises NotPublished."""
        sent = self._client.publish(topic, payload, qos=1)
        if sent.rc is not mqtt.MQTT_ERR_SUCCESS:
            raise NotPublished(mqtt.error_string(sent.rc))

    async def wait_ended(self) -> str:
        """Return why the connection ended, once it has."""
        return await asyncio.shield(self._ended)

    def acknowledge(self, delivery: Delivery) -> bool:
        """Acknowledge on this connection; False where it has ended, and the broker will deliver again."""
        if not self.open:
            return False
        if delivery.qos == 0:
            return True
        return self._client.ack(delivery.mid, delivery.qos) == mqtt.MQTT_ERR_SUCCESS

    def pause(self) -> None:
        """Stop reading: what the broker still sends waits in its and the kernel's buffers."""
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._socket)

    def resume(self) -> None:
        """Read again."""
        if not self._reading and self._socket is not None and not self._ended.done():
            self._reading = True
            self._loop.add_reader(self._socket, self._readable)
            # TLS may hold decrypted bytes of which the socket says nothing.
            self._loop.call_soon(self._readable)

    async def close(self) -> None:
        """Take leave in order; the broker keeps the session."""
        if self.open:
            self._client.disconnect()
            self._flush()
        self._close_socket()
        if not self._ended.done():
            self._ended.set_result("closed")

    async def _until(self, answer: asyncio.Future[Any]) -> None:
        """Wait for an answer, the connection's end, or the end of patience."""
        waited: set[asyncio.Future[Any]] = {answer, self._ended}
        await asyncio.wait(waited, timeout=_CONNECT_S, return_when=asyncio.FIRST_COMPLETED)

    def _dial(self) -> None:
        endpoint = self._endpoint
        if self._protocol is not MQTTProtocolVersion.MQTTv5:
            self._client.connect(endpoint.host, endpoint.port, endpoint.keepalive_s)
            return
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = _SESSION_EXPIRY_S
        properties.ReceiveMaximum = endpoint.receive_maximum
        self._client.connect(
            endpoint.host, endpoint.port, endpoint.keepalive_s, clean_start=False, properties=properties
        )

    def _attach(self) -> None:
        """Hand the socket to the event loop; from here on paho runs on this thread alone."""
        client = self._client
        self._socket = client.socket()
        if self._socket is None:
            raise ConnectionResetError("closed during CONNECT")
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = self._on_register_write
        client.on_socket_unregister_write = self._on_unregister_write
        self._reading = True
        self._loop.add_reader(self._socket, self._readable)
        self._loop.call_later(1.0, self._tick)
        self._flush()

    def _tick(self) -> None:
        if not self._ended.done():
            self._client.loop_misc()
            self._loop.call_later(1.0, self._tick)

    def _readable(self) -> None:
        try:
            self._client.loop_read()
            # paho reads one packet a call. A TLS record may hold more, and select() knows nothing of those.
            while self._reading and self._endpoint.tls and self._socket is not None and self._socket.pending():
                self._client.loop_read()
        except (MQTTException, ValueError, IndexError, struct.error) as error:
            self._close_socket()
            self._end(f"malformed packet: {type(error).__name__}")

    def _flush(self) -> None:
        if self._client.want_write():
            self._client.loop_write()

    def _close_socket(self) -> None:
        connection, self._socket = self._socket, None
        if connection is not None and connection.fileno() >= 0:
            self._loop.remove_reader(connection)
            self._loop.remove_writer(connection)
            self._reading = False
            connection.close()

    def _end(self, reason: str) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)

    def _on_connect(self, _client: object, _data: object, flags: Any, reason: ReasonCode, _properties: object) -> None:
        if self._connected.done():
            return
        if reason.is_failure:
            older = reason.getName() == "Unsupported protocol version"
            self._connected.set_exception(ConnectRefused(str(reason), older_protocol=older))
        else:
            self._connected.set_result(bool(flags.session_present))

    def _on_subscribe(
        self, _client: object, _data: object, _mid: int, reasons: list[ReasonCode], _properties: object
    ) -> None:
        if not self._subscribed.done():
            self._subscribed.set_result(reasons)

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            # MQTT forbids it [MQTT-1.5.4-1]; a broker that lets it through would do so for ever.
            self.unreadable += 1
            self._client.ack(message.mid, message.qos)
            return
        self._deliver(
            Delivery(self, message.mid, message.qos, message.dup, message.retain, topic, cast("bytes", message.payload))
        )

    def _on_disconnect(
        self, _client: object, _data: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        self._end(str(reason))

    def _on_socket_close(self, _client: object, _data: object, connection: Any) -> None:
        self._loop.remove_reader(connection)
        self._loop.remove_writer(connection)
        self._reading = False
        self._socket = None

    def _on_register_write(self, _client: object, _data: object, connection: Any) -> None:
        self._loop.add_writer(connection, self._client.loop_write)

    def _on_unregister_write(self, _client: object, _data: object, connection: Any) -> None:
        self._loop.remove_writer(connection)


def tls_context(ca: Path | None, cert: Path | None, key: Path | None) -> ssl.SSLContext:
    """Return a context that verifies the broker's name and chain. Raises OSError for files that are no good."""
    context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    if cert is not None:
        context.load_cert_chain(str(cert), None if key is None else str(key))
    return context
