"""Which channel a message takes, when, and why; or why it takes none."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal, Protocol

from device_models.event import rfc3339
from device_models.purpose import Purpose, Severity
from device_models.registry import Customer
from notifiers.consent import consent
from notifiers.learning.priors import SOURCE, WORTH_SAYING, YEAR, priors
from notifiers.public_holidays import public_holiday
from notifiers.quiet_hours import held_over_days
from notifiers.reasons import Reason

OWN_CHOICE = frozenset({"channel.chosen", "channel.preferred"})
"""Codes of the reasons that are the customer's own word."""
Basis = Literal["own", "alike", "trying"]
_BASIS: dict[Basis, str] = {"own": "channel.learned", "alike": "channel.learned_alike", "trying": "channel.trying"}


@dataclass(frozen=True, slots=True)
class Taste:
    """What outcomes taught about one customer and purpose."""

    order: tuple[str, ...]
    """Channels, best first; a channel that is not in it is not ranked."""
    basis: Basis
    """Why the first is first: their own answers, those of people alike, or that too little is known of it yet."""
    answered: int = 0
    """The evidence for the first channel: so many messages of that basis were answered …"""
    asked: int = 0
    """… of so many."""
    enough_of_their_own: bool = True
    """Whether this customer had enough messages to say what *they* answer to."""


class Learned(Protocol):
    """What this customer has answered to before."""

    def taste(self, customer: Customer, purpose: Purpose, channels: Sequence[str], now: datetime) -> Taste | None:
        """Rank ``channels`` by past outcomes; None where there is not enough data to say."""
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """How one message reaches one person."""

    channel: str | None
    """None: not at all, see ``withheld``."""
    address: str | None
    alternatives: tuple[tuple[str, str], ...]
    """(channel, address) of the channels after it, best first: the ladder."""
    why: tuple[Reason, ...]
    """Each step that led here, in order."""
    withheld: str | None = None
    """The code of the reason nothing is sent."""
    not_before: datetime | None = None
    """Aware UTC, the end of quiet hours; None: at once."""


def choose(
    customer: Customer,
    purpose: Purpose,
    severity: Severity,
    configured: Sequence[str],
    now: datetime,
    *,
    verified: Collection[str] | None = None,
    learned: Learned | None = None,
    holdout: bool = False,
    via: str | None = None,
    owed: Literal["now", "waits"] | None = None,
    default_quiet_hours: str | None = None,
    quiet_holidays: bool = False,
) -> Choice:
    """Choose channel and time for one message.

    The order is: consent and objections, the customer's own choice for the purpose, then for all, what they answered to
    before, what their country prefers, the company's order.

    Args:
        customer: the person.
        purpose: what the message is for.
        severity: ``critical`` breaks quiet hours, unless it is an offer or news.
        configured: channels that have a transport, in the company's order; no other is ever used.
        now: aware.
        verified: channels whose address is proven; None where no proof is kept and the company's import counts as one.
        learned: past outcomes; None where nothing is learned.
        holdout: whether this customer is left out of learning, so that its gain can be measured.
        via: the channel they wrote on last, which an answer goes back to.
        owed: whether they asked for it, so that it needs no consent; ``now``: they are there for the answer.
        default_quiet_hours: for customers who named none; ``22:00-07:00``.
        quiet_holidays: whether this message waits on public holidays of the customer's country.
    """
    allowed, reason = (True, Reason("consent.asked_for")) if owed else consent(customer, purpose)
    if not allowed:
        return Choice(None, None, (), (reason,), withheld=reason.code)
    reachable, skipped = _reachable(customer, purpose, configured, verified)
    why = [reason, *skipped]
    if not reachable:
        nobody = Reason("channel.none")
        return Choice(None, None, (), (*why, nobody), withheld=nobody.code)
    order, reasons = _order(customer, purpose, tuple(reachable), now, None if holdout else learned, via)
    if holdout and reasons[-1].code in ("channel.country", "channel.configured"):
        reasons.insert(0, Reason("channel.holdout"))
    urgency = "an answer" if owed == "now" else _urgency(purpose, severity)
    not_before, quiet = _quiet(customer, urgency, now, default_quiet_hours, quiet_holidays)
    return Choice(
        channel=order[0],
        address=reachable[order[0]],
        alternatives=tuple((channel, reachable[channel]) for channel in order[1:]),
        why=(*why, *reasons, *quiet),
        not_before=not_before,
    )


def _reachable(
    customer: Customer, purpose: Purpose, configured: Sequence[str], verified: Collection[str] | None
) -> tuple[dict[str, str], list[Reason]]:
    """Addresses by usable channel in the company's order, and why the others are not."""
    reachable: dict[str, str] = {}
    wishes = dict.fromkeys((customer.channel_choices.get(purpose), customer.preferred_channel))
    missing = [wish for wish in wishes if wish is not None and wish not in configured]
    skipped = [Reason("channel.no_transport", {"channel": wish}) for wish in missing]
    for channel in dict.fromkeys(configured):
        address = customer.address(channel)
        if not address:
            skipped.append(Reason("channel.no_address", {"channel": channel}))
        elif verified is not None and channel not in verified:
            skipped.append(Reason("channel.unverified", {"channel": channel}))
        else:
            reachable[channel] = address
    return reachable, skipped


def _order(
    customer: Customer,
    purpose: Purpose,
    reachable: tuple[str, ...],
    now: datetime,
    learned: Learned | None,
    via: str | None,
) -> tuple[list[str], list[Reason]]:
    """Order the usable channels; each rank has the reason that gave it, the first of them decided."""
    ranked: dict[str, Reason] = {}
    facts: dict[str, Any]
    silent: list[Reason] = []
    if via in reachable:
        ranked[via] = Reason("channel.reply", {"channel": via})
    chosen = customer.channel_choices.get(purpose)
    if chosen in reachable:
        ranked.setdefault(chosen, Reason("channel.chosen", {"channel": chosen, "purpose": purpose.value}))
    if customer.preferred_channel in reachable:
        preferred = Reason("channel.preferred", {"channel": customer.preferred_channel})
        ranked.setdefault(customer.preferred_channel, preferred)
    if learned is not None:
        taste = learned.taste(customer, purpose, reachable, now)
        if not ranked and (taste is None or not taste.enough_of_their_own):
            silent.append(Reason("channel.not_enough_data"))
        if taste is not None:
            for channel in taste.order:
                facts = {"channel": channel, "answered": taste.answered, "asked": taste.asked}
                ranked.setdefault(channel, Reason(_BASIS[taste.basis], facts))
    for prior in priors(customer.country, purpose):
        if prior.share >= WORTH_SAYING:
            facts = {"channel": prior.channel, "country": customer.country, "share": prior.share}
            survey = {"source": SOURCE, "year": YEAR}
            ranked.setdefault(prior.channel, Reason("channel.country", facts | survey))
    for channel in reachable:
        ranked.setdefault(channel, Reason("channel.configured", {"channel": channel}))
    order = [channel for channel in ranked if channel in reachable]
    return order, [*silent, ranked[order[0]]]


def _urgency(purpose: Purpose, severity: Severity) -> str:
    """Why a message breaks quiet hours; empty where it does not."""
    if purpose is Purpose.SAFETY:
        return "a safety notice"
    return "critical" if severity is Severity.CRITICAL and not purpose.needs_opt_in else ""


def _quiet(
    customer: Customer,
    urgency: str,
    now: datetime,
    default_hours: str | None,
    quiet_holidays: bool,
) -> tuple[datetime | None, tuple[Reason, ...]]:
    hours = customer.quiet_hours or default_hours
    holidays = quiet_holidays and not urgency

    def holiday(day: date) -> str | None:
        return public_holiday(customer.country, day) if holidays else None

    ends = held_over_days(hours, customer.zone, now, lambda day: holiday(day) is not None)
    if ends is None:
        return None, ()
    if urgency:
        return None, (Reason("quiet_hours.broken", {"hours": hours, "urgency": urgency}),)
    local, local_end = now.astimezone(customer.zone), ends.astimezone(customer.zone)
    shown = f"{local_end:%H:%M}" if ends - now < timedelta(days=1) else f"{local_end:%Y-%m-%d %H:%M}"
    facts = {"local_time": f"{local:%H:%M}", "ends_at": shown, "until": rfc3339(ends)}
    name = holiday(local.date())
    if name is not None:
        return ends, (Reason("quiet_hours.holiday", {"holiday": name, "country": customer.country, **facts}),)
    code = "quiet_hours.hold" if customer.quiet_hours is not None else "quiet_hours.default_hold"
    return ends, (Reason(code, {"hours": hours, **facts}),)
