"""A freezer: walls, air, food, a compressor behind a thermostat, and the causes that make it warm up.

Two bodies exchange heat: the air with the liner and evaporator around it, which the sensor sees and which moves in
minutes, and the food, which moves in hours. What the sensor shows is a consequence; nothing here sets it.
"""

from dataclasses import dataclass, field

from simulator.physics import food

SPOILED_C = -12.0
"""Food core at which the promise is broken; quick-frozen food is to be kept at -18 °C (Directive 89/108/EEC)."""

_LONGEST_STEP_S = 20.0
"""The quickest time constant is about 10 min with the door open, so explicit steps of this length stay true."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cabinet:
    """What left the factory, for an upright freezer of about 200 litres."""

    envelope_w_k: float = 0.8
    """Heat through the walls: 32 W at 40 K, with the compressor's efficiency some 200 kWh a year, as on labels."""
    open_door_w_k: float = 10.0
    air_capacity_j_k: float = 11_000.0
    """Air, liner, shelves and evaporator together; the air alone would be some 300 J/K."""
    food_exchange_w_k: float = 6.0
    """Natural convection, 5 W/m²K over about 1.2 m² of packages."""
    cooling_w: float = 110.0
    compressor_w: float = 85.0
    power_factor: float = 0.65
    mains_v: float = 230.0
    controller_w: float = 2.0
    cut_in_c: float = -16.5
    cut_out_c: float = -19.5
    rest_s: float = 180.0
    """Least pause between two starts, so that pressures can even out."""
    defrost_every_h: float = 10.0
    defrost_s: float = 360.0
    defrost_w: float = 95.0


@dataclass(slots=True)
class Freezer:
    """One freezer and its contents; ``step`` moves it on."""

    cabinet: Cabinet = field(default_factory=Cabinet)
    food_kg: float = 25.0
    air_c: float = -18.0
    food_j: float = 0.0
    """Heat in the food, from ``food.REFERENCE_C``; 0 at creation puts the food at the air's temperature."""

    door_open: bool = False
    seal_leak_w_k: float = 0.0
    seal_wear_w_k_h: float = 0.0
    seal_worst_w_k: float = 6.0
    """A seal that hangs loose leaks less than an open door."""
    refrigerant: float = 1.0
    """Share of the charge that is left."""
    refrigerant_loss_h: float = 0.0
    """Share of the charge lost in an hour."""
    start_capacitor_ok: bool = True
    defrost_forced: bool = False

    compressor_on: bool = False
    rested_s: float = 600.0
    since_defrost_h: float = 0.0
    defrost_left_s: float = 0.0
    running_hours: float = 0.0

    def __post_init__(self) -> None:
        if self.food_j == 0.0:
            self.food_j = self.food_kg * food.enthalpy_j_kg(self.air_c)

    @property
    def food_c(self) -> float:
        """Temperature of the food's core."""
        return food.temperature_c(self.food_j / self.food_kg)

    @property
    def spoiled(self) -> bool:
        """Whether the core has reached ``SPOILED_C``."""
        return self.food_c >= SPOILED_C

    @property
    def defrosting(self) -> bool:
        """Whether the defrost heater is on."""
        return self.defrost_left_s > 0

    @property
    def stored_j(self) -> float:
        """Heat in air and food; it changes only by ``heat_flow_w``."""
        return self.cabinet.air_capacity_j_k * self.air_c + self.food_j

    @property
    def cooling_w(self) -> float:
        """Heat the evaporator takes out now.

        A tenth of the charge can go unnoticed; below that the evaporator is fed less and less, and at a third of
        the charge nothing condenses any more.
        """
        return self.cabinet.cooling_w * self._charge_effect if self.compressor_on else 0.0

    @property
    def _charge_effect(self) -> float:
        return min(1.0, max(0.0, (self.refrigerant - 0.33) / (0.9 - 0.33)))

    @property
    def compressor_a(self) -> float:
        """Compressor current. A starved compressor moves less gas and draws less; one that cannot start draws none.

        The stall current of a start that fails lasts under a second until the protector opens: no report sees it.
        """
        if not self.compressor_on:
            return 0.0
        watts = self.cabinet.compressor_w * (0.55 + 0.45 * self._charge_effect)
        return watts / (self.cabinet.mains_v * self.cabinet.power_factor)

    def power_w(self, mains_ok: bool) -> float:
        """Return the electrical power drawn from the mains."""
        if not mains_ok:
            return 0.0
        compressor_w = self.compressor_a * self.cabinet.mains_v * self.cabinet.power_factor
        return self.cabinet.controller_w + compressor_w + (self.cabinet.defrost_w if self.defrosting else 0.0)

    def heat_flow_w(self, ambient_c: float) -> float:
        """Return the net heat entering air and food together."""
        conductance = self.cabinet.envelope_w_k + self.seal_leak_w_k
        if self.door_open:
            conductance += self.cabinet.open_door_w_k
        heater_w = self.cabinet.defrost_w if self.defrosting else 0.0
        return conductance * (ambient_c - self.air_c) + heater_w - self.cooling_w

    def load(self, kg: float, at_c: float) -> None:
        """Put ``kg`` of food at ``at_c`` in; it is mixed into the core."""
        self.food_kg += kg
        self.food_j += kg * food.enthalpy_j_kg(at_c)

    def step(self, dt_s: float, ambient_c: float, mains_ok: bool) -> None:
        """Move on by ``dt_s`` seconds in a room at ``ambient_c``."""
        while dt_s > 0:
            part_s = min(dt_s, _LONGEST_STEP_S)
            if self.seal_wear_w_k_h or self.refrigerant_loss_h:
                self._wear(part_s)
            self._control(part_s, mains_ok)
            into_food_w = self.cabinet.food_exchange_w_k * (self.air_c - self.food_c)
            into_air_w = self.heat_flow_w(ambient_c) - into_food_w
            self.air_c += into_air_w * part_s / self.cabinet.air_capacity_j_k
            self.food_j += into_food_w * part_s
            dt_s -= part_s

    def _wear(self, dt_s: float) -> None:
        hours = dt_s / 3600
        if self.seal_wear_w_k_h:
            self.seal_leak_w_k = min(self.seal_worst_w_k, self.seal_leak_w_k + self.seal_wear_w_k_h * hours)
        self.refrigerant = max(0.0, self.refrigerant - self.refrigerant_loss_h * hours)

    def _control(self, dt_s: float, mains_ok: bool) -> None:
        if not mains_ok:
            self.compressor_on, self.defrost_left_s, self.rested_s = False, 0.0, 0.0
            return
        self.since_defrost_h += dt_s / 3600
        self.defrost_left_s = max(0.0, self.defrost_left_s - dt_s)
        # Controllers wait for a cold cabinet: the heater adds to whatever a door has just let in.
        due = self.since_defrost_h >= self.cabinet.defrost_every_h and self.air_c < -17.5 and not self.door_open
        if due or self.defrost_forced:
            self.defrost_left_s, self.since_defrost_h, self.defrost_forced = self.cabinet.defrost_s, 0.0, False
        if self.compressor_on:
            self.running_hours += dt_s / 3600
            if self.air_c <= self.cabinet.cut_out_c or self.defrosting:
                self.compressor_on, self.rested_s = False, 0.0
            return
        self.rested_s += dt_s
        wanted = self.air_c >= self.cabinet.cut_in_c and not self.defrosting and self.rested_s >= self.cabinet.rest_s
        # The capacitor is needed to start, not to run: one that fails during a run is found at the next start.
        self.compressor_on = wanted and self.start_capacitor_ok
