"""Commands about who of the staff does what, by when; see ``gateway.commands``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gateway.staff.sla import Policy


@dataclass(frozen=True, slots=True)
class SaveHours:
    """Keep working hours under a name, in place of what stood there."""

    name: str
    hours: str
    """Such as ``Mo-Fr 09:00-17:00``."""
    zone: str
    """IANA name."""
    by: str
    place: str | None = None
    """Whose public holidays are off: ``DE``, ``DE-BE``; None: none are."""
    closed_on: tuple[str, ...] = ()
    """Further days off, as ISO 8601 dates."""


@dataclass(frozen=True, slots=True)
class DropHours:
    """Forget working hours that nothing uses."""

    name: str
    by: str


@dataclass(frozen=True, slots=True)
class SavePolicy:
    """Keep a service level, in place of the one of its name; open cases follow it at once."""

    policy: Policy
    position: int
    """Of several that a case fits, the lowest counts."""
    by: str
    was: str | None = None
    """Its name until now, where that changes."""


@dataclass(frozen=True, slots=True)
class DropPolicy:
    """Forget a service level."""

    name: str
    by: str


@dataclass(frozen=True, slots=True)
class WatchSla:
    """Say of cases that they are about to breach, or did. Its result counts them: ``{"warned": 1, "breached": 0}``."""


@dataclass(frozen=True, slots=True)
class TeamMember:
    """Somebody of a team."""

    name: str
    languages: tuple[str, ...] = ()
    """Those they answer in; none: whichever."""
    at_most: int | None = None
    """Open cases that they are given; None: no bound."""


@dataclass(frozen=True, slots=True)
class SaveTeam:
    """Keep a team, in place of the one of its name. Cases that have none are looked at again."""

    name: str
    position: int
    """Of several that a case fits, the lowest takes it."""
    by: str
    members: tuple[TeamMember, ...] = ()
    hours: str | None = None
    """Working hours by name; None: around the clock."""
    rules: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    """Countries of the customers."""
    assigns: bool = False
    fallback: str | None = None
    was: str | None = None
    """Its name until now, where that changes."""


@dataclass(frozen=True, slots=True)
class DropTeam:
    """Dissolve a team; its open cases go to the next that is for them."""

    name: str
    by: str


@dataclass(frozen=True, slots=True)
class SetAway:
    """Be away until a time, or (None) back on duty."""

    user_name: str
    until: datetime | None
    by: str


@dataclass(frozen=True, slots=True)
class SetScope:
    """Bound what somebody sees and acts on to teams and regions; without either they see all."""

    who: str
    """A user's name, or ``token:`` and a token's."""
    teams: tuple[str, ...]
    regions: tuple[str, ...]
    by: str


@dataclass(frozen=True, slots=True)
class SaveRota:
    """Keep a rota, in place of the one of its name."""

    name: str
    zone: str
    """Of its shifts: IANA name."""
    lines: tuple[Mapping[str, Any], ...]
    """``level``, ``hours``, ``people``, ``since``, ``place``, ``holidays`` each, see ``staff.rota_records``."""
    by: str
    team: str | None = None
    """Whose cases it is about; None: everybody's."""
    severities: tuple[str, ...] = ("critical",)
    breaches: bool = True
    alarms: bool = False
    ack_within: timedelta = timedelta(minutes=10)
    """After this time without an answer the next is told."""


@dataclass(frozen=True, slots=True)
class DropRota:
    """Forget a rota."""

    name: str
    by: str


@dataclass(frozen=True, slots=True)
class SaveOverride:
    """For a time somebody stands in; ``instead_of`` None: whoever is on call. Its result is the swap's number."""

    rota: str
    begins: datetime
    ends: datetime
    person: str
    by: str
    instead_of: str | None = None


@dataclass(frozen=True, slots=True)
class DropOverride:
    """Take a swap back."""

    override_id: int
    by: str


@dataclass(frozen=True, slots=True)
class SaveContacts:
    """Say where somebody of the staff is told, the first first: (channel, address) each."""

    user_name: str
    contacts: tuple[tuple[str, str], ...] = field(repr=False)
    by: str


@dataclass(frozen=True, slots=True)
class SendTestAlert:
    """Tell whoever is on call that this is a test."""

    rota: str
    by: str


@dataclass(frozen=True, slots=True)
class AnswerAlert:
    """Take an alert, or (``takes`` false) pass it on to the next."""

    alert_id: int
    by: str
    takes: bool = True
    via: str = "console"


@dataclass(frozen=True, slots=True)
class GatewayAlarm:
    """A part of the gateway is not well, and ``detail`` says how; None: it is again."""

    part: str
    detail: str | None


@dataclass(frozen=True, slots=True)
class TellStaff:
    """Send what is due of the open alerts. Its result is how many messages."""


@dataclass(frozen=True, slots=True)
class Reroute:
    """Find somebody for cases that wait where nobody is on duty. Its result is how many went on."""


StaffCommand = (
    SaveHours
    | DropHours
    | SavePolicy
    | DropPolicy
    | WatchSla
    | SaveTeam
    | DropTeam
    | SetAway
    | SetScope
    | Reroute
    | SaveRota
    | DropRota
    | SaveOverride
    | DropOverride
    | SaveContacts
    | SendTestAlert
    | AnswerAlert
    | GatewayAlarm
    | TellStaff
)
