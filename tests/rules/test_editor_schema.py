"""What editors complete and underline by is what the gateway reads."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import fastjsonschema  # type: ignore[import-untyped]
import pytest

from device_models.yaml_lines import load_yaml
from rules.authoring.editor_schema import editor_schema
from rules.schema import KINDS

CHECK = fastjsonschema.compile(editor_schema())
FILES = sorted(Path(str(resources.files("rules") / "examples")).glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_rules_that_come_with_the_product_are_right_by_the_schema(path: Path) -> None:
    CHECK(load_yaml(path.read_text("utf-8"), path.name).data)


@pytest.mark.parametrize(
    "rule",
    [
        {"id": "a", "kind": "condition", "when": "x > 1", "for": "10m", "profile": "freezer", "title": "Too warm"},
        {"id": "a", "kind": "condition", "when": "x > 1", "for": 0, "profile": ["freezer"], "title": {"de": "Zu warm"}},
        {"id": "a", "kind": "absent", "for": "1h 30m"},
        {"id": "a", "kind": "error_code", "codes": ["E5", "17"]},
    ],
)
def test_what_a_file_may_say_is_right(rule: dict[str, Any]) -> None:
    CHECK({"rules": [rule]})


@pytest.mark.parametrize(
    "rule",
    [
        {"id": "a", "kind": "condition"},
        {"id": "a", "kind": "condition", "when": "x > 1", "for": "ten minutes"},
        {"id": "a", "kind": "condition", "when": "x > 1", "for": 600},
        {"id": "a", "kind": "condition", "when": "x > 1", "severity": "awful"},
        {"id": "a", "kind": "condition", "when": "x > 1", "wehn": "y"},
        {"id": "a", "kind": "conditon", "when": "x > 1"},
        {"id": "A b", "kind": "condition", "when": "x > 1"},
        {"id": "a", "when": "x > 1"},
    ],
)
def test_what_reading_refuses_is_underlined(rule: dict[str, Any]) -> None:
    with pytest.raises(fastjsonschema.JsonSchemaException):
        CHECK({"rules": [rule]})


def test_every_kind_can_be_completed() -> None:
    text = json.dumps(editor_schema())
    assert all(f'"const": "{kind}"' in text for kind in KINDS)
    assert '"duration"' not in text
