"""Everything of the demo, started in order, watched and stopped in order."""

import asyncio
import secrets
import signal
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from device_models.event import rfc3339
from gateway.clock import Clock
from gateway.commands import SaveUser, SetMeta, Upsert
from gateway.config import Config
from gateway.demo.panel import Panel
from gateway.ending import end
from gateway.service import Service
from gateway.store import schema
from gateway.web.auth import hash_password
from simulator.control import Control
from simulator.phones import PhonesServer
from simulator.run import run as play
from simulator.scenario import Scenario
from simulator.score import score
from simulator.truth import TruthLog

_ACCOUNT = "AC" + "d" * 32


@dataclass(slots=True)
class Figures:
    """The live summary, and with ``score`` the last line of ``--json``."""

    events: int = 0
    rejected: int = 0
    cases_opened: int = 0
    cases_resolved: int = 0
    messages_delivered: int = 0
    offers_sent: int = 0
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Addresses:
    """What the visitor is told."""

    console: str
    phones: str
    mqtt: str
    user: str
    password: str


class Demo:
    """One run of the demo in a folder of its own that goes with it."""

    def __init__(self, port: int, speed: float, seed: int, truth_path: Path | None = None, rules: bool = True) -> None:
        """``port``: the console's, 0 for a free one. ``rules=False`` runs without any, to see that nothing happens."""
        self._port = port
        self._speed = speed
        self._seed = seed
        self._rules = rules
        self._truth = TruthLog(truth_path)
        self._stack = AsyncExitStack()
        self._control = Control()
        self._service: Service
        self._phones: PhonesServer
        self._playing: asyncio.Task[Any]
        self._listening: asyncio.Task[None]

    async def start(self) -> Addresses:
        """Start broker, gateway, phones and fleet. Raises StartRefused, OSError."""
        try:
            return await self._start()
        except BaseException:
            await self.stop()
            raise

    async def run(self) -> None:
        """Return when a part ends, which only happens by a fault: it is raised."""
        running = {asyncio.create_task(self._service.run()), self._playing, self._listening}
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        raise RuntimeError("a part of the demo ended")

    async def stop(self) -> None:
        """Stop the fleet first, then the gateway, then the phones."""
        await self._stack.aclose()

    async def _start(self) -> Addresses:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-demo-")))
        self._stack.callback(self._truth.close)
        scenario = Scenario.load("demo")
        clock = Clock.simulated(scenario.begins(datetime.now(UTC).date()), self._speed)
        registry = scenario.registry()
        token = secrets.token_hex(16)
        self._phones = PhonesServer(registry.customers, _ACCOUNT, token, None, clock, company="Nordlicht")
        phones = await self._phones.start()
        self._stack.push_async_callback(self._phones.stop)

        port = self._port or _free_port()
        config = self._config(folder, port, phones.http_url, phones.smtp_url, token)
        panel = Panel(self._control, lambda: self._service.mqtt_url, lambda: self._service.store, clock)
        self._service = Service(config, clock, simulator=panel)
        await self._service.start()
        self._stack.push_async_callback(self._service.stop)
        self._phones.set_inbound_url(f"{config.public_url}/webhooks/twilio/inbound")
        submit = self._service.pipeline.submit
        await submit(SetMeta("clock", {"start": rfc3339(clock.start), "speed": clock.speed}))
        for kind in ("customers", "shops", "offers", "devices"):
            records = tuple(r.model_dump(mode="json", exclude_none=True) for r in getattr(registry, kind))
            await submit(Upsert(kind, records, by="demo"))
        password = secrets.token_urlsafe(9)
        await submit(SaveUser("demo", await asyncio.to_thread(hash_password, password), "admin", by="demo"))

        self._listening = asyncio.create_task(self._tell_customers(), name="customers")
        self._playing = asyncio.create_task(
            play(scenario, self._service.mqtt_url, clock, self._seed, self._control, self._truth), name="fleet"
        )
        self._stack.push_async_callback(end, self._playing)
        self._stack.push_async_callback(end, self._listening)
        return Addresses(self._service.web_url, phones.http_url, self._service.mqtt_url, "demo", password)

    def _config(self, folder: Path, port: int, twilio_url: str, smtp_url: str, token: str) -> Config:
        return Config.model_validate(
            {
                "data_dir": folder,
                "data_budget": "2 GB",
                "broker": {"listen": "127.0.0.1:0"},
                "web": {"listen": f"127.0.0.1:{port}"},
                "rules": {"builtin": self._rules},
                "ignore_topics": ["simulator/#"],
                # A city of twenty customers is too small to leave any of them out.
                "offers": {"holdout": 0.0},
                "brand": {"name": "Nordlicht", "support_name": "Nordlicht Service"},
                "notifiers": {
                    "mode": "auto",
                    "email": {"url": smtp_url, "sender": "Nordlicht Service <service@nordlicht.example>"},
                    "twilio": {
                        "account": _ACCOUNT,
                        "token": token,
                        "sender": "+493023125000",
                        "whatsapp_sender": "+493023125001",
                        "base_url": twilio_url,
                    },
                },
            }
        )

    async def _tell_customers(self) -> None:
        """Let customers act on what reached them, as people do: they close the door, put the plug back."""
        told: set[int] = set()
        n = schema.notifications
        async for changes in self._service.live.subscribe():
            if not any(change["kind"] in ("notification", "reload") for change in changes):
                continue
            kind = sa.select(schema.cases.c.kind).where(schema.cases.c.id == n.c.case_id).scalar_subquery()
            query = sa.select(n.c.id, n.c.customer_id, n.c.device_id, n.c.accepted_at, kind.label("kind")).where(
                n.c.accepted_at.is_not(None), n.c.device_id.is_not(None), n.c.id > max(told, default=0) - 500
            )
            for row in await asyncio.to_thread(self._read, query):
                if row["id"] not in told:
                    told.add(row["id"])
                    self._control.customer_told(row["customer_id"], row["device_id"], row["accepted_at"], row["kind"])

    def _read(self, query: sa.Select[Any]) -> list[sa.RowMapping]:
        with self._service.store.read() as connection:
            return list(connection.execute(query).mappings().all())

    async def figures(self) -> Figures:
        """Count what happened so far."""
        c, d = schema.cases, schema.offer_decisions

        def count() -> tuple[int, int, int]:
            with self._service.store.read() as connection:
                opened = sa.select(sa.func.count()).select_from(c).where(c.c.on_arrival.is_(False))
                offers = sa.select(sa.func.count()).select_from(d).where(d.c.offer_id.is_not(None))
                return (
                    connection.execute(opened).scalar_one(),
                    connection.execute(opened.where(c.c.state == "resolved")).scalar_one(),
                    connection.execute(offers).scalar_one(),
                )

        opened, resolved, offers = await asyncio.to_thread(count)
        metrics = self._service.metrics
        return Figures(
            events=metrics.events,
            rejected=metrics.rejected,
            cases_opened=opened,
            cases_resolved=resolved,
            messages_delivered=sum(m["direction"] == "in" and m["on_phone"] for m in self._phones.messages()),
            offers_sent=offers,
            now=self._service.clock.now(),
        )

    async def result(self) -> dict[str, Any]:
        """Return the figures and the score against the simulator's truth, as ``--json`` prints them."""
        figures = await self.figures()
        c, n = schema.cases, schema.notifications
        cases = await asyncio.to_thread(self._read, sa.select(c).where(c.c.on_arrival.is_(False)))
        messages = await asyncio.to_thread(
            self._read, sa.select(n.c.device_id, n.c.case_id, n.c.purpose, n.c.accepted_at.label("told_at"))
        )
        against_truth = score(self._truth.faults, [dict(row) for row in cases], [dict(row) for row in messages])
        return {
            "events": figures.events,
            "rejected": figures.rejected,
            "cases_opened": figures.cases_opened,
            "cases_resolved": figures.cases_resolved,
            "messages_delivered": figures.messages_delivered,
            "offers_sent": figures.offers_sent,
            **against_truth.as_dict(),
        }


async def run_demo(
    demo: Demo, for_s: float | None, told: Callable[[Addresses], None], show: Callable[[Figures], None]
) -> dict[str, Any]:
    """Run until ``for_s`` real seconds have passed, or SIGINT or SIGTERM; return the result."""
    stopping = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopping.set)
    told(await demo.start())
    running = asyncio.create_task(demo.run())

    async def watch() -> None:
        while True:
            show(await demo.figures())
            await asyncio.sleep(1.0)

    watching = asyncio.create_task(watch())
    waiting = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({running, waiting, watching}, timeout=for_s, return_when=asyncio.FIRST_COMPLETED)
        task: asyncio.Task[Any]
        for task in (running, watching):
            if task.done():
                task.result()
        return await demo.result()
    finally:
        await end(watching, waiting, running)
        await demo.stop()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
