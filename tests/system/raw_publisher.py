"""An MQTT 3.1.1 publisher that resends in the original order, as the standard demands: QoS 1, a window.

paho resends in order too, but a message that another thread publishes between its reconnect and the CONNACK may
overtake the resent ones. A ledger that counts each device's messages needs a client that never does.
"""

import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

_CONNECT, _CONNACK, _PUBLISH, _PUBACK = 0x10, 0x20, 0x30, 0x40
_QOS1, _DUP = 0x02, 0x08
_MIDS = 65535


@dataclass
class RawPublisher:
    """Publishes from one thread over one connection, which it takes up again whenever it breaks."""

    port: int
    client_id: str
    window: int = 200
    acked: int = 0
    """How many of the messages given to ``publish`` are acknowledged; PUBACKs come in order (MQTT-4.6.0-2)."""
    resent: int = 0
    _unacked: deque[tuple[str, bytes]] = field(default_factory=deque)
    _first: int = 0
    """Number of the first of ``_unacked``."""
    _socket: socket.socket | None = None
    _received: bytes = b""

    def publish(self, messages: Iterable[tuple[str, bytes]], on_progress: Callable[[int], None]) -> None:
        """Publish all, in order, and return once the last one is acknowledged; ``on_progress`` hears how many are."""
        waiting = iter(messages)
        more = True
        while more or self._unacked:
            try:
                self._be_connected()
                while more and len(self._unacked) < self.window:
                    message = next(waiting, None)
                    if message is None:
                        more = False
                        break
                    self._unacked.append(message)
                    self._send(self._first + len(self._unacked) - 1, *message)
                if self._unacked:
                    self._read_pubacks()
            except OSError:
                self.close()
                time.sleep(0.02)  # nobody listens: a broker that restarts
            on_progress(self.acked)

    def close(self) -> None:
        """Let go of the connection."""
        if self._socket:
            self._socket.close()
            self._socket = None

    def _be_connected(self) -> None:
        if self._socket:
            return
        self._socket, self._received = socket.create_connection(("127.0.0.1", self.port), timeout=5), b""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        name = self.client_id.encode()
        self._socket.sendall(
            _packet(_CONNECT, b"\x00\x04MQTT\x04\x00" + struct.pack("!H", 0) + struct.pack("!H", len(name)) + name)
        )
        kind, body = self._next_packet()
        if kind != _CONNACK or body[1] != 0:
            raise ConnectionError(f"refused with {body.hex()}")
        for offset, message in enumerate(self._unacked):
            self._send(self._first + offset, *message, again=True)
            self.resent += 1

    def _send(self, number: int, topic: str, payload: bytes, *, again: bool = False) -> None:
        assert self._socket is not None
        name = topic.encode()
        head = _PUBLISH | _QOS1 | (_DUP if again else 0)
        body = struct.pack("!H", len(name)) + name + struct.pack("!H", number % _MIDS + 1) + payload
        self._socket.sendall(_packet(head, body))

    def _read_pubacks(self) -> None:
        """Take the PUBACKs that have come, at least one."""
        while True:
            kind, body = self._next_packet()
            assert kind == _PUBACK
            [mid] = struct.unpack("!H", body)
            assert mid == self._first % _MIDS + 1, "PUBACKs are out of order"
            self._unacked.popleft()
            self._first += 1
            self.acked += 1
            if not self._received:
                return

    def _next_packet(self) -> tuple[int, bytes]:
        """CONNACK and PUBACK alone: two bytes of header, two of body."""
        assert self._socket is not None
        while len(self._received) < 4:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("the broker closed the connection")
            self._received += data
        packet, self._received = self._received[:4], self._received[4:]
        return packet[0], packet[2:]


def _packet(head: int, body: bytes) -> bytes:
    length, left = b"", len(body)
    while True:
        left, digit = divmod(left, 128)
        length += bytes([digit | (0x80 if left else 0)])
        if not left:
            return bytes([head]) + length + body
