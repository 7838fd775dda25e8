"""A customer's inbox: the messages that were delivered to their own page and to the company's app."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from aiohttp import web

from device_models.event import rfc3339
from gateway.commands import ReceiptArrived
from gateway.store import schema
from gateway.web.access import read
from gateway.web.customer.session import open_link
from gateway.web.deps import DEPS

_NEWEST = 50


async def show(request: web.Request) -> web.StreamResponse:
    """GET /p/{token}/inbox: the newest fifty of the link's customer, as JSON."""
    return web.json_response({"messages": await read(request, messages_of, (await open_link(request)).customer_id)})


async def mark_read(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/inbox/read: its owner has opened the list."""
    await _opened(request, (await open_link(request)).customer_id)
    return web.Response(status=204)


async def show_to_app(request: web.Request) -> web.StreamResponse:
    """GET /api/customers/{id}/inbox: the same for the company's own app."""
    return web.json_response({"messages": await read(request, messages_of, request.match_info["id"])})


async def mark_read_in_app(request: web.Request) -> web.StreamResponse:
    """POST /api/customers/{id}/inbox/read."""
    await _opened(request, request.match_info["id"])
    return web.Response(status=204)


def messages_of(connection: sa.Connection, customer_id: str) -> list[dict[str, Any]]:
    """Read what lies in a customer's inbox, newest first."""
    n = schema.notifications
    query = (
        sa.select(n.c.id, n.c.case_id, n.c.purpose, n.c.subject, n.c.body, n.c.delivered_at, n.c.read_at)
        .where(n.c.customer_id == customer_id, n.c.channel == "inbox", n.c.state.in_(("delivered", "read")))
        .order_by(n.c.id.desc())
        .limit(_NEWEST)
    )
    return [
        {
            "id": row["id"],
            "case_id": row["case_id"],
            "purpose": row["purpose"],
            "title": row["subject"],
            "text": row["body"],
            "delivered_at": _stamp(row["delivered_at"]),
            "read_at": _stamp(row["read_at"]),
        }
        for row in connection.execute(query).mappings()
    ]


async def _opened(request: web.Request, customer_id: str) -> None:
    commands = request.app[DEPS].commands
    for key in await read(request, _unread, customer_id):
        await commands.submit(ReceiptArrived("inbox", key, "read"))


def _unread(connection: sa.Connection, customer_id: str) -> list[str]:
    n = schema.notifications
    query = sa.select(n.c.provider_id).where(
        n.c.customer_id == customer_id, n.c.channel == "inbox", n.c.state == "delivered", n.c.provider == "inbox"
    )
    return list(connection.execute(query.order_by(n.c.id.desc()).limit(_NEWEST)).scalars())


def _stamp(at: datetime | None) -> str | None:
    return rfc3339(at) if at is not None else None
