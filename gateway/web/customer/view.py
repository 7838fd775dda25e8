"""What the customer sees, worked out from what is stored: the sentence, the figure, the next step, how far we are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from babel.dates import format_timedelta

from device_models.profile import DeviceProfile
from device_models.purpose import Purpose
from device_models.registry import Customer
from gateway.store.enrolment import customer_settings
from gateway.web.customer.texts import TEXTS, Texts, language_of
from gateway.web.links import CustomerLink
from gateway.web.queries import cases, devices, people
from gateway.web.queries.cases import CaseLine, TimelineEntry
from gateway.web.queries.devices import DeviceLine
from gateway.web.queries.people import CustomerCard
from gateway.web.queries.sight import Sight, own_words, sight_of
from gateway.web.twin import STALE_AFTER_INTERVALS, twin_of
from gateway.web.wording import field_spec, text_in, title_of
from notifiers.formats import Formats

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


@dataclass(frozen=True, slots=True)
class Choice:
    """One purpose and whether its messages come."""

    purpose: str
    title: str
    on: bool


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


def view_of(facts: CustomerFacts, profiles: Mapping[str, DeviceProfile], now: datetime) -> CustomerView:
    """Work out the page."""
    customer, case = facts.customer, facts.case
    language = language_of(customer.locale)
    t = TEXTS[language]
    formats = formats_of(customer, now)
    profile = profiles.get(case.profile or "") if case else None
    is_service = case is not None and case.kind == "maintenance"
    return CustomerView(
        language=language,
        t=t,
        hello=t["hello"].format(name=customer.name),
        product=_product(facts, profile, customer.locale),
        sentence=_sentence(case, t, formats, customer.locale),
        figure=_figure(facts, profile, t, formats, now) if case and not is_service else None,
        advice=text_in(case.explanation.get("advice"), customer.locale) if case and case.open else "",
        progress=_progress(facts, t),
        is_open=case is not None and case.open,
        is_service=is_service,
        said=_said(facts.timeline, formats),
        choices=[Choice(p.value, t[f"purpose_{p.value}"], allows(customer, p)) for p in CHOICES],
    )


def formats_of(customer: CustomerCard, now: datetime) -> Formats:
    """How this person reads numbers and dates."""
    person = Customer(
        id=customer.id,
        name=customer.name,
        country=customer.country,
        locale=customer.locale,
        timezone=customer.timezone,
    )
    return Formats.of(person, language_of(customer.locale), now)


def allows(customer: CustomerCard, purpose: Purpose) -> bool:
    """Whether messages of a purpose come; as ``Customer.allows``."""
    if purpose.value in customer.objections:
        return False
    return purpose.value in customer.consents or not purpose.needs_opt_in


def _product(facts: CustomerFacts, profile: DeviceProfile | None, locale: str) -> str:
    """The customer's own name for it, else what it is; never its id."""
    if facts.device and facts.device.name:
        return facts.device.name
    return text_in(profile.title, locale) if profile else ""


def _sentence(case: CaseLine | None, t: Texts, formats: Formats, locale: str) -> str:
    if case is None:
        return t["offer_sentence"]
    if not case.open and case.kind != "maintenance":
        return t["fixed_sentence"]
    title = title_of(case.explanation, case.rule, locale)
    return title if title.endswith((".", "!", "?", "؟", "。", "！", "？")) else t["sentence"].format(title=title)


def _figure(
    facts: CustomerFacts, profile: DeviceProfile | None, t: Texts, formats: Formats, now: datetime
) -> Figure | None:
    assert facts.case is not None  # noqa: S101  (the caller asks only where there is a case)
    twin = twin_of(facts.device.state if facts.device else None)
    wanted = (facts.case.explanation.get("field"), *(profile.chart if profile else ()))
    # A truth value is no figure: of an open door they are shown what it does to the temperature.
    measured = (n for n in wanted if isinstance(n, str) and not isinstance(twin.values.get(n), bool | str))
    name = next(measured, None)
    if name is None:
        return None
    value, at = twin.values.get(name), twin.observed_at.get(name)
    spec = field_spec(profile, name)
    title = text_in(spec.title, facts.customer.locale)
    if at is None or not isinstance(value, int | float):
        return Figure(title, "–", t["never_seen"], stale=True)
    shown = formats.quantity(value, spec.unit, spec.decimals)
    if profile is not None and now - at > profile.reporting_interval * STALE_AFTER_INTERVALS:
        since = " ".join(part for part in formats.moment(at) if part)
        return Figure(title, shown, t["cannot_see"].format(since=since, last=shown), stale=True)
    if now - at < timedelta(minutes=2):
        return Figure(title, shown, t["just_now"], stale=False)
    span = format_timedelta(now - at, locale=formats.locale, granularity="minute")
    return Figure(title, shown, t["ago"].format(span=span), stale=False)


def _progress(facts: CustomerFacts, t: Texts) -> Sequence[tuple[str, str]]:
    case = facts.case
    if case is None:
        return ()
    helping = case.acknowledged_at is not None or case.assignee is not None
    states = ("done", "done", "done") if not case.open else ("done", "now" if helping else "later", "later")
    if case.open and not helping:
        states = ("now", "later", "later")
    return tuple(zip((t["noticed"], t["helping"], t["fixed"]), states, strict=True))


def _said(timeline: Sequence[TimelineEntry], formats: Formats) -> Sequence[Said]:
    said: list[Said] = []
    for entry in timeline:
        ours = entry.kind == "message_out" and entry.message_state in SHOWN_STATES
        if (ours or entry.kind == "message_in") and entry.text:
            at = " ".join(part for part in formats.moment(entry.at) if part)
            said.append(Said(ours, entry.text, at))
    return said
