"""GET under /api: lists by cursor, single things with all that is known of them."""

from dataclasses import asdict
from datetime import UTC, datetime

import sqlalchemy as sa
from aiohttp import web

from gateway.history import HistoryError
from gateway.store.schema import cases as cases_table
from gateway.web.access import read
from gateway.web.api import present
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError
from gateway.web.evidence import series_of
from gateway.web.pages import case as case_page
from gateway.web.pages.case import id_of, why_of
from gateway.web.pages.devices import wanted_of
from gateway.web.queries import cases, devices, messages, visits
from gateway.web.queries.cases import CaseFilter
from gateway.web.queries.messages import MessageLine
from gateway.web.queries.presence import presence_of
from gateway.web.twin import twin_of

PAGE = 100
LARGEST_PAGE = 1000


async def list_cases(request: web.Request) -> web.StreamResponse:
    """GET /api/cases: by the time they opened, oldest first."""
    query, limit = request.query, limit_of(request)
    wanted = CaseFilter(
        state=query.get("state"),
        severity=query.get("severity"),
        rule=query.get("rule"),
        device_id=query.get("device_id"),
        customer_id=query.get("customer_id"),
        on_arrival=_truth(query.get("on_arrival")),
        opened_since=_time("opened_since", query.get("opened_since")),
    )
    lines = await read(request, cases.page, wanted, cursor_of(request), limit + 1)
    return present.listed([present.case(line) for line in lines], limit)


async def get_case(request: web.Request) -> web.StreamResponse:
    """GET /api/cases/{id}: with timeline, messages and evidence."""
    deps, now = request.app[DEPS], request.app[DEPS].clock.now()
    facts = await case_page.facts_of(request)
    sent = await read(request, messages.page, None, None, PAGE, facts.case.id)
    series = await series_of(deps.history, facts.case, deps.profiles.get(facts.case.profile or ""), now, 1)
    evidence = {
        "explanation": facts.case.explanation,
        "firing_from": facts.firing_from,
        "firing_until": facts.firing_until,
        "twin": twin_of(facts.device.state if facts.device else None).as_dict(),
        "series": None
        if series is None
        else {"field": series.field, "unit": series.unit, "times": series.times, "values": series.values},
    }
    return present.answer(
        {
            **present.case(facts.case),
            "timeline": [present.entry(entry) for entry in facts.timeline],
            "verdict": facts.verdict,
            "linked": [line.id for line in facts.work.linked],
            "merged": [line.id for line in facts.work.merged],
            "steps": {step: {"by": by, "at": at} for step, (by, at) in facts.work.steps.items()},
            "commands": [present.plain(row) for row in facts.work.commands],
            "messages": [present.message(line, facts.case.rule, facts.case.opened_at) for line in sent],
            "evidence": evidence,
        }
    )


async def list_devices(request: web.Request) -> web.StreamResponse:
    """GET /api/devices: by id."""
    limit = limit_of(request)
    lines = await read(request, devices.page, wanted_of(request), request.query.get("cursor"), limit + 1)
    return present.listed([present.device(line) for line in lines], limit)


async def get_device(request: web.Request) -> web.StreamResponse:
    """GET /api/devices/{id}: with twin, cases and why / why not of each rule."""
    device_id = request.match_info["id"]
    line = await read(request, devices.one, device_id)
    if line is None:
        raise web.HTTPNotFound(text="No device of this id is registered.")
    of_device = await read(request, cases.of_device, device_id)
    explained = await request.app[DEPS].explain(device_id)
    shown = {
        **present.device(line),
        "presence": asdict(await read(request, presence_of, line)),
        "twin": twin_of(line.state).as_dict(),
        "cases": [present.case(c) for c in of_device],
        "explain": [dict(rule) for rule in explained],
    }
    return present.answer(shown)


async def explain_device(request: web.Request) -> web.StreamResponse:
    """GET /api/devices/{id}/explain: why / why not of each rule (or one, ``rule``), now or ``at`` a past moment."""
    deps, device_id = request.app[DEPS], request.match_info["id"]
    at = _time("at", request.query.get("at"))
    if at is not None and at > deps.clock.now():
        raise FieldError("at", "at: lies ahead; what a rule will say nobody can tell")
    try:
        if at is None:
            explained = await deps.explain(device_id)
        elif deps.explain_at is not None:
            explained = await deps.explain_at(device_id, at)
        else:
            raise web.HTTPNotImplemented(text="This gateway keeps no history to explain the past from.")
    except LookupError as error:
        raise web.HTTPNotFound(text="No device of this id is registered.") from error
    except HistoryError as error:
        raise web.HTTPServiceUnavailable(text=str(error)) from error
    if wanted := request.query.get("rule"):
        explained = [rule for rule in explained if rule["rule"] == wanted]
        if not explained:
            raise FieldError("rule", f"rule: there is no rule '{wanted}' in force")
    told_at = at or deps.clock.now()
    return present.answer({"device_id": device_id, "at": told_at, "rules": [dict(rule) for rule in explained]})


async def list_messages(request: web.Request) -> web.StreamResponse:
    """GET /api/messages: the newest first, with the case each belongs to."""
    limit, state = limit_of(request), request.query.get("state")
    case_id = request.query.get("case_id")
    lines, of_case = await read(
        request,
        _messages,
        [state] if state else None,
        cursor_of(request),
        limit + 1,
        _number("case_id", case_id) if case_id else None,
        request.query.get("customer_id"),
    )
    items = [present.message(line, *of_case.get(line.case_id, (None, None))) for line in lines]
    return present.listed(items, limit)


async def get_message(request: web.Request) -> web.StreamResponse:
    """GET /api/messages/{id}: with the reasons for its channel as sentences."""
    line = await read(request, messages.one, id_of(request))
    if line is None:
        raise web.HTTPNotFound(text="There is no such message.")
    return present.answer({**present.message(line), "why_text": why_of(line)})


async def list_decisions(request: web.Request) -> web.StreamResponse:
    """GET /api/offers/decisions: each visit, the newest first; ``made=1|0`` narrows it."""
    limit, made = limit_of(request), _truth(request.query.get("made"))
    lines = await read(request, visits.decisions, made, cursor_of(request), limit + 1)
    return present.listed([present.decision(line) for line in lines], limit)


async def list_rejections(request: web.Request) -> web.StreamResponse:
    """GET /api/rejections: the newest first."""
    limit = limit_of(request)
    rows = await read(request, visits.rejected, cursor_of(request), limit + 1)
    return present.listed([present.rejection(row) for row in rows], limit)


async def list_unknown(request: web.Request) -> web.StreamResponse:
    """GET /api/devices/unknown: those that speak and that nobody registered."""
    rows = await read(request, devices.unknown)
    return present.answer({"items": [present.plain(row) for row in rows], "next": None})


async def get_status(request: web.Request) -> web.StreamResponse:
    """GET /api/status."""
    counts = await read(request, messages.count_by_state)
    return present.answer({**request.app[DEPS].status(), "messages": counts, "now": request.app[DEPS].clock.now()})


def _messages(
    connection: sa.Connection,
    states: list[str] | None,
    before_id: int | None,
    limit: int,
    case_id: int | None,
    customer_id: str | None,
) -> tuple[list[MessageLine], dict[int | None, tuple[str, datetime]]]:
    lines = messages.page(connection, states, before_id, limit, case_id, customer_id)
    columns = (cases_table.c.id, cases_table.c.rule, cases_table.c.opened_at)
    query = sa.select(*columns).where(cases_table.c.id.in_({line.case_id for line in lines if line.case_id}))
    return lines, {row.id: (row.rule, row.opened_at) for row in connection.execute(query)}


def limit_of(request: web.Request) -> int:
    """Read ``limit``. Raises FieldError."""
    asked = request.query.get("limit")
    return PAGE if asked is None else max(1, min(_number("limit", asked), LARGEST_PAGE))


def cursor_of(request: web.Request) -> int | None:
    """Read ``cursor``, the number of an entry. Raises FieldError."""
    cursor = request.query.get("cursor")
    return None if cursor is None else _number("cursor", cursor)


def _number(field: str, text: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise FieldError(field, f"{field}: not a whole number")
    return int(text)


def _truth(text: str | None) -> bool | None:
    return None if text is None else text.lower() in {"1", "true", "yes"}


def _time(field: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise FieldError(field, f"{field}: not a time such as 2026-11-23T10:00:00Z") from None
    if at.tzinfo is None:
        raise FieldError(field, f"{field}: has no time zone")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise FieldError(field, f"{field}: is beyond the years 1 to 9999 in UTC") from None
