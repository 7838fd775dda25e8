"""At most so many messages to one customer within a time that slides: of one purpose, and of all together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from device_models.duration import format_duration
from device_models.event import rfc3339
from device_models.purpose import Purpose, Severity
from device_models.registry import Customer
from notifiers.reasons import Reason


@dataclass(frozen=True, slots=True)
class Bound:
    """One cap."""

    at_most: int
    within: timedelta
    purpose: Purpose | None = None
    """None: messages of all purposes together."""


@dataclass(frozen=True, slots=True)
class Room:
    """Whether one more message may go now."""

    not_before: datetime | None
    """Aware UTC, when there is room again; None: now."""
    reasons: tuple[Reason, ...] = ()


def room(
    bounds: Iterable[Bound],
    sent: Sequence[tuple[datetime, Purpose]],
    customer: Customer,
    purpose: Purpose,
    severity: Severity,
    now: datetime,
) -> Room:
    """Ask each cap whether one more message of ``purpose`` fits under it.

    Safety notices are never capped and what is critical breaks a cap, which is said; offers and news never do.

    Args:
        bounds: the caps in force.
        sent: what this customer was sent, at least as far back as the longest cap reaches, with its purpose.
        customer: whose zone times are told in.
        purpose: the message's.
        severity: likewise.
        now: aware.
    """
    if purpose is Purpose.SAFETY:
        return Room(None)
    until, reasons = now, []
    for bound in bounds:
        if bound.purpose not in (None, purpose):
            continue
        counted = (at for at, of in sent if bound.purpose in (None, of) and of is not Purpose.SAFETY)
        recent = sorted(at for at in counted if now - bound.within < at <= now)
        if len(recent) < bound.at_most:
            continue
        # With room for n, the n-th last must have gone out of sight; a cap of none never has room.
        ends = recent[-bound.at_most] + bound.within if bound.at_most else now + bound.within
        facts = {
            "sent": len(recent),
            "at_most": bound.at_most,
            "within": format_duration(bound.within),
            "about": bound.purpose.value if bound.purpose else None,
            "ends_at": f"{ends.astimezone(customer.zone):%Y-%m-%d %H:%M}",
            "until": rfc3339(ends),
        }
        if severity is Severity.CRITICAL and not purpose.needs_opt_in:
            reasons.append(Reason("cap.broken", facts))
            continue
        until = max(until, ends)
        reasons.append(Reason("cap.hold", facts))
    return Room(until if until > now else None, tuple(reasons))
