"""How fast a device moves, from what it reports or from its fixes, jitter apart."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from device_models.event import rfc3339
from rules.places.distance import Point, haversine_m

SPEED_BASELINE = timedelta(seconds=20)
"""Speed is taken between fixes at least this far apart: over 1 s, 10 m of jitter would look like 36 km/h."""
_MOVING_M_S = 1.0
_MOVED_M = 30.0


@dataclass(frozen=True, slots=True)
class Fix:
    """Where a device was, kept as long as the next fix needs it."""

    latitude: float
    longitude: float
    at: datetime
    accuracy_m: float = 0.0
    """0 where the device does not say."""

    @property
    def point(self) -> Point:
        """(latitude, longitude) in degrees."""
        return (self.latitude, self.longitude)

    def as_list(self) -> list[Any]:
        """Return the JSON-ready form."""
        return [self.latitude, self.longitude, rfc3339(self.at), self.accuracy_m]

    @classmethod
    def from_list(cls, data: list[Any]) -> Self:
        """Read what ``as_list`` wrote."""
        return cls(data[0], data[1], datetime.fromisoformat(data[2]), data[3])


@dataclass(frozen=True, slots=True)
class Motion:
    """How a device moves at one fix."""

    speed_m_s: float | None
    """None: neither reported nor to be told from its fixes yet."""
    reported: bool
    """The device's own speed, at the fix; otherwise the least average speed since the anchor."""
    between_m_s: float | None
    """The least average speed since the anchor, whatever the device reports."""
    moving: bool
    """It surely went somewhere, as opposed to jitter at rest."""


def motion_at(fix: Fix, reported_m_s: float | None, anchor: Fix | None, speed_m_s: float | None) -> Motion:
    """Tell how a device moves at ``fix``.

    Args:
        reported_m_s: what the device itself says; it wins, since it is of this very moment.
        anchor: an earlier fix.
        speed_m_s: what was known before, for fixes that follow the anchor too closely.
    """
    moving = reported_m_s is not None and reported_m_s >= _MOVING_M_S
    if anchor is not None and fix.at - anchor.at >= SPEED_BASELINE:
        # What both accuracies could explain is no movement.
        gone_m = max(0.0, haversine_m(anchor.point, fix.point) - math.hypot(anchor.accuracy_m, fix.accuracy_m))
        speed_m_s = gone_m / (fix.at - anchor.at).total_seconds()
        moving = moving or (gone_m >= _MOVED_M and speed_m_s >= _MOVING_M_S)
    reported = reported_m_s is not None
    return Motion(reported_m_s if reported else speed_m_s, reported, speed_m_s, moving)


def next_anchor(fix: Fix, anchor: Fix | None) -> Fix:
    """Return the fix that the next speed is taken from."""
    return fix if anchor is None or fix.at - anchor.at >= SPEED_BASELINE else anchor
