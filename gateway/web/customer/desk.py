"""What a customer can do about a case beside writing: a call, silence, a verdict, a rating."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Literal

import sqlalchemy as sa
from aiohttp import web

from gateway.cases.desk import HELPED
from gateway.cases.own_silences import in_force
from gateway.commands import CommandRefused, GiveVerdict
from gateway.commands.desk import (
    AnswerSurvey,
    AskForCall,
    MuteByCustomer,
    UnmuteByCustomer,
)
from gateway.store.desk import survey_answers, tasks
from gateway.store.schema import silences
from gateway.store.verdicts import verdicts
from gateway.web.access import form_of
from gateway.web.customer.dates import Dates, load_dates
from gateway.web.customer.forms import DAYS_AHEAD, case_of, day_to_come, need_case
from gateway.web.customer.session import back, open_link
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


@dataclass(frozen=True, slots=True)
class Desk:
    """What was asked for, and what can be asked for now; every text is ready to be shown."""

    call_times: Sequence[tuple[str, str]]
    """(value, label)."""
    calls: Sequence[str]
    call_waits: bool
    """One is still to come: they need not ask again."""
    dates: Dates
    wished: str
    silent_until: str
    was_wrong: bool
    rates: bool
    rated: bool
    today: str
    latest: str
    """First and last day that a date's field takes."""


def load_desk(
    connection: sa.Connection,
    customer: CustomerCard,
    case: CaseLine | None,
    teams: Collection[str],
    t: Texts,
    now: datetime,
) -> Desk:
    """Read what a customer asked for about a case, and what is free; ``teams``: those whose dates are configured."""
    formats = formats_of(customer, now)
    case_id = case.id if case else None
    calls, call_waits, wished = _asked(connection, customer.id, case_id, t, formats, now)
    today = now.astimezone(formats.zone).date()
    return Desk(
        call_times=_call_times(formats, t, now),
        calls=calls,
        call_waits=call_waits,
        dates=load_dates(connection, customer, case, teams, formats, now),
        wished=wished,
        silent_until=_silent_until(connection, customer, case, formats, now),
        was_wrong=_was_wrong(connection, case_id),
        rates=case is not None and not case.open and not case.on_arrival,
        rated=_rated(connection, customer.id, case_id),
        today=(today + timedelta(days=1)).isoformat(),
        latest=(today + DAYS_AHEAD).isoformat(),
    )


async def call(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/call: ``when`` (one of the page's), ``number``, ``about``."""
    opened, form = await open_link(request), await form_of(request)
    now, wanted = request.app[DEPS].clock.now(), form.get("when", "")
    # The page may have been open for a while: a time that has begun is still one of its own.
    times = {_value(*span): span for span in _call_spans(formats_of(opened.facts.customer, now), now) if span[1] > now}
    if wanted and wanted not in times:
        raise back(request, "date_past", "#call")
    wanted_from, wanted_until = times.get(wanted, (None, None))
    number, about = form.get("number", "")[:40], form.get("about", "")[:2000].replace("\0", "")
    command = AskForCall(opened.customer_id, case_of(opened), about, wanted_from, wanted_until, number)
    try:
        await request.app[DEPS].commands.submit(command)
    except CommandRefused as refused:
        raise back(request, "address_wrong" if str(refused) == "check.address" else "", "#call") from None
    raise back(request, "", "#call")


async def mute(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/mute: ``known`` for a day, ``until`` a day to come, or ``end``; without a case of all."""
    opened, form = await open_link(request), await form_of(request)
    case_id = need_case(opened) if form.get("known") else case_of(opened)
    submit, now = request.app[DEPS].commands.submit, request.app[DEPS].clock.now()
    if form.get("end"):
        await submit(UnmuteByCustomer(opened.customer_id, case_id))
        raise back(request)
    known, until = bool(form.get("known")), now + KNOWS_FOR
    if not known:
        zone = formats_of(opened.facts.customer, now).zone
        day = day_to_come(form, "until", now.astimezone(zone).date())
        if day is None:
            raise back(request, "date_past", "#away")
        until = datetime.combine(day, time(8), zone)
    await submit(MuteByCustomer(opened.customer_id, case_id, until, known))
    raise back(request)


async def judge(request: web.Request) -> web.StreamResponse:
    """POST /p/{token}/wrong: a false alarm; ``undo`` takes it back."""
    opened, form = await open_link(request), await form_of(request)
    name = opened.facts.customer.name
    verdict: Literal["false_alarm"] | None = None if form.get("undo") else "false_alarm"
    try:
        await request.app[DEPS].commands.submit(GiveVerdict(need_case(opened), verdict, "customer", name=name))
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
    command = AnswerSurvey(opened.customer_id, need_case(opened), satisfaction, effort, helped, other, better)
    try:
        await request.app[DEPS].commands.submit(command)
    except CommandRefused:
        raise back(request, "", "#rate") from None
    raise back(request, "rate_thanks")


def _call_times(formats: Formats, t: Texts, now: datetime) -> Sequence[tuple[str, str]]:
    times: list[tuple[str, str]] = [("", t["call_soon"])]
    for begins, ends in _call_spans(formats, now):
        if begins > now:
            label = f"{formats.short_date(begins)}, {formats.time(begins)}–{formats.time(ends)}"
            times.append((_value(begins, ends), label))
    return times


def _call_spans(formats: Formats, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    today = now.astimezone(formats.zone).date()
    for offset in range(CALL_DAYS + 1):
        day = today + timedelta(days=offset)
        for begin, end in CALL_HOURS:
            yield datetime.combine(day, time(begin), formats.zone), datetime.combine(day, time(end), formats.zone)


def _value(begins: datetime, ends: datetime) -> str:
    return f"{begins.isoformat()}/{ends.isoformat()}"


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


def _silent_until(
    connection: sa.Connection, customer: CustomerCard, case: CaseLine | None, formats: Formats, now: datetime
) -> str:
    s = silences.c
    theirs = in_force(customer.id, case.device_id if case else None, now)
    until: datetime | None = connection.execute(
        sa.select(sa.func.max(s.ends_at, type_=s.ends_at.type)).where(*theirs)
    ).scalar()
    return when(formats, until) if until else ""


def _was_wrong(connection: sa.Connection, case_id: int | None) -> bool:
    v = verdicts.c
    query = sa.select(v.verdict).where(v.case_id == case_id, v.said_by == "customer")
    return case_id is not None and connection.execute(query).scalar() == "false_alarm"


def _rated(connection: sa.Connection, customer_id: str, case_id: int | None) -> bool:
    a = survey_answers.c
    query = sa.select(a.id).where(a.case_id == case_id, a.customer_id == customer_id)
    return case_id is not None and connection.execute(query).first() is not None


def _score(text: str) -> int | None:
    return int(text) if text in ("1", "2", "3", "4", "5") else None
