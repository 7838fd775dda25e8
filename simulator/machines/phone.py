"""A customer's phone with the OwnTracks app: it is where its owner is."""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from simulator import dialects
from simulator.machines.base import Link, Machine, Publish
from simulator.machines.cause import Cause
from simulator.physics.gps import Receiver
from simulator.routes import City, Metres, Mode, Route

_SHADE = {Mode.WALK: 1.2, Mode.RIDE: 1.0, Mode.DRIVE: 0.8}
_INDOORS = 2.0


@dataclass
class PhoneMachine(Machine):
    """One phone and the person who carries it."""

    city: City = field(kw_only=True)
    home: Metres = field(kw_only=True)
    user: str = field(kw_only=True)
    since: datetime = field(kw_only=True)
    """When the app connected."""
    phone: str = "phone"
    rng: random.Random = field(default_factory=random.Random)
    moving_every: timedelta = timedelta(seconds=20)
    resting_every: timedelta = timedelta(minutes=15)

    place: Metres = field(init=False)
    route: Route | None = field(default=None, init=False)
    route_s: float = field(default=0.0, init=False)
    metres: float = field(default=0.0, init=False)
    speed_m_s: float = field(default=0.0, init=False)
    battery_pct: float = field(default=0.0, init=False)
    next_report: datetime | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.place = self.home
        self.receiver = Receiver(self.rng)
        self.battery_pct = self.rng.uniform(55, 100)

    @property
    def link(self) -> Link:
        return dialects.owntracks_link(self.user, self.phone, self.since)

    @property
    def powered(self) -> bool:
        return self.battery_pct > 1

    @property
    def in_tunnel(self) -> bool:
        """Whether there is neither sky nor network."""
        return self.route is not None and self.route.in_tunnel(self.metres)

    def go(self, route: Route, at: datetime) -> None:
        """Set out now; the route leads back to where the person lives."""
        self.route, self.route_s, self.metres = route, 0.0, 0.0
        self.next_report = at

    def advance(self, at: datetime, dt_s: float) -> None:
        self.speed_m_s = 0.0
        if self.route is not None:
            self.route_s += dt_s
            metres = self.route.metres_at(self.route_s)
            self.speed_m_s, self.metres = (metres - self.metres) / dt_s, metres
            self.place = self.route.place_at(metres)
            if self.route_s >= self.route.duration_s:
                self.place, self.route = self.route.points[-1], None
        self.receiver.step(dt_s, _SHADE[self.route.mode] if self.route else _INDOORS)
        # Empty after 14 h of screen and GPS; charged in an hour and a half whenever it is low and its owner at home.
        at_home = self.route is None and self.battery_pct < 98
        charging = at_home and (self.battery_pct < 30 or not 7 <= self.site.local_hour(at) < 22)
        change = dt_s / 3600 * (60 if charging else -7 if self.route else -2)
        self.battery_pct = min(100.0, max(0.0, self.battery_pct + change))

    def report(self, at: datetime) -> list[Publish]:
        if self.next_report is not None and at < self.next_report:
            return []
        if self.next_report is None:
            self.next_report = at + self.resting_every * self.rng.random()
        else:
            self.next_report = at + (self.moving_every if self.route else self.resting_every)
        if self.in_tunnel or not self.powered:
            return []
        latitude, longitude = self.city.offset(self.city.point(self.place), self.receiver.east_m, self.receiver.north_m)
        fix: dict[str, Any] = {
            "lat": round(latitude, 6),
            "lon": round(longitude, 6),
            "acc": round(self.receiver.accuracy_m),
            "alt": 38,
            "vel": round(self.speed_m_s * 3.6),
            "batt": round(self.battery_pct),
            "conn": "m" if self.route else "w",
            "m": 2 if self.route else 1,
        }
        if self.route is not None and self.speed_m_s > 0:
            fix["cog"] = round(self.route.course_deg(self.metres, self.city.bearing_deg)) % 360
        return [dialects.owntracks_location(self.user, self.phone, at, fix)]

    def values(self) -> dict[str, Any]:
        return {"moving": self.route is not None, "battery_pct": round(self.battery_pct)}

    def _begin(self, cause: Cause, rate: float | None) -> None:
        """Phones do not fail here; ``causes`` is empty."""

    def _end(self, cause: Cause) -> None:
        """See ``_begin``."""
