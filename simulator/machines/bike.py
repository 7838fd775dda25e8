"""A courier's e-bike: rides by day, charges at its base in between, and a tracker that reports for it."""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from simulator import dialects
from simulator.machines.base import Link, Machine, Publish
from simulator.machines.cause import Cause
from simulator.physics.ebike import EBike
from simulator.physics.gps import Receiver
from simulator.routes import City, Metres, Mode, Route, Stop

_OHM_H = 1.5
"""Resistance that corroding contacts gain in an hour."""


@dataclass
class BikeMachine(Machine):
    """One e-bike with its rider."""

    city: City = field(kw_only=True)
    base: Metres = field(kw_only=True)
    physics: EBike = field(default_factory=EBike)
    rng: random.Random = field(default_factory=random.Random)
    shifts: tuple[tuple[float, float], ...] = ((10.0, 14.0), (16.0, 20.0))
    """Local hours between which the rider delivers."""

    place: Metres = field(init=False)
    route: Route | None = field(default=None, init=False)
    route_m: float = field(default=0.0, init=False)
    route_s: float = field(default=0.0, init=False)
    speed_m_s: float = field(default=0.0, init=False)
    next_status: datetime | None = field(default=None, init=False)
    next_location: datetime | None = field(default=None, init=False)
    signal: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        self.harm = "battery empty on the road"
        self.causes = frozenset({Cause.CONTACT_RESISTANCE})
        self.place = self.base
        self.receiver = Receiver(self.rng, usual_accuracy_m=6.0)

    @property
    def link(self) -> Link:
        return dialects.native_link(self.id)

    @property
    def powered(self) -> bool:
        # The tracker has a cell of its own.
        return True

    @property
    def away(self) -> bool:
        """Whether the bike is not at its base."""
        return self.route is not None or self.place != self.base

    @property
    def harmed(self) -> bool:
        return self.physics.run_down and self.away

    def advance(self, at: datetime, dt_s: float) -> None:
        hour = self.site.local_hour(at)
        on_shift = any(begins <= hour < ends for begins, ends in self.shifts)
        if self.route is None:
            self._choose_leg(on_shift)
        metres = self._ride(dt_s) if self.route else 0.0
        self.speed_m_s = metres / dt_s
        plugged_in = not self.away and self.site.mains_ok
        self.physics.step(dt_s, metres, plugged_in, self.site.room_c - 4)
        self.receiver.step(dt_s)

    def _choose_leg(self, on_shift: bool) -> None:
        # A rider sets out with what the battery has and does not wait for a full one: that is how one gets stranded.
        if on_shift and not (self.physics.run_down and not self.away):
            goal = self.city.at_corner(self.rng.uniform(0, self.city.columns), self.rng.uniform(0, self.city.rows))
        elif self.away:
            goal = self.base
        else:
            return
        points = tuple(self.city.way(self.place, goal, self.rng.random() < 0.5))
        length_m = Route(points, Mode.RIDE).length_m
        handing_over = Stop(length_m, self.rng.uniform(40, 150))
        self.route = Route(points, Mode.RIDE, (handing_over,))
        self.route_m = self.route_s = 0.0

    def _ride(self, dt_s: float) -> float:
        if self.route is None:
            return 0.0
        # Without assistance the same rider is about half as fast.
        self.route_s += dt_s * (0.5 if self.physics.run_down else 1.0)
        metres = self.route.metres_at(self.route_s)
        ridden_m, self.route_m = metres - self.route_m, metres
        self.place = self.route.place_at(metres)
        if self.route_s >= self.route.duration_s:
            self.place, self.route = self.route.points[-1], None
        return ridden_m

    def report(self, at: datetime) -> list[Publish]:
        messages = []
        if self.next_status is None or at >= self.next_status:
            self.next_status = at + timedelta(seconds=60 if self.away or self.physics.charging else 300)
            messages.append(dialects.native_status(self.id, at, self._status()))
        if self.next_location is None or at >= self.next_location:
            self.next_location = at + timedelta(seconds=60 if self.away else 900)
            here = self.city.offset(self.city.point(self.place), self.receiver.east_m, self.receiver.north_m)
            messages.append(dialects.native_location(self.id, at, *here, self.receiver.accuracy_m))
        return messages if self.signal else []

    def _status(self) -> dict[str, Any]:
        return {
            "battery": round(self.physics.battery_pct),
            "odometer_km": round(self.physics.odometer_km, 2),
            "locked": not self.away,
            "speed": round(self.speed_m_s * 3.6, 1),
            "charging": self.physics.charging,
        }

    def values(self) -> dict[str, Any]:
        return {
            "battery_pct": round(self.physics.battery_pct, 1),
            "contact_ohm": round(self.physics.contact_ohm, 2),
            "contact_c": round(self.physics.contact_c, 1),
            "away": self.away,
        }

    def _begin(self, cause: Cause, rate: float | None) -> None:
        if cause is Cause.CONTACT_RESISTANCE:
            self.physics.contact_ohm_h = rate or _OHM_H

    def _end(self, cause: Cause) -> None:
        if cause is Cause.CONTACT_RESISTANCE:
            self.physics.contact_ohm_h, self.physics.contact_ohm = 0.0, 0.02
