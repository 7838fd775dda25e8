"""The sender: carries out what the outbox holds. In order for each customer, in parallel across customers."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial

import sqlalchemy as sa
import structlog

from gateway.clock import Clock
from gateway.commands import Commands, HandOver, SendFailed, Sent
from gateway.outbox.queue import due_notifications, next_due
from gateway.store.store import Store
from notifiers.errors import NotifierError, TryLater, Undeliverable
from notifiers.message import Outgoing
from notifiers.transports import Transport

log = structlog.get_logger()

_LONGEST_IDLE_S = 5.0
_PARALLEL = 16
_MOST_DUE = 1000
"""Looked at in one go; far more than can be on their way, so that no few customers fill it."""
_STOP_S = 25.0


class Sender:
    """Hands queued messages over to their providers, until cancelled."""

    def __init__(self, store: Store, commands: Commands, clock: Clock, transports: Sequence[Transport]) -> None:
        """``transports`` together serve the channels that are configured."""
        self._store = store
        self._commands = commands
        self._clock = clock
        self._by_channel: Mapping[str, Transport] = {c: t for t in transports for c in t.channels}
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(_PARALLEL)
        self._stopping = False
        self._sending: dict[str, asyncio.Task[None]] = {}
        """By customer: whose messages are on their way now."""

    async def stop(self) -> None:
        """Begin no further send, and wait for those begun: one cut off now would be unknown for ever."""
        self._stopping = True
        self._wake.set()
        if self._sending:
            _, unfinished = await asyncio.wait(self._sending.values(), timeout=_STOP_S)
            if unfinished:
                log.warning("outbox.stopped_while_sending", customers=len(unfinished))

    def wake(self) -> None:
        """Something may be due: look again soon. Only called on the event loop."""
        self._wake.set()

    async def run(self) -> None:
        """Send what is due, wait for more, until cancelled. An unforeseen error ends it, and the service with it."""
        async with asyncio.TaskGroup() as group:
            while not self._stopping:
                self._wake.clear()
                by_customer: defaultdict[str, list[int]] = defaultdict(list)
                for row in await asyncio.to_thread(self._due):
                    by_customer[row["customer_id"]].append(row["id"])
                # A provider that takes its time over one message holds up nobody else's.
                free = [customer_id for customer_id in by_customer if customer_id not in self._sending]
                for customer_id in free:
                    sending = group.create_task(self._send_in_order(by_customer[customer_id]))
                    self._sending[customer_id] = sending
                    sending.add_done_callback(partial(self._sent, customer_id))
                if not free:
                    await self._idle()
            await asyncio.Event().wait()  # the service ends it

    def _sent(self, customer_id: str, _: asyncio.Task[None]) -> None:
        del self._sending[customer_id]
        # There may be more for them by now, and a failed send has set the time of the next.
        self._wake.set()

    def _due(self) -> list[sa.RowMapping]:
        with self._store.read() as connection:
            return due_notifications(connection, self._clock.now(), _MOST_DUE)

    def _next_due(self) -> datetime | None:
        with self._store.read() as connection:
            return next_due(connection)

    async def _idle(self) -> None:
        due_at = await asyncio.to_thread(self._next_due)
        seconds = _LONGEST_IDLE_S
        if due_at is not None and due_at > self._clock.now():
            seconds = min(seconds, self._clock.wall_seconds(due_at - self._clock.now()))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), timeout=max(seconds, 0.02))

    async def _send_in_order(self, notification_ids: Sequence[int]) -> None:
        async with self._slots:
            for notification_id in notification_ids:
                if self._stopping:
                    return
                await self._send(notification_id)

    async def _send(self, notification_id: int) -> None:
        outgoing: Outgoing | None = await self._commands.submit(HandOver(notification_id))
        if outgoing is None:
            return
        transport = self._by_channel[outgoing.channel]
        try:
            accepted = await transport.send(outgoing)
        except NotifierError as error:
            await self._failed(notification_id, transport, error)
            return
        log.info("notify.accepted", channel=outgoing.channel, provider=transport.name, notification_id=notification_id)
        await self._commands.submit(Sent(notification_id, accepted.provider, accepted.provider_id, accepted.state))

    async def _failed(self, notification_id: int, transport: Transport, error: NotifierError) -> None:
        if isinstance(error, TryLater):
            failed = SendFailed(notification_id, "try_later", error.advice, error.retry_after_s)
        elif isinstance(error, Undeliverable):
            failed = SendFailed(notification_id, "undeliverable", error.advice, because=error.because, code=error.code)
        elif transport.repeatable:
            # The provider knows the key again: the same request says whether it had been accepted.
            failed = SendFailed(notification_id, "try_later", error.advice)
        else:
            failed = SendFailed(notification_id, "unknown", error.advice)
        event = f"notify.{failed.outcome}"
        log.warning(event, provider=transport.name, notification_id=notification_id, code=error.code)
        await self._commands.submit(failed)
