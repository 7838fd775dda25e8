"""Service levels: which policy a case has, and its clocks for first response, next response and solution. Pure.

A clock is the list of stretches in which it ran. What of them counts, and so when it is due, follows from the policy in
force: a policy or its hours may be edited while cases are open.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.staff.working_hours import WorkingHours


class Target(StrEnum):
    """What a policy sets a time for."""

    FIRST_RESPONSE = "first_response"
    NEXT_RESPONSE = "next_response"
    """To each word of the customer's that waits for a person."""
    RESOLVE = "resolve"


class Pause(StrEnum):
    """Why clocks stand."""

    CUSTOMER = "customer"
    """It waits for the customer."""
    SNOOZED = "snoozed"


OF_TEAM = "@team"
"""``Policy.hours``: those of whichever team has the case."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Times for the cases it is about. Each condition that is given must hold; an empty one always does."""

    name: str
    within: Mapping[Target, timedelta]
    """In business time of ``hours``."""
    hours: str | None = None
    """Working hours by name, or ``OF_TEAM``; None: around the clock."""
    severities: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    """Kinds of rules; ``reported`` for cases opened by hand."""
    segments: frozenset[str] = frozenset()
    tiers: frozenset[str] = frozenset()
    pauses: frozenset[Pause] = frozenset(Pause)
    warn_before: timedelta = timedelta(minutes=15)
    """Business time before the breach at which staff are warned."""


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What of a case its clocks follow from."""

    open: bool
    round: int
    """How often its fault came back: each time the clocks begin anew."""
    severity: str
    kind: str
    segment: str | None = None
    tier: str | None = None
    answered: bool = False
    """Somebody, or a message of the gateway's, has answered in this round."""
    needs_reply: bool = False
    waiting: bool = False
    """For the customer."""
    snoozed: bool = False


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock of one case."""

    target: Target
    round: int
    runs: tuple[tuple[datetime, datetime | None], ...]
    """(from, until) of each stretch in which it ran; the last one's end is None while it runs."""
    stopped_at: datetime | None = None
    """When it was met, or the case ended."""

    @property
    def running(self) -> bool:
        """Whether time passes for it."""
        return bool(self.runs) and self.runs[-1][1] is None


def policy_of(policies: Iterable[Policy], facts: CaseFacts) -> Policy | None:
    """Return the first policy whose conditions hold."""
    for policy in policies:
        wanted = (
            (policy.severities, facts.severity),
            (policy.kinds, facts.kind),
            (policy.segments, facts.segment),
            (policy.tiers, facts.tier),
        )
        if all(not allowed or has in allowed for allowed, has in wanted):
            return policy
    return None


def pause_of(facts: CaseFacts, policy: Policy) -> Pause | None:
    """Tell why the clocks of a case stand; None while they run."""
    # A word of the customer's that waits for us is no waiting for them, whatever was ticked before.
    if facts.waiting and not facts.needs_reply and Pause.CUSTOMER in policy.pauses:
        return Pause.CUSTOMER
    return Pause.SNOOZED if facts.snoozed and Pause.SNOOZED in policy.pauses else None


def advance(clock: Clock | None, target: Target, facts: CaseFacts, paused: bool, now: datetime) -> Clock | None:
    """Return a clock as it is after ``facts`` came to hold at ``now``; None where there is none yet."""
    if not _wanted(target, facts):
        return _stop(clock, now) if clock is not None else None
    anew = clock is None or clock.round != facts.round or (target is Target.NEXT_RESPONSE and clock.stopped_at)
    if clock is None or anew:
        return Clock(target, facts.round, () if paused else ((now, None),))
    if paused:
        return replace(_halt(clock, now), stopped_at=None)
    return replace(clock, runs=clock.runs if clock.running else (*clock.runs, (now, None)), stopped_at=None)


def _wanted(target: Target, facts: CaseFacts) -> bool:
    if not facts.open:
        return False
    match target:
        case Target.FIRST_RESPONSE:
            return not facts.answered
        case Target.NEXT_RESPONSE:
            return facts.needs_reply
        case Target.RESOLVE:
            return True


def _stop(clock: Clock, now: datetime) -> Clock:
    return replace(_halt(clock, now), stopped_at=clock.stopped_at or now)


def _halt(clock: Clock, now: datetime) -> Clock:
    return replace(clock, runs=(*clock.runs[:-1], (clock.runs[-1][0], now))) if clock.running else clock


def used(clock: Clock, hours: WorkingHours, now: datetime) -> timedelta:
    """Return the business time that has passed for a clock."""
    return sum((hours.worked(since, until or now) for since, until in clock.runs), timedelta(0))


def due_at(clock: Clock, budget: timedelta, hours: WorkingHours) -> datetime | None:
    """Return when a running clock is due, a moment that has passed where it is overdue; None while it stands.

    Args:
        clock: The clock.
        budget: Business time it has in all.
        hours: When business time passes.
    """
    left = budget
    for since, until in clock.runs:
        if until is None:
            return hours.add(since, left)
        worked = hours.worked(since, until)
        if worked >= left:
            # It was overdue before it was halted, and that stands.
            return hours.add(since, left)
        left -= worked
    return None
