"""Commands about the systems that are told what happens; see ``gateway.commands``."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class OpenSubscription:
    """A configured system is met: it begins with what happens from now on. Its result is where it stands."""

    name: str


@dataclass(frozen=True, slots=True)
class AdvanceSubscription:
    """Entries up to ``position`` were taken, or were not meant for it."""

    name: str
    position: int


@dataclass(frozen=True, slots=True)
class SubscriptionFailed:
    """It could not be told; the entry waits until ``next_try_at``, or, None, until a person lets it go on."""

    name: str
    reason: str
    next_try_at: datetime | None


@dataclass(frozen=True, slots=True)
class PutEventAside:
    """One entry was refused too often: it is kept with the reason, and the rest goes on."""

    name: str
    entry_id: int
    case_id: int
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class ResumeSubscription:
    """Try again now; with ``after``, send everything after that timeline entry once more."""

    name: str
    by: str
    after: int | None = None


SubscriptionCommand = OpenSubscription | AdvanceSubscription | SubscriptionFailed | PutEventAside | ResumeSubscription
