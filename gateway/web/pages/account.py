"""A user's own account: password, second factor, sessions."""

import asyncio

from aiohttp import web

from gateway.commands.accounts import (
    ChangePassword,
    DropSecondFactor,
    EndSessions,
    SetEmail,
    SetLanguage,
    SetSecondFactor,
)
from gateway.people.ways_in import SESSION_ID_LENGTH
from gateway.web import second_factor
from gateway.web.access import IDENTITY, fields, must_set_second_factor, read
from gateway.web.auth import SHORTEST_PASSWORD, hash_password, password_matches
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError
from gateway.web.language import LANGUAGES
from gateway.web.pages.case import done
from gateway.web.pages.login import SEALER
from gateway.web.pages.shell import show
from gateway.web.queries import people
from gateway.web.staff_mail import STAFF_MAIL, email_in, moved_mail, tell, tell_of_password

_SET_UP_WITHIN_S = 900


async def show_account(request: web.Request) -> web.StreamResponse:
    """GET /me."""
    identity = request[IDENTITY]
    sessions = await read(request, people.sessions_of, identity.name, request.app[DEPS].clock.now())
    left = await read(request, people.recovery_codes_left, identity.name)
    has_password = await read(request, people.has_password, identity.name)
    bound = await read(request, people.is_bound, identity.name)
    deps, email = request.app[DEPS], await read(request, people.email_of, identity.name)
    current = (identity.session_hash or "")[:SESSION_ID_LENGTH]
    return await show(
        request,
        "account.html",
        "me",
        sessions=sessions,
        current=current,
        codes_left=left,
        shortest=SHORTEST_PASSWORD,
        must_set_second_factor=must_set_second_factor(request, identity),
        has_password=has_password and deps.password_counts(identity.name),
        provider=deps.oidc.label if deps.oidc else None,
        bound=bound,
        email=email or "",
        mail=STAFF_MAIL in request.app,
    )


async def change_password(request: web.Request) -> web.StreamResponse:
    """POST /me/password: ``current`` and ``password``; every other session ends."""
    identity, sent = request[IDENTITY], await fields(request)
    await _check_password(request, str(sent.get("current") or ""), "current")
    password = str(sent.get("password") or "")
    if len(password) < SHORTEST_PASSWORD:
        raise FieldError("password", f"Use at least {SHORTEST_PASSWORD} characters.")
    hashed = await asyncio.to_thread(hash_password, password)
    await request.app[DEPS].commands.submit(ChangePassword(identity.name, hashed, identity.session_hash))
    await tell_of_password(request, identity.name)
    return done(request, "/me")


async def set_email(request: web.Request) -> web.StreamResponse:
    """POST /me/email: ``email`` (empty: none) and ``current`` password; the address before is told of it."""
    identity, sent, deps = request[IDENTITY], await fields(request), request.app[DEPS]
    await _check_password(request, str(sent.get("current") or ""), "current")
    email, before = email_in(sent), await read(request, people.email_of, identity.name)
    await deps.commands.submit(SetEmail(identity.name, email, identity.name))
    if before is not None and before != email:
        tell(request, before, identity.language, lambda: moved_mail(deps.brand, identity.name))
    return done(request, "/me")


async def set_language(request: web.Request) -> web.StreamResponse:
    """POST /me/language: ``language`` of the console; empty: as the browser says."""
    language = str((await fields(request)).get("language") or "") or None
    if language is not None and language not in LANGUAGES:
        raise FieldError("language", f"Choose one of {', '.join(LANGUAGES)}.")
    await request.app[DEPS].commands.submit(SetLanguage(request[IDENTITY].name, language))
    return done(request, "/me")


async def begin_second_factor(request: web.Request) -> web.StreamResponse:
    """GET /me/second-factor: the QR code to scan. The secret is kept nowhere until a code has proved it."""
    secret = second_factor.new_secret()
    uri = second_factor.provisioning_uri(secret, request[IDENTITY].name, request.app[DEPS].brand)
    return await _offer(request, secret, uri)


async def set_second_factor(request: web.Request) -> web.StreamResponse:
    """POST /me/second-factor: ``sealed`` as the page had it, ``code``, ``current`` password; shows recovery codes."""
    identity, sent = request[IDENTITY], await fields(request)
    secret = request.app[SEALER].open(str(sent.get("sealed") or ""), max_age_s=_SET_UP_WITHIN_S)
    if secret is None:
        raise FieldError("sealed", "That took too long. Begin again and scan the new code.")
    await _check_password(request, str(sent.get("current") or ""), "current")
    step = second_factor.step_of(str(sent.get("code") or ""), secret)
    if step is None:
        raise FieldError("code", "This is not the code of now. Check that your phone's time is right, and try again.")
    codes = second_factor.new_recovery_codes()
    hashes = tuple(second_factor.recovery_hash(code) for code in codes)
    command = SetSecondFactor(identity.name, request.app[SEALER].seal(secret), step, hashes)
    await request.app[DEPS].commands.submit(command)
    return await show(request, "recovery_codes.html", "me", codes=codes)


async def drop_second_factor(request: web.Request) -> web.StreamResponse:
    """POST /me/second-factor/drop: ``current`` password."""
    identity = request[IDENTITY]
    await _check_password(request, str((await fields(request)).get("current") or ""), "current")
    await request.app[DEPS].commands.submit(DropSecondFactor(identity.name, by=identity.name))
    return done(request, "/me")


async def end_sessions(request: web.Request) -> web.StreamResponse:
    """POST /me/sessions/end: one session by ``id``, or without it all but this one."""
    identity, sent = request[IDENTITY], await fields(request)
    session_id = str(sent.get("id") or "") or None
    keep = None if session_id else identity.session_hash
    await request.app[DEPS].commands.submit(EndSessions(identity.name, identity.name, session_id, keep))
    return done(request, "/me")


async def _check_password(request: web.Request, password: str, field: str) -> None:
    known = await read(request, people.password_hash, request[IDENTITY].name)
    if not await asyncio.to_thread(password_matches, password, known):
        raise FieldError(field, "This is not your password.")


async def _offer(request: web.Request, secret: str, uri: str) -> web.Response:
    spelt = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    sealed = request.app[SEALER].seal(secret)
    drawn = second_factor.qr_svg(uri)
    return await show(request, "second_factor.html", "me", qr=drawn, spelt=spelt, sealed=sealed)
