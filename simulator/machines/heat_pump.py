"""A heat pump in somebody's house and the controller that reports for it."""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from simulator import dialects
from simulator.machines.base import Link, Machine, Publish
from simulator.machines.cause import Cause
from simulator.physics.heat_pump import LOW_PRESSURE_BAR, STOPPED_FLOW, STOPPED_PRESSURE, HeatPump
from simulator.physics.weather import outdoor_c

CODE_OK = ""
CODE_OF_STOP = {STOPPED_PRESSURE: "E11", STOPPED_FLOW: "E20"}
CODE_FLOW_SENSOR = "E30"

_RATES = {Cause.WATER_LEAK: 2.5, Cause.FILTER_CLOGGING: 18.0}
"""Litres lost in an hour at a weeping joint; per cent of the filter that sludge fills in an hour."""


@dataclass
class HeatPumpMachine(Machine):
    """One heat pump; its people only live in the warmth."""

    physics: HeatPump = field(default_factory=HeatPump)
    rng: random.Random = field(default_factory=random.Random)
    every: timedelta = timedelta(seconds=60)

    plugged: bool = field(default=True, init=False)
    next_report: datetime | None = field(default=None, init=False)
    reported: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self.harm = "heating stopped"
        self.causes = frozenset({*_RATES, Cause.FLOW_SENSOR_BROKEN, Cause.UNPLUGGED})
        self.usual_filter_pct_h = self.physics.filter_pct_h

    @property
    def link(self) -> Link:
        return dialects.native_link(self.id)

    @property
    def powered(self) -> bool:
        # No buffer battery: the controller dies with the mains and only the broker notices, by the will.
        return self.plugged and self.site.mains_ok

    @property
    def harmed(self) -> bool:
        return self.physics.stopped is not None

    @property
    def code(self) -> str:
        """What the controller's display shows."""
        if self.physics.stopped is not None:
            return CODE_OF_STOP[self.physics.stopped]
        return CODE_OK if self.physics.flow_sensor_ok else CODE_FLOW_SENSOR

    def advance(self, at: datetime, dt_s: float) -> None:
        self.physics.step(dt_s, self._outdoor_c(at), self.powered)

    def report(self, at: datetime) -> list[Publish]:
        due = self.next_report is None or at >= self.next_report
        if not self.powered or not (due or self.code != self.reported):
            return []
        if self.next_report is None:
            self.next_report = at - self.every * self.rng.random()
        while self.next_report <= at:
            self.next_report += self.every
        self.reported = self.code
        status: dict[str, Any] = {
            "flow_temperature": round(self.physics.flow_c + self.rng.gauss(0, 0.05), 1),
            "return_temperature": round(self.physics.return_c + self.rng.gauss(0, 0.05), 1),
            "pressure": round(self.physics.pressure_bar + self.rng.gauss(0, 0.004), 2),
            "outdoor_temperature": round(self._outdoor_c(at), 1),
            "flow_rate": round(self.physics.flow_l_min, 1),
            "power": round(self.physics.power_kw(self._outdoor_c(at)), 3),
            "running_hours": round(self.physics.running_hours, 2),
            "filter_fill": round(self.physics.filter_fill_pct, 1),
            "code": self.code,
        }
        if not self.physics.flow_sensor_ok:
            # A broken thermistor reads as an open circuit: the controller has no value to send and says so by a code.
            del status["flow_temperature"]
        return [dialects.native_status(self.id, at, status)]

    def values(self) -> dict[str, Any]:
        return {
            "pressure_bar": round(self.physics.pressure_bar, 2),
            "flow_c": round(self.physics.flow_c, 1),
            "room_c": round(self.physics.room_c, 1),
            "filter_fill_pct": round(self.physics.filter_fill_pct, 1),
            "stops_below_bar": LOW_PRESSURE_BAR,
            "stopped": self.physics.stopped,
        }

    def _outdoor_c(self, at: datetime) -> float:
        return outdoor_c(self.site.outdoor_mean_c, 4.0, self.site.local_hour(at))

    def _begin(self, cause: Cause, rate: float | None) -> None:
        if cause is Cause.WATER_LEAK:
            self.physics.leak_l_h = rate or _RATES[cause]
        elif cause is Cause.FILTER_CLOGGING:
            self.physics.filter_pct_h = rate or _RATES[cause]
        elif cause is Cause.FLOW_SENSOR_BROKEN:
            self.physics.flow_sensor_ok = False
        elif cause is Cause.UNPLUGGED:
            self.plugged = False

    def _end(self, cause: Cause) -> None:
        if cause is Cause.WATER_LEAK:
            self.physics.leak_l_h = 0.0
            self.physics.refill()
        elif cause is Cause.FILTER_CLOGGING:
            self.physics.filter_pct_h, self.physics.filter_fill_pct = self.usual_filter_pct_h, 2.0
        elif cause is Cause.FLOW_SENSOR_BROKEN:
            self.physics.flow_sensor_ok = True
        elif cause is Cause.UNPLUGGED:
            self.plugged = True
