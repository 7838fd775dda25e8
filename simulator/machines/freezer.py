"""A freezer in somebody's kitchen, café or shop, and the module that reports for it."""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from simulator import dialects
from simulator.machines.base import Link, Machine, Publish
from simulator.machines.cause import Cause
from simulator.physics.freezer import Freezer

_BACKUP_H = 8.0
"""A module's buffer battery: long enough to tell of a power cut, not to sit out a blackout."""
_RATES = {Cause.SEAL_LEAK: 3.0, Cause.REFRIGERANT_LOSS: 0.15}
"""W/K gained and share of the charge lost in an hour: a torn seal, a cracked joint."""


class Says(StrEnum):
    """Which electronics report for a freezer."""

    NATIVE = "native"
    TASMOTA = "tasmota"
    ZIGBEE2MQTT = "zigbee2mqtt"


@dataclass
class FreezerMachine(Machine):
    """One freezer with its people."""

    physics: Freezer = field(default_factory=Freezer)
    rng: random.Random = field(default_factory=random.Random)
    says: Says = Says.NATIVE
    openings_per_day: float = 15.0
    """Times somebody takes something out."""
    every: timedelta = timedelta(seconds=60)
    bridge: str = "bridge"
    """Zigbee2MQTT instance that speaks for the sensor."""

    plugged: bool = field(default=True, init=False)
    taking_out_s: float = field(default=0.0, init=False)
    loading_s: float = field(default=0.0, init=False)
    loaded_kg: float = field(default=0.0, init=False)
    backup_h: float = field(default=_BACKUP_H, init=False)
    energy_kwh: float = field(default=0.0, init=False)
    reported: tuple[bool, ...] = field(default=(), init=False)
    next_report: datetime | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.harm = "food spoiled"
        causes = set(_RATES) | {
            Cause.DOOR_LEFT_OPEN,
            Cause.START_CAPACITOR,
            Cause.FAN_BEARING,
            Cause.DISPLAY_DEAD,
            Cause.UNPLUGGED,
        }
        self.causes = frozenset(causes)

    @property
    def link(self) -> Link:
        if self.says is Says.TASMOTA:
            return dialects.tasmota_link(self.id)
        if self.says is Says.ZIGBEE2MQTT:
            return dialects.zigbee_sensor_link(self.bridge, self.id)
        return dialects.native_link(self.id)

    @property
    def mains_ok(self) -> bool:
        """Whether there is voltage at its plug."""
        return self.plugged and self.site.mains_ok

    @property
    def powered(self) -> bool:
        if self.says is Says.NATIVE:
            return self.backup_h > 0
        # The bridge hangs on the site's mains and outlives a freezer that somebody unplugs; a plug does not.
        return self.site.mains_ok if self.says is Says.ZIGBEE2MQTT else self.mains_ok

    @property
    def harmed(self) -> bool:
        return self.physics.spoiled

    def load(self, kg: float, minutes: float) -> None:
        """Let somebody put ``kg`` of frozen goods in, with the door open for ``minutes``."""
        self.loading_s, self.loaded_kg = minutes * 60, kg

    def advance(self, at: datetime, dt_s: float) -> None:
        hour = self.site.local_hour(at)
        if self.taking_out_s > 0:
            self.taking_out_s -= dt_s
        elif 6 <= hour < 23 and self.rng.random() < self.openings_per_day / (17 * 3600) * dt_s:
            self.taking_out_s = self.rng.uniform(8, 40)
        if self.loading_s > 0:
            self.loading_s -= dt_s
            if self.loading_s <= 0:
                # Goods come home in an insulated bag and have warmed a little.
                self.physics.load(self.loaded_kg, -15.0)
        left_open = Cause.DOOR_LEFT_OPEN in self.active
        self.physics.door_open = left_open or self.loading_s > 0 or self.taking_out_s > 0
        mains_ok = self.mains_ok
        self.physics.step(dt_s, self.site.room_c, mains_ok)
        self.energy_kwh += self.physics.power_w(mains_ok) * dt_s / 3.6e6
        hours = dt_s / 3600
        self.backup_h = min(_BACKUP_H, self.backup_h + hours) if mains_ok else max(0.0, self.backup_h - hours)

    def report(self, at: datetime) -> list[Publish]:
        switches = (self.physics.door_open, self.mains_ok, self.physics.defrosting)
        # A module tells at once what switches, the rest on its interval; a sensor or a plug only has the interval.
        changed = self.says is Says.NATIVE and switches != self.reported
        if not self.powered or not (changed or self.next_report is None or at >= self.next_report):
            return []
        if self.next_report is None:
            # Modules were not all switched on in the same second.
            self.next_report = at - self.every * self.rng.random()
        while self.next_report <= at:
            self.next_report += self.every
        self.reported = switches
        return self._written(at)

    def _written(self, at: datetime) -> list[Publish]:
        temperature_c = self.physics.air_c + self.rng.gauss(0, 0.05)
        if self.says is Says.TASMOTA:
            return dialects.tasmota_telemetry(
                self.id, at, self.physics.power_w(self.mains_ok), self.energy_kwh, temperature_c
            )
        if self.says is Says.ZIGBEE2MQTT:
            state = {"battery": 97, "linkquality": self.rng.randint(70, 130), "temperature": round(temperature_c, 1)}
            return [dialects.zigbee_state(self.bridge, self.id, at, {**state, "voltage": 3000})]
        return [
            dialects.native_status(
                self.id,
                at,
                {
                    "temperature": round(temperature_c, 1),
                    "door_open": self.physics.door_open,
                    "compressor_current": round(self.physics.compressor_a, 2),
                    "power": round(self.physics.power_w(self.mains_ok), 1),
                    "mains_ok": self.mains_ok,
                    "defrost": self.physics.defrosting,
                    "running_hours": round(self.physics.running_hours, 2),
                },
            )
        ]

    def values(self) -> dict[str, Any]:
        return {
            "air_c": round(self.physics.air_c, 2),
            "food_c": round(self.physics.food_c, 2),
            "door_open": self.physics.door_open,
            "compressor_a": round(self.physics.compressor_a, 2),
            "mains_ok": self.mains_ok,
            "seal_leak_w_k": round(self.physics.seal_leak_w_k, 2),
            "refrigerant": round(self.physics.refrigerant, 3),
        }

    def _begin(self, cause: Cause, rate: float | None) -> None:
        if cause is Cause.SEAL_LEAK:
            self.physics.seal_wear_w_k_h = rate or _RATES[cause]
        elif cause is Cause.REFRIGERANT_LOSS:
            self.physics.refrigerant_loss_h = rate or _RATES[cause]
        elif cause is Cause.START_CAPACITOR:
            self.physics.start_capacitor_ok = False
        elif cause is Cause.UNPLUGGED:
            self.plugged = False

    def _end(self, cause: Cause) -> None:
        if cause is Cause.SEAL_LEAK:
            self.physics.seal_wear_w_k_h = self.physics.seal_leak_w_k = 0.0
        elif cause is Cause.REFRIGERANT_LOSS:
            self.physics.refrigerant_loss_h, self.physics.refrigerant = 0.0, 1.0
        elif cause is Cause.START_CAPACITOR:
            self.physics.start_capacitor_ok = True
        elif cause is Cause.UNPLUGGED:
            self.plugged = True
