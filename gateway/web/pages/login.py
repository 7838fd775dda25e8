"""Logging in and out."""

import asyncio
from datetime import timedelta

import structlog
from aiohttp import web
from yarl import URL

from gateway.commands import SaveSession
from gateway.web.access import IDENTITY, form_of, identify, read
from gateway.web.auth import (
    SESSION_COOKIE,
    SESSION_LIFE,
    LoginThrottle,
    csrf_matches,
    csrf_token,
    new_token,
    password_matches,
    token_hash,
)
from gateway.web.deps import DEPS
from gateway.web.queries import people
from gateway.web.render import html
from gateway.web.security import is_https
from gateway.web.wording import span_text

THROTTLE = web.AppKey("throttle", LoginThrottle)
LOGIN_COOKIE = "login"
"""Before there is a session the form is bound to this cookie (double submit)."""
LONGEST_NAME = 200

log = structlog.get_logger()


async def show_login(request: web.Request) -> web.StreamResponse:
    """GET /login."""
    if await identify(request) is not None:
        raise web.HTTPSeeOther(_next(request.query.get("next")))
    return _form(request, next_path=request.query.get("next", "/"))


async def log_in(request: web.Request) -> web.StreamResponse:
    """POST /login: ``name``, ``password``; five failures for a name from an address, then a pause."""
    deps, throttle = request.app[DEPS], request.app[THROTTLE]
    form = await form_of(request)
    name, password = form.get("name", "")[:LONGEST_NAME], form.get("password", "")
    address, next_path = request.remote or "", form.get("next", "/")
    if not csrf_matches(deps.secret, request.cookies.get(LOGIN_COOKIE, ""), form.get("_csrf", "")):
        return _form(request, name, next_path, "That form had expired. Please try again.", status=403)
    wait = throttle.wait(name, address)
    if wait > timedelta(0):
        # The window is on the demo's clock; the person waits on the wall's.
        real = timedelta(seconds=deps.clock.wall_seconds(wait))
        return _form(request, name, next_path, f"Too many tries. Wait {span_text(real)}, then try again.", status=429)
    known_hash = await read(request, people.password_hash, name)
    if not await asyncio.to_thread(password_matches, password, known_hash):
        throttle.failed(name, address)
        log.warning("login.failed", user=name if known_hash else None)
        return _form(request, name, next_path, "This name and password do not belong together.", status=401)
    throttle.succeeded(name, address)
    token = new_token()
    # A session lasts for the hours of the person's day, however fast the demo's clock runs.
    expires_at = deps.clock.now() + SESSION_LIFE * deps.clock.speed
    await deps.commands.submit(SaveSession(token_hash(token), name, expires_at))
    log.info("login.succeeded", user=name)
    answer = web.HTTPSeeOther(_next(next_path))
    _set_cookie(request, answer, SESSION_COOKIE, token, SESSION_LIFE)
    answer.del_cookie(LOGIN_COOKIE)
    raise answer


async def log_out(request: web.Request) -> web.StreamResponse:
    """POST /logout: the session ends in the store, not only in the browser."""
    identity = request[IDENTITY]
    if identity.session_hash is not None:
        await request.app[DEPS].commands.submit(SaveSession(identity.session_hash, identity.name, None))
    answer = web.HTTPSeeOther("/login")
    answer.del_cookie(SESSION_COOKIE)
    raise answer


def _form(
    request: web.Request, name: str = "", next_path: str = "/", error: str = "", status: int = 200
) -> web.Response:
    bound_to = request.cookies.get(LOGIN_COOKIE) or new_token()
    csrf = csrf_token(request.app[DEPS].secret, bound_to)
    context = {"name": name, "next": next_path, "error": error, "csrf": csrf}
    response = html(request, "login.html", context, status=status)
    _set_cookie(request, response, LOGIN_COOKIE, bound_to, timedelta(hours=1))
    return response


def _set_cookie(request: web.Request, response: web.Response, name: str, value: str, life: timedelta) -> None:
    secure = is_https(request.app[DEPS])
    response.set_cookie(
        name, value, max_age=int(life.total_seconds()), httponly=True, samesite="Lax", secure=secure, path="/"
    )


def _next(path: str | None) -> URL:
    """Where to go after logging in: only ever a path of ours, so that no link can lead a user elsewhere."""
    url = URL(path or "/")
    # Browsers read a backslash as a slash, so /\host would leave this site.
    inside = str(url).startswith("/") and not str(url).startswith("//") and "\\" not in (path or "")
    return url if inside and not url.absolute else URL("/")
