"""The settings of a condition that can be tuned: its limits, ``for`` and hysteresis, and the rule with others."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from device_models.duration import format_duration
from rules.conditions.cel_syntax import Comparison, tokens_of
from rules.expression import Limit, compile_expression
from rules.kinds.condition import ConditionRule

_OPPOSITE = {"above": "below", "below": "above"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to set a condition: which limit of ``when`` stands where, how long it holds, where it clears."""

    index: int
    """Which of ``limits_of(rule)``."""
    limit: float
    hold: timedelta
    gap: float | None
    """How far behind the limit it clears, in the field's unit; None: as soon as the condition does not hold."""


def limits_of(rule: ConditionRule) -> tuple[Limit, ...]:
    """Return the limits of ``when``, in the order of the text."""
    return compile_expression(rule.when).limits


def present(rule: ConditionRule, index: int) -> Setting:
    """Read how the rule is set, seen from one of its limits."""
    limit = limits_of(rule)[index]
    clear = clear_limit(rule, limit)
    return Setting(index, limit.limit, rule.hold, abs(limit.limit - clear.limit) if clear else None)


def clear_limit(rule: ConditionRule, limit: Limit) -> Limit | None:
    """Return the limit of ``clear_when`` on the same field and from the other side; None where there is none."""
    if rule.clear_when is None:
        return None
    found = compile_expression(rule.clear_when).limits
    return next((c for c in found if c.field == limit.field and c.direction == _OPPOSITE[limit.direction]), None)


def with_setting(rule: ConditionRule, setting: Setting) -> ConditionRule:
    """Return the rule set so. Raises ValidationError where that is no rule."""
    limit = limits_of(rule)[setting.index]
    changed: dict[str, object] = {
        "when": with_limit(rule.when, limit, setting.limit, setting.index),
        "for": format_duration(setting.hold),
    }
    if setting.gap is not None:
        behind = setting.limit - setting.gap if limit.direction == "above" else setting.limit + setting.gap
        behind = round(behind, 9)
        clear = clear_limit(rule, limit)
        if clear is not None and rule.clear_when is not None:
            index = compile_expression(rule.clear_when).limits.index(clear)
            changed["clear_when"] = with_limit(rule.clear_when, clear, behind, index)
        elif rule.clear_when is None:
            sign: Literal["<", ">"] = "<" if limit.direction == "above" else ">"
            changed["clear_when"] = f"{_named(rule.when, limit, setting.index)} {sign} {number(behind)}"
    written = rule.model_dump(mode="json", by_alias=True, exclude_defaults=True) | {"kind": rule.kind} | changed
    return ConditionRule.model_validate(written)


def with_limit(source: str, limit: Limit, value: float, index: int) -> str:
    """Write another number in place of one limit of an expression, and leave the rest of its text alone."""
    if value == limit.limit:
        return source
    begin, end = literal_span(source, _comparison(source, index))
    return f"{source[:begin]}{number(value)}{source[end:]}"


def literal_span(source: str, comparison: Comparison) -> tuple[int, int]:
    """Return where in ``source`` the literal of a comparison with a number stands, its minus included."""
    tokens = tokens_of(source)
    after = next((i for i, token in enumerate(tokens) if token.start >= comparison.reference.end), len(tokens))
    before = next(i for i, token in enumerate(tokens) if token.start == comparison.reference.start) - 1
    while after < len(tokens) and tokens[after].text == ")":
        after += 1
    if after + 1 < len(tokens) and tokens[after].text in ("<", "<=", ">", ">="):
        first = last = after + 1
        while tokens[first].text == "(":
            first = last = first + 1
        if tokens[first].text == "-":
            last = first + 1
        return tokens[first].start, tokens[last].end
    while tokens[before].text == "(":
        before -= 1
    last = first = before - 1
    while tokens[last].text == ")":
        last = first = last - 1
    if first and tokens[first - 1].text == "-":
        first -= 1
    return tokens[first].start, tokens[last].end


def number(value: float) -> str:
    """Write a number as a person would: ``-12``, ``0.25``."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _comparison(source: str, index: int) -> Comparison:
    expression = compile_expression(source)
    drawn = [c for c, draws in expression.comparisons if draws and c.op in ("<", "<=", ">", ">=")]
    return [c for c in drawn if type(c.literal) is float][index]


def _named(source: str, limit: Limit, index: int) -> str:
    reference = _comparison(source, index).reference
    return source[reference.start : reference.end] or limit.field
