"""A browser beside a town: windows of several people, whose consoles must stay silent."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, BrowserContext, Page, expect

from gateway.commands import SaveSession
from gateway.web.auth import SESSION_COOKIE, SESSION_LIFE, new_token, token_hash
from tests.gateway.web_fleet import NOW, Town
from tests.gateway.web_visit import visit


@dataclass
class Desk:
    """The windows, and the town they look at."""

    town: Town
    browser: Browser
    base: str
    complaints: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    async def open(self, user: str | None = "Mia", path: str | None = None, width: int = 1440, **options: Any) -> Page:
        """Open a window of its own; what its console says is collected.

        ``user`` is logged in and sees ``path``, by default the queue, once it is live; None is nobody, and sees an
        empty window unless there is a ``path``.
        """
        context = await self.browser.new_context(viewport={"width": width, "height": 900}, **options)
        self.contexts.append(context)
        page = await context.new_page()
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        if user is not None:
            token = new_token()
            await self.town.submit(SaveSession(token_hash(token), user, NOW + SESSION_LIFE))
            await context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": self.base}])
            await page.goto(self.base + (path or "/"))
            await expect(page.locator("html[data-live=on]")).to_be_attached()
        elif path is not None:
            await page.goto(self.base + path)
        return page

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)


async def at_once(page: Page) -> None:
    """Let what waits for *Undo* go out now, as leaving the page does, and listen on."""
    await page.evaluate("dispatchEvent(new Event('pagehide')); dispatchEvent(new Event('online'))")


Opening = Callable[..., AbstractAsyncContextManager[Desk]]
"""``open_desk`` with a browser and a folder."""


@asynccontextmanager
async def open_desk(browser: Browser, folder: Path, **options: Any) -> AsyncIterator[Desk]:
    """Open a desk; at the end the browsers' consoles must have stayed silent (CSP violations speak there)."""
    async with visit(folder, None, demo=True, **options) as web:
        server: TestServer = web.client.server  # type: ignore[assignment]
        opened = Desk(web.town, browser, str(server.make_url("")).rstrip("/"))
        try:
            yield opened
        finally:
            for context in opened.contexts:
                await context.close()
        assert opened.complaints == []


async def until(town: Town, table: object, **where: object) -> None:
    """Wait until the store has such a row."""
    async with asyncio.timeout(10):
        # The browser is another process: there is no event of ours to wait for.
        while not await asyncio.to_thread(town.rows, table, **where):  # type: ignore[arg-type]  # noqa: ASYNC110
            await asyncio.sleep(0.05)
