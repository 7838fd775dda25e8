"""The functions that conditions have beside CEL's own: time, history and the profile.

A call such as ``avg("temperature", "1h")`` is found in the text, computed by us (``rules.conditions.called``) and
handed to the library as a variable: so a value that is not known makes the condition a *no sample*, exactly as a
missing field does, and only where it decides.
"""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from device_models.duration import parse_duration
from device_models.sentences import sentence, words_of
from rules.conditions.cel_syntax import MisplacedError, Token, constant_of, text_of

Family = Literal["since", "totals", "count", "lowest", "highest", "ends", "steady"]


class Signature(NamedTuple):
    """What a function takes and gives."""

    example: str
    says: str
    """For editors and for people: what it gives."""
    field: Literal["any", "number", None]
    """What kind of field comes first; None: it takes nothing."""
    span: bool = False
    """Whether a duration comes second."""
    more: Literal["per", "tolerance", None] = None
    """What may come last."""
    family: Family | None = None
    """The window it reads; None: it needs none."""


FUNCTIONS: dict[str, Signature] = {
    "age": Signature('age("door_open")', "seconds since the field took its present value", "any", family="since"),
    "heard_age": Signature('heard_age("door_open")', "seconds since the field was last reported", "any"),
    "hour_local": Signature("hour_local()", "the hour of the day where the device is, 0 to 23", None),
    "weekday_local": Signature("weekday_local()", "the day of the week where it is, Monday 1 to Sunday 7", None),
    "avg": Signature('avg("temperature", "1h")', "average over the duration", "number", True, family="totals"),
    "min": Signature('min("temperature", "1h")', "lowest value of the duration", "number", True, family="lowest"),
    "max": Signature('max("temperature", "1h")', "highest value of the duration", "number", True, family="highest"),
    "count": Signature('count("code", "1h")', "how often it was reported in the duration", "any", True, family="count"),
    "rate": Signature(
        'rate("pressure", "6h")', "change per hour, or per a third duration", "number", True, "per", family="ends"
    ),
    "delta": Signature('delta("pressure", "6h")', "last minus first of the duration", "number", True, family="ends"),
    "stuck_for": Signature(
        'stuck_for("temperature")',
        "seconds for which the value has been seen not to move, by more than a tolerance given second",
        "number",
        more="tolerance",
        family="steady",
    ),
    "nominal": Signature('nominal("temperature")', "the profile's nominal value", "number"),
}
DURATION = "duration"
"""``duration("10m")`` is 600: what ``age`` and ``stuck_for`` are compared with."""
CELS_OWN = frozenset(
    {
        *("size", "contains", "startsWith", "endsWith", "matches", "string", "int", "uint", "double", "bytes"),
        *("type", "dyn", "has", "timestamp", "all", "exists", "exists_one", "map", "filter"),
        *("getFullYear", "getMonth", "getDayOfYear", "getDayOfMonth", "getDate", "getDayOfWeek"),
        *("getHours", "getMinutes", "getSeconds", "getMilliseconds"),
    }
)
"""What the library knows itself."""
CLOCK = frozenset({"hour_local", "weekday_local"})
AGES = frozenset({"age", "heard_age"})
"""Of these the author says how old the last word may be, so it stands for as long as nothing else is heard."""
RUNNING = frozenset({"age", "heard_age", "count", "min", "max"})
"""Those whose value changes by time alone, at moments that can be told beforehand where it is compared with a number.
The others are what the samples of a duration come to: looked at when one of the condition's fields is reported."""


class Window(NamedTuple):
    """What has to be remembered of a field."""

    family: Family
    field: str
    length_s: float = 0.0
    tolerance: float = 0.0

    @property
    def key(self) -> str:
        """Its name in a device's state."""
        numbers = f" {self.length_s:g}" if self.length_s else f" {self.tolerance:g}" if self.tolerance else ""
        return f"{self.family} {self.field}{numbers}"


@dataclass(frozen=True, slots=True)
class Call:
    """One call in a condition."""

    name: str
    text: str
    """As an explanation shows it: ``avg("temperature", "1h")``."""
    variable: str
    """The CEL variable that stands for it."""
    start: int
    end: int
    field: str | None = None
    field_start: int = 0
    """Where the field's name begins, inside its quotes."""
    length_s: float = 0.0
    per_s: float = 3600.0
    window: Window | None = None


class CallError(MisplacedError):
    """A call that cannot be understood."""


def calls_of(tokens: Sequence[Token]) -> list[Call]:
    """Return the calls of our functions, in the order of the text.

    Raises CallError for an unknown function and for arguments that do not fit, with the offset of what is wrong.
    """
    found = []
    for index, token in enumerate(tokens):
        called = token.kind == "name" and index + 1 < len(tokens) and tokens[index + 1].text == "("
        if not called or (index and tokens[index - 1].text == "."):
            continue
        if token.text in FUNCTIONS:
            found.append(_call(tokens, index))
        elif token.text == DURATION:
            _duration(tokens, index)
        elif token.text not in CELS_OWN and token.text != "in":
            close = difflib.get_close_matches(token.text, [*FUNCTIONS, *CELS_OWN, DURATION], n=1)
            there_are = sentence("; there are {1}", ", ".join(FUNCTIONS))
            hint = sentence("; did you mean '{1}'?", close[0]) if close else there_are
            raise CallError(sentence("there is no function '{1}'{2}", token.text, hint), token.start)
    return found


def without_calls(tokens: Sequence[Token], calls: Sequence[Call]) -> list[Token]:
    """Return the tokens with one name, its variable, for each call."""
    by_start = {call.start: call for call in calls}
    kept: list[Token] = []
    until = -1
    for token in tokens:
        if token.start < until:
            continue
        if call := by_start.get(token.start):
            until = call.end
            kept.append(Token("name", call.variable, call.start, call.end))
        else:
            kept.append(token)
    return kept


def _call(tokens: Sequence[Token], index: int) -> Call:
    name = tokens[index]
    signature = FUNCTIONS[name.text]
    arguments, end = _arguments(tokens, index + 1)
    least = (signature.field is not None) + signature.span
    most = least + (signature.more is not None)
    if arguments and signature.field is not None and [token.kind for token in arguments[0]] != ["text"]:
        raise CallError(
            sentence("{1} takes the name of a field in quotes: {2}", name.text, signature.example),
            arguments[0][0].start,
        )
    if not least <= len(arguments) <= most:
        one = sentence("a field") if least else sentence("nothing")
        takes = sentence("a field and a duration") if signature.span else one
        raise CallError(sentence("{1} takes {2}: {3}", name.text, takes, signature.example), name.start)
    text = f"{name.text}({', '.join(_said(argument) for argument in arguments)})"
    variable = "called_" + "".join(f"{byte:02x}" for byte in text.encode())
    start, end_at = name.start, tokens[end].end
    if signature.field is None:
        return Call(name.text, text, variable, start, end_at)
    field, field_start = text_of(arguments[0][0]), arguments[0][0].start + 1
    length_s = _span_s(arguments[1], signature) if signature.span else 0.0
    per_s, tolerance = 3600.0, 0.0
    if len(arguments) > least and signature.more == "per":
        per_s = _span_s(arguments[-1], signature)
    elif len(arguments) > least:
        tolerance = _tolerance(arguments[-1])
    window = Window(signature.family, field, length_s, tolerance) if signature.family else None
    return Call(name.text, text, variable, start, end_at, field, field_start, length_s, per_s, window)


def _said(argument: Sequence[Token]) -> str:
    return "".join(f'"{text_of(token)}"' if token.kind == "text" else token.text for token in argument)


def _arguments(tokens: Sequence[Token], opens: int) -> tuple[list[list[Token]], int]:
    """Return the arguments between the parentheses that open there, and the index of the closing one."""
    arguments: list[list[Token]] = [[]]
    depth = 0
    for index in range(opens, len(tokens)):
        token = tokens[index]
        if token.text in ("(", "[", "{") and token.kind == "op":
            depth += 1
            if depth == 1:
                continue
        elif token.text in (")", "]", "}") and token.kind == "op":
            depth -= 1
            if not depth:
                return [argument for argument in arguments if argument], index
        elif token.text == "," and depth == 1:
            arguments.append([])
            continue
        arguments[-1].append(token)
    raise CallError(sentence("has no closing parenthesis"), tokens[opens].start)


def _span_s(argument: Sequence[Token], signature: Signature) -> float:
    at = argument[0].start
    if len(argument) != 1 or argument[0].kind != "text":
        raise CallError(sentence("a duration is written in quotes: {1}", signature.example), at)
    try:
        length_s = parse_duration(text_of(argument[0])).total_seconds()
    except (ValueError, OverflowError) as error:
        raise CallError(words_of(error), at) from error
    if length_s <= 0:
        raise CallError(sentence("a duration must be longer than 0"), at)
    return length_s


def _duration(tokens: Sequence[Token], index: int) -> None:
    arguments, _ = _arguments(tokens, index + 1)
    if len(arguments) != 1 or [token.kind for token in arguments[0]] != ["text"]:
        raise CallError(sentence('duration takes a duration in quotes: duration("10m")'), tokens[index].start)
    try:
        parse_duration(text_of(arguments[0][0]))
    except (ValueError, OverflowError) as error:
        raise CallError(words_of(error), arguments[0][0].start) from error


def _tolerance(argument: Sequence[Token]) -> float:
    tolerance = constant_of(argument)
    if tolerance is None or tolerance < 0:
        raise CallError(sentence('a tolerance is a number from 0 on: stuck_for("temperature", 0.1)'), argument[0].start)
    return tolerance


def durations_of(tokens: Sequence[Token]) -> Iterator[tuple[int, int, float]]:
    """Yield (start, end, seconds) of each ``duration("10m")``; ``calls_of`` has looked at them before."""
    for index, token in enumerate(tokens):
        if (
            token.kind == "name"
            and token.text == DURATION
            and index + 3 < len(tokens)
            and tokens[index + 1].text == "("
        ):
            yield token.start, tokens[index + 3].end, parse_duration(text_of(tokens[index + 2])).total_seconds()
