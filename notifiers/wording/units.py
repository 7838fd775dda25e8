"""Units: UCUM codes as people write them, in the measures of the customer's country.

Source: UCUM 2.1 (codes), CLDR unit identifiers (as Babel carries them), CLDR supplemental ``measurementData`` (which
territories use Fahrenheit and miles).
"""

from dataclasses import dataclass

from device_models.units import convert

TEMPERATURES = frozenset({"Cel", "[degF]", "K"})

FAHRENHEIT_TERRITORIES = frozenset({"US", "BS", "BZ", "FM", "KY", "LR", "MH", "PR", "PW"})
MILE_TERRITORIES = frozenset({"US", "GB", "LR", "PR"})

CLDR = {
    "Cel": "temperature-celsius",
    "[degF]": "temperature-fahrenheit",
    "K": "temperature-kelvin",
    "%": "concentr-percent",
    "bar": "pressure-bar",
    "mbar": "pressure-millibar",
    "hPa": "pressure-hectopascal",
    "kPa": "pressure-kilopascal",
    "Pa": "pressure-pascal",
    "[psi]": "pressure-pound-force-per-square-inch",
    "km": "length-kilometer",
    "m": "length-meter",
    "cm": "length-centimeter",
    "mm": "length-millimeter",
    "[mi_i]": "length-mile",
    "[ft_i]": "length-foot",
    "km/h": "speed-kilometer-per-hour",
    "m/s": "speed-meter-per-second",
    "[mi_i]/h": "speed-mile-per-hour",
    "a": "duration-year",
    "mo": "duration-month",
    "wk": "duration-week",
    "d": "duration-day",
    "h": "duration-hour",
    "min": "duration-minute",
    "s": "duration-second",
    "ms": "duration-millisecond",
    "W": "power-watt",
    "kW": "power-kilowatt",
    "kW.h": "energy-kilowatt-hour",
    "V": "electric-volt",
    "A": "electric-ampere",
    "mA": "electric-milliampere",
    "Ohm": "electric-ohm",
    "Hz": "frequency-hertz",
    "kHz": "frequency-kilohertz",
    "L": "volume-liter",
    "mL": "volume-milliliter",
    "m3": "volume-cubic-meter",
    "g": "mass-gram",
    "kg": "mass-kilogram",
    "lx": "light-lux",
    "deg": "angle-degree",
}
"""CLDR's name of a UCUM unit."""

WORDS = frozenset({"%", "a", "mo", "wk", "d", "h", "min", "s"})
"""Units that each language writes in its own way; others have a symbol, where CLDR would write "350 Meter"."""

SYMBOLS = {
    "Cel": "°C",
    "[degF]": "°F",
    "[ppm]": "ppm",
    "10*-6": "ppm",
    "[psi]": "psi",
    "[mi_i]": "mi",
    "[ft_i]": "ft",
    "[mi_i]/h": "mph",
    "kW.h": "kWh",
    "W.h": "Wh",
    "A.h": "Ah",
    "mA.h": "mAh",
    "Ohm": "Ω",
    "L": "l",
    "mL": "ml",
    "L/min": "l/min",
    "L/h": "l/h",
    "m3": "m³",
    "m3/h": "m³/h",
    "m/s2": "m/s²",
    "g/m3": "g/m³",
    "ug/m3": "µg/m³",
    "mg/L": "mg/l",
    "W/m2": "W/m²",
    "dB[SPL]": "dB",
    "dB[mW]": "dBm",
    "{rpm}": "rpm",
    "[pH]": "pH",
    "mm[Hg]": "mmHg",
    "deg": "°",
}
"""Where the code is not what people print."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number and its UCUM unit."""

    value: float
    unit: str


def localise(quantity: Quantity, territory: str | None) -> Quantity:
    """Turn a quantity into the measure of ``territory`` (ISO 3166-1 alpha-2): °F, miles; most keep what there is."""
    value, unit = quantity.value, quantity.unit
    fahrenheit, miles = territory in FAHRENHEIT_TERRITORIES, territory in MILE_TERRITORIES
    match unit:
        case "Cel" if fahrenheit:
            return Quantity(convert(value, unit, "[degF]"), "[degF]")
        case "[degF]" if not fahrenheit and territory is not None:
            return Quantity(convert(value, unit, "Cel"), "Cel")
        case "km" if miles:
            return Quantity(convert(value, unit, "[mi_i]"), "[mi_i]")
        case "km/h" if miles:
            return Quantity(convert(value, unit, "[mi_i]/h"), "[mi_i]/h")
        case _:
            return quantity


def symbol(unit: str) -> str:
    """Return a unit's symbol, which languages in Latin script share; annotations such as ``{count}`` print nothing."""
    if unit in SYMBOLS:
        return SYMBOLS[unit]
    return "" if unit == "1" or (unit.startswith("{") and unit.endswith("}")) else unit.replace(".", "·")
