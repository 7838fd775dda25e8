"""Commands about who of the staff does what, by when; see ``gateway.commands``."""

from dataclasses import dataclass
from datetime import datetime

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
class Reroute:
    """Find somebody for cases that wait where nobody is on duty. Its result is how many went on."""


StaffCommand = (
    SaveHours | DropHours | SavePolicy | DropPolicy | WatchSla | SaveTeam | DropTeam | SetAway | SetScope | Reroute
)
