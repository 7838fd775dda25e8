"""Conditions in CEL: compiled once, evaluated over the twin, and looked into for checks and explanations.

Numbers are doubles throughout: CEL coerces nothing, so ``power - 1`` would fail for 3.5 and a device that sends 80
one minute and 80.5 the next would be heard only half of the time. Whole-number literals are therefore written as
doubles before compiling (``1`` → ``1.0``), save at ``%`` and in an index, where CEL wants an int.
"""

import itertools
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import cel

from device_models.event import Value
from rules.cel_syntax import Comparison, Reference, Token, UnnamedFieldError, comparisons_of, references_of, tokens_of

MAX_LENGTH = 2000
"""Characters of one expression."""

FieldType = Literal["number", "text", "bool"]

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)
_POSITION = re.compile(r"<input>:(\d+):(\d+): (.*)")
_DIRECTIONS: Mapping[str, Literal["above", "below"]] = {">": "above", ">=": "above", "<": "below", "<=": "below"}
_EXAMPLES: Mapping[FieldType, tuple[Value, ...]] = {"number": (1.0,), "text": ("a",), "bool": (True, False)}


class ExpressionError(ValueError):
    """An expression that cannot be used; ``offset`` says where in its text."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


class NoSample(NamedTuple):
    """The expression says neither yes nor no; the rule's state stays as it is."""

    reason: str
    """``temperature is missing``, ``temperature is the text 'n/a'``."""


class Limit(NamedTuple):
    """A limit that a chart can draw for a field."""

    field: str
    limit: float
    direction: Literal["above", "below"]
    """On which side of the limit the condition holds."""


class Problem(NamedTuple):
    """Something wrong with an expression for the fields there are."""

    message: str
    offset: int


class Scope:
    """The twin's values as CEL variables; made once per event and shared by all expressions evaluated for it."""

    __slots__ = ("_context", "_variables", "values")

    def __init__(self, values: Mapping[str, Value], variables: Iterable[tuple[str, str]]) -> None:
        """``variables`` are the (field, variable) pairs that may be read in this scope."""
        self.values = values
        self._variables = variables
        self._context: cel.Context | None = None

    @property
    def context(self) -> cel.Context:
        """The library's context, made when first needed. A missing field is an undefined variable."""
        if self._context is None:
            values = self.values
            known = {
                variable: float(value) if type(value) is int else value
                for field, variable in self._variables
                if (value := values.get(field)) is not None
            }
            self._context = cel.Context(known)
        return self._context


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """One compiled condition."""

    source: str
    fields: tuple[str, ...]
    """The fields it reads, in the order of the text, each once."""
    variables: tuple[tuple[str, str], ...]
    """(field, CEL variable) of each, for ``Scope``."""
    references: tuple[Reference, ...]
    comparisons: tuple[tuple[Comparison, bool], ...]
    _execute: Callable[[cel.Context], object]

    def evaluate(self, scope: Scope) -> "bool | NoSample":
        """Tell whether the condition holds, or why that cannot be told."""
        try:
            result = self._execute(scope.context)
        except (RuntimeError, TypeError, ValueError, LookupError, ArithmeticError) as error:
            # CEL's && and || are satisfied by one side alone, so a missing field is an error only where it matters.
            return NoSample(self._reason(scope.values, error))
        if result is True or result is False:
            return result
        return NoSample(f"gives {result!r}, which is neither true nor false")

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The limits of its simple comparisons, such as ``temperature > -12``, in the order of the text."""
        return tuple(
            Limit(comparison.reference.field, comparison.literal, _DIRECTIONS[comparison.op])
            for comparison, draws in self.comparisons
            if draws and comparison.op in _DIRECTIONS and type(comparison.literal) is float
        )

    def _reason(self, values: Mapping[str, Value], error: Exception) -> str:
        missing = [field for field in self.fields if field not in values]
        if missing:
            return f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        said = ", ".join(f"{field} is {_described(values[field])}" for field in self.fields)
        return f"{said}: {_first_sentence(error)}"


def compile_expression(source: str) -> Expression:
    """Compile a condition; raises ExpressionError with the offset of what is wrong."""
    if len(source) > MAX_LENGTH:
        raise ExpressionError(f"is {len(source)} characters long; {MAX_LENGTH} are the most", MAX_LENGTH)
    _compile(source, source)
    tokens = tokens_of(source)
    try:
        references = references_of(tokens)
    except UnnamedFieldError as error:
        raise ExpressionError(str(error), error.offset) from error
    if not references:
        raise ExpressionError("reads no field, so no event could ever change it")
    fields = tuple(dict.fromkeys(reference.field for reference in references))
    program = _compile(_in_doubles(source, tokens, references), source)
    return Expression(
        source=source,
        fields=fields,
        variables=tuple((field, _variable(field)) for field in fields),
        references=tuple(references),
        comparisons=tuple(comparisons_of(tokens, references)),
        _execute=program.execute,
    )


def problems(expression: Expression, types: Mapping[str, FieldType | None]) -> list[Problem]:
    """Check an expression against the fields of a profile: text compared with a number, a truth value with 1, ….

    ``types`` has each known field; None where its type is not known. Fields that are not in it are the caller's.
    """
    found = []
    for comparison, _ in expression.comparisons:
        expected = types.get(comparison.reference.field)
        given = _type_of(comparison.literal)
        if expected is not None and given is not None and expected != given:
            article = {"number": "a number", "text": "a text", "bool": "true or false"}
            message = f"{comparison.reference.field} is {article[expected]} and is compared with {article[given]}"
            found.append(Problem(message, comparison.reference.start))
    if not found and all(field in types for field in expression.fields):
        found.extend(_rehearse(expression, types))
    return found


def _rehearse(expression: Expression, types: Mapping[str, FieldType | None]) -> list[Problem]:
    """Run the expression over example values of the right types: nothing else finds ``size(power) > 1``."""
    choices = [
        _EXAMPLES[kind] if (kind := types[field]) else tuple(itertools.chain(*_EXAMPLES.values()))
        for field in expression.fields
    ]
    reason = ""
    for combination in itertools.islice(itertools.product(*choices), 256):
        values = dict(zip(expression.fields, combination, strict=True))
        result = expression.evaluate(Scope(values, expression.variables))
        if not isinstance(result, NoSample):
            return []
        reason = result.reason
    return [Problem(f"can never be true or false: {reason}", 0)]


def _compile(rewritten: str, source: str) -> cel.Program:
    try:
        return cel.compile(rewritten)
    except ValueError as error:
        match = _POSITION.search(str(error))
        if match is None:
            raise ExpressionError(str(error)) from error
        line, column, message = int(match[1]), int(match[2]), match[3].removeprefix("Syntax error: ")
        # The library lists every token it could have gone on with; the first part says what is wrong.
        message = message.split(" expecting ")[0]
        offset = sum(len(part) + 1 for part in source.split("\n")[: line - 1]) + column - 1
        raise ExpressionError(f"is no CEL expression: {message}", min(offset, len(source))) from error


def _in_doubles(source: str, tokens: list[Token], references: list[Reference]) -> str:
    """Write whole numbers as doubles and every field as a plain variable."""
    edits: list[tuple[int, int, str]] = []
    starts = {reference.start for reference in references}
    for index, token in enumerate(tokens):
        if token.kind == "int" and token.start not in starts and not _wants_int(tokens, index):
            number = int(token.text, 16) if token.text[:2].lower() == "0x" else int(token.text)
            edits.append((token.start, token.end, f"{number}.0"))
    ends = {token.end: index for index, token in enumerate(tokens)}
    begins = {token.start: index for index, token in enumerate(tokens)}
    for reference in references:
        variable = _variable(reference.field)
        after, before = ends[reference.end] + 1, begins[reference.start] - 1
        modulo = (after < len(tokens) and tokens[after].text == "%") or (before >= 0 and tokens[before].text == "%")
        edits.append((reference.start, reference.end, f"int({variable})" if modulo else variable))
    for start, end, text in sorted(edits, reverse=True):
        source = source[:start] + text + source[end:]
    return source


def _wants_int(tokens: list[Token], index: int) -> bool:
    around = (tokens[index - 1].text if index else "", tokens[index + 1].text if index + 1 < len(tokens) else "")
    if "%" in around:
        return True
    indexed = index > 1 and (tokens[index - 2].kind in ("name", "text") or tokens[index - 2].text in (")", "]"))
    return around == ("[", "]") and indexed


def _variable(field: str) -> str:
    if _IDENTIFIER.match(field):
        return field
    # The digest keeps apart what the underscores make alike: ``a-b`` and ``a.b``.
    return f"{re.sub(r'[^A-Za-z0-9]', '_', field)}_{zlib.crc32(field.encode()):08x}".lstrip("0123456789") or "_"


def _type_of(literal: Value | None) -> FieldType | None:
    if literal is None:
        return None
    if isinstance(literal, bool):
        return "bool"
    return "text" if isinstance(literal, str) else "number"


def _described(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"the text '{value[:40]}'" if isinstance(value, str) else f"{value}"


def _first_sentence(error: Exception) -> str:
    return str(error).split(". ")[0].rstrip(".")
