"""The console in a real browser: by keyboard alone, live in two windows, without a word on the browser's console."""

import base64
import re
from datetime import timedelta

import pytest
from playwright.async_api import FilePayload, Locator, expect

from gateway.commands import AddNote, CustomerWrote, Resolve
from gateway.store import schema
from tests.gateway.web_fleet import NOW, link
from tests.system.desk import Opening, at_once, until

# The browser's loop.
pytestmark = pytest.mark.asyncio(loop_scope="session")

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


async def test_an_agent_works_the_queue_by_keyboard_alone(desk: Opening) -> None:
    async with desk() as at:
        page = await at.open()
        chosen = page.locator(".case-row[aria-selected=true]")
        first = await chosen.get_attribute("data-id")
        await page.keyboard.press("j")
        await expect(chosen).not_to_have_attribute("data-id", first or "")
        await page.keyboard.press("k")
        await expect(chosen).to_have_attribute("data-id", first or "")
        await expect(page.locator(f".preview [data-case='{first}']")).to_be_visible()
        await page.keyboard.press("c")
        await expect(page.locator(".toast")).to_contain_text(f"Case {first} is yours.")
        await until(at.town, schema.cases, id=int(first or 0), assignee="Mia")
        await page.keyboard.press("d")
        await expect(page.locator(".preview details.menu[open] .pop :focus")).to_be_visible()
        await page.keyboard.press("Escape")
        await page.keyboard.press("o")
        await page.wait_for_url(f"**/cases/{first}")
        await page.keyboard.press("n")
        await page.keyboard.type("Looks like the seal.")
        await page.keyboard.press("Control+Enter")
        await expect(page.locator(".speech.note")).to_contain_text("Looks like the seal.")
        await page.keyboard.press("Escape")
        await page.keyboard.press("d")
        await expect(page.locator("#resolution")).to_be_focused()
        await page.keyboard.type("Seal replaced.")
        await page.keyboard.press("Control+Enter")
        await expect(page.locator(".case-head")).to_contain_text("Resolved by Mia")
        await page.get_by_role("button", name="Undo").click()
        await expect(page.locator(".case-head")).to_contain_text("Open")
        await page.keyboard.press("u")
        await expect(page.locator("h1")).to_contain_text("Needs you")


async def test_a_message_is_read_edited_and_approved_by_keyboard(desk: Opening) -> None:
    async with desk() as at:
        waiting = at.town.rows(schema.notifications, state="awaiting_approval")
        case = at.town.case_of("h-meier")["id"]
        message = next(row["id"] for row in waiting if row["case_id"] == case)
        page = await at.open(path=f"/cases/{case}")
        await page.keyboard.press("e")
        editor = page.locator("textarea[name=text]:focus")
        await expect(editor).to_have_value(re.compile("^Ihr Gerät"))
        await page.keyboard.press("Control+End")
        await page.keyboard.type(" Wir rufen an.")
        await expect(page.locator(".diff ins").last).to_contain_text("an.")
        await page.keyboard.press("Control+Enter")
        # It can be taken back for six seconds, and is sought in vain until then.
        await expect(page.locator("[data-draft]")).to_be_hidden()
        assert at.town.rows(schema.notifications, id=message)[0]["state"] == "awaiting_approval"
        await at_once(page)
        await until(at.town, schema.notifications, id=message, state="queued", approved_by="Mia")
        assert at.town.rows(schema.notifications, id=message)[0]["text"].endswith(" Wir rufen an.")
        await expect(page.locator("[data-draft]")).to_have_count(0)


async def test_a_discarded_message_can_be_taken_back_before_it_is_gone(desk: Opening) -> None:
    async with desk() as at:
        case = at.town.case_of("h-meier")["id"]
        page = await at.open(path=f"/cases/{case}")
        await page.get_by_role("button", name="Discard").click()
        await expect(page.locator("[data-draft]")).to_be_hidden()
        await page.get_by_role("button", name="Undo").click()
        await expect(page.locator("[data-draft]")).to_be_visible()
        assert at.town.rows(schema.notifications, case_id=case)[0]["state"] == "awaiting_approval"
        # Leaving the page sends what was meant.
        await page.get_by_role("button", name="Discard").click()
        await page.goto(f"{at.base}/devices")
        await until(at.town, schema.notifications, case_id=case, state="discarded")


async def test_what_one_agent_does_the_other_sees(desk: Opening) -> None:
    async with desk() as at:
        case = at.town.case_of("f-yusuf")["id"]
        ben, mia = await at.open("Ben", f"/cases/{case}"), await at.open("Mia", f"/cases/{case}")
        await mia.keyboard.press("c")
        await expect(ben.locator(".case-head")).to_contain_text("Mia has it")
        await at.town.submit(AddNote(case, "From a third place.", "Lea"))
        await expect(ben.locator("section.thread")).to_contain_text("From a third place.")


async def test_new_rows_gather_and_nothing_jumps(desk: Opening) -> None:
    async with desk() as at:
        page = await at.open()
        rows = page.locator(".case-row")
        before = await rows.evaluate_all("rows => rows.map(row => row.dataset.id)")
        hot = {"temperature": -4.0, "mains_ok": False, "door_open": False, "defrost": False, "compressor_current": 0.0}
        for minutes in (0, 10, 20):
            when = NOW + timedelta(minutes=minutes)
            await at.town.publish("devices/f-tanaka/status", {**hot, "ts": when.timestamp()}, when)
        gathered = page.locator("[data-gathered]")
        await expect(gathered).to_contain_text("new ↑")
        assert await rows.evaluate_all("rows => rows.map(row => row.dataset.id)") == before
        await gathered.click()
        await expect(gathered).to_be_hidden()
        assert len(await rows.all()) > len(before)


async def test_a_reply_appears_without_a_reload_and_a_draft_is_kept(desk: Opening) -> None:
    async with desk() as at:
        case = at.town.case_of("f-lumen", "freezer-cools-poorly")["id"]
        page = await at.open(path=f"/cases/{case}")
        await page.keyboard.press("r")
        await page.keyboard.type("Half an answ")
        wrote = CustomerWrote("twilio", "SMx", "whatsapp", "+491512345671", "Tür ist zu!", case_id=case)
        await at.town.submit(wrote)
        await expect(page.locator(".speech.in")).to_contain_text("Tür ist zu!")
        await expect(page.locator("#reply-text")).to_have_value("Half an answ")
        await expect(page.locator("#reply-text")).to_be_focused()


async def test_what_the_gateway_refuses_is_said_beside_the_control(desk: Opening) -> None:
    async with desk() as at:
        case = at.town.case_of("f-yusuf")["id"]
        page = await at.open(path=f"/cases/{case}")
        await page.keyboard.press("m")
        form = page.locator(f"form[action='/cases/{case}/merge']")
        await form.locator("input[name=into]").fill("999")
        await page.keyboard.press("Enter")
        await expect(form.locator(".error")).to_have_text("there is no case 999")
        await expect(form.locator(".error")).to_be_visible()
        # The browser itself notes a 409 on its console; that is the one word allowed here.
        at.complaints = [text for text in at.complaints if "409" not in text]


async def test_a_page_that_is_older_than_what_a_colleague_did_says_so_and_changes_nothing(desk: Opening) -> None:
    async with desk() as at:
        case = at.town.case_of("f-yusuf")["id"]
        page = await at.open(path=f"/cases/{case}")
        await page.evaluate("() => { document.querySelector('[data-part=head]').removeAttribute('data-part'); }")
        await at.town.submit(Resolve(case, "Ben"))
        await page.keyboard.press("d")
        await page.locator(".pop[action$='/resolve']").locator("button.primary").click()
        await expect(page.locator(".toast")).to_contain_text("Ben changed this meanwhile")
        assert at.town.rows(schema.cases, id=case)[0]["resolved_by"] == "Ben"
        # The browser itself notes a 412 on its console.
        at.complaints = [text for text in at.complaints if "412" not in text]


async def test_the_palette_finds_a_case_and_a_page(desk: Opening) -> None:
    async with desk() as at:
        page = await at.open()
        await page.keyboard.press("Control+k")
        await page.keyboard.type("souza")
        await expect(page.locator("#palette-list")).to_contain_text("Ana Souza")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/cases/*")
        await page.keyboard.press("Control+k")
        await page.keyboard.type("devic")
        await expect(page.locator("#palette-list li").first).to_contain_text("Devices")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/devices")
        await page.keyboard.press("?")
        await expect(page.locator("dialog[data-keys]")).to_be_visible()


async def test_the_map_shows_things_by_shape_without_tiles(desk: Opening) -> None:
    async with desk() as at:
        page = await at.open(path="/devices")
        await expect(page.locator("#map[data-ready]")).to_be_visible()
        assert await page.locator(".dot.major").count() >= 1
        await expect(page.locator(".cluster").first).to_be_visible()


async def test_the_customers_page_works_without_javascript(desk: Opening) -> None:
    async with desk() as at:
        page = await at.open(None, link(at.town, "f-yusuf"), width=390, java_script_enabled=False)
        await page.fill("textarea", "أغلقت الباب الآن")
        await page.click(".write button")
        await expect(page.locator("article.theirs")).to_contain_text("أغلقت الباب الآن")
        await page.locator(".prefer li", has_text="عروض").get_by_role("button").click()
        await until(at.town, schema.consent_log, customer_id="c-yusuf", purpose="offer", granted=False)


async def test_every_console_page_fits_a_phone_and_names_its_controls(desk: Opening) -> None:
    async with desk() as at:
        case = at.town.case_of("f-souza")["id"]
        page = await at.open("Ada", width=390)
        for path in (
            "/",
            f"/cases/{case}",
            "/messages",
            "/devices",
            "/devices/f-souza",
            "/offers",
            "/rejected",
            "/rules",
            "/drafts/new?rule=freezer-door-open",
            "/versions",
            "/texts",
            "/texts/messages/fault_opened?language=ar",
            "/texts/articles/freezer-door-open?language=ja",
            "/admin",
            "/arrival",
            "/demo",
        ):
            if path != "/":
                await page.goto(at.base + path)
            wide = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert await page.evaluate(wide) <= 0, path
            unnamed = await page.evaluate(
                """() => [...document.querySelectorAll("button, a[href], input, select, textarea")]
                    .filter(e => e.checkVisibility())
                    .filter(e => !(e.innerText || e.ariaLabel || e.title || e.labels?.length || e.value))
                    .map(e => e.outerHTML.slice(0, 120))"""
            )
            assert unnamed == [], path


async def test_what_a_device_says_stands_on_its_open_pages_at_once(desk: Opening) -> None:
    async with desk() as at:
        of_case = await at.open(path=f"/cases/{at.town.case_of('f-yusuf')['id']}")
        of_device = await at.open(path="/devices/f-yusuf")
        await at.town.publish("devices/f-yusuf/status", {"temperature": -3.7})
        for page in (of_case, of_device):
            await expect(page.locator("dl.twin")).to_contain_text("3.7", timeout=15_000)


async def test_two_leads_on_one_draft_see_each_other_and_lose_nothing(desk: Opening) -> None:
    async with desk() as at:
        lea = await at.open("Lea", "/drafts/new?rule=freezer-door-open")
        text = await lea.locator("#text").input_value()
        await lea.fill("#text", text + "# from Lea\n")
        await expect(lea.locator("[data-saved]")).to_contain_text("Saved by you")
        ada = await at.open("Ada", lea.url.removeprefix(at.base))
        await lea.fill("#text", text + "# Lea once more\n")
        await expect(ada.locator("#text")).to_have_value(text + "# Lea once more\n")
        await expect(ada.locator("[data-saved]")).to_contain_text("Saved by Lea")
        # Both write: whoever saves second is asked.
        await ada.fill("#text", text + "# Ada too\n")
        await lea.fill("#text", text + "# Lea at the same time\n")
        who = ada if await _comes(ada.locator("[data-conflict]")) else lea
        await expect(who.locator("[data-conflict]")).to_be_visible()
        mine = await who.locator("#text").input_value()
        await who.locator("[data-mine]").click()
        await expect(who.locator("[data-saved]")).to_contain_text("Saved by you")
        other = lea if who is ada else ada
        await expect(other.locator("#text")).to_have_value(mine)
        # The browser itself notes a 409 on its console.
        at.complaints = [text for text in at.complaints if "409" not in text]


async def test_without_a_connection_it_is_said_and_what_was_missed_is_caught_up(desk: Opening) -> None:
    async with desk() as at:
        case = at.town.case_of("f-yusuf")["id"]
        page = await at.open("Mia", f"/cases/{case}")
        await page.evaluate("() => { window.here = true; }")
        await page.context.set_offline(True)
        await expect(page.locator("[data-offline]")).to_be_visible(timeout=15_000)
        await at.town.submit(AddNote(case, "Said while nobody could hear.", "Ben"))
        await page.context.set_offline(False)
        await expect(page.locator("[data-offline]")).to_be_hidden(timeout=15_000)
        await expect(page.locator("section.thread")).to_contain_text("Said while nobody could hear.")
        assert await page.evaluate("() => window.here"), "the page was not loaded anew"
        # The browser itself notes what failed meanwhile.
        at.complaints = [text for text in at.complaints if "ERR_" not in text]


async def _comes(locator: Locator) -> bool:
    try:
        await expect(locator).to_be_visible(timeout=4_000)
    except AssertionError:
        return False
    return True


async def test_a_picture_goes_with_an_answer_and_is_seen_by_both_sides(desk: Opening) -> None:
    photo = FilePayload(name="lid.png", mimeType="image/png", buffer=PIXEL)
    disguised = FilePayload(name="lid.html", mimeType="image/png", buffer=b"<p>")
    async with desk() as at:
        case = at.town.case_of("f-souza", "freezer-compressor-stopped")["id"]
        page = await at.open(path=f"/cases/{case}")
        await page.locator("#reply-text").fill("Is it this part?")
        await page.locator("#reply-form [data-attach]").set_input_files(disguised)
        await page.locator("#reply-form .primary").click()
        await expect(page.locator("#reply-form .error")).to_contain_text("lid.html is no picture or PDF")
        await page.locator("#reply-form [data-attach]").set_input_files(photo)
        await expect(page.locator("#reply-form [data-chosen]")).to_contain_text("lid.png")
        await page.locator("#reply-form .primary").click()
        shown = page.locator(".speech.out .attached img")
        await expect(shown).to_be_visible()
        assert await shown.evaluate("async (one) => (await one.decode(), one.naturalWidth)") == 1
        await expect(page.locator("#reply-form [data-chosen]")).to_be_hidden()
        theirs = await at.open(None, link(at.town, "f-souza", "freezer-compressor-stopped"))
        await theirs.locator("#file").set_input_files(photo)
        await theirs.locator(".write button").click()
        await expect(theirs.locator("article.theirs .attached img")).to_be_visible()
        await expect(page.locator(".speech.in .attached img")).to_be_visible()
        # What was refused is no fault of the page's.
        at.complaints[:] = [said for said in at.complaints if "422" not in said]
