"""Reading payloads: strict JSON, bounded text, flat values. All bounds of what a device may send stand here."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from device_models.event import Value

MAX_PAYLOAD_BYTES = 1024 * 1024
"""What NATS and most hosted brokers accept at all (``max_payload``)."""
MAX_DEPTH = 32
"""Levels of nesting."""
MAX_VALUES = 2_000
"""Values of one device in one message."""
MAX_TEXT = 1_000
"""Characters of a text value; a longer one (a picture, a log) is left out, the rest of its message is kept."""
MAX_NAME = 200
"""Characters of a flattened name, and of a device id."""
MAX_NOTE = 300

REMOVED = "an empty payload removes the retained message of its topic"
"""MQTT 3.1.1 §3.3.1.3: not something that the device said."""

_DEVICE_ID = re.compile(r"[^\s/+#\x00-\x1f][^+#\x00-\x1f\x7f]*")
_NOT_FINITE = ("NaN", "Infinity", "-Infinity")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class UnusableError(ValueError):
    """A message that cannot be used, and why; decoders turn it into a Rejection."""


def read_json(payload: bytes) -> Any:
    """Read strict JSON (RFC 8259); where a key occurs twice the last one counts, as in most parsers.

    Numbers beyond a double's range become infinite, for ``flatten`` to leave out. Raises UnusableError for
    anything else that is not JSON, naming the field where one is to blame.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise UnusableError(f"payload: {len(payload)} bytes are more than {MAX_PAYLOAD_BYTES}")
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        return _read_slowly(payload, error)


def read_object(payload: bytes) -> dict[str, Any]:
    """Read a JSON object; raises UnusableError for any other payload."""
    data = read_json(payload)
    if type(data) is dict:
        return data
    raise UnusableError(f"payload: is {kind_of(data)}, not a JSON object")


def read_text(payload: bytes) -> str:
    """Read a plain-text payload without white space around it; raises UnusableError for one that is no short text."""
    if len(payload) > MAX_TEXT * 4:
        raise UnusableError(f"payload: is longer than {MAX_TEXT} characters")
    try:
        text = payload.decode().strip()
    except UnicodeDecodeError as error:
        raise UnusableError(f"payload: is not UTF-8 (byte {error.start + 1})") from error
    if len(text) > MAX_TEXT:
        raise UnusableError(f"payload: is longer than {MAX_TEXT} characters")
    if "\0" in text:
        raise UnusableError("payload: holds a NUL character")
    return text


def read_scalar(payload: bytes) -> Value:
    """Read a bare value as attribute topics carry it: a JSON number, true, false, or else text."""
    text = read_text(payload)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return value if type(value) in (float, int, bool, str) else text


def online_of(payload: bytes) -> bool:
    """Read ``online`` or ``offline``, in any case; raises UnusableError for anything else."""
    text = read_text(payload)
    match text.lower():
        case "online":
            return True
        case "offline":
            return False
    raise UnusableError(f"payload: {shown(text)} is neither online nor offline")


def flatten(data: Mapping[str, Any], notes: list[str], prefix: str = "") -> dict[str, Value]:
    """Flatten nested JSON: names join with ``.``, arrays with ``.0``; nulls are left out.

    What cannot be a value (a text that is too long, a number that is not finite) is left out and said in
    ``notes``. Raises UnusableError beyond ``MAX_DEPTH`` levels or ``MAX_VALUES`` values.
    """
    values: dict[str, Value] = {}
    _flatten_into(values, prefix, data.items(), notes, 1)
    if len(values) > MAX_VALUES:
        raise UnusableError(f"payload: {len(values)} values are more than {MAX_VALUES}")
    return values


def _flatten_into(values: dict[str, Value], prefix: str, items: Any, notes: list[str], depth: int) -> None:
    for key, value in items:
        name = f"{prefix}{key}" if prefix else key
        kind = type(value)
        if kind is float:
            if math.isfinite(value):
                values[name] = value
            else:
                notes.append(f"{shown(name)}: is beyond the range of a number and left out")
        elif kind is str:
            if len(value) <= MAX_TEXT and "\0" not in value:
                values[name] = value
            else:
                notes.append(f"{shown(name)}: is left out, {len(value)} characters that are no short text")
        elif kind is int or kind is bool:
            values[name] = value
        elif kind is dict or kind is list:
            if depth >= MAX_DEPTH:
                raise UnusableError(f"{shown(name)}: is nested deeper than {MAX_DEPTH} levels")
            _flatten_into(values, f"{name}.", value.items() if kind is dict else enumerate(value), notes, depth + 1)
            continue
        else:
            continue
        if len(name) > MAX_NAME or "\0" in name:
            values.pop(name, None)
            notes.append(f"{shown(name)}: is left out, its name is no name of at most {MAX_NAME} characters")


def number(data: Mapping[str, Any], field: str, *, text_too: bool = False) -> float | None:
    """Return a finite number of ``data``, None where it is absent or null.

    ``text_too`` accepts digits in quotes, which some makers send. Raises UnusableError naming the field.
    """
    value = data.get(field)
    if value is None:
        return None
    if text_too and type(value) is str:
        try:
            value = float(value)
        except ValueError as error:
            raise UnusableError(f"{field}: {shown(value)} is no number") from error
    if type(value) is not float and type(value) is not int:
        raise UnusableError(f"{field}: is {kind_of(value)}, not a number")
    if not math.isfinite(value):
        raise UnusableError(f"{field}: is beyond the range of a number")
    return float(value)


@lru_cache(maxsize=65_536)
def checked_device_id(device_id: str) -> str:
    """Return ``device_id`` if it can be one; raises UnusableError for an empty, too long or unprintable one."""
    if not device_id:
        raise UnusableError("topic: the device id is empty")
    if len(device_id) > MAX_NAME or not _DEVICE_ID.fullmatch(device_id):
        raise UnusableError(f"topic: {shown(device_id)} cannot be a device id")
    return device_id


def joined(notes: Sequence[str]) -> str | None:
    """Make one note of several, None of none."""
    if not notes:
        return None
    text = "; ".join(notes[:4]) + (f"; and {len(notes) - 4} more" if len(notes) > 4 else "")
    return text if len(text) <= MAX_NOTE else text[: MAX_NOTE - 1] + "…"


def shown(text: object) -> str:
    """Quote what a device sent, shortened and printable, for a reason or a note."""
    plain = "".join(c if c.isprintable() else "�" for c in str(text)[:41])
    return f"'{plain[:40]}…'" if len(plain) > 40 else f"'{plain}'"


def kind_of(value: object) -> str:
    """Name a JSON value's kind with its article."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "an array"
        case _:
            return "an object"


def _read_slowly(payload: bytes, error: orjson.JSONDecodeError) -> Any:
    """Say what is wrong with JSON that the fast parser refused, or read a number that is only too big."""
    try:
        text = payload.decode()
    except UnicodeDecodeError as undecodable:
        raise UnusableError(f"payload: is not UTF-8 (byte {undecodable.start + 1})") from undecodable
    constant = text.startswith(_NOT_FINITE, error.pos)
    too_big = "infinity" in error.msg
    if not (constant or too_big) or _SURROGATE.search(text):
        raise UnusableError(f"payload: is no JSON: {error}") from error
    constants: list[str] = []

    def noted(name: str) -> float:
        constants.append(name)
        return math.nan

    try:
        # CPython's own parser takes these, which is how the field can be named.
        data = json.loads(text, parse_constant=noted, parse_int=_integer)
    except (ValueError, RecursionError):
        raise UnusableError(f"payload: is no JSON: {error}") from error
    if constants:
        raise UnusableError(f"{_path_to_nan(data) or 'payload'}: {constants[0]} is no JSON number") from error
    return data


def _integer(digits: str) -> int | float:
    # As the fast parser does: 64 bits stay an integer, more becomes a double. int() of thousands of digits would raise.
    return int(digits) if len(digits) <= 18 else float(digits)


def _path_to_nan(data: Any) -> str | None:
    """Return the dotted path of the first NaN, None where there is none within MAX_DEPTH."""
    waiting: list[tuple[str, Any]] = [("", data)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, float) and math.isnan(value):
            return path[1:]
        if path.count(".") < MAX_DEPTH and isinstance(value, dict | list):
            children = value.items() if isinstance(value, dict) else enumerate(value)
            waiting.extend(reversed([(f"{path}.{str(key)[:60]}", child) for key, child in children]))
    return None
