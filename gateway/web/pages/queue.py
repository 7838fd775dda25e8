"""The queue: one list of all that needs a person, and a preview of the chosen case."""

from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

import sqlalchemy as sa
from aiohttp import web

from device_models.event import rfc3339
from device_models.localized import in_language
from gateway.commands import CommandRefused
from gateway.web.access import IDENTITY, fields, read
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError
from gateway.web.language import N_, _, refusal, voice
from gateway.web.one_reading import OneReading
from gateway.web.pages import case as case_page
from gateway.web.pages.shell import show, viewer_zone
from gateway.web.queries import cases, people, queue
from gateway.web.queries.find import find
from gateway.web.queries.queue import QueueFilter, QueuePage, View
from gateway.web.queries.views import views_of
from gateway.web.render import html, text_of
from gateway.web.wording import staff_title

SEVERITIES = ("critical", "major", "minor", "info")
LAST_PAGE = 200
PREVIEW_WIDTH = 380
"""Of its chart, in pixels."""
BULK_AT_MOST = 100
BULK = ("acknowledge", "assign", "route", "snooze", "verdict", "resolve")
_TITLES = {
    View.NEEDS_YOU: N_("Needs you"),
    View.MINE: N_("Mine"),
    View.OPEN: N_("All open"),
    View.ESCALATED: N_("Escalated"),
    View.RESTING: N_("Resting"),
    View.RESOLVED: N_("Resolved"),
    View.ANY: N_("All, ended ones too"),
    View.ARRIVAL: N_("Found on arrival"),
}


_SECTIONS = {View.NEEDS_YOU: "queue", View.MINE: "mine", View.OPEN: "open", View.ARRIVAL: "arrival"}


async def show_queue(request: web.Request) -> web.StreamResponse:
    """GET /: the whole page; with ``fragment=rows`` only the rows, for live updates."""
    wanted = _wanted(request)
    rows = await _rows(request, wanted)
    if request.query.get("fragment") == "rows":
        return web.Response(text=rows.html(request, wanted), content_type="text/html", charset="utf-8")
    context: dict[str, Any] = {
        "page": rows.page,
        "wanted": wanted,
        "view_title": _(_TITLES[wanted.view]),
        "views": [(view, _(title)) for view, title in _TITLES.items()],
    }
    section = _SECTIONS.get(wanted.view, "")
    saved, agents, teams = await read(request, _saved, request[IDENTITY].name)
    section = "team" if wanted.team == "mine" and wanted.view is View.NEEDS_YOU else section
    detector = request.app[DEPS].detector
    narrowing = {
        "severity": wanted.severity,
        "owner": wanted.owner,
        "rule": wanted.rule,
        "site": wanted.site,
        "team": wanted.team,
    }
    asked = {"view": wanted.view.value, "q": wanted.words, **narrowing}
    kept = {name: said for name, said in asked.items() if said}
    return await show(
        request,
        "queue.html",
        section,
        severities=SEVERITIES,
        saved=saved,
        agents=agents,
        teams=teams,
        rules=sorted(rule.id for rule in detector().ruleset.rules) if detector is not None else [],
        asked=kept,
        query=urlencode(sorted(kept.items())),
        rest_until=request.app[DEPS].clock.now() + timedelta(hours=4),
        **context,
    )


class Rows:
    """One reading of the queue, for all who share it, and how it looks to them."""

    def __init__(self, page: QueuePage) -> None:
        self.page = page
        self._assignees = {row.case.assignee for row in page.rows}
        self._texts: dict[tuple[str, str, str | None], str] = {}

    def html(self, request: web.Request, wanted: QueueFilter) -> str:
        """Return the rows as ``wanted`` shows them to its user, written once for all to whom they look the same."""
        zone, you = viewer_zone(request), wanted.user if wanted.user in self._assignees else None
        key = (voice().language, zone, you)
        if key not in self._texts:
            self._texts[key] = text_of(request, "_rows.html", {"page": self.page, "wanted": wanted, "zone": zone})
        return self._texts[key]


READING = web.AppKey("queue reading", OneReading[Rows])


async def _rows(request: web.Request, wanted: QueueFilter) -> Rows:
    shared = wanted.for_anybody

    async def load() -> Rows:
        return Rows(await read(request, queue.load, shared, request.app[DEPS].clock.now()))

    return await request.app[READING].ask((shared, request[IDENTITY].scope), load)


def _saved(connection: sa.Connection, user: str) -> tuple[Sequence[sa.RowMapping], list[str], list[str]]:
    return views_of(connection, user), people.agents(connection), people.team_names(connection)


async def show_arrival(request: web.Request) -> web.StreamResponse:
    """GET /arrival: what was already true when the gateway first met each device; nobody was messaged about it."""
    wanted = QueueFilter(View.ARRIVAL, request[IDENTITY].name, page=_page(request))
    page = await read(request, queue.load, wanted, request.app[DEPS].clock.now())
    return await show(request, "arrival.html", "arrival", page=page, wanted=wanted)


async def show_preview(request: web.Request) -> web.StreamResponse:
    """GET /preview/{case_id}: the pane beside the queue."""
    found = await case_page.facts_of(request)
    context = await case_page.context_of(request, found, hours=1, width=PREVIEW_WIDTH)
    return html(request, "_preview.html", context)


async def bulk(request: web.Request) -> web.StreamResponse:
    """POST /bulk: ``action`` (see ``BULK``) on ``ids``; what was refused is named, the rest is done.

    ``undo`` has for each case the ``command`` and ``fields`` that take it back.
    """
    sent = await fields(request)
    action = sent.get("action")
    if action not in BULK:
        raise FieldError("action", f"Choose one of {', '.join(BULK)}.")
    named = (word for word in str(sent.get("ids", "")).split(",") if word.isdecimal() and len(word) < 18)
    ids = [int(word) for word in named][:BULK_AT_MOST]
    before = {line.id: line for line in await read(request, cases.load, ids)}
    refused: dict[str, str] = {}
    undo: dict[str, dict[str, Any]] = {}
    for case_id in ids:
        try:
            result = await request.app[DEPS].commands.submit(case_page.command_of(request, action, case_id, sent))
        except CommandRefused as error:
            refused[str(case_id)] = refusal(str(error))
            continue
        if (back := _way_back(action, before.get(case_id), result)) is not None:
            undo[str(case_id)] = back
    done = len(ids) - len(refused)
    return web.json_response({"done": done, "refused": refused, "undo": undo}, status=HTTPStatus.OK)


def _way_back(action: str, was: cases.CaseLine | None, result: Any) -> dict[str, Any] | None:
    """Tell what takes a deed on a case back, given how the case was; None where it changed nothing that can be."""
    if was is None:
        return None
    match action:
        case "acknowledge":
            return {"command": "assign", "fields": {"assignee": ""}} if was.assignee is None else None
        case "assign":
            return {"command": "assign", "fields": {"assignee": was.assignee or ""}}
        case "route":
            return {"command": "route", "fields": {"team": was.team}} if was.team is not None else None
        case "snooze":
            until = rfc3339(was.snoozed_until) if was.snoozed_until is not None else ""
            return {"command": "snooze", "fields": {"until": until}}
        case "verdict":
            return {"command": "verdict", "fields": {"verdict": result or ""}}
        case _:
            return {"command": "unresolve", "fields": {}}


async def suggest(request: web.Request) -> web.StreamResponse:
    """GET /suggest?q=: for the command palette up to eight cases, then customers, devices and rules."""
    words = request.query.get("q", "").replace("\0", "")[:200]
    page = await read(request, queue.load, QueueFilter(View.ANY, words=words), request.app[DEPS].clock.now())
    found = [_suggestion(row.case) for row in page.rows[:8]]
    named = await read(request, find, words) if words.strip() else []
    people = {one.customer_id: one.customer_name for one in named if one.customer_id is not None}
    found += [
        {"href": f"/customers/{quote(who, safe='')}", "label": name or who, "hint": _("customer")}
        for who, name in list(people.items())[:3]
    ]
    found += [
        {
            "href": f"/devices/{quote(one.device_id or '', safe='')}",
            "label": f"{one.device_label} · {one.customer_name or _('no owner')}",
            "hint": _("device"),
        }
        for one in [one for one in named if one.device_id is not None][:4]
    ]
    return web.json_response({"items": found + _rules_named(request, words)[:4]})


def _rules_named(request: web.Request, words: str) -> list[dict[str, str]]:
    detector, wanted = request.app[DEPS].detector, words.lower().split()
    rules = detector().ruleset.rules if detector is not None and wanted else ()
    named = [(rule.id, in_language(rule.title, voice().language) or rule.id) for rule in rules]
    return [
        {"href": f"/rules/{rule_id}", "label": title, "hint": _("rule")}
        for rule_id, title in named
        if all(word in f"{rule_id} {title}".lower() for word in wanted)
    ]


def _suggestion(case: cases.CaseLine) -> dict[str, str]:
    who = case.customer_name or _("no customer")
    label = f"{staff_title(case.explanation, case.rule)} · {case.device_label} · {who}"
    return {"href": f"/cases/{case.id}", "label": label, "hint": f"#{case.id}"}


def _wanted(request: web.Request) -> QueueFilter:
    try:
        view = View(request.query.get("view", View.NEEDS_YOU))
    except ValueError:
        raise web.HTTPNotFound(text="There is no such view.") from None
    severity = request.query.get("severity")
    return QueueFilter(
        view=view,
        user=request[IDENTITY].name,
        severity=severity if severity in SEVERITIES else None,
        words=request.query.get("q", "").strip()[:200],
        page=_page(request),
        owner=request.query.get("owner", "")[:100],
        rule=request.query.get("rule", "")[:100],
        site=request.query.get("site", "")[:100],
        team=request.query.get("team", "")[:100],
    )


def _page(request: web.Request) -> int:
    asked = request.query.get("page", "1")
    return max(1, min(int(asked), LAST_PAGE)) if asked.isdecimal() and len(asked) < 6 else 1
