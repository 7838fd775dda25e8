"""Service dates on the customer's page: those of the team that would come, one held or booked, or a day wished for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, time

import sqlalchemy as sa
from aiohttp import web

from gateway.cases.dates import free_slots, teams_with_dates
from gateway.commands import CommandRefused
from gateway.commands.desk import CancelBooking, ConfirmBooking, HoldSlot, WishDate
from gateway.date_feeds import calendar_entry, uid_of
from gateway.staff.routing import Need
from gateway.staff.teams import team_for
from gateway.store.desk import bookings
from gateway.web.access import form_of, read
from gateway.web.customer.forms import case_of, day_to_come
from gateway.web.customer.session import back, open_link
from gateway.web.customer.view import formats_of
from gateway.web.deps import DEPS
from gateway.web.queries.cases import CaseLine
from gateway.web.queries.people import CustomerCard
from notifiers.wording.formats import Formats


@dataclass(frozen=True, slots=True)
class Dates:
    """What is free, held and booked; every text is ready to be shown."""

    slots: Sequence[tuple[str, str]]
    """(slot, its date)."""
    held: tuple[int, str, str] | None
    """(booking, its date, until when it is held)."""
    booked: tuple[int, str] | None


def load_dates(
    connection: sa.Connection,
    customer: CustomerCard,
    case: CaseLine | None,
    configured: Collection[str],
    formats: Formats,
    now: datetime,
) -> Dates:
    """Read what is free for a customer, and what they have.

    The dates are those of the team that the case would be sent to. Where no team with dates would get it they are those
    of all, and say whose each is. ``configured``: teams that have a feed, whatever it offers now.
    """
    teams = teams_with_dates(connection, now) | set(configured)
    shown = _Shown(formats, names_team=len(teams) > 1)
    held, booked = _bookings(connection, customer.id, shown, now)
    team = _sent_to(connection, customer, case, teams) if case is not None else None
    slots = [(row["id"], shown.span(row)) for row in free_slots(connection, team, now)] if case is not None else ()
    return Dates(slots, held, booked)


async def hold_date(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/date: ``slot`` is held for five minutes; ``booking`` confirms it, ``cancel`` gives it back."""
    opened, form = await open_link(request), await form_of(request)
    submit = request.app[DEPS].commands.submit
    try:
        if form.get("booking", "").isdecimal():
            await submit(ConfirmBooking(int(form["booking"][:18]), opened.customer_id))
        elif form.get("cancel", "").isdecimal():
            await submit(CancelBooking(int(form["cancel"][:18]), "customer", opened.customer_id))
            raise back(request, "date_cancelled", "#date")
        else:
            await submit(HoldSlot(form.get("slot", ""), opened.customer_id, case_of(opened)))
    except CommandRefused:
        raise back(request, "date_taken", "#date") from None
    raise back(request, "", "#date")


async def wish_date(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/wish: ``day``; a person confirms it."""
    opened = await open_link(request)
    now = request.app[DEPS].clock.now()
    zone = formats_of(opened.facts.customer, now).zone
    day = day_to_come(await form_of(request), "day", now.astimezone(zone).date())
    if day is None:
        raise back(request, "date_past", "#date")
    begins, ends = (datetime.combine(day, time(hour), zone) for hour in (8, 18))
    try:
        await request.app[DEPS].commands.submit(WishDate(opened.customer_id, case_of(opened), begins, ends))
    except CommandRefused:
        raise back(request, "date_past", "#date") from None
    raise back(request, "", "#date")


async def date_file(request: web.Request) -> web.StreamResponse:
    """GET /p/{token}/date.ics: the booked date, for a calendar."""
    opened, deps = await open_link(request), request.app[DEPS]
    now, b = deps.clock.now(), bookings

    def find(connection: sa.Connection) -> sa.RowMapping | None:
        query = sa.select(b).where(b.c.customer_id == opened.customer_id, b.c.state == "booked", b.c.ends_at > now)
        return connection.execute(query.order_by(b.c.starts_at).limit(1)).mappings().first()

    row = await read(request, find)
    if row is None:
        raise web.HTTPNotFound
    text = calendar_entry(uid_of(row["id"], deps.public_url), deps.brand, row["starts_at"], row["ends_at"], now)
    return web.Response(
        text=text, content_type="text/calendar", headers={"Content-Disposition": 'attachment; filename="service.ics"'}
    )


@dataclass(frozen=True, slots=True)
class _Shown:
    formats: Formats
    names_team: bool

    def span(self, row: sa.RowMapping) -> str:
        text = self.formats.span(row["starts_at"], row["ends_at"])
        return f"{text} · {row['team']}" if self.names_team else text


def _sent_to(
    connection: sa.Connection, customer: CustomerCard, case: CaseLine, with_dates: Collection[str]
) -> str | None:
    """The team that would come; None where none of those with dates would."""
    if case.team in with_dates:
        return case.team
    need = Need(case.rule, case.profile, customer.locale.split("-")[0], customer.country)
    fits = team_for(connection, need)
    return fits if fits in with_dates else None


def _bookings(
    connection: sa.Connection, customer_id: str, shown: _Shown, now: datetime
) -> tuple[tuple[int, str, str] | None, tuple[int, str] | None]:
    b = bookings
    query = sa.select(b).where(b.c.customer_id == customer_id, b.c.state != "cancelled", b.c.ends_at > now)
    held = booked = None
    for row in connection.execute(query.order_by(b.c.id)).mappings():
        if row["state"] == "booked":
            booked = (row["id"], shown.span(row))
        elif row["held_until"] > now:
            held = (row["id"], shown.span(row), shown.formats.time(row["held_until"]))
    return held, booked
