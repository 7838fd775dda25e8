"""The embedded broker: nats-server as a supervised child, with its MQTT listener and the log."""

import asyncio
import random
import re
import secrets
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import structlog

from gateway.ending import end
from gateway.errors import StartRefused
from gateway.ingest import child
from gateway.ingest.connection import Unreachable, connect
from gateway.ingest.log_stream import LogSettings, embedded, ensure
from gateway.ingest.qos0 import Qos0Carrier
from gateway.ingest.readiness import CLIENT_ID, await_connack
from gateway.ingest.server_config import GATEWAY_USER, QOS0_USER, DeviceLogin, Listener, ServerConfig, render
from gateway.ingest.server_log import Repeats, read_line

log = structlog.get_logger(__name__)

_START_S = 30.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
_SETTLED_S = 10.0
"""A child that ran this long was well: the next restart is not held back for what happened before."""
_DISK_LOOK_S = 2.0
_DISK_RESERVE_BYTES = 32 * 1024**2
_LISTENS = re.compile(r"Listening for (?P<who>MQTT clients|client connections) on (?:\w+://)?.*:(?P<port>\d+)$")


class BrokerFailed(StartRefused):
    """The embedded broker does not start; the message has what it said."""


@dataclass(frozen=True, slots=True)
class BrokerAddresses:
    """Where the embedded broker listens."""

    mqtt_url: str
    """``mqtt://`` or ``mqtts://``, for devices."""
    nats_url: str
    """With the gateway's own password: for this process and its workers, never for a log."""


class EmbeddedBroker:
    """nats-server as a child of this process: restarted when it dies, stopped when this process ends.

    Of one ``data_dir`` one at a time: the folder is locked, and what a killed gateway left running is stopped first.
    ``start`` from the main thread: Linux ties the child's life to the thread that started it.
    """

    def __init__(
        self,
        data_dir: Path,
        listen: str = "127.0.0.1:1883",
        *,
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
        logins: tuple[DeviceLogin, ...] = (),
        log_bytes: int = 4 * 1024**3,
        sync_interval: str = "2m",
        on_restart: Callable[[], None] | None = None,
    ) -> None:
        """Prepare, without touching disk or network.

        Args:
            data_dir: the gateway's folder; the broker lives below its ``broker``.
            listen: ``host:port`` for MQTT; port 0 picks a free one.
            logins: the devices' credentials; without any, every client of this machine may connect.
            log_bytes: bound of the log on disk.
            sync_interval: how often the log is fsynced (``2m``), or ``always``.
            on_restart: called after a child that died was replaced.
        Raises ListenRefused for a listener that strangers could reach, ValueError for a login that is no good.
        """
        listener = Listener.parse(listen, tls_cert and tls_cert.absolute(), tls_key and tls_key.absolute())
        listener.check(logins)
        self._folder = data_dir.absolute() / "broker"
        self._config_file = self._folder / "nats-server.conf"
        self._config = ServerConfig(
            listener,
            self._folder / "store",
            self._folder / "nats-server.pid",
            secrets.token_urlsafe(24),
            logins,
            log_bytes,
            sync_interval,
        )
        render(self._config)
        self.log_settings: LogSettings = embedded(log_bytes)
        """What ``Stream.open`` needs beside ``BrokerAddresses.nats_url``."""
        self.restarts = 0
        self._on_restart = on_restart
        self._held = ExitStack()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._carrier: Qos0Carrier | None = None
        self._ports: dict[str, int] = {}
        self._last_words: list[str] = []
        self._disk_full = asyncio.Event()
        self._repeats = Repeats(60.0, asyncio.get_running_loop().time)

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is none."""
        return self._process.pid if self._process and self._process.returncode is None else None

    @property
    def qos0_dropped(self) -> int:
        """QoS 0 messages that could not be carried into the log."""
        return self._carrier.dropped if self._carrier else 0

    async def start(self) -> BrokerAddresses:
        """Start the child and wait until it takes MQTT and NATS connections.

        Raises FolderInUse, ProgramMissing or BrokerFailed.
        """
        program = child.find_nats_server()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._held.enter_context(child.folder_lock(self._folder))
        try:
            await child.stop_orphan(self._config.pid_file, self._config_file)
            if not (self._config.store_dir / "jetstream" / "GATEWAY" / "streams" / self.log_settings.name).is_dir():
                await self._make_log(program)
            await self._launch(program)
            # Restarts keep the ports: devices and readers know them.
            ports = self._ports
            listener = replace(self._config.listener, port=ports["MQTT clients"])
            self._config = replace(self._config, listener=listener, nats_port=ports["client connections"])
            self._carrier = Qos0Carrier(self._nats_url(QOS0_USER))
            await self._carrier.start()
        except BaseException:
            await self.stop()
            raise
        self._supervisor = asyncio.create_task(self._supervise(program), name="broker-supervisor")
        addresses = BrokerAddresses(self._mqtt_url(), self._nats_url(GATEWAY_USER))
        log.info("broker.started", mqtt_url=addresses.mqtt_url, pid=self.pid)
        return addresses

    async def stop(self) -> None:
        """Stop the child in order; what it acknowledged is on disk."""
        if self._supervisor:
            await end(self._supervisor)
            if not self._supervisor.cancelled() and (error := self._supervisor.exception()):
                log.error("broker.supervision_failed", error=repr(error))
            self._supervisor = None
        if self._carrier:
            await self._carrier.stop()
            self._carrier = None
        await self._end_child()
        self._held.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def addresses(self) -> BrokerAddresses:
        """Where it listens, once started."""
        return BrokerAddresses(self._mqtt_url(), self._nats_url(GATEWAY_USER))

    async def _make_log(self, program: Path) -> None:
        """Make the log before a device can publish: nats-server would make one that keeps nothing (log_stream)."""
        config, self._config = self._config, replace(self._config, devices=False)
        try:
            await self._launch(program)
            client = await connect(self._nats_url(GATEWAY_USER), "gateway-set-up")
            try:
                await ensure(client.jetstream(), self.log_settings)
            finally:
                await client.close()
        finally:
            self._config = config
            await self._end_child()

    async def _launch(self, program: Path) -> None:
        self._ports, self._last_words = {}, []
        descriptor = self._config_file.with_suffix(".new")
        descriptor.touch(mode=0o600)
        descriptor.write_text(render(self._config), encoding="utf-8")
        descriptor.replace(self._config_file)
        self._process = await child.spawn(program, ["--config", str(self._config_file)])
        listening = asyncio.Event()
        self._reader = asyncio.create_task(self._read_log(self._process, listening), name="broker-log")
        ended = asyncio.create_task(self._process.wait())
        ready = asyncio.create_task(self._ready(listening))
        try:
            async with asyncio.timeout(_START_S):
                await asyncio.wait({ended, ready}, return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                await self._reader
                raise BrokerFailed(f"nats-server ended with {ended.result()}: {'; '.join(self._last_words)}")
            ready.result()
        except (TimeoutError, Unreachable, OSError) as error:
            raise BrokerFailed(f"nats-server does not answer: {error}; {'; '.join(self._last_words)}") from error
        finally:
            for task in (ended, ready):
                task.cancel()

    async def _ready(self, listening: asyncio.Event) -> None:
        """Wait for what a client would see: a NATS login with JetStream behind it, and an MQTT CONNACK."""
        await listening.wait()
        client = await connect(self._nats_url(GATEWAY_USER), "gateway-readiness", patience_s=_START_S)
        try:
            await client.jetstream(timeout=_START_S).account_info()
        finally:
            await client.close()
        if self._config.devices:
            await await_connack(self._config.listener, self._ports["MQTT clients"])

    async def _read_log(self, process: asyncio.subprocess.Process, listening: asyncio.Event) -> None:
        """Turn the child's output into our log's events until it closes its end."""
        assert process.stdout is not None  # noqa: S101 - spawned with a pipe
        wanted = 2 if self._config.devices else 1
        async for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip()
            if found := _LISTENS.search(line):
                self._ports[found["who"]] = int(found["port"])
                if len(self._ports) == wanted:
                    listening.set()
            event = read_line(line)
            if event and event.name == "broker.disk_full":
                self._disk_full.set()
            if event is None or event.fields.get("client_id") == CLIENT_ID:
                continue
            if event.level in ("warning", "error"):
                self._last_words = [*self._last_words[-4:], event.fields.get("text", event.name)]
            held_back = self._repeats.admit(event)
            if held_back is not None:
                repeated = {"repeated": held_back} if held_back else {}
                getattr(log, event.level)(event.name, **event.fields, **repeated)

    async def _supervise(self, program: Path) -> None:
        """Replace a child that died, at once the first time and then ever more slowly, until cancelled."""
        clock = asyncio.get_running_loop().time
        pause_s, started_at = _FIRST_PAUSE_S, clock()
        while True:
            process = self._process
            assert process is not None  # noqa: S101 - launched before the supervisor
            status = await self._until_useless(process)
            if clock() - started_at > _SETTLED_S:
                pause_s = _FIRST_PAUSE_S
            log.error("broker.died", status=status, last_words=self._last_words, retry_in_s=round(pause_s, 1))
            await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, no secret
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            await self._await_disk()
            started_at = clock()
            try:
                await self._launch(program)
            except (BrokerFailed, OSError) as error:
                log.error("broker.restart_failed", error=str(error))
                await self._end_child()
                continue
            if self._carrier and not await self._carries_again(self._carrier):
                continue
            self.restarts += 1
            log.warning("broker.restarted", pid=self.pid, restarts=self.restarts)
            if self._on_restart:
                self._on_restart()

    async def _carries_again(self, carrier: Qos0Carrier) -> bool:
        """Wait until QoS 0 flows again; False where the new child has died meanwhile, which must not be waited out."""
        assert self._process is not None  # noqa: S101 - just launched
        ended = asyncio.create_task(self._process.wait())
        connected = asyncio.create_task(carrier.connected_again(_START_S))
        try:
            await asyncio.wait((ended, connected), return_when=asyncio.FIRST_COMPLETED)
            return not ended.done()
        finally:
            ended.cancel()
            connected.cancel()

    async def _until_useless(self, process: asyncio.subprocess.Process) -> int:
        """Return the child's status once it has ended, or was ended because its log is stuck.

        After "no space left on device" JetStream takes no write any more, also when there is room again.
        """
        ended = asyncio.create_task(process.wait())
        stuck = asyncio.create_task(self._disk_full.wait())
        try:
            await asyncio.wait((ended, stuck), return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await self._await_disk()
                await child.stop(process)
            return await ended
        finally:
            ended.cancel()
            stuck.cancel()
            self._disk_full.clear()

    async def _await_disk(self) -> None:
        told = False
        while shutil.disk_usage(self._folder).free < _DISK_RESERVE_BYTES:
            if not told:
                log.error("broker.disk_full", mend=f"make {_DISK_RESERVE_BYTES} bytes free on the disk of data_dir")
                told = True
            await asyncio.sleep(_DISK_LOOK_S)

    async def _end_child(self) -> None:
        if self._process:
            await child.stop(self._process)
        if self._reader:
            await self._reader
            self._reader = None

    def _mqtt_url(self) -> str:
        listener = self._config.listener
        scheme = "mqtts" if listener.tls_cert else "mqtt"
        host = f"[{listener.host}]" if ":" in listener.host else listener.host
        return f"{scheme}://{host}:{listener.port}"

    def _nats_url(self, user: str) -> str:
        port = self._config.nats_port or self._ports["client connections"]
        return f"nats://{user}:{self._config.password}@127.0.0.1:{port}"
