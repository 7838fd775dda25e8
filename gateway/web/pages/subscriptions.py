"""Systems that are told what happens: where each stands, and trying again."""

from dataclasses import asdict

from aiohttp import web

from gateway.commands.subscriptions import ResumeSubscription
from gateway.web.access import IDENTITY, fields, read
from gateway.web.api.present import answer
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError
from gateway.web.pages.case import done
from gateway.web.queries import subscriptions


async def list_subscriptions(request: web.Request) -> web.StreamResponse:
    """GET /api/subscriptions."""
    standing = await read(request, subscriptions.all_standing)
    return answer({"items": [asdict(each) for each in standing], "next": None})


async def resume(request: web.Request) -> web.StreamResponse:
    """POST /admin/subscriptions/resume: ``name``; with ``after`` everything behind that entry is sent once more."""
    sent = await fields(request)
    name, after = str(sent.get("name") or ""), sent.get("after")
    if after in (None, ""):
        position = None
    elif str(after).isascii() and str(after).isdecimal() and len(str(after)) < 18:
        position = int(str(after))
    else:
        raise FieldError("after", "after: the number of a timeline entry, 0 for all there ever was")
    await request.app[DEPS].commands.submit(ResumeSubscription(name, request[IDENTITY].name, position))
    return done(request, "/admin")
