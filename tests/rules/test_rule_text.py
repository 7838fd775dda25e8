"""Rules taken out of files say the very same, and keep what somebody wrote beside them."""

from importlib import resources
from pathlib import Path

import pytest

from rules.authoring.rule_text import text_of
from rules.schema import parse_rules

EXAMPLES = sorted(Path(str(resources.files("rules") / "examples")).glob("*.yaml"))
FILE = """\
# About the whole file.
rules:
# Why this limit: see the manual.
- id: warm
  kind: condition
  when: temperature > -12   # in the cabinet
  for: 10m

- id: cold
  kind: condition
  when: >
    temperature
    < -40
  advice: {en: "1e3"}
# About the cases.
tests:
  - name: it warms
    rule: warm
    given: [{at: 0m, values: {temperature: -5}}]
    expect: {pending: [0m]}
  - {name: other, rule: cold, given: [], expect: {}}
"""


def test_a_rule_comes_with_the_comment_above_it_and_its_cases_and_no_others() -> None:
    rules = parse_rules(FILE, "f.yaml")
    text = text_of([rules["warm"]], [(FILE, "f.yaml")])
    assert text == (
        "rules:\n  # Why this limit: see the manual.\n  - id: warm\n    kind: condition\n"
        "    when: temperature > -12   # in the cabinet\n    for: 10m\n\n"
        "tests:\n  - name: it warms\n    rule: warm\n    given: [{at: 0m, values: {temperature: -5}}]\n"
        "    expect: {pending: [0m]}\n"
    )


def test_the_last_rule_of_a_file_ends_before_what_comes_after_the_rules() -> None:
    rules = parse_rules(FILE, "f.yaml")
    text = text_of([rules["cold"]], [(FILE, "f.yaml")])
    assert parse_rules(text, "out").rules == (rules["cold"],)
    assert "About the cases" not in text.split("tests:")[0]
    assert "temperature\n      < -40" in text


def test_a_rule_that_the_file_says_otherwise_is_written_out_anew() -> None:
    rule = parse_rules(FILE, "f.yaml")["warm"].model_copy(update={"mode": "shadow"})
    text = text_of([rule], [(FILE, "f.yaml")])
    assert parse_rules(text, "out").rules == (rule,)
    assert "manual" not in text


@pytest.mark.parametrize(
    "file",
    [
        "rules: [{id: a, kind: absent, for: 1h}]\n",
        "rules:\n  - &a {id: a, kind: absent, for: 1h}\n",
        "rules:\n  - id: a\n    kind: absent\n    for: &t 1h\n  - id: b\n    kind: absent\n    for: *t\n",
    ],
)
def test_what_cannot_stand_alone_is_written_out(file: str) -> None:
    for rule in parse_rules(file, "f").rules:
        assert parse_rules(text_of([rule], [(file, "f")]), "out").rules == (rule,)


def test_a_source_that_is_no_rule_file_is_passed_over() -> None:
    rules = parse_rules(FILE, "f.yaml")
    assert "manual" in text_of([rules["warm"]], [("rules: [", "broken.yaml"), (FILE, "f.yaml")])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_shipped_rule_comes_out_as_it_is(path: Path) -> None:
    text = path.read_text("utf-8")
    rules = parse_rules(text, path.name)
    assert parse_rules(text_of(rules.rules, [(text, path.name)]), "out").version == rules.version
    assert parse_rules(text_of(rules.rules, []), "out").version == rules.version
