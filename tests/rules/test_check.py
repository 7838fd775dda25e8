from pathlib import Path

import pytest

import device_models
import rules
from device_models.profile import DeviceProfile, FieldSpec
from device_models.profile_files import parse_profile
from rules.authoring.check import check_rules
from rules.schema import merge_rules, parse_rules
from tests.rules.making import FREEZER

PUMP = DeviceProfile(
    name="heat-pump", title={"en": "pump"}, fields={"pressure": FieldSpec(title={"en": "p"}, unit="bar")}
)
PROFILES = {"freezer": FREEZER, "heat-pump": PUMP}


def errors(rule: str) -> list[str]:
    text = "rules:\n  - id: x\n" + "".join(f"    {line}\n" for line in rule.splitlines())
    return [str(error) for error in check_rules(parse_rules(text, "r.yaml"), PROFILES)]


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        (
            "kind: condition\nprofile: freezer\nwhen: tempertaure > -12",
            "r.yaml:5:11: rules.0.when: the profile 'freezer' has no field 'tempertaure'; did you mean 'temperature'?",
        ),
        (
            "kind: condition\nprofile: freezer\nwhen: temperature > -12\nclear_when: temperature < 1 && state < 3",
            "r.yaml:6:36: rules.0.clear_when: state is a text and is compared with a number",
        ),
        (
            "kind: condition\nprofile: freezer\nwhen: values['DS18B20-1.Temperature'] > 3",
            (
                "r.yaml:5:11: rules.0.when: the profile 'freezer' has no field 'DS18B20-1.Temperature'; "
                "it arrives as 'temperature'"
            ),
        ),
        (
            "kind: condition\nprofile: [freezer, heat-pump]\nwhen: temperature > -12",
            "r.yaml:5:11: rules.0.when: the profile 'heat-pump' has no field 'temperature'",
        ),
        (
            "kind: condition\nwhen: presure > 3",
            (
                "r.yaml:4:11: rules.0.when: the profiles 'freezer', 'heat-pump' have no field 'presure'; "
                "did you mean 'pressure'?"
            ),
        ),
        (
            "kind: condition\nprofile: frezer\nwhen: temperature > -12",
            "r.yaml:4:14: rules.0.profile: there is no profile 'frezer'; did you mean 'freezer'?",
        ),
        (
            "kind: error_code\ncodes: [E55]",
            "r.yaml:4:5: rules.0.codes: no profile's catalogue has the code 'E55'; did you mean 'E5'?",
        ),
        (
            "kind: error_code\nprofile: heat-pump",
            "r.yaml:4:14: rules.0.profile: the profile 'heat-pump' has no error codes, so this never fires",
        ),
        (
            "kind: maintenance\nplans: [filters]",
            "r.yaml:4:5: rules.0.plans: no profile has the service plan 'filters'; did you mean 'filter'?",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place_and_a_suggestion(rule: str, error: str) -> None:
    assert errors(rule) == [error]


@pytest.mark.parametrize(
    "rule",
    [
        "kind: condition\nprofile: freezer\nwhen: temperature > -12 && door_open && state == 'x'",
        "kind: condition\nwhen: pressure < 1",
        "kind: condition\nprofile: freezer\nwhen: online == false",
        "kind: absent",
        "kind: error_code",
        "kind: maintenance",
        "kind: proximity",
    ],
)
def test_what_fits_is_no_error(rule: str) -> None:
    assert errors(rule) == []


def test_the_rules_and_profiles_that_are_shipped_fit() -> None:
    profiles = Path(device_models.__file__).parent / "profiles"
    known = {p.name: p for p in (parse_profile(f.read_text("utf-8"), f.name) for f in profiles.glob("*.yaml"))}
    files = sorted((Path(rules.__file__).parent / "examples").glob("*.yaml"))
    ruleset = merge_rules((file.read_text("utf-8"), file.name) for file in files)
    assert check_rules(ruleset, known) == []
    assert len(ruleset.rules) >= 10


def test_what_customers_read_is_there_in_every_language() -> None:
    languages = {"ar", "de", "en", "es", "fr", "id", "ja", "pt", "ru", "zh"}
    files = sorted((Path(rules.__file__).parent / "examples").glob("*.yaml"))
    ruleset = merge_rules((file.read_text("utf-8"), file.name) for file in files)
    for rule in ruleset.rules:
        assert set(rule.title) == languages, rule.id
        assert not rule.advice or set(rule.advice) == languages, rule.id
        assert rule.advice or rule.kind in ("error_code", "maintenance", "proximity"), rule.id
