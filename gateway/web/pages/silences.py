"""Silences: what is muted, by whom and why, what that withholds now, and the form that mutes."""

from datetime import datetime, time
from typing import Any

import sqlalchemy as sa
from aiohttp import web

from device_models.duration import parse_duration
from gateway.cases.silences import WEEKDAYS
from gateway.commands import CreateSilence, EndSilence
from gateway.web.access import IDENTITY, fields, is_api, read, wants_json
from gateway.web.api import present
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError
from gateway.web.forms import Sent, flag_of, optional_text, text_of
from gateway.web.language import N_, listed, say, span_text
from gateway.web.pages.case import done, id_of
from gateway.web.pages.shell import show, viewer_zone
from gateway.web.preconditions import with_etags
from gateway.web.queries import devices, silences
from gateway.web.queries.silences import SilenceLine, WithheldLine
from gateway.web.why import withheld_sentence
from rules.response.silence import Weekly

SCOPE = ("device_id", "site", "profile", "customer_id", "rule")
DURATIONS = ("1h", "2h", "4h", "8h", "1d", "3d", "7d", "30d", "90d")


async def show_silences(request: web.Request) -> web.StreamResponse:
    """GET /silences: those in force, what is withheld, those that are over; a link may fill the form in."""
    now = request.app[DEPS].clock.now()
    lines, withheld, profiles = await read(request, _page, now)
    return await show(
        request,
        "silences.html",
        "silences",
        active=[line for line in lines if not line.over(now)],
        over=[line for line in lines if line.over(now)],
        withheld=[(line, withheld_sentence(line.withheld, now, request.app[DEPS].devices)) for line in withheld],
        profiles=profiles,
        filled={name: request.query.get(name, "") for name in SCOPE},
        durations=DURATIONS,
        spans={said: span_text(parse_duration(said)) for said in DURATIONS},
        weekdays=WEEKDAYS,
        scope_of=scope_of,
        when_of=when_of,
    )


async def list_silences(request: web.Request) -> web.StreamResponse:
    """GET /api/silences: ``items``, those in force first, and ``withheld``: what fires without a case of its own."""
    now = request.app[DEPS].clock.now()
    lines, withheld, _ = await read(request, _page, now)
    items = await read(request, with_etags, "silence", [_present(line, now) for line in lines])
    kept = [{"device_id": w.device_id, "rule": w.rule, "since": w.since, "withheld": w.withheld} for w in withheld]
    return present.answer({"items": items, "withheld": kept, "next": None})


async def create(request: web.Request) -> web.StreamResponse:
    """POST /silences and /api/silences: mute from now on, for a time."""
    now, zone = request.app[DEPS].clock.now(), viewer_zone(request)
    command = command_of(await fields(request), request[IDENTITY].name, now, zone)
    scope = request[IDENTITY].scope
    if scope.bounded and not (command.device_id or command.customer_id):
        raise FieldError("device_id", f"Name a device or a customer: you see {scope.words()}.")
    number = await request.app[DEPS].commands.submit(command)
    if wants_json(request) or is_api(request):
        return web.json_response({"ok": True, "id": number})
    raise web.HTTPSeeOther("/silences")


async def end(request: web.Request) -> web.StreamResponse:
    """POST /silences/{id}/end: before its time."""
    await request.app[DEPS].commands.submit(EndSilence(id_of(request), request[IDENTITY].name))
    return done(request, "/silences")


def command_of(sent: Sent, by: str, now: datetime, zone: str) -> CreateSilence:
    """Read a silence from a form or from JSON; ``zone``: of hours that name none. Raises FieldError."""
    scope = {name: optional_text(sent, name) or None for name in SCOPE}
    if not any(scope.values()):
        raise FieldError("device_id", "Name a device, site, profile, customer or rule.")
    return CreateSilence(
        by,
        text_of(sent, "reason", what="why"),
        _end_of(sent, now),
        device_id=scope["device_id"],
        site=scope["site"],
        profile=scope["profile"],
        customer_id=scope["customer_id"],
        rule=scope["rule"],
        weekly=_weekly(sent, zone),
        safety=flag_of(sent, "safety"),
    )


_WORDS = {
    "device_id": N_("device {1}"),
    "site": N_("site {1}"),
    "profile": N_("profile {1}"),
    "customer_id": N_("customer {1}"),
    "rule": N_("rule {1}"),
}


def scope_of(line: SilenceLine) -> str:
    """Say what a silence is about: device Garage freezer, rule freezer-door-open."""
    said = listed(
        say(_WORDS[name], line.names.get(name) or value)
        for name in SCOPE
        if (value := getattr(line.silence, name)) is not None
    )
    if line.by_hearer:
        return say("{1}, for {2} alone", said, line.silence.author)
    return say("{1}, safety too", said) if line.silence.safety else said


def when_of(line: SilenceLine) -> str:
    """Say at which hours of the week it mutes; empty for one that mutes all the time."""
    weekly = line.silence.weekly
    if weekly is None:
        return ""
    days = " ".join(WEEKDAYS[day].capitalize() for day in sorted(weekly.days))
    return f"{days} {weekly.begins:%H:%M}\N{EN DASH}{weekly.ends:%H:%M} ({weekly.zone.replace('_', ' ')})"


def _end_of(sent: Sent, now: datetime) -> datetime:
    given = optional_text(sent, "ends_at")
    if given:
        try:
            at = datetime.fromisoformat(given)
        except ValueError:
            raise FieldError("ends_at", "ends_at: not a time such as 2026-11-23T14:00:00Z") from None
        if at.tzinfo is None:
            raise FieldError("ends_at", "ends_at: has no time zone")
        return at
    try:
        return now + parse_duration(text_of(sent, "for", what="for how long"))
    except (ValueError, OverflowError) as error:
        raise FieldError("for", f"for: {error}") from None


def _weekly(sent: Sent, zone: str) -> Weekly | None:
    days = [day for day in WEEKDAYS if flag_of(sent, day)] or optional_text(sent, "days").lower().split()
    if not days:
        return None
    unknown = [day for day in days if day not in WEEKDAYS]
    if unknown:
        raise FieldError("days", f"days: '{unknown[0]}' is none of {' '.join(WEEKDAYS)}")
    numbers = frozenset(WEEKDAYS.index(day) for day in days)
    return Weekly(numbers, _clock(sent, "from"), _clock(sent, "until"), optional_text(sent, "zone") or zone)


def _clock(sent: Sent, field: str) -> time:
    text = text_of(sent, field, what=f"the hour ({field})")
    try:
        return time.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise FieldError(field, f"{field}: not an hour such as 22:00") from None


def _present(line: SilenceLine, now: datetime) -> dict[str, Any]:
    silence, weekly = line.silence, line.silence.weekly
    return {
        "id": silence.id,
        "author": silence.author,
        "reason": silence.reason,
        **{name: getattr(silence, name) for name in SCOPE},
        "safety": silence.safety,
        "by_hearer": line.by_hearer,
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "ended_at": silence.ended_at,
        "ended_by": line.ended_by,
        "days": [WEEKDAYS[day] for day in sorted(weekly.days)] if weekly else None,
        "from": f"{weekly.begins:%H:%M}" if weekly else None,
        "until": f"{weekly.ends:%H:%M}" if weekly else None,
        "zone": weekly.zone if weekly else None,
        "over": line.over(now),
        "muting": silence.until(now) is not None,
        "withheld": line.withheld,
    }


def _page(connection: sa.Connection, now: datetime) -> tuple[list[SilenceLine], list[WithheldLine], list[str]]:
    return silences.page(connection, now), silences.withheld_now(connection), devices.profiles(connection)
