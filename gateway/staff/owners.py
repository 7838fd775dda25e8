"""Who a case may be handed to: whoever may work on cases and sees this one."""

from typing import Any

import sqlalchemy as sa

from gateway.commands import CommandRefused
from gateway.store.schema import users
from gateway.transaction import Transaction
from gateway.web.auth import Role
from gateway.web.scope import scope_of, scopes_of

WORKERS = (Role.AGENT, Role.LEAD, Role.ADMIN)
"""Roles that may do something to a case."""


def check_owner(tx: Transaction, case: sa.RowMapping, name: str) -> None:
    """Raise CommandRefused, with the reason, where a case cannot be handed to ``name``."""
    row = tx.connection.execute(sa.select(users.c.role, users.c.disabled).where(users.c.name == name)).first()
    if row is None:
        raise CommandRefused(f"there is no user '{name}'")
    if row.disabled:
        raise CommandRefused(f"{name} is shut out; hand it to somebody else")
    if row.role not in WORKERS:
        raise CommandRefused(f"{name} is a {row.role} and may only read; hand it to an agent or a lead")
    scope = scope_of(tx.connection, name)
    if not scope.sees(case["team"], case["region"]):
        raise CommandRefused(f"{name} sees {scope.words()} alone, and not this case")


def possible_owners(connection: sa.Connection, team: str | None, region: str | None) -> list[str]:
    """List by name whoever a case of this team and of a customer in this country may be handed to."""
    bounds = scopes_of(connection)
    able: sa.Select[Any] = sa.select(users.c.name).where(users.c.role.in_(WORKERS), users.c.disabled.is_(sa.false()))
    names = connection.execute(able.order_by(users.c.name)).scalars()
    return [name for name in names if name not in bounds or bounds[name].sees(team, region)]
