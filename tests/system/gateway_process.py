"""``gateway run`` as a process of its own, with a configuration written for one test, and a real SMTP server."""

import json
import signal
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from pathlib import Path
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from gateway.commands import Command, SaveApiToken, Upsert
from gateway.config import load_config
from gateway.control import submit_command
from gateway.web.auth import token_hash
from tests.servers import free_port, require
from tests.system.forked import Forked

TOKEN = "test-token"


def wait_for(condition: Callable[[], Any], what: str, within_s: float = 30.0) -> Any:
    """Return what ``condition`` returns once that is true; fail after ``within_s``."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {within_s} s in vain for {what}")


class MailServer:
    """A real SMTP server that keeps what it accepts."""

    def __init__(self, refuse: str | None = None) -> None:
        self.mails: list[EmailMessage] = []
        self.refuse = refuse
        """What DATA is answered with instead of being accepted."""
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port())

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Keep one mail."""
        if self.refuse is not None:
            return self.refuse
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, policy=modern)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 kept"

    @property
    def url(self) -> str:
        """For ``[notifiers.email] url``."""
        return f"smtp://127.0.0.1:{self._controller.port}"

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()


class GatewayProcess:
    """One gateway on one folder; may be killed and started again."""

    def __init__(self, folder: Path, mail: MailServer, rules: str, extra: str = "") -> None:
        """Write the configuration. ``extra`` is TOML put behind it."""
        self.folder = folder
        self.mqtt_port, self.web_port = free_port(), free_port()
        (folder / "rules.yaml").write_text(rules, encoding="utf-8")
        self.config_file = folder / "gateway.toml"
        self.config_file.write_text(
            f"""
data_dir = "data"
data_budget = "1 GB"
[broker]
listen = "127.0.0.1:{self.mqtt_port}"
[web]
listen = "127.0.0.1:{self.web_port}"
[rules]
paths = ["rules.yaml"]
builtin = false
[brand]
name = "Acme"
[notifiers]
mode = "auto"
[notifiers.email]
url = "{mail.url}"
sender = "Acme Service <service@acme.example>"
{extra}
""",
            encoding="utf-8",
        )
        self.log = folder / "gateway.log"
        self._process: Forked | None = None

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self._process = Forked(["run", "-c", str(self.config_file)], self.log, self.log)
        wait_for(self._ready, "the gateway to be ready", within_s=60)

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text(encoding="utf-8")[-3000:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.web_port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL, as a power cut would end it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM and wait; return its exit status."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=40)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()

    def submit(self, command: Command) -> Any:
        """Run a command as the command line does."""
        return submit_command(load_config(self.config_file, {}), command)

    def register(self, **records: Sequence[Mapping[str, Any]]) -> None:
        """Import records by kind: ``customers=[…], devices=[…]``."""
        for kind, rows in records.items():
            self.submit(Upsert(kind, tuple(rows), by="test"))  # type: ignore[arg-type]

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Read from its database, beside it."""
        connection = sqlite3.connect(f"file:{self.folder / 'data' / 'gateway.sqlite'}?mode=ro", uri=True, timeout=10)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(query)]
        finally:
            connection.close()

    def api(self, path: str) -> Any:
        """GET from its API with a token of role admin."""
        self.submit(SaveApiToken(token_hash(TOKEN), "test", "admin", by="test"))
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.web_port}{path}", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)

    def publish(self, topic: str, payload: Any, *options: str, port: int | None = None) -> None:
        """Publish by mosquitto_pub, QoS 1."""
        text = payload if isinstance(payload, str) else json.dumps(payload)
        mosquitto_pub(port or self.mqtt_port, topic, text, *options)


def mosquitto_pub(port: int, topic: str, payload: str, *options: str) -> None:
    """Publish one message with a real client."""
    program = require("mosquitto_pub", "mosquitto-clients")
    subprocess.run(
        [program, "-h", "127.0.0.1", "-p", str(port), "-q", "1", "-t", topic, "-m", payload, *options],
        check=True,
        timeout=30,
    )
