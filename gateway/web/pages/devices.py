"""The fleet: table, map, and all about one device. People's phones are on no map."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from aiohttp import web

from device_models.profile import PositionOf
from gateway.history import HistoryUnavailable
from gateway.web.access import read
from gateway.web.deps import DEPS, WebDeps
from gateway.web.evidence import RANGES, draw_field
from gateway.web.language import N_
from gateway.web.pages.shell import show, viewer_zone
from gateway.web.queries import cases, devices
from gateway.web.queries.case_work import sent_to
from gateway.web.queries.devices import DeviceFilter, DeviceLine, PersonLine
from gateway.web.queries.presence import presence_of
from gateway.web.twin import fields_of, twin_of
from gateway.web.upkeep import upkeep_of
from gateway.web.why import standings

FIXES_AT_MOST = 200
"""Devices without a registered place whose last fix is looked up for one map."""
FIX_AGE = timedelta(days=7)


async def show_devices(request: web.Request) -> web.StreamResponse:
    """GET /devices: table and map."""
    wanted = wanted_of(request)
    after = request.query.get("after")
    lines, names, unknown = await read(request, _table, wanted, after)
    more = len(lines) > devices.PAGE
    return await show(
        request,
        "devices.html",
        "devices",
        lines=lines[: devices.PAGE],
        next_after=lines[devices.PAGE - 1].id if more else None,
        profile_names=names,
        profiles=request.app[DEPS].profiles,
        unknown=unknown,
        wanted=wanted,
        tiles=(request.app[DEPS].tiles_url, request.app[DEPS].tiles_attribution),
    )


async def map_data(request: web.Request) -> web.StreamResponse:
    """GET /devices/map.json: where things stand and how they are, and the shops."""
    lines, shops = await read(request, _mapped, wanted_of(request))
    places = await places_of(request.app[DEPS], lines)
    shown = [_dot(line, places[line.id]) for line in lines if line.id in places]
    outlines = [{"name": s.name, "lat": s.latitude, "lon": s.longitude, "radius_m": s.radius_m} for s in shops]
    return web.json_response({"devices": shown, "shops": outlines, "unplaced": len(lines) - len(shown)})


SAID = (
    *(N_("firing"), N_("inactive"), N_("pending")),
    *(N_("owner"), N_("household"), N_("caretaker"), N_("site manager")),
)
"""How a rule stands on a device, and what a person is to it."""


async def show_device(request: web.Request) -> web.StreamResponse:
    """GET /devices/{id}: twin, charts, why and why not, cases, rejected messages."""
    deps, now = request.app[DEPS], request.app[DEPS].clock.now()
    device_id = request.match_info["id"]
    found = await read(request, _device, device_id)
    if found is None:
        raise web.HTTPNotFound(text="No device of this id is registered.")
    line, of_device, rejections, people = found
    profile = deps.profiles.get(line.profile)
    hours = RANGES.get(request.query.get("range", ""), 24)
    names = [name for name in (profile.chart if profile else ()) if name]
    zone = viewer_zone(request)
    charts = [await draw_field(deps.history, line.id, name, profile, now, hours, zone) for name in names[:3]]
    place = (await places_of(deps, [line])).get(line.id)
    rules = await explained(deps, line.id)
    return await show(
        request,
        "device.html",
        "devices",
        device=line,
        presence=await read(request, presence_of, line),
        profile=profile,
        device_commands=profile.commands if profile is not None else {},
        sent_commands=await read(request, sent_to, line.id),
        twin=fields_of(twin_of(line.state), profile, now),
        explained=standings(rules, profile, now, deps.devices),
        upkeep=upkeep_of(rules, profile, now),
        charts=[chart for chart in charts if chart.svg],
        cases=of_device,
        rejections=rejections,
        people=people,
        place=place,
        hours=hours,
        ranges=RANGES,
        hides_place=profile is not None and profile.position_of is PositionOf.PERSON,
    )


async def explained(deps: WebDeps, device_id: str) -> Sequence[Mapping[str, Any]]:
    """Tell where each rule stands on a device, as ``WebDeps.explain`` does; nothing of one that is not known yet."""
    try:
        return await deps.explain(device_id)
    except LookupError:
        # Registered a moment ago: the committed registry does not know it yet.
        return []


async def places_of(deps: WebDeps, lines: Iterable[DeviceLine]) -> dict[str, dict[str, Any]]:
    """Tell where things are: registered, else the last fix that was kept. A person's phone has no place here.

    ``{device_id: {lat, lon, accuracy_m, at}}``; the history keeps only fixes whose keeping was agreed to.
    """
    places: dict[str, dict[str, Any]] = {}
    unplaced: list[str] = []
    for line in lines:
        profile = deps.profiles.get(line.profile)
        if profile is not None and profile.position_of is PositionOf.PERSON:
            continue
        if line.latitude is not None and line.longitude is not None:
            places[line.id] = {"lat": line.latitude, "lon": line.longitude, "accuracy_m": None, "at": None}
        else:
            unplaced.append(line.id)
    now = deps.clock.now()
    wanted = unplaced[:FIXES_AT_MOST]
    asked = (deps.history.positions(device_id, now - FIX_AGE, now, 2) for device_id in wanted)
    for device_id, fixes in zip(wanted, await asyncio.gather(*asked, return_exceptions=True), strict=True):
        if isinstance(fixes, HistoryUnavailable):
            break
        if isinstance(fixes, BaseException):
            raise fixes
        if fixes:
            at, position = fixes[-1].observed_at, fixes[-1].position
            places[device_id] = {
                "lat": position.latitude,
                "lon": position.longitude,
                "accuracy_m": position.accuracy_m,
                "at": at.isoformat(),
            }
    return places


def wanted_of(request: web.Request) -> DeviceFilter:
    """Read the table's filter from the URL."""
    query = request.query
    return DeviceFilter(query.get("q", "").strip()[:200], query.get("profile") or None, query.get("open") == "1")


def _dot(line: DeviceLine, place: dict[str, Any]) -> dict[str, Any]:
    case_id = line.open_cases[0][0] if line.open_cases else None
    about = {"id": line.id, "label": line.label, "customer": line.customer_name, "site": line.site}
    return {**about, "severity": line.severity, "case_id": case_id, **place}


def _table(
    connection: sa.Connection, wanted: DeviceFilter, after: str | None
) -> tuple[list[DeviceLine], list[str], list[sa.RowMapping]]:
    lines = devices.page(connection, wanted, after, devices.PAGE + 1)
    return lines, devices.profiles(connection), devices.unknown(connection)


def _mapped(connection: sa.Connection, wanted: DeviceFilter) -> tuple[list[DeviceLine], list[devices.ShopLine]]:
    return devices.placed(connection, wanted), devices.all_shops(connection)


class People(NamedTuple):
    """Who is what to a device, and which units stood in its place before and after."""

    lines: Sequence[PersonLine]
    replaces: str | None
    replaced_by: str | None


def _device(
    connection: sa.Connection, device_id: str
) -> tuple[DeviceLine, list[cases.CaseLine], list[sa.RowMapping], People] | None:
    line = devices.one(connection, device_id)
    if line is None:
        return None
    people = People(devices.people_of(connection, device_id), *devices.replacements_of(connection, device_id))
    return line, cases.of_device(connection, device_id), devices.last_rejections(connection, device_id), people
