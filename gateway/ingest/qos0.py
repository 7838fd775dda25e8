"""QoS 0 publishes at the embedded broker, carried into the log.

nats-server stores only QoS 1 and 2 publishes where the log is (log_stream). QoS 0 asks for no guarantee, so a plain
subscription hears those and writes them on: in order, at most once, while the gateway runs.
"""

import asyncio
from contextlib import suppress

import structlog
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, OutboundBufferLimitError
from nats.errors import Error as NatsError

from gateway.ingest.connection import LogClient, connect
from gateway.ingest.topics import QOS0_PREFIX, log_address, topic_of

log = structlog.get_logger(__name__)

_QOS_HEADER = "Nmqtt-Pub"
"""nats-server sets it to the QoS on what comes from an MQTT client (README-MQTT)."""


class Qos0Carrier:
    """Listens to all topics and writes the QoS 0 messages into the log."""

    def __init__(self, nats_url: str) -> None:
        self._url = nats_url
        self._client: LogClient | None = None
        self._connected = asyncio.Event()
        self.carried = 0
        self.dropped = 0
        """Messages lost because they came faster than they could be written, or NATS was away; QoS 0 allows it."""

    async def start(self) -> None:
        """Begin to listen. Raises Unreachable."""
        self._client = await connect(
            self._url, "gateway-qos0", self._came_back, on_dropped=self._drop, on_lost=self._connected.clear
        )
        self._connected.set()
        heard = await self._client.subscribe(
            ">", cb=self._carry, pending_msgs_limit=0, pending_bytes_limit=64 * 1024**2
        )
        self._client.hand_on(heard, _is_in_the_log)
        await self._client.flush()

    async def stop(self) -> None:
        """Stop listening once what was heard is written."""
        client, self._client = self._client, None
        if client is None:
            return
        if client.is_connected:
            await client.drain()
        else:
            await client.close()

    async def _came_back(self) -> None:
        self._connected.set()

    async def connected_again(self, within_s: float) -> None:
        """Wait until the subscription stands at a server that was restarted, or ``within_s`` has passed."""
        client = self._client
        if client is None:
            return
        with suppress(TimeoutError, NatsError):
            async with asyncio.timeout(within_s):
                await self._connected.wait()
                await client.flush()

    async def _carry(self, msg: Msg) -> None:
        # What has no such header is no device's.
        if msg.headers is None or msg.headers.get(_QOS_HEADER) != "0" or self._client is None:
            return
        subject, headers = log_address(QOS0_PREFIX, topic_of(msg.subject))
        try:
            await self._client.publish(subject, msg.data, headers=headers or None)
            self.carried += 1
        except (ConnectionClosedError, OutboundBufferLimitError):
            self._drop()

    def _drop(self) -> None:
        self.dropped += 1
        if self.dropped & (self.dropped - 1) == 0:
            # At 1, 2, 4, 8, …: a flood must not flood the log too.
            log.warning("broker.qos0_dropped", dropped=self.dropped, mend="devices that matter should use QoS 1")


def _is_in_the_log(_subject: bytes, _reply: bytes, _payload: bytes, headers: bytes | None) -> bool:
    """Whether it is the copy of a QoS 1 or 2 publish, as most are: it costs little to leave it here."""
    return headers is not None and (b"Nmqtt-Pub:1" in headers or b"Nmqtt-Pub:2" in headers)
