"""An e-bike: a battery that riding empties, and a charging socket whose contacts may corrode."""

from dataclasses import dataclass

RUN_DOWN_PCT = 0.5
"""The battery's own protection switches off here; the rider pedals 25 kg, or walks."""


@dataclass(slots=True)
class EBike:
    """One e-bike; ``step`` moves it on."""

    capacity_wh: float = 500.0
    charge_wh: float = 400.0
    odometer_km: float = 0.0
    use_wh_km: float = 8.0
    """Assistance at a medium level, flat city; makers' range calculators give 6 to 14."""
    charger_a: float = 3.0
    pack_v: float = 38.0
    tracker_w: float = 0.08

    contact_ohm: float = 0.02
    """Resistance of the charging contacts; clean ones have some 20 mΩ."""
    contact_ohm_h: float = 0.0
    """Growth in an hour: fretting corrosion feeds on the heat it makes."""
    contact_c: float = 20.0
    tripped: bool = False
    """The charger has cut out because its plug is hot."""
    charging: bool = False

    @property
    def battery_pct(self) -> float:
        """State of charge."""
        return 100 * self.charge_wh / self.capacity_wh

    @property
    def run_down(self) -> bool:
        """Whether the battery has switched off."""
        return self.battery_pct <= RUN_DOWN_PCT

    @property
    def charge_a(self) -> float:
        """Current into the pack; it tapers over the last tenth."""
        return self.charger_a * min(1.0, max(0.05, (100 - self.battery_pct) / 10)) if self.charging else 0.0

    def step(self, dt_s: float, metres: float, plugged_in: bool, ambient_c: float) -> None:
        """Move on by ``dt_s`` seconds in which ``metres`` were ridden, or the charger was plugged in."""
        hours = dt_s / 3600
        self.odometer_km += metres / 1000
        used_wh = self.tracker_w * hours + (0.0 if self.run_down else self.use_wh_km * metres / 1000)
        self.contact_ohm = min(2.0, self.contact_ohm + self.contact_ohm_h * hours)
        # Plugs carry a thermal fuse that opens at 80 °C and closes at 45 °C.
        self.tripped = plugged_in and (self.contact_c >= 80 or (self.tripped and self.contact_c > 45))
        self.charging = plugged_in and not self.tripped and self.battery_pct < 99.5
        heat_w = self.charge_a**2 * self.contact_ohm
        # 25 K/W to the air and 40 J/K of brass and plastic: the contact settles within a quarter of an hour.
        settled_c = ambient_c + heat_w * 25
        self.contact_c += (settled_c - self.contact_c) * min(1.0, dt_s / (25 * 40))
        gained_wh = (self.charge_a * self.pack_v - heat_w) * hours
        self.charge_wh = min(self.capacity_wh, max(0.0, self.charge_wh + max(0.0, gained_wh) - used_wh))
