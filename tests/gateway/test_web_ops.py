"""Headers, health, metrics, request logs, and the live stream."""

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry

from gateway.commands import AddNote
from gateway.commands.accounts import EndSessions
from gateway.live import LiveFeed
from gateway.web.security import content_security_policy
from gateway.web.sse import LISTED_AT_MOST, TOLD_AT_ONCE, Hub, Listener
from tests.gateway.web_fleet import Town, link
from tests.gateway.web_visit import Visit, visit


async def event_of(stream: ClientResponse) -> dict[str, Any]:
    """Read up to the next change."""
    async with asyncio.timeout(10):
        while True:
            line = await stream.content.readline()
            if line.startswith(b"data: "):
                data: dict[str, Any] = json.loads(line[6:])
                return data


async def listening(web: Visit, path: str = "/live") -> ClientResponse:
    """Open the stream as a page does; its first line says that the page is heard from now on."""
    stream = await web.get(path)
    async with asyncio.timeout(10):
        assert await stream.content.readline() == b"retry: 2000\n"
    return stream


async def test_every_answer_carries_the_headers_that_defend_the_page(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        for path in (
            "/",
            "/login",
            "/nowhere",
            "/static/console.css",
            "/static/leaflet/leaflet.js",
            link(web.town, "f-lumen"),
        ):
            answer = await web.get(path)
            policy = answer.headers["Content-Security-Policy"]
            assert "script-src 'self';" in policy, path
            assert "unsafe" not in policy, path
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert "Strict-Transport-Security" not in answer.headers


async def test_no_page_carries_inline_script_or_style(tmp_path: Path) -> None:
    async with visit(tmp_path, "Ada", demo=True) as web:
        case = web.town.case_of("f-souza")["id"]
        paths = [
            "/",
            f"/cases/{case}",
            "/devices",
            "/devices/f-souza",
            "/messages",
            "/rules",
            "/admin",
            "/demo",
            "/rejected",
        ]
        for path in [*paths, link(web.town, "f-yusuf"), f"/preview/{case}"]:
            text = await web.page(path)
            assert " style=" not in text, path
            assert "<style" not in text, path
            assert not re.search(r"<[^>]+\son\w+=", text), path
            # Words handed to scripts as data are no script.
            scripts = [tag for tag in text.split("<script")[1:] if not tag.startswith(' type="application/json"')]
            assert all("src=" in tag for tag in scripts), path


def test_the_policy_opens_for_the_maps_tiles_alone() -> None:
    assert "tiles" not in content_security_policy(None)
    policy = content_security_policy("https://{s}.tiles.example/{z}/{x}/{y}.png")
    assert "img-src 'self' data: https://*.tiles.example;" in policy
    assert policy.count("tiles.example") == 1


async def test_health_is_alive_and_readiness_names_what_is_missing(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        assert (await web.get("/healthz")).status == 200
        assert await (await web.get("/readyz")).json() == {"ok": True, "failing": []}
        down = {**web.town.deps.status(), "broker": {"ok": False}, "rules": {"ok": False}}
        web.town.deps = replace(web.town.deps, status=lambda: down, metrics=CollectorRegistry())
        async with TestClient(TestServer(web.town.app())) as client:
            answer = await client.get("/readyz")
            assert (answer.status, await answer.json()) == (503, {"ok": False, "failing": ["broker"]})


async def test_metrics_count_requests_by_route_never_by_address(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        page = link(web.town, "f-lumen")
        await web.get(page)
        await web.get("/?q=souza")
        text = await web.page("/metrics")
        assert 'gateway_web_requests_total{method="GET",route="/p/{token}",status="200"} 1.0' in text
        assert page.rpartition("/")[2] not in text
        assert "souza" not in text


async def test_the_request_log_has_no_tokens_and_no_searches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with visit(tmp_path) as web:
        page = link(web.town, "f-lumen")
        await web.get(page)
        await web.get("/?q=Ana+Souza")
        logged = capsys.readouterr().out
        assert "web.answered" in logged
        assert page.rpartition("/")[2] not in logged
        assert "Souza" not in logged


async def test_a_change_reaches_every_open_page(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-yusuf")["id"]
        first, second = await listening(web), await listening(web)
        await web.town.submit(AddNote(case, "Hm.", "Ben"))
        for stream in (first, second):
            assert str(case) in (await event_of(stream))["case"]
        first.close()
        second.close()


async def test_a_device_that_speaks_is_told_of_once_however_often_it_spoke(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        stream = await listening(web, "/live?device=f-ruiz&device=f-lumen")
        for celsius in (-18.1, -18.2, -18.3):
            await web.town.publish("devices/f-ruiz/status", {"temperature": celsius})
        told: list[str] = []
        while "f-ruiz" not in told:
            told += (await event_of(stream)).get("device", [])
        assert told.count("f-ruiz") == 1
        stream.close()


async def test_whoever_was_logged_out_hears_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.web.sse.PING_S", 0.05)
    async with visit(tmp_path, empty=True) as web:
        stream = await listening(web)
        web.town.do(EndSessions("Mia", "Ada"))
        async with asyncio.timeout(10):
            assert (await stream.content.read()).endswith(b"still here\n\n")
        assert (await web.get("/live")).status == 303


async def test_a_shutdown_does_not_wait_for_open_pages(tmp_path: Path) -> None:
    async with visit(tmp_path, empty=True) as web:
        stream = await listening(web)
        async with asyncio.timeout(5):
            await web.client.server.close()
        stream.close()


def test_a_page_that_missed_much_is_told_to_look_at_everything() -> None:
    listener = Listener({}, everything_else=True)
    listener.hear({"notification": {str(n) for n in range(LISTED_AT_MOST)}, "case": {"1"}})
    listener.hear({"notification": {"another"}, "case": {"2"}})
    assert listener.take() == {"notification": ["*"], "case": ["1", "2"]}
    assert listener.take() == {}


def test_a_page_hears_of_what_it_asked_for_and_is_not_woken_by_the_rest() -> None:
    one_device = Listener({"device": {"f-1"}}, everything_else=True)
    customers = Listener({"device": {"f-1"}, "case": {"7"}}, everything_else=False)
    for listener in (one_device, customers):
        listener.hear({"device": {"f-2", "f-3"}})
        assert not listener.wake.is_set()
        listener.hear({"device": {"f-1", "f-2"}, "case": {"7", "8"}, "rules": {"r"}, "reload": {"*"}})
        assert listener.wake.is_set()
    assert one_device.take() == {"device": ["f-1"], "case": ["7", "8"], "rules": ["r"], "reload": ["*"]}
    assert customers.take() == {"device": ["f-1"], "case": ["7"], "reload": ["*"]}


async def test_more_pages_than_are_told_in_one_round_are_all_told() -> None:
    live = LiveFeed()
    hub = Hub(live)
    reading = asyncio.create_task(hub.run())
    pages = [hub.join({"device": frozenset({f"d{n}"})}, everything_else=True) for n in range(2 * TOLD_AT_ONCE + 1)]
    await asyncio.sleep(0)
    live.publish([{"kind": "device", "id": f"d{n}"} for n in range(len(pages))])
    live.publish([{"kind": "case", "id": 7}])
    async with asyncio.timeout(10):
        await asyncio.gather(*(page.wake.wait() for page in pages))
    assert [page.take() for page in pages] == [{"device": [f"d{n}"], "case": ["7"]} for n in range(len(pages))]
    reading.cancel()


async def test_the_demos_panel_exists_only_in_the_demo(tmp_path: Path) -> None:
    async with visit(tmp_path, empty=True) as web:
        assert (await web.get("/demo")).status == 404
        assert "Break something" not in await web.page("/")
    async with visit(tmp_path / "demo", demo=True) as web:
        assert "Leave the door open" in await web.page("/demo")
        assert (await web.script("/demo/break", {"option": "door", "target": "f-lumen"})).status == 200
        refused = await web.script("/demo/break", {"option": "door", "target": "the moon"})
        assert refused.status == 422
        assert _acts(web.town) == [("door", "f-lumen")]


def _acts(made: Town) -> list[tuple[str, str]]:
    acts: list[tuple[str, str]] = getattr(made.deps.simulator, "acts")  # noqa: B009  (the protocol does not have it)
    return acts
