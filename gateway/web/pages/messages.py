"""Messages: what waits for a person's word, what went, what could not, and the switch that stops it all."""

import sqlalchemy as sa
from aiohttp import web

from gateway.commands import CommandRefused, Hold
from gateway.people.checks import STRANGER
from gateway.staff.alerts import STAFF
from gateway.web import forms
from gateway.web.access import IDENTITY, fields, is_api, read, wants_json
from gateway.web.deps import DEPS
from gateway.web.language import N_, _, say
from gateway.web.pages.case import done, id_of, previews_of, why_of
from gateway.web.pages.shell import show
from gateway.web.pages.texts import MEANS
from gateway.web.queries import messages
from gateway.web.queries.messages import MessageLine
from notifiers.message import Rendered

WORDED_AT_MOST = 30
"""Messages that are worded on one page; the rest is read in their cases."""
TABS = {
    "waiting": (N_("Waiting for approval"), messages.WAITING),
    "undecided": (N_("Unknown and dead"), messages.UNDECIDED),
    "moving": (N_("Sent"), messages.MOVING),
    "ended": (N_("Not sent"), messages.ENDED),
}


async def show_messages(request: web.Request) -> web.StreamResponse:
    """GET /messages?tab=: one list a kind of state."""
    tab = request.query.get("tab", "waiting")
    if tab not in TABS:
        raise web.HTTPNotFound(text="There is no such list of messages.")
    before = request.query.get("before", "")
    lines, counts = await read(request, _lists, tab, int(before) if before.isdecimal() and len(before) < 18 else None)
    shown = lines[: messages.PAGE]
    previews: dict[int, Rendered] = {}
    if tab == "waiting":
        previews = await previews_of(request, shown[:WORDED_AT_MOST])
    return await show(
        request,
        "messages.html",
        "messages",
        tab=tab,
        tabs={
            name: (_(title), sum(counts.get(state, 0) for state in states)) for name, (title, states) in TABS.items()
        },
        lines=shown,
        previews=previews,
        why={line.id: why_of(line) for line in shown},
        means={name: _(said) for name, said in MEANS.items()},
        addressee=_addressee,
        queued=counts.get("queued", 0),
        next_before=shown[-1].id if len(lines) > messages.PAGE else None,
    )


async def act_on_message(request: web.Request) -> web.StreamResponse:
    """POST /messages/{id}/{command} and its twin under /api."""
    name = request.path.rpartition("/")[2]
    command = forms.MESSAGE_COMMANDS[name](id_of(request), request[IDENTITY].name, await fields(request))
    await request.app[DEPS].commands.submit(command)
    return done(request, "/messages")


async def hold(request: web.Request) -> web.StreamResponse:
    """POST /hold: keep all that would go out."""
    await request.app[DEPS].commands.submit(Hold(on=True, by=request[IDENTITY].name))
    return done(request, "/messages")


async def release(request: web.Request) -> web.StreamResponse:
    """POST /release: let it go again; ``discard`` drops what was kept."""
    sent = await fields(request)
    discard = forms.flag_of(sent, "discard")
    count = await request.app[DEPS].commands.submit(Hold(on=False, by=request[IDENTITY].name, discard=discard))
    if wants_json(request) or is_api(request):
        return web.json_response({"ok": True, "messages": count})
    raise web.HTTPSeeOther("/messages")


def _addressee(line: MessageLine) -> str:
    """Name who a message is for: a customer, a colleague who is called, or somebody who is no customer yet."""
    if line.customer_id.startswith(STAFF):
        return say("{1}, on call", line.customer_id.removeprefix(STAFF))
    return line.customer_name or (_("no customer yet") if line.customer_id == STRANGER else line.customer_id)


def _lists(connection: sa.Connection, tab: str, before_id: int | None) -> tuple[list[MessageLine], dict[str, int]]:
    lines = messages.page(connection, TABS[tab][1], before_id, messages.PAGE + 1)
    return lines, messages.count_by_state(connection)


async def show_preview_text(request: web.Request) -> web.StreamResponse:
    """GET /api/messages/{id}/preview: the words as they would go out now."""
    try:
        rendered = await request.app[DEPS].preview(id_of(request))
    except (LookupError, CommandRefused) as error:
        raise web.HTTPNotFound(text="There is no such message.") from error
    return web.json_response({"subject": rendered.subject, "text": rendered.text})
