"""Service levels and working hours: what is due when, as a lead sets it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from aiohttp import web
from aiohttp.typedefs import Handler

from device_models.duration import format_duration, parse_duration
from device_models.purpose import Severity
from gateway.commands.staff import DropHours, DropPolicy, SaveHours, SavePolicy
from gateway.staff.records import hours_of, load_policies
from gateway.staff.sla import Pause, Policy, Target
from gateway.store.schema import cases, customers
from gateway.store.staff import working_hours
from gateway.web.access import IDENTITY, fields, read
from gateway.web.api import present
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError
from gateway.web.forms import Sent, optional_text, renamed, text_of, whole_number, words_of
from gateway.web.language import N_, _, listed
from gateway.web.pages.case import done
from gateway.web.pages.shell import show, viewer_zone
from gateway.web.preconditions import with_etags

KINDS = ("condition", "absent", "change", "error_code", "maintenance", "forecast", "anomaly", "sequence", "incident")
_OF_PEOPLE = "reported"
KIND_WORDS = (
    *(N_("condition"), N_("absent"), N_("change"), N_("error code"), N_("maintenance"), N_("forecast")),
    *(N_("anomaly"), N_("sequence"), N_("incident"), N_("reported")),
)
"""Kinds of fault, and severities beside them, as the form says them."""
_SEVERITIES = frozenset(severity.value for severity in Severity)
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Levels:
    """What stands in the store."""

    policies: list[Policy]
    positions: Mapping[str, int]
    open_cases: Mapping[str, int]
    """Open cases by policy."""
    hours: list[sa.RowMapping]
    segments: list[str]
    tiers: list[str]


async def show_levels(request: web.Request) -> web.StreamResponse:
    """GET /sla, with ``policy`` or ``hours`` naming what the form is filled with."""
    levels, now = await read(request, load), request.app[DEPS].clock.now()
    wanted, wanted_hours = request.query.get("policy"), request.query.get("hours")
    policies = [policy_shown(policy, levels) for policy in levels.policies]
    policies = await read(request, with_etags, "policy", policies, "name")
    hours = await read(request, with_etags, "hours", [present.plain(row) for row in levels.hours], "name")
    return await show(
        request,
        "sla.html",
        "sla",
        levels=levels,
        policies=policies,
        hours=hours,
        shown={row["name"]: _now(row, now) for row in levels.hours},
        filled=next((one for one in policies if one["name"] == wanted), None),
        filled_hours=next((one for one in hours if one["name"] == wanted_hours), None),
        severities=[severity.value for severity in Severity],
        kinds=(*KINDS, _OF_PEOPLE),
        my_zone=viewer_zone(request),
        said_of=_said_of,
    )


async def list_levels(request: web.Request) -> web.StreamResponse:
    """GET /api/sla: ``policies`` in the order in which they are tried, and ``hours``."""
    levels = await read(request, load)
    policies = [policy_shown(policy, levels) for policy in levels.policies]
    hours = [present.plain(row) for row in levels.hours]
    return present.answer(
        {
            "policies": await read(request, with_etags, "policy", policies, "name"),
            "hours": await read(request, with_etags, "hours", hours, "name"),
        }
    )


async def save_hours(request: web.Request) -> web.StreamResponse:
    """POST /sla/hours and /api/sla/hours."""
    await request.app[DEPS].commands.submit(hours_command(await fields(request), request[IDENTITY].name))
    return done(request, "/sla")


async def drop_hours(request: web.Request) -> web.StreamResponse:
    """POST /sla/hours-drop and /api/sla/hours-drop."""
    name = text_of(await fields(request), "name", what="which hours")
    await request.app[DEPS].commands.submit(DropHours(name, request[IDENTITY].name))
    return done(request, "/sla")


async def save_policy(request: web.Request) -> web.StreamResponse:
    """POST /sla/policy and /api/sla/policy."""
    await request.app[DEPS].commands.submit(policy_command(await fields(request), request[IDENTITY].name))
    return done(request, "/sla")


async def drop_policy(request: web.Request) -> web.StreamResponse:
    """POST /sla/policy-drop and /api/sla/policy-drop."""
    name = text_of(await fields(request), "name", what="which service level")
    await request.app[DEPS].commands.submit(DropPolicy(name, request[IDENTITY].name))
    return done(request, "/sla")


DEEDS: Mapping[str, Handler] = {
    "hours": save_hours,
    "hours-drop": drop_hours,
    "policy": save_policy,
    "policy-drop": drop_policy,
}


def hours_command(sent: Sent, by: str) -> SaveHours:
    """Read working hours from a form, JSON or a file. Raises FieldError."""
    return SaveHours(
        text_of(sent, "name", what="a name"),
        text_of(sent, "hours", what="the hours"),
        text_of(sent, "zone", what="the time zone"),
        by,
        optional_text(sent, "place") or None,
        tuple(words_of(sent, "closed_on")),
    )


def policy_command(sent: Sent, by: str) -> SavePolicy:
    """Read a service level with its place, likewise. Raises FieldError."""
    return SavePolicy(policy_of(sent), whole_number(sent, "position", 1, _MOST), by, renamed(sent)[1])


def policy_of(sent: Sent) -> Policy:
    """Read a policy from a form or from JSON; lists are words with spaces between. Raises FieldError."""
    within = {target: span for target in Target if (span := _span(sent, target.value)) is not None}
    severities = _chosen(sent, "severities", frozenset(Severity))
    pauses = _chosen(sent, "pauses", frozenset(Pause)) if "pauses" in sent or "_form" in sent else frozenset(Pause)
    warn_before = _span(sent, "warn_before")
    return Policy(
        renamed(sent)[0],
        within,
        optional_text(sent, "hours") or None,
        severities,
        _chosen(sent, "kinds", frozenset((*KINDS, _OF_PEOPLE))),
        frozenset(words_of(sent, "segments")),
        frozenset(words_of(sent, "tiers")),
        frozenset(Pause(pause) for pause in pauses),
        timedelta(minutes=15) if warn_before is None else warn_before,
    )


def load(connection: sa.Connection) -> Levels:
    """Read policies, hours, and what customers there are to tell apart."""
    from gateway.store.staff import sla_policies

    positions = {row.name: row.position for row in connection.execute(sa.select(sla_policies))}
    counted = (
        sa.select(cases.c.sla_policy, sa.func.count().label("n"))
        .where(cases.c.state == "open", cases.c.sla_policy.is_not(None))
        .group_by(cases.c.sla_policy)
    )
    known = [
        list(connection.execute(sa.select(column).distinct().where(column.is_not(None)).order_by(column)).scalars())
        for column in (customers.c.segment, customers.c.tier)
    ]
    return Levels(
        load_policies(connection),
        positions,
        {row.sla_policy: row.n for row in connection.execute(counted)},
        list(connection.execute(sa.select(working_hours).order_by(working_hours.c.name)).mappings()),
        known[0],
        known[1],
    )


def _said_of(names: Sequence[str]) -> str:
    """Say severities, kinds of fault, segments or tiers; the company's own words stay as they are."""
    words = (name.replace("_", " ") for name in names)
    return listed(_(word.capitalize()).lower() if word in _SEVERITIES else _(word) for word in words)


def policy_shown(policy: Policy, levels: Levels) -> dict[str, Any]:
    """A policy as JSON and the form have it."""
    within = {target.value: policy.within.get(target) for target in Target}
    return {
        "name": policy.name,
        "position": levels.positions[policy.name],
        **{target: format_duration(span) if span is not None else None for target, span in within.items()},
        "hours": policy.hours,
        "warn_before": format_duration(policy.warn_before),
        **{name: sorted(getattr(policy, name)) for name in ("severities", "kinds", "segments", "tiers", "pauses")},
        "open_cases": levels.open_cases.get(policy.name, 0),
    }


def _now(row: sa.RowMapping, now: datetime) -> tuple[bool, datetime | None]:
    """Whether somebody works now, and when work next begins or ends."""
    hours = hours_of(row["name"], row["hours"], row["zone"], row["place"], tuple(row["closed_on"]))
    working = hours.working(now)
    window = next(hours.windows(now), None)
    return working, (window[1] if working else window[0]) if window else None


def _span(sent: Sent, field: str) -> timedelta | None:
    text = optional_text(sent, field)
    if not text:
        return None
    try:
        return parse_duration(text)
    except (ValueError, OverflowError) as error:
        raise FieldError(field, f"{field}: {error}") from None


def _chosen(sent: Sent, field: str, allowed: frozenset[str]) -> frozenset[str]:
    """Read words of a list, or a form's boxes: ``field.word`` each."""
    words = {*words_of(sent, field), *(word for word in allowed if sent.get(f"{field}.{word}"))}
    if unknown := sorted(words - {str(word) for word in allowed}):
        raise FieldError(field, f"{field}: '{unknown[0]}' is none of {', '.join(sorted(allowed))}")
    return frozenset(str(word) for word in words)
