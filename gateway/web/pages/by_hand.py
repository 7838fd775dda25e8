"""What a person begins: a case for what somebody reported, a command to a device, an answer kept for next time."""

from dataclasses import asdict
from typing import Any

from aiohttp import web

from gateway.commands.cases import SaveMacro, SendDeviceCommand
from gateway.rulebook.proposing import Missed, propose_test
from gateway.web import forms
from gateway.web.access import IDENTITY, fields, read
from gateway.web.api import present
from gateway.web.case_forms import number_of, open_case_of
from gateway.web.deps import DEPS
from gateway.web.evidence import draw_field
from gateway.web.pages.case import done, facts_of
from gateway.web.pages.devices import explained
from gateway.web.pages.shell import show, viewer_zone
from gateway.web.preconditions import with_etags
from gateway.web.queries import cases, devices, people
from gateway.web.queries.case_work import all_macros
from gateway.web.queries.find import find as find_words
from gateway.web.twin import fields_of, twin_of
from gateway.web.why import standings
from gateway.web.wording import text_in

SEVERITIES = ("critical", "major", "minor", "info")


async def show_form(request: web.Request) -> web.StreamResponse:
    """GET /new?q=, &device_id= or &customer_id=: find who it is about, see how it is, say what they report."""
    query, deps = request.query, request.app[DEPS]
    words, device_id = query.get("q", "").replace("\0", "").strip()[:200], query.get("device_id", "")
    context: dict[str, Any] = {"words": words, "found": [], "device": None, "customer": None, "severities": SEVERITIES}
    if device_id:
        line = await read(request, devices.one, device_id)
        if line is None:
            raise web.HTTPNotFound(text="No device of this id is registered.")
        now, profile = deps.clock.now(), deps.profiles.get(line.profile)
        rules = standings(await explained(deps, device_id), profile, now, deps.devices)
        measured = next(iter(profile.chart), None) if profile else None
        zone = viewer_zone(request)
        hour = await draw_field(deps.history, device_id, measured, profile, now, 1, zone) if measured else None
        of_device = await read(request, cases.of_device, device_id, 6)
        context |= {
            "device": line,
            "hour": hour,
            "twin": fields_of(twin_of(line.state), profile, now),
            "explained": [rule for rule in rules if rule.applies],
            "open_cases": [case for case in of_device if case.open],
        }
    elif customer_id := query.get("customer_id", ""):
        context["customer"] = await read(request, people.customer, customer_id)
        if context["customer"] is None:
            raise web.HTTPNotFound(text="There is no such customer.")
    elif words:
        context["found"] = await read(request, find_words, words)
    return await show(request, "new.html", "new", **context)


async def download_rule_test(request: web.Request) -> web.StreamResponse:
    """GET /cases/{id}/rule-test.yaml: of a fault that no rule saw, a test for the rule that is missing."""
    case_id, text = await _rule_test(request)
    disposition = f'attachment; filename="case-{case_id}.yaml"'
    return web.Response(text=text, content_type="application/yaml", headers={"Content-Disposition": disposition})


async def show_rule_test(request: web.Request) -> web.StreamResponse:
    """GET /api/cases/{id}/rule-test: the same, ``yaml``."""
    _, text = await _rule_test(request)
    return present.answer({"yaml": text})


async def _rule_test(request: web.Request) -> tuple[int, str]:
    case, deps = (await facts_of(request)).case, request.app[DEPS]
    if not case.was_missed or case.profile is None:
        raise web.HTTPNotFound(text="Only a device's fault that a person reported, and no rule had seen, makes a test.")
    missed = Missed(case.id, text_in(case.explanation.get("title", {})), case.device_id, case.profile, case.opened_at)
    return case.id, await propose_test(deps.history, missed)


async def find(request: web.Request) -> web.StreamResponse:
    """GET /find?q= and /api/find?q=: devices and customers by phone, name, mail, serial or id."""
    words = request.query.get("q", "").replace("\0", "").strip()[:200]
    found = await read(request, find_words, words) if words else []
    return present.answer({"items": [asdict(one) for one in found], "next": None})


async def open_case(request: web.Request) -> web.StreamResponse:
    """POST /cases and /api/cases: answers its ``case``."""
    number = await request.app[DEPS].commands.submit(open_case_of(await fields(request), request[IDENTITY].name))
    return done(request, f"/cases/{number}", case=number)


async def send_command(request: web.Request) -> web.StreamResponse:
    """POST /devices/{id}/command and its twin under /api: one that the profile allows; answers its number."""
    device_id, sent = request.match_info["id"], await fields(request)
    case_id = number_of(sent, "case_id") if sent.get("case_id") else None
    name = forms.text_of(sent, "name", what="which command")
    command = SendDeviceCommand(device_id, name, request[IDENTITY].name, case_id)
    number = await request.app[DEPS].commands.submit(command)
    return done(request, f"/cases/{case_id}" if case_id else f"/devices/{device_id}", command=number)


async def show_macros(request: web.Request) -> web.StreamResponse:
    """GET /macros: answers that staff give often."""
    return await show(request, "macros.html", "macros", macros=await _macros(request))


async def list_macros(request: web.Request) -> web.StreamResponse:
    """GET /api/macros: ``name``, ``text``, ``sends``."""
    return present.answer({"items": await _macros(request), "next": None})


async def _macros(request: web.Request) -> list[dict[str, Any]]:
    rows = await read(request, all_macros)
    return await read(request, with_etags, "macro", [present.plain(row) for row in rows], "name")


async def save_macro(request: web.Request) -> web.StreamResponse:
    """POST /macros and /api/macros: keep ``text`` under ``name``; without a text it is deleted."""
    sent = await fields(request)
    name, text = forms.text_of(sent, "name", what="a name"), forms.optional_text(sent, "text")
    deed = SaveMacro(name, text or None, request[IDENTITY].name, forms.flag_of(sent, "sends"))
    await request.app[DEPS].commands.submit(deed)
    return done(request, "/macros")
