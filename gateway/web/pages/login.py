"""Logging in, with a second factor where one is set, and out."""

import asyncio
from datetime import timedelta

import structlog
from aiohttp import web
from itsdangerous import BadData, URLSafeTimedSerializer
from yarl import URL

from gateway.commands import CommandRefused, SaveSession
from gateway.commands.accounts import UseSecondFactor
from gateway.web import second_factor
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
from gateway.web.language import _, refusal, say
from gateway.web.queries import people
from gateway.web.render import html
from gateway.web.security import is_https
from gateway.web.wording import span_text

THROTTLE = web.AppKey("throttle", LoginThrottle)
SEALER = web.AppKey("sealer", second_factor.Sealer)
LOGIN_COOKIE = "login"
"""Before there is a session the form is bound to this cookie (double submit)."""
LONGEST_NAME = 200
CODE_WITHIN = timedelta(minutes=5)
"""From the right password to the authenticator's code."""

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
    if not csrf_matches(deps.secret, _login_cookie(request), form.get("_csrf", "")):
        return _form(request, name, next_path, _("That form had expired. Please try again."), status=403)
    wait = throttle.wait(name, address)
    if wait > timedelta(0):
        # The window is on the demo's clock; the person waits on the wall's.
        real = timedelta(seconds=deps.clock.wall_seconds(wait))
        return _form(
            request, name, next_path, say("Too many tries. Wait {1}, then try again.", span_text(real)), status=429
        )
    # A failure until it is none: of many tries at the same moment no more are let through than of one after the other.
    throttle.failed(name, address)
    # Where passwords are switched off all but the named fail alike, and as slowly: nobody learns who those are.
    known_hash = await read(request, people.password_hash, name) if deps.password_counts(name) else None
    if not await asyncio.to_thread(password_matches, password, known_hash):
        log.warning("login.failed", user=name if known_hash else None)
        return _form(request, name, next_path, _("This name and password do not belong together."), status=401)
    if await read(request, people.sealed_secret, name) is not None:
        throttle.was_right(name, address)
        return _code_form(request, _ticket(request).dumps([name, _login_cookie(request), known_hash]), next_path)
    throttle.succeeded(name, address)
    raise await let_in(request, name, next_path)


async def take_code(request: web.Request) -> web.StreamResponse:
    """POST /login/code: ``ticket`` of the right password and ``code`` of the authenticator, or a recovery code."""
    deps, throttle = request.app[DEPS], request.app[THROTTLE]
    form = await form_of(request)
    ticket, next_path, address = form.get("ticket", ""), form.get("next", "/"), request.remote or ""
    try:
        name, cookie, known_hash = _ticket(request).loads(ticket, max_age=int(CODE_WITHIN.total_seconds()))
    except BadData:
        return _form(request, "", next_path, _("That took too long. Please begin again."), status=403)
    if cookie != _login_cookie(request) or not csrf_matches(deps.secret, cookie, form.get("_csrf", "")):
        return _form(request, name, next_path, _("That form had expired. Please try again."), status=403)
    if throttle.wait(name, address) > timedelta(0):
        return _form(
            request, name, next_path, _("Too many tries. Wait a quarter of an hour, then try again."), status=429
        )
    throttle.failed(name, address)
    # A password that was changed meanwhile, or a user shut out, ends here.
    if await read(request, people.password_hash, name) != known_hash:
        return _form(request, name, next_path, _("Please log in again."), status=403)
    try:
        await deps.commands.submit(await _second_factor(request, name, form.get("code", "")))
    except CommandRefused as refused:
        log.warning("login.code_refused", user=name)
        return _code_form(request, ticket, next_path, f"{refusal(str(refused)).capitalize()}.", status=401)
    throttle.succeeded(name, address)
    raise await let_in(request, name, next_path)


async def let_in(request: web.Request, name: str, next_path: str) -> web.HTTPSeeOther:
    """Begin a session of ``name`` and return the answer that carries it."""
    deps = request.app[DEPS]
    token, session = new_session(request, name, way="password")
    await deps.commands.submit(session)
    if deps.local_login:
        log.info("login.succeeded", user=name, way="password")
    else:
        log.warning("login.break_glass", user=name)
    return after_login(request, token, next_path)


def new_session(request: web.Request, name: str, way: str) -> tuple[str, SaveSession]:
    """Make a session's token, and the command that stores it."""
    clock, token = request.app[DEPS].clock, new_token()
    # A session lasts for the hours of the person's day, however fast the demo's clock runs.
    expires_at = clock.now() + SESSION_LIFE * clock.speed
    browser = request.headers.get("User-Agent", "")[:LONGEST_NAME].encode("utf-8", "replace").decode()
    return token, SaveSession(token_hash(token), name, expires_at, browser or None, request.remote, way)


def after_login(request: web.Request, token: str, next_path: str) -> web.HTTPSeeOther:
    """Return the answer that carries a session's token and leads on."""
    answer = web.HTTPSeeOther(_next(next_path))
    set_cookie(request, answer, SESSION_COOKIE, token, SESSION_LIFE)
    answer.del_cookie(LOGIN_COOKIE)
    return answer


async def log_out(request: web.Request) -> web.StreamResponse:
    """POST /logout: the session ends in the store, not only in the browser."""
    identity = request[IDENTITY]
    if identity.session_hash is not None:
        await request.app[DEPS].commands.submit(SaveSession(identity.session_hash, identity.name, None))
    answer = web.HTTPSeeOther("/logged-out" if identity.by_provider else "/login")
    answer.del_cookie(SESSION_COOKIE)
    raise answer


async def _second_factor(request: web.Request, name: str, code: str) -> UseSecondFactor:
    """Read what was typed as a code of this user's; raises CommandRefused where it is none."""
    sealed = await read(request, people.sealed_secret, name)
    secret = request.app[SEALER].open(sealed) if sealed else None
    step = second_factor.step_of(code, secret) if secret else None
    if step is not None:
        return UseSecondFactor(name, step=step)
    hashed = second_factor.recovery_hash(code)
    if not await read(request, people.has_recovery_code, name, hashed):
        raise CommandRefused("this code is not right; look for the newest one, and that your phone's time is")
    return UseSecondFactor(name, recovery_hash=hashed)


def _form(
    request: web.Request, name: str = "", next_path: str = "/", error: str = "", status: int = 200
) -> web.Response:
    bound_to = _login_cookie(request) or new_token()
    csrf = csrf_token(request.app[DEPS].secret, bound_to)
    deps = request.app[DEPS]
    provider = (
        {"label": deps.oidc.label, "href": str(URL("/login/provider").with_query(next=next_path))}
        if deps.oidc
        else None
    )
    context = {
        "name": name,
        "next": next_path,
        "error": error,
        "csrf": csrf,
        "provider": provider,
        "local_login": deps.local_login,
        "mail": deps.notifiers.email is not None,
    }
    response = html(request, "login.html", context, status=status)
    set_cookie(request, response, LOGIN_COOKIE, bound_to, timedelta(hours=1))
    return response


def _code_form(request: web.Request, ticket: str, next_path: str, error: str = "", status: int = 200) -> web.Response:
    csrf = csrf_token(request.app[DEPS].secret, _login_cookie(request))
    context = {"ticket": ticket, "next": next_path, "error": error, "csrf": csrf}
    return html(request, "login_code.html", context, status=status)


def _login_cookie(request: web.Request) -> str:
    return request.cookies.get(LOGIN_COOKIE, "")


def _ticket(request: web.Request) -> URLSafeTimedSerializer:
    """What proves, for some minutes, that the password was right; by the wall clock, as the code itself."""
    return URLSafeTimedSerializer(request.app[DEPS].secret, salt="second-factor")


def set_cookie(request: web.Request, response: web.Response, name: str, value: str, life: timedelta) -> None:
    """Set a cookie that no script reads and no other site sends."""
    secure = is_https(request.app[DEPS])
    response.set_cookie(
        name, value, max_age=int(life.total_seconds()), httponly=True, samesite="Lax", secure=secure, path="/"
    )


def _next(path: str | None) -> URL:
    """Where to go after logging in: only ever a path of ours, so that no link can lead a user elsewhere."""
    try:
        url = URL(path or "/")
    except ValueError:
        return URL("/")
    # Browsers read a backslash as a slash, so /\host would leave this site.
    inside = str(url).startswith("/") and not str(url).startswith("//") and "\\" not in (path or "")
    return url if inside and not url.absolute else URL("/")
