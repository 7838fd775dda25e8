"""The silences' page and API: what is muted, what that withholds, and how it ends."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.store import schema
from tests.gateway.web_fleet import NOW
from tests.gateway.web_visit import visit

PAINTING = {"device_id": "f-yusuf", "reason": "painting the room", "for": "2h"}


async def test_an_agent_mutes_a_device_by_the_form_and_ends_it_there(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        assert "Nothing is muted" in await web.page("/silences") or "Fires without" in await web.page("/silences")
        assert 'value="f-yusuf"' in await web.page("/silences?device_id=f-yusuf")
        assert (await web.post("/silences", PAINTING)).headers["Location"] == "/silences"
        text = await web.page("/silences")
        assert "#1 device مجمد المطبخ" in text
        assert "painting the room" in text
        assert (await web.post("/silences/1/end")).status == 303
        assert "ended by Mia" in await web.page("/silences")


async def test_a_weekly_window_goes_by_the_viewers_zone_unless_it_names_one(tmp_path: Path) -> None:
    window = {"site": "", "rule": "freezer-door-open", "reason": "cleaning", "for": "30d", "sat": "1", "sun": "1"}
    async with visit(tmp_path) as web:
        web.client.session.cookie_jar.update_cookies({"tz": "Europe/Berlin"}, web.client.make_url("/"))
        await web.script("/silences", {**window, "from": "22:00", "until": "06:00"})
        await web.script("/silences", {**window, "from": "22:00", "until": "06:00", "zone": "Asia/Tokyo"})
        assert [row["zone"] for row in web.town.rows(schema.silences)] == ["Europe/Berlin", "Asia/Tokyo"]
        assert "Sat Sun 22:00–06:00 (Asia/Tokyo)" in await web.page("/silences")


async def test_what_fires_without_a_case_is_listed_with_what_withholds_it(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        answer = await web.api("GET", "/api/silences", "viewer")
        withheld = (await answer.json())["withheld"]
        lumen = [w for w in withheld if (w["device_id"], w["rule"]) == ("f-lumen", "freezer-too-warm")]
        assert [w["withheld"]["by"] for w in lumen] == ["inhibition"]
        assert "freezer-cools-poorly on Ice cream freezer explains it" in await web.page("/silences")
        assert "freezer-cools-poorly on Ice cream freezer explains it" in await web.page("/devices/f-lumen")


async def test_the_api_mutes_lists_and_ends(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        made = await web.api("POST", "/api/silences", "agent", json=PAINTING)
        assert await made.json() == {"ok": True, "id": 1}
        [item] = (await (await web.api("GET", "/api/silences", "viewer")).json())["items"]
        assert item["device_id"] == "f-yusuf"
        assert item["muting"] is True
        assert item["ends_at"] == (NOW + timedelta(hours=2)).isoformat().replace("+00:00", "Z")
        assert (await web.api("POST", "/api/silences/1/end", "agent")).status == 200
        assert (await web.api("POST", "/api/silences/1/end", "agent")).status == 409


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"device_id": ""}, "device_id"),
        ({"reason": " "}, "reason"),
        ({"for": "soon"}, "for"),
        ({"for": ""}, "for"),
        ({"ends_at": "tomorrow"}, "ends_at"),
        ({"ends_at": "2026-03-02T15:00:00"}, "ends_at"),
        ({"days": "caturday", "from": "1:00", "until": "02:00"}, "days"),
        ({"days": "sat", "from": "25:00", "until": "02:00"}, "from"),
        ({"days": "sat", "from": "22:00"}, "until"),
    ],
)
async def test_a_value_that_cannot_be_used_is_named(tmp_path: Path, change: dict[str, Any], field: str) -> None:
    async with visit(tmp_path) as web:
        answer = await web.api("POST", "/api/silences", "agent", json={**PAINTING, **change})
        assert answer.status == 422
        assert (await answer.json())["field"] == field
        assert web.town.rows(schema.silences) == []
