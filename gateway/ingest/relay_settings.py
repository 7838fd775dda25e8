"""What a relay is told, checked before it connects, and what it tells of itself."""

import ssl
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gateway.errors import StartRefused
from gateway.ingest.connection import redacted
from gateway.ingest.filters import disjoint
from gateway.ingest.mqtt_connection import Endpoint, tls_context

_PORTS = {"mqtt": 1883, "tcp": 1883, "mqtts": 8883, "ssl": 8883}


class RelayRefused(StartRefused):
    """The relay's settings cannot work; the message says which and why."""


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """A customer's broker and what to carry from it."""

    url: str = field(repr=False)
    """``mqtt://host:1883`` or ``mqtts://host:8883``; credentials may stand in it."""
    topics: tuple[str, ...] = ("#",)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: Path | None = None
    """The broker's certificate authority in PEM; None: those the machine trusts."""
    cert: Path | None = None
    """Our client certificate, PEM, with its ``key``."""
    key: Path | None = None
    client_id: str = "proactive-support-gateway"
    """Names our session at the broker: stable, and of one relay only."""
    keepalive_s: int = 30
    receive_maximum: int = 1_000
    """Messages the broker may have under way unacknowledged (MQTT 5; before, the broker's own limit counts)."""
    buffer_bytes: int = 16 * 1024**2
    """Beyond this in memory the socket is not read until the log has caught up."""

    def endpoint(self) -> Endpoint:
        """Return where and as whom to connect. Raises RelayRefused."""
        parts = urlsplit(self.url)
        try:
            port = parts.port
        except ValueError as error:
            raise RelayRefused(f"relay.url: {error}") from error
        if parts.scheme not in _PORTS or not parts.hostname:
            raise RelayRefused(f"relay.url: {redacted(self.url)} is not of the form mqtts://host:8883")
        if not self.client_id:
            raise RelayRefused("relay.client_id: it is empty; the broker keeps our session under it")
        return Endpoint(
            parts.hostname,
            port or _PORTS[parts.scheme],
            self.client_id,
            self.username or (unquote(parts.username) if parts.username else None),
            self.password or (unquote(parts.password) if parts.password else None),
            self._tls() if parts.scheme in ("mqtts", "ssl") else None,
            self.keepalive_s,
            self.receive_maximum,
        )

    def filters(self) -> tuple[str, ...]:
        """Return the topic filters to subscribe to, disjoint. Raises RelayRefused."""
        try:
            return disjoint(self.topics)
        except ValueError as error:
            raise RelayRefused(f"relay.topics: {error}") from error

    def _tls(self) -> ssl.SSLContext:
        if (self.cert is None) != (self.key is None):
            raise RelayRefused("relay: cert and key belong together; set both or neither")
        for name, path in (("ca", self.ca), ("cert", self.cert), ("key", self.key)):
            if path is not None and not path.is_file():
                raise RelayRefused(f"relay.{name}: there is no file {path}")
        try:
            return tls_context(self.ca, self.cert, self.key)
        except ssl.SSLError as error:
            raise RelayRefused(f"relay: ca, cert or key is no good: {error.reason or error}") from error


@dataclass(slots=True)
class RelayStatus:
    """How a relay does, for ``/metrics`` and the console."""

    broker: str
    """Its address, without credentials."""
    connected_since: datetime | None = None
    """None while there is no connection."""
    protocol: str | None = None
    """``MQTT 5`` or ``MQTT 3.1.1``, of the latest connection."""
    received: int = 0
    stored: int = 0
    acknowledged: int = 0
    duplicates: int = 0
    refused: int = 0
    """Messages the log cannot take (too large, a topic that is no UTF-8): acknowledged, logged, gone."""
    stale_acks: int = 0
    """Acknowledgements not sent because their connection had ended; the broker delivers those messages again."""
    connections: int = 0
    sessions_lost: int = 0
    """Reconnects at which the broker knew our session no more: what it held for us meanwhile is lost."""
    backlog: int = 0
    """Messages in memory that the log does not have yet."""
    paused: bool = False
    """The socket is not read because the log does not keep up."""
    last_error: str | None = None
