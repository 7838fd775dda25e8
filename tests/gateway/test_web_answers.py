"""Messages that join no case, suggested answers and the customer's steps, over real HTTP."""

from pathlib import Path
from typing import Any

from gateway.commands import CustomerWrote
from gateway.store import schema
from gateway.store.readings import unjoined
from gateway.store.self_help import tried_steps
from tests.gateway.web_fleet import link
from tests.gateway.web_visit import Visit, visit


def wrote(web: Visit, text: str = "<b>It is the cellar one</b>", number: int = 1) -> int:
    """Somebody writes from a number that nobody has; return the message's id."""
    web.town.do(CustomerWrote("twilio", f"stranger-{number}", "sms", "+4915100000000", text))
    return int(web.town.rows(unjoined)[-1]["inbound_id"])


async def test_a_strangers_message_is_listed_as_text_and_joined_to_a_case(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        number = wrote(web)
        page = await web.page("/unjoined")
        assert "&lt;b&gt;It is the cellar one&lt;/b&gt;" in page
        assert "sender not proven" in page
        case = web.town.case_of("f-lumen", "freezer-cools-poorly")
        answer = await web.post(f"/unjoined/{number}/join", {"case_id": f"#{case['id']}"})
        assert (answer.status, answer.headers["Location"]) == (303, f"/cases/{case['id']}")
        assert "joined by Mia" in await web.page(f"/cases/{case['id']}")
        assert "Every message has found its case" in await web.page("/unjoined")


async def test_a_number_that_is_no_case_is_refused_beside_the_field(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        number = wrote(web)
        for given in ("", "x", "1e3", "9" * 30):
            answer = await web.script(f"/unjoined/{number}/join", {"case_id": given})
            assert answer.status == 422, given
        assert (await web.script(f"/unjoined/{number}/join", {"case_id": "999999"})).status == 409


async def test_the_api_pages_through_what_waits_and_discards(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        for number in range(52):
            wrote(web, f"number {number}", number)
        first: dict[str, Any] = await (await web.api("GET", "/api/unjoined", "viewer")).json()
        rest = await (await web.api("GET", f"/api/unjoined?cursor={first['next']}", "viewer")).json()
        assert (len(first["items"]), len(rest["items"]), rest["next"]) == (50, 2, None)
        number = first["items"][0]["id"]
        assert (await web.api("POST", f"/api/unjoined/{number}/discard", "viewer")).status == 403
        assert (await web.api("POST", f"/api/unjoined/{number}/discard", "agent")).status == 200
        assert web.town.rows(schema.inbound, id=number)[0]["text"] == ""


async def test_the_customer_ticks_a_step_and_the_agent_is_offered_the_next(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-lumen", "freezer-cools-poorly")
        before = await (await web.api("GET", f"/api/cases/{case['id']}/suggestion", "viewer")).json()
        page = link(web.town, "f-lumen", "freezer-cools-poorly")
        answer = await web.post(f"{page}/tried", {"step": "0"}, csrf=False)
        assert answer.headers["Location"] == f"{page}?said=tried_thanks"
        after = await (await web.api("GET", f"/api/cases/{case['id']}/suggestion", "viewer")).json()

        assert (before["step"], after["step"]) == (1, 2)
        assert after["source"]["article"] == "freezer-cools-poorly"
        assert list(after["values"]) == ["compressor_current"]
        assert [row["step"] for row in web.town.rows(tried_steps)] == [0]
        shown = await web.page(page)
        assert 'class="tried"' in shown
        assert after["text"] in shown


async def test_a_step_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        page = link(web.town, "f-lumen", "freezer-cools-poorly")
        for step in ("99", "-1", "٣"):
            assert (await web.post(f"{page}/tried", {"step": step}, csrf=False)).status == 303
        assert web.town.rows(tried_steps) == []


async def test_without_a_translator_there_is_no_preview(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-lumen", "freezer-cools-poorly")
        assert (await web.script(f"/cases/{case['id']}/translate", {"text": "Hello"})).status == 404
        assert "data-translate" not in await web.page(f"/cases/{case['id']}")
