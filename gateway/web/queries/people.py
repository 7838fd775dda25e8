"""People: customers on one side, users with their sessions, tokens and deeds on the other."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gateway.store.schema import api_tokens, audit, consent_log, customers, meta, sessions, users
from gateway.web.auth import Identity, Role

LISTED = 200


@dataclass(frozen=True, slots=True)
class CustomerCard:
    """A customer as staff see them."""

    id: str
    name: str
    country: str | None
    locale: str
    timezone: str
    email: str | None
    phone: str | None
    preferred_channel: str | None
    addresses: Mapping[str, str]
    quiet_hours: str | None
    consents: tuple[str, ...]
    objections: tuple[str, ...]
    consent_source: str | None
    consented_at: datetime | None


def customer(connection: sa.Connection, customer_id: str) -> CustomerCard | None:
    """Load a customer; None where there is no such person."""
    row = connection.execute(sa.select(customers).where(customers.c.id == customer_id)).mappings().first()
    if row is None:
        return None
    return CustomerCard(**{**row, "consents": tuple(row["consents"]), "objections": tuple(row["objections"])})


def password_hash(connection: sa.Connection, name: str) -> str | None:
    """Return the hash of an enabled user's password; None where nobody of that name may log in."""
    query = sa.select(users.c.password_hash).where(users.c.name == name, users.c.disabled.is_(sa.false()))
    return connection.execute(query).scalar_one_or_none()


def identity_of_session(connection: sa.Connection, token_hash: str, now: datetime) -> Identity | None:
    """Tell who a session's token belongs to; None once it has expired or the user was disabled."""
    query = (
        sa.select(users.c.name, users.c.role)
        .join(sessions, sessions.c.user_name == users.c.name)
        .where(sessions.c.token_hash == token_hash, sessions.c.expires_at > now, users.c.disabled.is_(sa.false()))
    )
    row = connection.execute(query).first()
    return Identity(row.name, Role(row.role), token_hash) if row else None


def identity_of_token(connection: sa.Connection, token_hash: str) -> Identity | None:
    """Tell what an API token may do."""
    query = sa.select(api_tokens.c.name, api_tokens.c.role).where(api_tokens.c.token_hash == token_hash)
    row = connection.execute(query).first()
    return Identity(f"token:{row.name}", Role(row.role)) if row else None


def all_users(connection: sa.Connection) -> list[sa.RowMapping]:
    """List users: ``name``, ``role``, ``created_at``, ``disabled``."""
    columns = (users.c.name, users.c.role, users.c.created_at, users.c.disabled)
    return list(connection.execute(sa.select(*columns).order_by(users.c.name).limit(LISTED)).mappings())


def agents(connection: sa.Connection) -> list[str]:
    """List who a case may be assigned to."""
    able = (Role.AGENT, Role.LEAD, Role.ADMIN)
    query = sa.select(users.c.name).where(users.c.role.in_(able), users.c.disabled.is_(sa.false()))
    return list(connection.execute(query.order_by(users.c.name).limit(LISTED)).scalars())


def all_tokens(connection: sa.Connection) -> list[sa.RowMapping]:
    """List API tokens: ``name``, ``role``, ``created_at``; the tokens themselves nobody keeps."""
    columns = (api_tokens.c.name, api_tokens.c.role, api_tokens.c.created_at)
    return list(connection.execute(sa.select(*columns).order_by(api_tokens.c.created_at).limit(LISTED)).mappings())


def last_deeds(connection: sa.Connection, limit: int = 100) -> list[sa.RowMapping]:
    """List the newest entries of the audit log."""
    return list(connection.execute(sa.select(audit).order_by(audit.c.id.desc()).limit(limit)).mappings())


def last_consents(connection: sa.Connection, customer_id: str, limit: int = 10) -> list[sa.RowMapping]:
    """List the newest changes of a customer's consent."""
    query = sa.select(consent_log).where(consent_log.c.customer_id == customer_id)
    return list(connection.execute(query.order_by(consent_log.c.id.desc()).limit(limit)).mappings())


def fact(connection: sa.Connection, key: str) -> Any:
    """Return a small fact of the installation; None where it was never set."""
    return connection.execute(sa.select(meta.c.value).where(meta.c.key == key)).scalar_one_or_none()


def holding(connection: sa.Connection) -> bool:
    """Tell whether all that goes out is held."""
    value = fact(connection, "hold")
    return bool(value.get("on") if isinstance(value, dict) else value)
