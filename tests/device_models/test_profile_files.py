from importlib import resources
from pathlib import Path

import pytest

from device_models.duration import parse_duration
from device_models.profile import DeviceProfile, PositionOf
from device_models.profile_files import parse_profile
from device_models.purpose import Purpose, Severity
from device_models.units import is_known
from device_models.yaml_lines import InvalidFileError

_FILES = sorted(Path(str(resources.files("device_models") / "profiles")).glob("*.yaml"))
_LANGUAGES = {"ar", "de", "en", "es", "fr", "id", "ja", "pt", "ru", "zh"}


def _shipped(name: str) -> DeviceProfile:
    (path,) = [path for path in _FILES if path.stem == name]
    return parse_profile(path.read_text(encoding="utf-8"), path.name)


def _errors(text: str) -> list[str]:
    with pytest.raises(InvalidFileError) as caught:
        parse_profile(text, "p.yaml")
    return [str(error) for error in caught.value.errors]


def test_the_profiles_of_the_products_are_shipped() -> None:
    assert {path.stem for path in _FILES} == {"e-bike-tracker", "freezer", "generic", "heat-pump", "phone"}


@pytest.mark.parametrize("name", [path.stem for path in _FILES])
def test_a_shipped_profile_is_named_as_its_file_and_speaks_every_language(name: str) -> None:
    profile = _shipped(name)
    assert profile.name == name
    texts = [profile.title]
    texts += [spec.title for spec in profile.fields.values()]
    texts += [text for meaning in profile.errors.values() for text in (meaning.title, meaning.advice)]
    texts += [text for plan in profile.maintenance.values() for text in (plan.title, plan.advice)]
    for text in texts:
        assert set(text) == _LANGUAGES, text
        assert all(text.values())


@pytest.mark.parametrize("name", [path.stem for path in _FILES])
def test_every_unit_of_a_shipped_profile_converts(name: str) -> None:
    for field, spec in _shipped(name).fields.items():
        assert spec.unit == "" or is_known(spec.unit), field


def test_only_a_phone_tells_where_a_person_is() -> None:
    assert {path.stem for path in _FILES if _shipped(path.stem).position_of is PositionOf.PERSON} == {"phone"}


def test_the_service_plans_are_those_of_the_makers() -> None:
    inspection = _shipped("heat-pump").maintenance["inspection"]
    assert (inspection.every, inspection.every_hours) == (parse_duration("365d"), 4000)
    assert _shipped("freezer").maintenance["condenser"].every == parse_duration("180d")
    service = _shipped("e-bike-tracker").maintenance["service"]
    assert (service.every, service.every_km, service.km_field) == (parse_duration("365d"), 1500, "odometer_km")


def test_what_can_burn_is_a_matter_of_safety() -> None:
    for name, code in (("freezer", "E13"), ("heat-pump", "E07"), ("heat-pump", "E50"), ("e-bike-tracker", "B01")):
        meaning = _shipped(name).errors[code]
        assert (meaning.purpose, meaning.severity) == (Purpose.SAFETY, Severity.CRITICAL)


def test_codes_stay_the_text_that_was_written() -> None:
    profile = parse_profile("name: x\ntitle: X\nerrors:\n  017: {title: A}\n  1.10: {title: B}\n", "p.yaml")
    assert set(profile.errors) == {"017", "1.10"}


def test_every_mistake_is_named_with_its_line_and_field() -> None:
    text = """\
name: x
title: {de: Ding}
reporting_interval: 5
chart: [warmth]
fields:
  temperature:
    title: T
    unti: Cel
"""
    assert _errors(text) == [
        "p.yaml:3:21: reporting_interval: '5' is no duration; write it like 90s, 10m, 1h30m or 14d",
        "p.yaml:8:11: fields.temperature.unti: is no field known here",
    ]


def test_what_contradicts_itself_is_named_too() -> None:
    text = """\
name: x
title: {de: Ding}
chart: [warmth]
fields:
  temperature:
    title: T
    unit: °C
    minimum: 5
    maximum: 2
    aliases: [warm]
  other:
    title: O
    nominal: 9
    maximum: 3
    aliases: [warm, temperature]
maintenance:
  a: {title: A}
  b: {title: B, every_km: 10, km_field: miles}
"""
    assert _errors(text) == [
        "p.yaml:2:1: title: has no English text (en), which other languages fall back to",
        "p.yaml:3:9: chart.0: 'warmth' is no field of this profile",
        "p.yaml:7:11: fields.temperature.unit: '°C' is no UCUM unit; write Cel",
        "p.yaml:9:14: fields.temperature.maximum: 2 is not above the minimum 5",
        "p.yaml:13:14: fields.other.nominal: 9 lies outside minimum and maximum",
        "p.yaml:15:15: fields.other.aliases.0: 'warm' is already an alias of temperature",
        "p.yaml:15:21: fields.other.aliases.1: 'temperature' is already a field itself",
        "p.yaml:17:3: maintenance.a: has no every, every_hours, every_cycles or every_km",
        "p.yaml:18:41: maintenance.b.km_field: every_km counts by 'miles', which is no field of this profile",
    ]


def test_a_file_that_is_no_mapping_is_refused() -> None:
    assert len(_errors("")) == 1
    assert len(_errors("- a")) == 1
    assert _errors("name: [")[0].startswith("p.yaml:1:8: ")
