"""Saving what one looks at in the queue under a name, and who else looks at a case."""

from aiohttp import web

from gateway.commands.cases import DropView, SaveView
from gateway.web import forms
from gateway.web.access import IDENTITY, fields, read
from gateway.web.api import present
from gateway.web.auth import Role
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError
from gateway.web.pages.case import done, id_of
from gateway.web.preconditions import with_etags
from gateway.web.presence import PRESENCE
from gateway.web.queries.views import views_of

FILTERS = ("view", "severity", "owner", "team", "rule", "site", "q")
"""What of the queue's address a view keeps."""


async def save_view(request: web.Request) -> web.StreamResponse:
    """POST /views and /api/views: keep filters under ``name``; ``shared`` (a lead's) for everybody. Answers ``id``."""
    sent, identity = await fields(request), request[IDENTITY]
    name = forms.text_of(sent, "name", what="a name")
    shared = forms.flag_of(sent, "shared")
    if shared and not identity.role.covers(Role.LEAD):
        raise FieldError("shared", "Only a lead keeps views for everybody.")
    query = {key: said[:200] for key in FILTERS if (said := forms.optional_text(sent, key))}
    number = await request.app[DEPS].commands.submit(SaveView(name, query, identity.name, shared))
    return done(request, "/", id=number)


async def drop_view(request: web.Request) -> web.StreamResponse:
    """POST /views/{id}/drop and its twin under /api."""
    identity = request[IDENTITY]
    deed = DropView(id_of(request), identity.name, identity.role.covers(Role.LEAD))
    await request.app[DEPS].commands.submit(deed)
    return done(request, "/")


async def list_views(request: web.Request) -> web.StreamResponse:
    """GET /api/views: everybody's, then one's own."""
    rows = await read(request, views_of, request[IDENTITY].name)
    items = await read(request, with_etags, "view", [present.plain(row) for row in rows])
    return present.answer({"items": items, "next": None})


async def here(request: web.Request) -> web.StreamResponse:
    """POST /cases/{id}/here: somebody reads, or is ``writing``, or is ``gone``; answers who else is there."""
    sent, name, case_id = await fields(request), request[IDENTITY].name, id_of(request)
    presence = request.app[PRESENCE]
    if forms.flag_of(sent, "gone"):
        presence.leave(case_id, name)
        return web.json_response({"ok": True, "others": []})
    others = presence.here(case_id, name, writing=forms.flag_of(sent, "writing"))
    return web.json_response({"ok": True, "others": [{"name": o.name, "writing": o.writing} for o in others]})
