"""The case: the sentence first, the thread and what to do on one side, the proof on the other."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from aiohttp import web

from device_models.profile import DeviceProfile
from gateway.cases.verdicts import verdict_of
from gateway.commands import AddNote, Command, Reply, Resolve
from gateway.staff.owners import possible_owners
from gateway.unchanged import seen_by_staff
from gateway.web.access import IDENTITY, csrf_of, fields, is_api, read, wants_json
from gateway.web.api import present
from gateway.web.auth import Role
from gateway.web.case_forms import CASE_COMMANDS
from gateway.web.deps import DEPS
from gateway.web.evidence import RANGES, WIDTH, draw, draw_beside
from gateway.web.files import uploaded
from gateway.web.language import N_, _, country_name, say
from gateway.web.pages.devices import explained, places_of
from gateway.web.pages.shell import show, viewer_zone
from gateway.web.queries import cases, customers, devices, messages, people, queue
from gateway.web.queries.case_work import CaseWork, work_on
from gateway.web.queries.cases import CaseLine, TimelineEntry
from gateway.web.queries.devices import DeviceLine
from gateway.web.queries.messages import MessageLine
from gateway.web.queries.people import CustomerCard
from gateway.web.queries.planned import Planned, planned
from gateway.web.render import html
from gateway.web.twin import fields_of, twin_of
from gateway.web.upkeep import upkeep_of
from gateway.web.wording import circumstances, field_spec, text_in, unit_text, value_text, zone_of
from notifiers.message import Rendered
from notifiers.reasons import CODES, Reason
from rules.runbook import by_share, in_order

log = structlog.get_logger()

MESSAGE_KINDS = frozenset({"message_in", "message_out", "note"})
"""Timeline entries that are shown as speech; the others are one line each."""

_ENTRIES, _ENTRIES_AT_MOST = 500, 20_000
"""Of a timeline: shown at once, and where more are asked for."""
_CASES_SHOWN = 6
"""Of the customer's, beside the case."""
TIME_FOR_UNDO = timedelta(seconds=10)
"""For which what resolving tells the customer waits; the console offers to undo it for six."""
VERDICTS = (("real", N_("Real"), "y"), ("false_alarm", N_("False alarm"), "f"), ("duplicate", N_("Duplicate"), "t"))
"""(name, words, key)."""


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """All that is stored about one case."""

    case: CaseLine
    timeline: list[TimelineEntry]
    entries: int
    """At most so many of its timeline were asked for."""
    waiting: list[MessageLine]
    customer: CustomerCard | None
    device: DeviceLine | None
    firing_from: datetime
    firing_until: datetime | None
    earlier: list[CaseLine]
    verdict: Mapping[str, Any] | None
    """See ``verdict_of``."""
    agents: list[str]
    work: CaseWork
    around: customers.Around | None
    """Of its customer."""
    planned: list[Planned]
    seen: str
    """Up to where its timeline was read, as If-Match takes it; see ``gateway.unchanged``."""
    teams: list[str]


def load(connection: sa.Connection, now: datetime, case_id: int, entries: int = _ENTRIES) -> CaseFacts | None:
    """Load a case with all that its page shows at ``now``, of its timeline the newest ``entries``.

    None where there is no such case.
    """
    case = cases.one(connection, case_id)
    if case is None:
        return None
    firing_from, firing_until = cases.firing_span(connection, case)
    of_device = cases.of_device(connection, case.device_id, limit=6)
    return CaseFacts(
        case=case,
        timeline=cases.history_of(connection, case_id, entries),
        entries=entries,
        waiting=messages.waiting_of_case(connection, case_id),
        customer=people.customer(connection, case.customer_id) if case.customer_id else None,
        device=devices.one(connection, case.device_id),
        firing_from=firing_from,
        firing_until=firing_until,
        earlier=[other for other in of_device if other.id != case_id],
        verdict=verdict_of(connection, case_id),
        agents=possible_owners(connection, case.team, case.region),
        work=work_on(connection, case),
        around=customers.around(connection, case.customer_id, limit=_CASES_SHOWN) if case.customer_id else None,
        planned=planned(connection, case_id, now) if case.open else [],
        seen=seen_by_staff(connection, case_id),
        teams=people.team_names(connection),
    )


async def facts_of(request: web.Request) -> CaseFacts:
    """Load the case in the path. Raises HTTPNotFound."""
    asked = request.query.get("entries", "")
    entries = min(int(asked), _ENTRIES_AT_MOST) if asked.isdecimal() and len(asked) < 9 else _ENTRIES
    facts = await read(request, load, request.app[DEPS].clock.now(), id_of(request), max(entries, _ENTRIES))
    if facts is None:
        raise web.HTTPNotFound(text="There is no such case. It may have been mistyped.")
    return facts


async def show_case(request: web.Request) -> web.StreamResponse:
    """GET /cases/{id}; with ``fragment=live`` only the parts that live updates replace."""
    facts = await facts_of(request)
    context = await context_of(request, facts, RANGES.get(request.query.get("range", ""), 1))
    if facts.device is not None:
        context["place"] = (await places_of(request.app[DEPS], [facts.device])).get(facts.device.id)
    if request.query.get("fragment") == "live":
        return html(request, "_case_live.html", context)
    return await show(request, "case.html", "queue", **context)


async def show_chart(request: web.Request) -> web.StreamResponse:
    """GET /cases/{id}/chart?range=: the evidence over another span."""
    facts = await facts_of(request)
    context = await context_of(request, facts, RANGES.get(request.query.get("range", ""), 1))
    return html(request, "_chart.html", context)


async def context_of(request: web.Request, facts: CaseFacts, hours: int, width: int = WIDTH) -> dict[str, Any]:
    """Gather what the case's templates need."""
    deps, now = request.app[DEPS], request.app[DEPS].clock.now()
    profile = deps.profiles.get(facts.case.profile or "")
    zone = viewer_zone(request)
    firing = (facts.firing_from, facts.firing_until)
    evidence = await draw(deps.history, facts.case, profile, firing, now, hours, zone, width)
    charts = await draw_beside(deps.history, facts.case, profile, firing, now, hours, zone) if width == WIDTH else []
    previews = await previews_of(request, facts.waiting)
    identity = request[IDENTITY]
    twin = twin_of(facts.device.state if facts.device else None)
    suggestion = await suggestion_of(request, facts)
    return {
        "facts": facts,
        "case": facts.case,
        "reasons": queue.reasons_of(facts.case, now),
        "advice": text_in(facts.case.explanation.get("advice")),
        "suggestion": suggestion,
        "latest_seen": seen_now(suggestion, profile),
        "tried": tried_so_far(facts),
        "latest": twin.values,
        "circumstances": circumstances(facts.case.explanation, profile, twin.values) if facts.case.open else [],
        "twin": fields_of(twin, profile, now),
        "profile": profile,
        "evidence": evidence,
        "beside": charts,
        "upkeep": upkeep_of(await explained(deps, facts.case.device_id), profile, now),
        "previews": previews,
        "why": {message.id: why_of(message) for message in facts.waiting},
        "reply_channel": reply_channel(facts),
        "opening": await deps.opening(facts.case.id) if deps.opening is not None else "",
        "rests": rests(now, zone) if facts.case.open else [],
        **procedure(request, facts),
        "translates": deps.translate is not None and facts.customer is not None,
        "verdicts": [(name, _(label), key) for name, label, key in VERDICTS],
        "hours": hours,
        "more_entries": 4 * facts.entries if len(facts.timeline) == facts.entries else 0,
        "ranges": RANGES,
        "message_kinds": MESSAGE_KINDS,
        "zone": zone,
        "csrf": csrf_of(request),
        "user": identity,
        "can": {role.value: identity.role.covers(role) for role in Role},
    }


def rests(now: datetime, zone: str) -> list[tuple[str, datetime]]:
    """Offer times for a case to rest until, in the viewer's zone: (words, moment)."""
    here = now.astimezone(zone_of(zone))
    morning = (here + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)
    monday = morning + timedelta(days=(7 - morning.weekday()) % 7)
    return [
        (_("1 hour"), now + timedelta(hours=1)),
        (_("4 hours"), now + timedelta(hours=4)),
        (say("Tomorrow {1}", f"{morning:%H:%M}"), morning.astimezone(UTC)),
        (say("Monday {1}", f"{monday:%H:%M}"), monday.astimezone(UTC)),
        (_("A week"), now + timedelta(days=7)),
    ]


def procedure(request: web.Request, facts: CaseFacts) -> dict[str, Any]:
    """Gather what the rule and the profile know of this fault: ``steps``, ``causes``, ``commands``."""
    detector = request.app[DEPS].detector
    known = {rule.id: rule for rule in detector().ruleset.rules} if detector is not None else {}
    rule = known.get(facts.case.rule)
    profile = request.app[DEPS].profiles.get(facts.case.profile or "")
    return {
        "steps": in_order(rule.runbook, facts.work.causes) if rule else [],
        "causes": by_share(rule.causes, facts.work.causes) if rule else [],
        "cause_titles": {cause.id: cause.title for cause in rule.causes} if rule else {},
        "device_commands": profile.commands if profile is not None else {},
    }


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What an agent may answer next."""

    text: str
    source: Mapping[str, str] | None = None
    """Of the article: ``article``, ``language``, ``title``; None: the rule's own advice."""
    step: int | None = None
    """Of the article, from 1 on."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """What the device says of the field that the case is about."""


async def suggestion_of(request: web.Request, facts: CaseFacts) -> Suggestion | None:
    """Offer the article's first untried step in the customer's language; None where nothing fits.

    Without an article it is the rule's own advice.
    """
    helps, case = request.app[DEPS].helps, facts.case
    locale = case.customer_locale or "en"
    found = await read(request, helps, case, locale) if helps is not None else None
    name = case.explanation.get("field")
    values = twin_of(facts.device.state if facts.device else None).values
    known = {name: values[name]} if isinstance(name, str) and name in values else {}
    if found is None:
        advice = text_in(case.explanation.get("advice"), locale)
        return Suggestion(advice, values=known) if advice else None
    if found.next_step is None:
        return None
    source = {"article": found.article.name, "language": found.article.language, "title": found.article.title}
    return Suggestion(found.next_step.text, source, found.next_step.index + 1, known)


def seen_now(suggestion: Suggestion | None, profile: DeviceProfile | None) -> list[str]:
    """Write what the device says now of what a suggestion is about."""
    told = []
    for name, value in suggestion.values.items() if suggestion is not None else ():
        spec = field_spec(profile, name)
        title, text = text_in(spec.title), value_text(value, unit_text(spec.unit), spec.decimals)
        told.append(say("{1} is {2} now", title[:1].upper() + title[1:], text))
    return told


def tried_so_far(facts: CaseFacts) -> str:
    """Tell what was tried in a case, by the customer and by staff; empty where nothing was."""
    by_customer, by_staff = facts.work.tried, len(facts.work.steps)
    told = (
        say("Steps that the customer tried: {1}", by_customer) if by_customer else "",
        say("Steps of the procedure that are done: {1}", by_staff) if by_staff else "",
    )
    return "; ".join(part for part in told if part)


async def show_suggestion(request: web.Request) -> web.StreamResponse:
    """GET /api/cases/{id}/suggestion: ``text``, ``source``, ``step``, this device's ``values``; null: nothing fits."""
    facts = await facts_of(request)
    found = await suggestion_of(request, facts)
    # Without an article there is nothing to quote; the rule's advice stands in the case itself.
    if found is None or found.source is None:
        return present.answer({"text": None, "source": None, "step": None, "values": {}})
    return present.answer(asdict(found))


async def previews_of(request: web.Request, waiting: Sequence[MessageLine]) -> dict[int, Rendered]:
    """Word each message as it would go out now; one whose customer is gone has no words any more."""
    previews: dict[int, Rendered] = {}
    for message in waiting:
        try:
            previews[message.id] = await request.app[DEPS].preview(message.id)
        except LookupError:
            log.info("message.no_preview", notification_id=message.id)
    return previews


def reply_channel(facts: CaseFacts) -> tuple[str | None, str]:
    """Tell on which channel an answer would go, and why, before it is written."""
    if facts.customer is None:
        return None, _("This device has no customer on record.")
    wrote = [entry for entry in facts.timeline if entry.kind == "message_in"]
    last = str(wrote[-1].body.get("channel") or "") if wrote else ""
    if last and last != "page":
        return last, say("{1} wrote there last.", facts.customer.name)
    if facts.customer.preferred_channel:
        return facts.customer.preferred_channel, say("{1} prefers it.", facts.customer.name)
    return None, _("The channel is chosen by consent, country and what is set up.")


def why_of(message: MessageLine) -> list[str]:
    """Say why a message goes the way it does, one sentence a reason."""
    name = message.customer_name or _("The customer")
    steps = message.why if isinstance(message.why, list) else []
    known = [dict(step) for step in steps if isinstance(step, dict) and step.get("code") in CODES]
    return [Reason(step.pop("code"), step).sentence(name, _, country_name) for step in known]


async def act_on_case(request: web.Request) -> web.StreamResponse:
    """POST /cases/{id}/{command} and its twin under /api."""
    name, case_id = request.path.rpartition("/")[2], id_of(request)
    command = command_of(request, name, case_id, await fields(request))
    if isinstance(command, Reply | AddNote) and (files := await uploaded(request)):
        command = replace(command, files=files)
    result = await request.app[DEPS].commands.submit(command)
    if name == "split":
        # What was split off is what one wants to see now.
        return done(request, f"/cases/{result}", case=result)
    return done(request, f"/cases/{case_id}")


def command_of(request: web.Request, name: str, case_id: int, sent: Mapping[str, Any]) -> Command:
    """Read what is to be done to a case; what resolving tells the customer waits until it can no longer be undone."""
    command = CASE_COMMANDS[name](case_id, request[IDENTITY].name, sent)
    if isinstance(command, Resolve):
        clock = request.app[DEPS].clock
        # The hand that undoes it is not as fast as a demo's clock.
        return replace(command, tell_from=clock.now() + TIME_FOR_UNDO * clock.speed)
    return command


def done(request: web.Request, page: str, **told: Any) -> web.StreamResponse:
    """Answer a command that was carried out: JSON to code, with what is ``told``, the page to a person."""
    if wants_json(request) or is_api(request):
        return web.json_response({"ok": True, **told})
    raise web.HTTPSeeOther(page)


def id_of(request: web.Request) -> int:
    """Return the id in the path. Raises HTTPNotFound where the store could not hold such a number."""
    case_id = int(request.match_info["id"])
    if case_id >= 2**63:
        raise web.HTTPNotFound(text="There is no such case.")
    return case_id
