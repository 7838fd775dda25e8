"""How the parts are doing, for the console's operator page, ``/readyz`` and ``gateway doctor``."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from gateway.config import Config
from gateway.history import History, HistoryError
from gateway.ingest.broker import EmbeddedBroker
from gateway.ingest.relay import Relay
from gateway.ingest.stream import Stream
from gateway.outbox.wording import fall_backs
from gateway.pipeline.pipeline import Pipeline
from gateway.rulebook.files import RuleWatcher
from gateway.store import dialect, schema
from gateway.store.store import Store

_EVERY_S = 2.0
_LEAST_FREE = 500_000_000
"""Free bytes on the disk of ``data_dir`` below which it is said: the log and the database write ahead of their size."""


class Status:
    """Asks the parts every two seconds and keeps the answers, so that a page costs nothing."""

    def __init__(
        self,
        config: Config,
        broker: EmbeddedBroker | None,
        stream: Stream,
        relays: list[Relay],
        pipeline: Pipeline,
        history: History,
        store: Store,
        watcher: RuleWatcher,
        parts: Mapping[str, Callable[[], Mapping[str, Any]]] | None = None,
    ) -> None:
        """``parts`` say themselves how they are doing, by name: providers, the outbox's audit, the mailbox."""
        self._config = config
        self._broker = broker
        self._stream = stream
        self._relays = relays
        self._pipeline = pipeline
        self._history = history
        self._store = store
        self._watcher = watcher
        self._parts = parts or {}
        self._outbox: Mapping[str, Any] = {"ok": True, "detail": "starting"}
        self._history_now: Mapping[str, Any] = {"ok": True, "detail": "starting"}
        self._fell_back: Mapping[str, int] = {}
        self._storage: Mapping[str, Any] = {"ok": True, "detail": "starting"}

    async def run(self) -> None:
        """Refresh until cancelled."""
        while True:
            self._outbox = await asyncio.to_thread(self._count_outbox)
            self._history_now = await self._ask_history()
            self._storage = await asyncio.to_thread(self._measure_storage)
            await asyncio.sleep(_EVERY_S)

    def count_fall_backs(self) -> int:
        """Return how many texts of messages fell back so far, for ``/metrics``."""
        return sum(self._fell_back.values())

    def snapshot(self) -> dict[str, Any]:
        """Return what is known now, as plain values."""
        usage = self._stream.usage
        behind = usage.last_sequence - self._pipeline.sequence if usage else 0
        return {
            "broker": self._broker_status(),
            "relay": {"ok": all(self._relay_ok(r) for r in self._relays), "detail": self._relay_detail()},
            "pipeline": {
                "ok": self._stream.connected,
                "detail": f"committed up to {self._pipeline.sequence}",
                "sequence": self._pipeline.sequence,
                "behind": max(0, behind),
                "log_share": round(usage.share, 3) if usage else 0.0,
            },
            "outbox": dict(self._outbox),
            "wording": self._wording(),
            "history": dict(self._history_now),
            "storage": dict(self._storage),
            **{name: dict(say()) for name, say in self._parts.items()},
            "rules": self._watcher.status.as_dict(),
        }

    def _broker_status(self) -> dict[str, Any]:
        if self._broker is None:
            return {"ok": self._stream.connected, "detail": "an external NATS server"}
        running = self._broker.pid is not None
        detail = self._broker.addresses.mqtt_url if running else "it ended and is being started again"
        return {
            "ok": running,
            "detail": detail,
            "restarts": self._broker.restarts,
            "qos0_dropped": self._broker.qos0_dropped,
        }

    def _relay_ok(self, relay: Relay) -> bool:
        return relay.status.connected_since is not None

    def _relay_detail(self) -> str:
        if not self._relays:
            return "none configured"
        connected = sum(self._relay_ok(relay) for relay in self._relays)
        return f"{connected} of {len(self._relays)} connected"

    def _count_outbox(self) -> dict[str, Any]:
        n = schema.notifications
        with self._store.read() as connection:
            states = ("awaiting_approval", "queued", "handed_over", "unknown", "dead")
            query = (
                sa.select(n.c.state, sa.func.count().label("messages")).where(n.c.state.in_(states)).group_by(n.c.state)
            )
            counts: Counter[str] = Counter({row.state: row.messages for row in connection.execute(query)})
            held = bool(connection.execute(sa.select(schema.meta.c.value).where(schema.meta.c.key == "hold")).scalar())
            self._fell_back = fall_backs(connection)
        detail = "held" if held else f"{counts['queued']} queued, {counts['awaiting_approval']} wait for approval"
        return {"ok": not counts["dead"] and not counts["unknown"], "detail": detail, "held": held, **counts}

    def _measure_storage(self) -> dict[str, Any]:
        free = shutil.disk_usage(self._config.data_dir).free
        with self._store.read() as connection:
            database = dialect.size_bytes(connection)
        enough = free > _LEAST_FREE
        usage = self._stream.usage
        return {
            "ok": enough,
            "detail": "room enough" if enough else "the disk of data_dir is nearly full",
            "database_bytes": database,
            "log_bytes": usage.bytes if usage else 0,
            "log_limit_bytes": usage.max_bytes if usage else 0,
            "free_bytes": free,
        }

    def _wording(self) -> dict[str, Any]:
        """What messages had to fall back on: a translation that is missing, a template of the company's that broke."""
        broken = sorted(name for name in self._fell_back if name.startswith("template:"))
        shown = ", ".join(sorted(self._fell_back)[:5]) + (" …" if len(self._fell_back) > 5 else "")
        detail = f"fell back: {shown}; see gateway templates check" if self._fell_back else "every text in its language"
        return {"ok": not broken, "detail": detail, "fall_backs": sum(self._fell_back.values())}

    async def _ask_history(self) -> dict[str, Any]:
        kind = "InfluxDB" if self._config.history.url else "embedded"
        try:
            recorded, size = await self._history.last_sequence(), await self._history.size_bytes()
        except HistoryError as error:
            return {"ok": False, "detail": f"{kind}: {error}"}
        behind = max(0, self._pipeline.sequence - recorded)
        detail = kind if size is None else f"{kind}, {size / 1e6:.1f} MB"
        return {"ok": True, "detail": detail, "sequence": recorded, "behind": behind}
