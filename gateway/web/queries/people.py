"""People: customers on one side, users with their sessions, tokens and deeds on the other."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gateway.people.ways_in import SESSION_ID_LENGTH
from gateway.staff.owners import WORKERS
from gateway.store.schema import api_tokens, audit, consent_log, customers, meta, sessions, users
from gateway.store.staff import scopes, teams
from gateway.store.ways_in import account_links, outside_identities, recovery_codes
from gateway.web.auth import Identity, Role
from gateway.web.scope import scope_of

LISTED = 200


@dataclass(frozen=True, slots=True)
class CustomerCard:
    """A customer as staff see them."""

    id: str
    name: str
    country: str | None
    locale: str
    timezone: str
    segment: str | None
    tier: str | None
    email: str | None
    phone: str | None
    preferred_channel: str | None
    addresses: Mapping[str, str]
    channel_choices: Mapping[str, str]
    quiet_hours: str | None
    consents: tuple[str, ...]
    objections: tuple[str, ...]
    origins: Mapping[str, Mapping[str, Any]]
    """See ``Customer.origins``, as JSON."""
    left_at: datetime | None


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


def mailable(connection: sa.Connection, who: str) -> list[tuple[str, str, str | None]]:
    """Return (name, mail address, language) of enabled users with a password who are called or mailed ``who``."""
    u = users.c
    meant = sa.or_(u.name == who, sa.func.lower(u.email) == who.lower())
    query = sa.select(u.name, u.email, u.language).where(meant, u.email.is_not(None), u.password_hash.is_not(None))
    return [tuple(row) for row in connection.execute(query.where(u.disabled.is_(sa.false())).limit(5))]


def email_of(connection: sa.Connection, name: str) -> str | None:
    """Return where a user is mailed."""
    return connection.execute(sa.select(users.c.email).where(users.c.name == name)).scalar()


def exists(connection: sa.Connection, name: str) -> bool:
    """Tell whether there is a user of this name."""
    return connection.execute(sa.select(sa.true()).where(users.c.name == name)).scalar() is not None


def language_of(connection: sa.Connection, name: str) -> str | None:
    """Return the language that a user chose; None: their browser's, or there is no such user."""
    return connection.execute(sa.select(users.c.language).where(users.c.name == name)).scalar()


def has_password(connection: sa.Connection, name: str) -> bool:
    """Tell whether a user has a password of ours."""
    query = sa.select(sa.true()).where(users.c.name == name, users.c.password_hash.is_not(None))
    return connection.execute(query).scalar() is not None


def is_bound(connection: sa.Connection, name: str) -> bool:
    """Tell whether a user is known at the identity provider."""
    i = outside_identities
    return connection.execute(sa.select(sa.true()).where(i.c.user_name == name)).first() is not None


def sealed_secret(connection: sa.Connection, name: str) -> str | None:
    """Return a user's authenticator's secret as it is kept, encrypted; None where the password is all."""
    return connection.execute(sa.select(users.c.totp_secret).where(users.c.name == name)).scalar()


def has_recovery_code(connection: sa.Connection, name: str, code_hash: str) -> bool:
    """Tell whether a recovery code of this user is still good."""
    r = recovery_codes
    query = sa.select(sa.true()).where(r.c.user_name == name, r.c.code_hash == code_hash)
    return connection.execute(query).scalar() is not None


def recovery_codes_left(connection: sa.Connection, name: str) -> int:
    """Count a user's unused recovery codes."""
    r = recovery_codes
    return connection.execute(sa.select(sa.func.count()).where(r.c.user_name == name)).scalar_one()


def account_link(connection: sa.Connection, token_hash: str, now: datetime) -> sa.RowMapping | None:
    """Return a link to set a password with: ``user_name``, ``role`` (None: known already); None once it is over."""
    link = account_links
    query = sa.select(link).where(link.c.token_hash == token_hash, link.c.expires_at > now)
    return connection.execute(query).mappings().first()


def open_invitations(connection: sa.Connection, now: datetime) -> list[sa.RowMapping]:
    """List the links that wait to be used: ``user_name``, ``role``, ``created_by``, ``expires_at``."""
    link = account_links
    query = sa.select(link).where(link.c.expires_at > now).order_by(link.c.created_at.desc()).limit(LISTED)
    return list(connection.execute(query).mappings())


def sessions_of(connection: sa.Connection, name: str, now: datetime) -> list[sa.RowMapping]:
    """List a user's sessions, the newest first; ``id`` names one without being of use to get in."""
    s = sessions
    session_id = sa.func.substr(s.c.token_hash, 1, SESSION_ID_LENGTH).label("id")
    query = sa.select(session_id, s).where(s.c.user_name == name, s.c.expires_at > now)
    return list(connection.execute(query.order_by(s.c.created_at.desc()).limit(LISTED)).mappings())


def identity_of_session(connection: sa.Connection, token_hash: str, now: datetime) -> Identity | None:
    """Tell who a session's token belongs to; None once it has expired or the user was disabled."""
    query = (
        sa.select(users.c.name, users.c.role, users.c.totp_secret, users.c.language, sessions.c.way)
        .join(sessions, sessions.c.user_name == users.c.name)
        .where(sessions.c.token_hash == token_hash, sessions.c.expires_at > now, users.c.disabled.is_(sa.false()))
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    second, by_provider, scope = row.totp_secret is not None, row.way == "provider", scope_of(connection, row.name)
    return Identity(row.name, Role(row.role), token_hash, second, row.language, by_provider, scope)


def identity_of_token(connection: sa.Connection, token_hash: str) -> Identity | None:
    """Tell what an API token may do."""
    query = sa.select(api_tokens.c.name, api_tokens.c.role).where(api_tokens.c.token_hash == token_hash)
    row = connection.execute(query).first()
    if row is None:
        return None
    name = f"token:{row.name}"
    return Identity(name, Role(row.role), scope=scope_of(connection, name))


def all_users(connection: sa.Connection) -> list[sa.RowMapping]:
    """List users: ``name``, ``role``, ``created_at``, ``disabled``, ``second_factor``, ``password``, ``provider``."""
    second = users.c.totp_secret.is_not(None).label("second_factor")
    password = users.c.password_hash.is_not(None).label("password")
    i = outside_identities
    provider = sa.exists().where(i.c.user_name == users.c.name).label("provider")
    columns = (users.c.name, users.c.role, users.c.created_at, users.c.disabled, second, password, provider)
    return list(connection.execute(sa.select(*columns).order_by(users.c.name).limit(LISTED)).mappings())


def agents(connection: sa.Connection) -> list[str]:
    """List who may work on cases, whichever they see."""
    query = sa.select(users.c.name).where(users.c.role.in_(WORKERS), users.c.disabled.is_(sa.false()))
    return list(connection.execute(query.order_by(users.c.name).limit(LISTED)).scalars())


def all_scopes(connection: sa.Connection) -> list[sa.RowMapping]:
    """List whose role is bounded: ``who``, ``teams``, ``regions``."""
    return list(connection.execute(sa.select(scopes).order_by(scopes.c.who).limit(LISTED)).mappings())


def team_names(connection: sa.Connection) -> list[str]:
    """List the teams, in the order in which cases are tried on them."""
    return list(connection.execute(sa.select(teams.c.name).order_by(teams.c.position, teams.c.name)).scalars())


def all_tokens(connection: sa.Connection) -> list[sa.RowMapping]:
    """List API tokens: ``id``, ``name``, ``role``, ``created_at``; the tokens themselves nobody keeps."""
    token_id = sa.func.substr(api_tokens.c.token_hash, 1, SESSION_ID_LENGTH).label("id")
    columns = (token_id, api_tokens.c.name, api_tokens.c.role, api_tokens.c.created_at)
    return list(connection.execute(sa.select(*columns).order_by(api_tokens.c.created_at).limit(LISTED)).mappings())


def deeds(
    connection: sa.Connection, *, who: str = "", action: str = "", before_id: int | None = None, limit: int = 100
) -> list[sa.RowMapping]:
    """List entries of the audit log, the newest first; ``action`` may be the beginning of one, such as ``case.``."""
    query = sa.select(audit)
    if who:
        query = query.where(audit.c.who == who)
    if action:
        query = query.where(audit.c.action.startswith(action, autoescape=True))
    if before_id is not None:
        query = query.where(audit.c.id < before_id)
    return list(connection.execute(query.order_by(audit.c.id.desc()).limit(limit)).mappings())


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
