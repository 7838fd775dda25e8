"""A comparison decided without the CEL library says what the library says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_models.event import Value
from rules.expression import NoSample, Scope, compile_expression

NUMBERS = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0.0, -0.0, 1.0, -12.0, 5e-324]))
VALUES: st.SearchStrategy[Value] = st.one_of(NUMBERS, st.integers(), st.booleans(), st.text(max_size=5))
OPERATORS = st.sampled_from([">", ">=", "<", "<=", "==", "!="])
FORMS = st.sampled_from(["{field} {op} {number}", "{number} {op} {field}", "(({field}) {op} ({number}))"])


def by_library(source: str, values: dict[str, Value]) -> Any:
    expression = compile_expression(source)
    object.__setattr__(expression, "plain", None)
    return expression.evaluate(Scope(values, expression.variables))


@given(FORMS, OPERATORS, NUMBERS, VALUES, st.booleans())
def test_it_agrees_with_the_library_on_every_value(form: str, op: str, number: float, value: Value, same: bool) -> None:
    # CEL knows no exponent without a point and no sign of its own in a literal, but takes both as Python writes them.
    source = form.format(field="temperature", op=op, number=f"{number:.25f}")
    values: dict[str, Value] = {"temperature": number if same else value}
    expression = compile_expression(source)
    assert expression.plain is not None
    said = expression.evaluate(Scope(values, expression.variables))
    expected = by_library(source, values)
    assert type(said) is type(expected)
    if not isinstance(said, NoSample):
        assert said is expected


LEAVES = st.sampled_from(["a > 1", "1.5 >= a", "b < -2", "c", "d", "!c", "(a == 1)", "!(b != 2)", "!d"])


def joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    signs = st.sampled_from(["{} && {}", "{} || {}", "({}) && {}", "{} || ({})", "!({} && {})", "({} || {})"])
    return st.builds(lambda sign, one, other: sign.format(one, other), signs, inner, inner)


SAID = st.dictionaries(
    st.sampled_from("abcd"), st.sampled_from([0.0, 1.0, 2.0, -3.0, 1, True, False, "x", float("nan")]), max_size=4
)


@given(st.recursive(LEAVES, joined, max_leaves=6), SAID)
def test_whatever_is_joined_agrees_with_the_library(source: str, values: dict[str, Value]) -> None:
    expression = compile_expression(source)
    assert expression.plain is not None
    said, expected = expression.evaluate(Scope(values, expression.variables)), by_library(source, values)
    assert type(said) is type(expected)
    assert isinstance(said, NoSample) or said is expected


@pytest.mark.parametrize(
    "source",
    ["a > 1 || true", "a > 1 ? true : false", "a > b", "a + 1 > 2", "a % 2 == 0", "a == 'x'", "!c == d", "c == true"],
)
def test_anything_more_is_the_librarys(source: str) -> None:
    assert compile_expression(source).plain is None


def test_what_is_no_double_is_left_to_the_library() -> None:
    plain = compile_expression("a > 1").plain
    assert plain is not None
    for value in (2, True, "2", float("nan")):
        assert plain({"a": value}) is None
    assert plain({}) is None
    assert plain({"a": 2.0}) is True
