"""A case worked on in the console: procedure, causes, rest, merge, by hand, answers given often."""

from datetime import timedelta
from pathlib import Path

import pytest

from device_models.profile import DeviceProfile
from gateway.commands import Resolve
from gateway.commands.cases import MergeCase, OpenCase, SaveMacro
from gateway.store import schema
from gateway.store.case_work import device_commands
from tests.gateway.web_visit import Visit, visit


def souza(web: Visit) -> int:
    return int(web.town.case_of("f-souza", "freezer-compressor-stopped")["id"])


async def test_the_procedure_is_a_checklist_whose_order_follows_what_it_was(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = souza(web)
        page = await web.page(f"/cases/{case}")
        assert page.index("rear grille") < page.index("click and hum")
        await web.script(f"/cases/{case}/step", {"step": "unplug"})
        page = await web.page(f"/cases/{case}")
        assert "1 of 5 done" in page
        assert "Mia did the step unplug" in page
        web.town.do(Resolve(case, "Mia", cause="compressor", fix="Compressor changed"))
        page = await web.page(f"/cases/{case}")
        assert page.index("click and hum") < page.index("rear grille")
        assert "Compressor worn out: Compressor changed" in page


async def test_one_button_says_cause_and_fix(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = souza(web)
        assert 'data-key="1"' in await web.page(f"/cases/{case}")
        await web.script(f"/cases/{case}/resolve", {"found": "start-relay|Relay changed", "_form": "1"})
        row = web.town.rows(schema.cases, id=case)[0]
        assert (row["state"], row["cause"], row["fix"]) == ("resolved", "start-relay", "Relay changed")
        told = await (await web.api("GET", f"/api/cases/{case}")).json()
        assert (told["cause"], told["fix"]) == ("start-relay", "Relay changed")


async def test_an_answer_may_begin_with_what_is_happening_in_their_language(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        page = await web.page(f"/cases/{souza(web)}")
        begin = page.index("Begin with what is happening")
        opening = page[page.rindex("data-insert=", 0, begin) : begin]
        assert "freezer" in opening.lower() or "congelador" in opening.lower()
        assert "/p/" not in opening


async def test_a_case_rests_and_says_until_when(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = souza(web)
        until = (web.town.now + timedelta(hours=4)).isoformat()
        assert (await web.script(f"/cases/{case}/snooze", {"until": until})).status == 200
        assert "rests until" in await web.page(f"/cases/{case}")
        assert f'data-id="{case}"' not in await web.page("/")
        await web.script(f"/cases/{case}/snooze")
        assert "rests until" not in await web.page(f"/cases/{case}")
        answer = await web.script(f"/cases/{case}/snooze", {"until": "2026-03-02T18:00:00"})
        assert (answer.status, (await answer.json())["field"]) == (422, "until")


async def test_merged_cases_are_named_on_both_and_parted_again(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        one, other = web.town.do(OpenCase("It hums", "Mia", "f-souza")), souza(web)
        web.town.do(MergeCase(one, other, "Mia"))
        assert f"part of #{other}" in await web.page(f"/cases/{one}")
        page = await web.page(f"/cases/{other}")
        assert "part of this" in page
        assert f"Mia merged #{one} into it" in page
        await web.script(f"/cases/{one}/unmerge")
        assert f"part of #{other}" not in await web.page(f"/cases/{one}")


async def test_a_caller_is_found_by_phone_name_or_serial(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        serial = web.town.rows(schema.devices, id="f-souza")[0]["serial"]
        for words in ("+55 11 91234-5678", "011 91234 5678", "souza", serial, "ana@souza"):
            told = await (await web.api("GET", "/api/find", params={"q": words})).json()
            assert "c-souza" in {one["customer_id"] for one in told["items"]}, words
        assert (await (await web.api("GET", "/api/find?q=nobody-at-all")).json())["items"] == []
        assert "Nobody and nothing found" in await web.page("/new?q=nobody-at-all")


async def test_a_case_by_hand_shows_how_the_device_is_and_opens(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        page = await web.page("/new?device_id=f-meier")
        assert "Inside temperature, last hour" in page
        assert "Why and why not" in page
        fields = {
            "title": "It hums",
            "device_id": "f-meier",
            "text": "Since Sunday",
            "missed": "1",
            "severity": "minor",
        }
        answer = await web.post("/cases", fields)
        where = answer.headers["Location"]
        page = await web.page(where)
        assert "It hums" in page
        assert "no rule had seen it" in page
        assert "Since Sunday" in page
        assert (await web.script("/cases", {"title": "", "device_id": "f-meier"})).status == 422


async def test_answers_given_often_stand_in_the_case(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        await web.script("/macros", {"name": "door-check", "text": "Is the door of {device} shut?", "sends": "1"})
        page = await web.page(f"/cases/{souza(web)}")
        assert 'data-macro="door-check" data-sends="1"' in page
        assert "/door-check" in await web.page("/macros")
        await web.script("/macros", {"name": "door-check"})
        assert "/door-check" not in await web.page("/macros")


async def test_only_a_lead_keeps_answers(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia") as web:
        web.town.do(SaveMacro("hello", "Hello", "Lea"))
        assert "/hello" in await web.page("/macros")
        assert (await web.script("/macros", {"name": "hello", "text": "x"})).status == 403


async def test_a_command_that_the_profile_allows_is_offered_and_sent(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = souza(web)
        allowed = {"restart": {"title": {"en": "Restart it"}, "payload": {"cmd": "restart"}}}
        freezer = web.town.deps.profiles["freezer"]
        known = DeviceProfile.model_validate(freezer.model_dump() | {"commands": allowed})
        web.town.deps.profiles["freezer"] = known  # type: ignore[index]
        assert "Restart it" in await web.page(f"/cases/{case}")
        answer = await web.script("/devices/f-souza/command", {"name": "restart", "case_id": str(case)})
        assert (await answer.json())["command"] == 1
        assert web.town.rows(device_commands)[0]["payload"] == {"cmd": "restart"}
        assert "on its way" in await web.page(f"/cases/{case}")
        # Its own page offers the same, of no case.
        assert 'action="/devices/f-souza/command"' in await web.page("/devices/f-souza")
        assert "on its way" in await web.page("/devices/f-souza")
        refused = await web.script("/devices/f-souza/command", {"name": "explode"})
        assert refused.status == 409


async def test_a_device_in_quarantine_is_registered_where_it_is_listed(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        await web.town.publish("devices/f-new/status", {"temperature": -18.0})
        assert "Kind of f-new" in await web.page("/rejected")
        answer = await web.script("/devices/learn", {"device_ids": "f-new", "profile": "freezer"})
        assert answer.status == 200
        assert "Kind of f-new" not in await web.page("/rejected")
        assert web.town.rows(schema.devices, id="f-new")[0]["profile"] == "freezer"


async def test_of_a_long_thread_the_newest_are_shown_and_earlier_ones_on_demand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.web.pages.case._ENTRIES", 3)
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-souza", "freezer-compressor-stopped")["id"]
        page = await web.page(f"/cases/{case}")
        assert "?entries=12" in page
        assert "The case opened itself" not in page
        assert "The case opened itself" in await web.page(f"/cases/{case}?entries=12")
