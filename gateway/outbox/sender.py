"""The sender: carries out what the outbox holds, in order for each customer and channel, else in parallel.

It begins what can be on its way now and nothing beyond: what comes in meanwhile and is urgent goes next.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
import structlog

from gateway.clock import Clock
from gateway.commands import Commands, HandOver, HandOverFailed, SendFailed, Sent
from gateway.outbox.due import Line, Wanted, first_in_line, line_of, next_due
from gateway.outbox.metrics import OutboxMetrics
from gateway.outbox.pace import Pace
from gateway.store.store import Store
from notifiers.errors import NotifierError, TryLater, Undeliverable, Unwritten
from notifiers.message import Outgoing
from notifiers.transports import Transport

log = structlog.get_logger()

_LONGEST_IDLE_S = 5.0
_PARALLEL = 16
"""Messages on their way to one provider."""
_STOP_S = 25.0
_PUT_OFF_S = 5.0


class Sender:
    """Hands queued messages over to their providers, until cancelled."""

    def __init__(
        self,
        store: Store,
        commands: Commands,
        clock: Clock,
        transports: Sequence[Transport],
        rates: Mapping[str, float] | None = None,
        metrics: OutboxMetrics | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Send through ``transports``, which together serve the channels that are configured.

        Args:
            store: Where the outbox is.
            commands: Where what comes of a send goes in.
            clock: Says what is due.
            transports: One a provider.
            rates: Messages a second by channel, where it is not the transport's own.
            metrics: None: nothing is counted.
            monotonic: Seconds that only go forward, for the providers' pace: theirs is the wall clock's time.
        """
        self._store = store
        self._commands = commands
        self._clock = clock
        self._by_channel: Mapping[str, Transport] = {c: t for t in transports for c in t.channels}
        rates = rates or {}
        self._pace = {c: Pace(rates.get(c, t.per_second)) for c, t in self._by_channel.items()}
        self._metrics = metrics or OutboxMetrics()
        self._monotonic = monotonic
        self._wake = asyncio.Event()
        self.idle = asyncio.Event()
        """Set while nothing is due and nothing is on its way."""
        self._stopping = False
        self._put_off: dict[Line, float] = {}
        """Until when (monotonic) a line is left alone whose provider is paused and which has no other."""
        self._sending: dict[Line, asyncio.Task[None]] = {}
        """Whose messages are on their way now."""

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

    def providers(self) -> dict[str, Any]:
        """Say how each provider's channel stands, for people."""
        now_s = self._monotonic()
        said = {f"{c} by {self._by_channel[c].name}": pace.says(now_s) for c, pace in sorted(self._pace.items())}
        return {"ok": not any(pace.is_open() for pace in self._pace.values()), **said}

    async def run(self) -> None:
        """Send what is due, wait for more, until cancelled. An unforeseen error ends it, and the service with it."""
        async with asyncio.TaskGroup() as group:
            while not self._stopping:
                self._wake.clear()
                begun, turn_s = 0, 0.0
                for row in await asyncio.to_thread(self._due, self._wanted(), self._shunned()):
                    line = line_of(row)
                    # Its turn comes before it is handed over: from then on a crash would leave it unknown.
                    wait_s = self._turn_s(line[1])
                    if wait_s is None or wait_s > 0:
                        turn_s = wait_s or turn_s
                        continue
                    sending = group.create_task(self._hand_over(line, row["id"]))
                    self._sending[line] = sending
                    sending.add_done_callback(partial(self._sent, line))
                    begun += 1
                if begun:
                    self.idle.clear()
                else:
                    # One that ended since it was looked may have let the next of its line in.
                    if not (self._sending or turn_s or self._wake.is_set()):
                        self.idle.set()
                    await self._idle(turn_s)
            await asyncio.Event().wait()  # the service ends it

    def _wanted(self) -> list[Wanted]:
        """What may be begun: what is urgent does not wait for a provider that is down, but takes another channel."""
        now_s = self._monotonic()
        return [
            Wanted(channel, self._room(channel), pace.wait_s(now_s) > 0 and not pace.is_down_for_long(now_s))
            for channel, pace in self._pace.items()
        ]

    def _room(self, channel: str) -> int:
        """So many more messages may be on their way by the provider of a channel."""
        transport = self._by_channel[channel]
        return _PARALLEL - sum(self._by_channel.get(line[1]) is transport for line in self._sending)

    def _shunned(self) -> set[Line]:
        """Whose turn it is not: a message of theirs is on its way, or just had no way to go."""
        now_s = self._monotonic()
        back = {channel for channel, pace in self._pace.items() if pace.wait_s(now_s) == 0}
        self._put_off = {line: u for line, u in self._put_off.items() if u > now_s and line[1] not in back}
        return {*self._sending, *self._put_off}

    def _turn_s(self, channel: str) -> float | None:
        """Take a turn on a channel; return how long until there is one, None where enough are on their way."""
        pace = self._pace.get(channel)
        if pace is None:
            return 0.0
        return pace.turn_s(self._monotonic()) if self._room(channel) > 0 else None

    def _sent(self, line: Line, _: asyncio.Task[None]) -> None:
        del self._sending[line]
        # There may be more for them by now, and a failed send has set the time of the next.
        self._wake.set()

    def _paused(self) -> tuple[frozenset[str], frozenset[str]]:
        """Channels that nothing may be written on now, and those of them that are down for long."""
        now_s = self._monotonic()
        paused = frozenset(c for c, pace in self._pace.items() if pace.wait_s(now_s) > 0)
        return paused, frozenset(c for c in paused if self._pace[c].is_down_for_long(now_s))

    def _due(self, wanted: Sequence[Wanted], shunned: Collection[Line]) -> list[sa.RowMapping]:
        with self._store.read() as connection:
            return first_in_line(connection, self._clock.now(), wanted, shunned)

    def _next_due(self) -> datetime | None:
        with self._store.read() as connection:
            return next_due(connection)

    async def _idle(self, turn_s: float) -> None:
        due_at = await asyncio.to_thread(self._next_due)
        seconds = _LONGEST_IDLE_S
        if due_at is not None and due_at > self._clock.now():
            seconds = min(seconds, self._clock.wall_seconds(due_at - self._clock.now()))
        now_s = self._monotonic()
        waits = [pace.wait_s(now_s) for pace in self._pace.values()] + [u - now_s for u in self._put_off.values()]
        seconds = min([seconds, *(wait_s for wait_s in (turn_s, *waits) if wait_s > 0)])
        with suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0.02)):
                await self._wake.wait()

    async def _hand_over(self, line: Line, notification_id: int) -> None:
        if self._stopping:
            return
        paused, down = self._paused()
        pace = self._pace.get(line[1])
        tries = pace is not None and line[1] not in paused
        if pace is not None and tries:
            pace.begin()
        outgoing: Outgoing | None = None
        try:
            outgoing = await self._commands.submit(HandOver(notification_id, paused, down))
        except Exception as error:
            # Whatever it is, it is about this message alone; met again at each start it would stop all others.
            log.exception("outbox.message_put_aside", notification_id=notification_id)
            await self._commands.submit(HandOverFailed(notification_id, type(error).__name__))
        finally:
            if pace is not None and tries and (outgoing is None or outgoing.channel != line[1]):
                pace.let_go()
        if outgoing is not None:
            await self._write(notification_id, outgoing)
        elif paused:
            # It waits for a provider; asking again at once would be asking without end.
            self._put_off[line] = self._monotonic() + self._put_off_s(line[1])

    def _put_off_s(self, channel: str) -> float:
        """The more wait already the longer, so that asking for them again leaves turns to those not asked for yet."""
        waiting = sum(line[1] == channel for line in self._put_off)
        pace = self._pace.get(channel)
        return _PUT_OFF_S + (waiting / pace.per_second if pace is not None else 0.0)

    async def _write(self, notification_id: int, outgoing: Outgoing) -> None:
        transport, pace = self._by_channel[outgoing.channel], self._pace[outgoing.channel]
        try:
            accepted = await transport.send(outgoing)
        except NotifierError as error:
            await self._failed(notification_id, transport, outgoing.channel, error)
            return
        except BaseException:
            pace.let_go()
            raise
        pace.works()
        self._count(transport, outgoing.channel, "accepted")
        log.info("notify.accepted", channel=outgoing.channel, provider=transport.name, notification_id=notification_id)
        await self._commands.submit(Sent(notification_id, accepted.provider, accepted.provider_id, accepted.state))

    async def _failed(self, notification_id: int, transport: Transport, channel: str, error: NotifierError) -> None:
        pace, now_s = self._pace[channel], self._monotonic()
        if isinstance(error, TryLater):
            failed = SendFailed(notification_id, "try_later", error.advice, error.retry_after_s)
            if error.about_recipient:
                pace.let_go()
            else:
                pace.fails(now_s, error.code, error.retry_after_s)
        elif isinstance(error, Undeliverable):
            failed = SendFailed(notification_id, "undeliverable", error.advice, because=error.because, code=error.code)
            if isinstance(error, Unwritten):
                pace.let_go()
            else:
                pace.works()
        else:
            # Where the provider knows the key again, the same request says whether it had been accepted.
            failed = SendFailed(notification_id, "try_later" if transport.repeatable else "unknown", error.advice)
            pace.fails(now_s, error.code)
        self._count(transport, channel, failed.outcome)
        event = f"notify.{failed.outcome}"
        log.warning(event, provider=transport.name, channel=channel, notification_id=notification_id, code=error.code)
        if pace.is_open():
            log.warning("outbox.provider_open", provider=transport.name, channel=channel, failures=pace.failures)
        await self._commands.submit(failed)

    def _count(self, transport: Transport, channel: str, outcome: str) -> None:
        self._metrics.sent(transport.name, channel, outcome)
        self._metrics.provider(transport.name, channel, is_open=self._pace[channel].is_open())
