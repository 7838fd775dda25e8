"""A heat pump and the heating circuit behind it: water, expansion vessel, filter, house."""

from dataclasses import dataclass, field

WATER_J_KG_K = 4186.0
LOW_PRESSURE_BAR = 0.5
"""The controller stops here: a pump that runs dry is destroyed. Makers stop between 0.3 and 0.6 bar."""
LOW_FLOW = 0.35
"""Share of the nominal flow below which the condenser would overheat, so the controller stops."""
STOPPED_PRESSURE = "low-pressure"
STOPPED_FLOW = "low-flow"

_LONGEST_STEP_S = 20.0
_ATMOSPHERE_BAR = 1.013


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """The building and what was installed in it: a house of some 150 m² with floor heating."""

    house_w_k: float = 190.0
    house_j_k: float = 30e6
    internal_gain_w: float = 500.0
    emitter_w_k: float = 450.0
    water_l: float = 120.0
    flow_kg_s: float = 0.35
    rated_w: float = 8_000.0
    lowest_w: float = 2_000.0
    """An inverter compressor cannot go lower than about a quarter; below that it cycles."""
    vessel_l: float = 18.0
    precharge_bar: float = 0.75
    room_c: float = 21.0


@dataclass(slots=True)
class HeatPump:
    """One heat pump; ``step`` moves it on."""

    circuit: Circuit = field(default_factory=Circuit)
    room_c: float = 20.8
    water_c: float = 30.0
    water_lost_l: float = 0.0
    filled_l: float = 6.0
    """Water pressed into the vessel when the circuit was filled at 20 °C."""
    filter_fill_pct: float = 20.0
    heat_w: float = 0.0
    running_hours: float = 0.0
    stopped: str | None = None
    """Why the controller has locked the compressor out; None while it is free to run."""

    leak_l_h: float = 0.0
    """Water lost in an hour at 1.5 bar."""
    filter_pct_h: float = 0.01
    """Filling of the filter in an hour of running; sludge brings far more."""
    flow_sensor_ok: bool = True

    @property
    def pressure_bar(self) -> float:
        """Gauge pressure: Boyle's law in the expansion vessel; without water in it the circuit is stiff.

        Heated water needs more room (about 0.04 % a kelvin), so pressure follows temperature a little.
        """
        in_vessel_l = self.filled_l - self.water_lost_l + self.circuit.water_l * 4e-4 * (self.water_c - 20)
        precharge_abs = self.circuit.precharge_bar + _ATMOSPHERE_BAR
        if in_vessel_l <= 0:
            return max(0.0, self.circuit.precharge_bar + 4.0 * in_vessel_l)
        gas_l = max(1.0, self.circuit.vessel_l - in_vessel_l)
        return precharge_abs * self.circuit.vessel_l / gas_l - _ATMOSPHERE_BAR

    @property
    def flow(self) -> float:
        """Share of the nominal flow: a filter hardly matters until it is half full, then ever more."""
        return 1.0 - 0.85 * (self.filter_fill_pct / 100) ** 3

    @property
    def flow_l_min(self) -> float:
        """Water that the pump moves; it stands while the controller has locked out."""
        return 0.0 if self.stopped else self.circuit.flow_kg_s * self.flow * 60

    @property
    def spread_k(self) -> float:
        """Flow temperature less return temperature."""
        return self.heat_w / (self.circuit.flow_kg_s * self.flow * WATER_J_KG_K)

    @property
    def flow_c(self) -> float:
        """Temperature of the water leaving for the house."""
        return self.water_c + self.spread_k / 2

    @property
    def return_c(self) -> float:
        """Temperature of the water coming back."""
        return self.water_c - self.spread_k / 2

    def power_kw(self, outdoor_c: float) -> float:
        """Return the electrical power, at 45 % of Carnot between evaporating and condensing temperature."""
        lift_k = max(10.0, self.flow_c + 3 - (outdoor_c - 5))
        cop = 0.45 * (self.flow_c + 276.15) / lift_k
        pump_w = 0.0 if self.stopped else 45.0
        return (self.heat_w / cop + pump_w + 8.0) / 1000

    def step(self, dt_s: float, outdoor_c: float, mains_ok: bool) -> None:
        """Move on by ``dt_s`` seconds with outdoor air at ``outdoor_c``."""
        while dt_s > 0:
            part_s = min(dt_s, _LONGEST_STEP_S)
            self._wear(part_s)
            self._control(part_s, outdoor_c, mains_ok)
            into_house_w = self.circuit.emitter_w_k * (self.water_c - self.room_c)
            lost_w = self.circuit.house_w_k * (self.room_c - outdoor_c) - self.circuit.internal_gain_w
            self.water_c += (self.heat_w - into_house_w) * part_s / (self.circuit.water_l * WATER_J_KG_K)
            self.room_c += (into_house_w - lost_w) * part_s / self.circuit.house_j_k
            dt_s -= part_s

    def _wear(self, dt_s: float) -> None:
        hours = dt_s / 3600
        # Torricelli: what runs out of a hole goes with the square root of the pressure.
        if self.leak_l_h:
            self.water_lost_l += self.leak_l_h * (max(0.0, self.pressure_bar) / 1.5) ** 0.5 * hours
        if self.heat_w > 0:
            self.running_hours += hours
            self.filter_fill_pct = min(100.0, self.filter_fill_pct + self.filter_pct_h * hours)

    def _control(self, dt_s: float, outdoor_c: float, mains_ok: bool) -> None:
        if self.pressure_bar < LOW_PRESSURE_BAR:
            self.stopped = STOPPED_PRESSURE
        elif self.flow < LOW_FLOW:
            self.stopped = STOPPED_FLOW
        elif self.stopped == STOPPED_FLOW or (self.stopped and self.pressure_bar > LOW_PRESSURE_BAR + 0.2):
            self.stopped = None
        free = mains_ok and self.stopped is None
        wanted_w = self._wanted_w(outdoor_c) if free else 0.0
        # The inverter ramps; a lockout or a power cut stops the compressor within the step.
        ramp_w = 40.0 * dt_s
        self.heat_w = min(wanted_w, self.heat_w + ramp_w) if free else 0.0
        if free and wanted_w < self.heat_w:
            self.heat_w = max(wanted_w, self.heat_w - ramp_w)

    def _wanted_w(self, outdoor_c: float) -> float:
        """Weather compensation with a correction by the room, and hysteresis where the inverter cannot go lower."""
        loss_w = self.circuit.house_w_k * (self.circuit.room_c - outdoor_c) - self.circuit.internal_gain_w
        wanted_w = min(self.circuit.rated_w, loss_w + 1_500.0 * (self.circuit.room_c - self.room_c))
        threshold_w = self.circuit.lowest_w * (0.5 if self.heat_w > 0 else 1.0)
        return max(wanted_w, self.circuit.lowest_w) if wanted_w >= threshold_w else 0.0

    def refill(self, to_bar: float = 1.5) -> None:
        """Top the circuit up, as a customer does with a hose until the gauge shows ``to_bar``."""
        gas_l = (self.circuit.precharge_bar + _ATMOSPHERE_BAR) * self.circuit.vessel_l / (to_bar + _ATMOSPHERE_BAR)
        expansion_l = self.circuit.water_l * 4e-4 * (self.water_c - 20)
        self.water_lost_l = max(0.0, self.filled_l - (self.circuit.vessel_l - gas_l - expansion_l))
