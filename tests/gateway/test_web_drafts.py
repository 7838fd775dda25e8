"""Rules written in the console and the API: checked, kept, held against what is live, put live, rolled back."""

import asyncio
import html
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData

from gateway.commands import CommandRefused, GiveVerdict, PutFilesLive
from gateway.commands.drafts import BeginDraft, DropDraft, PutDraftLive, SaveDraft
from gateway.store import schema
from gateway.store.rule_drafts import rule_drafts
from rules.authoring.migration import as_written
from rules.schema import parse_rules
from tests.gateway.web_visit import Visit, visit

RULE = """\
rules:
  # As the kitchen asked.
  - id: warmish
    kind: condition
    profile: freezer
    title: {en: Rather warm}
    when: temperature > -17
    for: 5m
"""


async def put_live(web: Visit) -> None:
    await web.town.submit(PutFilesLive(((RULE, "kitchen.yaml"),), "Lea"))


async def begun(web: Visit, text: str = RULE, replaces: str = "warmish") -> int:
    answer = await web.script("/drafts", {"text": text, "replaces": replaces})
    assert answer.status == 200, await answer.text()
    return int((await answer.json())["id"])


async def checked(web: Visit, text: str, *replaces: str) -> dict[str, Any]:
    answer = await web.api("POST", "/api/rules/check", "lead", json={"text": text, "replaces": list(replaces)})
    assert answer.status == 200, await answer.text()
    told: dict[str, Any] = await answer.json()
    return told


async def test_a_mistake_is_told_with_its_place_and_what_was_meant(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        await put_live(web)
        told = await checked(web, RULE.replace("temperature", "temprature"), "warmish")
        assert not told["right"]
        assert told["errors"] == [
            {
                "line": 7,
                "column": 11,
                "field": "rules.0.when",
                "message": "the profile 'freezer' has no field 'temprature'; did you mean 'temperature'?",
                "type": "no-field",
                "values": ["the profile 'freezer' has", "temprature", "; did you mean 'temperature'?"],
                "instead_of": "temprature",
                "suggestion": "temperature",
            }
        ]


async def test_who_writes_is_told_of_a_mistake_in_their_language(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        await put_live(web)
        headers = {"X-CSRF-Token": web.csrf, "Accept": "application/json", "Accept-Language": "de"}
        sent = {"text": RULE.replace("temperature", "temprature"), "replaces": "warmish"}
        answer = await web.client.post("/drafts/look", data=sent, headers=headers)
        (wrong,) = (told := await answer.json())["errors"]
        assert wrong["message"] == "das Profil 'freezer' hat kein Feld 'temprature'; meinten Sie 'temperature'?"
        assert "hat kein Feld" in told["html"]
        assert wrong["suggestion"] == "temperature"


async def test_what_would_change_is_told_setting_by_setting(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        await put_live(web)
        told = await checked(web, RULE.replace("for: 5m", "for: 10m"), "warmish")
        assert told["changes"] == [{"rule": "warmish", "change": "changed", "fields": {"for": ["5m", "10m"]}}]
        gone = await checked(web, "rules: []", "warmish")
        assert [(c["rule"], c["change"]) for c in gone["changes"]] == [("warmish", "removed")]


async def test_the_id_of_another_rule_in_force_is_refused(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        await put_live(web)
        told = await checked(web, RULE)
        assert told["errors"][0]["line"] == 3
        assert "another rule in force is 'warmish'" in told["errors"][0]["message"]


async def test_cases_beside_a_rule_are_run_and_a_long_one_is_left_to_the_command_line(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        given = "[{at: 0m, until: %s, every: 1s, values: {temperature: -5}}]"
        case = f"  - {{name: %s, rule: warmish, given: {given}, expect: {{firing: [%s]}}}}\n"
        cases = (("right", "6m", "5m"), ("wrong", "6m", "1m"), ("long", "9h", "5m"))
        text = RULE + "tests:\n" + "".join(case % each for each in cases)
        told = await checked(web, text)
        assert [(test["name"], bool(test["failures"])) for test in told["tests"]] == [("right", False), ("wrong", True)]
        assert told["untried_tests"] == 1
        assert told["right"]


async def test_the_editor_opens_with_the_text_of_the_file_and_works_as_a_form(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        page = await web.page("/drafts/new?rule=freezer-too-warm")
        assert "neither a defrost (6 to 20 minutes) nor somebody putting shopping away" in page
        assert "Right, and as it is in force" in page
        answer = await web.post("/drafts", {"text": "rules:\n  - id: x\n", "replaces": "freezer-too-warm"})
        assert answer.status == 303
        page = await web.page(answer.headers["Location"])
        assert "2:5" in page
        assert "is missing; there are condition, absent" in page
        again = await web.get("/drafts/new?rule=freezer-too-warm")
        assert again.headers["Location"] == answer.headers["Location"]
        assert "freezer-too-warm" in (await web.page("/rules")).split("Being written")[1]


async def test_what_went_live_from_a_draft_is_edited_again_with_its_comments(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        await put_live(web)
        draft = await begun(web, RULE.replace("for: 5m", "for: 7m"))
        going = await (await web.api("GET", f"/api/drafts/{draft}/migration", "lead")).json()
        answer = await web.script(f"/drafts/{draft}/live", {"seen": "1", "in_force": going["in_force"]})
        assert answer.status == 200, await answer.text()
        assert as_written(web.town.committer.detector.ruleset["warmish"])["for"] == "7m"
        assert "As the kitchen asked." in await web.page("/drafts/new?rule=warmish")
        assert "The version it became" in await web.page(f"/drafts/{draft}")


async def test_two_who_write_one_draft_do_not_overwrite_each_other(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        await put_live(web)
        draft = await begun(web)
        web.town.do(SaveDraft(draft, RULE + "# Ada\n", 1, "Ada"))
        answer = await web.script(f"/drafts/{draft}", {"text": RULE + "# Lea\n", "seen": "1"})
        assert answer.status == 409
        assert "Ada saved this draft after you began to write" in (await answer.json())["detail"]
        answer = await web.script(f"/drafts/{draft}", {"text": RULE + "# Lea\n", "seen": ""})
        assert (await answer.json())["version"] == 3
        with pytest.raises(CommandRefused, match="Lea has a draft of 'warmish' already"):
            web.town.do(BeginDraft(RULE, ("warmish",), "", "Ada"))


async def test_nothing_goes_live_that_was_not_what_was_looked_at(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        await put_live(web)
        draft = await begun(web, RULE.replace("5m", "6m"))
        in_force = web.town.committer.detector.ruleset.version
        web.town.do(SaveDraft(draft, RULE.replace("5m", "8m"), 1, "Ada"))
        with pytest.raises(CommandRefused, match="Ada changed this draft meanwhile"):
            web.town.do(PutDraftLive(draft, 1, in_force, "Lea"))
        web.town.do(PutFilesLive(((RULE.replace("-17", "-16"), "kitchen.yaml"),), "Ben"))
        with pytest.raises(CommandRefused, match="the rules in force changed meanwhile"):
            web.town.do(PutDraftLive(draft, 2, in_force, "Lea"))
        web.town.do(SaveDraft(draft, "rules: [", 2, "Lea"))
        with pytest.raises(CommandRefused, match="draft:1"):
            web.town.do(PutDraftLive(draft, 3, web.town.committer.detector.ruleset.version, "Lea"))
        assert "What is in force has changed since this was begun" in await web.page(f"/drafts/{draft}")


async def test_what_becomes_of_open_alerts_is_told_before_and_is_what_then_happens(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        rule = next(row for row in web.town.rows(schema.cases) if row["state"] == "open")["rule"]
        written = re.sub(r"\bfor: \S+", "for: 3m", await editor_text(web, rule))
        draft = await begun(web, written, rule)
        told = await (await web.api("GET", f"/api/drafts/{draft}/migration", "lead")).json()
        page = await web.page(f"/drafts/{draft}/live")
        assert "What going live would do" in page
        result = web.town.do(PutDraftLive(draft, 1, told["in_force"], "Lea"))
        counted = ("rule", "change", "kept", "reset", "closed")
        foretold, done = (sorted([c[name] for name in counted] for c in each["rules"]) for each in (told, result))
        assert foretold == done
        assert any(change["kept"] or change["reset"] for change in result["rules"])


async def test_a_draft_is_dropped_and_taken_up_again(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        await put_live(web)
        draft = await begun(web)
        assert (await web.post(f"/drafts/{draft}/drop")).headers["Location"] == "/rules"
        assert "Take it up again" in await web.page(f"/drafts/{draft}")
        assert (await web.script(f"/drafts/{draft}", {"text": "x", "seen": "1"})).status == 409
        await web.post(f"/drafts/{draft}/drop", {"back": "1"})
        assert web.town.rows(rule_drafts)[0]["state"] == "open"
        with pytest.raises(CommandRefused, match="draft 1 is open"):
            web.town.do(DropDraft(draft, "Lea", back=True))


async def test_versions_are_listed_with_what_going_back_would_do_and_rolled_back_to(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        await put_live(web)
        first = web.town.committer.detector.ruleset.version
        await web.town.submit(PutFilesLive(((RULE.replace("5m", "9m"), "kitchen.yaml"),), "Lea"))
        assert "Roll back to this" in await web.page("/versions")
        page = await web.page(f"/versions/{first[:8]}")
        assert "What going back to it would do now" in page
        assert "9m" in page
        told = await (await web.api("GET", f"/api/versions/{first}")).json()
        assert told["back"][0]["fields"] == {"for": ["9m", "5m"]}
        assert (await web.script(f"/versions/{first}/roll-back")).status == 200
        assert web.town.committer.detector.ruleset.version == first
        assert (await web.get("/versions/nope")).status == 404
        file = await web.page(f"/versions/{first}/rules.yaml")
        assert parse_rules(file, "file").version == first


async def test_why_a_draft_would_fire_on_a_device_is_told_from_its_last_day(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        await put_live(web)
        draft = await begun(web, RULE.replace("-17", "-90"))
        told = await (await web.api("GET", f"/api/drafts/{draft}/why?device_id=f-meier", "viewer")).json()
        assert [(rule["rule"], rule["state"]) for rule in told["rules"]] == [("warmish", "firing")]
        assert "Fires: it has held" in await web.page(f"/drafts/{draft}/why?device_id=f-meier")
        assert "Fires: it has held" in await web.page(f"/drafts/{draft}?device_id=f-meier")
        assert "there is no device nope" in await web.page(f"/drafts/{draft}/why?device_id=nope")
        answer = await web.api("GET", f"/api/drafts/{draft}/why?device_id=nope")
        assert (answer.status, (await answer.json())["field"]) == (422, "device_id")


async def editor_text(web: Visit, rule: str) -> str:
    """The text with which the editor opens."""
    page = await web.page(f"/drafts/new?rule={rule}")
    return html.unescape(page.split('name="text"')[1].split(">", 1)[1].split("</textarea>")[0])


async def finished(web: Visit, draft: int) -> dict[str, Any]:
    async with asyncio.timeout(60):
        # The backtest is another process: there is no event of ours to wait for.
        while True:
            told = await (await web.api("GET", f"/api/drafts/{draft}/backtest")).json()
            if told["outcome"] or (told["running"] and told["running"]["state"] in ("failed", "stopped")):
                return dict(told)
            await asyncio.sleep(0.05)


async def test_a_backtest_over_the_history_tells_what_would_be_otherwise(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        case = web.town.case_of("f-yusuf")
        await web.town.submit(GiveVerdict(case["id"], "false_alarm", "Mia"))
        rule = case["rule"]
        draft = await begun(web, re.sub(r"\bfor: \S+", "for: 20h", await editor_text(web, rule)), rule)
        answer = await web.script(f"/drafts/{draft}/backtest", {"span": "24h"})
        assert answer.status == 200, await answer.text()
        outcome = (await finished(web, draft))["outcome"]
        assert outcome["samples"] > 100
        assert outcome["live"]["alerts"] > outcome["draft"]["alerts"]
        assert outcome["vanish"]["count"] >= 1
        assert {firing["rule"] for firing in outcome["vanish"]["firings"]} == {rule}
        assert outcome["live"]["judged"]["false"] == 1
        assert (outcome["live"]["judged"]["false_alarms"], outcome["draft"]["judged"]["false_alarms"]) == (1, 0)
        page = await web.page(f"/drafts/{draft}/backtest")
        assert "Judged false alarms, again" in page
        assert "Only with what is live" in page


async def test_a_backtest_over_a_file_says_what_is_wrong_with_it_or_what_came_of_it(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        await put_live(web)
        draft = await begun(web, RULE.replace("-17", "-10"))
        headers = {"Authorization": "Bearer token-of-a-lead", "Content-Type": "text/csv"}
        path = f"/api/drafts/{draft}/backtest?name=nothing.csv"
        for wrong in (b"a,b\n", b"\xff\xfe\x00", b"a,b\n1,2\n"):
            answer = await web.client.post(path, data=wrong, headers=headers)
            told = await answer.json()
            assert (answer.status, told["field"]) == (422, "file"), told
            assert told["detail"].startswith("nothing.csv"), told
        rows = "".join(f"2026-03-01T08:{m:02}:00Z,{-12 if m > 10 else -20}\n" for m in range(0, 60, 5))
        samples = f"time,temperature\n{rows}".encode()
        await web.client.post(path.replace("nothing", "kitchen"), data=samples, headers=headers)
        outcome = (await finished(web, draft))["outcome"]
        assert (outcome["source"]["name"], outcome["source"]["profile"]) == ("kitchen.csv", "freezer")
        assert (outcome["live"]["alerts"], outcome["draft"]["alerts"]) == (1, 0)
        assert web.town.rows(rule_drafts, id=draft)[0]["backtest"] == outcome


async def test_a_backtest_that_the_gateways_end_cut_off_is_said_so_and_runs_again(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        await put_live(web)
        draft = await begun(web, RULE.replace("-17", "-10"))
        assert (await web.script(f"/drafts/{draft}/backtest", {"span": "30d"})).status == 200
    async with visit(tmp_path, "Lea", empty=True) as web:
        told = await (await web.api("GET", f"/api/drafts/{draft}/backtest", "viewer")).json()
        assert (told["running"], told["interrupted"]["span"], told["interrupted"]["by"]) == (None, "30d", "Lea")
        page = await web.page(f"/drafts/{draft}")
        assert "The gateway was restarted during a backtest that Lea began" in page
        assert 'name="span" value="30d"' in page
        assert (await web.script(f"/drafts/{draft}/backtest", {"span": "30d"})).status == 200
        assert "was restarted" not in await web.page(f"/drafts/{draft}/backtest")
        assert (await (await web.script(f"/drafts/{draft}/backtest/stop")).json())["stopped"]
        assert (await (await web.api("GET", f"/api/drafts/{draft}/backtest")).json())["interrupted"] is None


async def test_a_file_comes_with_a_form_as_well(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        await put_live(web)
        draft = await begun(web, RULE.replace("-17", "-10"))
        form = FormData({"_csrf": web.csrf, "span": ""})
        form.add_field("file", b"when,temperature\n", filename="kitchen.csv", content_type="text/csv")
        answer = await web.client.post(f"/drafts/{draft}/backtest", data=form, allow_redirects=False)
        assert answer.status == 422
        assert "kitchen.csv: has no rows below its header" in await answer.text()


async def test_a_backtest_can_be_stopped_and_two_of_one_draft_are_refused(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        await put_live(web)
        draft = await begun(web, RULE.replace("-17", "-10"))
        assert (await web.script(f"/drafts/{draft}/backtest", {"span": "30d"})).status == 200
        again = await web.script(f"/drafts/{draft}/backtest", {"span": "30d"})
        assert again.status == 409
        assert "a backtest of this draft by Lea goes on" in (await again.json())["detail"]
        assert (await (await web.script(f"/drafts/{draft}/backtest/stop")).json())["stopped"]
        assert "It was stopped." in await web.page(f"/drafts/{draft}/backtest")
        assert web.town.rows(rule_drafts, id=draft)[0]["trying"] is None
        for span, status in (("soon", 422), ("0s", 422)):
            assert (await web.script(f"/drafts/{draft}/backtest", {"span": span})).status == status
