"""Better settings for the rules in force: looked for on what was recorded and judged, tried, and taken into a draft."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from device_models.duration import parse_duration
from device_models.localized import in_language
from gateway.commands.drafts import BeginDraft
from gateway.rulebook.drafts import load_draft, open_drafts
from gateway.rulebook.suggestions import Found
from gateway.web import forms
from gateway.web.access import IDENTITY, csrf_of, fields, read
from gateway.web.api import present
from gateway.web.auth import Role
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError
from gateway.web.language import voice
from gateway.web.pages.case import done
from gateway.web.pages.drafts import desk_of
from gateway.web.pages.shell import show, viewer_zone
from gateway.web.render import html
from rules.authoring.suggestion import Favour

SPANS = ("30d", "90d", "180d", "365d")
LONGEST_SPAN = timedelta(days=3660)


async def show_suggestions(request: web.Request) -> web.StreamResponse:
    """GET /suggestions: what the last search found, with its evidence; with ``fragment`` that part alone."""
    found, detector = _last(request), request.app[DEPS].detector
    drafts = await read(request, open_drafts)
    rules = detector().ruleset.rules if detector is not None else ()
    answers = found.answers if found is not None else ()
    context = {
        "found": found,
        "proposing": [answer for answer in answers if answer["proposes"]],
        "others": [answer for answer in answers if not answer["proposes"] and answer.get("reason") != "kind"],
        "of_other_kinds": sum(answer.get("reason") == "kind" for answer in answers),
        "titles": {rule.id: in_language(rule.title, voice().language) or rule.id for rule in rules},
        "drafts": {rule_id: draft.id for draft in drafts for rule_id in draft.replaces},
        "spans": SPANS,
    }
    if "fragment" in request.query:
        rights = {"can": {"lead": request[IDENTITY].role.covers(Role.LEAD)}, "csrf": csrf_of(request)}
        return html(request, "_suggestions.html", {**context, **rights, "zone": viewer_zone(request)})
    return await show(request, "suggestions.html", "rules", **context)


async def list_suggestions(request: web.Request) -> web.StreamResponse:
    """GET /api/suggestions: the last search, its ``state`` and ``items``: of each rule what is proposed, or why not."""
    found = _last(request)
    return present.answer({**(found.as_dict() if found is not None else {"state": None, "items": []}), "next": None})


async def start(request: web.Request) -> web.StreamResponse:
    """POST /suggestions and /api/suggestions: look over the last ``since``, in a process of its own."""
    sent = await fields(request)
    found = await desk_of(request).suggest(_span(sent), _keep(sent), _favour(sent), request[IDENTITY].name)
    return done(request, "/suggestions", state=found.state)


async def stop(request: web.Request) -> web.StreamResponse:
    """POST /suggestions/stop and its twin under /api."""
    return done(request, "/suggestions", stopped=await desk_of(request).suggestions.stop())


async def take(request: web.Request) -> web.StreamResponse:
    """POST /suggestions/{id}/draft and its twin under /api: begin a draft with it; ``try`` runs a backtest of it."""
    rule_id, by, desk = request.match_info["id"], request[IDENTITY].name, desk_of(request)
    sent = await fields(request)
    found, proposed = _proposed(desk.suggestions.last, rule_id)
    beginning, text = await desk.with_settings(rule_id, {c["field"]: str(c["after"]) for c in proposed["changes"]})
    kept = await request.app[DEPS].commands.submit(BeginDraft(text, (rule_id,), beginning.text, by))
    draft = await read(request, load_draft, kept["id"])
    if forms.flag_of(sent, "try") and draft is not None:
        await desk.try_on_history(draft, found.terms.span, by, viewer_zone(request))
    where = "#backtest" if forms.flag_of(sent, "try") else ""
    return done(request, f"/drafts/{kept['id']}{where}", **kept)


DEEDS: Mapping[str, Handler] = {"": start, "/stop": stop, "/{id}/draft": take}


def _last(request: web.Request) -> Found | None:
    """Return the last search. Its figures are of everybody's cases, so it is for nobody whose role is bounded."""
    scope = request[IDENTITY].scope
    if scope.bounded:
        raise web.HTTPForbidden(text=f"This counts cases of everybody; you see {scope.words()}.")
    return desk_of(request).suggestions.last


def _proposed(found: Found | None, rule_id: str) -> tuple[Found, Mapping[str, Any]]:
    if found is not None:
        for answer in found.answers:
            if answer["rule"] == rule_id and answer["proposes"]:
                return found, answer
    raise web.HTTPNotFound(text="Nothing better is proposed for this rule.")


def _span(sent: forms.Sent) -> timedelta:
    try:
        span = parse_duration(forms.optional_text(sent, "since") or "90d")
    except ValueError as error:
        raise FieldError("since", f"since: {error}") from error
    if not timedelta(0) < span <= LONGEST_SPAN:
        raise FieldError("since", "since: more than nothing, and ten years at most")
    return span


def _keep(sent: forms.Sent) -> float:
    try:
        keep = float(sent.get("keep") or 1)
    except (TypeError, ValueError):
        keep = -1.0
    if not 0 <= keep <= 1:
        raise FieldError("keep", "keep: a share from 0 to 1")
    return keep


def _favour(sent: forms.Sent) -> Favour:
    match forms.optional_text(sent, "favour") or "precision":
        case "precision":
            return "precision"
        case "recall":
            return "recall"
    raise FieldError("favour", "favour: precision or recall")
