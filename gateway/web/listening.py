"""Which language a request wants before anybody is known: their browser's, else the one staff have here."""

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.web.deps import DEPS
from gateway.web.language import best_language, speak


@web.middleware
async def listen(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Choose a language for the whole request; whoever turns out to be logged in may have chosen another."""
    programs = request.path.startswith("/api/")
    default = request.app[DEPS].notifiers.staff_language
    speak("en" if programs else best_language(request.headers.get("Accept-Language", ""), default))
    return await handler(request)
