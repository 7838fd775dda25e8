"""What every history does, shown on each: the embedded file, and InfluxDB by influxdb-client and InfluxQL."""

import random
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from device_models.event import Position
from gateway.history import History, Sample, SeriesKind
from gateway.history import thinning as th
from gateway.history.embedded import EmbeddedHistory
from gateway.history.influxdb import InfluxHistory
from tests.history_servers import influxd, influxql, v2_proxy

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def minute(n: float) -> datetime:
    return T0 + timedelta(minutes=n)


@pytest.fixture(scope="module")
def influxd_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with influxd(tmp_path_factory.mktemp("influxd")) as url:
        yield url


@pytest.fixture(params=["embedded", "influxdb"])
async def history(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[History]:
    if request.param == "embedded":
        embedded = await EmbeddedHistory.open(tmp_path / "history.sqlite", 10**9)
        yield embedded
        await embedded.close()
        return
    url = request.getfixturevalue("influxd_url")
    database = f"t{uuid.uuid4().hex}"
    influxql(url, f'CREATE DATABASE "{database}"')
    async with v2_proxy(url) as proxy:
        influx = InfluxHistory(
            proxy, bucket=database, token="user:word", progress_path=tmp_path / "progress.sqlite", query="influxql"
        )
        yield influx
        await influx.close()
    influxql(url, f'DROP DATABASE "{database}"')


async def test_nothing_known_is_an_empty_series(history: History) -> None:
    series = await history.series("nobody", "temperature", T0, T0 + HOUR, 100)
    assert (series.times, series.values, series.gaps, series.changes) == ((), (), (), ())
    assert await history.fields("nobody") == []
    assert await history.positions("nobody", T0, T0 + HOUR, 100) == []
    assert await history.last_sequence() == 0


async def test_numbers_come_back_with_time_and_unit(history: History) -> None:
    await history.write(
        [Sample("f1", minute(n), {"temperature": -18.0 - n, "cycles": n}, {"temperature": "Cel"}) for n in range(3)]
    )
    series = await history.series("f1", "temperature", T0, T0 + HOUR, 100)
    assert series.times == (minute(0), minute(1), minute(2))
    assert series.values == (-18.0, -19.0, -20.0)
    assert (series.kind, series.unit) == (SeriesKind.NUMBER, "Cel")
    assert await history.fields("f1") == ["cycles", "temperature"]


async def test_times_keep_their_microseconds(history: History) -> None:
    at = T0 + timedelta(microseconds=123_457)
    await history.write([Sample("f1", at, {"t": 1})])
    assert (await history.series("f1", "t", T0, T0 + HOUR, 10)).times == (at,)


async def test_the_span_holds_its_beginning_and_not_its_end(history: History) -> None:
    await history.write([Sample("f1", minute(n), {"t": n}) for n in range(4)])
    series = await history.series("f1", "t", minute(1), minute(3), 100)
    assert series.values == (1.0, 2.0)


async def test_a_sample_written_twice_is_there_once_and_the_later_value_holds(history: History) -> None:
    await history.write([Sample("f1", T0, {"t": 1.0, "u": 5.0})])
    await history.write([Sample("f1", T0, {"t": 2.0})])
    assert (await history.series("f1", "t", T0, T0 + HOUR, 100)).values == (2.0,)
    assert (await history.series("f1", "u", T0, T0 + HOUR, 100)).values == (5.0,)


async def test_late_samples_take_their_place(history: History) -> None:
    await history.write([Sample("f1", minute(5), {"t": 5})])
    await history.write([Sample("f1", minute(2), {"t": 2})])
    assert (await history.series("f1", "t", T0, T0 + HOUR, 100)).values == (2.0, 5.0)


async def test_truth_values_are_flagged_and_drawn_as_0_and_1(history: History) -> None:
    await history.write([Sample("f1", minute(n), {"door_open": n % 2 == 1}) for n in range(3)])
    series = await history.series("f1", "door_open", T0, T0 + HOUR, 100)
    assert (series.kind, series.values) == (SeriesKind.BOOL, (0.0, 1.0, 0.0))
    assert await history.fields("f1") == ["door_open"]


async def test_texts_come_back_as_changes_beginning_with_what_held_before(history: History) -> None:
    said = ["off", "cooling", "cooling", "defrost", "defrost", "cooling"]
    await history.write([Sample("f1", minute(n), {"state": text}) for n, text in enumerate(said)])
    series = await history.series("f1", "state", minute(2), T0 + HOUR, 100)
    assert series.kind is SeriesKind.TEXT
    assert series.values == ()
    assert series.changes == ((minute(1), "cooling"), (minute(3), "defrost"), (minute(5), "cooling"))
    assert (await history.series("f1", "state", minute(30), T0 + HOUR, 100)).changes == ((minute(5), "cooling"),)


async def test_names_and_texts_with_the_characters_of_query_languages_come_back_as_they_were(history: History) -> None:
    device, field, text = "Café, \"x\"='y' \\ ${z}", "DS18B20-1.Temp \"°C\", 'a' = b", 'it\'s "open" \\ \n${x}, ok'
    await history.write([Sample(device, T0, {field: 4.5, "msg": text, "odd:text": 3})])
    assert (await history.series(device, field, T0, T0 + HOUR, 10)).values == (4.5,)
    assert (await history.series(device, "msg", T0, T0 + HOUR, 10)).changes == ((T0, text),)
    assert (await history.series(device, "odd:text", T0, T0 + HOUR, 10)).values == (3.0,)
    assert await history.fields(device) == sorted([field, "msg", "odd:text"])
    await history.erase("x' OR 'a'='a")
    assert (await history.series(device, field, T0, T0 + HOUR, 10)).values == (4.5,)


async def test_one_field_may_be_a_number_of_one_device_and_a_text_of_another(history: History) -> None:
    await history.write(
        [Sample("a", T0, {"state": 3}), Sample("b", T0, {"state": "on"}), Sample("c", T0, {"state": True})]
    )
    assert (await history.series("a", "state", T0, T0 + HOUR, 10)).values == (3.0,)
    assert (await history.series("b", "state", T0, T0 + HOUR, 10)).changes == ((T0, "on"),)
    assert (await history.series("c", "state", T0, T0 + HOUR, 10)).kind is SeriesKind.BOOL


async def test_numbers_that_no_float_holds_are_left_out_and_the_rest_is_kept(history: History) -> None:
    values = {"huge": 10**400, "nan": float("nan"), "inf": float("-inf"), "big": 2**70, "t": 1}
    await history.write([Sample("f1", T0, values)])
    assert await history.fields("f1") == ["big", "t"]
    assert (await history.series("f1", "big", T0, T0 + HOUR, 10)).values == (float(2**70),)


async def test_a_lone_surrogate_stops_nothing(history: History) -> None:
    await history.write(
        [Sample("f\udc80", T0, {"a\ud800": 1.0, "state": "\ud800!"}, {"a\ud800": "\ud800"})], sequence=3
    )
    assert (await history.series("f\udc80", "a\ud800", T0, T0 + HOUR, 10)).values == (1.0,)
    assert (await history.series("f\udc80", "state", T0, T0 + HOUR, 10)).changes == ((T0, "?!"),)
    assert await history.last_sequence() == 3
    await history.erase("f\udc80")
    assert await history.fields("f\udc80") == []


async def test_a_year_is_thinned_out_and_a_spike_of_one_sample_stays(history: History) -> None:
    chance = random.Random(1)
    count, step = 60_000, timedelta(minutes=8)
    points = [(th.to_us(T0 + n * step), chance.gauss(-18, 1)) for n in range(count) if not 30_000 <= n < 40_000]
    points[12_345] = (points[12_345][0], 40.0)
    samples = [Sample("f1", th.from_us(at), {"t": value}) for at, value in points]
    for begin in range(0, len(samples), 10_000):
        await history.write(samples[begin : begin + 10_000])
    until = T0 + count * step
    series = await history.series("f1", "t", T0, until, 400)
    assert 200 < len(series.times) <= 400
    assert max(series.values) == 40.0
    assert min(series.values) == min(value for _, value in points)
    assert set(zip(series.times, series.values, strict=True)) <= {(th.from_us(at), value) for at, value in points}
    ((begin_gap, end_gap),) = series.gaps
    one_span = (until - T0) / 100
    assert abs(begin_gap - (T0 + 29_999 * step)) <= one_span
    assert abs(end_gap - (T0 + 40_000 * step)) <= one_span


async def test_silences_are_gaps(history: History) -> None:
    await history.write([Sample("f1", minute(n), {"t": n}) for n in (0, 1, 2, 20, 21)])
    assert (await history.series("f1", "t", T0, T0 + HOUR, 100)).gaps == ((minute(2), minute(20)),)
    patient = await history.series("f1", "t", T0, T0 + HOUR, 100, interval=timedelta(minutes=10))
    assert patient.gaps == ()


async def test_positions_come_back_with_what_the_device_said_of_them(history: History) -> None:
    full = Position(51.5, -0.12, accuracy_m=12.5, altitude_m=30.0, speed_m_s=1.5, course_deg=270.0)
    await history.write([Sample("p", minute(1), position=Position(0.0, 0.0)), Sample("p", T0, {"batt": 4}, {}, full)])
    fixes = await history.positions("p", T0, T0 + HOUR, 10)
    assert [(fix.observed_at, fix.position) for fix in fixes] == [(T0, full), (minute(1), Position(0.0, 0.0))]


async def test_many_positions_are_thinned_out_evenly_with_first_and_last(history: History) -> None:
    await history.write([Sample("p", T0 + timedelta(seconds=n), position=Position(n / 100, 8)) for n in range(1000)])
    fixes = await history.positions("p", T0, T0 + HOUR, 50)
    assert len(fixes) <= 50
    assert fixes[0].position.latitude == 0
    assert fixes[-1].position.latitude == 9.99
    times = [th.to_us(T0 + timedelta(seconds=n)) for n in range(1000)]
    expected = [n / 100 for n in th.evenly(times, th.to_us(T0), th.to_us(T0 + HOUR), 50)]
    assert [fix.position.latitude for fix in fixes] == expected


async def test_an_erased_device_is_gone_and_its_neighbour_is_not(history: History) -> None:
    for device in ("mine", "theirs"):
        await history.write([Sample(device, T0, {"t": 1.0, "state": "on"}, {"t": "Cel"}, Position(1, 2))])
    await history.erase("mine")
    assert await history.fields("mine") == []
    assert await history.positions("mine", T0, T0 + HOUR, 10) == []
    assert (await history.series("mine", "t", T0, T0 + HOUR, 10)).unit == ""
    assert await history.fields("theirs") == ["state", "t"]
    assert len(await history.positions("theirs", T0, T0 + HOUR, 10)) == 1
    await history.write([Sample("mine", minute(1), {"t": 2.0})])
    assert (await history.series("mine", "t", T0, T0 + HOUR, 10)).values == (2.0,)


async def test_the_sequence_is_remembered_with_and_without_samples(history: History) -> None:
    await history.write([Sample("f1", T0, {"t": 1})], sequence=7)
    assert await history.last_sequence() == 7
    await history.write([Sample("f1", minute(1), {"t": 1})])
    assert await history.last_sequence() == 7
    await history.write([], sequence=9)
    assert await history.last_sequence() == 9
