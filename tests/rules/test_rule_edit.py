"""Settings changed in a rule file: in place, everything else as it was."""

import pytest

from device_models.yaml_lines import load_yaml
from rules.authoring.rule_edit import NotEditable, with_settings

FILE = """\
# Our freezers.
rules:
  - id: other
    kind: condition
    when: temperature > -12   # not this one
  - id: warm                  # a comment
    kind: condition
    title: {en: "Too warm: look"}
    when: temperature > -12   # since 2024
    for: 10m
    clear_when: "temperature < -15"
    severity: major
  # the end
"""


def changed(text: str, index: int, **changes: str) -> str:
    return with_settings(load_yaml(text, "rules.yaml"), text, index, {n.rstrip("_"): v for n, v in changes.items()})


def test_values_change_in_place_and_comments_stay() -> None:
    said = changed(FILE, 1, when="temperature > -9.5", for_="30m", clear_when="temperature < -12.5")
    assert said == FILE.replace(
        'when: temperature > -12   # since 2024\n    for: 10m\n    clear_when: "temperature < -15"',
        'when: temperature > -9.5   # since 2024\n    for: 30m\n    clear_when: "temperature < -12.5"',
    )


def test_a_setting_that_was_not_there_stands_below_when() -> None:
    said = changed(FILE, 0, for_="15m")
    assert "    when: temperature > -12   # not this one\n    for: 15m\n  - id: warm" in said


def test_a_rule_on_one_line_stays_on_one_line() -> None:
    text = "rules:\n  - {id: a, kind: condition, when: temperature > -12}\n"
    assert changed(text, 0, when="temperature > -10", for_="15m") == (
        "rules:\n  - {id: a, kind: condition, when: temperature > -10, for: 15m}\n"
    )


def test_when_as_the_first_key_of_a_list_item() -> None:
    text = "rules:\n- when: temperature > -12\n  id: a\n  kind: condition\n"
    assert changed(text, 0, for_="5m") == "rules:\n- when: temperature > -12\n  for: 5m\n  id: a\n  kind: condition\n"


def test_a_condition_with_quotes_of_its_own_is_quoted() -> None:
    text = "rules:\n  - id: a\n    kind: condition\n    when: 'code == \"E1\" && t > 4'\n"
    assert (
        load_yaml(changed(text, 0, when='code == "E1" && t > 5'), "x").data["rules"][0]["when"]
        == 'code == "E1" && t > 5'
    )


def test_a_file_without_a_last_line_break_is_edited_too() -> None:
    text = "rules:\n  - id: a\n    kind: condition\n    when: t > 4"
    assert (
        changed(text, 0, when="t > 5", for_="5m")
        == "rules:\n  - id: a\n    kind: condition\n    when: t > 5\n    for: 5m"
    )


def test_a_condition_over_several_lines_is_left_to_a_person() -> None:
    text = "rules:\n  - id: a\n    kind: condition\n    when: |\n      t > 4 &&\n      door\n"
    with pytest.raises(NotEditable, match="by hand"):
        changed(text, 0, when="t > 5 && door")


def test_an_alias_is_left_to_a_person() -> None:
    text = "rules:\n  - {id: a, kind: condition, when: &w t > 4}\n  - {id: b, kind: condition, when: *w}\n"
    with pytest.raises(NotEditable):
        changed(text, 1, when="t > 5")
