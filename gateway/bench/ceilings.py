"""What the parts underneath can do alone, in the same run on the same machine: the broker with its log, and SQLite."""

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.bench.fleet import Fleet, device_id
from gateway.bench.publisher import Order, publish
from gateway.bench.rows import percentile
from gateway.ingest.broker import EmbeddedBroker
from gateway.ingest.stream import Stream
from gateway.store import dialect, schema
from gateway.store.store import Store

BATCH = 500
_STATE_BYTES = 900
"""About what the state of one of the bench's freezers takes."""


@dataclass(frozen=True, slots=True)
class LogCeiling:
    """The broker and its log, with a reader that does nothing."""

    burst_per_s: float
    """From the first publish to the last message read, both going on at once."""
    read_per_s: float
    """Reading what is stored already."""
    read_p50_ms: float
    """From publish to read, at the bench's rate."""
    read_p99_ms: float


async def measure_log(folder: Path, fleet: Fleet, count: int, rate: float, paced: int) -> LogCeiling:
    """Publish and read ``count`` messages in a burst, read them again, then ``paced`` ones at ``rate`` a second."""
    async with (
        EmbeddedBroker(folder, "127.0.0.1:0") as broker,
        await Stream.open(broker.addresses.nats_url, broker.log_settings) as stream,
    ):
        port = int(broker.addresses.mqtt_url.rpartition(":")[2])
        order = Order(port, fleet.devices, fleet.first_at, 0, count)
        published, read_at = await asyncio.gather(publish(order), _read(stream, 0, count))
        burst = count / (read_at[-1] - published[0])
        began = time.time()
        again = await _read(stream, 0, count)
        order = Order(port, fleet.devices, fleet.first_at, count, paced, rate)
        published, read_at = await asyncio.gather(publish(order), _read(stream, count, paced))
        waits = [1000 * (read - sent) for sent, read in zip(published, read_at, strict=True)]
        return LogCeiling(burst, count / (again[-1] - began), percentile(waits, 0.5), percentile(waits, 0.99))


async def _read(stream: Stream, after: int, count: int) -> list[float]:
    """Read ``count`` messages after a sequence; return when each was there."""
    times: list[float] = []
    async with aclosing(stream.batches(after)) as batches:
        async for batch in batches:
            times += [time.time()] * len(batch.messages)
            if len(times) >= count:
                break
    return times


@dataclass(frozen=True, slots=True)
class StoreCeiling:
    """SQLite as the gateway sets it up (WAL, ``synchronous=FULL``), writing states and nothing else."""

    rows_per_s: float
    """In transactions of ``BATCH`` rows."""
    single_p50_ms: float
    """One row in a transaction of its own."""
    single_p99_ms: float


def measure_store(folder: Path, devices: int, batches: int, singles: int) -> StoreCeiling:
    """Upsert rows of ``device_states`` in batches, and then one by one."""
    store = Store(f"sqlite:///{folder / 'ceiling.sqlite'}")
    at = datetime.now(UTC)
    rows = [
        {"device_id": device_id(i), "state": bytes(_STATE_BYTES), "due_at": at, "heard_at": at} for i in range(devices)
    ]
    try:
        began = time.perf_counter()
        for batch in range(batches):
            start = batch * BATCH % devices
            _write(store, (rows[start:] + rows[:start])[:BATCH])
        took_s = time.perf_counter() - began
        waits = []
        for single in range(singles):
            began = time.perf_counter()
            _write(store, [rows[single % devices]])
            waits.append(1000 * (time.perf_counter() - began))
    finally:
        store.close()
    written = batches * min(BATCH, devices)
    return StoreCeiling(written / took_s, percentile(waits, 0.5), percentile(waits, 0.99))


def _write(store: Store, rows: list[dict[str, object]]) -> None:
    with store.write() as connection:
        dialect.upsert(connection, schema.device_states, rows)
