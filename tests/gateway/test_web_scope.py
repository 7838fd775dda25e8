"""Roles bounded to teams and regions: every address shows and does only what is within them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway import commands as c
from gateway.commands import cases as w
from gateway.commands.staff import SaveTeam, SetScope, TeamMember
from gateway.reports.catalogue import REPORTS
from gateway.store import schema
from gateway.web.access import Route
from gateway.web.auth import Role
from gateway.web.queries import cases as case_queries
from gateway.web.queries import queue
from gateway.web.queries.queue import QueueFilter, View
from gateway.web.routes import API, DEEDS, ID, PAGES
from gateway.web.scope import WITHIN, Scope, narrow
from tests.gateway.making import Gateway, gateway
from tests.gateway.web_fleet import NOW
from tests.gateway.web_visit import Visit, visit

FOREIGN = re.compile(r"souza|yusuf|يوسف|c-brown|Grace Brown|f-meier-2", re.IGNORECASE)
"""Of customers in Brazil, the Emirates and Britain: nothing of them may reach somebody bounded to Germany."""
_UNBOUNDED = ("/live", "/logout", "/rules", "/review", "/demo", "/fleet/faults")
"""Streams and ways out; rules and their trials name no customer; the demo's hand on the world is nobody's case."""


def bound(web: Visit, *, teams: tuple[str, ...] = (), regions: tuple[str, ...] = ()) -> None:
    for who in ("Mia", "token:agent", "token:lead", "token:admin"):
        web.town.do(SetScope(who, teams, regions, "Ada"))


def concrete(route: Route, ids: dict[str, str]) -> str | None:
    """An address with ids of what is foreign in it; None where it names nothing that is anybody's."""
    path = route.path.replace(ID, "{id}")
    first = path.removeprefix("/api")
    for prefix, identity in ids.items():
        if first.startswith(f"{prefix}/{{id}}"):
            return path.replace("{id}", identity)
    return None


def foreign_ids(web: Visit) -> dict[str, str]:
    souza = web.town.case_of("f-souza")["id"]
    message = next(r["id"] for r in web.town.rows(schema.notifications) if r["case_id"] == souza)
    return {
        "/cases": str(souza),
        "/preview": str(souza),
        "/messages": str(message),
        "/devices": "f-souza",
        "/customers": "c-souza",
    }


async def test_no_page_and_no_list_shows_what_is_outside(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia") as web:
        before = await web.page("/")
        assert FOREIGN.search(before)
        bound(web, regions=("DE",))
        looked_at = 0
        for route in (*PAGES, *API):
            if route.method != "GET" or "{" in route.path or route.path.startswith(_UNBOUNDED):
                continue
            if route in PAGES and route.role is not None and Role.AGENT.covers(route.role):
                answer = await web.client.get(route.path, params={"q": "souza"} if "find" in route.path else {})
            elif route in API:
                answer = await web.api("GET", route.path, "admin")
            else:
                continue
            text = await answer.text()
            assert answer.status < 500, (route, text)
            assert not FOREIGN.search(text), (route.path, FOREIGN.search(text))
            looked_at += 1
        assert looked_at > 40
        for name in REPORTS:
            text = await (await web.api("GET", f"/api/reports/{name}", "admin")).text()
            assert not FOREIGN.search(text), name
        assert "Café Lumen" in await web.page("/")
        for view in ("open", "resolved", "arrival", "resting"):
            assert not FOREIGN.search(await web.page(f"/?view={view}"))


async def test_no_address_acts_on_what_is_outside(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia") as web:
        ids = foreign_ids(web)
        bound(web, regions=("DE",))
        before = web.town.rows(schema.cases), web.town.rows(schema.notifications), web.town.rows(schema.timeline)
        tried = 0
        for route in (*PAGES, *DEEDS, *API):
            path = concrete(route, ids)
            if path is None:
                continue
            if route in API:
                answer = await web.api(route.method, path, "admin", json={} if route.method == "POST" else None)
            elif route.role is not None and Role.AGENT.covers(route.role):
                headers = {"X-CSRF-Token": web.csrf, "Accept": "application/json"}
                answer = await web.client.request(route.method, path, headers=headers, allow_redirects=False)
            else:
                continue
            assert answer.status == 403, (route, answer.status, await answer.text())
            tried += 1
        assert tried > 50
        after = web.town.rows(schema.cases), web.town.rows(schema.notifications), web.town.rows(schema.timeline)
        assert after == before


async def test_what_a_body_names_must_be_within_too(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia") as web:
        lumen, souza = web.town.case_of("f-lumen")["id"], web.town.case_of("f-souza")["id"]
        bound(web, regions=("DE",))
        refused = (
            ("/bulk", {"action": "resolve", "ids": f"{lumen},{souza}"}),
            (f"/cases/{lumen}/merge", {"into": f"#{souza}"}),
            (f"/cases/{lumen}/link", {"other": str(souza)}),
            (f"/cases/{lumen}/verdict", {"verdict": "duplicate", "duplicate_of": str(souza)}),
            ("/cases", {"title": "It hums", "device_id": "f-souza"}),
            ("/cases", {"title": "It hums", "customer_id": "c-souza"}),
            ("/silences", {"reason": "quiet", "device_id": "f-souza", "for": "1h"}),
        )
        for path, sent in refused:
            answer = await web.script(path, sent)
            assert answer.status == 403, path
            assert "customers in DE" in (await answer.json())["detail"]
        whole_rule = await web.script("/silences", {"reason": "quiet", "rule": "freezer-door-open", "for": "1h"})
        assert whole_rule.status == 422
        assert (await web.script(f"/cases/{lumen}/acknowledge")).status == 200
        assert (await web.script("/silences", {"reason": "quiet", "device_id": "f-lumen", "for": "1h"})).status == 200


async def test_a_phrase_is_heard_from_everybody_and_taught_without_bounds(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia") as web:
        bound(web, regions=("DE",))
        taught = await web.script("/phrases", {"text": "Alles gut", "intent": "fixed"})
        assert taught.status == 403
        assert "for everybody" in (await taught.json())["detail"]


def test_every_table_about_somebodys_things_knows_its_bounds() -> None:
    about = {"case_id", "customer_id", "device_id", "inbound_id"}
    tables = schema.metadata.tables.values()
    owned = {table.name for table in tables if about & {column.name for column in table.columns}}
    assert owned - set(WITHIN) - {"cases", "devices"} == set()


async def test_what_changes_things_for_everybody_needs_a_role_without_bounds(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        bound(web, regions=("DE",))
        for route in API:
            if route.method != "POST" or route.role is None or not route.role.covers(Role.LEAD) or "{" in route.path:
                continue
            answer = await web.api("POST", route.path, "admin", json={})
            assert answer.status == 403, route
            assert "for everybody" in (await answer.json())["detail"]


async def test_somebody_bounded_to_a_team_sees_its_cases_and_no_others(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia") as web:
        web.town.do(SaveTeam("Brazil", 1, "Lea", (TeamMember("Mia"),), regions=("BR",)))
        bound(web, teams=("Brazil",))
        page = await web.page("/?view=open")
        souza, lumen = web.town.case_of("f-souza")["id"], web.town.case_of("f-lumen")["id"]
        assert f"case-{souza}" in page
        assert f"case-{lumen}" not in page
        assert (await web.get(f"/cases/{souza}")).status == 200
        refusal = await web.script(f"/cases/{lumen}/acknowledge")
        assert (refusal.status, "team Brazil" in (await refusal.json())["detail"]) == (403, True)
        messages = await (await web.api("GET", "/api/messages", "agent")).json()
        assert {message["case_id"] for message in messages["items"]} <= {souza, None}


async def test_an_admin_bounds_a_user_and_lifts_it_again(tmp_path: Path) -> None:
    async with visit(tmp_path, "Ada") as web:
        assert (await web.post("/admin/scopes", {"who": "Mia", "regions": "DE, AT"})).status == 303
        assert "AT, DE" in await web.page("/admin")
        listed = await (await web.api("GET", "/api/scopes")).json()
        assert listed["items"] == [{"who": "Mia", "teams": [], "regions": ["AT", "DE"]}]
        assert (await web.post("/admin/scopes", {"who": "Ada", "regions": "DE"})).status == 409
        assert (await web.post("/admin/scopes", {"who": "Mia"})).status == 303
        assert (await (await web.api("GET", "/api/scopes")).json())["items"] == []


@pytest.fixture
def running(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    with gateway(store_url, tmp_path) as made:
        people = [{"id": "ana", "name": "Ana", "country": "BR"}, {"id": "ben", "name": "Ben", "country": "DE"}]
        made.submit(c.Upsert("customers", tuple(people), by="test"))
        made.submit(c.Upsert("devices", ({"id": "f2", "profile": "freezer", "customer_id": "ben"},), by="test"))
        for device in ("f1", "f2"):
            made.submit(w.OpenCase("It hums", "mia", device))
        yield made


def test_both_databases_show_a_bounded_role_its_part_alone(running: Gateway) -> None:
    for scope, devices in (
        (Scope(regions=frozenset({"DE"})), {"f2"}),
        (Scope(regions=frozenset({"DE", "BR"})), {"f1", "f2"}),
        (Scope(teams=frozenset({"100 % O'Brien"})), set()),
        (Scope(), {"f1", "f2"}),
    ):
        with running.store.read() as connection:
            narrow(connection, scope)
            page = queue.load(connection, QueueFilter(View.OPEN, words="hums"), NOW)
            assert {row.case.device_id for row in page.rows} == devices
            assert queue.count(connection, "mia", NOW)["mine"] == len(devices)
            found = case_queries.page(connection, case_queries.CaseFilter(state="open"), None, 10)
            assert {line.device_id for line in found} == devices
            aliased = schema.cases.alias("other")
            assert connection.execute(sa.select(sa.func.count()).select_from(aliased)).scalar() == len(devices)
            own = sa.select(schema.cases.c.id).cte("own")
            assert len(connection.execute(sa.select(own.c.id)).all()) == len(devices)


def test_bounds_of_one_connection_are_not_the_next_ones(running: Gateway) -> None:
    with running.store.read() as connection:
        narrow(connection, Scope(regions=frozenset({"AT"})))
        assert connection.execute(sa.select(schema.cases.c.id)).all() == []
    with running.store.read() as connection:
        assert len(connection.execute(sa.select(schema.cases.c.id)).all()) == 2
