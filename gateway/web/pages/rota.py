"""Who is on call, and what staff are told: rotas, swaps, one's own channels, alerts and their answers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from aiohttp import web
from aiohttp.typedefs import Handler

from device_models.duration import format_duration, parse_duration
from device_models.purpose import Severity
from gateway.commands import CommandRefused
from gateway.commands.staff import (
    AnswerAlert,
    DropOverride,
    DropRota,
    SaveContacts,
    SaveOverride,
    SaveRota,
    SendTestAlert,
)
from gateway.date_feeds import calendar_file
from gateway.outbox.channels import configured_channels
from gateway.staff.alerts import said_of, title_of
from gateway.staff.rota_records import HOLIDAYS, Rota, load_rotas
from gateway.store import staff
from gateway.web.access import IDENTITY, fields, form_of, read
from gateway.web.api import present
from gateway.web.case_forms import moment_of, number_of
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError
from gateway.web.forms import Sent, flag_of, optional_text, text_of, words_of
from gateway.web.language import N_, _, listed, refusal, speak
from gateway.web.links import LinkError
from gateway.web.pages.case import done, id_of
from gateway.web.pages.shell import show, viewer_zone
from gateway.web.preconditions import with_etags
from gateway.web.queries import people
from gateway.web.render import html
from gateway.web.wording import zone_of

AHEAD = timedelta(days=14)
FEED = timedelta(days=90)
"""How far ahead a subscribed calendar shows."""
STAFF_CHANNELS = ("email", "sms", "whatsapp", "telegram", "line", "apprise", "push")
LINES_SHOWN = 3
_ALERTS = 30


HOLIDAY_WORDS = (N_("as usual"), N_("off"), N_("only"))
"""``HOLIDAYS`` as the form says them."""


async def show_rota(request: web.Request) -> web.StreamResponse:
    """GET /rota, with ``rota`` naming the one that the form is filled with."""
    deps, now, who = request.app[DEPS], request.app[DEPS].clock.now(), request[IDENTITY].name
    rotas, rows, overrides, alerts, contacts, agents, teams = await read(request, _load, who)
    tagged = await read(request, with_etags, "rota", [present.plain(row) for row in rows], "name")
    filled = next((row for row in tagged if row["name"] == request.query.get("rota")), None)
    served = [c for c in STAFF_CHANNELS if c in configured_channels(deps.notifiers)]
    return await show(
        request,
        "rota.html",
        "rota",
        alert_said=said_of,
        alert_title=title_of,
        rotas=[
            (rota, row, rota.in_order(now), rota.duties(now, now + AHEAD))
            for rota, row in zip(rotas, rows, strict=True)
        ],
        overrides=[row for row in overrides if row["ends_at"] > now],
        alerts=alerts,
        contacts={row["channel"]: row["address"] for row in contacts},
        served=served,
        feeds={rota.name: f"{deps.public_url}/ics/{deps.links.seal('rota', [rota.name, None])}.ics" for rota in rotas},
        my_feed=f"{deps.public_url}/ics/{deps.links.seal('rota', [None, who])}.ics",
        agents=agents,
        teams=teams,
        filled=filled,
        lines=_lines_shown(filled),
        severities=[severity.value for severity in Severity],
        severity_words=lambda names: listed(_(name.capitalize()).lower() for name in names),
        holidays=HOLIDAYS,
        my_zone=viewer_zone(request),
        ack_within=format_duration(timedelta(seconds=filled["ack_within_s"])) if filled else "10m",
    )


async def list_rotas(request: web.Request) -> web.StreamResponse:
    """GET /api/rota: each with who is on call now, whom to tell in order, and the duties of two weeks."""
    now = request.app[DEPS].clock.now()
    rotas, rows, overrides, *_ = await read(request, _load, request[IDENTITY].name)
    items = [
        {
            **present.plain(row),
            "in_order": rota.in_order(now),
            "duties": [asdict(duty) for duty in rota.duties(now, now + AHEAD)],
            "swaps": [present.plain(swap) for swap in overrides if swap["rota"] == rota.name],
        }
        for rota, row in zip(rotas, rows, strict=True)
    ]
    return present.answer({"items": await read(request, with_etags, "rota", items, "name"), "next": None})


async def list_alerts(request: web.Request) -> web.StreamResponse:
    """GET /api/alerts: the newest first."""
    rows = await read(request, _alerts)
    return present.answer({"items": [present.plain(row) for row in rows], "next": None})


async def list_contacts(request: web.Request) -> web.StreamResponse:
    """GET /api/rota/contacts: one's own."""
    rows = await read(request, _contacts, request[IDENTITY].name)
    return present.answer({"items": [{"channel": r["channel"], "address": r["address"]} for r in rows], "next": None})


async def save_rota(request: web.Request) -> web.StreamResponse:
    """POST /rota and /api/rota."""
    await request.app[DEPS].commands.submit(rota_command(await fields(request), request[IDENTITY].name))
    return done(request, "/rota")


def rota_command(sent: Sent, by: str) -> SaveRota:
    """Read a rota from a form, JSON or a file. Raises FieldError."""
    severities = words_of(sent, "severities") or [s.value for s in Severity if sent.get(f"severities.{s.value}")]
    if unknown := sorted(set(severities) - set(Severity)):
        raise FieldError("severities", f"severities: '{unknown[0]}' is none of {', '.join(Severity)}")
    try:
        ack_within = parse_duration(optional_text(sent, "ack_within") or "10m")
    except (ValueError, OverflowError) as error:
        raise FieldError("ack_within", f"ack_within: {error}") from None
    return SaveRota(
        text_of(sent, "name", what="a name"),
        text_of(sent, "zone", what="the time zone"),
        tuple(_lines(sent)),
        by,
        optional_text(sent, "team") or None,
        tuple(severities),
        flag_of(sent, "breaches"),
        flag_of(sent, "alarms"),
        ack_within,
    )


async def drop_rota(request: web.Request) -> web.StreamResponse:
    """POST /rota/drop and /api/rota/drop."""
    name = text_of(await fields(request), "name", what="which rota")
    await request.app[DEPS].commands.submit(DropRota(name, request[IDENTITY].name))
    return done(request, "/rota")


async def swap(request: web.Request) -> web.StreamResponse:
    """POST /rota/swap and /api/rota/swap: from ``begins`` to ``ends`` (a form's are the viewer's wall clock)."""
    sent = await fields(request)
    command = SaveOverride(
        text_of(sent, "rota", what="which rota"),
        _moment(request, sent, "begins"),
        _moment(request, sent, "ends"),
        text_of(sent, "person", what="who stands in"),
        request[IDENTITY].name,
        optional_text(sent, "instead_of") or None,
    )
    number = await request.app[DEPS].commands.submit(command)
    return done(request, "/rota", id=number)


async def drop_swap(request: web.Request) -> web.StreamResponse:
    """POST /rota/swap-drop and /api/rota/swap-drop: ``id``."""
    command = DropOverride(number_of(await fields(request), "id"), request[IDENTITY].name)
    await request.app[DEPS].commands.submit(command)
    return done(request, "/rota")


async def save_contacts(request: web.Request) -> web.StreamResponse:
    """POST /rota/contacts and /api/rota/contacts: one's own, in the order in which they are tried."""
    sent, who = await fields(request), request[IDENTITY].name
    listed = sent.get("contacts")
    if listed is None:
        given = {channel: optional_text(sent, f"address.{channel}") for channel in STAFF_CHANNELS}
        first = optional_text(sent, "first")
        order = sorted(STAFF_CHANNELS, key=lambda channel: channel != first)
        listed = [{"channel": channel, "address": given[channel]} for channel in order if given[channel]]
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise FieldError("contacts", "contacts: a list of objects with channel and address")
    contacts = tuple(
        (text_of(one, "channel", what="the channel"), text_of(one, "address", what="the address")) for one in listed
    )
    await request.app[DEPS].commands.submit(SaveContacts(who, contacts, who))
    return done(request, "/rota")


async def test(request: web.Request) -> web.StreamResponse:
    """POST /rota/test and /api/rota/test: tell whoever is on call on the rota ``name`` that this is a test."""
    name = text_of(await fields(request), "name", what="which rota")
    await request.app[DEPS].commands.submit(SendTestAlert(name, request[IDENTITY].name))
    return done(request, "/rota")


async def acknowledge(request: web.Request) -> web.StreamResponse:
    """POST /alerts/{id}/acknowledge and its twin under /api."""
    return await _answer(request, takes=True)


async def pass_on(request: web.Request) -> web.StreamResponse:
    """POST /alerts/{id}/pass-on and its twin under /api."""
    return await _answer(request, takes=False)


LEADS_DEEDS: Mapping[str, Handler] = {"": save_rota, "/drop": drop_rota}
DEEDS: Mapping[str, Handler] = {"swap": swap, "swap-drop": drop_swap, "contacts": save_contacts, "test": test}
ANSWERS: Mapping[str, Handler] = {"acknowledge": acknowledge, "pass-on": pass_on}


async def ask_answer(request: web.Request) -> web.StreamResponse:
    """GET /a/{token}: what the alert is about. It changes nothing: mail programs follow links by themselves."""
    alert, name = await _by_link(request)
    return _answer_page(request, alert, name, "")


async def take_answer(request: web.Request) -> web.StreamResponse:
    """POST /a/{token}: ``answer`` take or pass."""
    alert, name = await _by_link(request)
    takes = (await form_of(request)).get("answer") == "take"
    try:
        await request.app[DEPS].commands.submit(AnswerAlert(alert["id"], name, takes, "link"))
        said = _("It is yours.") if takes else _("Passed on: the next is told now.")
    except CommandRefused as refused:
        said = f"{refusal(str(refused))}."
    return _answer_page(request, alert, name, said)


def _answer_page(request: web.Request, alert: sa.RowMapping, name: str, said: str) -> web.Response:
    items: Sequence[Mapping[str, Any]] = alert["items"]
    context = {"title": title_of(items), "said_items": [said_of(item) for item in items]}
    return html(request, "alert.html", {"alert": alert, "name": name, "said": said, **context})


async def calendar(request: web.Request) -> web.StreamResponse:
    """GET /ics/{token}.ics: a rota's duties, or one person's, for a calendar that subscribes to it."""
    deps, now = request.app[DEPS], request.app[DEPS].clock.now()
    try:
        name, person = deps.links.unseal("rota", request.match_info["token"])
    except (LinkError, ValueError) as error:
        raise web.HTTPNotFound from error
    rotas = await read(request, load_rotas)
    entries = [
        (
            f"{rota.name}-{duty.level}-{duty.begins:%Y%m%dT%H%M}-{duty.person}@rota",
            _title(rota, duty.person, name),
            duty.begins,
            duty.ends,
        )
        for rota in rotas
        if name in (None, rota.name)
        for duty in rota.duties(now - timedelta(days=7), now + FEED)
        if person in (None, duty.person)
    ]
    return web.Response(text=calendar_file("rota", entries, now), content_type="text/calendar", charset="utf-8")


def _title(rota: Rota, person: str, named: str | None) -> str:
    return f"{person} on call" if named else f"On call: {rota.name}"


async def _answer(request: web.Request, *, takes: bool) -> web.StreamResponse:
    command = AnswerAlert(id_of(request), request[IDENTITY].name, takes)
    await request.app[DEPS].commands.submit(command)
    return done(request, "/rota")


async def _by_link(request: web.Request) -> tuple[sa.RowMapping, str]:
    try:
        alert_id, name = request.app[DEPS].links.unseal("alert", request.match_info["token"])
    except (LinkError, ValueError) as error:
        raise web.HTTPNotFound(text="This link is not ours, or too old.") from error
    query = sa.select(staff.staff_alerts).where(staff.staff_alerts.c.id == alert_id)
    row = await read(request, lambda connection: connection.execute(query).mappings().first())
    if row is None:
        raise web.HTTPNotFound(text="There is no such alert any more.")
    if chosen := await read(request, people.language_of, name):
        speak(chosen)
    return row, name


def _lines(sent: Sent) -> list[dict[str, Any]]:
    """Read a rota's lines from JSON's list, or from a form: ``hours.0``, ``people.0`` …; one without people is none."""
    listed = sent.get("lines")
    if listed is None:
        numbers = sorted({field.removeprefix("people.") for field in sent if field.startswith("people.")})
        listed = [
            {
                "level": optional_text(sent, f"level.{n}"),
                "people": words_of(sent, f"people.{n}", commas=True),
                **{name: optional_text(sent, f"{name}.{n}") for name in ("hours", "since", "place", "holidays")},
            }
            for n in numbers
            if optional_text(sent, f"people.{n}")
        ]
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise FieldError("lines", "lines: a list of objects with people, hours, level, since, place, holidays")
    for line in listed:
        if not isinstance(line.get("people"), list) or not all(isinstance(name, str) for name in line["people"]):
            raise FieldError("lines", "lines: people are a list of users' names")
        if not str(line.get("level") or 1).isdecimal():
            raise FieldError("lines", "lines: level is a whole number; 1 is told first")
    return listed


def _lines_shown(filled: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """The lines of a rota, and room for more."""
    kept = list(filled["lines"]) if filled is not None else []
    return [*kept, *({} for _ in range(max(1, LINES_SHOWN - len(kept))))]


def _moment(request: web.Request, sent: Sent, field: str) -> datetime:
    text = text_of(sent, field, what=f"the time ({field})")
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise FieldError(field, f"{field}: not a time such as 2026-11-23T10:00:00Z") from None
    if at.tzinfo is None:
        return at.replace(tzinfo=zone_of(viewer_zone(request)))
    return moment_of(sent, field) or at


def _alerts(connection: sa.Connection) -> Sequence[sa.RowMapping]:
    a = staff.staff_alerts
    query = sa.select(a).order_by(a.c.state != "open", a.c.id.desc()).limit(_ALERTS)
    return connection.execute(query).mappings().all()


def _contacts(connection: sa.Connection, who: str) -> Sequence[sa.RowMapping]:
    c = staff.staff_contacts
    return connection.execute(sa.select(c).where(c.c.user_name == who).order_by(c.c.position)).mappings().all()


def _load(
    connection: sa.Connection, who: str
) -> tuple[
    list[Rota],
    Sequence[sa.RowMapping],
    Sequence[sa.RowMapping],
    Sequence[sa.RowMapping],
    Sequence[sa.RowMapping],
    list[str],
    list[str],
]:
    rows = connection.execute(sa.select(staff.rotas).order_by(staff.rotas.c.name)).mappings().all()
    overrides = sa.select(staff.rota_overrides).order_by(staff.rota_overrides.c.starts_at)
    return (
        load_rotas(connection),
        rows,
        connection.execute(overrides).mappings().all(),
        _alerts(connection),
        _contacts(connection, who),
        people.agents(connection),
        people.team_names(connection),
    )
