"""The loop of the one writer: commands and messages in, commits out, one after the other, until cancelled."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, Protocol

import sqlalchemy as sa
import structlog

from device_models.event import Message
from gateway.clock import Clock
from gateway.commands import Command, CommandRefused
from gateway.ending import end
from gateway.live import LiveFeed
from gateway.pipeline.batch import quarantine
from gateway.pipeline.commit import Committer, Outcome, StaleWriter, Work
from gateway.pipeline.metrics import Metrics
from gateway.pipeline.portion import Portion
from gateway.store.dialect import may_pass

log = structlog.get_logger()

_MOST_COMMANDS = 200
_TICK_GRACE = timedelta(seconds=1)
"""Wall time a timer waits beyond its due time, so that a sample on its way that would stop it arrives first."""
_LONGEST_IDLE_S = 5.0
_RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0)


class MessageBatch(Protocol):
    """What the stream hands over; ``gateway.ingest.stream.Batch`` is one."""

    @property
    def messages(self) -> list[Message]:
        """In the log's order."""
        ...

    @property
    def last_sequence(self) -> int:
        """How far the log was read."""
        ...

    @property
    def at_end(self) -> bool:
        """Whether that is all there is for now."""
        ...


Batches = Callable[[int], AsyncIterator[MessageBatch]]
"""Reads the log from behind a sequence on."""


class Pipeline:
    """Carries messages from the log, and commands from people, into the store."""

    def __init__(
        self,
        committer: Committer,
        batches: Batches,
        clock: Clock,
        live: LiveFeed,
        metrics: Metrics,
        portion: Portion | None = None,
    ) -> None:
        """``committer`` is opened already; ``batches`` reads the log; ``portion`` bounds what a commit takes of it."""
        self._committer = committer
        self._batches = batches
        self._clock = clock
        self._live = live
        self._metrics = metrics
        self._commands: deque[tuple[Command, asyncio.Future[Any]]] = deque()
        self._arrived: asyncio.Queue[MessageBatch] = asyncio.Queue(maxsize=1)
        self._begun: MessageBatch | None = None
        """The batch whose messages are not all committed yet."""
        self._portion = portion or Portion()
        self._wake = asyncio.Event()
        self._at_end = False
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")
        self.on_commit: Callable[[Outcome], None] = lambda outcome: None
        """Called on the event loop after each commit."""
        self.timers_held: Callable[[], bool] = lambda: False
        """Whether a relay still brings what its broker kept: a timer that acted now would act before it is heard."""

    @property
    def sequence(self) -> int:
        """How far the log has had its effect."""
        return self._committer.sequence

    @property
    def at_end(self) -> bool:
        """Whether the log is read to its end."""
        return self._at_end and self._begun is None and self._arrived.empty()

    async def submit(self, command: Command) -> Any:
        """Run ``command`` in the next commit and return its result.

        Raises CommandRefused where it cannot be done, or whatever went wrong in doing it.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._commands.append((command, future))
        self._wake.set()
        return await future

    async def run(self) -> None:
        """Commit what arrives, until cancelled; raises StaleWriter where another process took over."""
        reader = asyncio.create_task(self._read(), name="pipeline.read")
        try:
            while True:
                await self._wait(reader)
                await self._step()
        finally:
            # What it failed with was raised by ``_wait`` where it was the cause; else it only met the closing stream.
            await end(reader)
            for _, future in self._commands:
                future.cancel()
            self._writer.shutdown(wait=True)

    async def _read(self) -> None:
        async for batch in self._batches(self._committer.sequence):
            await self._arrived.put(batch)
            self._wake.set()

    async def _wait(self, reader: asyncio.Task[None]) -> None:
        """Return when there is something to do: a command, messages or a timer."""
        while not self._commands and self._begun is None and self._arrived.empty() and not self._timer_due():
            self._wake.clear()
            if reader.done():
                reader.result()
                raise RuntimeError("the log ended, which it never does")
            try:
                async with asyncio.timeout(self._idle_s()):
                    await self._wake.wait()
            except TimeoutError:
                return

    def _ticks_until(self) -> datetime | None:
        if not self.at_end or self.timers_held():
            return None
        return self._clock.now() - _TICK_GRACE * self._clock.speed

    def _timer_due(self) -> bool:
        due, until = self._committer.next_due(), self._ticks_until()
        return due is not None and until is not None and due <= until

    def _idle_s(self) -> float:
        due = self._committer.next_due()
        if due is None or not self.at_end:
            return _LONGEST_IDLE_S
        left = self._clock.wall_seconds(due - self._clock.now()) + _TICK_GRACE.total_seconds()
        return min(_LONGEST_IDLE_S, max(left, 0.01))

    async def _step(self) -> None:
        taken = [self._commands.popleft() for _ in range(min(len(self._commands), _MOST_COMMANDS))]
        work = Work(commands=[command for command, _ in taken])
        self._take_messages(work)
        work.ticks_until = self._ticks_until()
        if not (taken or work.messages or work.last_sequence > self._committer.sequence or self._timer_due()):
            return
        begun_at = time.monotonic()
        try:
            outcome = await self._commit_or_divide(work)
        except BaseException as error:
            for _, future in taken:
                if not future.done():
                    future.set_exception(RuntimeError(f"the pipeline ended: {error}"))
            raise
        self._portion.took(len(work.messages), time.monotonic() - begun_at)
        for (_, future), result in zip(taken, outcome.results, strict=True):
            if future.done():
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
        self._live.publish(outcome.changes)
        self._metrics.committed(outcome, work, self._clock.now())
        self.on_commit(outcome)

    def _take_messages(self, work: Work) -> None:
        """Give ``work`` the next messages: of the batch that is begun, or of the next one."""
        if self._begun is None and not self._arrived.empty():
            self._begun = self._arrived.get_nowait()
            self._at_end = self._begun.at_end
        if self._begun is None:
            return
        left = [message for message in self._begun.messages if message.sequence > self._committer.sequence]
        work.messages = left[: self._portion.size]
        if len(left) > self._portion.size:
            work.last_sequence = work.messages[-1].sequence
        else:
            work.last_sequence, self._begun = self._begun.last_sequence, None

    async def _commit_or_divide(self, work: Work) -> Outcome:
        """Commit; where one of the messages trips a fault of ours, commit each by itself and put that one aside."""
        try:
            return await self._commit(work)
        except StaleWriter:
            raise
        except Exception:
            if not work.messages:
                raise
            log.exception("pipeline.batch_divided", last_sequence=work.last_sequence, messages=len(work.messages))
        outcome = await self._commit(Work(commands=work.commands))
        for message in work.messages:
            try:
                part = await self._commit(Work(messages=[message], last_sequence=message.sequence))
            except StaleWriter:
                raise
            except Exception as error:
                log.exception("pipeline.message_quarantined", sequence=message.sequence)
                aside = Work(quarantined=[quarantine(message, error)], last_sequence=message.sequence)
                part = await self._commit(aside)
            outcome.add(part)
        return outcome

    async def _commit(self, work: Work) -> Outcome:
        """Commit, and where the database cannot be written (disk full, gone) try again until it can; skip nothing."""
        attempt = 0
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(
                    self._writer, self._committer.run, work, self._clock.now()
                )
            except sa.exc.OperationalError as error:
                if not may_pass(error):
                    raise
                wait_s = _RETRY_S[min(attempt, len(_RETRY_S) - 1)]
                attempt += 1
                self._metrics.commit_failed()
                log.error("store.cannot_write", reason=str(error.orig), attempt=attempt, retry_after_s=wait_s)
                await asyncio.sleep(wait_s)


__all__ = ["CommandRefused", "MessageBatch", "Pipeline"]
