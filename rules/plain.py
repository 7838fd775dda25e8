"""Conditions that are one comparison of a field with a number, decided without the CEL library.

``temperature > -12`` is what most rules say and what most events are held against; making CEL's context costs more than
all the rest of deciding it. CEL compares doubles as Python does (IEEE 754), so the answer is the same, and whatever is
not a double is left to the library. A property test holds the two against each other.
"""

import operator
from collections.abc import Callable, Mapping, Sequence

from device_models.event import Value
from rules.cel_syntax import Comparison, Token

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
_LOGICAL = frozenset({"!", "&&", "||", "?", ":"})


def plain_decision(tokens: Sequence[Token], comparisons: Sequence[tuple[Comparison, bool]]) -> Decide | None:
    """Return how to decide an expression that is a single comparison and nothing else; None for any other."""
    if len(comparisons) != 1 or any(token.text in _LOGICAL for token in tokens):
        return None
    comparison, _ = comparisons[0]
    literal, field, compare = comparison.literal, comparison.reference.field, _OPERATORS.get(comparison.op)
    if type(literal) is not float or compare is None:
        return None

    def decide(values: Mapping[str, Value]) -> bool | None:
        value = values.get(field)
        # NaN is no sample.
        return compare(value, literal) if type(value) is float and value == value else None

    return decide
