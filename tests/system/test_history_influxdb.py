"""The history on real servers: InfluxDB 1.6 behind a proxy for influxdb-client, and VictoriaMetrics."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from structlog.testing import capture_logs

from device_models.decoders.protocol import Decoded
from device_models.event import Event, EventKind, Message, TimeSource
from gateway.history import HistoryUnavailable, Sample
from gateway.history.chart import chart
from gateway.history.influxdb import InfluxHistory
from gateway.history.recorder import Recorder
from gateway.history.tail import Tail
from tests.history_servers import influxd, influxql, v2_proxy, victoria_metrics
from tests.servers import free_port

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Batch:
    messages: Sequence[Message]
    last_sequence: int


class MemoryLog:
    """``count`` messages, one a batch, then the end."""

    def __init__(self, count: int) -> None:
        self._count = count

    async def batches(self, after: int) -> AsyncGenerator[Batch, None]:
        for n in range(after + 1, self._count + 1):
            payload = json.dumps({"temperature": -18.0 + n / 10}).encode()
            yield Batch([Message("devices/freezer-14/status", payload, T0 + timedelta(seconds=n), n)], n)


def decode(message: Message) -> Decoded:
    at = message.received_at
    return Decoded(
        (Event("freezer-14", EventKind.STATUS, at, at, TimeSource.ARRIVAL, "native", json.loads(message.payload)),)
    )


def sample(event: Event) -> Sample:
    return Sample(event.device_id, event.observed_at, event.values, {"temperature": "Cel"})


def connect(url: str, bucket: str, folder: Path) -> InfluxHistory:
    return InfluxHistory(url, bucket=bucket, progress_path=folder / "progress.sqlite", query="influxql")


async def test_one_sample_goes_through_influxdb_client_to_influxdb_and_into_the_cases_chart(tmp_path: Path) -> None:
    with influxd(tmp_path / "influxd") as url:
        influxql(url, "CREATE DATABASE devices")
        async with v2_proxy(url) as proxy:
            history = connect(proxy, "devices", tmp_path)
            await Recorder(Tail(10**9), MemoryLog(1), decode, sample, history).run()
            series = await history.series("freezer-14", "temperature", T0, T0 + HOUR, 500)
            assert (series.times, series.values) == ((T0 + timedelta(seconds=1),), (-17.9,))
            svg = chart(series, title="Temperature", zone=ZoneInfo("Europe/Berlin"), limit=-12, direction="above")
            assert "Last −17.9 °C at 13:00. Limit −12.0 °C, wrong above it." in svg
            assert await history.last_sequence() == 1
            await history.close()


async def test_an_outage_of_influxdb_costs_no_sample(tmp_path: Path) -> None:
    port, count = free_port(), 120
    async with v2_proxy(f"http://127.0.0.1:{port}") as proxy:
        with influxd(tmp_path / "influxd", port) as url:
            influxql(url, "CREATE DATABASE devices")
            history = connect(proxy, "devices", tmp_path)
            await Recorder(Tail(10**9), MemoryLog(count // 3), decode, sample, history).run()
        refused = asyncio.Event()

        class Watched(InfluxHistory):
            async def write(self, samples: Sequence[Sample], *, sequence: int | None = None) -> None:
                try:
                    await super().write(samples, sequence=sequence)
                except HistoryUnavailable:
                    refused.set()
                    raise

        await history.close()
        history = Watched(proxy, bucket="devices", progress_path=tmp_path / "progress.sqlite", query="influxql")
        recorder = Recorder(Tail(10**9), MemoryLog(count), decode, sample, history, first_wait_s=0.05)
        waiting = asyncio.create_task(recorder.run())
        await asyncio.wait_for(refused.wait(), 20)
        assert await history.last_sequence() == count // 3
        with influxd(tmp_path / "influxd", port):
            await asyncio.wait_for(waiting, 30)
            values = (await history.series("freezer-14", "temperature", T0, T0 + HOUR, 500)).values
        assert values == tuple(-18.0 + n / 10 for n in range(1, count + 1))
        assert await history.last_sequence() == count
        await history.close()


async def test_a_line_that_influxdb_refuses_is_counted_and_its_neighbours_are_written(tmp_path: Path) -> None:
    with influxd(tmp_path / "influxd") as url:
        influxql(url, "CREATE DATABASE devices")
        async with aiohttp.ClientSession() as session:
            # Somebody else's writer made this field a text.
            line = f'device,device_id=other temperature="warm" {int(T0.timestamp()) * 10**9}'
            async with session.post(f"{url}/write?db=devices", data=line) as answer:
                assert answer.status == 204
        async with v2_proxy(url) as proxy:
            history = connect(proxy, "devices", tmp_path)
            good = [Sample("f", T0 + timedelta(seconds=n), {"humidity": float(n)}) for n in range(5)]
            with capture_logs() as logged:
                await history.write([*good, Sample("f", T0, {"temperature": -18.0})], sequence=6)
            assert history.refused >= 1
            assert [entry["event"] for entry in logged] == ["history.lines_refused"]
            assert "-18" not in str(logged)
            assert len((await history.series("f", "humidity", T0, T0 + HOUR, 10)).values) == 5
            assert await history.last_sequence() == 6
            await history.close()


async def test_a_missing_bucket_is_waited_for_and_says_what_to_mend(tmp_path: Path) -> None:
    with influxd(tmp_path / "influxd") as url:
        async with v2_proxy(url) as proxy:
            history = connect(proxy, "nowhere", tmp_path)
            with pytest.raises(HistoryUnavailable, match="no such bucket"):
                await history.write([Sample("f", T0, {"t": 1.0})], sequence=1)
            with pytest.raises(HistoryUnavailable, match=r"is \[history\] bucket the name of a database"):
                await history.series("f", "t", T0, T0 + HOUR, 10)
            assert await history.last_sequence() == 0
            await history.close()


async def test_another_bucket_is_recorded_from_the_beginning(tmp_path: Path) -> None:
    with influxd(tmp_path / "influxd") as url:
        influxql(url, "CREATE DATABASE one")
        influxql(url, "CREATE DATABASE two")
        async with v2_proxy(url) as proxy:
            one = connect(proxy, "one", tmp_path)
            await one.write([Sample("f", T0, {"t": 1.0})], sequence=9)
            await one.close()
            two, again = connect(proxy, "two", tmp_path), connect(proxy, "one", tmp_path)
            assert (await two.last_sequence(), await again.last_sequence()) == (0, 9)
            await two.close()
            await again.close()


async def test_nobody_at_the_address_is_an_error_to_wait_for_that_names_no_secret(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    history = InfluxHistory(url, token="s3cr3t-t0ken", bucket="b", progress_path=tmp_path / "p.sqlite")
    with pytest.raises(HistoryUnavailable) as raised:
        await history.write([Sample("f", T0, {"t": 1.0})])
    assert "s3cr3t-t0ken" not in str(raised.value)
    with pytest.raises(HistoryUnavailable):
        await history.series("f", "t", T0, T0 + HOUR, 10)
    await history.close()


async def test_victoria_metrics_takes_what_influxdb_client_writes(tmp_path: Path) -> None:
    with victoria_metrics(tmp_path) as url:
        history = InfluxHistory(url, bucket="ignored", progress_path=tmp_path / "p.sqlite")
        samples = [
            Sample("f-1", T0 + timedelta(seconds=n), {"temperature": -18.0 + n, "door": n == 2}) for n in range(5)
        ]
        await history.write(samples, sequence=5)
        await history.close()
        async with aiohttp.ClientSession() as session, asyncio.timeout(20):
            form = {"match[]": '{device_id="f-1"}', "start": T0.timestamp(), "end": (T0 + HOUR).timestamp()}
            # Without this it shows what was written only after a while.
            async with session.get(f"{url}/internal/force_flush") as answer:
                assert answer.status == 200
            async with session.post(f"{url}/api/v1/export", data=form) as answer:
                rows = [json.loads(row) for row in (await answer.text()).splitlines()]
            exported = {row["metric"]["__name__"]: row["values"] for row in rows}
        assert exported["device_temperature"] == [-18, -17, -16, -15, -14]
        assert exported["device_door:bool"] == [0, 0, 1, 0, 0]
