"""What detection is given beside events and ticks, and what it is told about the device."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from device_models.event import Event, Tick
from device_models.profile import DeviceProfile
from device_models.registry import Device


@dataclass(frozen=True, slots=True)
class DeviceContext:
    """Who the device is; looked up by the caller, never kept in the device's state."""

    device: Device
    profile: DeviceProfile
    location_consent: bool = False
    """Whether its owner agreed to be met near shops; without it no fix is kept or evaluated."""
    listening_since: datetime | None = None
    """Since when its broker can be heard without a break; silence before is no fault of the device. None: always."""
    zone: tzinfo = UTC
    """Where it stands: its owner's time zone, for ``hour_local()``."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """The periodic look at what no event announces: service plans. Acts at ``at``."""

    device_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Serviced:
    """Somebody said that the service ``plan`` was done at ``at``."""

    device_id: str
    plan: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Snoozed:
    """Somebody asked, at ``at``, not to hear of ``plan`` before ``until``."""

    device_id: str
    plan: str
    until: datetime
    at: datetime


Input = Event | Tick | Sweep | Serviced | Snoozed
"""All that moves a device's state."""


def acts_at(item: Input) -> datetime:
    """Return when an input reaches us, in our time."""
    if isinstance(item, Event):
        return item.received_at
    return item.due_at if isinstance(item, Tick) else item.at
