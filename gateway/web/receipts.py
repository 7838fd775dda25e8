"""What the company's app and the customer's browser report of a message they showed."""

import structlog
from aiohttp import web

from gateway.commands import ReceiptArrived
from gateway.web.deps import DEPS
from gateway.web.links import LinkError

_STATES = frozenset({"delivered", "read"})

log = structlog.get_logger()


async def take(request: web.Request) -> web.StreamResponse:
    """POST /r/{token}/{state}: the message of a signed address was shown (``delivered``) or opened (``read``)."""
    deps, state = request.app[DEPS], request.match_info["state"]
    try:
        key = deps.links.read_receipt(request.match_info["token"])
    except LinkError:
        log.warning("webhook.forged", provider="app", path="/r/{token}/{state}")
        raise web.HTTPNotFound from None
    if state not in _STATES:
        raise web.HTTPNotFound
    await deps.commands.submit(ReceiptArrived("app", key, state, key=key))
    return web.Response(status=204)
