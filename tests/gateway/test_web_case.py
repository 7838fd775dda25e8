"""The case: its sentence, its thread, and what an agent does there."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_models.profile import DeviceProfile
from gateway.commands import AskForCall, Resolve, Upsert
from gateway.store import schema
from gateway.web.message_text import without_links, words_to_edit
from gateway.web.upkeep import upkeep_of
from gateway.web.wording import number_text, short_span, span_text, staff_sentence, value_text
from tests.gateway.web_fleet import NOW
from tests.gateway.web_visit import visit


async def test_the_sentence_says_what_is_true_now(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-souza", "freezer-compressor-stopped")["id"]
        text = await web.page(f"/cases/{case}")
        # The rule fired at a warmer limit passed; the sentence has the latest value, not the one it fired at.
        assert (
            "Freezer has stopped cooling: inside temperature −8.2\u00a0°C, limit −14\u00a0°C, for 1\u00a0h 50\u00a0min."
            in text
        )
        assert "Compressor current: 0.00\u00a0A" in text
        assert "Ana Souza, Portuguese, 10:20 there" in text


async def test_the_thread_joins_what_was_said_on_every_channel(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-souza", "freezer-compressor-stopped")["id"]
        text = await web.page(f"/cases/{case}")
        order = (
            "The case opened itself",
            "Deixe a porta fechada",
            "Mia took the case",
            "Start relay?",
            "Desliguei",
            "17h?",
            "ótimo",
        )
        found = [text.index(words) for words in order if words != "17h?"]
        assert found == sorted(found)
        assert 'class="chart"' in text


async def test_staff_never_see_a_link_that_opens_the_customers_page(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        for row in web.town.rows(schema.cases):
            assert "/p/1." not in await web.page(f"/cases/{row['id']}")
            assert "/p/1." not in await web.page(f"/preview/{row['id']}")
        for tab in ("waiting", "moving", "ended", "undecided"):
            assert "/p/1." not in await web.page(f"/messages?tab={tab}")


async def test_what_an_agent_does_is_done_and_shown(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-yusuf")["id"]
        assert (await web.post(f"/cases/{case}/acknowledge")).headers["Location"] == f"/cases/{case}"
        assert web.town.case_of("f-yusuf")["assignee"] == "Mia"
        await web.post(f"/cases/{case}/assign", {"assignee": "Ben"})
        await web.post(f"/cases/{case}/note", {"text": "Drawer stuck?"})
        await web.post(f"/cases/{case}/resolve", {"resolution": "Drawer pushed in.", "_form": "1"})
        row = web.town.case_of("f-yusuf")
        assert (row["state"], row["resolved_by"], row["resolution"]) == ("resolved", "Mia", "Drawer pushed in.")
        text = await web.page(f"/cases/{case}")
        for words in (
            "Mia took the case",
            "Mia handed it to Ben",
            "Drawer stuck?",
            "Mia resolved it: Drawer pushed in.",
        ):
            assert words in text, words
        await web.post(f"/cases/{case}/reopen")
        assert web.town.case_of("f-yusuf")["state"] == "open"


async def test_what_cannot_be_done_is_refused_with_the_reason(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-yusuf")["id"]
        web.town.do(Resolve(case, "Ben"))
        page = await web.post(f"/cases/{case}/resolve")
        assert page.status == 409
        assert f"case {case} is resolved already" in await page.text()
        beside = await web.script(f"/cases/{case}/resolve")
        assert (beside.status, beside.content_type) == (409, "application/problem+json")
        assert (await beside.json())["detail"] == f"case {case} is resolved already"


@pytest.mark.parametrize(("name", "text"), [("note", "   "), ("reply", ""), ("note", "x" * 4001)])
async def test_a_text_that_is_missing_or_too_long_is_named(tmp_path: Path, name: str, text: str) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-yusuf")["id"]
        answer = await web.script(f"/cases/{case}/{name}", {"text": text})
        assert answer.status == 422
        assert (await answer.json())["field"] == "text"


async def test_a_reply_waits_for_nobody_and_goes_where_the_customer_wrote(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-souza", "freezer-compressor-stopped")["id"]
        await web.script(f"/cases/{case}/reply", {"text": "Até já!"})
        message = web.town.rows(schema.notifications, case_id=case)[-1]
        assert (message["state"], message["channel"], message["text"]) == ("queued", "whatsapp", "Até já!")


async def test_an_approval_without_a_change_keeps_the_templates_words(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        waiting = web.town.rows(schema.notifications, state="awaiting_approval")
        first, second, third = (row["id"] for row in waiting[:3])
        await web.script(f"/messages/{first}/approve")
        await web.script(f"/messages/{second}/approve", {"text": "As it\r\nstood.", "original": "As it\nstood."})
        await web.script(f"/messages/{third}/approve", {"text": "In my words.", "original": "As it stood."})
        texts = {
            row["id"]: (row["state"], row["text"], row["approved_by"]) for row in web.town.rows(schema.notifications)
        }
        assert texts[first] == ("queued", None, "Mia")
        assert texts[second] == ("queued", None, "Mia")
        assert texts[third] == ("queued", "In my words.", "Mia")


async def test_the_editor_offers_the_words_without_what_is_put_around_them(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-lumen", "freezer-cools-poorly")["id"]
        text = await web.page(f"/cases/{case}")
        begin = text.index('<textarea id="edit-')
        editor = text[begin : text.index("</textarea>", begin)]
        assert "läuft und wird nicht kalt" in editor
        assert "[link to their page]" not in editor
        assert "STOPP" not in editor


async def test_one_switch_holds_everything_and_only_a_lead_lets_go(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia") as web:
        await web.script("/hold")
        assert "on hold" in await web.page("/")
        assert (await web.script("/release")).status == 403
    async with visit(tmp_path / "lead", "Lea") as web:
        await web.script("/hold")
        waiting = web.town.rows(schema.notifications, state="awaiting_approval")[0]["id"]
        await web.script(f"/messages/{waiting}/approve")
        assert "Release 1" in await web.page("/messages")
        answer = await web.script("/release", {"discard": "1"})
        assert (await answer.json()) == {"ok": True, "messages": 1}
        assert web.town.rows(schema.notifications, id=waiting)[0]["state"] == "discarded"


async def test_the_chart_of_another_range_comes_alone(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-souza", "freezer-compressor-stopped")["id"]
        day = await web.page(f"/cases/{case}/chart?range=24h")
        assert day.lstrip().startswith("<div")
        assert "limit" in day
        assert (await web.get("/cases/424242/chart")).status == 404


async def test_a_persons_phone_is_on_no_map(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        shown = await (await web.get("/devices/map.json")).json()
        ids = {device["id"] for device in shown["devices"]}
        assert "f-lumen" in ids
        assert "p-yusuf" not in ids
        assert shown["unplaced"] == 1
        page = await web.page("/devices/p-yusuf")
        assert "where it is is not shown" in page
        assert "data-lat" not in page


async def test_a_device_page_says_why_and_why_not(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        text = await web.page("/customers/c-souza")
        assert "Garage freezer" in text
        assert "ana@souza" not in text
        text = await web.page("/devices/f-souza")
        assert "Fires: it has held for" in text
        assert "Does not hold." in text
        assert "more rules are for other kinds of devices" in text


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=4000)))
def test_a_span_is_one_or_two_units_and_never_empty(span: timedelta) -> None:
    assert span_text(span)[0].isdigit()
    assert len(span_text(span).split(" ")) <= 2
    assert len(short_span(span)) <= 5


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12), st.integers(0, 4))
def test_a_number_reads_back(value: float, decimals: int) -> None:
    text = number_text(value, decimals).replace("−", "-").replace("\u202f", "")
    assert float(text) == pytest.approx(value, abs=10**-decimals)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (-8.3, "°C", "−8.3\u00a0°C"),
        (61, "%", "61%"),
        (True, "", "yes"),
        ("defrost", "", "defrost"),
        (1234.5, "W", "1\u202f234.5\u00a0W"),
    ],
)
def test_values_read_as_people_write_them(value: object, unit: str, text: str) -> None:
    assert value_text(value, unit) == text


KEYS = ("title", "values", "units", "field", "limit", "since", "code", "due_at", "last_heard_at")
ANYTHING = (
    st.none() | st.text(max_size=20) | st.integers() | st.dictionaries(st.text(max_size=8), st.floats(), max_size=3)
)


@given(st.dictionaries(st.sampled_from(KEYS), ANYTHING))
def test_any_explanation_gives_a_sentence(explanation: dict[str, object]) -> None:
    sentence = staff_sentence(explanation, "some-rule", None, datetime(2026, 3, 2, tzinfo=UTC))
    assert sentence.endswith(".")


def test_links_are_masked_and_the_words_before_them_are_what_one_edits() -> None:
    sent = "Acme: Too warm. Close the door. https://help.example/p/1.abc.def-_9 STOP ends this."
    assert without_links(sent) == "Acme: Too warm. Close the door. [link to their page] STOP ends this."
    assert words_to_edit(sent, "Acme") == "Too warm. Close the door."
    chat = "Too warm.\n\nClose the door.\n\nSee more: https://help.example/p/1.abc.def\n\nAcme"
    assert words_to_edit(chat, "Acme") == "Too warm.\n\nClose the door."
    assert words_to_edit("No link at all.", "Acme") == "No link at all."


async def test_what_resolving_tells_the_customer_waits_until_it_cannot_be_undone(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-souza", "freezer-compressor-stopped")
        path, number = f"/cases/{case['id']}", str(case["id"])
        await web.script("/bulk", {"action": "resolve", "ids": number, "tell_customer": "1"})
        [notice] = web.town.rows(schema.notifications, template="fault_resolved", case_id=case["id"])
        assert notice["not_before"] is not None
        assert (await web.script(f"{path}/unresolve")).status == 200
        [notice] = web.town.rows(schema.notifications, template="fault_resolved", case_id=case["id"])
        again = web.town.case_of("f-souza", "freezer-compressor-stopped")
        assert (notice["state"], again["state"], again["assignee"]) == ("cancelled", "open", case["assignee"])
        assert f'data-undo="{path}/unresolve"' in await web.page(path)
        assert "Mia took the resolving back" in await web.page(path)


async def test_a_case_shows_whose_it_is_what_is_to_come_and_what_else_the_rule_saw(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        brown = next(row for row in web.town.rows(schema.cases) if row["customer_id"] == "c-brown")
        web.town.do(AskForCall("c-brown", brown["id"], "It hums.", NOW + timedelta(hours=2)))
        text = await web.page(f"/cases/{brown['id']}")
        assert "Next: call, " in text
        assert 'href="/customers/c-brown"' in text
        assert "Their other products" in text
        souza = await web.page(f"/cases/{web.town.case_of('f-souza', 'freezer-compressor-stopped')['id']}")
        assert '<h3 class="hint">Compressor current</h3>' in souza
        assert "Inside temperature is −8.2\N{NO-BREAK SPACE}°C now." in souza


def test_a_plan_says_when_it_is_due_and_how_much_of_it_is_used() -> None:
    profile = DeviceProfile.model_validate(
        {
            "name": "pump",
            "title": {"en": "Pump"},
            "fields": {"running_hours": {"title": {"en": "Running hours"}, "unit": "h"}},
            "maintenance": {"check": {"title": {"en": "Check"}, "every": "30d", "every_hours": 4000}},
        }
    )
    memory = {"since": "2026-02-01T00:00:00Z", "counters": {"running_hours": 8000.0}}
    usage = {"usage": {"running_hours": [["2026-02-28T00:00:00Z", 9200.0]]}}
    rule = {"kind": "maintenance", "plans": {"check": {**memory, **usage}, "gone": {}}}
    [early] = upkeep_of([rule], profile, datetime(2026, 3, 2, tzinfo=UTC))
    assert early.text.replace("\N{NARROW NO-BREAK SPACE}", ",") == "due 3 Mar 2026 · 1,200 of 4,000 h"
    assert not early.overdue
    [late] = upkeep_of([rule], profile, datetime(2026, 3, 3, tzinfo=UTC))
    assert late.overdue
    assert late.text.startswith("overdue since 3 Mar 2026")
    [unheard] = upkeep_of(
        [{"kind": "maintenance", "plans": {"check": {"since": "2026-03-01T00:00:00Z"}}}], profile, NOW
    )
    assert "of" not in unheard.text


async def test_a_warranty_that_ended_is_said_in_the_case(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-souza", "freezer-compressor-stopped")["id"]
        for day, words in (("2026-03-02", "Warranty until 2 Mar 2026"), ("2026-03-01", "Warranty ended 1 Mar 2026")):
            record = {"id": "f-souza", "profile": "freezer", "customer_id": "c-souza", "warranty_until": day}
            told = await web.api("POST", "/api/import/devices", json={"records": [record]})
            assert told.status == 200, await told.text()
            assert words in await web.page(f"/cases/{case}")


async def test_a_consent_is_shown_with_where_and_when_it_was_given(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        given = {"consents": ["offer", "news"], "origins": {"news": {"source": "app", "at": "2026-01-12T09:30:00Z"}}}
        web.town.do(Upsert("customers", ({"id": "c-lumen", "name": "Café Lumen", **given},), by="test"))
        text = await web.page("/customers/c-lumen")
        assert '<span class="hint">(app, 2026-01-12)</span>' in text
