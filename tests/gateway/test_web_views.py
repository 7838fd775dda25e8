"""The queue for a team: filters and saved views, many cases at once, who else is on a case."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.commands import Reply
from gateway.store import schema
from gateway.store.verdicts import verdicts
from gateway.web.presence import GONE_AFTER, Here, Presence
from tests.gateway.web_visit import Visit, log_in, visit

T0 = datetime(2026, 3, 2, tzinfo=UTC)


def shown(page: str) -> set[int]:
    rows = page.split('class="case-row')[1:]
    return {int(row.split('data-id="')[1].split('"')[0]) for row in rows}


async def test_filters_stand_in_the_address(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        souza = web.town.case_of("f-souza", "freezer-compressor-stopped")["id"]
        assert souza in shown(await web.page("/?view=open&owner=me"))
        assert souza not in shown(await web.page("/?view=open&owner=nobody"))
        assert shown(await web.page("/?view=open&rule=freezer-compressor-stopped")) == {souza}
        site = web.town.rows(schema.devices, id="f-souza")[0]["site"]
        assert souza in shown(await web.page(f"/?view=open&site={site}"))
        assert "Nothing matches" in await web.page("/?view=open&site=nowhere")


async def test_a_view_is_kept_shown_and_forgotten(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        view = {"name": "My freezers", "view": "open", "q": "freezer", "team": "Berlin", "page": "7"}
        answer = await web.script("/views", view)
        number = (await answer.json())["id"]
        page = await web.page("/")
        assert "My freezers" in page
        assert 'href="/?q=freezer&amp;team=Berlin&amp;view=open"' in page
        chosen = await web.page("/?view=open&team=Berlin&q=freezer")
        assert 'href="/?q=freezer&amp;team=Berlin&amp;view=open" aria-current="true"' in chosen
        ben = log_in(web.town, web.client, "Ben")
        assert "My freezers" not in await web.page("/")
        other = Visit(web.town, web.client, ben)
        assert (await other.script(f"/views/{number}/drop")).status == 409
        assert (await other.script("/views", {"name": "Ours", "shared": "1"})).status == 422


async def test_a_leads_view_is_everybodys(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        await web.script("/views", {"name": "Critical", "severity": "critical", "shared": "1"})
        log_in(web.town, web.client, "Vera")
        page = await web.page("/")
        assert "Critical" in page
        assert "everybody's" in page or "everybody&#39;s" in page


async def test_many_cases_are_handed_over_rest_or_are_judged_at_once(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        ids = [row["id"] for row in web.town.rows(schema.cases, state="open")][:2]
        chosen = ",".join(map(str, ids))
        await web.script("/bulk", {"action": "assign", "ids": chosen, "assignee": "Ben"})
        until = (web.town.now + timedelta(hours=4)).isoformat()
        await web.script("/bulk", {"action": "snooze", "ids": chosen, "until": until})
        await web.script("/bulk", {"action": "verdict", "ids": f"{chosen},999", "verdict": "false_alarm"})
        rows = [web.town.rows(schema.cases, id=number)[0] for number in ids]
        assert {row["assignee"] for row in rows} == {"Ben"}
        assert all(row["snoozed_until"] is not None for row in rows)
        assert len(web.town.rows(verdicts, verdict="false_alarm")) == 2
        assert shown(await web.page("/?view=resting")) == set(ids)
        assert (await web.script("/bulk", {"action": "explode", "ids": chosen})).status == 422


async def test_two_people_never_answer_the_same_question(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-souza", "freezer-compressor-stopped")["id"]
        page = await web.page(f"/cases/{case}")
        seen = page.split('name="seen" form="reply-form" value="')[1].split('"')[0]
        web.town.do(Reply(case, "A technician comes at five.", "Ben"))
        answer = await web.script(f"/cases/{case}/reply", {"text": "At six?", "seen": seen})
        assert answer.status == 409
        assert "has answered since you read this" in (await answer.json())["detail"]
        again = (await web.page(f"/cases/{case}")).split('name="seen" form="reply-form" value="')[1].split('"')[0]
        assert (await web.script(f"/cases/{case}/reply", {"text": "See above.", "seen": again})).status == 200


async def test_who_else_reads_or_writes_is_told(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-souza")["id"]
        assert (await (await web.script(f"/cases/{case}/here", {"writing": "1"})).json())["others"] == []
        ben = Visit(web.town, web.client, log_in(web.town, web.client, "Ben"))
        told = await (await ben.script(f"/cases/{case}/here")).json()
        assert told["others"] == [{"name": "Mia", "writing": True}]
        await ben.script(f"/cases/{case}/here", {"gone": "1"})


def test_somebody_who_says_nothing_more_has_gone() -> None:
    now = [T0]
    presence = Presence(lambda: now[0])
    presence.here(7, "Mia", writing=False)
    now[0] += GONE_AFTER
    assert presence.on(7) == [Here("Mia", writing=False)]
    now[0] += timedelta(seconds=1)
    assert presence.on(7) == []
    presence.here(8, "Ben", writing=True)
    presence.leave(8, "Ben")
    assert presence.on(8) == []
