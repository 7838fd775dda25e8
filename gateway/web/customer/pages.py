"""The routes behind a signed link. The link is the key: no login, no CSRF token, and nothing beyond its own case."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Literal

from aiohttp import web
from markupsafe import Markup

from device_models.purpose import Purpose
from gateway.cases.desk import HELPED
from gateway.commands import CommandRefused, CustomerWrote, ServiceAnswered, SetConsent, StepTried
from gateway.commands.offers import OfferOpened
from gateway.web.access import form_of, read
from gateway.web.customer.course import draw, load_span
from gateway.web.customer.desk import load_desk
from gateway.web.customer.session import Opened, back, base_of, open_link, page
from gateway.web.customer.view import CustomerView, conversation, formats_of, view_of
from gateway.web.customer.warnings import missed
from gateway.web.deps import DEPS
from gateway.web.files import FilesNotKept, served, uploaded
from gateway.web.links import CustomerLink
from gateway.web.queries import attachments, devices
from gateway.web.queries.inbox import inbox_of
from notifiers.attachment import Attachment
from rules.schema import RuleSet

LONGEST_TEXT = 2000
ASK_SAFETY = "stop?purpose=safety"
"""Where they are asked once more before safety warnings end."""
STOPPABLE = tuple(purpose for purpose in Purpose if purpose is not Purpose.SAFETY)
NOTICES = frozenset({"sent", "tried_thanks", "service_thanks", "date_cancelled", "rate_thanks"})
PROBLEMS = frozenset({"date_taken", "date_past", "address_wrong"})
"""What a form that sent them back here could not do."""


async def show_page(request: web.Request) -> web.StreamResponse:
    """GET /p/{token}."""
    opened = await open_link(request)
    if opened.link.purpose is Purpose.OFFER and request.method == "GET":
        await request.app[DEPS].commands.submit(OfferOpened(opened.link.customer_id))
    said = request.query.get("said", "")
    problem = opened.t[said] if said in PROBLEMS else ""
    return await _page(request, opened, notice=said if said in NOTICES else "", problem=problem)


async def write(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/write: a message, joined to the case the link is about, with pictures and PDFs in ``file``."""
    opened = await open_link(request)
    try:
        text = (await form_of(request)).get("text", "").replace("\r\n", "\n").strip()
        files = await uploaded(request)
    except web.HTTPRequestEntityTooLarge:
        return await _page(request, opened, error=opened.t["not_kept"], status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    except FilesNotKept:
        error = opened.t["not_kept"]
        return await _page(request, opened, error=error, draft=text, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    if not text and not files:
        return await _page(request, opened, error=opened.t["empty"], status=HTTPStatus.UNPROCESSABLE_ENTITY)
    if len(text) > LONGEST_TEXT:
        error = opened.t["too_long"].format(most=LONGEST_TEXT)
        return await _page(request, opened, error=error, draft=text, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    await _submit_words(request, opened.link, text or ", ".join(file.name for file in files), files)
    raise back(request, "sent")


async def show_file(request: web.Request) -> web.StreamResponse:
    """GET /p/{token}/files/{id}: what came or went with a message of this very conversation."""
    opened = await open_link(request)
    shown = {file.id for said in conversation(opened.facts.timeline) for file in said.files}
    number = int(request.match_info["id"])
    found = await read(request, attachments.content, number) if number in shown else None
    if found is None:
        raise web.HTTPNotFound
    return served(*found)


async def tried(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/tried: they did what was advised, ``step`` of the article, 0 the first; without an article the

    advice joins the thread in their words.
    """
    opened = await open_link(request)
    step, case = (await form_of(request)).get("step", ""), opened.facts.case
    if step.isascii() and step.isdecimal() and len(step) < 4 and case is not None:
        try:
            await request.app[DEPS].commands.submit(StepTried(case.id, opened.facts.customer.id, int(step)))
        except CommandRefused:
            # Over meanwhile, or of an older article: the page says how things stand.
            raise back(request, "") from None
        raise back(request, "tried_thanks")
    view = view_of(opened.facts, request.app[DEPS].profiles, request.app[DEPS].clock.now())
    if not view.advice:
        raise back(request, "")
    await _submit_words(request, opened.link, view.t["tried_said"].format(advice=view.advice))
    raise back(request, "tried_thanks")


async def service(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/service: ``answer`` done or later."""
    opened = await open_link(request)
    link, case = opened.link, opened.facts.case
    answer = (await form_of(request)).get("answer")
    if case is None or case.kind != "maintenance" or link.case_id is None:
        raise web.HTTPNotFound
    if answer not in ("done", "later"):
        raise web.HTTPUnprocessableEntity(text="answer: done or later")
    try:
        await request.app[DEPS].commands.submit(
            ServiceAnswered(link.case_id, "done" if answer == "done" else "later", "customer")
        )
    except CommandRefused:
        # Answered twice, or closed meanwhile: what they wanted is so already, and the page says how things stand.
        raise back(request, "") from None
    raise back(request, "service_thanks")


async def choose(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/choose: ``purpose`` and ``on`` (1 or 0): STOP and START; before safety ends it asks."""
    opened = await open_link(request)
    form = await form_of(request)
    try:
        purpose = Purpose(form.get("purpose", ""))
    except ValueError:
        raise web.HTTPUnprocessableEntity(text="purpose: unknown") from None
    granted = form.get("on") == "1"
    if purpose is Purpose.SAFETY and not granted:
        raise web.HTTPSeeOther(f"{base_of(request)}/{ASK_SAFETY}")
    await _consent(request, opened.link, (purpose,), granted=granted)
    raise back(request, "", "#prefer")


async def ask_stop(request: web.Request) -> web.StreamResponse:
    """GET /p/{token}/stop: asks first, since mail programs and scanners follow links by themselves.

    ``purpose=safety``: they wished so on their page, and are asked once more.
    """
    opened = await open_link(request, even_expired=True)
    return await _stop_page(request, opened, "sure" if request.query.get("purpose") == "safety" else "ask")


async def stop(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/stop: by the page's button, or by a mail program in one click (RFC 8058).

    Safety warnings end only with ``sure=1``, which a page asks for that says what they will miss; a mail program's
    click, which nobody could be asked about, is an answer of its own. ``undo=1`` takes it back.
    """
    opened = await open_link(request, even_expired=True)
    form = await form_of(request)
    undo, one_click = form.get("undo") == "1", form.get("List-Unsubscribe") == "One-Click"
    safety = form.get("purpose") == "safety" or opened.link.purpose is Purpose.SAFETY
    if safety and not (undo or one_click or form.get("sure") == "1"):
        return await _stop_page(request, opened, "sure")
    await _consent(request, opened.link, (Purpose.SAFETY,) if safety else _purposes(opened.link), granted=undo)
    if undo:
        raise back(request, "", "#prefer")
    return await _stop_page(request, opened, "stopped", safety=safety)


async def _page(
    request: web.Request,
    opened: Opened,
    *,
    notice: str = "",
    problem: str = "",
    error: str = "",
    draft: str = "",
    status: int = 200,
) -> web.Response:
    deps, now = request.app[DEPS], request.app[DEPS].clock.now()
    inbox = await read(request, inbox_of, opened.customer_id)
    view: CustomerView = view_of(opened.facts, deps.profiles, now, deps.brand, inbox)
    desk = await read(
        request, load_desk, opened.facts.customer, opened.facts.case, deps.teams_with_dates, opened.t, now
    )
    case, locale = opened.facts.case, opened.facts.customer.locale
    helping = await read(request, deps.helps, case, locale) if deps.helps is not None and case is not None else None
    course = await _course(request, opened, now) if view.figure is not None else None
    words = {"notice": notice, "problem": problem, "error": error, "draft": draft, "longest": LONGEST_TEXT}
    return page(
        request, "page", opened, status, view=view, desk=desk, course=course, helped=HELPED, helping=helping, **words
    )


async def _course(request: web.Request, opened: Opened, now: datetime) -> Markup | None:
    """Draw the figure's last day; None where there is none to be seen."""
    deps, facts = request.app[DEPS], opened.facts
    span = await read(request, load_span, facts, now)
    if span is None or facts.case is None:
        return None
    profile = deps.profiles.get(facts.case.profile or "")
    return await draw(deps.history, facts, span, profile, opened.t, formats_of(facts.customer, now))


async def _stop_page(
    request: web.Request, opened: Opened, step: Literal["ask", "sure", "stopped"], *, safety: bool = False
) -> web.Response:
    safety = safety or step == "sure"
    ending = Purpose.SAFETY if safety else opened.link.purpose
    purpose = opened.t[f"purpose_{ending.value}"] if ending else opened.t["stop_all"]
    dangers = await _missed(request, opened) if step == "sure" else []
    return page(request, "stop", opened, step=step, purpose=purpose, safety=safety, missed=dangers)


async def _missed(request: web.Request, opened: Opened) -> list[str]:
    deps = request.app[DEPS]
    owned = await read(request, devices.of_customer, opened.customer_id)
    profiles = [deps.profiles[name] for name in dict.fromkeys(line.profile for line in owned) if name in deps.profiles]
    ruleset = deps.detector().ruleset if deps.detector is not None else RuleSet()
    return missed(profiles, ruleset, opened.facts.customer.locale)


def _purposes(link: CustomerLink) -> tuple[Purpose, ...]:
    return (link.purpose,) if link.purpose else STOPPABLE


async def _consent(request: web.Request, link: CustomerLink, purposes: Sequence[Purpose], *, granted: bool) -> None:
    source = "their page"
    await request.app[DEPS].commands.submit(SetConsent(link.customer_id, tuple(purposes), granted, source))


async def _submit_words(request: web.Request, link: CustomerLink, text: str, files: Sequence[Attachment] = ()) -> None:
    await request.app[DEPS].commands.submit(
        CustomerWrote(
            provider="page",
            provider_id=secrets.token_hex(16),
            channel="page",
            address=link.customer_id,
            text=text,
            case_id=link.case_id,
            customer_id=link.customer_id,
            files=tuple(files),
        )
    )
