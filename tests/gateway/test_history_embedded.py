"""The embedded history keeps its budget, survives a kill, and thins out exactly as the pure function does."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_models.event import Position
from gateway.history import HistoryError, HistoryUnavailable, Sample
from gateway.history import thinning as th
from gateway.history.embedded import EmbeddedHistory
from gateway.history.writing import MAX_FIELDS

T0 = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
async def history(tmp_path: Path) -> AsyncIterator[EmbeddedHistory]:
    opened = await EmbeddedHistory.open(tmp_path / "history.sqlite", 10**9)
    yield opened
    await opened.close()


def fleet(begin: int, end: int, devices: int = 20) -> list[Sample]:
    """One sample a minute of each device."""
    return [
        Sample(
            f"d{device}", T0 + timedelta(minutes=m), {"t": m + device / 10, "state": f"s{m % 7}"}, {}, Position(1, 2)
        )
        for m in range(begin, end)
        for device in range(devices)
    ]


@settings(max_examples=40, deadline=None)
@given(
    points=st.dictionaries(st.integers(0, 9_999), st.integers(-3, 3).map(float), min_size=1, max_size=120),
    size=st.integers(4, 40),
    interval_us=st.one_of(st.none(), st.integers(1, 100)),
)
async def test_the_database_thins_out_as_the_pure_function_does(
    points: dict[int, float], size: int, interval_us: int | None
) -> None:
    with TemporaryDirectory() as folder:
        history = await EmbeddedHistory.open(Path(folder) / "history.sqlite", 10**9)
        await history.write([Sample("d", th.from_us(at), {"t": value}) for at, value in points.items()])
        interval = interval_us * th.MICROSECOND if interval_us is not None else None
        series = await history.series("d", "t", th.from_us(0), th.from_us(10_000), size, interval=interval)
        await history.close()
    expected = th.thin(sorted(points.items()), 0, 10_000, size, interval_us)
    assert tuple(zip(map(th.to_us, series.times), series.values, strict=True)) == expected.points
    assert tuple((th.to_us(a), th.to_us(b)) for a, b in series.gaps) == expected.gaps


async def test_the_oldest_samples_of_all_devices_go_first_and_the_file_stays_within_its_budget(tmp_path: Path) -> None:
    budget = 3_000_000
    history = await EmbeddedHistory.open(tmp_path / "history.sqlite", budget)
    await history.write([Sample("stray", datetime(1970, 1, 2, tzinfo=UTC), {"t": 1.0})])
    minutes = 3000
    for begin in range(0, minutes, 100):
        await history.write(fleet(begin, begin + 100))
    await history.trimmed()
    await history.close()
    assert (tmp_path / "history.sqlite").stat().st_size <= budget

    history = await EmbeddedHistory.open(tmp_path / "history.sqlite", budget)
    until = T0 + timedelta(minutes=minutes)
    kept = [(await history.series(f"d{device}", "t", T0, until, 4000)).times for device in range(20)]
    texts = (await history.series("d0", "state", T0, until, 4000)).changes
    fixes = await history.positions("d0", T0, until, 4000)
    await history.close()
    assert all(times[-1] == until - timedelta(minutes=1) for times in kept)
    assert len({times[0] for times in kept}) == 1
    assert T0 < kept[0][0] < until - timedelta(minutes=500)
    assert all(b - a == timedelta(minutes=1) for a, b in zip(kept[0], kept[0][1:], strict=False))
    assert texts[0][0] == fixes[0].observed_at == kept[0][0]


async def test_a_smaller_budget_shrinks_the_file(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    large = await EmbeddedHistory.open(path, 10**9)
    await large.write(fleet(0, 3000))
    await large.close()
    before = path.stat().st_size
    small = await EmbeddedHistory.open(path, before // 3)
    await small.write(fleet(3000, 3001))
    await small.trimmed()
    await small.close()
    assert path.stat().st_size <= before // 3


async def test_writes_and_reads_go_on_while_the_history_is_trimmed(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    large = await EmbeddedHistory.open(path, 10**9)
    for begin in range(0, 6000, 1000):
        await large.write(fleet(begin, begin + 1000))
    await large.close()
    size = path.stat().st_size
    small = await EmbeddedHistory.open(path, int(size * 0.85))
    await small.write(fleet(6000, 6001))
    served = 0
    trimming = asyncio.create_task(small.trimmed())
    while not trimming.done():
        await small.write(fleet(6001 + served, 6002 + served))
        assert len((await small.series("d1", "t", T0, T0 + timedelta(days=30), 8)).times) > 0
        served += 1
    await small.close()
    assert served > 3, "a write had to wait for the whole trimming"


async def test_an_erased_text_is_no_longer_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    history = await EmbeddedHistory.open(path, 10**9)
    await history.write([Sample("ana-souza-phone", T0, {"ssid": "Casa da Ana"}), *fleet(0, 50)])
    await history.erase("ana-souza-phone")
    on_disk = b"".join(file.read_bytes() for file in (path, path.with_name(f"{path.name}-wal")))
    await history.close()
    assert b"Casa da Ana" not in on_disk
    assert b"ana-souza-phone" not in on_disk


async def test_a_device_that_invents_names_is_bounded(history: EmbeddedHistory) -> None:
    await history.write([Sample("d", T0, {f"x{n}": n for n in range(MAX_FIELDS + 50)})])
    assert len(await history.fields("d")) == MAX_FIELDS
    await history.write([Sample("d", T0 + timedelta(minutes=1), {"x0": 7, "another": 1})])
    assert (await history.series("d", "x0", T0, T0 + timedelta(hours=1), 9)).values == (0.0, 7.0)


async def test_a_failed_batch_leaves_nothing_and_the_next_one_is_written(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    history = await EmbeddedHistory.open(path, 10**9)
    await history.write([Sample("d", T0, {"t": 1.0})], sequence=4)
    with sqlite3.connect(path) as other:
        # A full disk, as SQLite reports it.
        other.execute("CREATE TRIGGER full BEFORE INSERT ON fix BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
    other.close()
    late = Sample("new", T0, {"new": 1.0}, {}, Position(1, 2))
    with pytest.raises(HistoryUnavailable, match="disk is full"):
        await history.write([late], sequence=5)
    assert await history.last_sequence() == 4
    assert await history.fields("new") == []
    with sqlite3.connect(path) as other:
        other.execute("DROP TRIGGER full")
    other.close()
    await history.write([late], sequence=5)
    assert await history.fields("new") == ["new"]
    assert await history.last_sequence() == 5
    await history.close()


async def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HistoryUnavailable, match="cannot be opened"):
        await EmbeddedHistory.open(tmp_path / "file" / "history.sqlite", 10**9)


async def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    (tmp_path / "history.sqlite").write_bytes(b"not a database, " * 500)
    with pytest.raises(HistoryUnavailable, match="not a database"):
        await EmbeddedHistory.open(tmp_path / "history.sqlite", 10**9)


async def test_a_file_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(HistoryError, match="newer version"):
        await EmbeddedHistory.open(path, 10**9)


async def test_closing_finishes_what_was_accepted(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    history = await EmbeddedHistory.open(path, 10**9)
    writes = [asyncio.create_task(history.write(fleet(n, n + 1), sequence=n)) for n in range(20)]
    await asyncio.sleep(0)
    await history.close()
    await asyncio.gather(*writes)
    again = await EmbeddedHistory.open(path, 10**9)
    assert await again.last_sequence() == 19
    await again.close()


_WRITER = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from gateway.history import Sample
from gateway.history.embedded import EmbeddedHistory

async def main() -> None:
    history = await EmbeddedHistory.open(Path(sys.argv[1]), 10**9)
    n = 0
    while True:
        n += 1
        sample = Sample("d", datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=n), {"t": n})
        await history.write([sample], sequence=n)
        print(n, flush=True)

asyncio.run(main())
"""


async def test_samples_and_sequence_survive_a_kill_together(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    for _ in range(3):
        writer = await asyncio.create_subprocess_exec(sys.executable, "-c", _WRITER, path, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        while int(await writer.stdout.readline()) < 200:
            pass
        writer.send_signal(signal.SIGKILL)
        # The last line may be cut off by the kill.
        acknowledged = [int(line) for line in (await writer.stdout.read()).decode().split("\n")[:-1]]
        await writer.wait()
        history = await EmbeddedHistory.open(path, 10**9)
        sequence = await history.last_sequence()
        values = (await history.series("d", "t", T0, T0 + timedelta(days=1), 100_000)).values
        await history.close()
        assert sequence >= max([200, *acknowledged])
        assert values == tuple(float(n) for n in range(1, len(values) + 1))
        assert len(values) >= sequence


async def test_of_two_samples_of_one_time_the_later_one_stands_also_within_one_write(history: EmbeddedHistory) -> None:
    await history.write([Sample("d", T0, {"t": 2.0}), Sample("d", T0, {"t": 1.0})])
    assert (await history.series("d", "t", T0, T0 + timedelta(hours=1), 10)).values == (1.0,)
