"""UCUM units of what Tasmota's sensors report, by the name of the value and the units that the message states."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from device_models.event import Value

_TEMPERATURE = {"C": "Cel", "F": "[degF]", "K": "K"}
_PRESSURE = {"hPa": "hPa", "mmHg": "mm[Hg]", "inHg": "[in_i'Hg]"}
_SPEED = {
    "km/h": "km/h",
    "m/s": "m/s",
    "mph": "[mi_i]/h",
    "kn": "[kn_i]",
    "ft/s": "[ft_i]/s",
    "yd/s": "[yd_i]/s",
}
_ENERGY = {
    "Total": "kW.h",
    "Yesterday": "kW.h",
    "Today": "kW.h",
    "Period": "W.h",
    "ExportActive": "kW.h",
    "ImportActive": "kW.h",
    "Power": "W",
    "ActivePower": "W",
    "ApparentPower": "V.A",
    "Voltage": "V",
    "Current": "A",
    "Frequency": "Hz",
}
_LEAF = {
    "Humidity": "%",
    "Illuminance": "lx",
    "CarbonDioxide": "[ppm]",
    "eCO2": "[ppm]",
    "TVOC": "[ppb]",
    "PM1": "ug/m3",
    "PM2.5": "ug/m3",
    "PM10": "ug/m3",
    "Distance": "cm",
    "Vcc": "V",
    "UptimeSec": "s",
    "BatteryPercentage": "%",
    "BatteryVoltage": "V",
    "RMSVoltage": "V",
    "ActivePower": "W",
}
_EXACT = {"Wifi.RSSI": "%", "Sleep": "ms", "ANALOG.Illuminance1": "lx"}
_IS_TEMPERATURE = re.compile(r"(?:Temperature\d*|DewPoint|HeatIndex|OBJTMP|AMBTMP|LocalTemperature)$")
_INDEX = re.compile(r"\.\d+$")
STATED = ("TempUnit", "PressureUnit", "SpeedUnit")
"""Keys by which a message states its units; they describe values and are none."""


@dataclass(frozen=True, slots=True)
class StatedUnits:
    """The units that one message states, as UCUM; empty where it does not say."""

    temperature: str = ""
    pressure: str = ""
    speed: str = ""

    @classmethod
    def taken_from(cls, data: dict[str, Any]) -> "StatedUnits":
        """Take ``TempUnit`` and its like out of a message."""
        temperature, pressure, speed = (str(data.pop(key, "")) for key in STATED)
        return cls(_TEMPERATURE.get(temperature, ""), _PRESSURE.get(pressure, ""), _SPEED.get(speed, ""))


ZIGBEE = StatedUnits(temperature="Cel", pressure="hPa")
"""A Zigbee device's own units, which Tasmota passes on whatever SetOption8 says."""


def units_of(values: Mapping[str, Value], stated: StatedUnits) -> dict[str, str]:
    """Return the UCUM unit of each number whose unit the message or the protocol states."""
    units = {}
    for name, value in values.items():
        if type(value) is float or type(value) is int:
            unit = _unit(name, stated)
            if unit:
                units[name] = unit
    return units


@lru_cache(maxsize=8_192)
def _unit(name: str, stated: StatedUnits) -> str:
    exact = _EXACT.get(name)
    if exact:
        return exact
    path = _INDEX.sub("", name)
    parent, _, leaf = path.rpartition(".")
    if _IS_TEMPERATURE.search(leaf):
        return stated.temperature
    if leaf in ("Pressure", "SeaPressure"):
        return stated.pressure
    if leaf == "Speed" or parent.endswith(".Speed"):
        return stated.speed
    if parent == "ENERGY" or parent.endswith(".ENERGY"):
        return _ENERGY.get(leaf, "")
    if path.endswith("PM2.5"):
        return _LEAF["PM2.5"]
    if parent.endswith(".Dir") and leaf in ("Deg", "Avg", "Min", "Max", "Range"):
        return "deg"
    return _LEAF.get(leaf, "")
