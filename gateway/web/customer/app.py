"""The customer's page as an app on their phone: manifest, service worker, live changes, and push to this browser."""

from importlib.resources import files

import orjson
import structlog
from aiohttp import web

from gateway.commands.enrolment import LinkAddress, MakeLinkCode
from gateway.web.customer.session import WHOLE, base_of, open_link
from gateway.web.customer.texts import TEXTS, language_of
from gateway.web.deps import DEPS
from gateway.web.render import html
from gateway.web.sse import Changes, serve

LARGEST_SUBSCRIPTION = 4096

_ICONS = (
    {"src": "/static/icon-192.png", "sizes": "192x192", "type": "image/png", "purpose": "any"},
    {"src": "/static/icon-512.png", "sizes": "512x512", "type": "image/png", "purpose": "any"},
    {"src": "/static/icon-maskable.png", "sizes": "512x512", "type": "image/png", "purpose": "maskable"},
    {"src": "/static/icon.svg", "sizes": "any", "type": "image/svg+xml", "purpose": "any"},
)

log = structlog.get_logger()


async def manifest(request: web.Request) -> web.StreamResponse:
    """GET /p/{token}/app.webmanifest. Source: W3C Web Application Manifest."""
    opened, deps = await open_link(request), request.app[DEPS]
    # Whoever puts it on the home screen keeps it longer than one case lasts, or one product is theirs.
    start = base_of(request) if opened.link.case_id is None else f"/p/{WHOLE}{request.match_info['token']}"
    data = {
        "name": deps.brand,
        "short_name": deps.brand[:12],
        "id": f"/p/{opened.customer_id}",
        "start_url": start,
        "scope": "/p/",
        "display": "standalone",
        "lang": opened.language,
        "dir": opened.t["dir"],
        "background_color": "#f7f7f5",
        "theme_color": "#2457d6",
        "icons": list(_ICONS),
    }
    return web.Response(body=orjson.dumps(data), content_type="application/manifest+json")


async def service_worker(request: web.Request) -> web.StreamResponse:
    """GET /sw.js: from the root, since a worker reaches no further up than where it lies."""
    code = (files("gateway.web") / "static" / "sw.js").read_text(encoding="utf-8")
    return web.Response(text=code, content_type="text/javascript", headers={"Cache-Control": "no-cache"})


async def offline(request: web.Request) -> web.StreamResponse:
    """GET /offline/{language}: what the service worker shows without a connection; it holds nothing of anybody."""
    language = language_of(request.match_info["language"])
    return html(request, "customer/offline.html", {"t": TEXTS[language], "language": language})


async def live(request: web.Request) -> web.StreamResponse:
    """GET /p/{token}/live: an event ``change`` whenever something on this page may be new; it carries no data."""
    opened = await open_link(request)
    case, device = opened.facts.case, opened.facts.device
    mine: Changes = {
        "case": {str(case.id)} if case else set(),
        "device": {device.id} if device else set(),
        "customer": {opened.customer_id},
    }

    async def still_works() -> bool:
        try:
            await open_link(request)
        except (web.HTTPGone, web.HTTPNotFound):
            return False
        return True

    return await serve(request, mine, everything_else=False, still=still_works, retry_ms=5000, named=False)


async def subscribe(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/push: this browser's push subscription, as JSON, from whoever proved who they are."""
    from notifiers.transports.web_push import parse_subscription

    opened, deps = await open_link(request), request.app[DEPS]
    if not opened.proved or not deps.push_key:
        raise web.HTTPForbidden
    text = (await request.content.read(LARGEST_SUBSCRIPTION + 1)).decode("utf-8", "replace")
    try:
        if len(text) > LARGEST_SUBSCRIPTION:
            raise ValueError("is too long")
        parse_subscription(text)
    except ValueError as error:
        raise web.HTTPUnprocessableEntity(text=f"The subscription {error}.") from error
    code = await deps.commands.submit(MakeLinkCode(opened.customer_id, "webpush", proved=True))
    await deps.commands.submit(LinkAddress("webpush", text, code))
    return web.json_response({"ok": True})
