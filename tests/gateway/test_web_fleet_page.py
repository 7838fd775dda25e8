"""The fleet's page: incidents with what changed before, health, cells of a map, reports, and what a storm shows."""

import csv
import io
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.commands import Upsert
from gateway.store import schema
from gateway.web.queries import fleet
from tests.gateway.roll_out import FAILING, put_live, roll_out, say
from tests.gateway.web_fleet import NOW
from tests.gateway.web_visit import visit


async def test_an_incident_stands_on_the_page_with_what_changed_before(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        incident = roll_out(web.town)
        page = await web.page("/fleet")
        assert f'href="/fleet/incidents/{incident}"' in page
        assert "1 incident concerns many devices at once" in page
        assert "firmware 2.3.0 → 2.4.0" in page
        assert "Freezers of one kind get too warm" in page
        inner = await web.page(f"/fleet/incidents/{incident}")
        assert inner.count('href="/devices/x-') == FAILING
        assert f"{FAILING} of {FAILING} devices still fail" in inner
        assert "of 25 alike" in inner


async def test_an_incident_s_devices_are_paged_and_told_well_from_failing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "CHILDREN", 4)
    async with visit(tmp_path) as web:
        incident = roll_out(web.town)
        say(web.town, {"x-00": -18.5}, NOW)
        page = await web.page(f"/fleet/incidents/{incident}")
        assert f"{FAILING - 1} of {FAILING} devices still fail" in page
        assert "after=x-03" in page
        further = await web.page(f"/fleet/incidents/{incident}?after=x-03")
        assert 'href="/devices/x-04"' in further
        assert 'href="/devices/x-03"' not in further
        listed = await (await web.api("GET", f"/api/incidents/{incident}/devices")).json()
        assert [item["id"] for item in listed["items"]] == ["x-00", "x-01", "x-02", "x-03"]
        assert [item["failing"] for item in listed["items"]] == [False, True, True, True]
        assert listed["next"] == "x-03"


async def test_health_counts_what_fails_now_by_what_devices_are(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        roll_out(web.town)
        told = await (await web.api("GET", "/api/fleet/health?by=firmware", role="viewer")).json()
        groups = {group["value"]: group for group in told["groups"]}
        assert groups["2.4.0"] == {"value": "2.4.0", "devices": 25, "failing": FAILING}
        assert groups["2.3.0"]["failing"] == 0
        assert told["devices"] == sum(group["devices"] for group in told["groups"])
        for by in fleet.BYS:
            assert "Health by" in await web.page(f"/fleet?by={by}")
        regions = await (await web.api("GET", "/api/fleet/health?by=region")).json()
        assert any(group["value"] and group["value"].startswith("52..53°N") for group in regions["groups"])
        refused = await web.api("GET", "/api/fleet/health?by=colour")
        assert refused.status == 422


async def test_the_map_gathers_devices_into_cells_within_its_bounds(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        roll_out(web.town)
        wide = await (await web.get("/fleet/map.json?step=10")).json()
        assert sum(cell["devices"] for cell in wide["cells"]) >= 60
        assert sum(cell["failing"] for cell in wide["cells"]) >= FAILING
        munich = await (await web.get("/fleet/map.json?step=1&bounds=47.5,11,48.8,12.2")).json()
        assert sum(cell["devices"] for cell in munich["cells"]) == 12
        assert (await web.get("/fleet/map.json?bounds=1,2")).status == 422


async def test_a_fault_that_comes_back_is_a_report_without_customers(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        page = await web.page("/fleet")
        assert "/fleet/faults/freezer-compressor-stopped" in page
        report = await web.page("/fleet/faults/freezer-compressor-stopped?span=30d")
        assert "Polar 300" in report
        assert "Ana Souza" not in report.partition('<main id="main"')[2]
        answer = await web.get("/fleet/faults/freezer-compressor-stopped.csv")
        rows = list(csv.DictReader(io.StringIO(await answer.text())))
        assert {row["model"] for row in rows} == {"Polar 300"}
        assert "temperature" in rows[0]["evidence"] or "values" in rows[0]["evidence"]
        assert "attachment" in answer.headers["Content-Disposition"]
        assert (await web.get("/fleet/faults/no-such-rule")).status == 404
        assert (await web.get("/fleet/faults/freezer-compressor-stopped?span=2y")).status == 422


async def test_a_fault_that_an_incident_took_whole_has_a_report_too(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        incident = roll_out(web.town)
        assert "/fleet/faults/core-temperature-high" in await web.page(f"/fleet/incidents/{incident}")
        report = await web.page("/fleet/faults/core-temperature-high")
        assert f"{FAILING} devices have it now as part of an incident" in report
        assert "Polar 500" in report


async def test_what_is_no_incident_is_not_shown_as_one(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-souza", "freezer-compressor-stopped")
        assert (await web.get(f"/fleet/incidents/{case['id']}")).status == 404
        assert (await web.get("/fleet/incidents/999999")).status == 404


async def test_an_empty_fleet_says_how_to_fill_it(tmp_path: Path) -> None:
    async with visit(tmp_path, empty=True) as web:
        page = await web.page("/fleet")
        assert "No devices are registered yet." in page
        assert "gateway import devices" in page


async def test_a_storm_has_a_banner_on_every_page_and_only_a_lead_ends_it(tmp_path: Path) -> None:
    storm = {"storm_openings": 3, "storm_within": "10m"}
    async with visit(tmp_path, "Mia", cases=storm) as web:
        town = web.town
        put_live(town)
        devices = tuple({"id": f"y-{n}", "profile": "freezer", "name": f"Y{n}"} for n in range(9))
        town.do(Upsert("devices", devices, by="test"))
        say(town, {f"y-{n}": -18 for n in range(9)}, NOW)
        for minutes in (10, 21):
            town.now = NOW + timedelta(minutes=minutes)
            say(town, {f"y-{n}": -2 for n in range(9)}, town.now)
        held = [row for row in town.rows(schema.alerts) if row["withheld_by"] == "storm"]
        assert len(held) >= 6
        page = await web.page("/messages")
        assert f"Storm: {len(held)} cases are held under one." in page
        assert "Let them open" not in page
        assert (await web.post("/storm/release")).status == 403
        assert (await web.api("POST", "/api/storm/merge", role="lead")).status == 200
        assert "Storm:" not in await web.page("/messages")
        again = await web.api("POST", "/api/storm/release", role="lead")
        assert again.status == 409


async def test_what_changed_about_a_device_is_listed(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        roll_out(web.town)
        told = await (await web.api("GET", "/api/devices/x-01/changes")).json()
        assert [(c["field"], c["before"], c["after"]) for c in told["items"]] == [("firmware", "2.3.0", "2.4.0")]
