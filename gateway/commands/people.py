"""Commands about who owns what and who hears of it: part of ``gateway.commands``, in a module of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from device_models.contact import Role
from device_models.purpose import Purpose


@dataclass(frozen=True, slots=True)
class TransferDevice:
    """A device changes hands: all that was the old owner's ends, and enrolment begins for the new one.

    Its result is ``{"device_id", "customer_id", "ended_messages", "ended_cases"}``.
    """

    device_id: str
    customer_id: str | None
    """The new owner; None: nobody, so that its cases are for staff only."""
    by: str
    at: datetime | None = None
    """When it changed hands, not after now; None: now."""


@dataclass(frozen=True, slots=True)
class ReplaceDevice:
    """A swapped unit takes the place of another: owner, contacts, place, service plans and history go on."""

    old_id: str
    new_id: str
    by: str


@dataclass(frozen=True, slots=True)
class SaveContact:
    """Let one more person hear of a device, or change what they hear of."""

    device_id: str
    customer_id: str
    role: Role
    by: str
    purposes: tuple[Purpose, ...] | None = None
    """None: what is usual for the role."""


@dataclass(frozen=True, slots=True)
class EndContact:
    """Somebody hears of a device no longer."""

    device_id: str
    customer_id: str
    by: str


@dataclass(frozen=True, slots=True)
class LearnDevices:
    """Register devices that speak and are in quarantine, all with one profile. Its result is how many."""

    device_ids: Sequence[str]
    profile: str
    by: str
    customer_id: str | None = None
    site: str | None = None


@dataclass(frozen=True, slots=True)
class EraseCustomer:
    """Forget a person; their devices belong to nobody then. Its result is ``{"pseudonym", "devices", "rows"}``."""

    customer_id: str
    by: str


@dataclass(frozen=True, slots=True)
class HistoryForgot:
    """The history has forgotten these devices, as an erasure asked."""

    device_ids: Sequence[str]


PeopleCommand = TransferDevice | ReplaceDevice | SaveContact | EndContact | LearnDevices | EraseCustomer | HistoryForgot
