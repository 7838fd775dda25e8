"""The recorder writes what the log holds, once the history takes it, and keeps positions only where it may."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from device_models.event import Event, EventKind, Message, Position, Rejection, TimeSource
from gateway.history import HistoryUnavailable, Sample
from gateway.history.embedded import EmbeddedHistory
from gateway.history.recorder import Recorder

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
        self._messages = [Message(f"devices/d{n % 3}/status", str(n).encode(), at(n), n) for n in range(1, count + 1)]
        self._size = size

    async def batches(self, after: int) -> AsyncGenerator[Batch, None]:
        left = self._messages[after:]
        for begin in range(0, len(left), self._size):
            messages = left[begin : begin + self._size]
            yield Batch(messages, messages[-1].sequence, begin + self._size >= len(left))


def at(n: int) -> datetime:
    return T0 + timedelta(seconds=n)


def decode(message: Message) -> list[Event] | Rejection:
    n = int(message.payload)
    if n % 10 == 0:
        return Rejection.of(message, "every tenth is no JSON")
    return [event(message.topic.split("/")[1], n)]


def event(device: str, n: int, *, retained: bool = False, source: TimeSource = TimeSource.DEVICE) -> Event:
    return Event(
        device,
        EventKind.STATUS,
        at(n),
        at(n),
        source,
        "native",
        {"n": n},
        {"n": "1"},
        Position(1.0, 2.0),
        retained=retained,
    )


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
    await Recorder(MemoryLog(95, 10), decode, history, lambda device: device == "d1").run()
    assert await history.last_sequence() == 95
    recorded = {device: (await history.series(device, "n", T0, T0 + HOUR, 200)).values for device in ("d0", "d1", "d2")}
    assert sorted(v for values in recorded.values() for v in values) == [n for n in range(1, 96) if n % 10]
    assert len(await history.positions("d1", T0, T0 + HOUR, 200)) == len(recorded["d1"])
    assert await history.positions("d0", T0, T0 + HOUR, 200) == []
    await history.close()


async def test_a_history_that_fails_now_and_then_loses_nothing(tmp_path: Path) -> None:
    history = await Faulty.open(tmp_path / "history.sqlite", 10**9)
    await Recorder(MemoryLog(99, 7), decode, history, lambda _: False, first_wait_s=0.001).run()
    kept = [(await history.series(f"d{n}", "n", T0, T0 + HOUR, 200)).values for n in range(3)]
    assert sorted(v for values in kept for v in values) == [n for n in range(1, 100) if n % 10]
    assert history.attempts > 99 / 7
    await history.close()


async def test_a_restarted_recorder_goes_on_where_it_was(tmp_path: Path) -> None:
    history = await EmbeddedHistory.open(tmp_path / "history.sqlite", 10**9)
    await Recorder(MemoryLog(20, 5), decode, history, lambda _: False).run()
    seen: list[int] = []

    def watch(message: Message) -> list[Event] | Rejection:
        seen.append(message.sequence)
        return decode(message)

    await Recorder(MemoryLog(30, 5), watch, history, lambda _: False).run()
    assert seen == list(range(21, 31))
    await history.close()


@pytest.mark.parametrize(("source", "kept"), [(TimeSource.DEVICE, 1), (TimeSource.ARRIVAL, 0)])
async def test_a_retained_message_is_a_sample_only_at_the_time_its_device_gave(
    tmp_path: Path, source: TimeSource, kept: int
) -> None:
    history = await EmbeddedHistory.open(tmp_path / "history.sqlite", 10**9)
    await Recorder(MemoryLog(1, 1), lambda _: [event("d1", 1, retained=True, source=source)], history, bool).run()
    assert len((await history.series("d1", "n", T0, T0 + HOUR, 10)).values) == kept
    assert await history.last_sequence() == 1
    await history.close()


async def test_cancelling_ends_it_while_it_waits(tmp_path: Path) -> None:
    history = await Faulty.open(tmp_path / "history.sqlite", 10**9)
    history.nth = 1
    with capture_logs() as logged:
        running = asyncio.create_task(Recorder(MemoryLog(5, 5), decode, history, bool, first_wait_s=3600).run())
        await history.failed.wait()
        running.cancel()
        await asyncio.wait([running])
    assert [(entry["event"], entry["recorded_to"]) for entry in logged] == [("history.unavailable", 0)]
    with pytest.raises(asyncio.CancelledError):
        await running
    await history.close()
