"""The fleet's page: incidents, health, map, what comes back; an incident with its devices; reports to engineering."""

import csv
import io
import json
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from aiohttp import web

from device_models.event import rfc3339
from gateway.cases.storms import held_by_storm, open_storm
from gateway.commands import EndStorm
from gateway.web.access import IDENTITY, is_api, read, wants_json
from gateway.web.api.present import answer, case, listed, plain
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError
from gateway.web.fleet_words import changed_sentences, common_sentences
from gateway.web.pages.case import id_of
from gateway.web.pages.shell import show
from gateway.web.queries import cases, fleet
from gateway.web.queries.fault_report import FaultReport, report_on, rows_for_download
from gateway.web.why import named

LOOK_BACK = timedelta(days=30)
REPORT_SPANS = {"30d": timedelta(days=30), "90d": timedelta(days=90), "365d": timedelta(days=365)}
_STEPS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_FORMULA = ("=", "+", "-", "@", "\t")


async def show_fleet(request: web.Request) -> web.StreamResponse:
    """GET /fleet?by=firmware: what concerns many devices at once."""
    by, now = by_of(request), request.app[DEPS].clock.now()
    facts = await read(request, _fleet, by, now - LOOK_BACK)
    return await show(
        request,
        "fleet.html",
        "fleet",
        by=by,
        bys=fleet.BYS,
        tiles=(request.app[DEPS].tiles_url, request.app[DEPS].tiles_attribution),
        changed_sentences=changed_sentences,
        hub_name=partial(named, devices=request.app[DEPS].devices),
        **facts,
    )


async def map_cells(request: web.Request) -> web.StreamResponse:
    """GET /fleet/map.json?step=0.1&bounds=south,west,north,east: devices gathered into squares of so many degrees."""
    step = _number(request, "step", 1.0)
    step = min(_STEPS, key=lambda known: abs(known - step))
    found = await read(request, fleet.cells, step, _bounds(request))
    return answer(
        {
            "step": step,
            "cells": [
                {"lat": round(c.latitude, 5), "lon": round(c.longitude, 5), "devices": c.devices, "failing": c.failing}
                for c in found
            ],
        }
    )


async def show_incident(request: web.Request) -> web.StreamResponse:
    """GET /fleet/incidents/{id}: its devices, what changed before, what they share."""
    incident, found, counted, is_storm = await read(request, _incident, id_of(request), request.query.get("after"))
    if incident is None:
        raise web.HTTPNotFound(text="There is no such incident.")
    more = len(found) > fleet.CHILDREN
    shown = found[: fleet.CHILDREN]
    return await show(
        request,
        "incident.html",
        "fleet",
        case=incident,
        children=shown,
        counted=counted,
        is_storm=is_storm,
        next_after=shown[-1].device_id if more else None,
        changed=changed_sentences(incident.explanation),
        common=common_sentences(incident.explanation),
    )


async def show_fault(request: web.Request) -> web.StreamResponse:
    """GET /fleet/faults/{rule}?span=90d: the report to engineering, made to be printed."""
    report = await _report(request)
    peak = max((count for _, count in report.weeks), default=1) or 1
    span = request.query.get("span", "90d")
    return await show(request, "fault_report.html", "fleet", report=report, peak=peak, span=span, spans=REPORT_SPANS)


async def download_fault(request: web.Request) -> web.StreamResponse:
    """GET /fleet/faults/{rule}.csv: every case of the report with its device and evidence, and no customer."""
    rule = request.match_info["rule"]
    rows = await read(request, rows_for_download, rule, *_span(request))
    columns: tuple[str, ...] = ("id", "device_id", "model", "serial", "firmware", "hub", "fault", "severity", "state")
    columns += ("opened_at", "resolved_at", "reopened", "cause", "fix")
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*columns, "evidence"])
    for row in rows:
        evidence = {k: row["explanation"][k] for k in ("values", "limit", "code", "since") if k in row["explanation"]}
        writer.writerow([*(_cell(row[name]) for name in columns), json.dumps(evidence, ensure_ascii=False)])
    name = f"fault-{rule}.csv"
    return web.Response(
        text=text.getvalue(),
        content_type="text/csv",
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def end_storm(request: web.Request) -> web.StreamResponse:
    """POST /storm/release and /storm/merge, and their twins under /api."""
    merge = request.path.endswith("/merge")
    count = await request.app[DEPS].commands.submit(EndStorm(request[IDENTITY].name, merge=merge))
    if wants_json(request) or is_api(request):
        return web.json_response({"ok": True, "faults": count})
    raise web.HTTPSeeOther("/fleet")


async def get_health(request: web.Request) -> web.StreamResponse:
    """GET /api/fleet/health?by=firmware: devices and how many fail, by what they are; and of all."""
    by = by_of(request)
    groups, every = await read(request, _health, by)
    shown = [{"value": g.value, "devices": g.devices, "failing": g.failing} for g in groups]
    return answer({"by": by, "devices": every.devices, "failing": every.failing, "groups": shown})


async def list_incidents(request: web.Request) -> web.StreamResponse:
    """GET /api/incidents?state=open|resolved&cursor=: the newest first, each with its explanation."""
    is_open = request.query.get("state", "open") == "open"
    cursor = request.query.get("cursor", "")
    if cursor and (not cursor.isdecimal() or len(cursor) > 18):
        raise FieldError("cursor", "cursor: is no number of an incident")
    found = await read(request, _listed, is_open, int(cursor) if cursor else None, fleet.INCIDENTS + 1)
    items = [
        {**case(line), "explanation": dict(line.explanation), "devices": counted[0], "failing": counted[1]}
        for line, counted in found
    ]
    return listed(items, fleet.INCIDENTS)


async def list_children(request: web.Request) -> web.StreamResponse:
    """GET /api/incidents/{id}/devices?cursor=: its devices by id."""
    incident, found, _, _ = await read(request, _incident, id_of(request), request.query.get("cursor"))
    if incident is None:
        raise web.HTTPNotFound(text="There is no such incident.")
    items = [
        {
            "id": c.device_id,
            "name": c.name,
            "model": c.model,
            "firmware": c.firmware,
            "site": c.site,
            "since": c.since,
            "failing": c.failing,
        }
        for c in found
    ]
    return listed(items, fleet.CHILDREN)


async def list_changes(request: web.Request) -> web.StreamResponse:
    """GET /api/devices/{id}/changes: what changed about a device, the newest first."""
    rows = await read(request, fleet.changes_of, request.match_info["id"])
    return answer({"items": [plain(row) for row in rows], "next": None})


def by_of(request: web.Request) -> fleet.By:
    """Read ``by``. Raises FieldError."""
    by = request.query.get("by", "firmware")
    if by not in fleet.BYS:
        raise FieldError("by", f"by: '{by}' is none of {', '.join(fleet.BYS)}")
    return by


def _fleet(connection: sa.Connection, by: fleet.By, since: datetime) -> dict[str, Any]:
    groups, every = _health(connection, by)
    return {
        "groups": groups,
        "every": every,
        "incidents": _listed(connection, is_open=True),
        "past": _listed(connection, is_open=False)[:8],
        "faults": fleet.recurring(connection, since),
        "storm_case": open_storm(connection),
        "storm_held": held_by_storm(connection),
    }


def _health(connection: sa.Connection, by: fleet.By) -> tuple[list[fleet.Health], fleet.Health]:
    return fleet.health(connection, by), fleet.total(connection)


def _listed(
    connection: sa.Connection, is_open: bool, before_id: int | None = None, limit: int = fleet.INCIDENTS
) -> list[tuple[cases.CaseLine, tuple[int, int]]]:
    found = fleet.incidents(connection, is_open=is_open, before_id=before_id, limit=limit)
    counted = fleet.count_children(connection, [line.id for line in found])
    return [(line, counted[line.id]) for line in found]


def _incident(
    connection: sa.Connection, case_id: int, after: str | None
) -> tuple[cases.CaseLine | None, list[fleet.Child], tuple[int, int], bool]:
    line = cases.one(connection, case_id)
    if line is None or line.kind != "incident":
        return None, [], (0, 0), False
    found = fleet.children(connection, case_id, after, fleet.CHILDREN + 1)
    return line, found, fleet.count_children(connection, [case_id])[case_id], open_storm(connection) == case_id


async def _report(request: web.Request) -> FaultReport:
    report = await read(request, report_on, request.match_info["rule"], *_span(request))
    if report is None:
        raise web.HTTPNotFound(text="No case of this rule opened in that time.")
    return report


def _span(request: web.Request) -> tuple[datetime, datetime]:
    span, now = request.query.get("span", "90d"), request.app[DEPS].clock.now()
    if span not in REPORT_SPANS:
        raise FieldError("span", f"span: '{span}' is none of {', '.join(REPORT_SPANS)}")
    return now - REPORT_SPANS[span], now


def _number(request: web.Request, name: str, usual: float) -> float:
    try:
        return float(request.query.get(name, usual))
    except ValueError as error:
        raise FieldError(name, f"{name}: is no number") from error


def _bounds(request: web.Request) -> tuple[float, float, float, float] | None:
    said = request.query.get("bounds")
    if not said:
        return None
    try:
        south, west, north, east = (float(part) for part in said.split(","))
    except ValueError as error:
        raise FieldError("bounds", "bounds: is not south,west,north,east in degrees") from error
    return south, west, north, east


def _cell(value: Any) -> Any:
    """A spreadsheet would run what begins as a formula."""
    if isinstance(value, datetime):
        return rfc3339(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
