"""What pydantic and PyYAML find wrong with a file, as sentences of our own; what is not known here stays as it is."""

import re
from collections.abc import Mapping
from typing import Any

from device_models.sentences import Sentence, sentence

MISSING = "is missing"
UNKNOWN = "is no field known here"
SCHEMA: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "missing": (MISSING, ()),
    "extra_forbidden": (UNKNOWN, ()),
    "greater_than": ("input should be greater than {1}", ("gt",)),
    "greater_than_equal": ("input should be greater than or equal to {1}", ("ge",)),
    "less_than": ("input should be less than {1}", ("lt",)),
    "less_than_equal": ("input should be less than or equal to {1}", ("le",)),
    "finite_number": ("input should be a finite number", ()),
    "literal_error": ("input should be {1}", ("expected",)),
    "enum": ("input should be {1}", ("expected",)),
    "bool_type": ("input should be a valid boolean", ()),
    "bool_parsing": ("input should be a valid boolean, unable to interpret input", ()),
    "int_type": ("input should be a valid integer", ()),
    "int_parsing": ("input should be a valid integer, unable to parse string as an integer", ()),
    "int_from_float": ("input should be a valid integer, got a number with a fractional part", ()),
    "float_type": ("input should be a valid number", ()),
    "float_parsing": ("input should be a valid number, unable to parse string as a number", ()),
    "string_type": ("input should be a valid string", ()),
    "string_pattern_mismatch": ("string should match pattern '{1}'", ("pattern",)),
    "list_type": ("input should be a valid list", ()),
    "tuple_type": ("input should be a valid tuple", ()),
    "dict_type": ("input should be a valid dictionary", ()),
}
"""By pydantic's type of error: what it says, and which parts of its context stand in it."""
YAML = (
    "mapping values are not allowed here",
    "mapping values are not allowed in this context",
    "could not find expected ':'",
    "found character {1} that cannot start any token",
    "found unexpected end of stream",
    "found undefined alias {1}",
    "found unknown escape character {1}",
    "expected <block end>, but found {1}",
    "expected the node content, but found {1}",
    "expected ',' or ']', but got {1}",
    "expected ',' or '}', but got {1}",
    "expected a single document in the stream",
)
"""What is wrong with a text that is no YAML, oftenest."""


def said_by_schema(detail: Mapping[str, Any]) -> str:
    """Say one of pydantic's errors (``ValidationError.errors()``) in this project's words."""
    context = detail.get("ctx") or {}
    # What our own validators raised comes with it, and a condition's error as its ``reason``.
    own = getattr(context.get("error"), "args", (None,))[:1] or (None,)
    for known in (own[0], context.get("reason")):
        if isinstance(known, Sentence):
            return known
    message = str(detail["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    message = message[:1].lower() + message[1:] if message.startswith(("Input ", "String ")) else message
    template, names = SCHEMA.get(detail["type"], ("", ()))
    if not all(name in context for name in names):
        return message
    made = sentence(template, *(_shown(context[name]) for name in names))
    # Whatever a newer release words otherwise is better told as it tells it.
    return made if made == message or template in (MISSING, UNKNOWN) else message


def _shown(value: object) -> object:
    return f"{value:.16g}" if isinstance(value, float) else value


def said_by_yaml(problem: str) -> str:
    """Recognise what PyYAML says is wrong."""
    for template in YAML:
        pattern = "(.+)".join(map(re.escape, template.split("{1}")))
        if found := re.fullmatch(pattern, problem):
            return sentence(template, *found.groups())
    return problem
