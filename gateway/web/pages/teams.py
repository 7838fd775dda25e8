"""Teams: who works together, what they take, who is on duty and with how much; and what roles are bounded to."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from aiohttp import web

from gateway.commands.staff import DropTeam, SaveTeam, SetAway, SetScope, TeamMember
from gateway.staff.routing import Team
from gateway.staff.teams import load_teams
from gateway.store import staff
from gateway.store.schema import cases
from gateway.web.access import IDENTITY, fields, read
from gateway.web.api import present
from gateway.web.auth import Role
from gateway.web.case_forms import moment_of
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError
from gateway.web.forms import Sent, flag_of, optional_text, renamed, text_of, whole_number, words_of
from gateway.web.pages.case import done
from gateway.web.pages.shell import show
from gateway.web.preconditions import with_etags
from gateway.web.queries import people

_MOST = 10_000
_CONDITIONS = ("rules", "profiles", "languages", "regions")


async def show_teams(request: web.Request) -> web.StreamResponse:
    """GET /teams, with ``team`` naming the one that the form is filled with."""
    deps, now = request.app[DEPS], request.app[DEPS].clock.now()
    teams, rows, agents, hours, absent = await read(request, _load, now)
    tagged = await read(request, with_etags, "team", [present.plain(row) for row in rows], "name")
    filled = next((row for row in tagged if row["name"] == request.query.get("team")), None)
    detector = deps.detector
    return await show(
        request,
        "teams.html",
        "teams",
        teams=list(zip(tagged, teams, strict=True)),
        filled=filled,
        members={m.name: m for team in teams if filled and team.name == filled["name"] for m in team.members},
        agents=agents,
        hours=hours,
        absent=absent,
        profiles=sorted(deps.profiles),
        rules=sorted(rule.id for rule in detector().ruleset.rules) if detector is not None else [],
    )


async def list_teams(request: web.Request) -> web.StreamResponse:
    """GET /api/teams: in the order in which cases are tried on them."""
    teams, rows, *_ = await read(request, _load, request.app[DEPS].clock.now())
    items = [_present(row, team) for row, team in zip(rows, teams, strict=True)]
    return present.answer({"items": await read(request, with_etags, "team", items, "name"), "next": None})


async def save_team(request: web.Request) -> web.StreamResponse:
    """POST /teams and /api/teams."""
    await request.app[DEPS].commands.submit(team_command(await fields(request), request[IDENTITY].name))
    return done(request, "/teams")


def team_command(sent: Sent, by: str) -> SaveTeam:
    """Read a team from a form, JSON or a file. Raises FieldError."""
    name, was = renamed(sent)
    return SaveTeam(
        name,
        whole_number(sent, "position", 1, _MOST),
        by,
        tuple(_members(sent)),
        optional_text(sent, "hours") or None,
        **{name: tuple(words_of(sent, name)) for name in _CONDITIONS},
        assigns=flag_of(sent, "assigns"),
        fallback=optional_text(sent, "fallback") or None,
        was=was,
    )


async def drop_team(request: web.Request) -> web.StreamResponse:
    """POST /teams/drop and /api/teams/drop."""
    name = text_of(await fields(request), "name", what="which team")
    await request.app[DEPS].commands.submit(DropTeam(name, request[IDENTITY].name))
    return done(request, "/teams")


async def set_away(request: web.Request) -> web.StreamResponse:
    """POST /teams/away and /api/teams/away: ``until``, or nothing: back on duty. A lead may say so of ``name``."""
    sent, identity = await fields(request), request[IDENTITY]
    name = optional_text(sent, "name") or identity.name
    if name != identity.name and not identity.role.covers(Role.LEAD):
        raise web.HTTPForbidden(text="Who else is away is for a lead to say.")
    await request.app[DEPS].commands.submit(SetAway(name, moment_of(sent, "until"), identity.name))
    return done(request, "/teams")


async def list_scopes(request: web.Request) -> web.StreamResponse:
    """GET /api/scopes: whose role is bounded, and to what."""
    rows = await read(request, people.all_scopes)
    return present.answer({"items": [present.plain(row) for row in rows], "next": None})


async def set_scope(request: web.Request) -> web.StreamResponse:
    """POST /admin/scopes and /api/scopes: ``who``, ``teams``, ``regions``; without both they see all again."""
    sent = await fields(request)
    who = text_of(sent, "who", what="whose role")
    command = SetScope(
        who, tuple(words_of(sent, "teams", commas=True)), tuple(words_of(sent, "regions")), request[IDENTITY].name
    )
    await request.app[DEPS].commands.submit(command)
    return done(request, "/admin")


def _load(
    connection: sa.Connection, now: Any
) -> tuple[list[Team], Sequence[sa.RowMapping], list[str], list[str], Mapping[str, Any]]:
    waiting = sa.select(sa.func.count()).where(cases.c.team == staff.teams.c.name, cases.c.state == "open")
    query = sa.select(staff.teams, waiting.scalar_subquery().label("open_cases"))
    rows = connection.execute(query.order_by(staff.teams.c.position, staff.teams.c.name)).mappings().all()
    hours = sa.select(staff.working_hours.c.name).order_by(staff.working_hours.c.name)
    absent = sa.select(staff.away).where(staff.away.c.until > now)
    return (
        load_teams(connection, now),
        rows,
        people.agents(connection),
        list(connection.execute(hours).scalars()),
        {row.user_name: row.until for row in connection.execute(absent)},
    )


def _present(row: sa.RowMapping, team: Team) -> dict[str, Any]:
    members = [
        {
            "name": member.name,
            "languages": sorted(member.languages),
            "at_most": member.at_most,
            "on_duty": member.on_duty,
            "open_cases": member.load,
        }
        for member in team.members
    ]
    return {**present.plain(row), "members": members, "on_duty": team.on_duty}


def _members(sent: Sent) -> list[TeamMember]:
    """Read members from JSON's list, or from a form: ``member.NAME`` ticked, ``languages.NAME``, ``at_most.NAME``."""
    listed = sent.get("members")
    if listed is None:
        listed = [
            {"name": name, "languages": sent.get(f"languages.{name}"), "at_most": sent.get(f"at_most.{name}")}
            for name in (field.removeprefix("member.") for field in sent if field.startswith("member."))
        ]
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise FieldError("members", "members: a list of objects with name, languages and at_most")
    return [
        TeamMember(
            text_of(one, "name", what="the member's name"),
            tuple(words_of(one, "languages")),
            whole_number(one, "at_most", 1, _MOST) if one.get("at_most") else None,
        )
        for one in listed
    ]
