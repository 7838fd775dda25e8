"""MQTT for system tests: a mosquitto that can be killed and restarted, and a publisher that knows what was acked."""

import asyncio
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.servers import free_port, require


class Mosquitto:
    """A mosquitto of the machine on a free port of the loopback, with persistence in ``folder``."""

    def __init__(self, folder: Path, options: Sequence[str] = (), listener_options: Sequence[str] = ()) -> None:
        self._program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin") or require("mosquitto", "mosquitto")
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        lines = [
            f"listener {self.port} 127.0.0.1",
            *listener_options,
            "allow_anonymous true",
            "user root",
            "persistence true",
            f"persistence_location {folder}/",
            # The default of 1,000 drops acknowledged messages of a slow subscriber; docs/brokers.md.
            "max_queued_messages 0",
            *options,
        ]
        self._config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """``mqtt://`` address."""
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it; it listens when this returns."""
        self._process = subprocess.Popen(
            [self._program, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(lambda: _listens(self.port), "mosquitto listens")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it: in order, saving its sessions, or by SIGKILL."""
        if self._process:
            self._process.send_signal(how)
            self._process.wait(10)
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Publisher:
    """A paho client on its own thread that keeps a ledger of what the broker acknowledged."""

    def __init__(self, url: str, client_id: str = "publisher", **login: Any) -> None:
        parts = urlsplit(url)
        self.acked: set[int] = set()
        self._numbers: dict[int, int] = {}
        self._early: set[int] = set()
        self._lock = threading.Lock()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False)
        self._client.reconnect_delay_set(0.05, 0.2)  # type: ignore[arg-type]  # seconds, slept as they are
        self._client.max_inflight_messages_set(100)
        self._client.max_queued_messages_set(0)
        self._client.on_publish = self._published
        if login:
            self._client.username_pw_set(**login)
        self._client.connect(parts.hostname or "", parts.port or 1883)
        self._client.loop_start()

    def publish(self, number: int, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish with QoS 1; ``number`` is in ``acked`` once the PUBACK came."""
        mid = self._client.publish(topic, payload, qos=1, retain=retain).mid
        # Not held while paho publishes: its thread calls _published with a lock of its own held.
        with self._lock:
            if mid in self._early:
                self._early.remove(mid)
                self.acked.add(number)
            else:
                self._numbers[mid] = number

    def _published(self, _client: mqtt.Client, _data: object, mid: int, *_: object) -> None:
        with self._lock:
            if mid in self._numbers:
                self.acked.add(self._numbers.pop(mid))
            else:
                self._early.add(mid)

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


class Subscriber:
    """A paho client on its own thread that keeps what it was sent."""

    def __init__(self, url: str, topic_filter: str, qos: int) -> None:
        parts = urlsplit(url)
        self.messages: list[tuple[str, bytes]] = []
        self._subscribed = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _client, _data, message: self.messages.append(
            (message.topic, bytes(message.payload))
        )
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect(parts.hostname or "", parts.port or 1883)
        self._client.subscribe(topic_filter, qos)
        self._client.loop_start()
        assert self._subscribed.wait(10)

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


def mosquitto_pub(url: str, *arguments: str, payload: bytes | None = None) -> None:
    """Publish by the command-line client, MQTT 3.1.1 unless told otherwise; its failure is ours."""
    parts = urlsplit(url)
    command = [require("mosquitto_pub", "mosquitto-clients"), "-h", parts.hostname or "", "-p", str(parts.port)]
    if payload is not None:
        command.append("-s" if payload else "-n")
    subprocess.run([*command, *arguments], input=payload, check=True, timeout=20)


def wait_until(condition: Callable[[], object], what: str, within_s: float = 15.0) -> None:
    """Return once ``condition`` holds; fail naming ``what`` when it does not within ``within_s``."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.01)


async def eventually(condition: Callable[[], object], what: str, within_s: float = 15.0) -> None:
    """``wait_until`` that lets the event loop run."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        await asyncio.sleep(0.01)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
