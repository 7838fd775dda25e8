"""The rules in the console and the API: precision, would-be cases, promotion, review."""

from pathlib import Path

from gateway.commands import GiveVerdict, PutFilesLive
from tests.gateway.web_visit import Visit, visit

SHADOW = """
rules:
  - id: warmish
    kind: condition
    profile: freezer
    title: {en: Rather warm}
    when: temperature > -17
    mode: shadow
    reopen_within: 30m
"""


async def put_in_shadow(web: Visit) -> None:
    await web.town.submit(PutFilesLive(((SHADOW, "shadow.yaml"),), "Lea"))
    for minute, celsius in ((1, -18.0), (6, -16.0), (11, -18.0)):
        at = web.town.now.timestamp() + 60 * minute
        await web.town.publish("devices/f-meier/status", {"temperature": celsius, "ts": at})


async def test_a_verdict_given_in_the_console_is_shown_and_counted(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-yusuf")
        page = await web.page(f"/cases/{case['id']}")
        assert 'data-key="f"' in page
        assert "Was it real?" in page
        assert (await web.script(f"/cases/{case['id']}/verdict", {"verdict": "false_alarm"})).status == 200
        page = await web.page(f"/cases/{case['id']}")
        assert "Mia says it was a false alarm" in page
        assert 'data-undo-body="verdict=false_alarm"' in page
        listed = await (await web.api("GET", "/api/rules")).json()
        rule = next(rule for rule in listed["items"] if rule["id"] == case["rule"])
        assert (rule["false_alarms"], rule["precision"]) == (1, 0.0)
        assert "0–79 %, 0 of 1 real" in await web.page("/rules")


async def test_a_wrong_verdict_is_named(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-yusuf")["id"]
        for sent, field in (({"verdict": "maybe"}, "verdict"), ({"duplicate_of": "x"}, "duplicate_of")):
            answer = await web.script(f"/cases/{case}/verdict", sent)
            assert (answer.status, (await answer.json())["field"]) == (422, field)


async def test_the_verdict_is_part_of_the_case_in_the_api(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-yusuf")["id"]
        web.town.do(GiveVerdict(case, "false_alarm", "customer"))
        told = await (await web.api("GET", f"/api/cases/{case}")).json()
        assert (told["verdict"]["verdict"], told["verdict"]["said_by"]) == ("false_alarm", "customer")
        assert "The customer says it was a false alarm" in await web.page(f"/cases/{case}")


async def test_would_be_cases_are_marked_and_the_rule_goes_live_with_its_precision(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        await put_in_shadow(web)
        page = await web.page("/rules/warmish")
        assert "In shadow it would have opened 1 case for 1 customer" in page
        assert "Would these have been real?" in page
        told = await (await web.api("GET", "/api/rules/warmish")).json()
        (case,) = told["would_be_cases"]
        assert (case["device_id"], case["verdict"]) == ("f-meier", None)
        await web.script(f"/would-be/{case['id']}/verdict", {"verdict": "real"})
        assert "1 of 1 real" in await web.page("/rules/warmish")
        answer = await (await web.api("POST", "/api/rules/warmish/promote", "lead", json={})).json()
        assert answer["rules"][0]["trial"]["precision"] == 1.0
        assert "in shadow" not in await web.page("/rules")


async def test_only_a_lead_puts_a_rule_live(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia") as web:
        await put_in_shadow(web)
        assert "Put it live" not in await web.page("/rules/warmish")
        assert (await web.script("/rules/warmish/promote")).status == 403


async def test_rules_that_want_a_second_look_are_named_with_the_reason(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        page = await web.page("/review")
        assert "never fired in this time" in page
        told = await (await web.api("GET", "/api/review?since=7d")).json()
        assert {rule["rule"] for rule in told["items"]} == {
            rule.id for rule in web.town.committer.detector.ruleset.rules
        }
        answer = await web.api("GET", "/api/review?since=soon")
        assert (answer.status, (await answer.json())["field"]) == (422, "since")
