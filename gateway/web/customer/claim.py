"""Coming in: the code on a product leads here; an address is checked; then the customer has a page of their own."""

from datetime import timedelta
from http import HTTPStatus
from typing import Any

import sqlalchemy as sa
from aiohttp import web
from babel import Locale

from gateway.commands import CommandRefused
from gateway.commands.enrolment import AnswerCheck, StartClaim
from gateway.outbox.channels import configured_channels
from gateway.people.checks import CHECKED, digest
from gateway.people.enrolment import read_claim
from gateway.store.enrolment import address_checks
from gateway.store.schema import devices
from gateway.web.access import form_of, read
from gateway.web.auth import LoginThrottle
from gateway.web.customer.session import browser_language
from gateway.web.customer.texts import TEXTS, language_of
from gateway.web.deps import DEPS
from gateway.web.render import html
from gateway.web.wording import text_in, zone_of
from notifiers.masking import mask

CLAIM_THROTTLE = web.AppKey("claim_throttle", LoginThrottle)
CLAIM_WINDOW = timedelta(hours=1)
CLAIMS_ALLOWED = 10
"""Wrong codes and checks from one network address within the window."""
REFUSED = {
    "claim.unknown": "claim_unknown",
    "claim.owned": "claim_owned",
    "check.address": "address_wrong",
    "check.too_many": "check_too_many",
    "check.channel": "check_channel",
}


async def show_claim(request: web.Request) -> web.StreamResponse:
    """GET /claim and /claim/{code}: what it is about, and where to reach its owner."""
    code = request.match_info.get("code", request.query.get("code", ""))
    product = await _product(request, code) if code else None
    error = "claim_unknown" if code and product is None and not _slowed(request) else ""
    if error:
        request.app[CLAIM_THROTTLE].failed("claim", request.remote or "")
    return _form(request, code=code, product=product or "", error=error)


async def claim(request: web.Request) -> web.StreamResponse:
    """POST /claim: ``code``, ``name``, ``channel``, ``address``, ``language``, ``timezone``."""
    form, throttle = await form_of(request), request.app[CLAIM_THROTTLE]
    given = {name: form.get(name, "").strip()[:320] for name in ("code", "name", "channel", "address", "timezone")}
    language = language_of(form.get("language") or browser_language(request))
    product = await _product(request, given["code"]) or ""
    if _slowed(request):
        return _form(request, **given, product=product, language=language, error="check_too_many", status=429)
    command = StartClaim(
        given["code"], given["channel"], given["address"], given["name"], language, zone_of(given["timezone"]).key
    )
    try:
        sent = await request.app[DEPS].commands.submit(command)
    except CommandRefused as refused:
        throttle.failed("claim", request.remote or "")
        error = REFUSED.get(str(refused), "claim_unknown")
        return _form(request, **given, product=product, language=language, error=error, status=422)
    throttle.failed("claim", request.remote or "")
    raise web.HTTPSeeOther(f"/check/{sent['token']}")


async def show_check(request: web.Request) -> web.StreamResponse:
    """GET /check/{check}: where to enter the code."""
    return await _check_form(request)


async def check(request: web.Request) -> web.StreamResponse:
    """POST /check/{check}: ``code``; a right one leads to the customer's own page."""
    code = (await form_of(request)).get("code", "")[:20]
    answer = await request.app[DEPS].commands.submit(AnswerCheck(request.match_info["check"], code))
    if not answer["right"] or answer["kind"] != "claim":
        error = "check_wrong" if answer["left"] else "check_over"
        return await _check_form(request, error, answer["left"], status=422)
    token = request.app[DEPS].links.token(answer["customer_id"])
    raise web.HTTPSeeOther(f"/p/{token}/settings?said=welcomed")


def checkable(request: web.Request) -> list[str]:
    """List the channels where a code can be sent to an address that somebody types."""
    return [channel for channel in configured_channels(request.app[DEPS].notifiers) if channel in CHECKED]


def _slowed(request: web.Request) -> bool:
    return request.app[CLAIM_THROTTLE].wait("claim", request.remote or "") > timedelta(0)


async def _product(request: web.Request, code: str) -> str | None:
    """Name the product of a code: its kind, never whose it is; None where the code does not work."""
    deps, language = request.app[DEPS], browser_language(request)

    def find(connection: sa.Connection) -> str | None:
        claim_row = read_claim(connection, code, deps.clock.now())
        if claim_row is None:
            return None
        query = sa.select(devices.c.profile, devices.c.model).where(devices.c.id == claim_row["device_id"])
        row = connection.execute(query).first()
        if row is None:
            return None
        profile = deps.profiles.get(row.profile)
        kind = text_in(profile.title, language) if profile else ""
        return " ".join(part for part in (kind, row.model) if part) or row.profile

    return await read(request, find)


def _form(request: web.Request, *, error: str = "", status: int = 200, **given: Any) -> web.Response:
    language = given.pop("language", "") or browser_language(request)
    t = TEXTS[language]
    brand = request.app[DEPS].brand
    context = {
        "t": t,
        "language": language,
        "languages": [(tag, Locale(tag).get_display_name(tag) or tag) for tag in sorted(TEXTS)],
        "channels": [(channel, channel_title(channel, t)) for channel in checkable(request)],
        "error": t[error].format(brand=brand, left="") if error else "",
        "wrong_field": "address"
        if error == "address_wrong"
        else "code"
        if error in ("claim_unknown", "claim_owned")
        else "",
        "given": {"code": "", "name": "", "channel": "", "address": "", "product": "", **given},
    }
    return html(request, "customer/claim.html", context, status=status)


async def _check_form(request: web.Request, error: str = "", left: int = 0, status: int = 200) -> web.Response:
    token = request.match_info["check"]

    def find(connection: sa.Connection) -> sa.RowMapping | None:
        c = address_checks
        return connection.execute(sa.select(c).where(c.c.token_hash == digest(token))).mappings().first()

    row = await read(request, find)
    if row is None:
        raise web.HTTPNotFound
    language = language_of(row["draft"].get("locale") or browser_language(request))
    t = TEXTS[language]
    context = {
        "t": t,
        "language": language,
        "action": f"/check/{token}",
        "address": mask(row["address"]),
        "error": t[error].format(left=left) if error else "",
        "back": "",
    }
    return html(request, "customer/check.html", context, status=HTTPStatus(status))


def channel_title(channel: str, t: Any) -> str:
    """Name a channel in the page's language; messengers are called the same everywhere."""
    names = {"whatsapp": "WhatsApp", "telegram": "Telegram", "line": "LINE", "webpush": "Web Push", "fcm": "App"}
    return t.get(f"channel_{channel}") or names.get(channel, channel.capitalize())
