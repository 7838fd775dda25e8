"""What a customer can do about a case beside writing: a call, a date, silence, a verdict, a rating."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

import sqlalchemy as sa
from aiohttp import web

from gateway.cases.dates import free_slots
from gateway.cases.desk import HELPED
from gateway.commands import CommandRefused, GiveVerdict
from gateway.commands.desk import (
    AnswerSurvey,
    AskForCall,
    CancelBooking,
    ConfirmBooking,
    HoldSlot,
    MuteByCustomer,
    UnmuteByCustomer,
    WishDate,
)
from gateway.date_feeds import calendar_entry
from gateway.store.desk import bookings, service_slots, survey_answers, tasks
from gateway.store.schema import silences
from gateway.store.verdicts import verdicts
from gateway.web.access import form_of, read
from gateway.web.customer.session import Opened, back, open_link
from gateway.web.customer.texts import Texts
from gateway.web.customer.view import formats_of, when
from gateway.web.deps import DEPS
from gateway.web.queries.cases import CaseLine
from gateway.web.queries.people import CustomerCard
from notifiers.wording.formats import Formats

KNOWS_FOR = timedelta(hours=24)
CALL_HOURS = ((9, 12), (12, 17), (17, 20))
"""In the customer's own hours."""
CALL_DAYS = 3
AWAY_AT_MOST = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class Desk:
    """What was asked for, and what can be asked for now; every text is ready to be shown."""

    call_times: Sequence[tuple[str, str]]
    """(value, label)."""
    calls: Sequence[str]
    call_waits: bool
    """One is still to come: they need not ask again."""
    slots: Sequence[tuple[str, str]]
    held: tuple[int, str, str] | None
    """(booking, its date, until when it is held)."""
    booked: tuple[int, str] | None
    wished: str
    has_feed: bool
    silent_until: str
    was_wrong: bool
    rates: bool
    rated: bool
    today: str
    latest: str
    """First and last day that a date's field takes."""


def load_desk(
    connection: sa.Connection, customer: CustomerCard, case: CaseLine | None, t: Texts, now: datetime
) -> Desk:
    """Read what a customer asked for about a case, and what is free."""
    formats = formats_of(customer, now)
    case_id = case.id if case else None
    held, booked = _bookings(connection, customer.id, case_id, formats, now)
    calls, call_waits, wished = _asked(connection, customer.id, case_id, t, formats, now)
    today = now.astimezone(formats.zone).date()
    has_feed = connection.execute(sa.select(service_slots.c.id).limit(1)).first() is not None
    return Desk(
        call_times=_call_times(formats, t, now),
        calls=calls,
        call_waits=call_waits,
        slots=[(row["id"], _span(formats, row)) for row in free_slots(connection, None, now)] if has_feed else (),
        held=held,
        booked=booked,
        wished=wished,
        has_feed=has_feed,
        silent_until=_silent_until(connection, customer, case, formats, now) if case else "",
        was_wrong=_was_wrong(connection, case_id),
        rates=case is not None and not case.open and not case.on_arrival,
        rated=_rated(connection, customer.id, case_id),
        today=(today + timedelta(days=1)).isoformat(),
        latest=(today + AWAY_AT_MOST).isoformat(),
    )


async def call(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/call: ``when`` (one of the page's), ``number``, ``about``."""
    opened, form = await open_link(request), await form_of(request)
    begins, _, ends = form.get("when", "").partition("/")
    try:
        wanted_from = datetime.fromisoformat(begins) if ends else None
        wanted_until = datetime.fromisoformat(ends) if ends else None
        if any(at is not None and at.tzinfo is None for at in (wanted_from, wanted_until)):
            raise ValueError
    except ValueError:
        raise web.HTTPUnprocessableEntity(text="when: one of the times on the page") from None
    number, about = form.get("number", "")[:40], form.get("about", "")[:2000].replace("\0", "")
    command = AskForCall(opened.customer_id, _case_id(opened), about, wanted_from, wanted_until, number)
    try:
        await request.app[DEPS].commands.submit(command)
    except CommandRefused as refused:
        raise back(request, "address_wrong" if str(refused) == "check.address" else "", "#call") from None
    raise back(request, "", "#call")


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
            await submit(HoldSlot(form.get("slot", ""), opened.customer_id, _case_id(opened)))
    except CommandRefused:
        raise back(request, "date_taken", "#date") from None
    raise back(request, "", "#date")


async def wish_date(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/wish: ``day``; a person confirms it."""
    opened = await open_link(request)
    day = _day(await form_of(request), "day")
    zone = formats_of(opened.facts.customer, request.app[DEPS].clock.now()).zone
    if day is None:
        raise back(request, "date_past", "#date")
    begins, ends = (datetime.combine(day, time(hour), zone) for hour in (8, 18))
    try:
        await request.app[DEPS].commands.submit(WishDate(opened.customer_id, _case_id(opened), begins, ends))
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
    identity = f"booking-{row['id']}@{_host(deps.public_url)}"
    text = calendar_entry(identity, deps.brand, row["starts_at"], row["ends_at"], now)
    return web.Response(
        text=text, content_type="text/calendar", headers={"Content-Disposition": 'attachment; filename="service.ics"'}
    )


async def mute(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/mute: ``known`` for a day, ``until`` a day to come, or ``end``."""
    opened, form = await open_link(request), await form_of(request)
    case_id, submit, now = _need_case(opened), request.app[DEPS].commands.submit, request.app[DEPS].clock.now()
    if form.get("end"):
        await submit(UnmuteByCustomer(opened.customer_id, case_id))
        raise back(request)
    known, until = bool(form.get("known")), now + KNOWS_FOR
    if not known:
        day = _day(form, "until")
        if day is None:
            raise back(request, "date_past", "#away")
        until = datetime.combine(day, time(8), formats_of(opened.facts.customer, now).zone)
        if not now < until <= now + AWAY_AT_MOST:
            raise back(request, "date_past", "#away")
    await submit(MuteByCustomer(opened.customer_id, case_id, until, known))
    raise back(request)


async def judge(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/wrong: a false alarm; ``undo`` takes it back."""
    opened, form = await open_link(request), await form_of(request)
    verdict: Literal["false_alarm"] | None = None if form.get("undo") else "false_alarm"
    try:
        await request.app[DEPS].commands.submit(GiveVerdict(_need_case(opened), verdict, "customer"))
    except CommandRefused:
        # Staff have judged it themselves; what they said stands.
        raise back(request) from None
    raise back(request)


async def rate(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/rate: ``satisfaction`` and ``effort`` (1 to 5), ``helped``, ``helped_other``, ``better``."""
    opened, form = await open_link(request), await form_of(request)
    satisfaction, effort = (_score(form.get(name, "")) for name in ("satisfaction", "effort"))
    helped = form.get("helped") if form.get("helped") in HELPED else None
    other, better = (form.get(name, "").replace("\0", "") for name in ("helped_other", "better"))
    if other.strip():
        helped = "other"
    command = AnswerSurvey(opened.customer_id, _need_case(opened), satisfaction, effort, helped, other, better)
    try:
        await request.app[DEPS].commands.submit(command)
    except CommandRefused:
        raise back(request, "", "#rate") from None
    raise back(request, "rate_thanks")


def _call_times(formats: Formats, t: Texts, now: datetime) -> Sequence[tuple[str, str]]:
    today = now.astimezone(formats.zone).date()
    times: list[tuple[str, str]] = [("", t["call_soon"])]
    for offset in range(CALL_DAYS + 1):
        for begin, end in CALL_HOURS:
            day = today + timedelta(days=offset)
            begins, ends = (datetime.combine(day, time(hour), formats.zone) for hour in (begin, end))
            if begins > now:
                label = f"{formats.short_date(begins)}, {formats.time(begins)}–{formats.time(ends)}"
                times.append((f"{begins.isoformat()}/{ends.isoformat()}", label))
    return times


def _asked(
    connection: sa.Connection, customer_id: str, case_id: int | None, t: Texts, formats: Formats, now: datetime
) -> tuple[list[str], bool, str]:
    k = tasks
    query = sa.select(k).where(k.c.customer_id == customer_id, k.c.created_at > now - timedelta(days=14))
    if case_id is not None:
        query = query.where(k.c.case_id == case_id)
    calls, waits, wished = [], False, ""
    for row in connection.execute(query.order_by(k.c.id)).mappings():
        if row["kind"] == "call" and row["state"] != "cancelled":
            waits = waits or row["state"] == "open"
            soon = row["wanted_from"] <= row["created_at"]
            at = t["call_soon"] if soon else when(formats, row["wanted_from"])
            said = {"done": t["call_done"], "missed": t["call_missed"]}
            calls.append(said.get(row["state"]) or t["call_thanks"].format(at=at))
        elif row["kind"] == "date" and row["state"] == "open":
            wished = t["date_asked"].format(at=formats.short_date(row["wanted_from"]))
    return calls[-3:], waits, wished


def _bookings(
    connection: sa.Connection, customer_id: str, case_id: int | None, formats: Formats, now: datetime
) -> tuple[tuple[int, str, str] | None, tuple[int, str] | None]:
    b = bookings
    query = sa.select(b).where(b.c.customer_id == customer_id, b.c.state != "cancelled", b.c.ends_at > now)
    held = booked = None
    for row in connection.execute(query.order_by(b.c.id)).mappings():
        if row["state"] == "booked":
            booked = (row["id"], _span(formats, row))
        elif row["held_until"] > now:
            held = (row["id"], _span(formats, row), formats.time(row["held_until"]))
    return held, booked


def _span(formats: Formats, row: sa.RowMapping) -> str:
    return f"{formats.long_date(row['starts_at'])}, {formats.time(row['starts_at'])}–{formats.time(row['ends_at'])}"


def _silent_until(
    connection: sa.Connection, customer: CustomerCard, case: CaseLine, formats: Formats, now: datetime
) -> str:
    s = silences.c
    query = sa.select(sa.func.max(s.ends_at, type_=s.ends_at.type)).where(
        s.device_id == case.device_id, s.author == customer.name, s.ended_at.is_(None), s.ends_at > now
    )
    until: datetime | None = connection.execute(query).scalar()
    return when(formats, until) if until else ""


def _was_wrong(connection: sa.Connection, case_id: int | None) -> bool:
    v = verdicts.c
    query = sa.select(v.verdict).where(v.case_id == case_id, v.said_by == "customer")
    return case_id is not None and connection.execute(query).scalar() == "false_alarm"


def _rated(connection: sa.Connection, customer_id: str, case_id: int | None) -> bool:
    a = survey_answers.c
    query = sa.select(a.id).where(a.case_id == case_id, a.customer_id == customer_id)
    return case_id is not None and connection.execute(query).first() is not None


def _case_id(opened: Opened) -> int | None:
    return opened.facts.case.id if opened.facts.case else None


def _need_case(opened: Opened) -> int:
    if opened.facts.case is None:
        raise web.HTTPNotFound
    return opened.facts.case.id


def _day(form: Mapping[str, str], name: str) -> date | None:
    try:
        return date.fromisoformat(form.get(name, ""))
    except ValueError:
        return None


def _score(text: str) -> int | None:
    return int(text) if text in ("1", "2", "3", "4", "5") else None


def _host(public_url: str) -> str:
    return public_url.partition("://")[2].partition("/")[0].partition(":")[0]
