import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_models.units import convert, converter, is_known, suggestion


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (20, "Cel", "[degF]", 68.0),
        (-40, "[degF]", "Cel", -40.0),
        (0, "Cel", "K", 273.15),
        (2990, "mV", "V", 2.99),
        (36, "km/h", "m/s", 10.0),
        (10, "m/s", "km/h", 36.0),
        (1, "bar", "hPa", 1000.0),
        (1, "[psi]", "Pa", 6894.757293168361),
        (1.5, "kW", "W", 1500.0),
        (250, "W.h", "kW.h", 0.25),
        (1, "kW.h", "J", 3.6e6),
        (90, "min", "h", 1.5),
        (1500, "m", "km", 1.5),
        (50, "%", "1", 0.5),
        (1200, "/min", "Hz", 20.0),
        (1, "m3/h", "L/min", 16.666666666666668),
        (5, "furlong", "furlong", 5),
    ],
)
def test_values_convert_between_units(value: float, source: str, target: str, expected: float) -> None:
    assert convert(value, source, target) == pytest.approx(expected, rel=1e-12)


def test_a_round_number_stays_round() -> None:
    assert convert(20, "Cel", "[degF]") == 68.0
    assert convert(-18, "Cel", "[degF]") == pytest.approx(-0.4, abs=1e-12)


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("Cel", "%", r"Cel \(temperature\) does not convert to % \(fraction\)"),
        ("W", "W.h", r"W \(power\) does not convert to W.h \(energy\)"),
        ("kWh", "W.h", r"'kWh' is no known UCUM unit; write kW.h"),
        ("Cel", "warm", r"'warm' is no known UCUM unit"),
    ],
)
def test_what_does_not_convert_is_an_error_that_says_why(source: str, target: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        converter(source, target)


def test_a_unit_written_in_another_way_gets_a_suggestion() -> None:
    assert suggestion("°C") == "Cel"
    assert suggestion("RPM") == "/min"
    assert suggestion("Cel") is None
    assert suggestion("parsec") is None


_ALIKE = [("Cel", "[degF]"), ("K", "[degF]"), ("hPa", "[psi]"), ("km/h", "[kn_i]"), ("kW.h", "J"), ("L/min", "m3/h")]


@given(st.sampled_from(_ALIKE), st.floats(-1e6, 1e6))
def test_there_and_back_is_the_same_value(units: tuple[str, str], value: float) -> None:
    one, other = units
    assert is_known(one)
    assert is_known(other)
    assert math.isclose(convert(convert(value, one, other), other, one), value, rel_tol=1e-9, abs_tol=1e-6)
