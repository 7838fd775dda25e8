from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.expression import Expression, ExpressionError, Limit, NoSample, Scope, compile_expression, problems


def evaluate(source: str, **values: Any) -> bool | NoSample:
    expression = compile_expression(source)
    return expression.evaluate(Scope(values, expression.variables))


@given(st.one_of(st.integers(-1000, 1000), st.floats(-1000, 1000)), st.integers(-1000, 1000))
def test_a_whole_number_in_a_rule_compares_with_whole_and_broken_values(value: float, limit: int) -> None:
    assert evaluate(f"temperature > {limit}", temperature=value) is (value > limit)
    assert evaluate(f"temperature - 1 >= {limit} - 1", temperature=value) is (float(value) - 1 >= float(limit) - 1)


def test_whole_and_broken_fields_can_be_subtracted() -> None:
    assert evaluate("flow - back > 5", flow=40, back=34.5) is True


def test_modulo_works_on_numbers_that_arrive_as_doubles() -> None:
    assert evaluate("code % 2 == 1", code=17.0) is True


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        ("temperature > -12", ("temperature",)),
        ("values['DS18B20-1.Temperature'] > 3", ("DS18B20-1.Temperature",)),
        ('values["a-b"] > 3 && values["a.b"] > 3', ("a-b", "a.b")),
        ("battery.level < 10", ("battery.level",)),
        ("state.startsWith('x') && state == \"it's temperature > 3\"", ("state",)),
        ("[1, 2].exists(x, x == mode)", ("mode",)),
        ("a > 1 // b > 2", ("a",)),
    ],
)
def test_the_fields_an_expression_reads_are_known(source: str, fields: tuple[str, ...]) -> None:
    assert compile_expression(source).fields == fields


def test_names_that_differ_only_in_punctuation_stay_apart() -> None:
    expression = compile_expression("values['a-b'] > values['a.b']")
    assert expression.evaluate(Scope({"a-b": 2, "a.b": 1}, expression.variables)) is True
    assert expression.evaluate(Scope({"a-b": 1, "a.b": 2}, expression.variables)) is False


@pytest.mark.parametrize("value", [None, "warm", True, float("nan")])
def test_what_cannot_be_compared_is_no_sample_and_says_why(value: object) -> None:
    values = {} if value is None else {"temperature": value}
    result = evaluate("temperature > -12", **values)
    assert isinstance(result, NoSample)
    assert "temperature is" in result.reason


def test_a_missing_field_matters_only_where_the_other_side_does_not_decide() -> None:
    assert evaluate("door_open && temperature > 3", door_open=False) is False
    assert evaluate("door_open || temperature > 3", door_open=True) is True
    assert evaluate("door_open && temperature > 3", door_open=True) == NoSample("temperature is missing")


def test_a_number_is_neither_true_nor_false() -> None:
    assert isinstance(evaluate("temperature + 1", temperature=3), NoSample)


@pytest.mark.parametrize(
    ("source", "limits"),
    [
        ("temperature > -12", (Limit("temperature", -12.0, "above"),)),
        ("-12 < temperature", (Limit("temperature", -12.0, "above"),)),
        ("(pressure) <= (1.2)", (Limit("pressure", 1.2, "below"),)),
        ("a > 1 && (b < 2 || c >= 3u)", (Limit("a", 1.0, "above"), Limit("b", 2.0, "below"), Limit("c", 3.0, "above"))),
        ("!(a > 1)", ()),
        ("a - b > 1", ()),
        ("state == 'open'", ()),
        ("a > 1 ? b > 2 : c > 3", ()),
    ],
)
def test_limits_that_a_chart_can_draw_are_found(source: str, limits: tuple[Limit, ...]) -> None:
    assert compile_expression(source).limits == limits


@pytest.mark.parametrize(
    ("source", "offset", "message"),
    [
        ("temperature >", 13, "no CEL expression"),
        ("temperature > 5 and door_open", 16, "no CEL expression"),
        ("a > 1\n&& b >", 12, "no CEL expression"),
        ("a > 1 && values[b] > 2", 9, "name in quotes"),
        ("1 > 2", 0, "reads no field"),
    ],
)
def test_an_unusable_expression_says_where(source: str, offset: int, message: str) -> None:
    with pytest.raises(ExpressionError, match=message) as raised:
        compile_expression(source)
    assert raised.value.offset == offset


@pytest.mark.parametrize(
    ("source", "message", "offset"),
    [
        ("temperature == 'warm'", "temperature is a number and is compared with a text", 0),
        ("temperature > 1 && 1 < state", "state is a text and is compared with a number", 23),
        ("door_open == 1", "door_open is true or false and is compared with a number", 0),
        ("size(temperature) > 1", "can never be true or false", 0),
        ("temperature + 1", "can never be true or false", 0),
    ],
)
def test_types_that_do_not_fit_are_found_before_any_device_speaks(source: str, message: str, offset: int) -> None:
    found = problems(compile_expression(source), {"temperature": "number", "state": "text", "door_open": "bool"})
    assert [(message in problem.message, problem.offset) for problem in found] == [(True, offset)]


@pytest.mark.parametrize("source", ["temperature > 1", "door_open", "state == 'a' && !door_open", "anything == 3"])
def test_types_that_fit_are_no_problem(source: str) -> None:
    types = {"temperature": "number", "state": "text", "door_open": "bool", "anything": None}
    assert problems(compile_expression(source), types) == []  # type: ignore[arg-type]


@given(st.text(max_size=60))
def test_compiling_any_text_ends_in_an_expression_or_an_error_with_a_place_inside_it(source: str) -> None:
    outcome = tried(source)
    if isinstance(outcome, ExpressionError):
        assert 0 <= outcome.offset <= len(source)
    else:
        assert outcome.fields


def tried(source: str) -> Expression | ExpressionError:
    try:
        return compile_expression(source)
    except ExpressionError as error:
        return error
