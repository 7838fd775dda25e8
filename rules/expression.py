"""Conditions in CEL: compiled once, evaluated over the twin, and looked into for checks and explanations.

Numbers are doubles throughout: CEL coerces nothing, so ``power - 1`` would fail for 3.5 and a device that sends 80
one minute and 80.5 the next would be heard only half of the time. Whole-number literals are therefore written as
doubles before compiling (``1`` → ``1.0``), save at ``%`` and in an index, where CEL wants an int.
"""

import itertools
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

import cel

from device_models.event import Value
from device_models.profile import DeviceProfile
from device_models.sentences import sentence, words_of
from rules.conditions.called import Around, turns_at, values_of
from rules.conditions.cel_syntax import (
    Comparison,
    MisplacedError,
    Reference,
    Token,
    comparisons_of,
    references_of,
    tokens_of,
)
from rules.conditions.functions import AGES, CLOCK, RUNNING, Call, calls_of, durations_of, without_calls
from rules.conditions.plain import Decide, plain_decision

MAX_LENGTH = 2000
"""Characters of one expression."""

FieldType = Literal["number", "text", "bool"]

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)
_POSITION = re.compile(r"<input>:(\d+):(\d+): (.*)")
_LEVELS = frozenset({"avg", "min", "max"})
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

    __slots__ = ("_calls", "_context", "_variables", "around", "called", "values")

    def __init__(
        self,
        values: Mapping[str, Value],
        variables: Iterable[tuple[str, str]],
        calls: Iterable[Call] = (),
        around: Around | None = None,
    ) -> None:
        """``variables`` are the (field, variable) pairs that may be read in this scope, ``calls`` what may be called;
        without ``around`` nothing that is called is known."""
        self.values = values
        self.around = around
        self.called: Mapping[str, Value] = {}
        """What was called, by variable; known once ``context`` was asked for."""
        self._variables = variables
        self._calls = calls
        self._context: cel.Context | None = None

    def told(self, calls: Iterable[Call]) -> dict[str, Value]:
        """Return what calls give, as an explanation shows it: ``{"age(…)": 630.0}``."""
        values = values_of(calls, self.around) if self.around else {}
        return {call.text: _readable(call, values[call.variable]) for call in calls if call.variable in values}

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
            if self._calls and self.around is not None:
                self.called = values_of(self._calls, self.around)
                known |= self.called
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
    """Where it reads fields, and where calls of ours stand."""
    comparisons: tuple[tuple[Comparison, bool], ...]
    plain: Decide | None
    """Decides comparisons with numbers and truth values; None for an expression that has more."""
    calls: tuple[Call, ...]
    """What it calls of our functions, each once."""
    found_calls: tuple[Call, ...]
    """Every place where it does, in the order of the text."""
    _turning: tuple[tuple[Call, str | None, float | None], ...]
    _execute: Callable[[cel.Context], object]

    def evaluate(self, scope: Scope) -> "bool | NoSample":
        """Tell whether the condition holds, or why that cannot be told."""
        if self.plain is not None and (decided := self.plain(scope.values)) is not None:
            return decided
        try:
            result = self._execute(scope.context)
        except (RuntimeError, TypeError, ValueError, LookupError, ArithmeticError) as error:
            # CEL's && and || are satisfied by one side alone, so a missing field is an error only where it matters.
            return NoSample(self._reason(scope, error))
        if result is True or result is False:
            return result
        return NoSample(f"gives {result!r}, which is neither true nor false")

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The limits of its simple comparisons, such as ``temperature > -12``, in the order of the text."""
        return tuple(
            Limit(comparison.reference.field, comparison.literal, _DIRECTIONS[comparison.op])
            for comparison, draws in self.comparisons
            if draws and comparison.op in _DIRECTIONS and type(comparison.literal) is float and _draws(self, comparison)
        )

    @property
    def moves_by_time(self) -> bool:
        """Whether its answer may become another when nothing is heard."""
        return bool(self._turning)

    def turns_at(self, around: Around) -> datetime | None:
        """Return when its answer may become another by time alone; None: never, or not beforehand to be told."""
        turns = (turns_at(call, op, literal, around) for call, op, literal in self._turning)
        return min((turn for turn in turns if turn is not None), default=None)

    def _reason(self, scope: Scope, error: Exception) -> str:
        values = scope.values
        missing = [field for field, _ in self.variables if field not in values]
        missing += [call.text for call in self.calls if call.variable not in scope.called]
        if missing:
            return f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        said = ", ".join(f"{field} is {_described(values[field])}" for field, _ in self.variables)
        return f"{said}: {_first_sentence(error)}"


def compile_expression(source: str, profile: DeviceProfile | None = None) -> Expression:
    """Compile a condition; raises ExpressionError with the offset of what is wrong.

    With ``profile`` its nominal values stand where the condition calls for them; without they are unknown.
    """
    if len(source) > MAX_LENGTH:
        raise ExpressionError(sentence("is {1} characters long; {2} are the most", len(source), MAX_LENGTH), MAX_LENGTH)
    _compile(source, source)
    try:
        text = source if profile is None else _with_nominals(source, profile)
        tokens = tokens_of(text)
        called = calls_of(tokens)
        tokens = _with_seconds(without_calls(tokens, called), text)
        references = _called_too(references_of(tokens), called)
    except MisplacedError as error:
        raise ExpressionError(words_of(error), error.offset) from error
    fields = dict.fromkeys(r.field for r in references if r.called is None or _reads(r, called))
    if not fields and not any(call.name in CLOCK for call in called):
        raise ExpressionError(sentence("reads no field, so no event could ever change it"))
    if not fields:
        raise ExpressionError(sentence("reads no field, so it is about no device: the hour alone is no fault"))
    program = _compile(_in_doubles(text, tokens, references), source)
    comparisons = tuple(comparisons_of(tokens, references))
    calls = tuple({call.variable: call for call in called}.values())
    return Expression(
        source=source,
        fields=tuple(fields),
        variables=tuple(dict.fromkeys((r.field, _variable(r.field)) for r in references if r.called is None)),
        references=tuple(references),
        comparisons=comparisons,
        calls=calls,
        found_calls=tuple(called),
        _turning=tuple(_turning_of(calls, [comparison for comparison, _ in comparisons], references)),
        plain=None if called else plain_decision(tokens, references),
        _execute=program.execute,
    )


def _with_nominals(source: str, profile: DeviceProfile) -> str:
    """Put the profile's nominal values where they are called for; one that it does not have stays unknown."""
    for call in reversed(calls_of(tokens_of(source))):
        spec = profile.fields.get(call.field or "")
        if call.name == "nominal" and spec is not None and spec.nominal is not None:
            source = f"{source[: call.start]}({spec.nominal!r}){source[call.end :]}"
    return source


def _with_seconds(tokens: list[Token], source: str) -> list[Token]:
    """Put a number where a duration is written."""
    spans = {start: (end, length_s) for start, end, length_s in durations_of(tokens)}
    kept: list[Token] = []
    until = -1
    for token in tokens:
        if token.start < until:
            continue
        if token.start in spans:
            until, length_s = spans[token.start]
            kept.append(Token("float", repr(length_s), token.start, until))
        else:
            kept.append(token)
    return kept


def _called_too(references: list[Reference], called: list[Call]) -> list[Reference]:
    by_start = {call.start: call for call in called}
    return [
        Reference(call.field or call.text, call.start, call.end, call.variable)
        if (call := by_start.get(reference.start))
        else reference
        for reference in references
    ]


def _reads(reference: Reference, called: list[Call]) -> bool:
    call = next(call for call in called if call.variable == reference.called)
    return call.field is not None and call.name != "nominal"


def _turning_of(
    calls: Iterable[Call], comparisons: list[Comparison], references: list[Reference]
) -> Iterator[tuple[Call, str | None, float | None]]:
    """Tell what the answer depends on that time alone can move."""
    for call in calls:
        if call.name not in CLOCK and call.name not in RUNNING:
            continue
        compared = [c for c in comparisons if c.reference.called == call.variable and isinstance(c.literal, float)]
        for comparison in compared:
            yield call, comparison.op, comparison.literal if isinstance(comparison.literal, float) else None
        if call.name in CLOCK and len(compared) < sum(r.called == call.variable for r in references):
            yield call, None, None


def problems(expression: Expression, types: Mapping[str, FieldType | None]) -> list[Problem]:
    """Check an expression against the fields of a profile: text compared with a number, a truth value with 1, ….

    ``types`` has each known field; None where its type is not known. Fields that are not in it are the caller's.
    """
    found = []
    for comparison, _ in expression.comparisons:
        called = comparison.reference.called is not None
        expected = "number" if called else types.get(comparison.reference.field)
        given = _type_of(comparison.literal)
        if expected is not None and given is not None and expected != given:
            article = {
                "number": sentence("a number"),
                "text": sentence("a text"),
                "bool": sentence("true or false"),
            }
            name = _call_at(expression, comparison.reference).text if called else comparison.reference.field
            message = sentence("{1} is {2} and is compared with {3}", name, article[expected], article[given])
            found.append(Problem(message, comparison.reference.start))
    if not found and all(field in types for field in expression.fields):
        found.extend(_rehearse(expression, types))
    return found


def _readable(call: Call, value: float) -> float:
    """Without the digits that only binary fractions have, and ages in milliseconds."""
    return round(value, 3) if call.name in AGES else float(f"{value:.9g}")


def _draws(expression: Expression, comparison: Comparison) -> bool:
    """A limit can be drawn where the value is in the field's own unit."""
    return comparison.reference.called is None or _call_at(expression, comparison.reference).name in _LEVELS


def _call_at(expression: Expression, reference: Reference) -> Call:
    return next(call for call in expression.calls if call.variable == reference.called)


def _rehearse(expression: Expression, types: Mapping[str, FieldType | None]) -> list[Problem]:
    """Run the expression over example values of the right types: nothing else finds ``size(power) > 1``."""
    choices = [
        _EXAMPLES[kind] if (kind := types[field]) else tuple(itertools.chain(*_EXAMPLES.values()))
        for field, _ in expression.variables
    ]
    called = {call.variable: 1.0 for call in expression.calls}
    variables = (*expression.variables, *((name, name) for name in called))
    reason = ""
    for combination in itertools.islice(itertools.product(*choices), 256):
        values = dict(zip((field for field, _ in expression.variables), combination, strict=True)) | called
        result = expression.evaluate(Scope(values, variables))
        if not isinstance(result, NoSample):
            return []
        reason = result.reason
    return [Problem(sentence("can never be true or false: {1}", reason), 0)]


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
        raise ExpressionError(sentence("is no CEL expression: {1}", message), min(offset, len(source))) from error


def _in_doubles(source: str, tokens: list[Token], references: list[Reference]) -> str:
    """Write whole numbers as doubles and every field as a plain variable."""
    edits: list[tuple[int, int, str]] = []
    starts = {reference.start for reference in references}
    for index, token in enumerate(tokens):
        if token.kind == "int" and token.start not in starts and not _wants_int(tokens, index):
            number = int(token.text, 16) if token.text[:2].lower() == "0x" else int(token.text)
            edits.append((token.start, token.end, f"{number}.0"))
        elif token.kind == "float" and token.end - token.start != len(token.text):
            edits.append((token.start, token.end, token.text))
    ends = {token.end: index for index, token in enumerate(tokens)}
    begins = {token.start: index for index, token in enumerate(tokens)}
    for reference in references:
        variable = reference.called or _variable(reference.field)
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
