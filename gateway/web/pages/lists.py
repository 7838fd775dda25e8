"""Pages that only tell: offers and their reasons, rejected messages, the installation's health."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from aiohttp import web

from gateway.web.access import IDENTITY, read
from gateway.web.api import present
from gateway.web.api.present import plain
from gateway.web.auth import Role
from gateway.web.deps import DEPS
from gateway.web.language import N_, _
from gateway.web.pages.shell import show
from gateway.web.preconditions import with_etags
from gateway.web.queries import devices, messages, people, subscriptions, visits
from gateway.web.staff_mail import STAFF_MAIL
from gateway.web.wording import text_in

WITHHELD = {
    "accuracy": N_("The fix was too coarse to tell whether they were there."),
    "speed": N_("They were moving too fast: passing by, not visiting."),
    "no_consent": N_("They have not agreed to offers."),
    "closed": N_("The shop was closed."),
    "dwell": N_("They did not stay long enough."),
    "cool_down": N_("They had an offer from this shop not long ago."),
    "cap": N_("They have had as many offers as they agreed to see."),
    "open_case": N_("They have an open case: help first."),
    "no_offer": N_("No offer fits their products here."),
    "budget": N_("The offer's budget is used up."),
    "codes": N_("All codes of the offer are used up."),
    "holdout": N_("They are made no offers, so that what offers gain can be measured."),
    "quiet_hours": N_("It was within their quiet hours."),
}
"""The reasons that detection and response name, as sentences; one that is not here is shown by its name."""


async def show_offers(request: web.Request) -> web.StreamResponse:
    """GET /offers?made=1|0: each visit, and the offer or the reason there was none."""
    made = {"1": True, "0": False}.get(request.query.get("made", ""))
    lines = await read(request, visits.decisions, made, _before(request), visits.PAGE + 1)
    more = lines[visits.PAGE - 1].id if len(lines) > visits.PAGE else None
    shown = lines[: visits.PAGE]
    return await show(
        request,
        "offers.html",
        "offers",
        lines=shown,
        made=made,
        withheld={code: _(said) for code, said in WITHHELD.items()},
        next_before=more,
    )


async def show_rejected(request: web.Request) -> web.StreamResponse:
    """GET /rejected: what could not be decoded and why, and the devices that nobody registered."""
    lines, reasons, unknown, total = await read(request, _rejected, _before(request))
    more = lines[visits.PAGE - 1]["id"] if len(lines) > visits.PAGE else None
    return await show(
        request,
        "rejected.html",
        "rejected",
        lines=lines[: visits.PAGE],
        reasons=reasons,
        unknown=unknown,
        profiles=sorted((name, text_in(one.title)) for name, one in request.app[DEPS].profiles.items()),
        total=total,
        next_before=more,
    )


HEALTH = (
    *(N_("Intake"), N_("Storage"), N_("Outbox")),
    N_("behind"),
    N_("database"),
    N_("events per second"),
    N_("free"),
    N_("log"),
    N_("log limit"),
    N_("rejected per second"),
    N_("restarts"),
    N_("sequence"),
    N_("slowest commit"),
)
"""What the parts of the gateway say of themselves, besides how they are."""


async def show_admin(request: web.Request) -> web.StreamResponse:
    """GET /admin: health for everyone; users, tokens and the audit log for admins."""
    is_admin = request[IDENTITY].role.covers(Role.ADMIN)
    facts = await read(request, _admin, is_admin, request.app[DEPS].clock.now())
    health = {k: v for k, v in request.app[DEPS].status().items() if k != "rules"}
    provider = request.app[DEPS].oidc
    return await show(
        request,
        "admin.html",
        "admin",
        health=health,
        is_admin=is_admin,
        roles=list(Role),
        provider=provider.label if provider else None,
        mail=STAFF_MAIL in request.app,
        **facts,
    )


async def show_configuration(request: web.Request) -> web.StreamResponse:
    """GET /admin/configuration?all=1: what is configured and who says so; by itself only what somebody set."""
    everything = bool(request.query.get("all"))
    found = request.app[DEPS].configuration()
    shown = [setting for setting in found if everything or setting.source != "default"]
    return await show(request, "configuration.html", "admin", settings=shown, everything=everything, count=len(found))


async def get_configuration(request: web.Request) -> web.StreamResponse:
    """GET /api/configuration: each setting with ``source`` (file, environment, default) and ``where``."""
    items = [setting.as_dict() for setting in request.app[DEPS].configuration()]
    return present.answer({"items": items, "next": None})


def _before(request: web.Request) -> int | None:
    before = request.query.get("before", "")
    return int(before) if before.isdecimal() and len(before) < 18 else None


def _rejected(
    connection: sa.Connection, before_id: int | None
) -> tuple[list[sa.RowMapping], list[tuple[str, int]], list[sa.RowMapping], Any]:
    lines = visits.rejected(connection, before_id, visits.PAGE + 1)
    total = people.fact(connection, "rejected")
    return lines, visits.rejected_by_reason(connection), devices.unknown(connection), total


def _admin(connection: sa.Connection, is_admin: bool, now: datetime) -> dict[str, Any]:
    counts: dict[str, Any] = {
        "subscriptions": subscriptions.all_standing(connection),
        "scopes": people.all_scopes(connection) if is_admin else [],
        "teams": people.team_names(connection),
        "outbox": messages.count_by_state(connection),
        "device_count": devices.count(connection),
    }
    if not is_admin:
        return {**counts, "users": [], "invitations": [], "tokens": [], "deeds": []}
    return {
        **counts,
        "users": with_etags(connection, "user", [plain(row) for row in people.all_users(connection)], "name"),
        "invitations": people.open_invitations(connection, now),
        "tokens": people.all_tokens(connection),
        "deeds": people.deeds(connection),
    }
