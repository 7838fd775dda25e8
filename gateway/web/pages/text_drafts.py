"""Texts that are being written: kept, put away, put live. Customers read what is in force until then."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from device_models.event import rfc3339
from gateway.commands.texts import DropTextDraft, SaveText, SaveTextDraft
from gateway.texts.drafts import TextDraft, drafts, find
from gateway.web.access import IDENTITY, fields, read
from gateway.web.api import present
from gateway.web.case_forms import number_of
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError
from gateway.web.pages.case import done
from gateway.web.pages.texts import page_of, refuse_wrong, text_sent


async def list_drafts(request: web.Request) -> web.StreamResponse:
    """GET /api/texts/drafts: what is being written; ``moved``: something else went live meanwhile."""
    return present.answer({"items": [_presented(one) for one in await read(request, drafts)], "next": None})


async def keep(request: web.Request) -> web.StreamResponse:
    """POST /texts/draft and its twin under /api: keep a text, unless somebody kept it after the version ``seen``."""
    sent = await fields(request)
    kind, name, language, text = await text_sent(request, sent)
    if text is None and kind != "words":
        raise FieldError("text", "Write something first, or put the draft away.")
    seen = number_of(sent, "seen") if sent.get("seen") not in (None, "") else None
    command = SaveTextDraft(kind, *_key(kind, name, language), text or "{}", request[IDENTITY].name, seen)
    kept = await request.app[DEPS].commands.submit(command)
    return done(request, page_of(kind, name, language, sent), draft=kept)


async def drop(request: web.Request) -> web.StreamResponse:
    """POST /texts/draft-drop and its twin under /api."""
    sent = await fields(request)
    kind, name, language, _ = await text_sent(request, sent)
    await request.app[DEPS].commands.submit(DropTextDraft(kind, *_key(kind, name, language), request[IDENTITY].name))
    return done(request, page_of(kind, name, language, sent))


async def put_live(request: web.Request) -> web.StreamResponse:
    """POST /texts/live and its twin under /api: customers read the draft, as it was kept last, from now on."""
    sent = await fields(request)
    kind, name, language, _ = await text_sent(request, sent)
    draft = find(await read(request, drafts), kind, name, language)
    if draft is None:
        raise web.HTTPNotFound(text="There is no draft of this text.")
    if kind != "article":
        await refuse_wrong(request, kind, name, language, draft.text)
    command = SaveText(kind, draft.name, draft.language, draft.text, request[IDENTITY].name, draft.version)
    number = await request.app[DEPS].commands.submit(command)
    return done(request, page_of(kind, name, language, sent), version=number)


def _key(kind: str, name: str, language: str) -> tuple[str, str]:
    return "" if kind == "words" else name, "" if kind == "template" else language


def _presented(draft: TextDraft) -> Mapping[str, Any]:
    return {
        "kind": draft.kind,
        "name": draft.name or None,
        "language": draft.language or None,
        "text": draft.text,
        "version": draft.version,
        "saved_by": draft.saved_by,
        "saved_at": rfc3339(draft.saved_at),
        "moved": draft.moved,
    }
