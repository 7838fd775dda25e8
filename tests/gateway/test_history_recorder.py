"""The recorder writes what the log holds, once the history takes it, and reads nothing twice while it keeps pace."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from device_models.decoders.protocol import Decoded
from device_models.event import Event, EventKind, Message, Rejection, TimeSource
from gateway.decoders import Decode
from gateway.history import History, HistoryUnavailable, Sample
from gateway.history.embedded import EmbeddedHistory
from gateway.history.recorder import Recorder
from gateway.history.tail import Tail

T0 = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Batch:
    messages: list[Message]
    last_sequence: int
    at_end: bool


class MemoryLog:
    """A log of ``count`` messages in batches of ``size`` that ends instead of waiting for more."""

    def __init__(self, count: int, size: int) -> None:
        self._size = size
        self._messages: list[Message] = []
        self.grow_to(count)

    def grow_to(self, count: int) -> None:
        self._messages = [Message(f"devices/d{n % 3}/status", str(n).encode(), at(n), n) for n in range(1, count + 1)]

    async def batches(self, after: int) -> AsyncGenerator[Batch, None]:
        left = self._messages[after:]
        for begin in range(0, len(left), self._size):
            messages = left[begin : begin + self._size]
            yield Batch(messages, messages[-1].sequence, begin + self._size >= len(left))


def at(n: int) -> datetime:
    return T0 + timedelta(seconds=n)


def decode(message: Message) -> Decoded | Rejection:
    n = int(message.payload)
    if n % 10 == 0:
        return Rejection.of(message, "every tenth is no JSON")
    return Decoded((event(message.topic.split("/")[1], n),))


def sample(event: Event) -> Sample:
    return Sample(event.device_id, event.observed_at, event.values)


def recorder(log: MemoryLog, history: History, decode: Decode = decode, **options: Any) -> Recorder:
    """One that reads all from the log."""
    return Recorder(Tail(10**9), log, decode, sample, history, **options)


def event(device: str, n: int) -> Event:
    return Event(device, EventKind.STATUS, at(n), at(n), TimeSource.DEVICE, "native", {"n": n})


class Faulty(EmbeddedHistory):
    """An embedded history whose every ``nth`` write fails, half of them after all was written."""

    attempts = 0
    nth = 3

    def __init__(self, *opened: Any) -> None:
        super().__init__(*opened)
        self.failed = asyncio.Event()

    async def write(self, samples: Sequence[Sample], *, sequence: int | None = None) -> None:
        self.attempts += 1
        failing = self.attempts % self.nth == 0
        if failing:
            self.failed.set()
        if failing and self.attempts % 2:
            raise HistoryUnavailable("not now")
        await super().write(samples, sequence=sequence)
        if failing:
            raise HistoryUnavailable("the answer was lost")


async def test_all_that_was_decoded_is_in_the_history_and_the_sequence_with_it(tmp_path: Path) -> None:
    history = await EmbeddedHistory.open(tmp_path / "history.sqlite", 10**9)
    await recorder(MemoryLog(95, 10), history).run()
    assert await history.last_sequence() == 95
    recorded = {device: (await history.series(device, "n", T0, T0 + HOUR, 200)).values for device in ("d0", "d1", "d2")}
    assert sorted(v for values in recorded.values() for v in values) == [n for n in range(1, 96) if n % 10]
    await history.close()


async def test_a_history_that_fails_now_and_then_loses_nothing(tmp_path: Path) -> None:
    history = await Faulty.open(tmp_path / "history.sqlite", 10**9)
    await recorder(MemoryLog(99, 7), history, first_wait_s=0.001).run()
    kept = [(await history.series(f"d{n}", "n", T0, T0 + HOUR, 200)).values for n in range(3)]
    assert sorted(v for values in kept for v in values) == [n for n in range(1, 100) if n % 10]
    assert history.attempts > 99 / 7
    await history.close()


async def test_a_restarted_recorder_goes_on_where_it_was(tmp_path: Path) -> None:
    history = await EmbeddedHistory.open(tmp_path / "history.sqlite", 10**9)
    await recorder(MemoryLog(20, 5), history).run()
    seen: list[int] = []

    def watch(message: Message) -> Decoded | Rejection:
        seen.append(message.sequence)
        return decode(message)

    await recorder(MemoryLog(30, 5), history, watch).run()
    assert seen == list(range(21, 31))
    await history.close()


async def test_cancelling_ends_it_while_it_waits(tmp_path: Path) -> None:
    history = await Faulty.open(tmp_path / "history.sqlite", 10**9)
    history.nth = 1
    with capture_logs() as logged:
        running = asyncio.create_task(recorder(MemoryLog(5, 5), history, first_wait_s=3600).run())
        await history.failed.wait()
        running.cancel()
        await asyncio.wait([running])
    assert [(entry["event"], entry["recorded_to"]) for entry in logged] == [("history.unavailable", 0)]
    with pytest.raises(asyncio.CancelledError):
        await running
    await history.close()


class Told(EmbeddedHistory):
    """An embedded history that tells of each write."""

    def __init__(self, *opened: Any) -> None:
        super().__init__(*opened)
        self._written = asyncio.Event()

    async def write(self, samples: Sequence[Sample], *, sequence: int | None = None) -> None:
        await super().write(samples, sequence=sequence)
        self._written.set()

    async def until(self, sequence: int) -> None:
        self._written.clear()
        while await self.last_sequence() < sequence:
            await self._written.wait()
            self._written.clear()


async def test_what_the_pipeline_decoded_is_not_read_again_and_what_it_dropped_is(tmp_path: Path) -> None:
    history = await Told.open(tmp_path / "history.sqlite", 10**9)
    tail, log, read = Tail(20, most=10), MemoryLog(20, 7), list[int]()

    def watch(message: Message) -> Decoded | Rejection:
        read.append(message.sequence)
        return decode(message)

    def commit(first: int, last: int) -> None:
        log.grow_to(last)
        tail.grow([event(f"d{n % 3}", n) for n in range(first, last + 1) if n % 10], last)

    async with asyncio.timeout(20):
        running = asyncio.create_task(Recorder(tail, log, watch, sample, history).run())
        await history.until(20)
        commit(21, 24)
        commit(25, 29)
        await history.until(29)
        assert read == list(range(1, 21))
        # More than is kept at once: the first of it is read from the log, up to where the tail begins.
        commit(30, 36)
        commit(37, 43)
        await history.until(43)
        assert read == [*range(1, 21), *range(30, 37)]
        commit(44, 45)
        await history.until(45)
    running.cancel()
    await asyncio.wait([running])
    values = [(await history.series(f"d{n}", "n", T0, T0 + HOUR, 200)).values for n in range(3)]
    assert sorted(v for each in values for v in each) == [n for n in range(1, 46) if n % 10]
    assert read == [*range(1, 21), *range(30, 37)]
    await history.close()
