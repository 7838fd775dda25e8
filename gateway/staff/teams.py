"""Cases routed to teams: new ones at the end of the commit that opened them, others when nobody is there for them."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gateway.cases.timeline import add_entry, touch
from gateway.staff.records import load_hours
from gateway.staff.routing import Member, Need, Route, Team, route, whose, with_one_more
from gateway.store.schema import cases, users
from gateway.store.staff import away, team_members, teams
from gateway.store.statements import one_of, update
from gateway.transaction import Transaction

_PART = 500
_TEAMS = sa.select(teams).order_by(teams.c.position, teams.c.name)
_MEMBERS = (
    sa.select(team_members)
    .select_from(team_members.join(users, users.c.name == team_members.c.user_name))
    .where(users.c.disabled.is_(sa.false()))
    .order_by(team_members.c.user_name)
)
_ABSENT = sa.select(away.c.user_name).where(away.c.until > sa.bindparam("now"))
_LOAD = (
    sa.select(cases.c.assignee, sa.func.count().label("n"))
    .where(cases.c.state == "open", cases.c.assignee.is_not(None), cases.c.snoozed_until.is_(None))
    .group_by(cases.c.assignee)
)
"""What each agent has to do."""
_UNROUTED = sa.select(cases).where(
    one_of(cases.c.id, "ids"),
    cases.c.state == "open",
    cases.c.on_arrival.is_(sa.false()),
    cases.c.team.is_(None),
)


def load_teams(connection: sa.Connection, now: datetime) -> list[Team]:
    """Read the teams in the order in which they are tried, with who is on duty ``now`` and what each has to do."""
    in_order = connection.execute(_TEAMS).mappings().all()
    if not in_order:
        return []
    hours = load_hours(connection)
    absent = set(connection.execute(_ABSENT, {"now": now}).scalars())
    load = {row.assignee: row.n for row in connection.execute(_LOAD)}
    members: dict[str, list[sa.RowMapping]] = {}
    for row in connection.execute(_MEMBERS).mappings():
        members.setdefault(row["team"], []).append(row)
    found: list[Team] = []
    for row in in_order:
        at_work = hours[row["hours"]].working(now) if row["hours"] in hours else True
        people = tuple(
            Member(
                one["user_name"],
                frozenset(one["languages"]),
                one["at_most"],
                at_work and one["user_name"] not in absent,
                load.get(one["user_name"], 0),
            )
            for one in members.get(row["name"], ())
        )
        found.append(replace(_team(row), members=people))
    return found


def team_for(connection: sa.Connection, need: Need) -> str | None:
    """Return the team that a need belongs to, whoever is on duty; None where no team is for it."""
    found = whose([_team(row) for row in connection.execute(_TEAMS).mappings()], need)
    return found.name if found else None


def hours_of_teams(connection: sa.Connection) -> dict[str, str | None]:
    """Read whose hours each team works."""
    return {row["name"]: row["hours"] for row in connection.execute(_TEAMS).mappings()}


def follow(tx: Transaction, case_ids: Collection[int]) -> None:
    """Route those cases that have no team yet, and note where their customers are."""
    ids, known = sorted(case_ids), None
    for start in range(0, len(ids), _PART):
        for row in tx.connection.execute(_UNROUTED, {"ids": ids[start : start + _PART]}).mappings().all():
            _note_region(tx, row)
            known = load_teams(tx.connection, tx.now) if known is None else known
            chosen = route(known, need_of(tx, row))
            if chosen is not None:
                _send(tx, row, chosen)
                # The next of this commit sees that this one has a case more.
                known = with_one_more(known, chosen.agent) if chosen.agent else known


def reroute(tx: Transaction) -> int:
    """Find somebody for cases that wait where nobody is on duty; return how many went on.

    A case that a person has taken, or was handed by one, is theirs.
    """
    known, moved = load_teams(tx.connection, tx.now), 0
    by_name = {team.name: team for team in known}
    for row in tx.connection.execute(waiting()).mappings().all():
        team = by_name.get(row["team"] or "")
        agent = next((m for m in team.members if m.name == row["assignee"]), None) if team is not None else None
        if team is not None and team.on_duty and (row["assignee"] is None or (agent is not None and agent.on_duty)):
            continue
        chosen = route(known, need_of(tx, row))
        if chosen is None or (chosen.team, chosen.agent) == (row["team"], row["assignee"]):
            continue
        if row["team"] is not None and not by_name[chosen.team].on_duty:
            continue
        _send(tx, row, chosen)
        moved += 1
        known = load_teams(tx.connection, tx.now)
        by_name = {team.name: team for team in known}
    return moved


def waiting() -> sa.Select[Any]:
    """Select the open cases that nobody has taken and no person was handed."""
    c = cases.c
    return (
        sa.select(cases)
        .where(
            c.state == "open",
            c.on_arrival.is_(sa.false()),
            c.acknowledged_at.is_(None),
            c.snoozed_until.is_(None),
            sa.or_(c.assignee.is_(None), c.assignee == c.routed_to),
        )
        .order_by(c.id)
        .limit(_PART)
    )


def need_of(tx: Transaction, row: sa.RowMapping) -> Need:
    """What a case asks for."""
    device = tx.registry.devices.get(row["device_id"])
    customer = tx.registry.customers.get(row["customer_id"]) if row["customer_id"] else None
    language = customer.locale.split("-")[0] if customer else None
    return Need(row["rule"], device.profile if device else None, language, customer.country if customer else None)


def _team(row: sa.RowMapping) -> Team:
    rules, profiles, languages, regions = (
        frozenset(row[name]) for name in ("rules", "profiles", "languages", "regions")
    )
    return Team(row["name"], rules, profiles, languages, regions, row["assigns"], row["fallback"])


def _note_region(tx: Transaction, row: sa.RowMapping) -> None:
    customer = tx.registry.customers.get(row["customer_id"]) if row["customer_id"] else None
    if customer is not None and customer.country != row["region"]:
        update(tx.connection, cases, row["id"], {"region": customer.country})


def _send(tx: Transaction, row: sa.RowMapping, chosen: Route) -> None:
    values: dict[str, Any] = {"team": chosen.team}
    if row["assignee"] is None or row["assignee"] == row["routed_to"]:
        values |= {"assignee": chosen.agent, "routed_to": chosen.agent}
    touch(tx, row["id"], **values)
    body: Mapping[str, Any] = {
        "team": chosen.team,
        "agent": values.get("assignee"),
        "before": row["team"],
        "why": dict(chosen.why),
    }
    add_entry(tx, row["id"], "routed", body=body)
