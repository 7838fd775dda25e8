"""Carries commands to devices: what was committed is published on ``devices/<id>/commands``."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import sqlalchemy as sa
import structlog

from gateway.clock import Clock
from gateway.commands import Commands
from gateway.commands.cases import DeviceCommandSent
from gateway.ingest.connection import NotPublished
from gateway.store.case_work import device_commands
from gateway.store.store import Store

log = structlog.get_logger()

Publish = Callable[[str, bytes], Awaitable[None]]
"""(topic, payload); raises NotPublished where no broker takes it."""

_LOOK_EVERY_S = 5.0
_EXPIRES = timedelta(minutes=10)
"""A command that could not be handed over for so long is no longer what anybody wants."""


class DeviceLink:
    """Publishes queued commands. After a crash in between one may be published twice: profiles list idempotent ones."""

    def __init__(self, store: Store, commands: Commands, clock: Clock, brokers: Sequence[Publish]) -> None:
        """``brokers``: a device listens on one of them; which one nobody knows, so each is told."""
        self._store = store
        self._commands = commands
        self._clock = clock
        self._brokers = brokers
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look at once."""
        self._woken.set()

    async def run(self) -> None:
        """Publish what is queued, until cancelled."""
        while True:
            self._woken.clear()
            for row in await asyncio.to_thread(self._queued):
                await self._send(row)
            try:
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._woken.wait()
            except TimeoutError:
                continue

    def _queued(self) -> Sequence[sa.RowMapping]:
        d = device_commands
        with self._store.read() as connection:
            return connection.execute(sa.select(d).where(d.c.state == "queued").order_by(d.c.id)).mappings().all()

    async def _send(self, row: sa.RowMapping) -> None:
        payload = json.dumps(row["payload"] or {"command": row["name"]}).encode()
        reasons = []
        taken = False
        for publish in self._brokers:
            try:
                await publish(f"devices/{row['device_id']}/commands", payload)
                taken = True
            except (NotPublished, ValueError) as error:
                reasons.append(str(error))
        if taken:
            await self._commands.submit(DeviceCommandSent(row["id"], "published"))
            log.info("device.command_published", command=row["id"], device_id=row["device_id"])
        elif self._clock.now() - row["asked_at"] > _EXPIRES:
            reason = "; ".join(reasons) or "there is no broker"
            await self._commands.submit(DeviceCommandSent(row["id"], "failed", reason))
            log.warning("device.command_failed", command=row["id"], device_id=row["device_id"], reason=reason)
