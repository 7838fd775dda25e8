"""A draft tried on what was recorded: begun, watched, stopped, and what came of it."""

import asyncio
import csv
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiohttp import web

from device_models.duration import parse_duration
from gateway.backtest.job import Recorded
from gateway.backtest.recorded import BadTableError
from gateway.backtest.runner import Running
from gateway.rulebook.drafts import Draft, load_draft
from gateway.web import forms
from gateway.web.access import IDENTITY, csrf_of, fields, is_api, read, wants_json
from gateway.web.api import present
from gateway.web.auth import Role
from gateway.web.errors import FieldError
from gateway.web.pages.case import done, id_of
from gateway.web.pages.drafts import desk_of
from gateway.web.pages.shell import viewer_zone
from gateway.web.render import html

LARGEST_FILE = 64 * 1024 * 1024
"""About a million samples of ten values."""
LONGEST_SPAN = timedelta(days=3660)
_PART = 64 * 1024


async def start(request: web.Request) -> web.StreamResponse:
    """POST /drafts/{id}/backtest and its twin under /api: over the history of ``span``, or a CSV file that is sent.

    A file comes as the body itself (``text/csv``; ``name``, ``profile`` and ``time_column`` in the address), or with a
    page's form.
    """
    draft = await _draft(request)
    if request.content_type == "text/csv":
        file = Recorded(await _kept(request), _name_of(request.query.get("name")), *_settings(request.query))
        running = await _try_on_file(request, draft, file)
    elif (uploaded := await _uploaded(request)) is not None:
        running = await _try_on_file(request, draft, uploaded)
    else:
        sent, by = await fields(request), request[IDENTITY].name
        running = await desk_of(request).try_on_history(draft, _span(sent), by, _zone(request, sent))
    return done(request, f"/drafts/{draft.id}#backtest", backtest=running.as_dict())


async def stop(request: web.Request) -> web.StreamResponse:
    """POST /drafts/{id}/backtest/stop and its twin under /api."""
    draft = await _draft(request)
    stopped = await desk_of(request).backtests.stop(draft.id)
    return done(request, f"/drafts/{draft.id}#backtest", stopped=stopped)


async def show_backtest(request: web.Request) -> web.StreamResponse:
    """GET /drafts/{id}/backtest: how far it is, or what came of it, as a part of the page."""
    draft = await _draft(request)
    context = {"draft": draft, "backtest": draft.backtest, "running": desk_of(request).backtests.of(draft.id)}
    rights = {"can": {"lead": request[IDENTITY].role.covers(Role.LEAD)}, "csrf": csrf_of(request)}
    return html(request, "_backtest.html", {**context, **rights, "zone": viewer_zone(request)})


async def get_backtest(request: web.Request) -> web.StreamResponse:
    """GET /api/drafts/{id}/backtest: ``running`` (null: none goes on) and the last one's ``outcome``."""
    draft = await _draft(request)
    running = desk_of(request).backtests.of(draft.id)
    interrupted = draft.trying if running is None else None
    told = {"running": running.as_dict() if running else None, "interrupted": interrupted, "outcome": draft.backtest}
    return present.answer(told)


async def _draft(request: web.Request) -> Draft:
    draft = await read(request, load_draft, id_of(request))
    if draft is None:
        raise web.HTTPNotFound(text="There is no such draft.")
    return draft


async def _try_on_file(request: web.Request, draft: Draft, file: Recorded) -> Running:
    try:
        return await desk_of(request).try_on_file(draft, file, request[IDENTITY].name, _zone(request, {}))
    except BadTableError as error:
        raise FieldError("file", str(error).replace(str(file.path), file.name)) from error
    except (UnicodeDecodeError, csv.Error) as error:
        file.path.unlink(missing_ok=True)
        raise FieldError("file", f"{file.name}: is no CSV file in UTF-8") from error


async def _kept(request: web.Request) -> Path:
    """Write the body to a file of its own. Raises HTTPRequestEntityTooLarge."""
    path, size = _new_file(), 0
    try:
        with path.open("wb") as file:
            async for part in request.content.iter_chunked(_PART):
                size += len(part)
                if size > LARGEST_FILE:
                    raise web.HTTPRequestEntityTooLarge(LARGEST_FILE, size)
                await asyncio.to_thread(file.write, part)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


async def _uploaded(request: web.Request) -> Recorded | None:
    """Return the file of a page's form; None where there is none."""
    if not request.content_type.startswith("multipart/"):
        return None
    sent = await request.post()
    upload = sent.get("file")
    if not isinstance(upload, web.FileField) or not upload.filename:
        return None
    path = _new_file()
    await asyncio.to_thread(path.write_bytes, upload.file.read())
    return Recorded(path, _name_of(upload.filename), *_settings({k: v for k, v in sent.items() if isinstance(v, str)}))


def _new_file() -> Path:
    with tempfile.NamedTemporaryFile(prefix="backtest-", suffix=".csv", delete=False) as file:
        return Path(file.name)


def _name_of(name: str | None) -> str:
    return Path(name or "samples.csv").name[:120] or "samples.csv"


def _settings(sent: Any) -> tuple[str | None, str | None]:
    return sent.get("profile") or None, sent.get("time_column") or None


def _span(sent: forms.Sent) -> timedelta:
    said = forms.optional_text(sent, "span") or "30d"
    try:
        span = parse_duration(said)
    except ValueError as error:
        raise FieldError("span", f"span: {error}") from error
    if not timedelta(0) < span <= LONGEST_SPAN:
        raise FieldError("span", "span: more than nothing, and ten years at most")
    return span


def _zone(request: web.Request, sent: forms.Sent) -> str:
    name = str(sent.get("zone") or request.query.get("zone") or ("UTC" if is_api(request) else viewer_zone(request)))
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        if wants_json(request) and is_api(request):
            raise FieldError("zone", f"zone: '{name[:60]}' is no IANA time zone, such as Europe/Berlin") from error
        return "UTC"
    return name
