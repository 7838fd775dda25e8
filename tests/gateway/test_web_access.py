"""Every route against every role; CSRF; what anonymous visitors see."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from gateway.store import schema
from gateway.web.access import SAFE, Route
from gateway.web.auth import Role
from gateway.web.routes import API, ID, PAGES, PUBLIC, ROUTES
from tests.gateway.web_fleet import TOKENS, USERS
from tests.gateway.web_visit import log_in, visit

GUARDED = [route for route in ROUTES if route.role is not None]
WEBHOOKS = {"/webhooks/twilio/status", "/webhooks/twilio/inbound", "/webhooks/{provider}", "/r/{token}/{state}"}
CLAIMS = {"/claim", "/claim/{code}", "/check/{check}", "/sw.js", "/offline/{language}"}
MEANT_FOR_EVERYONE = {
    "/healthz",
    "/readyz",
    "/metrics",
    "/login",
    "/login/code",
    "/forgotten",
    "/login/provider",
    "/login/provider/back",
    "/login/provider/log-out",
    "/logged-out",
    "/logout/provider",
    "/join/{token}",
    "/mail/{token}",
    "/a/{token}",
    "/ics/{token}.ics",
    "/webhooks/help-desks/{name}",
    *CLAIMS,
    *WEBHOOKS,
}


def path_of(route: Route) -> str:
    """An address that the route answers, of something that does not exist."""
    filled = {
        r"{id:\d+}": "999999",
        "{id}": "no-such",
        "{token}": "x",
        "{kind}": "devices",
        "{code}": "x",
        "{check}": "x",
        "{rule}": "no-such",
        "{language}": "de",
        "{name}": "proactive",
    }
    path = route.path
    for placeholder, value in filled.items():
        path = path.replace(placeholder, value)
    return path


def test_public_routes_are_the_ones_meant_for_everyone_and_the_signed_links() -> None:
    assert {r.path for r in PUBLIC if not r.path.startswith("/p/{token}")} == MEANT_FOR_EVERYONE
    assert all(route.role is None for route in PUBLIC)
    assert all(route.role is not None for route in ROUTES if route not in PUBLIC)


async def test_the_application_answers_exactly_the_table_and_the_files(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        served = {
            (route.method, route.resource.canonical)
            for route in web.client.app.router.routes()
            if route.resource is not None and not route.resource.canonical.startswith("/static")
        }
        listed = {(r.method, r.path.replace(r"{id:\d+}", "{id}")) for r in ROUTES}
        assert served - {("HEAD", path) for _, path in served} == listed


async def test_nobody_gets_in_without_a_session(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        for route in GUARDED:
            answer = await web.client.request(route.method, path_of(route), allow_redirects=False)
            if route in PAGES:
                assert answer.status == 303, route
                assert answer.headers["Location"].startswith("/login?next=/"), route
            else:
                assert answer.status == 401, route


@pytest.mark.parametrize("user", USERS)
async def test_each_role_may_do_what_the_table_says_and_no_more(tmp_path: Path, user: str) -> None:
    role = Role(USERS[user])
    async with visit(tmp_path, user, empty=True) as web:
        for route in GUARDED:
            if route.path in ("/live", "/logout"):
                continue
            headers = {"X-CSRF-Token": web.csrf, "Accept": "application/json"}
            answer = await web.client.request(route.method, path_of(route), headers=headers, allow_redirects=False)
            assert route.role is not None
            if role.covers(route.role):
                assert answer.status not in (401, 403), (route, answer.status, await answer.text())
                assert answer.status < 500, (route, await answer.text())
            else:
                assert answer.status == 403, (route, answer.status)


@pytest.mark.parametrize("role", TOKENS)
async def test_a_token_may_do_what_its_role_may(tmp_path: Path, role: str) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        for route in API:
            answer = await web.api(route.method, path_of(route), role, json={})
            assert route.role is not None
            allowed = Role(role).covers(route.role)
            assert (answer.status == 403) is not allowed, (route, answer.status)
            assert answer.status < 500, (route, await answer.text())


async def test_a_token_opens_no_page(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        answer = await web.api("GET", "/admin")
        assert answer.status == 303


async def test_a_form_without_its_token_changes_nothing(tmp_path: Path) -> None:
    async with visit(tmp_path, "Ada", empty=True) as web:
        for route in GUARDED:
            if route.method in SAFE:
                continue
            answer = await web.post(path_of(route), csrf=False)
            assert answer.status == 403, route
            wrong = await web.client.post(path_of(route), headers={"X-CSRF-Token": "0" * 64}, json={})
            assert wrong.status == 403, route


async def test_a_token_of_another_session_is_refused(tmp_path: Path) -> None:
    async with visit(tmp_path, "Ada", empty=True) as web:
        earlier = web.csrf
        web.csrf = log_in(web.town, web.client, "Ada")
        assert (await web.post("/hold")).status == 303
        web.csrf = earlier
        assert (await web.post("/hold")).status == 403


async def test_json_from_another_site_needs_the_token_too(tmp_path: Path) -> None:
    async with visit(tmp_path, "Ada", empty=True) as web:
        answer = await web.client.post("/api/hold", json={})
        assert answer.status == 403


async def test_a_disabled_users_session_ends(tmp_path: Path) -> None:
    async with visit(tmp_path, "Ben", empty=True) as web:
        assert (await web.get("/")).status == 200
        with web.town.store.write() as connection:
            connection.execute(schema.users.update().where(schema.users.c.name == "Ben").values(disabled=True))
        assert (await web.get("/")).status == 303


def test_the_docs_name_every_address_of_the_api_and_every_key() -> None:
    docs = Path(__file__).parents[2] / "docs"
    api, console = (docs / "api.md").read_text(), (docs / "console.md").read_text()
    for route in API:
        assert f"`{route.path.replace(ID, '{id}')}`" in api, route.path
    listed = (Path(str(files("gateway.web"))) / "templates" / "base.html").read_text()
    for key in re.findall(r"<kbd>([a-z/?])</kbd>", listed):
        assert f"`{key}`" in console, key
