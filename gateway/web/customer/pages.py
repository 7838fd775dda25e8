"""The routes behind a signed link. The link is the key: no login, no CSRF token, and nothing beyond its own case."""

import secrets
from collections.abc import Sequence
from http import HTTPStatus

from aiohttp import web

from device_models.purpose import Purpose
from gateway.commands import CommandRefused, CustomerWrote, ServiceAnswered, SetConsent
from gateway.web.access import form_of, read
from gateway.web.customer.texts import TEXTS, language_of
from gateway.web.customer.view import CustomerFacts, CustomerView, load, view_of
from gateway.web.deps import DEPS
from gateway.web.links import CustomerLink, LinkError, LinkExpiredError
from gateway.web.render import html

LONGEST_TEXT = 2000
STOPPABLE = tuple(purpose for purpose in Purpose if purpose is not Purpose.SAFETY)
NOTICES = frozenset({"sent", "tried_thanks", "service_thanks"})


async def show_page(request: web.Request) -> web.StreamResponse:
    """GET /p/{token}."""
    _link, facts = await _open(request)
    notice = request.query.get("said", "")
    return _page(request, facts, notice=notice if notice in NOTICES else "")


async def write(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/write: a message, joined to the case the link is about."""
    link, facts = await _open(request)
    text = (await form_of(request)).get("text", "").replace("\r\n", "\n").strip()
    t = TEXTS[language_of(facts.customer.locale)]
    if not text:
        return _page(request, facts, error=t["empty"], status=HTTPStatus.UNPROCESSABLE_ENTITY)
    if len(text) > LONGEST_TEXT:
        error = t["too_long"].format(most=LONGEST_TEXT)
        return _page(request, facts, error=error, draft=text, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    await _submit_words(request, link, text)
    raise _back(request, "sent")


async def tried(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/tried: they did what was advised; it joins the thread in their words."""
    link, facts = await _open(request)
    view = view_of(facts, request.app[DEPS].profiles, request.app[DEPS].clock.now())
    if not view.advice:
        raise _back(request, "")
    await _submit_words(request, link, view.t["tried_said"].format(advice=view.advice))
    raise _back(request, "tried_thanks")


async def service(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/service: ``answer`` done or later."""
    link, facts = await _open(request)
    answer = (await form_of(request)).get("answer")
    if facts.case is None or facts.case.kind != "maintenance" or link.case_id is None:
        raise web.HTTPNotFound
    if answer not in ("done", "later"):
        raise web.HTTPUnprocessableEntity(text="answer: done or later")
    try:
        await request.app[DEPS].commands.submit(
            ServiceAnswered(link.case_id, "done" if answer == "done" else "later", "customer")
        )
    except CommandRefused:
        # Answered twice, or closed meanwhile: what they wanted is so already, and the page says how things stand.
        raise _back(request, "") from None
    raise _back(request, "service_thanks")


async def choose(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/choose: ``purpose`` and ``on`` (1 or 0); the page's own STOP and START."""
    link, _facts = await _open(request)
    form = await form_of(request)
    try:
        purpose = Purpose(form.get("purpose", ""))
    except ValueError:
        raise web.HTTPUnprocessableEntity(text="purpose: unknown") from None
    await _consent(request, link, (purpose,), granted=form.get("on") == "1")
    raise _back(request, "", "#prefer")


async def ask_stop(request: web.Request) -> web.StreamResponse:
    """GET /p/{token}/stop: asks first, since mail programs and scanners follow links by themselves."""
    link, facts = await _open(request, even_expired=True)
    return _stop_page(request, link, facts, stopped=False)


async def stop(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/stop: by the page's button, or by a mail program in one click (RFC 8058).

    ``undo=1`` takes it back.
    """
    link, facts = await _open(request, even_expired=True)
    undo = (await form_of(request)).get("undo") == "1"
    await _consent(request, link, _purposes(link), granted=undo)
    if undo:
        raise _back(request, "", "#prefer")
    return _stop_page(request, link, facts, stopped=True)


async def _open(request: web.Request, *, even_expired: bool = False) -> tuple[CustomerLink, CustomerFacts]:
    try:
        link = request.app[DEPS].links.read(request.match_info["token"], even_expired=even_expired)
    except LinkExpiredError:
        raise web.HTTPGone from None
    except LinkError:
        raise web.HTTPNotFound from None
    facts = await read(request, load, link)
    if facts is None:
        raise web.HTTPNotFound
    if facts.ended and not even_expired:
        raise web.HTTPGone
    return link, facts


def gone(request: web.Request, status: HTTPStatus) -> web.Response:
    """Say that a link does not work, in the language that the browser asks for."""
    language = language_of(request.headers.get("Accept-Language", "en").split(",")[0].split(";")[0])
    context = {"t": TEXTS[language], "language": language}
    return html(request, "customer/gone.html", context, status=status)


def _page(
    request: web.Request,
    facts: CustomerFacts,
    notice: str = "",
    error: str = "",
    draft: str = "",
    status: int = 200,
) -> web.Response:
    view: CustomerView = view_of(facts, request.app[DEPS].profiles, request.app[DEPS].clock.now())
    context = {"view": view, "t": view.t, "language": view.language, "base": _base(request), "longest": LONGEST_TEXT}
    return html(request, "customer/page.html", {**context, "notice": notice, "error": error, "draft": draft}, status)


def _stop_page(request: web.Request, link: CustomerLink, facts: CustomerFacts, *, stopped: bool) -> web.Response:
    language = language_of(facts.customer.locale)
    t = TEXTS[language]
    purpose = t[f"purpose_{link.purpose.value}"] if link.purpose else t["stop_all"]
    context = {"t": t, "language": language, "base": _base(request), "stopped": stopped, "purpose": purpose}
    return html(request, "customer/stop.html", context)


def _purposes(link: CustomerLink) -> tuple[Purpose, ...]:
    return (link.purpose,) if link.purpose else STOPPABLE


async def _consent(request: web.Request, link: CustomerLink, purposes: Sequence[Purpose], *, granted: bool) -> None:
    source = "their page"
    await request.app[DEPS].commands.submit(SetConsent(link.customer_id, tuple(purposes), granted, source))


async def _submit_words(request: web.Request, link: CustomerLink, text: str) -> None:
    await request.app[DEPS].commands.submit(
        CustomerWrote(
            provider="page",
            provider_id=secrets.token_hex(16),
            channel="page",
            address=link.customer_id,
            text=text,
            case_id=link.case_id,
            customer_id=link.customer_id,
        )
    )


def _base(request: web.Request) -> str:
    return f"/p/{request.match_info['token']}"


def _back(request: web.Request, notice: str, anchor: str = "") -> web.HTTPSeeOther:
    return web.HTTPSeeOther(f"{_base(request)}{f'?said={notice}' if notice else ''}{anchor}")
