import json
import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter

import rules
from device_models.yaml_lines import FileError, InvalidFileError
from rules.kinds.condition import ConditionRule
from rules.schema import KINDS, AnyRule, RuleSet, merge_rules, parse_rules
from tests.rules.making import ruleset

GOOD = """\
rules:
  - id: freezer-too-warm
    kind: condition
    profile: freezer
    when: temperature > -12
    for: 10m
    clear_when: temperature < -15
    severity: major
    purpose: fault
"""


def errors_of(text: str) -> list[tuple[int, int, str, str]]:
    with pytest.raises(InvalidFileError) as raised:
        parse_rules(text, "rules.yaml")
    return [(error.line, error.column, error.field, error.message) for error in raised.value.errors]


def test_the_example_of_the_design_is_read_as_it_stands() -> None:
    rules = parse_rules(GOOD, "rules.yaml")
    rule = rules["freezer-too-warm"]
    assert isinstance(rule, ConditionRule)
    assert (rule.profile, rule.hold.total_seconds(), rule.severity.value) == (("freezer",), 600.0, "major")


def test_an_empty_file_has_no_rules() -> None:
    assert parse_rules("", "rules.yaml").rules == ()


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "field", "message"),
    [
        ("for: 10m", "for: 10", 6, 10, "rules.0.for", "is no duration"),
        ("severity: major", "severity: bad", 8, 15, "rules.0.severity", "'info', 'minor', 'major' or 'critical'"),
        ("kind: condition", "kind: threshold", 3, 11, "rules.0.kind", "no kind of rule; there are condition, absent"),
        ("    kind: condition\n", "", 2, 5, "rules.0.kind", "is missing"),
        ("purpose: fault", "porpoise: fault", 9, 15, "rules.0.porpoise", "no field known here"),
        ("temperature > -12", "temperature > > 3", 5, 25, "rules.0.when", "no CEL expression"),
        ("temperature < -15", '"temperature <"', 7, 31, "rules.0.clear_when", "no CEL expression"),
        ("temperature > -12", "|\n      temperature > 1\n      && 2 >", 7, 13, "rules.0.when", "no CEL expression"),
        ("id: freezer-too-warm", "id: Too Warm", 2, 9, "rules.0.id", "pattern"),
    ],
)
def test_a_mistake_is_named_with_its_place(
    old: str, new: str, line: int, column: int, field: str, message: str
) -> None:
    found = errors_of(GOOD.replace(old, new))
    assert len(found) == 1
    assert found[0][:3] == (line, column, field)
    assert message in found[0][3]


def test_all_mistakes_are_named_at_once() -> None:
    assert len(errors_of(GOOD.replace("10m", "soon").replace("major", "bad").replace("> -12", "> > 3"))) == 3


@pytest.mark.parametrize("text", ["- id: x", "rules: {a: b}", "rule: []", "7"])
def test_a_file_that_is_no_list_of_rules_says_what_one_is(text: str) -> None:
    assert "mapping with the list 'rules'" in errors_of(text)[0][3]


def test_an_id_used_twice_names_both_places() -> None:
    with pytest.raises(InvalidFileError) as raised:
        merge_rules([(GOOD, "a.yaml"), (GOOD, "b.yaml")])
    assert [str(error) for error in raised.value.errors] == [
        "b.yaml:2:9: rules.0.id: 'freezer-too-warm' is already the id of the rule at a.yaml:2:9"
    ]


def test_the_errors_of_all_files_are_named() -> None:
    with pytest.raises(InvalidFileError) as raised:
        merge_rules([(GOOD.replace("10m", "x"), "a.yaml"), ("rules: [", "b.yaml"), (GOOD, "c.yaml")])
    assert {error.file for error in raised.value.errors} == {"a.yaml", "b.yaml"}


def test_the_version_says_what_the_rules_say_and_not_how_they_are_written() -> None:
    same = GOOD.replace("10m", "600s").replace("    severity: major\n", "") + "# a remark\n"
    assert parse_rules(same, "other.yaml").version == parse_rules(GOOD, "rules.yaml").version
    assert parse_rules(GOOD.replace("10m", "11m"), "rules.yaml").version != parse_rules(GOOD, "rules.yaml").version


def test_rules_made_in_code_are_checked_for_their_ids_too() -> None:
    rule = ConditionRule.model_validate({"id": "a", "when": "x > 1"})
    with pytest.raises(ValueError, match="two rules have the id 'a'"):
        RuleSet.of([rule, rule])


def test_an_error_about_a_rule_points_into_its_file() -> None:
    rules = parse_rules(GOOD, "rules.yaml")
    assert rules.error(rules.rules[0], "when", "no", 3) == FileError("rules.yaml", 5, 14, "rules.0.when", "no")


def test_every_kind_is_part_of_the_schema_for_editors_and_of_the_documentation() -> None:
    schema = TypeAdapter(AnyRule).json_schema(by_alias=True)
    assert set(schema["discriminator"]["mapping"]) == set(KINDS)
    docs = (Path(__file__).parents[2] / "docs" / "rules.md").read_text()
    headings = set(re.findall(r"^### `(\w+)`", docs, re.MULTILINE))
    assert set(KINDS) <= headings


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_setting_of_a_rule_is_documented(kind: str) -> None:
    docs = (Path(__file__).parents[2] / "docs" / ("offers.md" if kind == "proximity" else "rules.md")).read_text()
    names = {field.alias or name for name, field in KINDS[kind].model_fields.items()}
    documented = docs + (Path(__file__).parents[2] / "docs" / "rules.md").read_text()
    assert [name for name in sorted(names) if f"`{name}`" not in documented] == []


@pytest.mark.parametrize(
    "path", sorted((Path(rules.__file__).parent / "examples").glob("*.yaml")), ids=lambda p: p.stem
)
def test_what_went_live_can_be_read_again_with_every_default_written_out(path: Path) -> None:
    made = parse_rules(path.read_text(), path.name)
    written = [rule.model_dump(mode="json", by_alias=True) for rule in made.rules]
    again = RuleSet.of(KINDS[rule["kind"]].model_validate(rule) for rule in json.loads(json.dumps(written)))
    assert again.version == made.version


@pytest.mark.parametrize(
    "rule",
    [
        "kind: change\nfield: power\nrise: 5\nwithin: 1h",
        "kind: change\nfield: power\nrate_below: 5\nwithin: 1h",
        "kind: change\nof: power > 5\ncount: 3\nwithin: 1h",
        "kind: change\nfield: uptime\nrestarts: 3\nwithin: 1h",
        "kind: change\nfield: power\nstuck_for: 5h",
        "kind: geofence\nsite_radius_m: 50\non: exit",
        "kind: geofence\nmoved_while: locked",
        "kind: sequence\nfirst: power > 1\nthen_not: power < 1\nwithin: 1h",
        "kind: condition\nwhen: power > 1\ntimes: 3\nwithin: 1h\nseverities: {critical: {when: power > 3}}",
        "kind: anomaly\nfields: [power, temperature]",
    ],
)
def test_each_form_of_a_rule_can_be_read_again_with_every_default_written_out(rule: str) -> None:
    made = ruleset(f"id: r\n{rule}")
    (written,) = [each.model_dump(mode="json", by_alias=True) for each in made.rules]
    again = RuleSet.of([KINDS[written["kind"]].model_validate(json.loads(json.dumps(written)))])
    assert again.version == made.version
