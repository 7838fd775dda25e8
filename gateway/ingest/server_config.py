"""The configuration of the embedded nats-server: who may listen, connect, publish and subscribe."""

import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.errors import StartRefused
from gateway.ingest.topics import filter_subjects

GATEWAY_USER = "gateway"
QOS0_USER = "gateway-qos0"
ANONYMOUS_DEVICE = "gateway-anonymous-device"
MAX_PAYLOAD_BYTES = 256 * 1024
"""The largest MQTT payload that is taken."""
_HEADER_ROOM_BYTES = 1024
"""nats-server counts its own headers into ``max_payload``: 25 bytes of a device's message, more of the relay's."""
_SESSIONS_BYTES = 512 * 1024**2
"""For MQTT sessions, retained messages and QoS 2 handshakes, beside the log."""
_PRIVATE = ("$JS.>", "$JSC.>", "$NRG.>", "$SYS.>", "$MQTT.>", "$GW.>", "_INBOX.>", "_R_.>", "_GR_.>")
"""Subjects no device may publish on: JetStream's API, the system's, the log's own. ``#`` matches none that begins $."""
_UNHEARD = tuple(subject for subject in _PRIVATE if subject != "$MQTT.>")
"""Subjects no device may subscribe to. nats-server itself keeps clients off ``$MQTT``, where it delivers QoS 1: denied
here as well, a subscription to ``#`` would hear nothing at QoS 1."""


class ListenRefused(StartRefused):
    """The listener would be open to strangers; the message says why and what to set."""


@dataclass(frozen=True, slots=True)
class DeviceLogin:
    """A device's, hub's or application's credentials at the embedded broker."""

    username: str
    password: str = field(repr=False)
    """In the clear, or a bcrypt hash (``$2a$…``)."""
    device_id: str | None = None
    """The device may publish and subscribe below ``devices/<device_id>`` only; None with no ``topics``: everywhere."""
    topics: tuple[str, ...] = ()
    """Further MQTT topic filters it may use, such as ``owntracks/<user>/#`` or a hub's ``zigbee2mqtt/#``."""


@dataclass(frozen=True, slots=True)
class Listener:
    """The MQTT listener."""

    host: str
    port: int
    """0: a free one is picked."""
    tls_cert: Path | None = None
    tls_key: Path | None = None

    @classmethod
    def parse(cls, listen: str, tls_cert: Path | None = None, tls_key: Path | None = None) -> "Listener":
        """Read ``127.0.0.1:1883`` or ``[::1]:1883``. Raises ListenRefused for anything else."""
        host, _, port = listen.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65_535:
            raise ListenRefused(f"broker.listen: '{listen}' is not of the form 127.0.0.1:1883")
        return cls(host.strip("[]"), int(port), tls_cert, tls_key)

    def check(self, logins: Iterable[DeviceLogin]) -> None:
        """Raise ListenRefused where strangers could connect, or where certificate and key do not make a pair."""
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ListenRefused("broker: tls_cert and tls_key belong together; set both or neither")
        for name, path in (("tls_cert", self.tls_cert), ("tls_key", self.tls_key)):
            if path is not None and not path.is_file():
                raise ListenRefused(f"broker.{name}: there is no file {path}")
        if self.is_loopback:
            return
        missing = [
            what
            for what, there in (
                ("no certificate (broker.tls_cert, broker.tls_key)", self.tls_cert is not None),
                ("no logins for the devices ([[broker.logins]])", any(True for _ in logins)),
            )
            if not there
        ]
        if missing:
            raise ListenRefused(
                f"broker.listen: {self.host} can be reached from other machines, and it has "
                f"{' and '.join(missing)}; set what is missing, or listen on 127.0.0.1"
            )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """All that varies between two embedded brokers."""

    listener: Listener
    store_dir: Path
    pid_file: Path
    password: str = field(repr=False)
    """Of the gateway's own NATS users, random for each start."""
    logins: tuple[DeviceLogin, ...] = ()
    log_bytes: int = 4 * 1024**3
    """Upper bound of the log on disk."""
    sync_interval: str = "2m"
    """How often the log is fsynced; ``always``: before each acknowledgement, to survive power loss, 15 times slower."""
    nats_port: int = 0
    devices: bool = True
    """False: no MQTT listener (the first start, which makes the log before a device can publish)."""


def render(config: ServerConfig) -> str:
    """Write nats-server's configuration file. Raises ValueError for a login that cannot be expressed safely."""
    users: list[Mapping[str, Any]] = [
        {"user": GATEWAY_USER, "password": config.password, "allowed_connection_types": ["STANDARD"]},
        {
            "user": QOS0_USER,
            "password": config.password,
            "allowed_connection_types": ["STANDARD"],
            "permissions": {"subscribe": {"allow": [">"], "deny": list(_PRIVATE)}, "publish": {"allow": ["$GW.>"]}},
        },
        *([_anonymous(config.password)] if not config.logins else map(_device, config.logins)),
    ]
    settings: dict[str, Any] = {
        "server_name": "gateway",
        "listen": f"127.0.0.1:{config.nats_port or -1}",
        "pid_file": str(config.pid_file),
        "max_payload": MAX_PAYLOAD_BYTES + _HEADER_ROOM_BYTES,
        "max_pending": 64 * 1024**2,
        "jetstream": {
            "store_dir": str(config.store_dir),
            "max_file_store": config.log_bytes + _SESSIONS_BYTES,
            "max_memory_store": 64 * 1024**2,
            "sync_interval": config.sync_interval,
        },
        "accounts": {"GATEWAY": {"jetstream": "enabled", "users": users}},
    }
    if config.devices:
        settings["mqtt"] = _mqtt(config)
    # nats-server's format is a superset of JSON, so JSON's quoting is safe whatever a name or password holds.
    return json.dumps(settings, indent=2, ensure_ascii=False) + "\n"


def _mqtt(config: ServerConfig) -> dict[str, Any]:
    listener = config.listener
    host = f"[{listener.host}]" if ":" in listener.host else listener.host
    mqtt: dict[str, Any] = {"listen": f"{host}:{listener.port or -1}", "max_ack_pending": 1_000, "ack_wait": "5s"}
    if not config.logins:
        mqtt["no_auth_user"] = ANONYMOUS_DEVICE
    if listener.tls_cert and listener.tls_key:
        mqtt["tls"] = {"cert_file": str(listener.tls_cert), "key_file": str(listener.tls_key)}
    return mqtt


def _anonymous(password: str) -> dict[str, Any]:
    return _user(ANONYMOUS_DEVICE, password, ())


def _device(login: DeviceLogin) -> dict[str, Any]:
    own = () if login.device_id is None else (f"devices/{_checked_id(login.device_id)}/#",)
    filters = own + login.topics
    allowed = [subject for topic_filter in filters for subject in filter_subjects(topic_filter)]
    return _user(login.username, login.password, allowed)


def _user(name: str, password: str, allowed: Sequence[str]) -> dict[str, Any]:
    """Return a user of the MQTT listener; no ``allowed`` subjects means all but the private ones."""
    publish: dict[str, Any] = {"deny": _PRIVATE}
    subscribe: dict[str, Any] = {"deny": _UNHEARD}
    if allowed:
        publish["allow"] = allowed
        subscribe["allow"] = [*allowed, "$MQTT.sub.>"]
    if name in (GATEWAY_USER, QOS0_USER):
        raise ValueError(f"broker.logins: '{name}' is the gateway's own; choose another username")
    return {
        "user": name,
        "password": password,
        # A device's password must not open the NATS listener, where JetStream's API is.
        "allowed_connection_types": ["MQTT", "MQTT_WS"],
        "permissions": {"publish": publish, "subscribe": subscribe},
    }


def _checked_id(device_id: str) -> str:
    if not device_id or any(sign in device_id for sign in "/+#"):
        raise ValueError(f"broker.logins: '{device_id}' cannot be one level of a topic")
    return device_id
