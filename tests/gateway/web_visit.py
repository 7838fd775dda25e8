"""A visit to the web: a town of its own for each test, a client that talks to it, and somebody logged in."""

import atexit
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from gateway.commands import SaveSession
from gateway.web.auth import SESSION_COOKIE, SESSION_LIFE, csrf_token, new_token, token_hash
from tests.gateway.web_fleet import NOW, TOKENS, Town, town

_prepared: list[Path] = []


@dataclass
class Visit:
    """One browser, and the town it looks at."""

    town: Town
    client: TestClient[Any, Any]
    csrf: str

    async def get(self, path: str, **kwargs: Any) -> ClientResponse:
        """Ask for a page; redirects are not followed."""
        return await self.client.get(path, allow_redirects=False, **kwargs)

    async def page(self, path: str) -> str:
        """Return a page's text; it must be there."""
        answer = await self.get(path)
        text = await answer.text()
        assert answer.status == 200, (path, answer.status, text[:300])
        return text

    async def post(self, path: str, data: Mapping[str, str] | None = None, *, csrf: bool = True) -> ClientResponse:
        """Send a form, as the page's own would be."""
        fields = {**(data or {}), **({"_csrf": self.csrf} if csrf else {})}
        return await self.client.post(path, data=fields, allow_redirects=False)

    async def script(self, path: str, data: Mapping[str, str] | None = None) -> ClientResponse:
        """Send a form as the page's script does: JSON comes back."""
        headers = {"Accept": "application/json", "X-CSRF-Token": self.csrf}
        return await self.client.post(path, data=data or {}, headers=headers, allow_redirects=False)

    async def api(self, method: str, path: str, role: str = "admin", **kwargs: Any) -> ClientResponse:
        """Call the API with a role's token."""
        headers = {"Authorization": f"Bearer {TOKENS[role]}"}
        return await self.client.request(method, path, headers=headers, allow_redirects=False, **kwargs)


@asynccontextmanager
async def visit(folder: Path, user: str | None = "Mia", *, empty: bool = False, **options: Any) -> AsyncIterator[Visit]:
    """Open a populated town (or an empty one) in ``folder`` with ``user`` logged in; None for nobody."""
    if not empty:
        shutil.copytree(await _prepare(), folder, dirs_exist_ok=True)
    async with town(folder, empty=empty, **options) as made, TestClient(TestServer(made.app())) as client:
        csrf = ""
        if user is not None:
            csrf = log_in(made, client, user)
        yield Visit(made, client, csrf)


def log_in(made: Town, client: TestClient[Any, Any], user: str) -> str:
    """Give the client a session of ``user``; return the CSRF token of their forms."""
    token = new_token()
    made.do(SaveSession(token_hash(token), user, NOW + SESSION_LIFE))
    client.session.cookie_jar.update_cookies({SESSION_COOKIE: token}, client.make_url("/"))
    return csrf_token(made.deps.secret, token_hash(token))


async def _prepare() -> Path:
    """Let the town live its six hours once for each test process; every test gets a copy of what came of it."""
    if not _prepared:
        folder = Path(tempfile.mkdtemp(prefix="web-town-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        async with town(folder):
            pass
        _prepared.append(folder)
    return _prepared[0]
