"""Templates are written in English; what they say is found in them and looked up in the viewer's language.

A run of text between two tags is one message, ``First answer due in {1}``, with what is put in as ``{1}``, ``{2}``, …;
so are the attributes that people meet, and the words among an expression's literals (``'Open' if case.open``). Nothing
has to be marked, so nothing can be forgotten: what is compiled is what the catalogue's test finds.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from jinja2 import Environment
from jinja2.ext import Extension

SHOWN_ATTRIBUTES = ("title", "placeholder", "aria-label", "alt", "data-done", "data-name-of")
_SILENT = ("script", "style", "svg", "code", "kbd", "pre")
"""Elements whose text is no prose."""
_IN_TAGS = ("size", "watch")
"""Blocks that stand within a tag: what they hold are attributes."""
_EXPRESSION = r"\{\{.*?\}\}"
_STATEMENT = r"\{%.*?%\}"
_INSIDE = rf"{_EXPRESSION}|{_STATEMENT}|\{{#.*?#\}}"
_BLOCK_IN_TAG = rf"\{{% block (?:{'|'.join(_IN_TAGS)}) %\}}.*?\{{% endblock %\}}"
_TOKEN = re.compile(
    rf"(?P<comment>\{{#.*?#\}}|<!.*?>|{_BLOCK_IN_TAG})|(?P<statement>{_STATEMENT})|(?P<expression>{_EXPRESSION})"
    rf"|(?P<tag></?[a-zA-Z](?:{_INSIDE}|\"(?:{_INSIDE}|[^\"])*\"|'(?:{_INSIDE}|[^'])*'|[^<>\"'])*>)",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(
    rf"(?P<before>\s(?:{'|'.join(SHOWN_ATTRIBUTES)})=)\"(?P<value>(?:{_INSIDE}|[^\"])*)\"", re.DOTALL
)
_PART = re.compile(rf"(?P<statement>{_STATEMENT})|(?P<expression>{_EXPRESSION})", re.DOTALL)
_LITERAL = re.compile(r"'((?:[^'\\]|\\.)*)'")
_WORD = re.compile(r"[^\W\d_]{2}")
_PROSE = re.compile(r"^[A-Z][a-z]|\S\s+\S*[^\W\d_]|^\s?[a-z]+\s|\s[a-z]+\s?$")
_VALUE_BEFORE = re.compile(r"(?:\{\{-?|\belse|~|\bor|(?<!\w)\(|\|default\()\s*$")
_VALUE_AFTER = re.compile(r"^\s*(?:-?\}\}|if\b|~|\)|or\b|\|)")
_KEYWORD = re.compile(r"\b(?!done|label|title|words)\w+\s*=\s*$")
_ENTITY = re.compile(r"&#?\w+;")


def rewrite(source: str, found: Callable[[str], None] = lambda _: None) -> str:
    """Return a template's source in which each message is looked up; ``found`` is told each msgid."""
    return "".join(_pieces(source, found))


def messages_in(source: str) -> list[str]:
    """List the msgids of a template in the order in which they stand."""
    said: list[str] = []
    rewrite(source, said.append)
    return said


class Spoken(Extension):
    """Rewrites each template of staff's as it is loaded; the customer's page has texts of its own."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """See ``rewrite``."""
        return source if name is None or name.startswith("customer/") else rewrite(source)


def add_to(environment: Environment) -> None:
    """Let an environment's templates speak."""
    environment.add_extension(Spoken)


def _pieces(source: str, found: Callable[[str], None]) -> Iterator[str]:
    run: list[str] = []
    silent: str | None = None
    at = 0

    def spoken() -> str:
        text = "".join(run)
        run.clear()
        return text if silent else _message(text, found)

    for token in _TOKEN.finditer(source):
        run.append(source[at : token.start()])
        at = token.end()
        if token["expression"] is not None:
            run.append(token[0])
            continue
        yield spoken()
        if token["tag"] is not None:
            yield _ATTRIBUTE.sub(lambda a: f'{a["before"]}"{_attribute(a["value"], found)}"', token[0])
            name = token[0].strip("</").split(None, 1)[0].rstrip(">").lower()
            if name in _SILENT and not token[0].endswith("/>"):
                silent = None if token[0].startswith("</") else silent or name
        elif token["statement"] is not None and not silent:
            yield _marked(token[0], found)
        else:
            yield token[0]
    run.append(source[at:])
    yield spoken()


def _attribute(value: str, found: Callable[[str], None]) -> str:
    """Rewrite an attribute's value; a statement in it parts messages."""
    pieces, run, at = [], "", 0
    for part in _PART.finditer(value):
        run += value[at : part.start()]
        at = part.end()
        if part["expression"] is not None:
            run += part[0]
            continue
        pieces += [_message(run, found), part[0]]
        run = ""
    return "".join([*pieces, _message(run + value[at:], found)])


def _message(run: str, found: Callable[[str], None]) -> str:
    """Rewrite text with expressions in it."""
    arguments: list[str] = []

    def numbered(expression: re.Match[str]) -> str:
        inner = _literals(expression[0], found)
        arguments.append(inner.removeprefix("{{").removesuffix("}}").strip("-").strip())
        return f"{{{len(arguments)}}}"

    text = re.sub(_EXPRESSION, numbered, run, flags=re.DOTALL)
    bare = _ENTITY.sub(" ", re.sub(r"\{\d+\}", " ", text))
    if not _WORD.search(bare):
        return re.sub(_EXPRESSION, lambda e: _literals(e[0], lambda _: None), run, flags=re.DOTALL)
    msgid = " ".join(text.split())
    found(msgid)
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    call = "".join(f", ({argument})" for argument in arguments)
    return f"{before}{{{{ _t({_quoted(msgid)}{call}) }}}}{after}"


def _literals(expression: str, found: Callable[[str], None]) -> str:
    """Wrap the literals of an expression that are words to be shown."""
    macro_call = bool(re.match(r"\{\{-?\s*m\.(deed|choice)\(", expression))

    def wrapped(literal: re.Match[str]) -> str:
        text = literal[1].replace("\\'", "'")
        before, after = expression[: literal.start()], expression[literal.end() :]
        if before.endswith(("_(", "_t(")):
            found(" ".join(text.split()))
            return literal[0]
        if not _WORD.search(text) or text.startswith(("/", "%", ".")) or _KEYWORD.search(before):
            return literal[0]
        called = _last_call(before)
        value = bool(_VALUE_BEFORE.search(before) and _VALUE_AFTER.match(after))
        of_macro = macro_call and called in ("m.deed", "m.choice")
        if not ((of_macro and _PROSE.search(text)) or (value and called in ("", "|default"))):
            return literal[0]
        msgid = " ".join(text.split())
        found(msgid)
        lead, trail = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
        call = f"_({_quoted(msgid)})"
        return f"({_quoted(lead)} ~ {call} ~ {_quoted(trail)})" if lead or trail else call

    return _LITERAL.sub(wrapped, expression)


def _last_call(before: str) -> str:
    """Return what is called with a literal, such as ``m.deed`` or ``|default``; empty where it stands in no call."""
    depth = 0
    for index in range(len(before) - 1, -1, -1):
        if before[index] in ")]":
            depth += 1
        elif before[index] in "([":
            name = re.search(r"[|\w.\]]*$", before[:index])
            if depth == 0 and (before[index] == "[" or (name and name[0])):
                return name[0] if name and before[index] == "(" else "["
            depth -= 1 if depth else 0
    return ""


def _marked(statement: str, found: Callable[[str], None]) -> str:
    """Leave a statement as it is, and tell what is marked in it by hand: ``_('waits for approval')``."""
    for literal in _LITERAL.finditer(statement):
        if statement[: literal.start()].endswith("_("):
            found(" ".join(literal[1].replace("\\'", "'").split()))
    return statement


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def filled(text: str, arguments: tuple[Any, ...], escaped: Callable[[Any], str] = str) -> str:
    """Put ``arguments`` where ``{1}``, ``{2}``, … stand."""
    return re.sub(r"\{(\d+)\}", lambda m: escaped(arguments[int(m[1]) - 1]), text)
