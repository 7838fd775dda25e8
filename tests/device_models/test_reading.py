import pytest

from device_models.event import Event, EventKind, TimeSource, Value
from device_models.profile import DeviceProfile, FieldSpec
from device_models.reading import FieldReader, Reading
from tests.rules.making import T0

PROFILE = DeviceProfile(
    name="freezer",
    title={"en": "freezer"},
    fields={
        "temperature": FieldSpec(
            title={"en": "T"}, unit="Cel", minimum=-60, maximum=60, aliases=("DS18B20.Temperature",)
        ),
        "door_open": FieldSpec(title={"en": "Door"}),
    },
)


def read(values: dict[str, Value], units: dict[str, str] | None = None) -> Reading:
    event = Event("f1", EventKind.STATUS, T0, T0, TimeSource.DEVICE, "native", values, units or {})
    return FieldReader(PROFILE).read(event)


def test_an_alias_is_read_as_its_field() -> None:
    assert read({"DS18B20.Temperature": -18.5}) == Reading({"temperature": -18.5})


def test_a_stated_unit_is_converted_and_none_is_taken_for_the_profiles() -> None:
    assert read({"temperature": 14}, {"temperature": "[degF]"}).values["temperature"] == pytest.approx(-10)
    assert read({"temperature": -18}) == Reading({"temperature": -18})


@pytest.mark.parametrize(("value", "unit"), [(327.67, "Cel"), (-80, "Cel"), (20, "bar"), (20, "degrees")])
def test_what_no_freezer_can_have_is_left_out_and_named(value: float, unit: str) -> None:
    assert read({"temperature": value, "door_open": True}, {"temperature": unit}) == Reading(
        {"door_open": True}, ("temperature",)
    )


def test_bounds_are_in_the_profiles_unit() -> None:
    assert read({"temperature": 100}, {"temperature": "[degF]"}).implausible == ()
    assert read({"temperature": 150}, {"temperature": "[degF]"}).implausible == ("temperature",)


def test_a_field_nobody_described_and_a_text_pass_as_they_are() -> None:
    assert read({"other": 3, "temperature": "n/a"}) == Reading({"other": 3, "temperature": "n/a"})
