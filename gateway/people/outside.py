"""Staff whom an identity provider vouches for, as rows: who they are there, and that they are the same here."""

from dataclasses import replace

import sqlalchemy as sa

from gateway.commands import CommandRefused
from gateway.commands import accounts as a
from gateway.people.accounts import ADMIN, find_user, keep_an_admin, save_session
from gateway.staff.team_deeds import belong
from gateway.store import schema
from gateway.store.ways_in import account_links, outside_identities
from gateway.transaction import Transaction


def sign_in(tx: Transaction, command: a.SignInOutside) -> str:
    """Begin a session of whoever this is here; raises CommandRefused with what to do about it."""
    name = user_of(tx.connection, command.issuer, command.subject) or _first_time(tx, command)
    user = find_user(tx, name)
    if user is None or user["disabled"]:
        raise CommandRefused("you are shut out here; ask an admin")
    if command.role is not None and command.role != user["role"]:
        if user["role"] == ADMIN:
            keep_an_admin(tx, name)
        tx.connection.execute(sa.update(schema.users).where(schema.users.c.name == name).values(role=command.role))
        tx.audit("identity provider", "user.set_role", name, role=command.role)
    belong(tx, name, command.teams)
    save_session(tx, replace(command.session, user_name=name))
    return name


def bind(tx: Transaction, command: a.BindOutside) -> None:
    """Join a user and an identity; raises CommandRefused where either is joined already."""
    other = user_of(tx.connection, command.issuer, command.subject)
    if other is not None and other != command.user_name:
        raise CommandRefused(f"that account at the provider is '{other}' here; log in as them")
    if other is None:
        _bind(tx, command.user_name, command.issuer, command.subject)


def forget(tx: Transaction, command: a.HandToProvider) -> None:
    """End every identity of a user."""
    i = outside_identities
    tx.connection.execute(sa.delete(i).where(i.c.user_name == command.user_name))
    tx.audit(command.by, "user.hand_to_provider", command.user_name)


def end_sessions(tx: Transaction, command: a.EndOutsideSessions) -> int:
    """End the sessions that began at the provider; those by password are none of its business."""
    name = user_of(tx.connection, command.issuer, command.subject)
    if name is None:
        return 0
    s = schema.sessions
    ended = tx.connection.execute(sa.delete(s).where(s.c.user_name == name, s.c.way == "provider")).rowcount
    tx.audit("identity provider", "user.end_sessions", name, sessions=ended)
    return ended


def user_of(connection: sa.Connection, issuer: str, subject: str) -> str | None:
    """Return the user whom an identity is joined to."""
    i = outside_identities
    query = sa.select(i.c.user_name).where(i.c.issuer == issuer, i.c.subject == subject)
    return connection.execute(query).scalar()


def _first_time(tx: Transaction, command: a.SignInOutside) -> str:
    name, user = command.name, find_user(tx, command.name)
    if user is not None:
        # Names can be chosen at some providers: one that is taken here must not open another person's account.
        if user["password_hash"] is not None or _has_identity(tx, name):
            raise CommandRefused(
                f"there is a user '{name}' here already; if that is you, log in with your password and connect the two "
                "under your account, or ask an admin"
            )
    else:
        invited = _invitation(tx, name)
        role = invited["role"] if invited is not None else command.new_role
        if role is None:
            raise CommandRefused(f"nobody invited '{name}' here; ask an admin to")
        email = invited["email"] if invited is not None else None
        row = {"name": name, "password_hash": None, "role": command.role or role, "email": email}
        tx.connection.execute(sa.insert(schema.users).values(**row, created_at=tx.now, disabled=False))
        tx.connection.execute(sa.delete(account_links).where(account_links.c.user_name == name))
        tx.audit(name, "user.join", name, role=row["role"])
    _bind(tx, name, command.issuer, command.subject)
    return name


def _invitation(tx: Transaction, name: str) -> sa.RowMapping | None:
    link = account_links
    query = sa.select(link.c.role, link.c.email).where(link.c.user_name == name, link.c.expires_at > tx.now)
    return tx.connection.execute(query.where(link.c.role.is_not(None))).mappings().first()


def _has_identity(tx: Transaction, name: str) -> bool:
    i = outside_identities
    return tx.connection.execute(sa.select(sa.true()).where(i.c.user_name == name)).first() is not None


def _bind(tx: Transaction, name: str, issuer: str, subject: str) -> None:
    row = {"issuer": issuer, "subject": subject, "user_name": name, "created_at": tx.now}
    tx.connection.execute(sa.insert(outside_identities).values(row))
    tx.audit(name, "user.bind_identity", name, issuer=issuer)
