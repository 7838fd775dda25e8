from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from device_models.duration import Duration, parse_duration
from device_models.yaml_lines import FileError, InvalidFileError, _Composer, _PlainComposer, _root, load_yaml


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: str
    hold: Duration = timedelta(0)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    rules: list[_Rule]


def _errors(text: str) -> list[str]:
    with pytest.raises(InvalidFileError) as caught:
        load_yaml(text, "rules.yaml").validate(_File)
    return [str(error) for error in caught.value.errors]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("22:30", "22:30"),
        ("no", "no"),
        ("on", "on"),
        ("017", "017"),
        ("1_000", "1_000"),
        ("2026-01-01", "2026-01-01"),
        ("true", True),
        ("17", 17),
        ("-12", -12),
        ("1.5e3", 1500.0),
        ("-.inf", float("-inf")),
        ("~", None),
        ("", None),
        ("!!str 5", "5"),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: Any) -> None:
    assert load_yaml(f"a: {text}", "f").data == {"a": value}


def test_mapping_keys_stay_the_text_that_was_written() -> None:
    assert load_yaml("1.10: a\n017: b\nno: c\n", "f").data == {"1.10": "a", "017": "b", "no": "c"}


def test_an_error_names_file_line_column_and_field() -> None:
    assert _errors("rules:\n  - id: a\n    hold: soon\n") == [
        "rules.yaml:3:11: rules.0.hold: 'soon' is no duration; write it like 90s, 10m, 1h30m or 14d"
    ]


def test_a_missing_field_is_reported_at_the_mapping_that_lacks_it() -> None:
    assert _errors("rules:\n  - hold: 1m\n  - id: b\n    limit: 3\n") == [
        "rules.yaml:2:5: rules.0.id: is missing",
        "rules.yaml:4:12: rules.1.limit: is no field known here",
    ]


def test_tags_of_unions_in_a_location_are_passed_over() -> None:
    document = load_yaml("rules:\n  - id: a\n    when: x\n", "f")
    assert document.mark(("rules", 0, "condition", "when")) == document.mark(("rules", 0, "when")) == (3, 11)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a: 1\na: 2\n", "f:2:1: a: stands here a second time"),
        ("a: &x [*x]", "f:1:4: a.0: an alias must not contain itself"),
        ("a: !!python/name:os.system x", "f:1:4: a: the tag tag:yaml.org,2002:python/name:os.system is not supported"),
        ("? [a]\n: b", "f:1:3: a key must be plain text"),
        ("a: 1\n---\nb: 2", "f:2:1: but found another document"),
        ("a: \x01", "f:1:1: the character U+0001 is not allowed in YAML"),
        ("- !!int x", "f:1:3: 0: 'x' is no int"),
        ("[" * 20_000, "f:1:1: is nested deeper than 64 levels"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, error: str) -> None:
    with pytest.raises(InvalidFileError) as caught:
        load_yaml(text, "f")
    assert str(caught.value) == error


def test_a_merge_key_and_a_duration_beyond_all_calendars_are_refused_with_their_place() -> None:
    with pytest.raises(InvalidFileError, match=r"f:2:5: b.<<: merge keys are not supported; write"):
        load_yaml("a: &x {c: 1}\nb: {<<: *x, d: 2}\n", "f")
    for text in ("36501d", "99999999999d", "9" * 400 + "d"):
        with pytest.raises(ValueError, match="is longer than 36500d, which is the most"):
            parse_duration(text)
    assert parse_duration("36500d") == timedelta(days=36_500)


def test_nested_aliases_do_not_grow_exponentially() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 40)]
    data = load_yaml("\n".join(lines), "f").data
    assert data["a39"][0] is data["a38"]


def test_all_errors_of_a_file_are_reported_in_the_order_of_its_lines() -> None:
    with pytest.raises(InvalidFileError) as caught:
        load_yaml("b: 1\nb: 2\nc: !x 1\n", "f")
    assert caught.value.errors == (
        FileError("f", 2, 1, "b", "stands here a second time"),
        FileError("f", 3, 4, "c", "the tag !x is not supported"),
    )


def test_many_brackets_are_refused_and_do_not_end_the_process() -> None:
    for text in ("[" * 300_000, "- " * 300_000, "{a: " * 300_000):
        with pytest.raises(InvalidFileError, match="is nested deeper than 64 levels"):
            load_yaml(text, "f")


_PIECES = ("a: ", "b: ", "- ", "\n", "\n  ", '"x"', "'y'", "|\n  t\n", "[", "]", "{", "}", ", ", "# c\n", "ü", "\r\n")


@given(st.lists(st.sampled_from(_PIECES), max_size=12).map("".join))
def test_values_and_their_places_do_not_depend_on_which_scanner_read_them(text: str) -> None:
    with suppress(yaml.YAMLError):
        by_libyaml = _root(_Composer(text))
        with_python = _root(_PlainComposer(text))
        assert list(_scalars(by_libyaml)) == list(_scalars(with_python))


def _scalars(node: yaml.Node | None) -> Iterator[tuple[object, ...]]:
    if isinstance(node, yaml.ScalarNode):
        yield node.tag, node.value, node.start_mark.index, node.end_mark.index, node.start_mark.line
    elif node is not None:
        for child in node.value:
            for part in child if isinstance(child, tuple) else (child,):
                yield from _scalars(part)


@given(st.text())
def test_any_text_is_read_or_refused_as_an_invalid_file(text: str) -> None:
    with suppress(InvalidFileError):
        load_yaml(text, "f")
