"""Writing rules: a text checked as it is typed and kept, what it would change, and going live."""

from itertools import islice
from typing import Any

from aiohttp import web

from device_models.localized import in_language
from gateway.commands.drafts import BeginDraft, DropDraft, PutDraftLive, SaveDraft
from gateway.history import HistoryError
from gateway.rulebook.desk import RuleDesk
from gateway.rulebook.drafts import Draft, load_draft, open_drafts
from gateway.rulebook.editing import LARGEST_TEXT, Look, changed_lines
from gateway.web import forms
from gateway.web.access import IDENTITY, fields, is_api, read, wants_json
from gateway.web.api import present
from gateway.web.case_forms import number_of
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError
from gateway.web.language import _, mistake, say, voice
from gateway.web.pages.case import done, id_of
from gateway.web.pages.shell import show
from gateway.web.render import ENVIRONMENT, html
from gateway.web.why import standings

OFFERED = 200
"""Devices offered as one types; any other can be named."""
NEW_RULE = """\
rules:
  # What must be true, for how long, and when it is over. Sent as mode: shadow first, nobody is told.
  - id: my-rule
    kind: condition
    profile: freezer
    title: {en: Your freezer is getting warm}
    when: temperature > -14
    for: 15m
    clear_when: temperature < -16
    severity: minor
    mode: shadow

tests:
  - name: a warm quarter of an hour
    rule: my-rule
    given: [{at: 0m, until: 20m, every: 5m, values: {temperature: -10}}]
    expect: {firing: [15m]}
"""
"""What somebody finds who writes a new rule; it is right as it stands."""


async def show_new(request: web.Request) -> web.StreamResponse:
    """GET /drafts/new?rule=ID…: the rules as they are in force, to be changed; without any, one to begin with."""
    ids = list(dict.fromkeys(request.query.getall("rule", [])))
    for draft in await read(request, open_drafts):
        if set(draft.replaces) & set(ids):
            raise web.HTTPSeeOther(f"/drafts/{draft.id}")
    beginning = await desk_of(request).begin(ids)
    known = {rule.id for rule in beginning.in_force.rules}
    if unknown := [rule for rule in ids if rule not in known]:
        raise web.HTTPNotFound(text=f"There is no rule {unknown[0]} in force.")
    text = beginning.text or NEW_RULE
    return await _show_editor(request, None, text, beginning.text, ids)


async def show_draft(request: web.Request) -> web.StreamResponse:
    """GET /drafts/{id}: a draft in the editor."""
    draft = await _draft(request)
    return await _show_editor(request, draft, draft.text, draft.began_as, draft.replaces)


async def look(request: web.Request) -> web.StreamResponse:
    """POST /drafts/look and /api/rules/check: what a text would do in place of the rules ``replaces``."""
    sent = await fields(request)
    text, replaces = rule_text_of(sent), _ids_of(sent, "replaces")
    found, live = await desk_of(request).look(text, replaces)
    told = found.as_dict(str if is_api(request) else mistake) | {"in_force": live.version}
    if not is_api(request):
        told["html"] = _look_html(request, found, text, str(sent.get("began_as") or ""))
    return present.answer(told)


async def complete(request: web.Request) -> web.StreamResponse:
    """GET /drafts/completions.json and /api/rules/completions: what may stand where in a rule, for editors."""
    return present.answer(await desk_of(request).completions())


async def begin(request: web.Request) -> web.StreamResponse:
    """POST /drafts and /api/drafts: keep a ``text`` that is to stand in place of the rules ``replaces``."""
    sent = await fields(request)
    replaces = _ids_of(sent, "replaces")
    # What the rules say now, as whoever writes was shown it, is what the draft is held against line by line.
    began_as = (await desk_of(request).begin(replaces)).text
    command = BeginDraft(rule_text_of(sent), tuple(replaces), began_as, request[IDENTITY].name)
    kept = await request.app[DEPS].commands.submit(command)
    return done(request, f"/drafts/{kept['id']}", **kept)


async def save(request: web.Request) -> web.StreamResponse:
    """POST /drafts/{id} and its twin under /api: keep ``text``, unless somebody saved after the version ``seen``."""
    sent, draft_id = await fields(request), id_of(request)
    seen = number_of(sent, "seen") if sent.get("seen") not in (None, "") else None
    kept = await request.app[DEPS].commands.submit(
        SaveDraft(draft_id, rule_text_of(sent), seen, request[IDENTITY].name)
    )
    return done(request, f"/drafts/{draft_id}", **kept)


async def show_why(request: web.Request) -> web.StreamResponse:
    """GET /drafts/{id}/why?device_id=: where the draft would stand on a device, as a part of the page."""
    draft = await _draft(request)
    found, _ = await desk_of(request).look(draft.text, draft.replaces)
    return html(request, "_why.html", await _why(request, found))


async def get_why(request: web.Request) -> web.StreamResponse:
    """GET /api/drafts/{id}/why?device_id=: the same, as ``/api/devices/{id}/explain`` tells it."""
    draft = await _draft(request)
    found, _ = await desk_of(request).look(draft.text, draft.replaces)
    try:
        rules = await desk_of(request).why(found, request.query.get("device_id", ""))
    except LookupError as error:
        raise FieldError("device_id", f"device_id: {error}") from error
    except HistoryError as error:
        raise web.HTTPServiceUnavailable(text=str(error)) from error
    return present.answer({"rules": rules})


async def drop(request: web.Request) -> web.StreamResponse:
    """POST /drafts/{id}/drop and its twin under /api: put it away; with ``back`` take it up again."""
    sent, draft_id = await fields(request), id_of(request)
    back = forms.flag_of(sent, "back")
    await request.app[DEPS].commands.submit(DropDraft(draft_id, request[IDENTITY].name, back=back))
    return done(request, f"/drafts/{draft_id}" if back else "/rules")


async def show_going_live(request: web.Request) -> web.StreamResponse:
    """GET /drafts/{id}/live: what going live would change, and what becomes of each open alert."""
    draft = await _draft(request)
    found, live = await desk_of(request).look(draft.text, draft.replaces)
    if draft.state != "open" or found.in_force is None or not found.changes:
        raise web.HTTPSeeOther(f"/drafts/{draft.id}")
    migration = await desk_of(request).migration(live, found.in_force)
    return await show(
        request, "going_live.html", "rules", draft=draft, look=found, migration=migration, in_force=live.version
    )


async def get_migration(request: web.Request) -> web.StreamResponse:
    """GET /api/drafts/{id}/migration: what becomes of open alerts, over the version ``in_force``."""
    draft = await _draft(request)
    found, live = await desk_of(request).look(draft.text, draft.replaces)
    rules = await desk_of(request).migration(live, found.in_force) if found.in_force is not None else []
    return present.answer({"in_force": live.version, "look": found.as_dict(), "rules": rules})


async def put_live(request: web.Request) -> web.StreamResponse:
    """POST /drafts/{id}/live and its twin under /api: over ``in_force``, as it was ``seen``."""
    sent, draft_id = await fields(request), id_of(request)
    in_force = forms.text_of(sent, "in_force", what="the version in force")
    command = PutDraftLive(draft_id, number_of(sent, "seen"), in_force, request[IDENTITY].name)
    result = await request.app[DEPS].commands.submit(command)
    if is_api(request) or wants_json(request):
        return web.json_response({"ok": True, **result})
    raise web.HTTPSeeOther(f"/versions/{result['version']}")


async def list_drafts(request: web.Request) -> web.StreamResponse:
    """GET /api/drafts: what is being written."""
    items = [draft.as_dict() for draft in await read(request, open_drafts)]
    return present.answer({"items": items, "next": None})


async def get_draft(request: web.Request) -> web.StreamResponse:
    """GET /api/drafts/{id}: its text, what it would do, and its last backtest."""
    draft = await _draft(request)
    found, live = await desk_of(request).look(draft.text, draft.replaces)
    said = {"text": draft.text, "in_force": live.version, "look": found.as_dict(), "backtest": draft.backtest}
    return present.answer(draft.as_dict() | said)


def desk_of(request: web.Request) -> RuleDesk:
    """Return where rules are written."""
    desk = request.app[DEPS].rule_desk
    if desk is None:
        raise web.HTTPNotFound(text="Rules are not written here.")
    return desk


def rule_text_of(sent: forms.Sent) -> str:
    """Return the text of rules. Raises FieldError."""
    text = sent.get("text") or ""
    if not isinstance(text, str) or "\0" in text:
        raise FieldError("text", "text: is no text")
    if len(text) > LARGEST_TEXT:
        raise FieldError("text", f"text: {len(text)} characters; {LARGEST_TEXT} is the most")
    return text.replace("\r\n", "\n")


def _ids_of(sent: forms.Sent, field: str) -> list[str]:
    said = sent.get(field) or []
    ids = said.split() if isinstance(said, str) else said
    if not isinstance(ids, list) or not all(isinstance(one, str) and "\0" not in one for one in ids):
        raise FieldError(field, f"{field}: a list of ids of rules")
    return list(dict.fromkeys(ids))


async def _draft(request: web.Request) -> Draft:
    draft = await read(request, load_draft, id_of(request))
    if draft is None:
        raise web.HTTPNotFound(text="There is no such draft.")
    return draft


async def _show_editor(
    request: web.Request, draft: Draft | None, text: str, began_as: str, replaces: Any
) -> web.StreamResponse:
    found, live = await desk_of(request).look(text, replaces)
    titles = {rule.id: in_language(rule.title, voice().language) for rule in live.rules}
    named = titles.get(replaces[0]) or replaces[0] if len(replaces) == 1 else say("{1} rules", len(replaces))
    moved = False
    if draft is not None and draft.state == "open" and draft.replaces and draft.began_from != live.version:
        moved = (await desk_of(request).begin(draft.replaces)).text != draft.began_as
    return await show(
        request,
        "draft.html",
        "rules",
        draft=draft,
        text=text,
        began_as=began_as,
        replaces=replaces,
        heading=named if replaces else _("New rule"),
        look=found,
        lines=changed_lines(began_as, text) if began_as else [],
        moved=moved,
        backtest=draft.backtest if draft else None,
        running=desk_of(request).backtests.of(draft.id) if draft else None,
        **await _why(request, found),
        some_devices=_some_devices(request, found),
        profiles=sorted(request.app[DEPS].profiles),
    )


async def _why(request: web.Request, found: Look) -> dict[str, Any]:
    """``device_id`` as asked for, ``standings`` of the text's rules on it, ``trouble`` where there are none."""
    deps, device_id = request.app[DEPS], request.query.get("device_id", "").strip()[:200]
    told: dict[str, Any] = {"device_id": device_id, "standings": [], "trouble": ""}
    if not device_id:
        return told
    try:
        explained = await desk_of(request).why(found, device_id)
    except (LookupError, HistoryError) as error:
        return told | {"trouble": str(error)}
    device = deps.devices.get(device_id)
    profile = deps.profiles.get(device.profile) if device is not None else None
    trouble = "" if found.right else "There are mistakes in the text."
    return told | {"standings": standings(explained, profile, deps.clock.now(), deps.devices), "trouble": trouble}


def _some_devices(request: web.Request, found: Look) -> list[str]:
    """Devices that the rules are for, to choose among as one types."""
    rules = found.rules.rules
    devices = request.app[DEPS].devices.values()
    fitting = (d.id for d in devices if not rules or any(rule.applies_to(d.profile) for rule in rules))
    return list(islice(fitting, OFFERED))


def _look_html(request: web.Request, found: Look, text: str, began_as: str) -> str:
    template = request.app[ENVIRONMENT].get_template("_look.html")
    lines = changed_lines(began_as, text) if began_as else []
    return template.render(look=found, lines=lines)
