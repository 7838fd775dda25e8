"""Commands from a customer's page beside words: a call, a date, silence for a time, what they thought of the help."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class AskForCall:
    """A customer wants to be called; it is a task that is due at ``wanted_from``. Its result is the task's number."""

    customer_id: str
    case_id: int | None
    about: str = field(repr=False)
    wanted_from: datetime | None = None
    """None: as soon as possible."""
    wanted_until: datetime | None = None
    number: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class WishDate:
    """A customer names a day for a service, where no feed offers dates. Its result is the task's number."""

    customer_id: str
    case_id: int | None
    wanted_from: datetime
    wanted_until: datetime


@dataclass(frozen=True, slots=True)
class SettleTask:
    """What came of a task."""

    task_id: int
    state: Literal["done", "missed", "cancelled"]
    outcome: str
    by: str


@dataclass(frozen=True, slots=True)
class OfferSlots:
    """What one feed of a team offers now, in place of what it offered before: (id, starts, ends) each."""

    team: str
    slots: Sequence[tuple[str, datetime, datetime]]
    feed: str = ""
    """Which of the team's."""


@dataclass(frozen=True, slots=True)
class HoldSlot:
    """Keep a date for a customer for five minutes. Its result is the booking's number."""

    slot_id: str
    customer_id: str
    case_id: int | None


@dataclass(frozen=True, slots=True)
class ConfirmBooking:
    """The customer takes the date that is held for them."""

    booking_id: int
    customer_id: str


@dataclass(frozen=True, slots=True)
class CancelBooking:
    """A date is given back."""

    booking_id: int
    by: str
    customer_id: str | None = None
    """Set where the customer gives it back: only their own."""


@dataclass(frozen=True, slots=True)
class MuteByCustomer:
    """ "away or switched off until …" (their device, or all) or "I know" (this fault): a silence in their name."""

    customer_id: str
    case_id: int | None
    """None: all that they hear of."""
    until: datetime
    known: bool
    """ "I know": mutes this case's rule alone."""


@dataclass(frozen=True, slots=True)
class UnmuteByCustomer:
    """They want to hear of it again, and of all that they muted."""

    customer_id: str
    case_id: int | None


@dataclass(frozen=True, slots=True)
class AnswerSurvey:
    """What a customer thought of the help in a case; a later answer replaces an earlier one."""

    customer_id: str
    case_id: int
    satisfaction: int | None = None
    effort: int | None = None
    helped: str | None = None
    helped_other: str | None = field(default=None, repr=False)
    better: str | None = field(default=None, repr=False)


DeskCommand = (
    AskForCall
    | WishDate
    | SettleTask
    | OfferSlots
    | HoldSlot
    | ConfirmBooking
    | CancelBooking
    | MuteByCustomer
    | UnmuteByCustomer
    | AnswerSurvey
)
