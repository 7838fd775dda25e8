"""A forgotten password: who knows their name or mail address here is mailed a link, and nobody learns who that is."""

from datetime import timedelta
from functools import partial

import structlog
from aiohttp import web

from gateway.commands.accounts import BY_THEMSELVES, OpenAccountLink
from gateway.web.access import form_of, read
from gateway.web.auth import LoginThrottle, csrf_matches, csrf_token, new_token, token_hash
from gateway.web.deps import DEPS
from gateway.web.language import _
from gateway.web.pages.login import LOGIN_COOKIE, LONGEST_NAME, set_cookie
from gateway.web.queries import people
from gateway.web.render import html
from gateway.web.staff_mail import STAFF_MAIL, StaffMail, in_language, reset_mail

MAILS_THROTTLE = web.AppKey("mails_throttle", LoginThrottle)
ASKS_THROTTLE = web.AppKey("asks_throttle", LoginThrottle)
FORGOTTEN_WINDOW = timedelta(hours=1)
MAILS_ALLOWED = 3
"""To one person within the window, whoever asks."""
ASKS_ALLOWED = 20
"""From one network address within the window, whoever is asked for."""
GOOD_FOR = timedelta(hours=1)

log = structlog.get_logger()


async def show_form(request: web.Request) -> web.StreamResponse:
    """GET /forgotten."""
    _mail_or_404(request)
    return _form(request)


async def ask(request: web.Request) -> web.StreamResponse:
    """POST /forgotten: ``who``, a name or mail address; the answer is the same whether anybody has it."""
    mail, deps, throttle = _mail_or_404(request), request.app[DEPS], request.app[ASKS_THROTTLE]
    form = await form_of(request)
    who, address = form.get("who", "").strip()[:LONGEST_NAME], request.remote or ""
    if not csrf_matches(deps.secret, request.cookies.get(LOGIN_COOKIE, ""), form.get("_csrf", "")):
        return _form(request, _("That form had expired. Please try again."), status=403)
    if not who:
        return _form(request, _("Write your name or your mail address."), status=422)
    if throttle.wait("", address) > timedelta(0):
        return _form(request, _("Too many were asked for from here. Wait an hour, then try again."), status=429)
    throttle.failed("", address)
    mail.later(_mail_link(request, mail, who))
    return html(request, "forgotten_sent.html", {})


async def _mail_link(request: web.Request, mail: StaffMail, who: str) -> None:
    """Mail a link to each user of this name or address whose password counts; done where nobody sees how long."""
    deps, throttle = request.app[DEPS], request.app[MAILS_THROTTLE]
    for name, address, language in await read(request, people.mailable, who):
        if not deps.password_counts(name):
            continue
        if throttle.wait(name, "") > timedelta(0):
            log.warning("forgotten.too_many", user=name)
            continue
        throttle.failed(name, "")
        token = new_token()
        expires_at = deps.clock.now() + GOOD_FOR * deps.clock.speed
        await deps.commands.submit(OpenAccountLink(token_hash(token), name, None, expires_at, BY_THEMSELVES))
        write = partial(reset_mail, deps.brand, name, f"{deps.public_url}/join/{token}")
        subject, text, spoken = in_language(request, language, write)
        log.info("forgotten.mailed", user=name, sent=await mail.send(address, subject, text, spoken))


def _mail_or_404(request: web.Request) -> StaffMail:
    mail = request.app.get(STAFF_MAIL)
    if mail is None:
        raise web.HTTPNotFound(text="No mail is set up here. An admin sends you a link.")
    return mail


def _form(request: web.Request, error: str = "", status: int = 200) -> web.Response:
    bound_to = request.cookies.get(LOGIN_COOKIE) or new_token()
    csrf = csrf_token(request.app[DEPS].secret, bound_to)
    response = html(request, "forgotten.html", {"error": error, "csrf": csrf}, status=status)
    set_cookie(request, response, LOGIN_COOKIE, bound_to, timedelta(hours=1))
    return response
