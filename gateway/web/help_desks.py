"""What help desks post: that a ticket changed."""

import structlog
from aiohttp import web

from gateway.web.body import read_body
from gateway.web.deps import DEPS
from notifiers.errors import NotifierError

LARGEST_BODY = 256 * 1024

log = structlog.get_logger()


async def take(request: web.Request) -> web.StreamResponse:
    """POST /webhooks/help-desks/{name}: ``{"ticket_id": …}``; answered once the case has what the ticket says."""
    hook = request.app[DEPS].help_desks.get(request.match_info["name"])
    if hook is None:
        raise web.HTTPNotFound(text="No such help desk is set up here, or it has no webhook_secret.")
    body = await read_body(request, LARGEST_BODY)
    if not hook.is_genuine(request.headers, body):
        log.warning("help_desk.forged", desk=hook.name)
        raise web.HTTPForbidden(text="This was not signed for us.")
    try:
        known = await hook.take(body)
    except NotifierError as error:
        log.warning("help_desk.unreadable", desk=hook.name, code=error.code)
        raise web.HTTPServiceUnavailable(text="The ticket cannot be read now.", headers={"Retry-After": "30"}) from None
    return web.json_response({"ok": True, "known": known})
