"""Under /api/customers: all that is held about one person, and its end."""

from dataclasses import asdict

from aiohttp import web

from gateway.commands.people import EraseCustomer
from gateway.history import HistoryUnavailable
from gateway.people.export import NoSuchCustomer, as_json, as_zip, gather, gather_history, view_of_past
from gateway.web.access import IDENTITY, read
from gateway.web.api.present import answer, listed, plain
from gateway.web.api.reads import limit_of
from gateway.web.deps import DEPS
from gateway.web.queries import customers, people


async def export(request: web.Request) -> web.StreamResponse:
    """GET /api/customers/{id}/export: JSON, or with ``format=zip`` a zip."""
    return await exported(request, request.match_info["id"], zipped=request.query.get("format") == "zip")


async def page_of(request: web.Request) -> web.StreamResponse:
    """GET /api/customers?q=&cursor=&limit=: by id; each of ``q``'s words is in id, name or mail address."""
    limit = limit_of(request)
    rows = await read(
        request, customers.page, request.query.get("q", ""), request.query.get("cursor") or None, limit + 1
    )
    return listed([plain(row) for row in rows], limit)


async def show(request: web.Request) -> web.StreamResponse:
    """GET /api/customers/{id}: who they are and what they agreed to; their addresses stay out, as on every page."""
    card = await read(request, people.customer, request.match_info["id"])
    if card is None:
        raise web.HTTPNotFound(text="There is no such customer.")
    shown = asdict(card)
    reached = [*(["email"] if shown.pop("email") else []), *(["phone"] if shown.pop("phone") else [])]
    reached.extend(shown.pop("addresses"))
    return answer({**shown, "reached_by": reached})


async def erase(request: web.Request) -> web.StreamResponse:
    """POST /api/customers/{id}/erase."""
    command = EraseCustomer(request.match_info["id"], request[IDENTITY].name)
    done = await request.app[DEPS].commands.submit(command)
    return web.json_response({"ok": True, **done})


async def exported(request: web.Request, customer_id: str, *, zipped: bool) -> web.Response:
    """Answer with a customer's export as a file."""
    deps = request.app[DEPS]
    try:
        held = await read(request, gather, customer_id)
    except NoSuchCustomer as error:
        raise web.HTTPNotFound(text="There is no such customer.") from error
    try:
        spans = await read(request, view_of_past, customer_id)
        history = await gather_history(deps.history, spans, deps.clock.now())
    except HistoryUnavailable as error:
        raise web.HTTPServiceUnavailable(text="The history cannot be read just now; try again later.") from error
    whole = {**held, "history": history}
    name = "customer.zip" if zipped else "customer.json"
    body = as_zip(whole) if zipped else as_json(whole).encode()
    kind = "application/zip" if zipped else "application/json"
    return web.Response(body=body, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
