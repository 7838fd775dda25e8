"""Converting measured values between units, written in UCUM (ucum.org), the code that profiles and decoders use.

Factors are exact fractions and become one multiplication and one addition, so that 20 Cel is 68 [degF] and not
68.00000000000001. Sources: UCUM's table of units; BIPM SI brochure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

_KELVIN_AT_0_CEL = Fraction("273.15")


@dataclass(frozen=True, slots=True)
class _Unit:
    """``base = value * factor + offset`` in the dimension's base unit."""

    dimension: str
    factor: Fraction
    offset: Fraction = Fraction(0)


_UNITS: dict[str, _Unit] = {
    "K": _Unit("temperature", Fraction(1)),
    "Cel": _Unit("temperature", Fraction(1), _KELVIN_AT_0_CEL),
    "[degF]": _Unit("temperature", Fraction(5, 9), _KELVIN_AT_0_CEL - 32 * Fraction(5, 9)),
}
_PROPORTIONAL: dict[str, dict[str, str | int | Fraction]] = {
    "fraction": {"1": 1, "%": "0.01", "[ppm]": "1e-6", "[ppb]": "1e-9"},
    "length": {
        "m": 1,
        "mm": "0.001",
        "cm": "0.01",
        "km": 1000,
        "[in_i]": "0.0254",
        "[ft_i]": "0.3048",
        "[yd_i]": "0.9144",
        "[mi_i]": "1609.344",
    },
    "time": {"s": 1, "ms": "0.001", "min": 60, "h": 3600, "d": 86_400, "wk": 604_800},
    "speed": {
        "m/s": 1,
        "km/h": Fraction(10, 36),
        "[mi_i]/h": "0.44704",
        "[kn_i]": Fraction(1852, 3600),
        "[ft_i]/s": "0.3048",
        "[yd_i]/s": "0.9144",
    },
    "frequency": {"Hz": 1, "kHz": 1000, "/min": Fraction(1, 60), "/s": 1},
    "pressure": {
        "Pa": 1,
        "hPa": 100,
        "kPa": 1000,
        "MPa": 1_000_000,
        "mbar": 100,
        "bar": 100_000,
        "[psi]": "6894.757293168361",
        "mm[Hg]": "133.322",
        "[in_i'Hg]": "3386.3788",
    },
    "power": {"W": 1, "mW": "0.001", "kW": 1000, "MW": 1_000_000},
    "apparent power": {"V.A": 1, "kV.A": 1000},
    "energy": {"J": 1, "kJ": 1000, "MJ": 1_000_000, "W.h": 3600, "kW.h": 3_600_000, "MW.h": 3_600_000_000},
    "voltage": {"V": 1, "mV": "0.001", "kV": 1000},
    "current": {"A": 1, "mA": "0.001"},
    "resistance": {"Ohm": 1, "mOhm": "0.001", "kOhm": 1000},
    "volume": {"L": 1, "mL": "0.001", "m3": 1000},
    "volume flow": {
        "L/min": 1,
        "L/h": Fraction(1, 60),
        "L/s": 60,
        "m3/h": Fraction(1000, 60),
    },
    "mass": {"kg": 1, "g": "0.001", "mg": "1e-6", "t": 1000},
    "mass concentration": {"ug/m3": 1, "mg/m3": 1000},
    "illuminance": {"lx": 1, "klx": 1000},
    "angle": {"deg": 1},
}
_UNITS.update(
    (code, _Unit(dimension, Fraction(factor)))
    for dimension, codes in _PROPORTIONAL.items()
    for code, factor in codes.items()
)

_MISTAKES = {
    "°C": "Cel",
    "C": "Cel",
    "celsius": "Cel",
    "°F": "[degF]",
    "F": "[degF]",
    "kWh": "kW.h",
    "Wh": "W.h",
    "VA": "V.A",
    "psi": "[psi]",
    "mph": "[mi_i]/h",
    "kmh": "km/h",
    "kph": "km/h",
    "rpm": "/min",
    "ppm": "[ppm]",
    "ppb": "[ppb]",
    "percent": "%",
    "sec": "s",
    "hours": "h",
    "Ω": "Ohm",
    "µg/m3": "ug/m3",
    "µg/m³": "ug/m3",
    "m³": "m3",
    "m³/h": "m3/h",
}


def is_known(unit: str) -> bool:
    """Tell whether ``unit`` can be converted at all."""
    return unit in _UNITS


def suggestion(unit: str) -> str | None:
    """Return the UCUM code that a unit written in another way probably means, None where there is none to offer."""
    return None if unit in _UNITS else _MISTAKES.get(unit) or _MISTAKES.get(unit.lower())


@lru_cache(maxsize=4_096)
def converter(source: str, target: str) -> Callable[[float], float]:
    """Return the function that converts from one UCUM unit to another; the identity for equal ones.

    Raises ValueError for a unit that is not known, or two that do not measure the same thing.
    """
    if source == target:
        return lambda value: value
    try:
        one, other = _UNITS[source], _UNITS[target]
    except KeyError as error:
        hint = suggestion(str(error.args[0]))
        raise ValueError(f"'{error.args[0]}' is no known UCUM unit" + (f"; write {hint}" if hint else "")) from error
    if one.dimension != other.dimension:
        raise ValueError(f"{source} ({one.dimension}) does not convert to {target} ({other.dimension})")
    slope = float(one.factor / other.factor)
    intercept = float((one.offset - other.offset) / other.factor)
    return lambda value: value * slope + intercept


def convert(value: float, source: str, target: str) -> float:
    """Convert one value between UCUM units; raises ValueError as ``converter`` does."""
    return converter(source, target)(value)
