"""The whole gateway under load, beside what the log and the store underneath do alone in the same run."""

import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from gateway.bench.ceilings import LogCeiling, measure_log, measure_store
from gateway.bench.fleet import INTERVAL_S, Fleet, address
from gateway.bench.publisher import Order, publish
from gateway.bench.rows import Row, percentile
from gateway.bench.size import Size, Tell
from gateway.bench.subject import MailSink, Subject


@dataclass(frozen=True, slots=True)
class Whole:
    """What the running gateway did."""

    burst_per_s: float
    backlog_per_s: float
    recorded_per_s: float
    backlog_cpu_us: float
    committed_ms: list[float]
    handed_over_ms: list[float]


async def measure_whole(size: Size, tell: Tell) -> list[Row]:
    """Start a gateway and drive it. Raises RuntimeError where a part fails."""
    # Everybody's clock begins so long ago that the last message is not of the future.
    turns = (2 * size.devices + 2 * size.burst + size.paced) / size.devices + 2
    fleet = Fleet(size.devices, time.time() - INTERVAL_S * turns)
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as name:
        folder = Path(name)
        for part in ("log", "store", "gateway"):
            (folder / part).mkdir()
        tell(f"the log alone: {size.burst:,} messages in a burst, {size.paced:,} at {size.rate:g}/s")
        log = await measure_log(folder / "log", fleet, size.burst, size.rate, size.paced)
        tell("the store alone")
        store = await asyncio.to_thread(
            measure_store, folder / "store", size.devices, max(4, size.burst // 500), max(20, size.paced // 20)
        )
        whole = await _measure_whole(folder / "gateway", fleet, size, tell)
    return _rows(whole, log, store.rows_per_s, (store.single_p50_ms, store.single_p99_ms), size)


async def _measure_whole(folder: Path, fleet: Fleet, size: Size, tell: Tell) -> Whole:
    with MailSink() as sink:
        subject = Subject(folder, sink)
        try:
            await subject.start(fleet)
            return await _drive(subject, sink, fleet, size, tell)
        finally:
            await subject.stop()


async def _drive(subject: Subject, sink: MailSink, fleet: Fleet, size: Size, tell: Tell) -> Whole:
    def order(first: int, count: int, rate: float | None = None, warm: list[int] | None = None) -> Order:
        return Order(subject.mqtt_port, fleet.devices, fleet.first_at, first, count, rate, warm or [])

    with subject.watched() as watch:
        tell(f"the gateway: warming up, two messages of each of {fleet.devices:,} devices")
        done = 2 * fleet.devices
        base = watch.sequence
        await publish(order(0, done))
        await watch.until(base + done)

        tell(f"the gateway: {size.burst:,} messages in a burst")
        published = await publish(order(done, size.burst))
        done += size.burst
        burst = size.burst / (await watch.until(base + done) - published[0])
        await subject.until_recorded(base + done)

        tell(f"the gateway: catching up with {size.burst:,} messages that came while it stood still")
        with subject.paused():
            await publish(order(done, size.burst))
            done += size.burst
            cpu_s, began = subject.cpu_s(), time.time()
        backlog = size.burst / (await watch.until(base + done) - began)
        # Only now is all of it done: the history goes at its own pace.
        recorded = size.burst / (await subject.until_recorded(base + done) - began)
        cpu_us = 1e6 * (subject.cpu_s() - cpu_s) / size.burst

        tell(f"the gateway: {size.paced:,} messages at {size.rate:g}/s, some of which become cases and mails")
        # Every fifth device gets too warm and stays so, one after the other over the run.
        warm = {
            d: done + d + fleet.devices * (d % max(1, size.paced // fleet.devices)) for d in range(0, fleet.devices, 5)
        }
        warm = {device: number for device, number in warm.items() if number < done + size.paced}
        published = await publish(order(done, size.paced, size.rate, sorted(warm.values())))
        first, done = done, done + size.paced
        await watch.until(base + done)
        await sink.until(len(warm))
        committed = watch.committed_at(base + first + 1, size.paced)
    return Whole(
        burst,
        backlog,
        recorded,
        cpu_us,
        [1000 * (at - sent) for at, sent in zip(committed, published, strict=True)],
        [1000 * (sink.received_at[address(d)] - published[number - first]) for d, number in warm.items()],
    )


def _rows(whole: Whole, log: LogCeiling, store_per_s: float, store_ms: tuple[float, float], size: Size) -> list[Row]:
    at_rate = f"at {size.rate:g}/s"
    return [
        Row("burst: first publish to last commit", whole.burst_per_s, "events/s", log.burst_per_s, 10_000),
        Row("backlog: catching up", whole.backlog_per_s, "events/s", min(log.read_per_s, store_per_s), 10_000),
        Row("backlog: until the history has it as well", whole.recorded_per_s, "events/s", None, 5_000),
        Row("backlog: processor time of the gateway", whole.backlog_cpu_us, "µs/event", 1e6 / log.read_per_s, 100),
        Row(
            f"publish to commit {at_rate}, p50",
            percentile(whole.committed_ms, 0.5),
            "ms",
            log.read_p50_ms + store_ms[0],
            25,
        ),
        Row(
            f"publish to commit {at_rate}, p99",
            percentile(whole.committed_ms, 0.99),
            "ms",
            log.read_p99_ms + store_ms[1],
            100,
        ),
        Row(f"publish to mail handed over {at_rate}, p50", percentile(whole.handed_over_ms, 0.5), "ms", None, 100),
        Row(f"publish to mail handed over {at_rate}, p99", percentile(whole.handed_over_ms, 0.99), "ms", None, 500),
        Row("log alone: publish to read, a burst", log.burst_per_s, "messages/s"),
        Row("log alone: reading", log.read_per_s, "messages/s"),
        Row(f"log alone: publish to read {at_rate}, p50", log.read_p50_ms, "ms"),
        Row(f"log alone: publish to read {at_rate}, p99", log.read_p99_ms, "ms"),
        Row("SQLite alone: states in transactions of 500", store_per_s, "rows/s"),
        Row("SQLite alone: a transaction of one row, p50", store_ms[0], "ms"),
        Row("SQLite alone: a transaction of one row, p99", store_ms[1], "ms"),
    ]
