"""Carries what happened to one system: in order, from where it stopped, until it has been taken."""

import asyncio
import random
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

import sqlalchemy as sa
import structlog

from gateway.clock import Clock
from gateway.commands import Commands
from gateway.commands.subscriptions import AdvanceSubscription, OpenSubscription, PutEventAside, SubscriptionFailed
from gateway.store.store import Store
from gateway.store.subscriptions import subscriptions
from gateway.subscriptions.entries import Entry, entries_after
from notifiers.errors import NotifierError, TryLater, Undeliverable

log = structlog.get_logger()

BACK_OFF = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0)
"""Seconds between tries, spread by a quarter; the last goes on."""
REFUSED_AT_MOST = 5
"""An entry that is refused so often in a row (a 4xx) is put aside, and the rest goes on."""
GIVE_UP_AFTER = timedelta(days=5)
"""A system that cannot be reached for so long is paused until a person lets it go on."""
_LONGEST_IDLE_S = 5.0
_BATCH = 100


class Sink(Protocol):
    """One system that is told."""

    name: str

    async def deliver(self, entry: Entry, now: datetime) -> None:
        """Tell it of one entry; telling it twice must do no harm, since a crash repeats the last one.

        Raises:
            TryLater, Unknown: it may take the very same entry later.
            Undeliverable: it does not want this entry.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Courier:
    """One sink's way through the timeline."""

    def __init__(
        self,
        sink: Sink,
        store: Store,
        commands: Commands,
        clock: Clock,
        wants: Callable[[Entry], bool],
        chance: random.Random | None = None,
    ) -> None:
        """``wants``: which entries are meant for it; the others are passed over."""
        self._sink = sink
        self._store = store
        self._commands = commands
        self._clock = clock
        self._wants = wants
        self._chance = chance or random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something happened: look soon. Only called on the event loop."""
        self._wake.set()

    async def run(self) -> None:
        """Tell what happens, until cancelled."""
        await self.open()
        while True:
            self._wake.clear()
            if not await self.carry():
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LONGEST_IDLE_S):
                        await self._wake.wait()

    async def open(self) -> None:
        """Stand where this sink stopped, or, met for the first time, at what happens from now on."""
        await self._commands.submit(OpenSubscription(self._sink.name))

    async def carry(self) -> bool:
        """Tell the next entries; return whether there may be more to do at once."""
        row = await asyncio.to_thread(self._standing)
        now = self._clock.now()
        if row["state"] == "paused" or (row["next_try_at"] is not None and row["next_try_at"] > now):
            return False
        entries = await asyncio.to_thread(self._next, row["position"])
        taken: int | None = None
        failures = int(row["failures"])
        for entry in entries:
            try:
                if self._wants(entry):
                    await self._sink.deliver(entry, self._clock.now())
            except NotifierError as error:
                if taken is not None:
                    await self._commands.submit(AdvanceSubscription(self._sink.name, taken))
                    failures = 0
                await self._refused(entry, error, failures, row["failing_since"] or now)
                return True
            taken = entry.id
        if taken is not None:
            await self._commands.submit(AdvanceSubscription(self._sink.name, taken))
        return len(entries) == _BATCH

    async def _refused(self, entry: Entry, error: NotifierError, failures: int, failing_since: datetime) -> None:
        name, reason, now = self._sink.name, f"{error.code}: {error.advice}", self._clock.now()
        unwanted = isinstance(error, Undeliverable)
        log.warning("subscription.refused", subscription=name, entry_id=entry.id, code=error.code, tries=failures + 1)
        if unwanted and failures + 1 >= REFUSED_AT_MOST:
            await self._commands.submit(PutEventAside(name, entry.id, entry.case["id"], entry.kind, reason))
            return
        if not unwanted and now - failing_since >= GIVE_UP_AFTER:
            await self._commands.submit(SubscriptionFailed(name, reason, next_try_at=None))
            return
        asked = error.retry_after_s if isinstance(error, TryLater) else None
        wait_s = BACK_OFF[min(failures, len(BACK_OFF) - 1)] * self._chance.uniform(1, 1.25)
        next_try_at = now + timedelta(seconds=max(asked or 0.0, wait_s))
        await self._commands.submit(SubscriptionFailed(name, reason, next_try_at))

    def _standing(self) -> sa.RowMapping:
        with self._store.read() as connection:
            query = sa.select(subscriptions).where(subscriptions.c.name == self._sink.name)
            return connection.execute(query).mappings().one()

    def _next(self, position: int) -> list[Entry]:
        with self._store.read() as connection:
            return entries_after(connection, position, _BATCH)


def of_kinds(kinds: Collection[str]) -> Callable[[Entry], bool]:
    """Make the filter for these kinds of entries; empty: all of them."""
    wanted = frozenset(kinds)
    return lambda entry: not wanted or entry.kind in wanted
