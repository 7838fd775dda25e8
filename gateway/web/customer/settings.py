"""The customer's settings: channels and purposes, quiet hours, language, location, their data and its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from http import HTTPStatus
from typing import Any

import sqlalchemy as sa
from aiohttp import web
from babel import Locale

from device_models.purpose import Purpose
from gateway.commands import CommandRefused
from gateway.commands.enrolment import (
    AnswerCheck,
    DropAddress,
    MakeLinkCode,
    RevokeLinks,
    SaveSettings,
    SendCheck,
)
from gateway.commands.people import EraseCustomer
from gateway.outbox.channels import configured_channels
from gateway.people.proven import proving_channels, ways_to
from gateway.store.enrolment import customer_settings
from gateway.web.access import form_of, read
from gateway.web.api.customers import exported
from gateway.web.customer.claim import REFUSED, channel_title, checkable
from gateway.web.customer.pages import ASK_SAFETY
from gateway.web.customer.session import Opened, back, base_of, give_proof, open_link, page
from gateway.web.customer.texts import TEXTS, Texts
from gateway.web.customer.view import CHOICES, allows, formats_of, person_of
from gateway.web.deps import DEPS
from gateway.web.queries import cases, devices
from gateway.web.queries.cases import CaseLine
from gateway.web.queries.devices import DeviceLine
from gateway.web.queries.people import CustomerCard
from gateway.web.render import html
from gateway.web.wording import text_in, title_of
from notifiers.link_codes import line_link, telegram_link, whatsapp_link
from notifiers.masking import mask

LINKED = ("telegram", "line", "whatsapp")
"""Messengers that a customer links by writing to us first."""
NOTICES = frozenset({"saved", "proved", "welcomed", "revoked"})
OFF = "off"
"""In the place of a channel: messages of this purpose are not to come."""
UNSAVED = {"choice.channel": "choice_gone"}
"""What to say by why settings were refused."""


@dataclass(frozen=True, slots=True)
class Way:
    """One channel and whether the customer is reached there."""

    channel: str
    title: str
    address: str
    """Masked unless they proved who they are; empty: they are not reached there."""
    link: str
    """What opens the messenger with a code in it; empty where none was asked for."""
    can_link: bool


async def show_settings(request: web.Request) -> web.StreamResponse:
    """GET /p/{token}/settings."""
    opened = await open_link(request)
    notice = request.query.get("said", "")
    return await _page(request, opened, notice=notice if notice in NOTICES else "")


async def save_settings(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/settings: ``language``, ``timezone``, ``quiet_from``, ``quiet_until``, ``channel_<purpose>``.

    A purpose's channel is ``off``, empty for whatever suits best, or the name of one; a purpose not named stays. Before
    safety is off they are asked once more.
    """
    opened = await open_link(request)
    form = await form_of(request)
    begins, ends = form.get("quiet_from", "").strip(), form.get("quiet_until", "").strip()
    wanted = {p: form[name] for p in CHOICES if (name := f"channel_{p.value}") in form}
    command = SaveSettings(
        opened.customer_id,
        locale=_locale(form.get("language", ""), opened.facts.customer.locale),
        timezone=form.get("timezone", "").strip() or None,
        quiet_hours=f"{begins}-{ends}" if _is_time(begins) and _is_time(ends) and begins != ends else "",
        # Of safety nothing ends here: they are asked once more, in words of what they will miss.
        purposes={p: channel != OFF for p, channel in wanted.items() if p is not Purpose.SAFETY or channel != OFF},
        channel_choices={purpose: channel for purpose, channel in wanted.items() if channel != OFF},
    )
    try:
        await request.app[DEPS].commands.submit(command)
    except CommandRefused as refused:
        error = opened.t.get(UNSAVED.get(str(refused), ""), str(refused))
        return await _page(request, opened, error=error, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    if wanted.get(Purpose.SAFETY) == OFF and allows(opened.facts.customer, Purpose.SAFETY):
        raise web.HTTPSeeOther(f"{base_of(request)}/{ASK_SAFETY}")
    raise back(request, "saved", page_name="settings")


async def choose_location(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/location: ``on`` 1 or 0."""
    opened = await open_link(request)
    on = (await form_of(request)).get("on") == "1"
    await request.app[DEPS].commands.submit(SaveSettings(opened.customer_id, location=on))
    raise back(request, "saved", "#location", "settings")


async def link_messenger(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/link: ``channel``; the page then shows the link that opens the messenger with a code."""
    opened = await open_link(request)
    channel = (await form_of(request)).get("channel", "")
    if channel not in LINKED or not _deep_link(request, channel, "x"):
        raise web.HTTPUnprocessableEntity(text="channel: unknown")
    try:
        code = await request.app[DEPS].commands.submit(MakeLinkCode(opened.customer_id, channel, opened.proved))
    except CommandRefused:
        raise back(request, "", "#proof", "settings") from None
    return await _page(request, opened, links={channel: _deep_link(request, channel, code)})


async def add_address(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/address: ``channel``, ``address``; a code is sent there. ``drop`` takes a channel away."""
    opened = await open_link(request)
    form = await form_of(request)
    if not opened.proved:
        raise back(request, "", "#proof", "settings")
    deps = request.app[DEPS]
    try:
        if form.get("drop"):
            await deps.commands.submit(DropAddress(opened.customer_id, form["drop"]))
            raise back(request, "saved", "#ways", "settings")
        sent = await deps.commands.submit(
            SendCheck(opened.customer_id, form.get("channel", ""), form.get("address", "")[:320])
        )
    except CommandRefused as refused:
        key = "last_way" if str(refused) == "address.last" else REFUSED.get(str(refused), "address_wrong")
        return await _page(request, opened, error=opened.t[key], status=HTTPStatus.UNPROCESSABLE_ENTITY)
    raise web.HTTPSeeOther(f"{base_of(request)}/check/{sent['token']}")


async def ask_proof(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/prove: ``channel``; a code is sent to their address there."""
    opened = await open_link(request)
    channel = (await form_of(request)).get("channel", "")
    try:
        sent = await request.app[DEPS].commands.submit(SendCheck(opened.customer_id, channel))
    except CommandRefused as refused:
        key = REFUSED.get(str(refused), "check_channel")
        return await _page(request, opened, error=opened.t[key], status=HTTPStatus.UNPROCESSABLE_ENTITY)
    raise web.HTTPSeeOther(f"{base_of(request)}/check/{sent['token']}")


async def show_check(request: web.Request) -> web.StreamResponse:
    """GET /p/{token}/check/{check}: where to enter the code."""
    return _check_page(request, await open_link(request))


async def check(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/check/{check}: ``code``; a right one proves who holds the link."""
    opened = await open_link(request)
    code = (await form_of(request)).get("code", "")[:20]
    answer = await request.app[DEPS].commands.submit(AnswerCheck(request.match_info["check"], code))
    if not answer["right"] or answer.get("customer_id") != opened.customer_id:
        key = "check_wrong" if answer["left"] else "check_over"
        return _check_page(request, opened, opened.t[key].format(left=answer["left"]), HTTPStatus.UNPROCESSABLE_ENTITY)
    response = web.HTTPSeeOther(f"{base_of(request)}/settings?said=proved")
    give_proof(request, response, opened.customer_id)
    raise response


async def export(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/export: a copy of all that is held, once they proved who they are."""
    opened = await open_link(request)
    if not opened.proved:
        raise back(request, "", "#proof", "settings")
    return await exported(request, opened.customer_id, zipped=True)


async def erase(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/erase: asks first; ``sure`` 1 does it, once they proved who they are."""
    opened = await open_link(request)
    if not opened.proved:
        raise back(request, "", "#proof", "settings")
    if (await form_of(request)).get("sure") != "1":
        return page(request, "erase", opened)
    await request.app[DEPS].commands.submit(EraseCustomer(opened.customer_id, "customer"))
    return html(request, "customer/done.html", {"t": opened.t, "language": opened.language, "done": opened.t["erased"]})


async def revoke(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/revoke: links that were sent before stop working; they go on with a new one."""
    opened = await open_link(request)
    deps = request.app[DEPS]
    await deps.commands.submit(RevokeLinks(opened.customer_id, "customer"))
    token = deps.links.token(opened.customer_id, opened.link.case_id, opened.link.purpose)
    raise web.HTTPSeeOther(f"/p/{token}/settings?said=revoked")


def _check_page(request: web.Request, opened: Opened, error: str = "", status: int = 200) -> web.Response:
    action = f"{base_of(request)}/check/{request.match_info['check']}"
    # Of a link that was passed on not even the masked address is seen.
    address = opened.t["check_there"]
    return page(
        request,
        "check",
        opened,
        status,
        action=action,
        address=address,
        error=error,
        back=f"{base_of(request)}/settings",
    )


async def _page(
    request: web.Request,
    opened: Opened,
    notice: str = "",
    error: str = "",
    status: int = 200,
    links: dict[str, str] | None = None,
) -> web.Response:
    deps, t, now = request.app[DEPS], opened.t, request.app[DEPS].clock.now()
    location, owned, past = await read(request, _load, opened.customer_id)
    card, formats = opened.facts.customer, formats_of(opened.facts.customer, now)
    configured = configured_channels(deps.notifiers)
    usable = await read(request, ways_to, person_of(card), deps.notifiers)
    provable = await read(request, proving_channels, person_of(card), deps.notifiers)
    begins, _, ends = (card.quiet_hours or "").partition("-")
    return page(
        request,
        "settings",
        opened,
        status,
        notice=notice,
        error=error,
        ways=[_way(request, channel, opened, links or {}) for channel in configured],
        typed=[(channel, channel_title(channel, t)) for channel in checkable(request)],
        provable=[(c, channel_title(c, t)) for c in provable],
        may_link=opened.proved or not provable,
        purposes=[(p.value, t[f"purpose_{p.value}"], _wishes(card, p, usable, t)) for p in CHOICES],
        languages=[(tag, Locale(tag).get_display_name(tag) or tag) for tag in sorted(TEXTS)],
        quiet=(begins, ends),
        push_key=deps.push_key,
        location=location and allows(card, Purpose.OFFER),
        offers=allows(card, Purpose.OFFER),
        products=[_product(request, line, card, opened.proved) for line in owned],
        past=[(title_of(line.explanation, line.rule, card.locale), _day(formats, line.opened_at)) for line in past],
    )


def _load(connection: sa.Connection, customer_id: str) -> tuple[bool, list[DeviceLine], list[CaseLine]]:
    s = customer_settings.c
    location = connection.execute(sa.select(s.location).where(s.customer_id == customer_id)).scalar()
    owned = devices.of_customer(connection, customer_id)
    ids = {line.id for line in owned}
    past = [
        line for line in cases.of_customer(connection, customer_id) if not line.on_arrival and line.device_id in ids
    ]
    return location is not False, owned, past


def _way(request: web.Request, channel: str, opened: Opened, links: dict[str, str]) -> Way:
    address = _address(opened.facts.customer, channel)
    shown = "" if not address else address if opened.proved else mask(address)
    return Way(
        channel=channel,
        title=channel_title(channel, opened.t),
        # Of a link that was passed on not even the masked address is seen.
        address=shown if opened.proved or not shown else opened.t["hidden"],
        link=links.get(channel, ""),
        can_link=channel in LINKED and bool(_deep_link(request, channel, "x")),
    )


def _address(card: CustomerCard, channel: str) -> str | None:
    own = {"email": card.email, "sms": card.phone}
    return card.addresses.get(channel) or own.get(channel)


def _deep_link(request: web.Request, channel: str, code: str) -> str:
    """Return what opens a messenger with ``code`` ready to be sent to us; empty where it is not set up."""
    settings = request.app[DEPS].notifiers
    if channel == "telegram" and settings.telegram is not None and settings.telegram.bot:
        return telegram_link(settings.telegram.bot, code)
    if channel == "line" and settings.line is not None and settings.line.account_id:
        return line_link(settings.line.account_id, code)
    number = settings.whatsapp.number if settings.whatsapp is not None else None
    if channel == "whatsapp" and number is None and settings.twilio is not None:
        number = settings.twilio.whatsapp_sender
    if channel == "whatsapp" and number:
        return whatsapp_link(number, code)
    return ""


def _product(request: web.Request, line: DeviceLine, card: CustomerCard, proved: bool) -> dict[str, Any]:
    profile = request.app[DEPS].profiles.get(line.profile)
    kind = text_in(profile.title, card.locale) if profile else ""
    place = ""
    if proved and line.latitude is not None and line.longitude is not None:
        place = f"{line.latitude:.4f}, {line.longitude:.4f}"
    return {"name": line.name or kind or line.model or "", "kind": kind if line.name else "", "place": place}


def _wishes(card: CustomerCard, purpose: Purpose, usable: Sequence[str], t: Texts) -> list[tuple[str, str, bool]]:
    """What can be wished for a purpose: (value, words, whether it is so now)."""
    on, chosen = allows(card, purpose), card.channel_choices.get(purpose.value, "")
    # A choice that cannot be used just now stays theirs until they make another.
    channels = dict.fromkeys((*usable, *([chosen] if chosen else [])))
    wishes = [(channel, channel_title(channel, t), on and channel == chosen) for channel in channels]
    return [("", t["any_channel"], on and not chosen), *wishes, (OFF, t["not_at_all"], not on)]


def _day(formats: Any, at: datetime) -> str:
    return str(formats.long_date(at))


def _locale(language: str, known: str) -> str | None:
    """Return the locale for a language; the region of the one known stays where the language does."""
    if language not in TEXTS or language == known.replace("_", "-").split("-")[0].lower():
        return None
    return language


def _is_time(text: str) -> bool:
    try:
        time.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 5
