"""New names for teams and service levels: all that refers to the old one goes on with the new."""

from urllib.parse import parse_qsl, urlencode

import sqlalchemy as sa

from gateway.commands import CommandRefused
from gateway.store.case_work import saved_views
from gateway.store.schema import cases
from gateway.store.staff import rotas, scopes, sla_policies, team_members, teams
from gateway.transaction import Transaction


def rename_team(tx: Transaction, old: str, new: str, by: str) -> None:
    """Call a team otherwise. Raises CommandRefused where there is no such team, or the name is another's."""
    _rename(tx, teams, old, new, "team")
    for column in (team_members.c.team, teams.c.fallback, rotas.c.team, cases.c.team):
        _follow(tx, column, old, new)
    for view in tx.connection.execute(sa.select(saved_views).where(saved_views.c.query.contains("team="))).all():
        said = [(name, new if (name, value) == ("team", old) else value) for name, value in parse_qsl(view.query)]
        tx.connection.execute(sa.update(saved_views).where(saved_views.c.id == view.id).values(query=urlencode(said)))
    for row in tx.connection.execute(sa.select(scopes)).all():
        if old in row.teams:
            bounds = sorted({new, *row.teams} - {old})
            tx.connection.execute(sa.update(scopes).where(scopes.c.who == row.who).values(teams=bounds))
    tx.audit(by, "team.rename", new, before=old)
    tx.changed("team", old)


def rename_policy(tx: Transaction, old: str, new: str, by: str) -> None:
    """Call a service level otherwise, likewise."""
    _rename(tx, sla_policies, old, new, "service level")
    _follow(tx, cases.c.sla_policy, old, new)
    tx.audit(by, "sla.rename", new, before=old)
    tx.changed("sla", old)


def _rename(tx: Transaction, table: sa.Table, old: str, new: str, what: str) -> None:
    known = set(tx.connection.execute(sa.select(table.c.name).where(table.c.name.in_((old, new)))).scalars())
    if old not in known:
        raise CommandRefused(f"there is no {what} '{old}'")
    if new in known:
        raise CommandRefused(f"there is another {what} '{new}'; choose a name that is free")
    _follow(tx, table.c.name, old, new)


def _follow(tx: Transaction, column: sa.Column[str], old: str, new: str) -> None:
    tx.connection.execute(sa.update(column.table).where(column == old).values({column: new}))
