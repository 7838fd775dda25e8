"""Opening a signed link: whose it is, what it may see, and whether its holder proved who they are."""

from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from aiohttp import web
from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer

from gateway.commands.enrolment import SendLink
from gateway.web.access import read
from gateway.web.customer.texts import TEXTS, Texts, language_of
from gateway.web.customer.view import CustomerFacts, load
from gateway.web.deps import DEPS
from gateway.web.links import CustomerLink, LinkError, LinkExpiredError
from gateway.web.render import html
from gateway.web.security import is_https

WHOLE = "all~"
"""Before a link's token: the page of all that is theirs, whatever became of the case that the link came with."""
PROOF_COOKIE = "proof"
PROOF_LIFE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Opened:
    """A link that was opened."""

    link: CustomerLink
    facts: CustomerFacts
    proved: bool
    """Whether its holder gave back a code that was sent to an address of theirs, here and lately."""

    @property
    def customer_id(self) -> str:
        """Whose page it is."""
        return self.link.customer_id

    @property
    def language(self) -> str:
        """The page's."""
        return language_of(self.facts.customer.locale)

    @property
    def t(self) -> Texts:
        """The page's words."""
        return TEXTS[self.language]


async def open_link(request: web.Request, *, even_expired: bool = False) -> Opened:
    """Read the link in the path. Raises HTTPNotFound, or HTTPGone for one that worked once.

    ``even_expired``: STOP is heeded from a link of any age.
    """
    deps = request.app[DEPS]
    token = request.match_info["token"]
    try:
        link = deps.links.read(token.removeprefix(WHOLE), even_expired=even_expired)
    except LinkExpiredError:
        raise web.HTTPGone from None
    except LinkError:
        raise web.HTTPNotFound from None
    if token.startswith(WHOLE):
        link = replace(link, case_id=None)
    facts = await read(request, load, link)
    if facts is None:
        raise web.HTTPNotFound
    if not even_expired and (facts.ended or facts.revoked):
        raise web.HTTPGone
    return Opened(link, facts, has_proof(request, link.customer_id))


def has_proof(request: web.Request, customer_id: str) -> bool:
    """Tell whether this browser holds a fresh proof for a customer."""
    try:
        proved = _serializer(request).loads(
            request.cookies.get(PROOF_COOKIE, ""), max_age=int(PROOF_LIFE.total_seconds())
        )
    except BadData:
        return False
    return bool(proved == customer_id)


def give_proof(request: web.Request, response: web.StreamResponse, customer_id: str) -> None:
    """Let this browser see and change everything for a while."""
    response.set_cookie(
        PROOF_COOKIE,
        str(_serializer(request).dumps(customer_id)),
        max_age=int(PROOF_LIFE.total_seconds()),
        path="/p/",
        httponly=True,
        samesite="Strict",
        secure=is_https(request.app[DEPS]),
    )


def page(request: web.Request, template: str, opened: Opened, status: int = 200, **context: Any) -> web.Response:
    """Render a page behind a link."""
    common = {
        "t": opened.t,
        "language": opened.language,
        "base": base_of(request),
        "proved": opened.proved,
        "customer": opened.facts.customer,
    }
    return html(request, f"customer/{template}.html", {**common, **context}, status=status)


def base_of(request: web.Request) -> str:
    """Return the path of the customer's page."""
    return f"/p/{request.match_info['token']}"


def back(request: web.Request, notice: str = "", anchor: str = "", page_name: str = "") -> web.HTTPSeeOther:
    """Go back to a page behind the same link, with a notice."""
    path = base_of(request) + (f"/{page_name}" if page_name else "")
    return web.HTTPSeeOther(f"{path}{f'?said={notice}' if notice else ''}{anchor}")


def browser_language(request: web.Request) -> str:
    """Return the language that the browser asks for first."""
    return language_of(request.headers.get("Accept-Language", "en").split(",")[0].split(";")[0])


def gone(request: web.Request, status: HTTPStatus) -> web.Response:
    """Say that a link does not work, in the language that the browser asks for."""
    language = browser_language(request)
    # What was ours once leads to its customer still, by a message to where they are reached.
    was_ours = status is HTTPStatus.GONE and "token" in request.match_info
    again = f"{base_of(request)}/renew" if was_ours else ""
    words = {"t": TEXTS[language], "language": language, "renew": again, "renewed": False}
    return html(request, "customer/gone.html", words, status=status)


async def renew(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/renew: send a new link to the customer of one that works no more, unless they revoked it."""
    opened = await open_link(request, even_expired=True)
    if not opened.facts.revoked:
        await request.app[DEPS].commands.submit(SendLink(opened.customer_id))
    language = browser_language(request)
    words = {"t": TEXTS[language], "language": language, "renew": "", "renewed": True}
    return html(request, "customer/gone.html", words)


def _serializer(request: web.Request) -> URLSafeTimedSerializer:
    deps = request.app[DEPS]

    class ClockSigner(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(deps.clock.now().timestamp())

    return URLSafeTimedSerializer(deps.secret, salt="customer-proof", signer=ClockSigner)
