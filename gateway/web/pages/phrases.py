"""The company's own lexicon: which words mean what, who said so, and the way back."""

from typing import Any

import sqlalchemy as sa
from aiohttp import web

from gateway.commands.cases import DropPhrase, TeachPhrase
from gateway.store import schema
from gateway.store.readings import phrases
from gateway.web import forms
from gateway.web.access import IDENTITY, fields, read
from gateway.web.api import present
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError
from gateway.web.pages.case import done, id_of
from gateway.web.pages.shell import show
from notifiers.replies import Intent

MEANINGS = tuple(intent for intent in Intent if intent is not Intent.START)


async def show_phrases(request: web.Request) -> web.StreamResponse:
    """GET /phrases."""
    return await show(request, "phrases.html", "phrases", phrases=await read(request, all_phrases), meanings=MEANINGS)


async def list_phrases(request: web.Request) -> web.StreamResponse:
    """GET /api/phrases: ``text``, ``intent``, ``language``, ``said_by``, ``at``, the newest first."""
    items: list[dict[str, Any]] = [present.plain(row) for row in await read(request, all_phrases)]
    return present.answer({"items": items, "next": None})


async def teach(request: web.Request) -> web.StreamResponse:
    """POST /phrases and /api/phrases: ``text`` means ``intent``, also in the message ``inbound_id``."""
    _for_everybody(request)
    sent = await fields(request)
    text, meant = forms.text_of(sent, "text", what="the words"), str(sent.get("intent") or "")
    if meant not in MEANINGS:
        raise FieldError("intent", f"Choose one of {', '.join(MEANINGS)}.")
    met_in = str(sent.get("inbound_id") or "")
    if met_in and not (met_in.isascii() and met_in.isdecimal() and len(met_in) <= 18):
        raise FieldError("inbound_id", "Give the message's number.")
    if met_in and not await read(request, _is_there, int(met_in)):
        raise FieldError("inbound_id", "There is no such message.")
    deed = TeachPhrase(
        text,
        Intent(meant),
        request[IDENTITY].name,
        forms.optional_text(sent, "language") or None,
        int(met_in) if met_in else None,
    )
    number = await request.app[DEPS].commands.submit(deed)
    return done(request, "/phrases", phrase=number)


async def drop(request: web.Request) -> web.StreamResponse:
    """POST /phrases/{id}/drop and /api/phrases/{id}/drop."""
    _for_everybody(request)
    await request.app[DEPS].commands.submit(DropPhrase(id_of(request), request[IDENTITY].name))
    return done(request, "/phrases")


def _for_everybody(request: web.Request) -> None:
    """Refuse a bounded role: a phrase is heard from every customer. Raises HTTPForbidden."""
    scope = request[IDENTITY].scope
    if scope.bounded:
        raise web.HTTPForbidden(text=f"This changes things for everybody; you see {scope.words()}.")


def _is_there(connection: sa.Connection, inbound_id: int) -> bool:
    """Tell whether a message is there for whoever asks: others' are not for a bounded role."""
    query = sa.select(schema.inbound.c.id).where(schema.inbound.c.id == inbound_id)
    return connection.execute(query).first() is not None


def all_phrases(connection: sa.Connection) -> list[sa.RowMapping]:
    """List the phrases, the newest first."""
    return list(connection.execute(sa.select(phrases).order_by(phrases.c.id.desc())).mappings())
