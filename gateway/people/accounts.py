"""Staff accounts, their sessions and the tokens of other programs, as rows. Secrets arrive hashed."""

import sqlalchemy as sa

from gateway.commands import CommandRefused, SaveApiToken, SaveSession, SaveUser
from gateway.store import dialect, schema
from gateway.transaction import Transaction

ADMIN = "admin"


def save_user(tx: Transaction, command: SaveUser) -> None:
    """Create a user, or set password and role; a changed password ends their sessions."""
    u = schema.users
    known = tx.connection.execute(sa.select(u).where(u.c.name == command.name)).mappings().first()
    before = (
        dict(known)
        if known
        else {"created_at": tx.now, "totp_secret": None, "totp_step": None, "email": None, "language": None}
    )
    row = before | {
        "name": command.name,
        "password_hash": command.password_hash,
        "role": command.role,
        "disabled": False,
    }
    dialect.upsert(tx.connection, u, [row])
    if known is not None and known["password_hash"] != command.password_hash:
        tx.connection.execute(sa.delete(schema.sessions).where(schema.sessions.c.user_name == command.name))
    tx.audit(command.by, "user.save", command.name, role=command.role)


def save_session(tx: Transaction, command: SaveSession) -> None:
    """Log in, or out where ``expires_at`` is None; sessions that ended are dropped on the way."""
    s = schema.sessions
    tx.connection.execute(sa.delete(s).where(sa.or_(s.c.expires_at <= tx.now, s.c.token_hash == command.token_hash)))
    if command.expires_at is not None:
        row = {
            "token_hash": command.token_hash,
            "user_name": command.user_name,
            "created_at": tx.now,
            "expires_at": command.expires_at,
            "browser": command.browser,
            "address": command.address,
            "way": command.way,
        }
        tx.connection.execute(sa.insert(s).values(row))


def save_api_token(tx: Transaction, command: SaveApiToken) -> None:
    """Store a token's hash."""
    row = {"token_hash": command.token_hash, "name": command.name, "role": command.role, "created_at": tx.now}
    dialect.upsert(tx.connection, schema.api_tokens, [row])
    tx.audit(command.by, "token.save", command.name, role=command.role)


def find_user(tx: Transaction, name: str) -> sa.RowMapping | None:
    """Return a user's row; None where there is none of this name."""
    u = schema.users
    return tx.connection.execute(sa.select(u).where(u.c.name == name)).mappings().first()


def keep_an_admin(tx: Transaction, name: str) -> None:
    """Refuse to lose the last admin: nobody could let anybody in again but on the command line."""
    u, user = schema.users, find_user(tx, name)
    if user is None:
        raise CommandRefused(f"there is no user '{name}'")
    others = sa.select(sa.func.count()).where(u.c.role == ADMIN, u.c.disabled.is_(sa.false()), u.c.name != name)
    if user["role"] == ADMIN and not tx.connection.execute(others).scalar_one():
        raise CommandRefused(f"'{name}' is the only admin; make another one first")
