"""Pages in a real browser: a checker (axe-core) finds nothing, and the customer's page works by keyboard, at 320 px."""

from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from gateway.commands import Resolve, Upsert
from gateway.commands.desk import OfferSlots
from gateway.commands.enrolment import MakeClaimCodes, SendCheck
from gateway.store import schema
from gateway.store.desk import bookings, survey_answers, tasks
from gateway.store.self_help import tried_steps
from tests.gateway.test_web_inbox import NOTIFIERS, tell
from tests.gateway.web_fleet import NOW, Town, link
from tests.system.test_console import Desk, desk, until

RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    # It would fetch what style sheets import itself, from beside the page instead of from beside the sheet: not found.
    "preload": False,
}


async def findings(page: Page) -> list[str]:
    """What the checker finds on a page, each with the elements it is about."""
    results = await Axe().run(page, options=RULES)
    return [
        f"{page.url[-24:]}: {found['id']}: {found['help']}: {[node['html'][:120] for node in found['nodes']]}"
        for found in results.response["violations"]
    ]


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_checker_finds_nothing_on_the_customers_pages(tmp_path: Path, scheme: str) -> None:
    async with desk(tmp_path) as at:
        page = await at.open(None, width=390, color_scheme=scheme, bypass_csp=True)
        found = []
        for path in customer_pages(at.town):
            await page.goto(at.base + path)
            await page.evaluate("document.querySelectorAll('details').forEach((closed) => (closed.open = true))")
            found += await findings(page)
        assert found == []
        # The browser itself notes that the last page is not found.
        at.complaints = [text for text in at.complaints if "404" not in text]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_checker_finds_nothing_on_the_consoles_pages(tmp_path: Path, scheme: str) -> None:
    async with desk(tmp_path) as at:
        # The checker writes inline styles, of which the browser would complain, some after the test is over.
        page = await at.open(None, color_scheme=scheme, bypass_csp=True)
        await page.goto(f"{at.base}/login")
        found = await findings(page)
        page = await at.open("Ada", color_scheme=scheme, bypass_csp=True)
        case = at.town.case_of("f-souza", "freezer-compressor-stopped")["id"]
        for path in (
            "/",
            f"/cases/{case}",
            "/messages",
            "/tasks",
            "/devices",
            "/devices/f-souza",
            "/silences",
            "/rota",
            "/teams",
            "/sla",
            "/rules",
            "/drafts/new?rule=freezer-door-open",
            "/versions",
            "/texts",
            "/texts/messages/fault_opened?language=ar&channel=sms",
            "/texts/articles/freezer-door-open?language=de",
            "/admin",
        ):
            await page.goto(at.base + path)
            found += await findings(page)
        assert found == []


async def test_the_customers_page_is_walked_by_keyboard_alone(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        at.town.do(OfferSlots("Berlin", [("s1", NOW.replace(hour=15), NOW.replace(hour=16))]))
        page = await at.open(None, width=390)
        await page.goto(at.base + link(at.town, "f-brown"))
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


async def test_nothing_on_the_customers_pages_is_cut_off_at_320_pixels(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        page = await at.open(None, width=320)
        for path in customer_pages(at.town):
            await page.goto(at.base + path)
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 320, path
        at.complaints.clear()


async def test_the_page_is_whole_without_a_script(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        page = await at.open(None, java_script_enabled=False)
        await page.goto(at.base + link(at.town, "f-brown"))
        await page.get_by_label("Write to us").fill("No script here.")
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator(".talk")).to_contain_text("No script here.")
        await page.locator("summary", has_text="Ask for a call").click()
        await page.get_by_role("button", name="Please call me").click()
        await expect(page.locator("#call")).to_contain_text("We will call you")


async def test_an_answer_appears_on_the_open_page_by_itself(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await _an_answer_appears(at)


async def test_a_message_of_the_inbox_was_read_once_it_stood_on_the_screen(tmp_path: Path) -> None:
    async with desk(tmp_path, notifiers=NOTIFIERS) as at:
        await tell(at.town, "c-brown")
        page = await at.open(None, width=390, bypass_csp=True)
        await page.goto(at.base + link(at.town, "f-brown"))
        await expect(page.locator("[data-unread]")).to_have_count(1)
        assert await findings(page) == []
        await page.locator("[data-unread]").scroll_into_view_if_needed()
        await until(at.town, schema.notifications, channel="inbox", state="read")


async def _an_answer_appears(at: Desk) -> None:
    page = await at.open(None, width=390)
    await page.goto(at.base + link(at.town, "f-lumen", "freezer-cools-poorly"))
    await expect(page.locator(".then")).to_contain_text("Ein Mensch sieht es sich")
    staff = await at.open("Mia")
    case = at.town.case_of("f-lumen", "freezer-cools-poorly")["id"]
    await staff.goto(f"{at.base}/cases/{case}")
    await staff.keyboard.press("c")
    await expect(page.locator(".then")).to_contain_text("Nordkälte kümmert sich darum.")


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
