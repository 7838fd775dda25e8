"""The JSON API: lists that page without gap or repeat, single things whole, commands, errors as problem+json."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.store import schema
from gateway.web.auth import token_hash
from gateway.web.case_forms import CASE_COMMANDS
from gateway.web.forms import MESSAGE_COMMANDS
from tests.gateway.web_fleet import NOW, TOKENS
from tests.gateway.web_visit import Visit, visit


async def whole(web: Visit, path: str, limit: int) -> list[dict[str, Any]]:
    """Follow the cursor to the end."""
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        separator = "&" if "?" in path else "?"
        answer = await (await web.api("GET", f"{path}{separator}limit={limit}{cursor}")).json()
        items.extend(answer["items"])
        assert len(answer["items"]) <= limit
        if answer["next"] is None:
            return items
        cursor = f"&cursor={answer['next']}"


@pytest.mark.parametrize(
    "path", ["/api/cases", "/api/devices", "/api/messages", "/api/offers/decisions", "/api/rejections"]
)
async def test_a_list_is_the_same_in_pages_of_any_size(tmp_path: Path, path: str) -> None:
    async with visit(tmp_path, None) as web:
        ids = [item["id"] for item in await whole(web, path, 1000)]
        assert ids
        assert len(ids) == len(set(ids))
        for limit in (1, 2, 3):
            assert [item["id"] for item in await whole(web, path, limit)] == ids


async def test_every_case_says_what_a_scorer_needs(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        cases = await whole(web, "/api/cases", 100)
        needed = {"device_id", "rule", "opened_at", "resolved_at", "customer_id", "told_at"}
        assert all(needed <= case.keys() for case in cases)
        souza = next(case for case in cases if case["rule"] == "freezer-compressor-stopped")
        assert souza["told_at"] == "2026-03-02T12:28:00Z"
        assert souza["opened_at"] < souza["told_at"]
        meier = next(case for case in cases if case["device_id"] == "f-meier" and case["resolved_at"])
        assert meier["resolved_by"] == "telemetry"


async def test_every_message_says_which_case_it_is_about_and_hides_the_address(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        messages = await whole(web, "/api/messages", 100)
        needed = {"device_id", "rule", "opened_at", "customer_id", "told_at", "state", "channel"}
        assert all(needed <= message.keys() for message in messages)
        assert all("address" not in message and "provider_id" not in message for message in messages)


async def test_cases_are_narrowed_by_their_filters(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        by_device = await whole(web, "/api/cases?device_id=f-meier", 10)
        assert {case["device_id"] for case in by_device} == {"f-meier"}
        resolved = await whole(web, "/api/cases?state=resolved", 10)
        assert all(case["resolved_at"] for case in resolved)
        assert await whole(web, "/api/cases?opened_since=2027-01-01T00:00:00Z", 10) == []
        arrival = await whole(web, "/api/cases?on_arrival=true", 10)
        assert {case["device_id"] for case in arrival} == {"f-hotel-2"}


async def test_a_case_comes_with_timeline_messages_and_evidence(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        case_id = web.town.case_of("f-souza", "freezer-compressor-stopped")["id"]
        case = await (await web.api("GET", f"/api/cases/{case_id}")).json()
        assert {entry["kind"] for entry in case["timeline"]} >= {"opened", "message_out", "message_in", "note"}
        assert [message["state"] for message in case["messages"]] == ["delivered", "read"]
        evidence = case["evidence"]
        assert evidence["explanation"]["limit"] == -14
        assert evidence["firing_until"] is None
        assert evidence["series"]["field"] == "temperature"
        assert len(evidence["series"]["times"]) == len(evidence["series"]["values"]) > 10
        assert evidence["twin"]["mains_ok"][0] is True


async def test_a_device_comes_with_why_and_why_not(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        device = await (await web.api("GET", "/api/devices/f-souza")).json()
        states = {rule["rule"]: rule.get("state") for rule in device["explain"]}
        assert states["freezer-compressor-stopped"] == "firing"
        assert states["freezer-door-open"] == "inactive"
        assert (await web.api("GET", "/api/devices/none")).status == 404


async def test_why_and_why_not_is_told_of_a_moment_that_has_passed(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        address = "/api/devices/f-souza/explain"
        now = await (await web.api("GET", address)).json()
        assert {r["rule"]: r.get("state") for r in now["rules"]}["freezer-compressor-stopped"] == "firing"
        before = (datetime.fromisoformat(now["at"]) - timedelta(days=2)).isoformat().replace("+00:00", "Z")
        past = await (await web.api("GET", f"{address}?at={before}")).json()
        rule = next(r for r in past["rules"] if r["rule"] == "freezer-compressor-stopped")
        assert (past["at"], rule["state"]) == (before, "inactive")
        assert (await web.api("GET", f"{address}?at=noon")).status == 422
        assert (await web.api("GET", "/api/devices/none/explain")).status == 404
        assert (await web.api("GET", f"/api/devices/none/explain?at={before}")).status == 404


async def test_a_decision_names_its_reason(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        withheld = await whole(web, "/api/offers/decisions?made=0", 10)
        assert {decision["reason"] for decision in withheld} == {"open_case", "no_consent"}
        assert [decision["code"] for decision in await whole(web, "/api/offers/decisions?made=1", 10)] == ["FILTER-7Q2"]


async def test_commands_work_as_they_do_in_the_console(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        case = web.town.case_of("f-yusuf")["id"]
        for name, body in (
            ("acknowledge", {}),
            ("assign", {"assignee": "Ben"}),
            ("note", {"text": "Hm."}),
            ("resolve", {}),
        ):
            answer = await web.api("POST", f"/api/cases/{case}/{name}", "agent", json=body)
            assert (answer.status, await answer.json()) == (200, {"ok": True}), name
        row = web.town.case_of("f-yusuf")
        assert (row["state"], row["assignee"], row["resolved_by"]) == ("resolved", "Ben", "token:agent")


async def test_a_refusal_is_problem_json(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        case = web.town.case_of("f-yusuf")["id"]
        expected = [
            ("POST", f"/api/cases/{case}/reopen", {}, 409),
            ("POST", f"/api/cases/{case}/note", {"text": ""}, 422),
            ("POST", "/api/cases/424242/note", {"text": "x"}, 409),
            ("POST", f"/api/cases/{case}/service", {"answer": "maybe"}, 422),
            ("GET", "/api/cases/424242", None, 404),
            ("GET", "/api/nothing", None, 404),
            ("GET", "/api/cases?limit=many", None, 422),
            ("GET", "/api/cases?opened_since=yesterday", None, 422),
            ("DELETE", "/api/cases", None, 405),
        ]
        for method, path, body, status in expected:
            answer = await web.api(method, path, json=body)
            assert (answer.status, answer.content_type) == (status, "application/problem+json"), path
            problem = await answer.json()
            assert problem["status"] == status
            assert problem["title"]
        headers = {"Authorization": f"Bearer {TOKENS['agent']}", "Content-Type": "application/json"}
        deep = (b"[" * 50_000, b'{"a":' * 50_000)
        for broken_body in (b"{", b"[]", b"\xff", *deep, b'{"text": "\\ud800"}', b'{"text": "\\\\\\u0000"}'):
            broken = await web.client.post(f"/api/cases/{case}/note", data=broken_body, headers=headers)
            assert (broken.status, broken.content_type) == (400, "application/problem+json"), broken_body[:20]
        for path in ("/api/devices/%00", "/p/x%00/stop"):
            assert (await web.api("GET", path)).status == 404, path
        for path in ("/api/cases?state=a%00b", "/devices?q=%00"):
            assert (await web.api("GET", path)).status == 400, path
        assert (await web.client.post("/login", data={"name": "Mia\0"})).status == 400
        written = await web.api("POST", f"/api/cases/{case}/note", json={"text": "\\u0000"})
        assert written.status == 200


@pytest.mark.parametrize("content_type", ["multipart/form-data", "text/plain; charset=nope"])
async def test_a_body_that_is_not_what_its_type_says_is_refused_and_no_fault_of_ours(
    tmp_path: Path, content_type: str
) -> None:
    async with visit(tmp_path, None) as web:
        headers = {"Content-Type": content_type, "Authorization": f"Bearer {TOKENS['agent']}"}
        case = web.town.case_of("f-yusuf")["id"]
        for path in (f"/api/cases/{case}/note", "/login"):
            answer = await web.client.post(path, data="text=é".encode("latin1"), headers=headers)
            assert 400 <= answer.status < 500, path


async def test_a_token_that_is_no_ascii_is_an_unknown_one(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        for headers in ({"Authorization": "Bearer caf\udce9"}, {"Cookie": "session=caf\udce9"}):
            answer = await web.client.get("/api/cases", headers=headers)
            assert answer.status == 401, headers


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_a_time_at_the_edge_of_the_calendar_is_refused_by_its_field(tmp_path: Path, moment: str) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        answer = await web.api("GET", "/api/cases", params={"opened_since": moment})
        assert (answer.status, (await answer.json())["field"]) == (422, "opened_since")


async def test_a_device_is_unknown_until_it_is_registered(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        heard = {"ecosystem": "native", "topic": "devices/stray/status", "messages": 3}
        stray = {**heard, "id": "stray", "first_heard_at": NOW, "last_heard_at": NOW}
        with web.town.store.write() as connection:
            connection.execute(sa.insert(schema.unknown_devices).values(stray))

        async def listed() -> bool:
            answer = await (await web.api("GET", "/api/devices/unknown")).json()
            return "stray" in {item["id"] for item in answer["items"]}

        assert await listed()
        with web.town.store.write() as connection:
            connection.execute(sa.insert(schema.devices).values(id="stray", profile="freezer"))
        assert not await listed()


async def test_import_takes_all_records_or_none_and_names_the_wrong_field(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        before = len(web.town.rows(schema.devices))
        good, bad = {"id": "f-new", "profile": "freezer"}, {"id": "f-bad", "latitude": 91}
        answer = await web.api("POST", "/api/import/devices", json={"records": [good, bad]})
        assert answer.status == 422
        assert (await answer.json())["field"] == "records.1.latitude"
        assert len(web.town.rows(schema.devices)) == before
        assert (await web.api("POST", "/api/import/devices", json={"records": [good]})).status == 200
        assert web.town.rows(schema.devices, id="f-new")[0]["profile"] == "freezer"
        assert (await web.api("POST", "/api/import/planets", json={"records": [good]})).status == 404


async def test_a_new_token_is_shown_once_and_works(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        token = (await (await web.api("POST", "/api/tokens", json={"name": "scorer", "role": "viewer"})).json())[
            "token"
        ]
        answer = await web.client.get("/api/status", headers={"Authorization": f"Bearer {token}"})
        assert answer.status == 200
        assert all(token not in str(dict(row)) for row in web.town.rows(schema.api_tokens))


def test_every_command_of_a_person_has_its_form() -> None:
    answering = {"acknowledge", "assign", "note", "reply", "resolve", "unresolve", "reopen", "service", "verdict"}
    working = {"snooze", "merge", "unmerge", "split", "link", "escalate", "field", "step", "wait", "route"}
    assert set(CASE_COMMANDS) == answering | working
    assert set(MESSAGE_COMMANDS) == {"approve", "discard", "resend"}


async def test_an_admin_reads_the_audit_log_tokens_and_invitations_without_what_lets_in(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        invited = await web.api("POST", "/api/users/invite", json={"name": "Noor", "role": "agent"})
        link = (await invited.json())["url"].rpartition("/")[2]
        made = await web.api("POST", "/api/tokens", json={"name": "crm", "role": "viewer"})
        secret = (await made.json())["token"]
        tokens = await (await web.api("GET", "/api/tokens")).json()
        [crm] = [one for one in tokens["items"] if one["name"] == "crm"]
        invitations = await (await web.api("GET", "/api/users/invitations")).text()
        assert '"Noor"' in invitations
        assert token_hash(link) not in invitations
        assert token_hash(secret) not in str(tokens)
        assert (await web.api("POST", "/api/tokens/end", json={"id": crm["id"]})).status == 200
        deeds = [one["action"] for one in await whole(web, "/api/audit?action=token.", 1)]
        assert deeds[0] == "token.end"
        assert set(deeds[1:]) == {"token.save"}
        assert (await web.api("GET", "/api/audit", "lead")).status == 403
