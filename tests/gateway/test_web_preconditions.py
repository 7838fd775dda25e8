"""ETag, If-None-Match and If-Match: of two who edit at once, one is told."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given
from hypothesis import strategies as st

from gateway.commands import Acknowledge, AddNote, Resolve, Upsert
from gateway.commands.cases import SaveMacro
from gateway.store import schema
from gateway.store.case_work import macros
from gateway.unchanged import row_tag
from gateway.web.preconditions import about, tags_in
from gateway.web.routes import API, ROUTES
from tests.gateway.test_web_access import path_of
from tests.gateway.test_web_ways_in import found
from tests.gateway.web_visit import Visit, log_in, visit


async def get(web: Visit, path: str, **headers: str) -> ClientResponse:
    sent = {"Authorization": "Bearer token-of-an-admin", **{k.replace("_", "-"): v for k, v in headers.items()}}
    return await web.client.get(path, headers=sent)


async def post(web: Visit, path: str, data: dict[str, Any] | None = None, **headers: str) -> ClientResponse:
    sent = {"Authorization": "Bearer token-of-an-admin", **{k.replace("_", "-"): v for k, v in headers.items()}}
    return await web.client.post(path, json=data or {}, headers=sent)


async def etag_in(web: Visit, path: str, **where: Any) -> str:
    """Return the ETag of an item in a list."""
    items = (await (await get(web, path)).json())["items"]
    [item] = [item for item in items if all(item[name] == value for name, value in where.items())]
    return str(item["etag"])


async def test_what_did_not_change_is_not_sent_again(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        case = web.town.case_of("f-souza")["id"]
        for path in ("/api/customers/c-souza", "/api/cases?limit=3", "/api/macros", "/api/rules"):
            first = await get(web, path)
            assert first.headers["Cache-Control"] == "private, no-cache"
            again = await get(web, path, If_None_Match=f'"other", W/{first.headers["ETag"]}')
            assert (again.status, await again.read()) == (304, b""), path
            assert again.headers["ETag"] == first.headers["ETag"]
        before = (await get(web, f"/api/cases/{case}")).headers["ETag"]
        web.town.do(AddNote(case, "The seal was new.", "Mia"))
        after = await get(web, f"/api/cases/{case}", If_None_Match=before)
        assert (after.status, after.headers["ETag"] == before) == (200, False)


async def test_every_get_of_the_api_has_an_etag(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        for route in API:
            answer = await get(web, path_of(route)) if route.method == "GET" else None
            if answer is not None and answer.status == 200:
                assert "ETag" in answer.headers, route.path


async def test_every_refusal_of_the_api_is_a_problem_and_every_list_names_its_next_page(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        answers = [await web.client.get("/api/no-such"), await web.client.request("DELETE", "/api/cases")]
        for route in API:
            path = path_of(route)
            answers.append(await web.client.request(route.method, path))
            answers.append(await web.api(route.method, path, "viewer", json=[]))
            answer = await web.api(route.method, path, "admin")
            answers.append(answer)
            if answer.status == 200 and route.method == "GET":
                shown = await answer.json()
                assert "next" in shown or "items" not in shown, route.path
        for answer in answers:
            if answer.status >= 400:
                problem = await answer.json(content_type="application/problem+json")
                assert (problem["status"], bool(problem["title"])) == (answer.status, True), answer.url


async def test_a_stale_change_of_a_case_is_refused_and_names_who_changed_what(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        case = web.town.case_of("f-souza")["id"]
        etag = (await get(web, f"/api/cases/{case}")).headers["ETag"]
        web.town.do(Resolve(case, "Ben", "", tell_customer=False))
        answer = await post(web, f"/api/cases/{case}/assign", {"assignee": "Lea"}, If_Match=etag)
        assert (answer.status, answer.content_type) == (412, "application/problem+json")
        problem = await answer.json()
        assert (problem["changed_by"], problem["change"], problem["changed_at"][:10]) == (
            "Ben",
            "resolved",
            "2026-03-02",
        )
        assert "Ben changed this meanwhile (resolved)" in problem["detail"]
        assert web.town.case_of("f-souza")["assignee"] != "Lea"
        fresh = (await get(web, f"/api/cases/{case}")).headers["ETag"]
        assert (await post(web, f"/api/cases/{case}/reopen", If_Match=fresh)).status == 200


async def test_of_two_who_change_at_the_same_moment_one_is_refused(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        case = web.town.case_of("f-souza")["id"]
        etag = (await get(web, f"/api/cases/{case}")).headers["ETag"]
        names = ("Ada", "Ben", "Lea")
        answers = await asyncio.gather(
            *(post(web, f"/api/cases/{case}/assign", {"assignee": name}, If_Match=etag) for name in names)
        )
        assert sorted(answer.status for answer in answers) == [200, 412, 412]


async def test_the_condition_holds_for_each_kind_of_thing(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        town = web.town
        town.do(SaveMacro("door", "Is the door shut?", "Lea"))
        waiting = next(row["id"] for row in town.rows(schema.notifications, state="awaiting_approval"))
        silence = {"reason": "moving house", "for": "2h", "device_id": "f-souza"}
        assert (await post(web, "/api/silences", silence)).status == 200
        number = town.rows(schema.silences)[-1]["id"]
        level = {"name": "gold", "first_response": "1h"}
        assert (await post(web, "/api/sla/policy", level)).status == 200
        owned = {"id": "c-souza", "name": "Ana Souza-Lima"}
        things: list[tuple[str, dict[str, Any], str]] = [
            ("/api/macros", {"name": "door", "text": "Is it shut?"}, await etag_in(web, "/api/macros", name="door")),
            ("/api/users/role", {"name": "Ben", "role": "lead"}, await etag_in(web, "/api/users", name="Ben")),
            (f"/api/silences/{number}/end", {}, await etag_in(web, "/api/silences", id=number)),
            (f"/api/messages/{waiting}/discard", {}, (await get(web, f"/api/messages/{waiting}")).headers["ETag"]),
            ("/api/import/customers", {"records": [owned]}, (await get(web, "/api/customers/c-souza")).headers["ETag"]),
            (
                "/api/devices/f-souza/contacts",
                {"customer_id": "c-brown", "role": "household"},
                (await get(web, "/api/devices/f-souza")).headers["ETag"],
            ),
        ]
        policies = (await (await get(web, "/api/sla")).json())["policies"]
        changed = {**level, "first_response": "2h"}
        things.append(("/api/sla/policy", changed, policies[0]["etag"]))
        for path, data, etag in things:
            wrong = await post(web, path, data, If_Match='"stale.tag"')
            assert wrong.status == 412, (path, await wrong.text())
            right = await post(web, path, data, If_Match=f'"another", {etag}')
            assert right.status == 200, (path, await right.text())
            again = await post(web, path, data, If_Match=etag)
            assert again.status == 412, (path, await again.text())
            assert (await again.json())["changed_by"] == "token:admin", path


async def test_what_must_not_be_there_yet_is_not_overwritten(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        first = await post(web, "/api/macros", {"name": "door", "text": "Is it shut?"}, If_None_Match="*")
        assert first.status == 200
        second = await post(web, "/api/macros", {"name": "door", "text": "Open it."}, If_None_Match="*")
        assert second.status == 412
        assert web.town.rows(macros)[0]["text"] == "Is it shut?"
        any_there = await post(web, "/api/macros", {"name": "door", "text": "Please shut it."}, If_Match="*")
        assert any_there.status == 200
        none_there = await post(web, "/api/macros", {"name": "seal", "text": "How is the seal?"}, If_Match="*")
        assert none_there.status == 412


async def test_a_gateway_that_demands_conditions_says_so_but_for_what_overwrites_nothing(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia") as web:
        case = web.town.case_of("f-souza")["id"]
        deps = replace(web.town.deps, require_if_match=True, metrics=type(web.town.deps.metrics)())
        web.town.deps = deps
        async with TestClient(TestServer(web.town.app())) as client:
            strict = replace(web, client=client)
            refused = await post(strict, f"/api/cases/{case}/verdict")
            assert (refused.status, refused.content_type) == (428, "application/problem+json")
            assert (await post(strict, f"/api/cases/{case}/note", {"text": "Called."})).status == 200
            etag = (await get(strict, f"/api/cases/{case}")).headers["ETag"]
            assert (await post(strict, f"/api/cases/{case}/verdict", If_Match=etag)).status == 200
            # The console is no program; its forms say what they saw by themselves.
            strict.csrf = log_in(strict.town, client, "Mia")
            assert (await strict.script(f"/cases/{case}/escalate", {"reason": "for Lea"})).status == 200


async def test_an_agents_form_is_refused_for_a_colleagues_deed_and_for_nothing_else(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia") as web:
        case = web.town.case_of("f-souza")["id"]
        seen = found(r"data-etag='([^']+)'", await web.page(f"/cases/{case}"))

        async def resolve() -> ClientResponse:
            headers = {"Accept": "application/json", "X-CSRF-Token": web.csrf, "If-Match": seen}
            return await web.client.post(f"/cases/{case}/snooze", data={}, headers=headers)

        # The device goes on, a colleague notes something, Mia herself has done something since: all in nobody's way.
        await web.town.publish("devices/f-souza/status", {"temperature": -5.0, "ts": web.town.now.timestamp()})
        web.town.do(AddNote(case, "Rang, nobody there.", "Ben"))
        web.town.do(Acknowledge(case, "Mia"))
        assert (await resolve()).status == 200
        web.town.do(Resolve(case, "Ben", "", tell_customer=False))
        refused = await resolve()
        assert refused.status == 412
        assert "Ben changed this meanwhile (resolved)" in (await refused.json())["detail"]


async def test_two_leads_do_not_overwrite_each_others_answer(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea", empty=True) as web:
        web.town.do(SaveMacro("door", "Is the door shut?", "Lea"))
        page = await web.page("/macros")
        seen = found(r'name="_if_match" value="&#34;(\w+)&#34;"', page)
        web.town.do(SaveMacro("door", "Is the door shut all the way?", "Ada"))
        mine = {"name": "door", "text": "Shut it.", "_if_match": f'"{seen}"'}
        for answer in (await web.script("/macros", mine), await web.post("/macros", mine)):
            assert answer.status == 412
            assert "Ada changed this meanwhile" in await answer.text()
        new = await web.script("/macros", {"name": "door", "text": "Another one.", "_if_match": "new"})
        assert new.status == 412
        assert web.town.rows(macros)[0]["text"] == "Is the door shut all the way?"


async def test_a_condition_is_of_its_own_request_alone(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        case = web.town.case_of("f-souza")["id"]
        assert (await post(web, f"/api/cases/{case}/verdict", If_Match='"v0"')).status == 412
        # The same connection, so the same task within the server.
        assert (await post(web, f"/api/cases/{case}/verdict")).status == 200
        assert (await post(web, f"/api/cases/{case}/verdict", {"verdict": "maybe"}, If_Match='"v0"')).status == 422
        assert (await post(web, "/api/hold")).status == 200


async def test_a_customer_is_shown_without_their_addresses(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        web.town.do(Upsert("customers", ({"id": "c-1", "name": "Ana", "email": "ana@example.com"},), by="test"))
        answer = await get(web, "/api/customers/c-1")
        shown = await answer.json()
        assert (shown["name"], shown["reached_by"]) == ("Ana", ["email"])
        assert "ana@example.com" not in await answer.text()
        assert (await get(web, "/api/customers/nobody")).status == 404


async def test_of_two_who_word_the_same_text_the_second_is_told(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        which = {"kind": "article", "name": "freezer-too-warm", "language": "de"}
        path = "/api/texts/one?" + "&".join(f"{name}={value}" for name, value in which.items())
        first = await get(web, path)
        assert not (await first.json())["own"]
        shipped = {**which, "text": (await first.json())["text"]}
        words = {**which, "text": shipped["text"].replace("Tür", "Klappe")}
        saved = await post(web, "/api/texts", words, If_Match=first.headers["ETag"])
        assert saved.status == 200, await saved.text()
        other = await post(web, "/api/texts", shipped, If_Match=first.headers["ETag"])
        assert (other.status, (await other.json())["changed_by"]) == (412, "token:admin")
        now = await (await get(web, path)).json()
        assert (now["own"], now["text"], now["version"]["id"]) == (True, words["text"], (await saved.json())["version"])
        stale = await post(web, f"/api/texts/{now['version']['id']}/restore", If_Match=first.headers["ETag"])
        assert stale.status == 412
        back = await post(web, "/api/texts", {**which, "text": None}, If_Match=now["etag"])
        assert back.status == 200
        assert not (await (await get(web, path)).json())["own"]
        assert (await get(web, "/api/texts/one?kind=words&language=xx")).status == 422


async def test_of_two_who_edit_a_team_the_second_is_told_and_a_new_one_takes_no_name(tmp_path: Path) -> None:
    async with visit(tmp_path, user="Lea") as web:
        assert (await web.script("/teams", {"name": "Berlin", "_if_match": "new", "member.Mia": "1"})).status == 200
        assert (await web.script("/teams", {"name": "Berlin", "_if_match": "new"})).status == 412
        etag = found(r'name="_if_match" value="([^"]+)"', await web.page("/teams?team=Berlin")).replace("&#34;", '"')
        assert (await web.script("/teams", {"name": "Berlin", "_if_match": etag})).status == 200
        assert (await web.script("/teams", {"name": "Berlin", "_if_match": etag, "member.Mia": "1"})).status == 412


def test_each_thing_that_is_changed_by_an_address_is_known_by_it() -> None:
    known = {about(route.path) for route in ROUTES if route.method == "POST"}
    assert {one[0] for one in known if one} == {
        "", "case", "customer", "device", "draft", "hours", "macro", "message", "policy", "rota", "rules", "silence",
        "task", "team", "text", "user", "view",
    }  # fmt: skip
    assert about(r"/api/cases/{id:\d+}/resolve") == ("case", "id")
    assert about("/admin/users/role") == ("user", "name")
    assert about("/api/status") is None


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ('"v5.ab12"', ("v5",)),
        ('"a.1", "b"', ("a", "b")),
        ("*", ("*",)),
        ("v5", ("",)),
        ('W/"v5.a"', ("",)),
        ("", ("",)),
    ],
)
def test_if_match_is_read_as_the_rfc_has_it(header: str, tags: tuple[str, ...]) -> None:
    assert tags_in(header) == tags


@given(st.text())
def test_no_header_is_too_odd_to_be_read(header: str) -> None:
    assert tags_in(header)


@given(st.dictionaries(st.text(), st.none() | st.integers() | st.text()), st.text(), st.integers())
def test_a_tag_changes_with_what_is_seen_and_not_with_what_is_not(row: dict[str, Any], name: str, value: int) -> None:
    assert row_tag(row) == row_tag(dict(reversed(row.items())))
    hidden = name in ("password_hash", "totp_secret", "totp_step", "backtest")
    if row.get(name, "absent") != value:
        assert (row_tag({**row, name: value}) == row_tag(row)) is hidden
