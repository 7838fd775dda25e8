"""The page of the phones in a real browser."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.simulator.test_phones_server import World, running

# The browser's loop.
pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def world() -> AsyncIterator[World]:
    async with running(speed=50) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def page(world: World, browser: Browser) -> AsyncIterator[Page]:
    async with await browser.new_context(viewport={"width": 900, "height": 900}) as context:
        opened = await context.new_page()
        errors: list[str] = []
        opened.on("pageerror", lambda error: errors.append(str(error)))
        await opened.goto(world.at.http_url)
        yield opened
        assert errors == []


async def test_a_message_appears_live_and_a_typed_reply_is_posted_to_the_gateway(world: World, page: Page) -> None:
    phone = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="John"))
    await expect(phone.get_by_text("No messages")).to_be_visible()
    await world.send("+12025550143", "Hi John, done or later? http://127.0.0.1:8080/c/abc.")
    bubble = phone.locator(".bubble.theirs")
    await expect(bubble).to_contain_text("Hi John, done or later?")
    await expect(bubble.get_by_role("link")).to_have_attribute("href", "http://127.0.0.1:8080/c/abc")
    await expect(phone.locator(".receipt")).to_contain_text("SMS · delivered")
    await phone.get_by_role("textbox").fill("later")
    await page.keyboard.press("Enter")
    await world.gateway.until(lambda g: any(form.get("Body") == "later" for _, form in g.posts))
    await expect(phone.locator(".bubble.mine")).to_contain_text("later")
    await expect(phone.locator(".ticks")).to_have_text("Delivered")
    await expect(phone.get_by_role("textbox")).to_have_value("")
    await expect(page.get_by_role("status")).to_contain_text("John: new message by SMS")


async def test_each_phone_speaks_its_owners_language_and_shows_their_hour(world: World, page: Page) -> None:
    ana = page.locator("#phone-ana")
    await expect(ana.locator(".lock-date")).to_have_text("domingo, 1 de março")
    await expect(ana.locator(".lock-time")).to_contain_text("13:")
    await expect(page.locator("#phone-john .lock-time")).to_contain_text("11:")
    await world.send("whatsapp:+5511987654321", "Olá")
    await expect(ana.get_by_label("Mensagem: Ana Souza, WhatsApp")).to_be_visible()
    await expect(ana.locator(".screen")).to_have_attribute("lang", "pt-BR")


async def test_a_message_is_text_and_never_markup(world: World, page: Page) -> None:
    await world.send("+12025550143", "<img src=x onerror=alert(1)> & <b>bold</b>")
    bubble = page.locator("#phone-john .bubble p")
    await expect(bubble).to_have_text("<img src=x onerror=alert(1)> & <b>bold</b>")
    assert await bubble.locator("img, b").count() == 0


async def test_a_mail_opens_in_a_frame_that_runs_nothing(world: World, page: Page) -> None:
    await world.mail("ana@x.example", html="<h1>Zu warm</h1><script>parent.document.title = 'taken'</script>")
    ana = page.locator("#phone-ana")
    await ana.get_by_role("button", name="Zu warm: „Keller“").click()
    await expect(ana.frame_locator("iframe").get_by_role("heading", name="Zu warm")).to_be_visible()
    assert await page.title() == "Phones"
    await ana.get_by_role("button", name="Voltar").click()
    await expect(ana.get_by_role("button", name="Zu warm: „Keller“")).to_be_focused()


async def test_flight_mode_holds_messages_back(world: World, page: Page) -> None:
    john = page.locator("#phone-john")
    await john.get_by_role("button", name="Flight mode").click()
    await expect(john.get_by_role("button", name="Flight mode")).to_have_attribute("aria-pressed", "true")
    await world.send("+12025550143", "Are you there?")
    await expect(john.locator(".receipt")).to_contain_text("SMS · sent")
    assert await john.locator(".bubble").count() == 0
    await john.get_by_role("button", name="Flight mode").click()
    await expect(john.locator(".bubble")).to_contain_text("Are you there?")


async def test_reloading_keeps_what_is_on_the_phones(world: World, page: Page) -> None:
    await world.send("whatsapp:+5511987654321", "Olá")
    await expect(page.locator("#phone-ana .bubble")).to_have_count(1)
    await page.reload()
    await expect(page.locator("#phone-ana .bubble")).to_have_count(1)
    await page.get_by_role("button", name="With messages 1").click()
    await expect(page.locator("#phone-john")).to_be_hidden()


async def test_nothing_sticks_out_at_any_width(world: World, page: Page) -> None:
    await world.send("+12025550143", "A long address https://gateway.example/c/" + "x" * 120)
    await expect(page.locator("#phone-john .bubble")).to_be_visible()
    for width in (320, 390, 900, 1600):
        await page.set_viewport_size({"width": width, "height": 800})
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
