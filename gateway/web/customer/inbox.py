"""The inbox as its owner's page and the company's app read it; the page shows the same in its conversation."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from aiohttp import web

from device_models.event import rfc3339
from gateway.commands import ReceiptArrived
from gateway.web.access import read
from gateway.web.customer.session import back, open_link
from gateway.web.deps import DEPS
from gateway.web.queries.inbox import InboxMessage, inbox_of, unread_in


async def show(request: web.Request) -> web.StreamResponse:
    """GET /p/{token}/inbox: the newest fifty of the link's customer, as JSON."""
    return _listed(await read(request, inbox_of, (await open_link(request)).customer_id))


async def mark_read(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/inbox/read: its owner has seen the list; a form comes back to the page."""
    await _opened(request, (await open_link(request)).customer_id)
    if "text/html" in request.headers.get("Accept", ""):
        raise back(request, anchor="#talk-title")
    return web.Response(status=204)


async def show_to_app(request: web.Request) -> web.StreamResponse:
    """GET /api/customers/{id}/inbox: the same for the company's own app."""
    return _listed(await read(request, inbox_of, request.match_info["id"]))


async def mark_read_in_app(request: web.Request) -> web.StreamResponse:
    """POST /api/customers/{id}/inbox/read."""
    await _opened(request, request.match_info["id"])
    return web.Response(status=204)


def _listed(messages: Sequence[InboxMessage]) -> web.Response:
    return web.json_response({"messages": [_message(message) for message in messages]})


def _message(message: InboxMessage) -> dict[str, Any]:
    return {
        "id": message.id,
        "case_id": message.case_id,
        "purpose": message.purpose,
        "title": message.title,
        "text": message.text,
        "delivered_at": _stamp(message.delivered_at),
        "read_at": _stamp(message.read_at),
    }


async def _opened(request: web.Request, customer_id: str) -> None:
    commands = request.app[DEPS].commands
    for key in await read(request, unread_in, customer_id):
        await commands.submit(ReceiptArrived("inbox", key, "read"))


def _stamp(at: datetime | None) -> str | None:
    return rfc3339(at) if at is not None else None
