"""Users, invitations and API tokens: what an admin changes."""

import asyncio
from datetime import datetime, timedelta
from functools import partial

from aiohttp import web

from device_models.event import rfc3339
from gateway.commands import SaveApiToken, SaveUser
from gateway.commands.accounts import (
    DropApiToken,
    DropSecondFactor,
    EndSessions,
    HandToProvider,
    OpenAccountLink,
    SetDisabled,
    SetEmail,
    SetRole,
)
from gateway.web import forms
from gateway.web.access import IDENTITY, fields, is_api, read, wants_json
from gateway.web.api.present import answer, listed, plain
from gateway.web.api.reads import cursor_of, limit_of
from gateway.web.auth import SHORTEST_PASSWORD, Role, hash_password, new_token, token_hash
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError
from gateway.web.links import LinkError
from gateway.web.pages.case import done
from gateway.web.pages.shell import show
from gateway.web.preconditions import with_etags
from gateway.web.queries import people
from gateway.web.render import html
from gateway.web.staff_mail import (
    STAFF_MAIL,
    confirming_mail,
    email_in,
    invitation_mail,
    moved_mail,
    moving_mail,
    tell,
)

LONGEST_NAME = 60
INVITED_FOR = timedelta(days=3)
RESET_WITHIN = timedelta(days=1)
CONFIRMED_WITHIN = timedelta(days=1)
CONFIRM = "staff_mail"
"""What the link is sealed for that confirms a mail address."""


async def save_user(request: web.Request) -> web.StreamResponse:
    """POST /admin/users: create a user, or set their password and role."""
    sent = await fields(request)
    name, role, password = _name(sent), _role(sent), str(sent.get("password") or "")
    if len(password) < SHORTEST_PASSWORD:
        raise FieldError("password", f"Use at least {SHORTEST_PASSWORD} characters.")
    hashed = await asyncio.to_thread(hash_password, password)
    await request.app[DEPS].commands.submit(SaveUser(name, hashed, role.value, request[IDENTITY].name))
    return done(request, "/admin")


async def save_token(request: web.Request) -> web.StreamResponse:
    """POST /admin/tokens: make an API token; it is shown this once and kept only as a hash."""
    sent = await fields(request)
    name, role, token = _name(sent), _role(sent), new_token()
    await request.app[DEPS].commands.submit(SaveApiToken(token_hash(token), name, role.value, request[IDENTITY].name))
    if wants_json(request) or is_api(request):
        return web.json_response({"token": token})
    return await show(request, "token.html", "admin", token=token, name=name, role=role)


async def invite(request: web.Request) -> web.StreamResponse:
    """POST /admin/users/invite: ``name``, ``role``, ``email``; a link, this once, by which they set their password."""
    sent = await fields(request)
    return await _open_link(request, _name(sent), _role(sent), INVITED_FOR, email=email_in(sent))


async def reset(request: web.Request) -> web.StreamResponse:
    """POST /admin/users/reset: ``name``; a link as for an invitation. ``second_factor``: the authenticator is lost."""
    sent = await fields(request)
    lost = forms.flag_of(sent, "second_factor")
    return await _open_link(request, _name(sent), None, RESET_WITHIN, forget_second_factor=lost)


async def set_role(request: web.Request) -> web.StreamResponse:
    """POST /admin/users/role: ``name``, ``role``."""
    sent = await fields(request)
    await request.app[DEPS].commands.submit(SetRole(_name(sent), _role(sent).value, request[IDENTITY].name))
    return done(request, "/admin")


async def set_email(request: web.Request) -> web.StreamResponse:
    """POST /admin/users/email: ``name``, ``email`` (empty: none). Another address counts once it was confirmed there.

    Where no mail is set up it counts at once. The address before is told in either case.
    """
    sent, deps, by = await fields(request), request.app[DEPS], request[IDENTITY].name
    name, email = _name(sent), email_in(sent)
    if not await read(request, people.exists, name):
        raise FieldError("name", "There is no user of that name.")
    before, language = await read(request, people.email_of, name), await read(request, people.language_of, name)
    confirms = email is not None and email != before and STAFF_MAIL in request.app
    if email is not None and confirms:
        token = deps.links.seal(CONFIRM, [name, email, before, deps.clock.now().isoformat(), by])
        url = f"{deps.public_url}/mail/{token}"
        tell(request, email, language, lambda: confirming_mail(deps.brand, name, by, url))
        if before is not None:
            tell(request, before, language, lambda: moving_mail(deps.brand, name, by))
    else:
        await deps.commands.submit(SetEmail(name, email, by))
        if before is not None and before != email:
            tell(request, before, language, lambda: moved_mail(deps.brand, name))
    return done(request, "/admin", confirms=confirms)


async def show_confirm(request: web.Request) -> web.StreamResponse:
    """GET /mail/{token}: asks, so that a program which follows every link confirms nothing."""
    name, email, *_ = await _to_confirm(request)
    return html(request, "confirm_mail.html", {"name": name, "email": email, "confirmed": False})


async def confirm(request: web.Request) -> web.StreamResponse:
    """POST /mail/{token}: this address is where the user is mailed from now on."""
    name, email, before, by = await _to_confirm(request)
    deps = request.app[DEPS]
    await deps.commands.submit(SetEmail(name, email, by))
    language = await read(request, people.language_of, name)
    if before is not None:
        tell(request, before, language, lambda: moved_mail(deps.brand, name))
    return html(request, "confirm_mail.html", {"name": name, "email": email, "confirmed": True})


async def _to_confirm(request: web.Request) -> tuple[str, str, str | None, str]:
    """Return name, new address, the one before and who asked. Raises HTTPNotFound for a link that counts no more."""
    deps = request.app[DEPS]
    gone = web.HTTPNotFound(text="This link was used before or has expired. Ask an admin for another.")
    try:
        name, email, before, at, by = deps.links.unseal(CONFIRM, request.match_info["token"])
    except (LinkError, ValueError) as error:
        raise gone from error
    expired = datetime.fromisoformat(at) + CONFIRMED_WITHIN * deps.clock.speed < deps.clock.now()
    if expired or await read(request, people.email_of, name) != before:
        raise gone
    return name, email, before, by


async def set_disabled(request: web.Request) -> web.StreamResponse:
    """POST /admin/users/disable: ``name``; ``disabled`` false lets them in again."""
    sent = await fields(request)
    disabled = forms.flag_of(sent, "disabled", default=True)
    await request.app[DEPS].commands.submit(SetDisabled(_name(sent), disabled, request[IDENTITY].name))
    return done(request, "/admin")


async def end_sessions(request: web.Request) -> web.StreamResponse:
    """POST /admin/users/log-out: ``name``; everywhere, at once."""
    await request.app[DEPS].commands.submit(EndSessions(_name(await fields(request)), request[IDENTITY].name))
    return done(request, "/admin")


async def drop_second_factor(request: web.Request) -> web.StreamResponse:
    """POST /admin/users/drop-second-factor: ``name``."""
    await request.app[DEPS].commands.submit(DropSecondFactor(_name(await fields(request)), request[IDENTITY].name))
    return done(request, "/admin")


async def hand_to_provider(request: web.Request) -> web.StreamResponse:
    """POST /admin/users/hand-to-provider: ``name``; who has that name at the identity provider is them from now on."""
    name, deps = _name(await fields(request)), request.app[DEPS]
    if deps.oidc is None:
        raise FieldError("name", "No identity provider is set up here; see web.oidc in docs/configuration.md.")
    await deps.commands.submit(HandToProvider(name, request[IDENTITY].name))
    return done(request, "/admin")


async def end_token(request: web.Request) -> web.StreamResponse:
    """POST /admin/tokens/end: ``id``."""
    token_id = forms.text_of(await fields(request), "id", what="which token")
    await request.app[DEPS].commands.submit(DropApiToken(token_id, request[IDENTITY].name))
    return done(request, "/admin")


async def list_users(request: web.Request) -> web.StreamResponse:
    """GET /api/users."""
    users = await read(request, people.all_users)
    items = [{**plain(u), "created_at": rfc3339(u["created_at"])} for u in users]
    return answer({"items": await read(request, with_etags, "user", items, "name"), "next": None})


async def list_tokens(request: web.Request) -> web.StreamResponse:
    """GET /api/tokens: ``id``, ``name``, ``role``, ``created_at``; the tokens themselves nobody keeps."""
    return answer({"items": [plain(row) for row in await read(request, people.all_tokens)], "next": None})


async def list_invitations(request: web.Request) -> web.StreamResponse:
    """GET /api/users/invitations: who was invited and has not come yet; the links themselves nobody keeps."""
    rows = await read(request, people.open_invitations, request.app[DEPS].clock.now())
    told = ("user_name", "role", "created_by", "created_at", "expires_at")
    return answer({"items": [{name: row[name] for name in told} for row in rows], "next": None})


async def list_deeds(request: web.Request) -> web.StreamResponse:
    """GET /api/audit?who=&action=&cursor=&limit=: who changed what and when, the newest first."""
    query, limit = request.query, limit_of(request)
    asked = partial(
        people.deeds,
        who=query.get("who", ""),
        action=query.get("action", ""),
        before_id=cursor_of(request),
        limit=limit + 1,
    )
    return listed([plain(row) for row in await read(request, asked)], limit)


async def _open_link(
    request: web.Request,
    name: str,
    role: Role | None,
    life: timedelta,
    *,
    forget_second_factor: bool = False,
    email: str | None = None,
) -> web.StreamResponse:
    deps, token = request.app[DEPS], new_token()
    # Days of the person's, however fast the demo's clock runs.
    expires_at = deps.clock.now() + life * deps.clock.speed
    by = request[IDENTITY].name
    command = OpenAccountLink(token_hash(token), name, role, expires_at, by, forget_second_factor, email)
    await deps.commands.submit(command)
    url = f"{deps.public_url}/join/{token}"
    mailed = email is not None and STAFF_MAIL in request.app
    if email is not None:
        tell(request, email, None, lambda: invitation_mail(deps.brand, name, by, url))
    if wants_json(request) or is_api(request):
        return web.json_response({"url": url, "expires_at": rfc3339(expires_at), "mailed": mailed})
    return await show(
        request,
        "account_link.html",
        "admin",
        url=url,
        name=name,
        role=role,
        expires_at=expires_at,
        provider=_label(request),
    )


def _label(request: web.Request) -> str | None:
    provider = request.app[DEPS].oidc
    return provider.label if provider else None


def _name(sent: forms.Sent) -> str:
    name = forms.text_of(sent, "name", what="a name")
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise FieldError("name", f"Use at most {LONGEST_NAME} printable characters.")
    return name


def _role(sent: forms.Sent) -> Role:
    try:
        return Role(str(sent.get("role", "")))
    except ValueError:
        raise FieldError("role", f"Choose one of {', '.join(Role)}.") from None
