"""UCUM units of the values that Zigbee2MQTT exposes (zigbee2mqtt.io, "Exposes")."""

import re
from collections.abc import Mapping
from functools import lru_cache

from device_models.event import Value

_UNITS = {
    "temperature": "Cel",
    "device_temperature": "Cel",
    "local_temperature": "Cel",
    "external_temperature": "Cel",
    "soil_temperature": "Cel",
    "occupied_heating_setpoint": "Cel",
    "unoccupied_heating_setpoint": "Cel",
    "current_heating_setpoint": "Cel",
    "occupied_cooling_setpoint": "Cel",
    "local_temperature_calibration": "K",
    "cpu_temperature": "Cel",
    "humidity": "%",
    "soil_moisture": "%",
    "battery": "%",
    "position": "%",
    "tilt": "%",
    "pi_heating_demand": "%",
    "valve_opening_degree": "%",
    "pressure": "hPa",
    "illuminance": "lx",
    "illuminance_lux": "lx",
    "power": "W",
    "power_apparent": "V.A",
    "energy": "kW.h",
    "produced_energy": "kW.h",
    "current": "A",
    "ac_frequency": "Hz",
    "co2": "[ppm]",
    "pm1": "ug/m3",
    "pm25": "ug/m3",
    "pm10": "ug/m3",
    "action_duration": "s",
    "elapsed": "ms",
    "transition": "s",
    "update.progress": "%",
    "update.remaining": "s",
}
_MILLIVOLTS_FROM = 1_000
_ENDPOINT = re.compile(
    r"_(?:l\d{1,2}|ep\d{1,2}|\d{1,2}|phase_[abc]|left|right|center|top|bottom|probe|indoor|outdoor|internal|external)$"
)
"""What an endpoint adds to the name of its values: ``power_l1``, ``temperature_probe``, ``voltage_phase_b``."""


def units_of(values: Mapping[str, Value]) -> dict[str, str]:
    """Return the UCUM unit of each number whose unit Zigbee2MQTT fixes; ``_l1`` and the like do not change it."""
    units = {}
    for name, value in values.items():
        if type(value) is float or type(value) is int:
            unit = _unit(name)
            if unit == "V":
                unit = _voltage(name, value, values)
            if unit:
                units[name] = unit
    return units


def _voltage(name: str, value: float, values: Mapping[str, Value]) -> str:
    """Batteries report millivolts, mains meters volts, under the same name (both are documented exposes)."""
    if name == "battery_voltage" or abs(value) >= _MILLIVOLTS_FROM:
        return "mV"
    return "mV" if "battery" in values and "power" not in values else "V"


@lru_cache(maxsize=8_192)
def _unit(name: str) -> str:
    plain = _ENDPOINT.sub("", name)
    return "V" if plain in ("voltage", "battery_voltage") else _UNITS.get(plain, "")
