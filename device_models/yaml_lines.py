"""YAML that remembers where each value stood, so that an error can name file, line, column and field.

The dialect is YAML 1.2's core schema, not the YAML 1.1 that PyYAML reads by default: ``22:30`` is text and not
1,350, ``no`` is text and not false, ``017`` is text and not 15, ``2026-01-01`` is text. Mapping keys are always
text, just as written, so that an error code ``1.10`` is not ``1.1``. Merge keys (``<<``) are not supported.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from yaml.composer import Composer

from device_models.schema_words import said_by_schema, said_by_yaml
from device_models.sentences import sentence

MAX_DEPTH = 64
"""Deeper nesting is refused: no rule or profile needs it, and unbounded recursion would end the process."""

Location = tuple[str | int, ...]
"""A path into the data, in the form of pydantic's ``loc``: ``("rules", 0, "for")``."""

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class FileError:
    """One thing wrong in a file, where a person can find it."""

    file: str
    line: int
    """From 1."""
    column: int
    """From 1."""
    field: str
    """Dotted path such as ``rules.0.for``; empty where the error is not about one field."""
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}"
        return f"{where}: {self.field}: {self.message}" if self.field else f"{where}: {self.message}"


class InvalidFileError(ValueError):
    """A file that cannot be used; ``errors`` holds all that was found wrong, in the order of the lines."""

    def __init__(self, errors: list[FileError]) -> None:
        self.errors = tuple(sorted(errors, key=lambda error: (error.line, error.column)))
        super().__init__("\n".join(map(str, self.errors)))


class Document:
    """The data of one YAML document and where each part of it stands."""

    def __init__(self, filename: str, text: str, data: Any, root: yaml.Node | None) -> None:
        self.filename = filename
        self.data = data
        self._text = text
        self._root = root

    def mark(self, loc: Location) -> tuple[int, int]:
        """Return (line, column), both from 1, of the value at ``loc``.

        Parts that are not in the file are passed over (the tag of a union, a field that is missing), so a missing
        field is reported at the mapping that lacks it. A mapping or list below a key is marked at its key.
        """
        if self._root is None:
            return 1, 1
        node, mark = self._root, self._root.start_mark
        for part in loc:
            step = _child(node, part)
            if step is not None:
                node, mark = step
        return mark.line + 1, mark.column + 1

    def mark_key(self, loc: Location) -> tuple[int, int]:
        """Return (line, column), both from 1, of the key at ``loc``; raises KeyError where there is none."""
        node = self._node(loc[:-1])
        for key, _ in _pairs(node) if node is not None else ():
            if key.value == str(loc[-1]):
                return key.start_mark.line + 1, key.start_mark.column + 1
        raise KeyError(loc)

    def span(self, loc: Location) -> tuple[int, int] | None:
        """Return where in the text the scalar at ``loc`` begins and ends, its quotes included; None: none is there."""
        node = self._node(loc)
        return (node.start_mark.index, node.end_mark.index) if isinstance(node, yaml.ScalarNode) else None

    def _node(self, loc: Location) -> yaml.Node | None:
        node = self._root
        for part in loc:
            step = _child(node, part) if node is not None else None
            node = step[0] if step else None
        return node

    def mark_inside(self, loc: Location, offset: int) -> tuple[int, int]:
        """Return (line, column) of the character ``offset`` of the text at ``loc``.

        Exact for a text on one line and for one behind ``|``; of a folded text, its first line is named.
        """
        node = self._root
        for part in loc:
            step = _child(node, part) if node is not None else None
            node = step[0] if step else node
        line, column = self.mark(loc)
        if not isinstance(node, yaml.ScalarNode):
            return line, column
        if node.style == "|":
            before = node.value[:offset].split("\n")
            first = self._text.split("\n")[line]
            indent = len(first) - len(first.lstrip(" "))
            return line + len(before), indent + len(before[-1]) + 1
        if node.start_mark.line != node.end_mark.line:
            return line, column
        return line, column + offset + (1 if node.style in ("'", '"') else 0)

    def error(self, loc: Location, message: str) -> FileError:
        """Make the error that ``message`` is about the value at ``loc``."""
        line, column = self.mark(loc)
        return FileError(self.filename, line, column, ".".join(map(str, loc)), message)

    def errors_of(self, error: ValidationError, prefix: Location = ()) -> list[FileError]:
        """Translate pydantic's errors about the part of the data at ``prefix``."""
        details = error.errors(include_url=False)
        return [self.error(prefix + detail["loc"], said_by_schema({**detail})) for detail in details]

    def validate(self, model: type[_Model]) -> _Model:
        """Read the whole document as ``model``; raises InvalidFileError with every error."""
        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            raise InvalidFileError(self.errors_of(error)) from error


def load_yaml(text: str, filename: str) -> Document:
    """Read one YAML document.

    ``filename`` is only named in errors. Raises InvalidFileError for a syntax error, a duplicate key, a second
    document, a tag that is not of the core schema, a recursive alias or nesting beyond ``MAX_DEPTH``.
    """
    try:
        root = _compose(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        message = said_by_yaml(error.problem or str(error))
        raise InvalidFileError([FileError(filename, line, column, "", message)]) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = sentence("the character U+{1} is not allowed in YAML", f"{ord(text[error.position]):04X}")
        raise InvalidFileError([FileError(filename, line, 1, "", message)]) from error
    except RecursionError as error:
        raise InvalidFileError(
            [FileError(filename, 1, 1, "", sentence("is nested deeper than {1} levels", MAX_DEPTH))]
        ) from error
    if root is None:
        return Document(filename, text, None, None)
    reader = _Reader(filename)
    data = reader.read(root, ())
    if reader.errors:
        raise InvalidFileError(reader.errors)
    return Document(filename, text, data, root)


class _CoreSchema(yaml.resolver.BaseResolver):
    """The implicit tags of YAML 1.2's core schema (YAML 1.2.2 §10.3.2)."""

    # Its own, not extended: the inherited table holds YAML 1.1's.
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  PyYAML's own shape


class _Composer(Composer, _CoreSchema):
    """Composes nodes out of libyaml's events: an eighth of the time that PyYAML's own scanner takes.

    libyaml could compose them itself, but recurses without a limit: many brackets would end the process.
    """

    def __init__(self, text: str) -> None:
        Composer.__init__(self)
        _CoreSchema.__init__(self)
        parser = yaml.CSafeLoader(text)
        self.check_event = parser.check_event
        self.get_event = parser.get_event
        self.peek_event = parser.peek_event
        self.dispose = parser.dispose


class _PlainComposer(_CoreSchema, yaml.SafeLoader):
    """Composes nodes with PyYAML's own scanner, which says better than libyaml what is wrong where."""


def _resolve(kind: str, pattern: str, first: str) -> None:
    _CoreSchema.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(pattern), list(first))


# PyYAML files the empty scalar under the first character "".
_CoreSchema.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_resolve("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_resolve("int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789")
_resolve(
    "float",
    r"^(?:[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
    "-+0123456789.",
)

_SCALARS: dict[str, Callable[[str], Any]] = {
    "null": lambda _: None,
    "bool": lambda text: text.lower() == "true",
    "int": int,
    "float": lambda text: float(text.lower().replace(".inf", "inf").replace(".nan", "nan")),
    "str": str,
}


def _compose(text: str) -> yaml.Node | None:
    # libyaml does not count a byte order mark, so that what stands behind it would be marked a character too early.
    if yaml.__with_libyaml__ and "\ufeff" not in text:
        with suppress(yaml.YAMLError, UnicodeEncodeError):
            return _root(_Composer(text))
    return _root(_PlainComposer(text))


def _root(composer: _Composer | _PlainComposer) -> yaml.Node | None:
    try:
        return composer.get_single_node()
    finally:
        composer.dispose()


class _Reader:
    """Turns nodes into data, collecting errors instead of stopping at the first."""

    def __init__(self, filename: str) -> None:
        self.errors: list[FileError] = []
        self._filename = filename
        # Each node is read once, however often aliases repeat it: nested aliases would otherwise grow exponentially.
        self._read: dict[int, Any] = {}
        self._open: set[int] = set()

    def read(self, node: yaml.Node, path: Location) -> Any:
        if id(node) in self._read:
            return self._read[id(node)]
        if id(node) in self._open:
            return self._wrong(node, path, sentence("an alias must not contain itself"))
        if len(path) > MAX_DEPTH:
            return self._wrong(node, path[:3], sentence("is nested deeper than {1} levels", MAX_DEPTH))
        self._open.add(id(node))
        value = self._value(node, path)
        self._open.discard(id(node))
        self._read[id(node)] = value
        return value

    def _value(self, node: yaml.Node, path: Location) -> Any:
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        if isinstance(node, yaml.MappingNode) and kind == "map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and kind == "seq":
            return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and kind in _SCALARS:
            try:
                return _SCALARS[kind](node.value)
            except ValueError:
                return self._wrong(node, path, sentence("'{1}' is no {2}", node.value[:40], kind))
        return self._wrong(node, path, sentence("the tag {1} is not supported", node.tag))

    def _mapping(self, node: yaml.MappingNode, path: Location) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._wrong(key, path, sentence("a key must be plain text"))
            elif key.value == "<<":
                self._wrong(key, (*path, "<<"), sentence("merge keys are not supported; write the settings out"))
            elif key.value in mapping:
                self._wrong(key, (*path, key.value), sentence("stands here a second time"))
            else:
                mapping[key.value] = self.read(value, (*path, key.value))
        return mapping

    def _wrong(self, node: yaml.Node, path: Location, message: str) -> None:
        mark = node.start_mark
        field = ".".join(map(str, path))
        self.errors.append(FileError(self._filename, mark.line + 1, mark.column + 1, field, message))


def _child(node: yaml.Node, part: str | int) -> tuple[yaml.Node, yaml.Mark] | None:
    if isinstance(node, yaml.SequenceNode):
        if isinstance(part, int) and 0 <= part < len(node.value):
            return node.value[part], node.value[part].start_mark
        return None
    for key, value in _pairs(node):
        if key.value == str(part):
            return value, value.start_mark if isinstance(value, yaml.ScalarNode) else key.start_mark
    return None


def _pairs(node: yaml.Node) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        yield from ((key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode))
