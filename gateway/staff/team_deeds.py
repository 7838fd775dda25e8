"""Teams, who is away, and what a role is bounded to, written down."""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta

import sqlalchemy as sa
import structlog

from gateway.commands import CommandRefused
from gateway.commands.staff import DropTeam, SaveTeam, SetAway, SetScope
from gateway.staff.clocks import follow_all
from gateway.staff.names import checked_name, forget_named
from gateway.staff.renaming import rename_team
from gateway.store import dialect
from gateway.store.schema import api_tokens, cases, users
from gateway.store.staff import away, scopes, team_members, teams, working_hours
from gateway.transaction import Transaction

log = structlog.get_logger()

LONGEST_AWAY = timedelta(days=365)
_COUNTRY = re.compile(r"[A-Z]{2}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")


def save_team(tx: Transaction, command: SaveTeam) -> None:
    """Keep a team with its members."""
    name = checked_name(command.name)
    if command.was is not None and command.was != name:
        rename_team(tx, command.was, name, command.by)
    if command.hours is not None and not _known(tx, working_hours.c.name, command.hours):
        raise CommandRefused(f"there are no working hours '{command.hours}'; save them first")
    if command.fallback == name or (command.fallback and not _known(tx, teams.c.name, command.fallback)):
        raise CommandRefused(f"there is no other team '{command.fallback}' to fall back on")
    languages = [language for member in command.members for language in member.languages]
    _check(_LANGUAGE, (*command.languages, *languages), "language", "de")
    _check(_COUNTRY, command.regions, "country", "DE")
    for member in command.members:
        if not _known(tx, users.c.name, member.name):
            raise CommandRefused(f"there is no user '{member.name}'; invite them first")
        if member.at_most is not None and member.at_most < 1:
            raise CommandRefused(f"{member.name}: at most 1 case or more; leave it out for no bound")
    row = {
        "name": name,
        "position": command.position,
        "hours": command.hours,
        **{field: sorted(set(getattr(command, field))) for field in ("rules", "profiles", "languages", "regions")},
        "assigns": command.assigns,
        "fallback": command.fallback,
    }
    dialect.upsert(tx.connection, teams, [row])
    tx.connection.execute(sa.delete(team_members).where(team_members.c.team == name))
    members = {member.name: member for member in command.members}
    rows = [
        {"team": name, "user_name": m.name, "languages": sorted(set(m.languages)), "at_most": m.at_most}
        for m in members.values()
    ]
    dialect.upsert(tx.connection, team_members, rows)
    follow_all(tx)
    tx.audit(command.by, "team.save", name, members=sorted(members))
    tx.changed("team", name)


def belong(tx: Transaction, user_name: str, wanted: Mapping[str, bool]) -> None:
    """Let somebody join and leave teams as their identity provider says; a team that is not here is passed over."""
    m = team_members
    is_in = set(tx.connection.execute(sa.select(m.c.team).where(m.c.user_name == user_name)).scalars())
    for team, stays in wanted.items():
        if stays == (team in is_in):
            continue
        if stays and not _known(tx, teams.c.name, team):
            log.warning("oidc.no_such_team", team=team)
            continue
        if stays:
            tx.connection.execute(sa.insert(m).values(team=team, user_name=user_name, languages=[], at_most=None))
        else:
            tx.connection.execute(sa.delete(m).where(m.c.team == team, m.c.user_name == user_name))
        tx.audit("identity provider", "team.join" if stays else "team.leave", team, member=user_name)
        tx.changed("team", team)


def drop_team(tx: Transaction, command: DropTeam) -> None:
    """Dissolve a team; whoever has a case keeps it."""
    name = command.name
    leans = tx.connection.execute(sa.select(teams.c.name).where(teams.c.fallback == name)).scalar()
    if leans is not None:
        raise CommandRefused(f"the team '{leans}' falls back on it; change that first")
    bounded = [row.who for row in tx.connection.execute(sa.select(scopes)) if name in row.teams]
    if bounded:
        raise CommandRefused(f"{bounded[0]} sees this team's cases alone; change that first")
    forget_named(tx, teams, name, "team")
    tx.connection.execute(sa.delete(team_members).where(team_members.c.team == name))
    freed = sa.update(cases).where(cases.c.team == name, cases.c.state == "open")
    tx.connection.execute(freed.values(team=None))
    follow_all(tx)
    tx.audit(command.by, "team.drop", name)
    tx.changed("team", name)


def set_away(tx: Transaction, command: SetAway) -> None:
    """Note that somebody is away, or back."""
    if not _known(tx, users.c.name, command.user_name):
        raise CommandRefused(f"there is no user '{command.user_name}'")
    if command.until is not None and not tx.now < command.until <= tx.now + LONGEST_AWAY:
        raise CommandRefused(f"away until a time within {LONGEST_AWAY.days} days from now")
    if command.until is None:
        tx.connection.execute(sa.delete(away).where(away.c.user_name == command.user_name))
    else:
        dialect.upsert(tx.connection, away, [{"user_name": command.user_name, "until": command.until}])
    tx.audit(command.by, "user.away", command.user_name, until=command.until and command.until.isoformat())
    tx.changed("team", command.user_name)


def set_scope(tx: Transaction, command: SetScope) -> None:
    """Bound a role to teams and regions, or lift that."""
    who = command.who
    token = who.removeprefix("token:")
    known = _known(tx, api_tokens.c.name, token) if token != who else _known(tx, users.c.name, who)
    if not known:
        raise CommandRefused(f"there is no user or token '{who}'")
    if who == command.by:
        # They could not take it back.
        raise CommandRefused("nobody bounds themselves; ask another admin")
    _check(_COUNTRY, command.regions, "country", "DE")
    for team in command.teams:
        if not _known(tx, teams.c.name, team):
            raise CommandRefused(f"there is no team '{team}'")
    row = {"who": who, "teams": sorted(set(command.teams)), "regions": sorted(set(command.regions))}
    if row["teams"] or row["regions"]:
        dialect.upsert(tx.connection, scopes, [row])
    else:
        tx.connection.execute(sa.delete(scopes).where(scopes.c.who == who))
    tx.audit(command.by, "user.scope", who, teams=row["teams"], regions=row["regions"])
    tx.changed("team", who)


def _known(tx: Transaction, column: sa.Column[str], name: str) -> bool:
    return tx.connection.execute(sa.select(column).where(column == name)).first() is not None


def _check(form: re.Pattern[str], words: Iterable[str], what: str, example: str) -> None:
    wrong = next((word for word in words if not form.fullmatch(word)), None)
    if wrong is not None:
        raise CommandRefused(f"'{wrong}' is no {what}; write it like {example}")
