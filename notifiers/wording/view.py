"""What a template sees: each fact as the words, figures and times of one customer, or empty where there is none."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from device_models.purpose import Purpose, Severity
from device_models.registry import Customer
from notifiers.message import Direction
from notifiers.wording import facts as read
from notifiers.wording.bidi import direction_of, isolate
from notifiers.wording.catalogue import Catalogue
from notifiers.wording.formats import NBSP, Formats
from notifiers.wording.units import TEMPERATURES

_LONGEST_SPAN_S = 100 * 365 * 86_400.0
_MOST_TIMES = 1_000_000
_APPS = {"whatsapp": "WhatsApp", "telegram": "Telegram", "line": "LINE", "webpush": "Web Push", "push": "App"}
_ANSWERS = ["done", "later", "fixed", "not_seen_fixed", "call", "visit", "rated"]
_ANSWERS += ["ask_effort", "ask_helped", "ask_better"]


@dataclass(slots=True)
class Words:
    """One language, noting what it has no translation for."""

    catalogue: Catalogue
    missing: list[str] = field(default_factory=list)

    def gettext(self, msgid: str) -> str:
        """Translate."""
        self._note(msgid)
        return self.catalogue.gettext(msgid)

    def ngettext(self, singular: str, plural: str, count: int) -> str:
        """Translate in the form ``count`` takes."""
        self._note(singular)
        return self.catalogue.ngettext(singular, plural, count)

    def localized(self, value: object, what: str) -> str:
        """Pick a fact's text in this language, noting ``what`` where it fell back."""
        text, found = read.localized(value, self.catalogue.language)
        if not found:
            self.missing.append(f"{what}:{self.catalogue.language}")
        return text

    def _note(self, msgid: str) -> None:
        if not self.catalogue.has(msgid):
            self.missing.append(f"msgid:{msgid}")


@dataclass(frozen=True, slots=True)
class View:
    """Ready to print: texts are clean single lines unless a list, isolated where they run against the sentence."""

    language: str
    direction: Direction
    purpose: str
    severity: str
    kind: str
    product: str
    """What the profile calls it: "freezer"."""
    name: str
    """What the customer calls it; empty where that is the product's name too."""
    title: str
    plan: str
    phase: str
    """Of a service: ``upcoming``, ``due`` or empty."""
    advice: list[str]
    quantity: str
    """What was measured: "temperature"."""
    value: str
    limit: str
    direction_word: str
    """``above``, ``below`` or empty."""
    is_temperature: bool
    is_sole: bool
    """Whether the value is all that the rule looks at; one of several says little by itself."""
    moved: str
    """By how much the value changed, without a sign; empty where the fault is no change."""
    moved_up: bool
    times: int | None
    """How often it happened."""
    span: str
    """The time in which it moved, or happened so often."""
    moved_away: str
    """How far a thing is from where it was left."""
    reaches_days: int | None
    """Days until the limit will be reached, 0 for today; None where nothing is foretold."""
    reaches_date: str
    reaches_between: str
    """The first and the last day that are likely."""
    since: str
    code: str
    due_date: str
    due_short: str
    due_days: int | None
    """Days until it is due, negative when overdue; None without a date."""
    case: str
    may_repeat: bool
    """Whether an earlier copy may have arrived already."""
    shop: str
    shop_address: str
    distance: str
    offer_title: str
    offer_text: list[str]
    offer_code: str
    valid_until: str
    text: list[str]
    agent: str
    answer: str
    check_code: str
    expires_at: str
    visit: str
    """A service date: day and hours."""
    visit_day: str
    team: str
    is_anothers: bool
    added: str
    """Where they are reached besides: "WhatsApp +49…67"."""
    customer: str


def view(facts: Mapping[str, Any], customer: Customer, purpose: Purpose | None, words: Words, now: datetime) -> View:
    """Read ``facts`` for one customer. Never raises, whatever they hold."""
    language = words.catalogue.language
    direction = direction_of(language)
    formats = Formats.of(customer, language, now)

    def own(text: str) -> str:
        return isolate(text, direction)

    product = read.name(words.localized(read.part(facts, "device").get("product"), "product"))
    name = read.name(read.part(facts, "device").get("name"))
    title = read.phrase(words.localized(facts.get("title"), "title"))
    plan = read.phrase(words.localized(facts["plan"], "plan")) if isinstance(facts.get("plan"), Mapping) else ""
    field_name = _field(facts)
    unit, value, limit, moved = _reading(facts, field_name, formats)
    moved_m = read.number(facts.get("moved_m"))
    span_s = read.number(facts.get("over_s")) or read.number(facts.get("within_s"))
    due_at, valid_until = read.moment(facts.get("due_at")), read.moment(read.part(facts, "offer").get("valid_until"))
    expires_at = read.moment(facts.get("expires_at"))
    reaches_at = read.moment(facts.get("reaches_at")) if facts.get("kind") == "forecast" else None
    visit = _span(facts)
    shop, offer = read.part(facts, "shop"), read.part(facts, "offer")
    distance_m = read.number(shop.get("distance_m"))
    return View(
        language=language,
        direction=direction,
        purpose=purpose.value if purpose else "",
        severity=_one_of(facts.get("severity"), [severity.value for severity in Severity]),
        kind=read.line(facts.get("kind")),
        product=own(product),
        name=own(name) if name.casefold() != product.casefold() else "",
        title=own(title),
        plan=own(plan or title),
        phase=_one_of(facts.get("phase"), ["upcoming", "due"]),
        advice=[own(one) for one in read.paragraphs(words.localized(facts.get("advice"), "advice"))],
        quantity=own(read.phrase(words.localized(read.part(facts, "labels").get(field_name), "label"))),
        value=value,
        limit=limit,
        direction_word=_one_of(facts.get("direction"), ["above", "below"]),
        is_temperature=unit in TEMPERATURES,
        is_sole=len(read.part(facts, "values")) == 1,
        moved=moved,
        moved_up=(read.number(facts.get("change")) or 0.0) > 0,
        times=_count(facts.get("count")),
        span=formats.duration(span_s) if span_s is not None and 0 < span_s < _LONGEST_SPAN_S else "",
        since=_since(read.moment(facts.get("last_heard_at")) or read.moment(facts.get("since")), formats, words),
        moved_away=formats.distance(moved_m) if moved_m is not None and moved_m > 0 else "",
        reaches_days=max(formats.days_until(reaches_at), 0) if reaches_at else None,
        reaches_date=formats.long_date(reaches_at) if reaches_at else "",
        reaches_between=_between(facts, formats) if reaches_at else "",
        code=own(read.name(_as_text(facts.get("code")))),
        due_date=formats.long_date(due_at) if due_at else "",
        due_short=formats.short_date(due_at) if due_at else "",
        due_days=formats.days_until(due_at) if due_at else None,
        case=own(read.name(_as_text(facts.get("case_id")))),
        may_repeat=facts.get("may_repeat") is True,
        shop=own(read.name(shop.get("name"))),
        shop_address=own(read.line(shop.get("address"))),
        distance=formats.distance(distance_m) if distance_m is not None and distance_m >= 0 else "",
        offer_title=own(read.line(words.localized(offer.get("title"), "offer"))),
        offer_text=[own(one) for one in read.paragraphs(words.localized(offer.get("text"), "offer"))],
        offer_code=own(read.name(_as_text(offer.get("code")))),
        valid_until=formats.long_date(valid_until) if valid_until else "",
        text=[own(one) for one in read.paragraphs(facts.get("text"))],
        agent=own(read.name(facts.get("agent"))),
        answer=_one_of(facts.get("answer"), _ANSWERS),
        check_code=own(read.name(_as_text(facts.get("check_code"))).replace(" ", NBSP)),
        expires_at=formats.time(expires_at) if expires_at else "",
        visit=own(formats.span(*visit, words.gettext("%(day)s, %(time)s"))) if visit else "",
        visit_day=formats.short_date(visit[0]) if visit else "",
        team=own(read.name(facts.get("team"))),
        is_anothers=facts.get("is_anothers") is True,
        added=own(_added(facts)),
        customer=own(read.name(customer.name)),
    )


def _span(facts: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
    begins, ends = read.moment(facts.get("starts_at")), read.moment(facts.get("ends_at"))
    return (begins, ends) if begins is not None and ends is not None else None


def _added(facts: Mapping[str, Any]) -> str:
    """Name an address by its app, which is called the same everywhere, and what of it may be shown."""
    app = _APPS.get(read.line(facts.get("added_channel")), "")
    return " ".join(part for part in (app, read.name(facts.get("added_address"))) if part)


def _field(facts: Mapping[str, Any]) -> str:
    """The field that the rule is about; one that names none and read one value is about that."""
    name, values = facts.get("field"), read.part(facts, "values")
    if name is None and len(values) == 1:
        name = next(iter(values))
    return name if isinstance(name, str) else ""


def _reading(facts: Mapping[str, Any], field_name: str, formats: Formats) -> tuple[str, str, str, str]:
    """Unit, value, limit and change, each empty where there is none.

    Only numbers: a device's own words for a state ("ON", "ERR_3") are no customer's, the rule's title says it.
    """
    unit = read.name(read.part(facts, "units").get(field_name))
    decimals = read.number(read.part(facts, "decimals").get(field_name))
    places = min(max(int(decimals), 0), 6) if decimals is not None else 1

    def shown(value: object) -> str:
        number = read.number(value)
        return formats.quantity(number, unit, places) if number is not None else ""

    change = read.number(facts.get("change"))
    moved = formats.difference(change, unit, places) if change else ""
    return unit, shown(read.part(facts, "values").get(field_name)), shown(facts.get("limit")), moved


def _since(at: datetime | None, formats: Formats, words: Words) -> str:
    if at is None:
        return ""
    day, time = formats.moment(at)
    return time if day is None else words.gettext("%(day)s, %(time)s") % {"day": day, "time": time}


def _between(facts: Mapping[str, Any], formats: Formats) -> str:
    earliest, latest = read.moment(facts.get("earliest")), read.moment(facts.get("latest"))
    if earliest is None or latest is None:
        return ""
    days = dict.fromkeys((formats.short_date(earliest), formats.short_date(latest)))
    return " – ".join(days)


def _count(value: object) -> int | None:
    number = read.number(value)
    return int(number) if number is not None and 1 <= number <= _MOST_TIMES else None


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _one_of(value: object, allowed: list[str]) -> str:
    return value if isinstance(value, str) and value in allowed else ""
