"""Pictures of the product, in three widths, light and dark: ``python -m tests.screenshots [PATTERN …]``.

A believable fleet speaks through the real committer into a store; Chromium looks at what the web makes of it. The
pictures go to ``screenshots/``, which git ignores; they are there to be looked at, one by one. A pattern is a screen's
name, or a shell's pattern of pictures: ``case``, ``'case-phone-*'``, ``'*-ar-*'``.
"""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from fnmatch import fnmatch
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from playwright.async_api import Error as BrowserError

from gateway.commands import SaveSession
from gateway.logs import configure_logs
from gateway.web.auth import SESSION_COOKIE, SESSION_LIFE, new_token, token_hash
from gateway.web.customer.session import PROOF_COOKIE
from tests.gateway.web_fleet import NOW, PASSWORD
from tests.screens import House, Shot, houses
from tests.servers import require

OUT = Path("screenshots")
SIZES = {"desktop": (1440, 900), "tablet": (900, 1100), "phone": (390, 844)}
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class TooWide(Exception):
    """A page that scrolls sideways as a whole."""


async def log_in(page: Page, base: str, name: str = "Ada") -> None:
    """Log in as a person does."""
    await page.goto(f"{base}/login")
    await page.fill("#name", name)
    await page.fill("#password", PASSWORD)
    await page.press("#password", "Enter")
    await page.wait_for_url(f"{base}/")


async def enter(context: BrowserContext, house: House, name: str | None) -> None:
    """Let the browser be somebody's, without the form; None: nobody's."""
    await context.clear_cookies(name=SESSION_COOKIE)
    if name is None:
        return
    if name not in house.tokens:
        house.tokens[name] = new_token()
        house.made.do(SaveSession(token_hash(house.tokens[name]), name, NOW + SESSION_LIFE))
    await context.add_cookies([{"name": SESSION_COOKIE, "value": house.tokens[name], "url": house.base}])


async def picture(page: Page, house: House, shot: Shot, file: Path) -> None:
    """Bring a screen up and take its picture."""
    await page.goto(shot.path if shot.path.startswith("http") else house.base + shot.path)
    await page.locator(shot.ready).first.wait_for(state="visible")
    if shot.click:
        await page.locator(shot.click).first.click()
    if shot.act is not None:
        await shot.act(page)
    # The queue fills its preview by itself where there is room for one.
    waiting = page.locator(".queue:has(.case-row) .preview:visible :is(.empty, .loading)")
    if await waiting.count():
        await page.locator(".preview .sentence").wait_for()
    await page.screenshot(path=file, full_page=shot.whole)
    wider = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if wider > 0:
        raise TooWide(f"the page is {wider} px wider than its window")


async def take(browser: Browser, house: House, patterns: Sequence[str]) -> int:
    """Take a house's pictures that are wanted, tell each; return how many would not be taken."""
    failed = 0
    for size, (width, height) in SIZES.items():
        for scheme, language in sorted({(s, shot.language) for shot in house.shots.values() for s in shot.schemes}):
            wanted = [
                (OUT / f"{name}-{size}-{scheme}.png", shot)
                for name, shot in house.shots.items()
                if shot.language == language and scheme in shot.schemes
                if not patterns or any(p == name or fnmatch(f"{name}-{size}-{scheme}", p) for p in patterns)
            ]
            if not wanted:
                continue
            context = await browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=scheme,
                locale=language,
                timezone_id="Europe/Berlin",
                has_touch=size == "phone",
                is_mobile=size == "phone",
            )
            if house.proof:
                await context.add_cookies([{"name": PROOF_COOKIE, "value": house.proof, "url": f"{house.base}/p/"}])
            for file, shot in wanted:
                await enter(context, house, shot.user)
                page = await context.new_page()
                try:
                    await picture(page, house, shot, file)
                    print(file, flush=True)  # noqa: T201  (what a person who runs this wants to know)
                except (BrowserError, TooWide) as error:
                    failed += 1
                    print(f"{file}: {error}", file=sys.stderr)  # noqa: T201
                await context.set_offline(False)
                await page.close()
            await context.close()
    return failed


async def main(patterns: Sequence[str]) -> int:
    """Fill the stores, serve them, look at them; return how many pictures would not be taken."""
    configure_logs("critical", "text")
    chromium = require("chromium", "chromium")
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
            failed = 0
            async for house in houses(stack, Path(folder)):
                failed += await take(browser, house, patterns)
            await browser.close()
    return failed


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    sys.exit(1 if asyncio.run(main(sys.argv[1:])) else 0)
