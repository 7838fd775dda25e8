"""What the customer sees, worked out from what is stored: the sentence, the figure, the next step, how far we are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from babel.dates import format_timedelta

from device_models.profile import GENERIC, DeviceProfile
from device_models.purpose import Purpose
from device_models.registry import STORED, Customer
from gateway.store.enrolment import customer_settings
from gateway.web.customer.texts import TEXTS, Texts, language_of
from gateway.web.links import CustomerLink
from gateway.web.queries import cases, devices, people
from gateway.web.queries.attachments import FileLine
from gateway.web.queries.cases import CaseLine, TimelineEntry
from gateway.web.queries.devices import DeviceLine
from gateway.web.queries.inbox import InboxMessage
from gateway.web.queries.people import CustomerCard
from gateway.web.queries.sight import Sight, own_words, sight_of
from gateway.web.twin import twin_of
from gateway.web.wording import field_spec, moment, text_in, title_of
from notifiers.wording.formats import Formats

OURS = frozenset({"message_out", "told_together"})
"""Lines that have a message of ours: of this case, or of another that told of both."""
SHOWN_STATES = frozenset({"handed_over", "accepted", "delivered", "read", "unknown"})
"""Messages that left us; what waits or was withheld is not part of the conversation."""
CHOICES = (Purpose.SAFETY, Purpose.FAULT, Purpose.MAINTENANCE, Purpose.OFFER, Purpose.NEWS)


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """What is stored, as far as this link may see it."""

    customer: CustomerCard
    case: CaseLine | None
    device: DeviceLine | None
    timeline: list[TimelineEntry]
    ended: bool = False
    """The link is about a device that is theirs no longer: it shows nothing, but STOP works."""
    revoked: bool = False
    """It was made before their links were revoked: the same."""


@dataclass(frozen=True, slots=True)
class Figure:
    """The live value of the field that the case is about."""

    title: str
    value: str
    note: str
    stale: bool


@dataclass(frozen=True, slots=True)
class Said:
    """One message of the conversation."""

    ours: bool
    text: str
    at: str
    title: str = ""
    """Of a message that is not about this case: what it is about."""
    unread: bool = False
    """It lies in their inbox and was not seen there yet."""
    files: Sequence[FileLine] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """One purpose and whether its messages come."""

    purpose: str
    title: str
    on: bool
    fixed: bool
    """It cannot be stopped."""


@dataclass(frozen=True, slots=True)
class CustomerView:
    """Ready to be rendered; every text is in the customer's language."""

    language: str
    t: Texts
    hello: str
    product: str
    sentence: str
    figure: Figure | None
    advice: str
    progress: Sequence[tuple[str, str]]
    """(word, step's state: done | now | later)."""
    is_open: bool
    is_service: bool
    said: Sequence[Said]
    choices: Sequence[Choice]
    known: Sequence[tuple[str, str]]
    """(what, value) of what we know."""
    then: Sequence[str]
    """What happens next, in sentences."""


def load(connection: sa.Connection, link: CustomerLink) -> CustomerFacts | None:
    """Load what a link may see: its own customer, and a case only while its device is theirs."""
    customer = people.customer(connection, link.customer_id)
    if customer is None:
        return None
    if _is_revoked(connection, link):
        return CustomerFacts(customer, None, None, [], revoked=True)
    case = cases.one(connection, link.case_id) if link.case_id is not None else None
    if case is None:
        return CustomerFacts(customer, None, None, [])
    device = devices.one(connection, case.device_id)
    sight = sight_of(connection, customer.id, case, device)
    if sight is not Sight.THEIRS:
        return CustomerFacts(customer, None, None, [], ended=sight is Sight.ENDED)
    return CustomerFacts(customer, case, device, own_words(cases.history_of(connection, case.id), case, customer.id))


def _is_revoked(connection: sa.Connection, link: CustomerLink) -> bool:
    s = customer_settings.c
    since: datetime | None = connection.execute(
        sa.select(s.links_from).where(s.customer_id == link.customer_id)
    ).scalar()
    # Links are stamped to the second, and the first of the new ones is made in the very second of the old ones' end.
    return since is not None and (link.issued_at is None or link.issued_at < since.replace(microsecond=0))


def view_of(
    facts: CustomerFacts,
    profiles: Mapping[str, DeviceProfile],
    now: datetime,
    brand: str = "",
    inbox: Sequence[InboxMessage] = (),
) -> CustomerView:
    """Work out the page; what lies in the ``inbox`` joins the conversation."""
    customer, case = facts.customer, facts.case
    language = language_of(customer.locale)
    t = TEXTS[language]
    formats = formats_of(customer, now)
    profile = profiles.get(case.profile or "") if case else None
    is_service = case is not None and case.kind == "maintenance"
    figure = _figure(facts, profile, t, formats, now) if case and not is_service else None
    unseen = _unseen_since(facts, profile, now)
    return CustomerView(
        language=language,
        t=t,
        hello=t["hello"].format(name=customer.name),
        product=_product(facts, profile, customer.locale),
        sentence=_sentence(case, t, formats, customer.locale, unseen),
        figure=figure,
        advice=text_in(case.explanation.get("advice"), customer.locale) if case and case.open else "",
        progress=_progress(facts, t, unseen),
        is_open=case is not None and case.open,
        is_service=is_service,
        said=_said(facts.timeline, inbox, formats),
        choices=[_choice(customer, p, t) for p in CHOICES],
        known=_known(case, profile, t, formats) if case and not is_service else (),
        then=_then(case, t, formats, brand, now) if case else (),
    )


def person_of(card: CustomerCard) -> Customer:
    """The customer behind a card: who they are, how they read, and where they are reached."""
    known = {name: getattr(card, name) for name in ("id", "name", "country", "locale", "timezone", "email", "phone")}
    return Customer.model_validate({**known, "addresses": dict(card.addresses)}, context=STORED)


def formats_of(customer: CustomerCard, now: datetime) -> Formats:
    """How this person reads numbers and dates."""
    return Formats.of(person_of(customer), language_of(customer.locale), now)


def allows(customer: CustomerCard, purpose: Purpose) -> bool:
    """Whether messages of a purpose come; as ``Customer.allows``."""
    if purpose.value in customer.objections:
        return False
    return purpose.value in customer.consents or not purpose.needs_opt_in


def _choice(customer: CustomerCard, purpose: Purpose, t: Texts) -> Choice:
    on = allows(customer, purpose)
    return Choice(purpose.value, t[f"purpose_{purpose.value}"], on, fixed=on and purpose is Purpose.SAFETY)


def _product(facts: CustomerFacts, profile: DeviceProfile | None, locale: str) -> str:
    """The customer's own name for it, else what it is; never its id."""
    if facts.device and facts.device.name:
        return facts.device.name
    return text_in(profile.title, locale) if profile else ""


def _sentence(case: CaseLine | None, t: Texts, formats: Formats, locale: str, unseen: datetime | None) -> str:
    if case is None:
        return t["offer_sentence"]
    if not case.open and case.kind != "maintenance":
        # Nobody is told that all is well by a device that is not heard.
        return t["over_unseen"].format(since=when(formats, unseen)) if unseen else t["fixed_sentence"]
    title = title_of(case.explanation, case.rule, locale)
    return title if title.endswith((".", "!", "?", "؟", "。", "！", "？")) else t["sentence"].format(title=title)


def measured_field(facts: CustomerFacts, profile: DeviceProfile | None) -> str | None:
    """Tell which field is the figure: the rule's, else the first of the profile's chart; None where neither is one."""
    twin = twin_of(facts.device.state if facts.device else None)
    named = facts.case.explanation.get("field") if facts.case else None
    wanted = (named, *(profile.chart if profile else ()))
    # A truth value is no figure: of an open door they are shown what it does to the temperature.
    measured = (n for n in wanted if isinstance(n, str) and not isinstance(twin.values.get(n), bool | str))
    return next(measured, None)


def figure_title(profile: DeviceProfile | None, name: str, t: Texts, locale: str) -> str:
    """Name a figure as its profile does; a field that nobody described has but a name for programs."""
    spec = (profile or GENERIC).fields.get(name)
    return text_in(spec.title, locale) if spec is not None else t["reading"]


def _figure(
    facts: CustomerFacts, profile: DeviceProfile | None, t: Texts, formats: Formats, now: datetime
) -> Figure | None:
    assert facts.case is not None  # noqa: S101  (the caller asks only where there is a case)
    name = measured_field(facts, profile)
    if name is None:
        return None
    twin = twin_of(facts.device.state if facts.device else None)
    value, at = twin.values.get(name), twin.observed_at.get(name)
    spec = field_spec(profile, name)
    title = figure_title(profile, name, t, facts.customer.locale)
    if at is None or not isinstance(value, int | float):
        return Figure(title, "–", t["never_seen"], stale=True)
    shown = formats.quantity(value, spec.unit, spec.decimals)
    if profile is not None and now - at > seen_within(profile):
        since = " ".join(part for part in formats.moment(at) if part)
        return Figure(title, shown, t["cannot_see"].format(since=since, last=shown), stale=True)
    if now - at < timedelta(minutes=2):
        return Figure(title, shown, t["just_now"], stale=False)
    span = format_timedelta(now - at, locale=formats.locale, granularity="minute")
    return Figure(title, shown, t["ago"].format(span=span), stale=False)


def _progress(facts: CustomerFacts, t: Texts, unseen: datetime | None) -> Sequence[tuple[str, str]]:
    case = facts.case
    if case is None:
        return ()
    helping = case.acknowledged_at is not None or case.assignee is not None
    over = ("done", "done", "now" if unseen else "done")
    states = over if not case.open else ("done", "now" if helping else "later", "later")
    if case.open and not helping:
        states = ("now", "later", "later")
    return tuple(zip((t["noticed"], t["helping"], t["fixed"]), states, strict=True))


def _said(timeline: Sequence[TimelineEntry], inbox: Sequence[InboxMessage], formats: Formats) -> Sequence[Said]:
    """The conversation in the order of time: about this case by any channel, and whatever else lies in the inbox."""
    unread = {message.id for message in inbox if message.read_at is None}
    said: list[tuple[datetime, Said]] = []
    for entry in conversation(timeline):
        ours = entry.kind in OURS
        if entry.text:
            is_new = ours and entry.notification_id in unread
            line = Said(ours, entry.text, _moment(formats, entry.at), unread=is_new, files=entry.files)
            said.append((entry.at, line))
    here = {entry.notification_id for entry in timeline}
    for message in inbox:
        if message.id not in here and message.text and (at := message.delivered_at) is not None:
            line = Said(True, message.text, _moment(formats, at), message.title or "", unread=message.id in unread)
            said.append((at, line))
    return [line for _, line in sorted(said, key=lambda pair: pair[0])]


def conversation(timeline: Sequence[TimelineEntry]) -> list[TimelineEntry]:
    """What of a timeline they have said, and have been sent."""

    def is_shown(entry: TimelineEntry) -> bool:
        ours = entry.kind in OURS and entry.message_state in SHOWN_STATES
        return ours or entry.kind == "message_in"

    return [entry for entry in timeline if is_shown(entry)]


def _moment(formats: Formats, at: datetime) -> str:
    return " ".join(part for part in formats.moment(at) if part)


def when(formats: Formats, at: datetime) -> str:
    """Write a moment, past or to come: the time alone where it is today."""
    today = at.astimezone(formats.zone).date() == formats.now.astimezone(formats.zone).date()
    return formats.time(at) if today else f"{formats.short_date(at)}, {formats.time(at)}"


def seen_within(profile: DeviceProfile) -> timedelta:
    """How old a reading may be and still count as what is so now: an interval, and what a message may be late."""
    return profile.reporting_interval + max(timedelta(minutes=1), profile.reporting_interval / 4)


def _unseen_since(facts: CustomerFacts, profile: DeviceProfile | None, now: datetime) -> datetime | None:
    """Since when the device was not heard, past its interval; None while it is."""
    heard_at = facts.device.heard_at if facts.device else None
    if heard_at is None or profile is None:
        return None
    return heard_at if now - heard_at > seen_within(profile) else None


def _known(case: CaseLine, profile: DeviceProfile | None, t: Texts, formats: Formats) -> Sequence[tuple[str, str]]:
    known: list[tuple[str, str]] = []
    if (since := moment(case.explanation.get("since"))) is not None:
        known.append((t["know_since"], when(formats, since)))
    name, limit = case.explanation.get("field"), case.explanation.get("limit")
    if isinstance(name, str) and isinstance(limit, int | float) and not isinstance(limit, bool):
        spec = field_spec(profile, name)
        known.append((t["know_limit"], formats.quantity(limit, spec.unit, spec.decimals)))
    return known


def _then(case: CaseLine, t: Texts, formats: Formats, brand: str, now: datetime) -> Sequence[str]:
    if not case.open:
        return (t["then_done"],)
    if case.acknowledged_at is not None or case.assignee is not None:
        first = t["then_helping"].format(brand=brand)
    elif case.response_due_at is not None and case.response_due_at > now and case.first_response_at is None:
        first = t["then_look"].format(at=when(formats, case.response_due_at))
    else:
        first = t["then_soon"]
    return (first, t["then_watch"])
