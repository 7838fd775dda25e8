"""Conditions of comparisons with numbers and of truth values, decided without the CEL library.

``temperature > -14 && mains_ok`` is what most rules say and most events are held against; making CEL's context costs
more than all the rest of deciding it. CEL compares doubles as Python does (IEEE 754) and reads ``&&`` and ``||`` from
the left, so the answer is the same; wherever a value is missing or of another type the library is asked. A property
test holds the two against each other.
"""

import operator
from collections.abc import Callable, Mapping, Sequence

from device_models.event import Value
from rules.conditions.cel_syntax import Reference, Token, comparisons_of, split_at, without_parentheses

Decide = Callable[[Mapping[str, Value]], bool | None]
"""Tell whether the condition holds for these values; None: ask the library."""

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


def plain_decision(tokens: Sequence[Token], references: Sequence[Reference]) -> Decide | None:
    """Return how to decide an expression without the library; None where it has more than this module knows."""
    return _decision(list(tokens), {reference.start: reference for reference in references})


def _decision(tokens: list[Token], references: Mapping[int, Reference]) -> Decide | None:
    tokens = without_parentheses(tokens)
    if len(split_at(tokens, ("?", ":"))) > 1:
        return None
    for sign, settles in (("||", True), ("&&", False)):
        parts = split_at(tokens, (sign,))
        if len(parts) > 1:
            decisions = [_decision(part, references) for part in parts]
            known = [decision for decision in decisions if decision is not None]
            return _joined(known, settles) if len(known) == len(parts) else None
    if not tokens:
        return None
    if tokens[0].text == "!":
        # Of what follows "!" without parentheses only a field is sure to be all that it turns round.
        rest = without_parentheses(tokens[1:])
        inner = _decision(rest, references) if len(rest) < len(tokens) - 1 else _truth(rest, references)
        return _turned(inner) if inner is not None else None
    return _truth(tokens, references) or _comparison(tokens, references)


def _truth(tokens: list[Token], references: Mapping[int, Reference]) -> Decide | None:
    reference = references.get(tokens[0].start) if tokens else None
    if reference is None or tokens[-1].end != reference.end:
        return None
    field = reference.field

    def decide(values: Mapping[str, Value]) -> bool | None:
        value = values.get(field)
        return value if value is True or value is False else None

    return decide


def _comparison(tokens: list[Token], references: Mapping[int, Reference]) -> Decide | None:
    found = comparisons_of(tokens, list(references.values()))
    if len(found) != 1:
        return None
    comparison, _ = found[0]
    literal, field, compare = comparison.literal, comparison.reference.field, _OPERATORS.get(comparison.op)
    if type(literal) is not float or compare is None:
        return None

    def decide(values: Mapping[str, Value]) -> bool | None:
        value = values.get(field)
        # NaN is no sample.
        return compare(value, literal) if type(value) is float and value == value else None

    return decide


def _turned(inner: Decide) -> Decide:
    def decide(values: Mapping[str, Value]) -> bool | None:
        said = inner(values)
        return None if said is None else not said

    return decide


def _joined(parts: Sequence[Decide], settles: bool) -> Decide:
    """Decide ``||``, which True settles, or ``&&``, which False does."""

    def decide(values: Mapping[str, Value]) -> bool | None:
        for part in parts:
            said = part(values)
            if said is None or said is settles:
                return said
        return not settles

    return decide
