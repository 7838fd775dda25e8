"""What is asked of InfluxDB 2, and that its answers are understood.

No InfluxDB 2 server can be installed from Debian or PyPI, so these answers are written after its documentation
(annotated CSV without annotations, /api/v2/query, /api/v2/delete); everything else runs on real servers.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from device_models.event import Position
from gateway.history import HistoryUnavailable, SeriesKind
from gateway.history import thinning as th
from gateway.history.influxdb import MAX_RAW, InfluxHistory

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
NS = th.to_us(T0) * 1000


@dataclass
class Server:
    """Answers each query with the next text, and keeps what was asked."""

    answers: list[str] = field(default_factory=list)
    queries: list[dict[str, Any]] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    deletes: list[dict[str, Any]] = field(default_factory=list)

    async def query(self, request: web.Request) -> web.Response:
        self.queries.append(await request.json())
        self.headers.append(request.headers["Authorization"])
        if not self.answers:
            return web.json_response({"code": "unauthorized", "message": "unauthorized access"}, status=401)
        return web.Response(text=self.answers.pop(0), content_type="text/csv")

    async def delete(self, request: web.Request) -> web.Response:
        self.deletes.append({**await request.json(), "bucket": request.query["bucket"]})
        return web.Response(status=204)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[tuple[Server, InfluxHistory]]:
    serving = Server()
    app = web.Application()
    app.add_routes([web.post("/api/v2/query", serving.query), web.post("/api/v2/delete", serving.delete)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    history = InfluxHistory(url, token="t0ken", org="acme", bucket="devices", progress_path=tmp_path / "p.sqlite")
    yield serving, history
    await history.close()
    await runner.cleanup()


def csv(*tables: str) -> str:
    """Join tables as the server does: CRLF, an empty line between tables of other columns."""
    return "\r\n\r\n".join("\r\n".join(table.split("\n")) for table in tables) + "\r\n\r\n"


async def test_few_samples_are_read_as_they_are(server: tuple[Server, InfluxHistory]) -> None:
    serving, history = server
    serving.answers = [
        csv(f",result,table,at,v\n,count0,0,0,2\n,last0,0,{NS + 10**9},0"),
        csv(f",result,table,at,v\n,_result,0,{NS},-18.5\n,_result,0,{NS + 10**9},-18.25"),
    ]
    series = await history.series('f"1', "temperature", T0, T0 + timedelta(hours=1), 100)
    assert series.times == (T0, T0 + timedelta(seconds=1))
    assert series.values == (-18.5, -18.25)
    asked = serving.queries[1]["query"]
    assert (
        'from(bucket: "devices") |> range(start: 2026-03-01T12:00:00.000000Z, stop: 2026-03-01T13:00:00.000000Z)'
        in asked
    )
    assert 'r._measurement == "device" and r.device_id == "f\\"1"' in asked
    assert 'r._field == "temperature"' in asked
    assert serving.headers == ["Token t0ken"] * 2


async def test_of_many_samples_the_server_picks_four_a_span(server: tuple[Server, InfluxHistory]) -> None:
    serving, history = server
    step = 900 * 10**9
    rows = [
        f",{pick},{n},{NS + n * step + offset * 10**9},{value}"
        for pick, offset, value in (("first", 1, 2.0), ("min", 5, 1.0), ("max", 7, 9.0), ("last", 800, 3.0))
        for n in range(4)
        if n != 2
    ]
    serving.answers = [
        csv(f",result,table,at,v\n,count0,0,0,{MAX_RAW + 1}\n,last0,0,{NS},0"),
        csv("\n".join([",result,table,at,v", *rows])),
    ]
    usual = timedelta(minutes=2)
    series = await history.series("f1", "temperature", T0, T0 + timedelta(hours=1), 16, interval=usual)
    assert series.values == (2.0, 1.0, 9.0, 3.0) * 3
    assert series.gaps == ((T0 + timedelta(seconds=900 + 800), T0 + timedelta(seconds=2701)),)
    assert "window(every: 900000000us, offset: 0us)" in serving.queries[1]["query"]


async def test_texts_begin_with_what_held_before(server: tuple[Server, InfluxHistory]) -> None:
    serving, history = server
    serving.answers = [
        csv(f",result,table,at,v\n,count2,0,0,1\n,last2,0,{NS},0"),
        csv(f',result,table,at,v\n,_result,0,{NS - 10**9},"idle, off"'),
        csv(f",result,table,at,v\n,_result,0,{NS},cooling"),
    ]
    series = await history.series("f1", "state", T0, T0 + timedelta(hours=1), 100)
    assert series.kind is SeriesKind.TEXT
    assert [text for _, text in series.changes] == ["idle, off", "cooling"]


async def test_positions_and_fields_come_from_tables_with_other_columns(server: tuple[Server, InfluxHistory]) -> None:
    serving, history = server
    serving.answers = [
        csv(
            f",result,table,_time,accuracy_m,at,latitude,longitude\n,_result,0,2026-03-01T12:00:00Z,,{NS},51.5,-0.12",
            ",result,table,at,latitude,longitude\n,_result,1,5,1,2",
        ),
        csv(",result,table,at,v\n,_result,0,0,temperature", ",result,table,at,v\n,_result,1,0,state:text"),
    ]
    fixes = await history.positions("f1", T0, T0 + timedelta(hours=1), 10)
    assert fixes[-1].position == Position(51.5, -0.12)
    assert await history.fields("f1") == ["state", "temperature"]


async def test_erasing_deletes_by_device_in_both_measurements(server: tuple[Server, InfluxHistory]) -> None:
    serving, history = server
    await history.erase("f1")
    assert [delete["predicate"] for delete in serving.deletes] == [
        '_measurement="device" AND device_id="f1"',
        '_measurement="position" AND device_id="f1"',
    ]
    assert {delete["bucket"] for delete in serving.deletes} == {"devices"}


async def test_a_refused_token_says_which_setting(server: tuple[Server, InfluxHistory]) -> None:
    _, history = server
    with pytest.raises(HistoryUnavailable, match=r"refused the token; see \[history\] token"):
        await history.fields("f1")
