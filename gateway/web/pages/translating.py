"""An agent's answer in the customer's language, shown before it goes out."""

from http import HTTPStatus

import structlog
from aiohttp import web

from gateway.web.access import fields, read
from gateway.web.deps import DEPS
from gateway.web.forms import text_of
from gateway.web.pages.case import id_of
from gateway.web.queries import cases
from notifiers.errors import NotifierError

log = structlog.get_logger()


async def translate(request: web.Request) -> web.StreamResponse:
    """POST /cases/{id}/translate with ``text``: ``{"translation", "language"}``; nothing is sent or stored."""
    ask = request.app[DEPS].translate
    case = await read(request, cases.one, id_of(request))
    if case is None or ask is None:
        raise web.HTTPNotFound(text="There is no such case, or no translator is set up.")
    text = text_of(await fields(request), "text", what="the answer")
    language = (case.customer_locale or "en").split("-")[0].lower()
    try:
        found = await ask(text, language)
    except NotifierError as error:
        log.warning("asking.no_preview", service=error.provider, code=error.code)
        detail = "The translator does not answer. Send it as it is, or try again."
        return web.json_response({"error": detail}, status=HTTPStatus.BAD_GATEWAY)
    return web.json_response({"translation": found.text, "language": language})
