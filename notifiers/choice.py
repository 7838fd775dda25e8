"""Which channel a message takes, when, and why; or why it takes none."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from device_models.event import rfc3339
from device_models.purpose import Purpose, Severity
from device_models.registry import Customer
from notifiers.consent import consent
from notifiers.priors import SOURCE, WORTH_SAYING, YEAR, priors
from notifiers.quiet_hours import held_until
from notifiers.reasons import Reason


@dataclass(frozen=True, slots=True)
class Taste:
    """What outcomes taught about one customer and purpose."""

    order: tuple[str, ...]
    """Channels, best first; a channel that is not in it is not ranked."""
    evidence: str
    """Short, for staff: ``answered 4 of 5``."""


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
    default_quiet_hours: str | None = None,
) -> Choice:
    """Choose channel and time for one message.

    The order is: consent and objections, the customer's own choice, what they answered to before, what their
    country prefers, the company's order.

    Args:
        customer: the person.
        purpose: what the message is for.
        severity: ``critical`` breaks quiet hours, unless it is an offer or news.
        configured: channels that have a transport, in the company's order; no other is ever used.
        now: aware.
        verified: channels whose address is proven; None where no proof is kept and the company's import counts as one.
        learned: past outcomes; None where nothing is learned.
        default_quiet_hours: for customers who named none; ``22:00-07:00``.
    """
    allowed, reason = consent(customer, purpose)
    if not allowed:
        return Choice(None, None, (), (reason,), withheld=reason.code)
    reachable, skipped = _reachable(customer, configured, verified)
    why = [reason, *skipped]
    if not reachable:
        nobody = Reason("channel.none")
        return Choice(None, None, (), (*why, nobody), withheld=nobody.code)
    order, reasons = _order(customer, purpose, tuple(reachable), now, learned)
    not_before, quiet = _quiet(customer, purpose, severity, now, default_quiet_hours)
    return Choice(
        channel=order[0],
        address=reachable[order[0]],
        alternatives=tuple((channel, reachable[channel]) for channel in order[1:]),
        why=(*why, *reasons, *quiet),
        not_before=not_before,
    )


def _reachable(
    customer: Customer, configured: Sequence[str], verified: Collection[str] | None
) -> tuple[dict[str, str], list[Reason]]:
    """Addresses by usable channel in the company's order, and why the others are not."""
    reachable: dict[str, str] = {}
    skipped = []
    preferred = customer.preferred_channel
    if preferred is not None and preferred not in configured:
        skipped.append(Reason("channel.no_transport", {"channel": preferred}))
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
    customer: Customer, purpose: Purpose, reachable: tuple[str, ...], now: datetime, learned: Learned | None
) -> tuple[list[str], list[Reason]]:
    """Order the usable channels; each rank has the reason that gave it, the first of them decided."""
    ranked: dict[str, Reason] = {}
    facts: dict[str, Any]
    silent: list[Reason] = []
    if customer.preferred_channel in reachable:
        ranked[customer.preferred_channel] = Reason("channel.preferred", {"channel": customer.preferred_channel})
    if learned is not None:
        taste = learned.taste(customer, purpose, reachable, now)
        if taste is None:
            silent.append(Reason("channel.not_enough_data"))
        else:
            for channel in taste.order:
                learned_here = Reason("channel.learned", {"channel": channel, "evidence": taste.evidence})
                ranked.setdefault(channel, learned_here)
    for prior in priors(customer.country, purpose):
        if prior.share >= WORTH_SAYING:
            facts = {"channel": prior.channel, "country": customer.country, "share": prior.share}
            survey = {"source": SOURCE, "year": YEAR}
            ranked.setdefault(prior.channel, Reason("channel.country", facts | survey))
    for channel in reachable:
        ranked.setdefault(channel, Reason("channel.configured", {"channel": channel}))
    order = [channel for channel in ranked if channel in reachable]
    return order, [*silent, ranked[order[0]]]


def _quiet(
    customer: Customer, purpose: Purpose, severity: Severity, now: datetime, default_hours: str | None
) -> tuple[datetime | None, tuple[Reason, ...]]:
    hours = customer.quiet_hours or default_hours
    ends = held_until(hours, customer.zone, now)
    if ends is None:
        return None, ()
    urgent = purpose is Purpose.SAFETY or (severity is Severity.CRITICAL and not purpose.needs_opt_in)
    if urgent:
        urgency = "a safety notice" if purpose is Purpose.SAFETY else "critical"
        return None, (Reason("quiet_hours.broken", {"hours": hours, "urgency": urgency}),)
    own = customer.quiet_hours is not None
    facts = {
        "hours": hours,
        "local_time": f"{now.astimezone(customer.zone):%H:%M}",
        "ends_at": f"{ends.astimezone(customer.zone):%H:%M}",
        "until": rfc3339(ends),
    }
    return ends, (Reason("quiet_hours.hold" if own else "quiet_hours.default_hold", facts),)
