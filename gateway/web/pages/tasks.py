"""Calls and dates that customers asked for: the list, in their own hours, and what came of each."""

from datetime import datetime

import sqlalchemy as sa
from aiohttp import web

from gateway.commands.desk import CancelBooking, SettleTask
from gateway.web.access import IDENTITY, fields, read
from gateway.web.api import present
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError
from gateway.web.forms import optional_text
from gateway.web.pages.case import done, id_of
from gateway.web.pages.shell import show
from gateway.web.preconditions import with_etags
from gateway.web.queries import tasks
from gateway.web.queries.tasks import BookingLine, TaskLine


async def show_tasks(request: web.Request) -> web.StreamResponse:
    """GET /tasks."""
    waiting, settled, coming = await read(request, _load, request.app[DEPS].clock.now())
    return await show(request, "tasks.html", "tasks", waiting=waiting, settled=settled, coming=coming)


async def list_tasks(request: web.Request) -> web.StreamResponse:
    """GET /api/tasks: those that are open, and those settled within two weeks; numbers of people stay out."""
    waiting, settled, coming = await read(request, _load, request.app[DEPS].clock.now())
    items = [
        {
            "id": line.id,
            "kind": line.kind,
            "state": line.state,
            "customer_id": line.customer_id,
            "case_id": line.case_id,
            "wanted_from": line.wanted_from,
            "wanted_until": line.wanted_until,
            "about": line.about,
            "outcome": line.outcome,
            "settled_by": line.settled_by,
        }
        for line in (*waiting, *settled)
    ]
    dates = [
        {"id": b.id, "team": b.team, "case_id": b.case_id, "starts_at": b.starts_at, "ends_at": b.ends_at}
        for b in coming
    ]
    tagged = await read(request, with_etags, "task", items)
    return present.answer({"items": tagged, "dates": dates, "next": None})


async def settle(request: web.Request) -> web.StreamResponse:
    """POST /tasks/{id}/settle and its twin under /api: ``state`` done, missed or cancelled, ``outcome``."""
    sent = await fields(request)
    state = sent.get("state")
    if state not in ("done", "missed", "cancelled"):
        raise FieldError("state", "state: done, missed or cancelled")
    command = SettleTask(id_of(request), state, optional_text(sent, "outcome"), request[IDENTITY].name)
    await request.app[DEPS].commands.submit(command)
    return done(request, "/tasks")


async def cancel_date(request: web.Request) -> web.StreamResponse:
    """POST /dates/{id}/cancel and its twin under /api."""
    await request.app[DEPS].commands.submit(CancelBooking(id_of(request), request[IDENTITY].name))
    return done(request, "/tasks")


def _load(connection: sa.Connection, now: datetime) -> tuple[list[TaskLine], list[TaskLine], list[BookingLine]]:
    return tasks.open_tasks(connection), tasks.settled_tasks(connection, now), tasks.coming_dates(connection, now)
