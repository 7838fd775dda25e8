"""Commands about who of the staff does what, by when; see ``gateway.commands``."""

from dataclasses import dataclass

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


StaffCommand = SaveHours | DropHours | SavePolicy | DropPolicy | WatchSla
