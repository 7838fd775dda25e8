"""Where in a JSON text a value stands. Only asked once something is wrong, so that reading itself stays fast."""

import json

_SPACE = " \t\r\n"


def place_of(text: str, path: tuple[str | int, ...], start: int = 0) -> int:
    """Return the offset of the value at ``path`` in valid JSON; of the deepest part of the path that is there.

    ``start`` is the offset of the JSON document in ``text``.
    """
    at = _skip_space(text, start)
    for part in path:
        step = _member(text, at, part) if isinstance(part, str) else _item(text, at, part)
        if step is None:
            return at
        at = step
    return at


def item_offsets(text: str, at: int = 0) -> list[int]:
    """Return where each item of the array at ``at`` begins, in one pass over the text; empty if there is none."""
    offsets: list[int] = []
    at = _skip_space(text, at)
    if text[at : at + 1] != "[":
        return offsets
    at = _skip_space(text, at + 1)
    while text[at] != "]":
        offsets.append(at)
        at = _skip_space(text, _end_of(text, at))
        if text[at] == ",":
            at = _skip_space(text, at + 1)
    return offsets


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Return the line and column of an offset, both from 1."""
    line_start = text.rfind("\n", 0, offset) + 1
    return text.count("\n", 0, offset) + 1, offset - line_start + 1


def _member(text: str, at: int, name: str) -> int | None:
    """Find a member's value; the last one of that name, as parsers do."""
    if text[at] != "{":
        return None
    found = None
    at = _skip_space(text, at + 1)
    while text[at] == '"':
        key, at = _DECODER.raw_decode(text, at)
        at = _skip_space(text, _skip_space(text, at) + 1)
        if key == name:
            found = at
        at = _skip_space(text, _end_of(text, at))
        if text[at] == "}":
            break
        at = _skip_space(text, at + 1)
    return found


def _item(text: str, at: int, index: int) -> int | None:
    offsets = item_offsets(text, at)
    return offsets[index] if index < len(offsets) else None


def _end_of(text: str, at: int) -> int:
    return _DECODER.raw_decode(text, at)[1]


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


_DECODER = json.JSONDecoder()
