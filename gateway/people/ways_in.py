"""How staff get in and are kept out: links, passwords, second factors, sessions, as rows."""

from typing import assert_never

import sqlalchemy as sa

from gateway.commands import CommandRefused
from gateway.commands import accounts as a
from gateway.people import outside
from gateway.people.accounts import ADMIN, find_user, keep_an_admin
from gateway.store import schema
from gateway.store.ways_in import account_links, recovery_codes
from gateway.transaction import Transaction

SESSION_ID_LENGTH = 16
"""Letters of a session's or token's hash that name it in a list: enough to tell apart, of no use to get in."""


def run(tx: Transaction, command: a.AccountCommand) -> str | int | None:
    """Do what ``command`` says; raises CommandRefused where it cannot be done."""
    match command:
        case a.OpenAccountLink():
            _open_link(tx, command)
        case a.UseAccountLink():
            return _use_link(tx, command)
        case a.ChangePassword():
            _set_password(tx, command.user_name, command.password_hash, keep=command.keep_session)
            tx.audit(command.user_name, "user.change_password", command.user_name)
        case a.EndSessions():
            return _end_sessions(tx, command)
        case a.SetSecondFactor():
            _set_second_factor(tx, command)
        case a.UseSecondFactor():
            _use_second_factor(tx, command)
        case a.DropSecondFactor():
            _user(tx, command.user_name)
            _forget_second_factor(tx, command.user_name)
            tx.audit(command.by, "user.drop_second_factor", command.user_name)
        case a.SetRole():
            if command.role != ADMIN:
                keep_an_admin(tx, command.user_name)
            _update(tx, command.user_name, role=command.role)
            tx.audit(command.by, "user.set_role", command.user_name, role=command.role)
        case a.SetDisabled():
            _set_disabled(tx, command)
        case a.DropApiToken():
            _drop_token(tx, command)
        case a.SetEmail():
            _update(tx, command.user_name, email=command.email)
            # The address itself is not for a log that others read.
            tx.audit(command.by, "user.set_email", command.user_name, there=command.email is not None)
        case a.SetLanguage():
            _update(tx, command.user_name, language=command.language)
        case a.SignInOutside():
            return outside.sign_in(tx, command)
        case a.BindOutside():
            outside.bind(tx, command)
        case a.HandToProvider():
            user = _user(tx, command.user_name)
            _forget_second_factor(tx, user["name"])
            _set_password(tx, user["name"], None, keep=None)
            outside.forget(tx, command)
        case a.EndOutsideSessions():
            return outside.end_sessions(tx, command)
        case _:
            assert_never(command)
    return None


def _open_link(tx: Transaction, command: a.OpenAccountLink) -> None:
    known = find_user(tx, command.user_name)
    if known is None and command.role is None:
        raise CommandRefused(f"there is no user '{command.user_name}'; invite them with a role")
    if known is not None and command.role is not None:
        raise CommandRefused(f"'{command.user_name}' is a user already; make a link to reset their password instead")
    link = account_links
    theirs = link.c.user_name == command.user_name
    if command.by == a.BY_THEMSELVES:
        theirs = sa.and_(theirs, link.c.created_by == a.BY_THEMSELVES)
    tx.connection.execute(sa.delete(link).where(sa.or_(theirs, link.c.expires_at <= tx.now)))
    row = {
        "token_hash": command.token_hash,
        "user_name": command.user_name,
        "role": command.role,
        "forget_second_factor": command.forget_second_factor,
        "created_by": command.by,
        "created_at": tx.now,
        "expires_at": command.expires_at,
        "email": command.email,
    }
    tx.connection.execute(sa.insert(link).values(row))
    action = "user.invite" if command.role is not None else "user.reset"
    tx.audit(command.by, action, command.user_name, role=command.role, second_factor=command.forget_second_factor)


def _use_link(tx: Transaction, command: a.UseAccountLink) -> str:
    link = account_links
    found = sa.select(link).where(link.c.token_hash == command.token_hash, link.c.expires_at > tx.now)
    row = tx.connection.execute(found).mappings().first()
    if row is None:
        raise CommandRefused("this link was used before or has expired; ask an admin for another")
    name: str = row["user_name"]
    if find_user(tx, name) is None:
        user = {"name": name, "password_hash": command.password_hash, "role": row["role"], "email": row["email"]}
        tx.connection.execute(sa.insert(schema.users).values(**user, created_at=tx.now, disabled=False))
    else:
        _set_password(tx, name, command.password_hash, keep=None)
    if row["forget_second_factor"]:
        _forget_second_factor(tx, name)
    tx.connection.execute(sa.delete(link).where(link.c.user_name == name))
    tx.audit(name, "user.set_password", name)
    return name


def _set_password(tx: Transaction, name: str, password_hash: str | None, *, keep: str | None) -> None:
    _update(tx, name, password_hash=password_hash)
    _drop_sessions(tx, name, keep=keep)


def _end_sessions(tx: Transaction, command: a.EndSessions) -> int:
    ended = _drop_sessions(tx, command.user_name, keep=command.keep_session, only=command.session_id)
    tx.audit(command.by, "user.end_sessions", command.user_name, sessions=ended)
    return ended


def _drop_sessions(tx: Transaction, name: str, *, keep: str | None = None, only: str | None = None) -> int:
    s = schema.sessions
    ending = sa.delete(s).where(s.c.user_name == name)
    if keep is not None:
        ending = ending.where(s.c.token_hash != keep)
    if only is not None:
        ending = ending.where(sa.func.substr(s.c.token_hash, 1, SESSION_ID_LENGTH) == only)
    return tx.connection.execute(ending).rowcount


def _set_second_factor(tx: Transaction, command: a.SetSecondFactor) -> None:
    _forget_second_factor(tx, command.user_name)
    _update(tx, command.user_name, totp_secret=command.sealed_secret, totp_step=command.step)
    rows = [{"user_name": command.user_name, "code_hash": code_hash} for code_hash in command.recovery_hashes]
    tx.connection.execute(sa.insert(recovery_codes), rows)
    tx.audit(command.user_name, "user.set_second_factor", command.user_name)


def _use_second_factor(tx: Transaction, command: a.UseSecondFactor) -> None:
    u = schema.users
    if command.step is not None:
        newer = sa.or_(u.c.totp_step.is_(None), u.c.totp_step < command.step)
        used = tx.connection.execute(
            sa.update(u).where(u.c.name == command.user_name, newer).values(totp_step=command.step)
        )
    else:
        r = recovery_codes
        used = tx.connection.execute(
            sa.delete(r).where(r.c.user_name == command.user_name, r.c.code_hash == command.recovery_hash)
        )
    if used.rowcount != 1:
        raise CommandRefused("this code was used before; wait for the next one")
    if command.step is None:
        tx.audit(command.user_name, "user.use_recovery_code", command.user_name)


def _forget_second_factor(tx: Transaction, name: str) -> None:
    _update(tx, name, totp_secret=None, totp_step=None)
    tx.connection.execute(sa.delete(recovery_codes).where(recovery_codes.c.user_name == name))


def _set_disabled(tx: Transaction, command: a.SetDisabled) -> None:
    if command.disabled:
        keep_an_admin(tx, command.user_name)
        _drop_sessions(tx, command.user_name)
        tx.connection.execute(sa.delete(account_links).where(account_links.c.user_name == command.user_name))
    _update(tx, command.user_name, disabled=command.disabled)
    tx.audit(command.by, "user.disable" if command.disabled else "user.enable", command.user_name)


def _drop_token(tx: Transaction, command: a.DropApiToken) -> None:
    t = schema.api_tokens
    named = sa.func.substr(t.c.token_hash, 1, SESSION_ID_LENGTH) == command.token_id
    name = tx.connection.execute(sa.select(t.c.name).where(named)).scalar()
    if name is None:
        raise CommandRefused("there is no such token; it may have been ended before")
    tx.connection.execute(sa.delete(t).where(named))
    tx.audit(command.by, "token.end", name)


def _user(tx: Transaction, name: str) -> sa.RowMapping:
    found = find_user(tx, name)
    if found is None:
        raise CommandRefused(f"there is no user '{name}'")
    return found


def _update(tx: Transaction, name: str, **values: object) -> None:
    u = schema.users
    if tx.connection.execute(sa.update(u).where(u.c.name == name).values(**values)).rowcount != 1:
        raise CommandRefused(f"there is no user '{name}'")
