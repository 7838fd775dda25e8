"""The customer's page beyond words: what happens next, calls, dates, silence, verdict, rating; by forms alone."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import ClientResponse

from gateway.commands import Acknowledge, Resolve
from gateway.commands.desk import HoldSlot, OfferSlots
from gateway.commands.people import TransferDevice
from gateway.commands.staff import SaveTeam
from gateway.store import schema
from gateway.store.desk import bookings, survey_answers, tasks
from gateway.store.verdicts import verdicts
from tests.gateway.web_fleet import NOW, link
from tests.gateway.web_visit import Visit, visit

HOUR = timedelta(hours=1)


async def send(web: Visit, path: str, **fields: str) -> ClientResponse:
    return await web.post(path, fields, csrf=False)


async def test_the_page_says_what_is_known_and_what_happens_next(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-lumen", "freezer-cools-poorly")
        text = await web.page(page)
        assert "Wie es weitergeht" in text
        assert "Begonnen" in text
        web.town.do(Acknowledge(web.town.case_of("f-lumen", "freezer-cools-poorly")["id"], "Mia"))
        assert "Nordkälte kümmert sich darum." in await web.page(page)


async def test_a_case_that_was_closed_on_a_device_nobody_hears_is_not_called_well(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-brown")
        web.town.do(Resolve(web.town.case_of("f-brown")["id"], "Mia"))
        text = await web.page(page)
        assert "It seems to be over, but we cannot see it since 12:05." in text
        assert "all is well" not in text


async def test_a_call_is_asked_for_in_the_customers_own_hours(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-souza", "freezer-compressor-stopped")
        times = re.findall(r'<option value="([^"]*)">', await web.page(page))
        begins = next(value for value in times if "/" in value)
        assert begins.split("/")[0].endswith("-03:00")
        await send(web, f"{page}/call", when=begins, about="Barulho")
        row = web.town.rows(tasks)[0]
        assert (row["about"], row["wanted_from"] > NOW) == ("Barulho", True)
        assert "Vamos ligar para você" in await web.page(page)
        wrong = await send(web, f"{page}/call", when="", number="12")
        assert wrong.headers["Location"] == f"{page}?said=address_wrong#call"
        last = next(value for value in reversed(times) if "/" in value).split("/")
        for when in ("tomorrow/later", "/".join(reversed(last)), "0001-01-01T00:00:00+14:00/0001-01-01T01:00:00+14:00"):
            refused = await send(web, f"{page}/call", when=when)
            assert refused.headers["Location"] == f"{page}?said=date_past#call"
        assert len(web.town.rows(tasks)) == 1


async def test_a_date_is_chosen_held_confirmed_and_put_into_a_calendar(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-brown")
        web.town.do(OfferSlots("Berlin", [("s1", NOW + HOUR, NOW + 2 * HOUR), ("s2", NOW + 3 * HOUR, NOW + 4 * HOUR)]))
        assert 'value="s1"' in await web.page(page)
        await send(web, f"{page}/date", slot="s1")
        text = await web.page(page)
        assert "Held for you until 13:25" in text
        booking = re.search(r'name="booking" value="(\d+)"', text)
        assert booking is not None
        await send(web, f"{page}/date", booking=booking[1])
        assert "Your date:" in await web.page(page)
        calendar = await (await web.get(f"{page}/date.ics")).text()
        assert "DTSTART:20260302T142000Z" in calendar
        await send(web, f"{page}/date", cancel=booking[1])
        assert web.town.rows(bookings)[0]["state"] == "cancelled"
        assert (await web.get(f"{page}/date.ics")).status == 404


async def test_dates_are_those_of_the_team_that_would_come_else_they_say_whose_they_are(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-brown")
        for team in ("Berlin", "Leeds"):
            web.town.do(OfferSlots(team, [(team, NOW + HOUR, NOW + 2 * HOUR)]))
        text = await web.page(page)
        assert "· Berlin" in text
        assert "· Leeds" in text
        web.town.do(SaveTeam("Office", 1, "Mia"))
        assert "· Berlin" in await web.page(page), "nobody of whom dates are known would come"
        web.town.do(SaveTeam("Leeds", 0, "Mia", regions=("GB",)))
        text = await web.page(page)
        assert 'value="Leeds"' in text
        assert "Berlin" not in text


async def test_a_date_that_was_just_taken_is_said_to_be(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-brown")
        web.town.do(OfferSlots("Berlin", [("s1", NOW + HOUR, NOW + 2 * HOUR)]))
        web.town.do(HoldSlot("s1", "c-lumen", None))
        late = await send(web, f"{page}/date", slot="s1")
        assert "This date has just been taken." in await web.page(late.headers["Location"].partition("#")[0])


async def test_without_a_feed_a_wish_becomes_a_task(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-brown")
        await send(web, f"{page}/wish", day="2026-03-10")
        assert web.town.rows(tasks)[0]["kind"] == "date"
        assert "You asked for 10 Mar 2026" in await web.page(page)
        for day in ("2026-03-01", "2026-03-02", "0001-01-01", "9999-12-31"):
            refused = await send(web, f"{page}/wish", day=day)
            assert refused.headers["Location"] == f"{page}?said=date_past#date"
        assert len(web.town.rows(tasks)) == 1


@pytest.mark.parametrize(("form", "rule"), [({"until": "2026-03-05"}, None), ({"known": "1"}, "freezer-silent")])
async def test_silence_is_in_their_name_and_ends_when_they_say_so(
    tmp_path: Path, form: dict[str, str], rule: str | None
) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-brown")
        await send(web, f"{page}/mute", **form)
        silence = web.town.rows(schema.silences)[-1]
        assert silence["author"] == "Grace Brown"
        assert (silence["rule"] is None) == (rule is None)
        assert "We write to you about it again from" in await web.page(page)
        await send(web, f"{page}/mute", end="1")
        assert web.town.rows(schema.silences)[-1]["ended_by"] == "Grace Brown"
        assert "again from" not in await web.page(page)


@pytest.mark.parametrize("until", ["", "yesterday", "2026-03-02", "2027-03-02", "0001-01-01", "9999-12-31"])
async def test_nobody_is_silent_for_ever_or_in_the_past(tmp_path: Path, until: str) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-brown")
        answer = await send(web, f"{page}/mute", until=until)
        assert "said=date_past" in answer.headers["Location"]
        assert web.town.rows(schema.silences) == []


async def test_this_was_wrong_is_a_verdict_that_can_be_taken_back(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-brown")
        await send(web, f"{page}/wrong")
        assert web.town.rows(verdicts)[0]["verdict"] == "false_alarm"
        assert web.town.rows(schema.timeline, kind="verdict")[0]["body"]["name"] == "Grace Brown"
        assert "a false alarm" in await web.page(page)
        await send(web, f"{page}/wrong", undo="1")
        assert web.town.rows(verdicts) == []


async def test_help_is_rated_once_it_is_over_and_an_open_answer_counts_as_other(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-brown")
        assert "How was our help?" not in await web.page(page)
        web.town.do(Resolve(web.town.case_of("f-brown")["id"], "Mia"))
        text = await web.page(page)
        assert "very hard" in text
        await send(
            web, f"{page}/rate", satisfaction="4", effort="9", helped="", helped_other="My son", better="Call me."
        )
        row = web.town.rows(survey_answers)[0]
        assert (row["satisfaction"], row["effort"], row["helped"], row["helped_other"]) == (4, None, "other", "My son")
        assert "Thank you for telling us." in await web.page(page)


async def test_a_page_without_a_case_offers_a_call_and_no_deed_on_a_case(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = f"/p/{web.town.deps.links.token('c-brown')}"
        text = await web.page(page)
        assert "Ask for a call" in text
        assert "I know about it" not in text
        for path in ("mute", "wrong", "rate"):
            assert (await send(web, f"{page}/{path}", known="1")).status == 404
        await send(web, f"{page}/mute", until="2026-03-20")
        assert "We write to you about it again from" in await web.page(page)
        silence = web.town.rows(schema.silences)[-1]
        assert (silence["device_id"], silence["customer_id"], silence["whose"]) == (None, "c-brown", "owner")
        await send(web, f"{page}/mute", end="1")
        assert "again from" not in await web.page(page)


async def test_staff_see_calls_and_dates_and_write_what_came_of_them(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        page = link(web.town, "f-brown")
        await send(web, f"{page}/call", when="", about="The noise")
        text = await web.page("/tasks")
        assert "The noise" in text
        assert "+447400123456" in text
        await web.post("/tasks/1/settle", {"state": "done", "outcome": "Fan cleaned."})
        assert web.town.rows(tasks)[0]["outcome"] == "Fan cleaned."
        assert "We called you." in await web.page(page)
        listed = await (await web.api("GET", "/api/tasks", role="viewer")).json()
        assert listed["items"][0]["state"] == "done"
        assert (await web.api("POST", "/api/tasks/1/settle", role="agent", json={"state": "lost"})).status == 422


async def test_the_page_can_be_put_on_a_home_screen(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-yusuf")
        manifest = await (await web.get(f"{page}/app.webmanifest")).json(content_type=None)
        start = manifest["start_url"]
        assert (start, manifest["scope"], manifest["dir"]) == (page.replace("/p/", "/p/all~"), "/p/", "rtl")
        icons = [await web.get(icon["src"]) for icon in manifest["icons"]]
        assert {(icon.status, icon.content_type) for icon in icons} == {(200, "image/png"), (200, "image/svg+xml")}
        worker = await web.get("/sw.js")
        assert worker.content_type == "text/javascript"
        policy = worker.headers["Content-Security-Policy"]
        assert "لا يوجد اتصال" in await web.page("/offline/ar")
        assert "worker-src 'self'" in policy
        assert "manifest-src 'self'" in policy


async def test_what_is_on_the_home_screen_outlives_the_case_and_the_product(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-brown")
        start = (await (await web.get(f"{page}/app.webmanifest")).json(content_type=None))["start_url"]
        assert "I know about it" not in await web.page(start)
        web.town.do(TransferDevice("f-brown", "c-lumen", by="Mia"))
        gone = await web.get(page)
        assert gone.status == 410
        assert "Send me a new link" in await gone.text()
        for _ in range(2):
            assert "on its way" in await (await send(web, f"{page}/renew")).text()
        [sent] = web.town.rows(schema.notifications, template="page_link")
        assert (sent["customer_id"], sent["state"], sent["case_id"]) == ("c-brown", "queued", None)
        text = await web.page(start)
        assert "Ask for a call" in text
        assert f'action="{start}/call"' in text
        await send(web, f"{start}/call", about="Hello")
        assert web.town.rows(tasks)[-1]["case_id"] is None


async def test_push_is_for_whoever_proved_who_they_are(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        answer = await web.client.post(f"{link(web.town, 'f-brown')}/push", data="{}")
        assert answer.status == 403


async def test_an_open_page_hears_of_its_own_case_alone(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-brown")
        async with web.client.get(f"{page}/live") as stream:
            assert await stream.content.readuntil(b"\n\n") == b"retry: 5000\n\n"
            await web.town.submit(Acknowledge(web.town.case_of("f-lumen")["id"], "Mia"))
            await web.town.submit(Acknowledge(web.town.case_of("f-brown")["id"], "Mia"))
            assert await stream.content.readuntil(b"\n\n") == b"event: change\ndata: 1\n\n"
