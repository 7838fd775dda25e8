"""The gateway that is measured: ``gateway run`` as a process, with its broker, its store on disk and a mail server."""

import asyncio
import os
import signal
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import aiohttp
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from gateway.bench import fleet as bench_fleet
from gateway.bench.fleet import Fleet
from gateway.config import load_config
from gateway.control import submit_command

_START_S = 60.0
_POLL_S = 0.001
"""How often the store is looked at: a commit is seen so much later at the most."""


class MailSink:
    """A real SMTP server on loopback that notes when it had each mail."""

    def __init__(self) -> None:
        self.received_at: dict[str, float] = {}
        """Epoch seconds of each recipient's first mail."""
        self._another = threading.Condition()
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port())

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._controller.port
        return port

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Take one mail; aiosmtpd calls this with its last line read."""
        with self._another:
            self.received_at.setdefault(envelope.rcpt_tos[0], time.time())
            self._another.notify_all()
        return "250 taken"

    async def until(self, recipients: int, within_s: float = 60.0) -> None:
        """Wait until so many have had a mail. Raises TimeoutError."""

        def wait() -> bool:
            with self._another:
                return self._another.wait_for(lambda: len(self.received_at) >= recipients, within_s)

        if not await asyncio.to_thread(wait):
            raise TimeoutError(f"{recipients - len(self.received_at)} mails did not come within {within_s:g} s")

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()


class Subject:
    """A running gateway and what can be seen of it from outside."""

    def __init__(self, folder: Path, sink: MailSink) -> None:
        self.mqtt_port, self._web_port = free_port(), free_port()
        self._folder = folder
        self._config_file = folder / "gateway.toml"
        self._config_file.write_text(bench_fleet.config(self.mqtt_port, self._web_port, sink.port), encoding="utf-8")
        (folder / "rules.yaml").write_text(bench_fleet.RULES, encoding="utf-8")
        self._process: asyncio.subprocess.Process | None = None

    @property
    def web_url(self) -> str:
        """Where its console is."""
        return f"http://127.0.0.1:{self._web_port}"

    async def start(self, fleet: Fleet) -> None:
        """Start it and register the fleet. Raises RuntimeError where it does not start."""
        for records in fleet.records():
            await asyncio.to_thread(submit_command, load_config(self._config_file, {}), records)
        with (self._folder / "gateway.log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gateway", "run", "-c", str(self._config_file), stdout=log, stderr=log
            )
        deadline = time.monotonic() + _START_S
        async with aiohttp.ClientSession() as session:
            while not await self._is_ready(session):
                if self._process.returncode is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the gateway does not start; see {self._folder / 'gateway.log'}")
                await asyncio.sleep(0.1)

    async def _is_ready(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"{self.web_url}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def stop(self) -> None:
        """Stop it in order."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            await self._process.wait()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop its process (SIGSTOP) while its broker goes on: the log fills."""
        assert self._process is not None  # noqa: S101 - started
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def cpu_s(self) -> float:
        """Processor time of its process so far, without its broker's. NaN where there is no /proc."""
        assert self._process is not None  # noqa: S101 - started
        return _cpu_s(self._process.pid)

    def broker_cpu_s(self) -> float:
        """Its broker's so far. NaN where there is no /proc."""
        assert self._process is not None  # noqa: S101 - started
        pid = self._process.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        except OSError:
            return float("nan")
        return sum(_cpu_s(int(child)) for child in children)

    async def until_recorded(self, sequence: int, within_s: float = 300.0) -> float:
        """Wait until the history has what the log holds up to ``sequence``; return when, in epoch seconds.

        Raises TimeoutError.
        """

        def wait() -> float:
            database = f"file:{self._folder / 'data' / 'history.sqlite'}?mode=ro"
            connection = sqlite3.connect(database, uri=True, timeout=10)
            deadline = time.monotonic() + within_s
            try:
                while time.monotonic() < deadline:
                    row = connection.execute("SELECT sequence FROM recorded").fetchone()
                    if row is not None and row[0] >= sequence:
                        return time.time()
                    time.sleep(0.02)
            finally:
                connection.close()
            raise TimeoutError(f"the history did not reach position {sequence} within {within_s:g} s")

        return await asyncio.to_thread(wait)

    @contextmanager
    def watched(self) -> Iterator["Watch"]:
        """Note when each position was committed while the block runs."""
        watch = Watch(self._folder / "data" / "gateway.sqlite")
        watch.start()
        try:
            yield watch
        finally:
            watch.end()


class Watch(threading.Thread):
    """Looks at the committed position, as any reader of the store would see it."""

    def __init__(self, database: Path) -> None:
        super().__init__(name="watch", daemon=True)
        self._database = database
        self._over = threading.Event()
        self.commits: list[tuple[float, int]] = []
        """(epoch seconds at which it was seen, sequence), the first as it stood."""
        self._moved = threading.Condition()

    def start(self) -> None:
        """Begin, and return when the present position is known."""
        super().start()
        with self._moved:
            self._moved.wait_for(lambda: self.commits, timeout=10)

    def run(self) -> None:
        """Poll until told to end."""
        connection = sqlite3.connect(f"file:{self._database}?mode=ro", uri=True, timeout=10)
        try:
            while not self._over.wait(_POLL_S):
                [sequence] = connection.execute("SELECT sequence FROM positions").fetchone()
                if not self.commits or sequence != self.commits[-1][1]:
                    with self._moved:
                        self.commits.append((time.time(), sequence))
                        self._moved.notify_all()
        finally:
            connection.close()

    def end(self) -> None:
        """Stop polling."""
        self._over.set()
        self.join()

    @property
    def sequence(self) -> int:
        """The newest position seen."""
        return self.commits[-1][1]

    async def until(self, sequence: int, within_s: float = 300.0) -> float:
        """Wait until ``sequence`` is committed; return when, in epoch seconds. Raises TimeoutError."""

        def wait() -> bool:
            with self._moved:
                return self._moved.wait_for(lambda: self.sequence >= sequence, within_s)

        if not await asyncio.to_thread(wait):
            raise TimeoutError(f"position {sequence} was not committed within {within_s:g} s; it is {self.sequence}")
        return next(at for at, reached in self.commits if reached >= sequence)

    def committed_at(self, first: int, count: int) -> list[float]:
        """When each of ``count`` positions from ``first`` on was seen to be committed."""
        times: list[float] = []
        for at, reached in self.commits:
            while len(times) < count and first + len(times) <= reached:
                times.append(at)
        return times


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Return a port of the loopback that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
