"""The whole bench, in the order in which it runs."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

from gateway.bench import backtest, commits, parts, resident
from gateway.bench.consoles import measure_consoles
from gateway.bench.rows import Row
from gateway.bench.size import Size, Tell
from gateway.bench.whole import measure_whole

Part = Callable[[Size, Tell], Awaitable[list[Row]]]


async def _steps(size: Size, tell: Tell) -> list[Row]:
    tell("single steps")
    rows = [Row("decode a native status", await asyncio.to_thread(parts.decode_us, size.parts), "µs/event", None, 15)]
    for rules, aim in ((1, 20), (10, 40), (50, 120)):
        cost = await asyncio.to_thread(parts.detect_us, rules, rules - rules // 2, size.parts)
        rows.append(Row(f"detect, {rules} rules of a profile", cost, "µs/event", None, aim))
    cost = await asyncio.to_thread(parts.detect_us, 50, 1, size.parts)
    return [*rows, Row("detect, 50 rules of which the event touches 1", cost, "µs/event", None, 20)]


async def _devices(size: Size, tell: Tell) -> list[Row]:
    rows: list[Row] = []
    for devices in size.resident:
        tell(f"the states of {devices:,} devices in memory")
        found = await resident.in_a_process(resident.measure, devices, size.parts)
        rows += [
            Row(f"detect, {devices:,} devices in memory", found.event_us, "µs/event", None, 30),
            Row(f"memory of a device among {devices:,}", found.device_bytes, "bytes/device", None, 8_000),
        ]
    for devices in size.stored:
        tell(f"commits, {devices:,} devices in the store")
        commit = await resident.in_a_process(commits.measure, devices, size.parts)
        rows += [
            Row(f"commit, {devices:,} devices", commit.warm_us, "µs/event", None, 100),
            Row(f"commit, {devices:,} devices, their states read from the store", commit.cold_us, "µs/event"),
        ]
    return rows


async def _places(size: Size, tell: Tell) -> list[Row]:
    tell("fixes among shops and zones")
    return [
        *[
            Row(f"a fix among {n:,} shops", await asyncio.to_thread(parts.fix_us, n, size.parts), "µs/fix", None, 60)
            for n in size.shops
        ],
        *[
            Row(f"a fix among {n:,} zones", await asyncio.to_thread(parts.zone_us, n, size.parts), "µs/fix", None, 60)
            for n in size.zones
        ],
    ]


async def _backtest(size: Size, tell: Tell) -> list[Row]:
    tell(f"a backtest over {size.samples:,} rows")
    found = await asyncio.to_thread(backtest.measure, size.samples)
    return [Row("backtest, one condition over a CSV file", found.samples_per_s, "samples/s", found.rows_per_s, 150_000)]


PARTS: Mapping[str, Part] = {
    "gateway": measure_whole,
    "steps": _steps,
    "devices": _devices,
    "places": _places,
    "backtest": _backtest,
    "console": measure_consoles,
}
"""By name, as ``--only`` takes them."""


async def run(size: Size, tell: Tell, only: Collection[str] = ()) -> list[Row]:
    """Measure everything, or the parts named. Raises RuntimeError where one fails."""
    return [row for name, part in PARTS.items() if not only or name in only for row in await part(size, tell)]
