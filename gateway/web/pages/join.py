"""The link of an invitation or a reset: a person sets their own password, and nobody else ever knows it."""

import asyncio
from datetime import timedelta

from aiohttp import web

from gateway.commands.accounts import UseAccountLink
from gateway.web.access import form_of, read
from gateway.web.auth import SHORTEST_PASSWORD, csrf_matches, csrf_token, hash_password, new_token, token_hash
from gateway.web.deps import DEPS
from gateway.web.language import _, say
from gateway.web.pages.login import LOGIN_COOKIE, let_in, set_cookie
from gateway.web.queries import people
from gateway.web.render import html
from gateway.web.staff_mail import tell_of_password


async def show_join(request: web.Request) -> web.StreamResponse:
    """GET /join/{token}."""
    link = await read(request, people.account_link, _hash(request), request.app[DEPS].clock.now())
    if link is None:
        raise web.HTTPNotFound(text="This link was used before or has expired. Ask an admin for another.")
    if not request.app[DEPS].password_counts(link["user_name"]):
        raise _at_the_provider(request, link["user_name"])
    return _form(request, link["user_name"], new=link["role"] is not None)


async def join(request: web.Request) -> web.StreamResponse:
    """POST /join/{token}: ``password`` and ``again``; who has a second factor then logs in with it."""
    deps, form = request.app[DEPS], await form_of(request)
    link = await read(request, people.account_link, _hash(request), deps.clock.now())
    if link is None:
        raise web.HTTPNotFound(text="This link was used before or has expired. Ask an admin for another.")
    name, new, password = link["user_name"], link["role"] is not None, form.get("password", "")
    if not deps.password_counts(name):
        raise _at_the_provider(request, name)
    if not csrf_matches(deps.secret, request.cookies.get(LOGIN_COOKIE, ""), form.get("_csrf", "")):
        return _form(request, name, new=new, error=_("That form had expired. Please try again."), status=403)
    if len(password) < SHORTEST_PASSWORD:
        return _form(request, name, new=new, error=say("Use at least {1} characters.", SHORTEST_PASSWORD), status=422)
    if password != form.get("again", ""):
        return _form(request, name, new=new, error=_("The two are not the same. Type them again."), status=422)
    hashed = await asyncio.to_thread(hash_password, password)
    name = await deps.commands.submit(UseAccountLink(_hash(request), hashed))
    if not new:
        await tell_of_password(request, name)
    if await read(request, people.sealed_secret, name) is not None:
        raise web.HTTPSeeOther("/login")
    raise await let_in(request, name, "/")


def _at_the_provider(request: web.Request, name: str) -> web.HTTPException:
    provider = request.app[DEPS].oidc
    label = provider.label if provider else "your company"
    return web.HTTPForbidden(text=f"Passwords are switched off here. Log in with {label}, as {name}.")


def _hash(request: web.Request) -> str:
    return token_hash(request.match_info["token"])


def _form(request: web.Request, name: str, *, new: bool, error: str = "", status: int = 200) -> web.Response:
    bound_to = request.cookies.get(LOGIN_COOKIE) or new_token()
    csrf = csrf_token(request.app[DEPS].secret, bound_to)
    context = {"name": name, "new": new, "error": error, "csrf": csrf, "shortest": SHORTEST_PASSWORD}
    response = html(request, "join.html", context, status=status)
    set_cookie(request, response, LOGIN_COOKIE, bound_to, timedelta(hours=1))
    return response
