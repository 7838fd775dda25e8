"""The words an editor offers are words that the checks let through."""

from device_models.profile import GENERIC
from rules.authoring.completion import completions
from rules.conditions.functions import FUNCTIONS
from rules.schema import KINDS
from tests.rules.making import FREEZER


def test_every_kind_offers_its_settings_and_what_they_may_be() -> None:
    told = completions({FREEZER.name: FREEZER, "generic": GENERIC}, ["b", "a"])
    assert told["kinds"] == list(KINDS)
    assert told["rules"] == ["a", "b"]
    condition = {setting["name"]: setting for setting in told["settings"]["condition"]}
    assert condition["mode"]["values"] == ["live", "shadow"]
    assert condition["notify"]["values"] == ["off", "approve", "auto"]
    assert "critical" in condition["severity"]["values"]
    assert condition["when"]["values"] == []
    assert all("id" in {setting["name"] for setting in settings} for settings in told["settings"].values())


def test_fields_come_with_their_units_and_functions_with_what_they_tell() -> None:
    told = completions({FREEZER.name: FREEZER}, [])
    names = {field["name"] for field in told["fields"][FREEZER.name]}
    assert names <= set(FREEZER.fields)
    assert "temperature" in names
    assert [each["name"] for each in told["functions"]] == list(FUNCTIONS)
    assert all(each["says"] for each in told["functions"])
