"""Pages in a real browser: a checker (axe-core) finds nothing, and the customer's page works by keyboard, at 320 px."""

from collections.abc import Mapping
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from gateway.commands import Resolve, Upsert
from gateway.commands.desk import OfferSlots
from gateway.commands.enrolment import MakeClaimCodes, SendCheck
from gateway.commands.texts import SaveTextDraft
from gateway.store import schema
from gateway.store.desk import bookings, survey_answers, tasks
from gateway.store.self_help import tried_steps
from tests.gateway.test_web_inbox import NOTIFIERS, tell
from tests.gateway.web_fleet import NOW, Town, link
from tests.system.desk import Opening, until

# The browser's loop.
pytestmark = pytest.mark.asyncio(loop_scope="session")

RULES: Mapping[str, Any] = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
}
COLOURS: Mapping[str, Any] = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""The rules whose finding a colour may change."""


async def findings(page: Page, rules: Mapping[str, Any] = RULES) -> list[str]:
    """What the checker finds on a page, each with the elements it is about."""
    await page.evaluate(Axe().axe_script)
    found = await page.evaluate(
        "async (options) => (await axe.run(document, options)).violations",
        # To preload would fetch what style sheets import from beside the page, not from beside the sheet: not found.
        {**rules, "resultTypes": ["violations"], "preload": False},
    )
    return [
        f"{page.url[-24:]}: {one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes']]}"
        for one in found
    ]


async def findings_in_both_schemes(page: Page) -> list[str]:
    """What it finds in light and, of the same page, in dark."""
    await page.emulate_media(color_scheme="light")
    light = await findings(page)
    await page.emulate_media(color_scheme="dark")
    return light + [f"dark: {found}" for found in await findings(page, COLOURS)]


def customer_pages(town: Town) -> list[str]:
    """The addresses of a customer's pages in every state worth looking at."""
    town.do(Upsert("devices", ({"id": "n-1", "profile": "freezer"},), by="test"))
    claim = town.do(MakeClaimCodes(["n-1"], by="test"))[0]["code"]
    town.do(OfferSlots("Berlin", [("s1", NOW.replace(hour=15), NOW.replace(hour=16))]))
    check = town.do(SendCheck("c-brown", "email"))["token"]
    pages = [link(town, device) for device in ("f-brown", "f-yusuf", "f-lumen", "f-meier", "f-souza")]
    own = pages[0]
    return [
        *pages,
        f"{own}/settings",
        f"{pages[1]}/settings",
        f"{own}/check/{check}",
        f"{own}/stop",
        f"/claim/{claim}",
        "/p/x",
    ]


async def test_a_checker_finds_nothing_on_the_customers_pages(desk: Opening) -> None:
    async with desk() as at:
        # Where motion is reduced no colour is on its way from light to dark when it is looked at.
        page = await at.open(None, width=390, reduced_motion="reduce", bypass_csp=True)
        found = []
        for path in customer_pages(at.town):
            await page.goto(at.base + path)
            await page.evaluate("document.querySelectorAll('details').forEach((closed) => (closed.open = true))")
            found += await findings_in_both_schemes(page)
        assert found == []
        # The browser itself notes that the last page is not found.
        at.complaints = [text for text in at.complaints if "404" not in text]


async def test_a_checker_finds_nothing_on_the_consoles_pages(desk: Opening) -> None:
    async with desk() as at:
        # The checker writes inline styles, of which the browser would complain, some after the test is over.
        page = await at.open(None, "/login", reduced_motion="reduce", bypass_csp=True)
        found = await findings_in_both_schemes(page)
        page = await at.open("Ada", "/", reduced_motion="reduce", bypass_csp=True)
        found += await findings_in_both_schemes(page)
        case = at.town.case_of("f-souza", "freezer-compressor-stopped")["id"]
        at.town.do(SaveTextDraft("article", "freezer-door-open", "de", "---\nrules: [x]\ntitle: T\n---\n\n1. A", "Lea"))
        for path in (
            f"/cases/{case}",
            "/messages",
            "/tasks",
            "/devices",
            "/devices/f-souza",
            "/customers/c-souza",
            "/silences",
            "/rota",
            "/teams",
            "/sla",
            "/rules",
            "/drafts/new?rule=freezer-door-open",
            "/suggestions",
            "/versions",
            "/texts",
            "/texts/messages/fault_opened?language=ar&channel=sms",
            "/texts/articles/freezer-door-open?language=de",
            "/admin",
        ):
            await page.goto(at.base + path)
            found += await findings_in_both_schemes(page)
        assert found == []


async def test_the_customers_page_is_walked_by_keyboard_alone(desk: Opening) -> None:
    async with desk() as at:
        at.town.do(OfferSlots("Berlin", [("s1", NOW.replace(hour=15), NOW.replace(hour=16))]))
        page = await at.open(None, link(at.town, "f-brown"), width=390)
        await page.keyboard.press("Tab")
        await expect(page.locator(".skip")).to_be_focused()
        await page.keyboard.press("Enter")
        await _to(page, "I have done this")
        await _submit(page)
        await until(at.town, tried_steps, customer_id="c-brown", step=0, via="page")
        await _to(page, "Write to us")
        await page.keyboard.type("It hums.")
        await _to(page, "Send")
        await _submit(page)
        await until(at.town, schema.inbound, text="It hums.")
        await _to(page, "Ask for a call")
        await page.keyboard.press("Enter")
        await _to(page, "Please call me")
        await _submit(page)
        await until(at.town, tasks, kind="call")
        await _to(page, "Book a service date")
        await page.keyboard.press("Enter")
        await _to(page, "Choose: ")
        await _submit(page)
        await _to(page, "Confirm this date")
        await _submit(page)
        await until(at.town, bookings, state="booked")
        await _to(page, "I know about it")
        await _submit(page)
        await until(at.town, schema.silences, author="Grace Brown")
        at.town.do(Resolve(at.town.case_of("f-brown")["id"], "Mia"))
        await page.reload()
        await _to(page, "1, very bad")
        await page.keyboard.press("ArrowLeft")
        await _to(page, "What should we do better?")
        await page.keyboard.press("Tab")
        await _submit(page)
        await until(at.town, survey_answers, satisfaction=5)


async def test_nothing_on_the_customers_pages_is_cut_off_at_320_pixels(desk: Opening) -> None:
    async with desk() as at:
        page = await at.open(None, width=320, service_workers="block")
        for path in customer_pages(at.town):
            await page.goto(at.base + path)
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 320, path
            heights = await page.locator("button").evaluate_all("all => all.map(b => b.getBoundingClientRect().height)")
            assert [height for height in heights if height < 44] == [], path
        at.complaints.clear()


async def test_the_page_is_whole_without_a_script(desk: Opening) -> None:
    async with desk() as at:
        page = await at.open(None, link(at.town, "f-brown"), java_script_enabled=False)
        await page.get_by_label("Write to us").fill("No script here.")
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator(".talk")).to_contain_text("No script here.")
        await page.locator("summary", has_text="Ask for a call").click()
        await page.get_by_role("button", name="Please call me").click()
        await expect(page.locator("#call")).to_contain_text("We will call you")


async def test_an_answer_appears_on_the_open_page_by_itself(desk: Opening) -> None:
    async with desk() as at:
        page = await at.open(None, link(at.town, "f-lumen", "freezer-cools-poorly"), width=390)
        await expect(page.locator(".then")).to_contain_text("Ein Mensch sieht es sich")
        case = at.town.case_of("f-lumen", "freezer-cools-poorly")["id"]
        staff = await at.open("Mia", f"/cases/{case}")
        await staff.keyboard.press("c")
        await expect(page.locator(".then")).to_contain_text("Nordkälte kümmert sich darum.")


async def test_a_message_of_the_inbox_was_read_once_it_stood_on_the_screen(desk: Opening) -> None:
    async with desk(notifiers=NOTIFIERS) as at:
        await tell(at.town, "c-brown")
        page = await at.open(None, link(at.town, "f-brown"), width=390, bypass_csp=True)
        await expect(page.locator("[data-unread]")).to_have_count(1)
        assert await findings(page) == []
        await page.locator("[data-unread]").scroll_into_view_if_needed()
        await until(at.town, schema.notifications, channel="inbox", state="read")


async def _submit(page: Page) -> None:
    """Press Enter on a form's button and wait for the page that answers."""
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def _to(page: Page, name: str) -> None:
    """Press Tab until what has the focus is called ``name`` (or begins so), as somebody who cannot use a mouse does."""
    for _ in range(80):
        await page.keyboard.press("Tab")
        called = await page.evaluate(
            "(() => { const on = document.activeElement; return (on.getAttribute('aria-label') ||"
            " [...(on.labels || [])].map((label) => label.innerText).join(' ') || on.innerText || '').trim(); })()"
        )
        if str(called).replace("\n", "").startswith(name):
            return
    raise AssertionError(f"the keyboard never reached {name!r}")
