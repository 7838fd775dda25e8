"""Messages that join no case: a person puts each into one, or discards it."""

from dataclasses import asdict
from typing import Any

from aiohttp import web

from gateway.commands import DiscardMessage, JoinMessage
from gateway.web.access import IDENTITY, fields, read
from gateway.web.api import present
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError
from gateway.web.pages.case import done, id_of
from gateway.web.pages.shell import show
from gateway.web.queries import unjoined


async def show_unjoined(request: web.Request) -> web.StreamResponse:
    """GET /unjoined."""
    lines, more = await _page(request)
    return await show(request, "unjoined.html", "unjoined", lines=lines, next_before=more)


async def list_unjoined(request: web.Request) -> web.StreamResponse:
    """GET /api/unjoined: ``items``, the newest first; ``next`` goes into ``before``."""
    lines, more = await _page(request)
    items: list[dict[str, Any]] = [asdict(line) for line in lines]
    return present.answer({"items": items, "next": str(more) if more is not None else None})


async def join(request: web.Request) -> web.StreamResponse:
    """POST /unjoined/{id}/join with ``case_id``."""
    given = str((await fields(request)).get("case_id") or "").strip().lstrip("#")
    if not given.isascii() or not given.isdecimal() or len(given) > 18:
        raise FieldError("case_id", "Give the case's number, such as 1042.")
    await request.app[DEPS].commands.submit(JoinMessage(id_of(request), int(given), request[IDENTITY].name))
    return done(request, f"/cases/{int(given)}")


async def discard(request: web.Request) -> web.StreamResponse:
    """POST /unjoined/{id}/discard."""
    await request.app[DEPS].commands.submit(DiscardMessage(id_of(request), request[IDENTITY].name))
    return done(request, "/unjoined")


async def _page(request: web.Request) -> tuple[list[unjoined.UnjoinedLine], int | None]:
    before = request.query.get("cursor", "")
    before_id = int(before) if before.isascii() and before.isdecimal() and len(before) < 18 else None
    found = await read(request, unjoined.waiting, before_id, unjoined.PAGE + 1)
    shown = found[: unjoined.PAGE]
    return shown, shown[-1].id if len(found) > unjoined.PAGE else None
