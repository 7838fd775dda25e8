"""What every page of the console shares: who is looking, the navigation's counts, the hold banner, whose clock."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from aiohttp import web

from gateway.cases.storms import held_by_storm, open_storm
from gateway.web.access import IDENTITY, csrf_of, read
from gateway.web.auth import Role
from gateway.web.deps import DEPS
from gateway.web.language import N_, _
from gateway.web.queries import people, queue
from gateway.web.render import html

ZONE_COOKIE = "tz"
"""The browser's IANA time zone, which our script leaves there; times are shown in it."""
SECTIONS = (
    ("queue", "/", N_("Needs you"), "needs_you"),
    ("mine", "/?view=mine", N_("Mine"), "mine"),
    ("team", "/?team=mine", N_("My team"), "team"),
    ("open", "/?view=open", N_("All open"), None),
    ("new", "/new", N_("New case"), None),
    ("messages", "/messages", N_("Messages"), "messages"),
    ("tasks", "/tasks", N_("Calls and dates"), None),
    ("unjoined", "/unjoined", N_("Unjoined"), "unjoined"),
    ("fleet", "/fleet", N_("Fleet"), None),
    ("devices", "/devices", N_("Devices"), None),
    ("offers", "/offers", N_("Offers"), None),
    ("arrival", "/arrival", N_("Found on arrival"), "arrival"),
    ("rules", "/rules", N_("Rules"), None),
    ("texts", "/texts", N_("Texts"), None),
    ("macros", "/macros", N_("Answers"), None),
    ("phrases", "/phrases", N_("Phrases"), None),
    ("silences", "/silences", N_("Silences"), None),
    ("sla", "/sla", N_("Service levels"), None),
    ("teams", "/teams", N_("Teams"), None),
    ("rota", "/rota", N_("On call"), "alerts"),
    ("rejected", "/rejected", N_("Rejected"), None),
    ("reports", "/reports", N_("Reports"), None),
    ("admin", "/admin", N_("Operation"), None),
)
"""(key, address, label, count's name)."""


def viewer_zone(request: web.Request) -> str:
    """Return the viewer's time zone, as their browser said; UTC until it has."""
    return request.cookies.get(ZONE_COOKIE, "UTC")


async def show(request: web.Request, template: str, section: str, status: int = 200, **context: Any) -> web.Response:
    """Render a page of the console inside its shell."""
    identity = request[IDENTITY]
    counts, holding, storm = await read(request, _shell_facts, identity.name, request.app[DEPS].clock.now())
    shell = {
        "user": identity,
        "can": {role.value: identity.role.covers(role) for role in Role},
        "csrf": csrf_of(request),
        "counts": counts,
        "counted_to": queue.COUNTED_TO,
        "holding": holding,
        "storm": storm,
        "section": section,
        "sections": [(key, href, _(label), counted) for key, href, label, counted in SECTIONS],
        "zone": viewer_zone(request),
        "path": request.path_qs,
    }
    return html(request, template, shell | context, status=status)


def _shell_facts(
    connection: sa.Connection, user: str, now: datetime
) -> tuple[dict[str, int], bool, tuple[int, int] | None]:
    """The navigation's counts, whether all is held, and (case, held openings) of a storm."""
    parent = open_storm(connection)
    held = held_by_storm(connection) if parent is not None else 0
    storm = (parent, held) if parent is not None and held else None
    return dict(queue.count(connection, user, now)), people.holding(connection), storm
