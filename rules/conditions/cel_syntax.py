"""Just enough of CEL's grammar to know which fields a condition reads and which limits it compares them with.

Evaluation is the library's; this reads the same text for the checks and explanations that need to see inside it.
Grammar: the CEL language definition, cel-spec ``doc/langdef.md``, "Syntax".
"""

import ast
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from device_models.sentences import sentence

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<text>[rR]?(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<float>(?:\d+\.\d+|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)
    |(?P<uint>(?:0[xX][0-9a-fA-F]+|\d+)[uU])
    |(?P<int>0[xX][0-9a-fA-F]+|\d+)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<op>&&|\|\||[=!<>]=|[<>!+\-*/%?:.,()\[\]{}])""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)
_LITERALS = {"true": True, "false": False, "null": None}
_COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_BINDING_MACROS = frozenset({"all", "exists", "exists_one", "map", "filter"})

VALUES = "values"
"""``values['DS18B20-1.Temperature']`` reads a field whose name is no CEL identifier."""


class Token(NamedTuple):
    """One token; ``start`` and ``end`` are offsets into the source."""

    kind: str
    text: str
    start: int
    end: int


class Reference(NamedTuple):
    """One place where a field is read."""

    field: str
    start: int
    end: int
    called: str | None = None
    """The variable of a call of ours that stands here, ``field`` being what it is about; None: the field itself."""


class MisplacedError(ValueError):
    """Something in a source that cannot be; ``offset`` is where."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


class UnnamedFieldError(MisplacedError):
    """A reference that names no field."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field compared with a literal; ``literal < field`` is turned round."""

    reference: Reference
    op: str
    literal: float | str | bool | None


def tokens_of(source: str) -> list[Token]:
    """Split a source that the library has parsed already; what is no token of CEL is left out."""
    return [
        Token(match.lastgroup or "", match.group(), match.start(), match.end())
        for match in _TOKEN.finditer(source)
        if match.lastgroup != "space"
    ]


def references_of(tokens: Sequence[Token]) -> list[Reference]:
    """Return where fields are read, in the order of the text.

    A field is a name, a dotted chain such as ``battery.level``, or ``values['any name']``; a call's name, a method
    at a chain's end and a variable bound by a macro are none. Raises UnnamedFieldError for ``values`` without a name.
    """
    bound = _bound_names(tokens)
    found: list[Reference] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        begins = token.kind == "name" and token.text not in _LITERALS and token.text != "in"
        if not begins or (index and tokens[index - 1].text == "."):
            index += 1
            continue
        if token.text == VALUES and VALUES not in bound and _text(tokens, index + 1) == "[":
            if index + 3 >= len(tokens) or tokens[index + 2].kind != "text" or tokens[index + 3].text != "]":
                raise UnnamedFieldError(
                    sentence("values[…] needs a name in quotes, such as values['door.open']"), token.start
                )
            found.append(Reference(text_of(tokens[index + 2]), token.start, tokens[index + 3].end))
            index += 4
            continue
        last = index
        while _text(tokens, last + 1) == "." and last + 2 < len(tokens) and tokens[last + 2].kind == "name":
            last += 2
        after = last + 1
        if _text(tokens, after) == "(":
            last -= 2
        if last >= index and token.text not in bound:
            name = "".join(part.text for part in tokens[index : last + 1])
            found.append(Reference(name, token.start, tokens[last].end))
        index = after
    return found


def text_of(token: Token) -> str:
    """Return what a text literal says. CEL's escapes are Python's, as far as field names and codes need them."""
    try:
        return str(ast.literal_eval(token.text))
    except (SyntaxError, ValueError):
        return token.text.lstrip("rR").strip("'\"")


def constant_of(tokens: Sequence[Token]) -> float | None:
    """Return the number that an expression of numbers alone comes to, such as ``-(2 * 6)``; None for anything else."""
    parts = []
    for token in tokens:
        if token.kind in ("int", "uint", "float"):
            digits = token.text.rstrip("uU")
            parts.append(repr(float(int(digits, 16)) if digits[:2].lower() == "0x" else float(digits)))
        elif token.kind == "op" and token.text in "+-*/()":
            parts.append(token.text)
        else:
            return None
    try:
        return _reckoned(ast.parse(" ".join(parts), mode="eval").body)
    except (SyntaxError, ArithmeticError, RecursionError):
        return None


def _reckoned(node: ast.expr) -> float | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, float):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        operand = _reckoned(node.operand)
        return None if operand is None else -operand
    if isinstance(node, ast.BinOp):
        left, right, reckon = _reckoned(node.left), _reckoned(node.right), _ARITHMETIC.get(type(node.op))
        return None if left is None or right is None or reckon is None else reckon(left, right)
    return None


def comparisons_of(tokens: Sequence[Token], references: Sequence[Reference]) -> list[tuple[Comparison, bool]]:
    """Return the comparisons of a field with a literal, each with whether it draws a limit.

    It draws one where no ``!`` and no ``? :`` stands before it, so that the limit is one the value crosses when the
    condition becomes true.
    """
    return list(_comparisons(list(tokens), {reference.start: reference for reference in references}, limit=True))


def _comparisons(
    tokens: list[Token], references: dict[int, Reference], limit: bool
) -> Iterator[tuple[Comparison, bool]]:
    tokens = without_parentheses(tokens)
    for operators, draws in ((("?", ":"), False), (("||",), True), (("&&",), True)):
        parts = split_at(tokens, operators)
        if len(parts) > 1:
            for part in parts:
                yield from _comparisons(part, references, limit and draws)
            return
    if tokens and tokens[0].text == "!":
        yield from _comparisons(tokens[1:], references, limit=False)
        return
    found = [i for i, depth in _depths(tokens) if depth == 0 and tokens[i].text in _COMPARISONS]
    if len(found) != 1:
        return
    at = found[0]
    left, right, op = tokens[:at], tokens[at + 1 :], tokens[at].text
    for field_side, literal_side, direction in ((left, right, op), (right, left, _MIRRORED[op])):
        reference = _reference(field_side, references)
        known, literal = _literal(literal_side)
        if reference is not None and known:
            yield Comparison(reference, direction, literal), limit
            return


def _reference(tokens: list[Token], references: dict[int, Reference]) -> Reference | None:
    tokens = without_parentheses(tokens)
    reference = references.get(tokens[0].start) if tokens else None
    return reference if reference is not None and tokens[-1].end == reference.end else None


def _literal(tokens: list[Token]) -> tuple[bool, float | str | bool | None]:
    tokens = without_parentheses(tokens)
    number = constant_of(tokens)
    if number is not None:
        return True, number
    if len(tokens) != 1:
        return False, None
    token = tokens[0]
    if token.kind == "text":
        return True, text_of(token)
    if token.text in _LITERALS:
        return True, _LITERALS[token.text]
    return False, None


def split_at(tokens: list[Token], operators: tuple[str, ...]) -> list[list[Token]]:
    """Return the parts between operators that stand in no brackets; one part where there are none."""
    parts: list[list[Token]] = [[]]
    for index, depth in _depths(tokens):
        if depth == 0 and tokens[index].text in operators:
            parts.append([])
        else:
            parts[-1].append(tokens[index])
    return parts


def without_parentheses(tokens: list[Token]) -> list[Token]:
    """Return what stands within parentheses around all of it."""
    while len(tokens) > 2 and tokens[0].text == "(" and tokens[-1].text == ")":
        closes = next(i for i, depth in _depths(tokens) if depth == 0 and i > 0)
        if closes != len(tokens) - 1:
            break
        tokens = tokens[1:-1]
    return tokens


def _depths(tokens: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """Yield each token's index and how many brackets enclose it; a bracket counts as outside of itself."""
    depth = 0
    for index, token in enumerate(tokens):
        if token.text in (")", "]", "}"):
            depth -= 1
        yield index, depth
        if token.text in ("(", "[", "{"):
            depth += 1


def _bound_names(tokens: Sequence[Token]) -> set[str]:
    return {
        tokens[i + 3].text
        for i in range(len(tokens) - 4)
        if tokens[i].text == "."
        and tokens[i + 1].text in _BINDING_MACROS
        and tokens[i + 2].text == "("
        and tokens[i + 3].kind == "name"
        and tokens[i + 4].text == ","
    }


def _text(tokens: Sequence[Token], index: int) -> str:
    return tokens[index].text if index < len(tokens) and tokens[index].kind == "op" else ""
