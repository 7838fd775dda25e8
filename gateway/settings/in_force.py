"""The configuration in force, setting by setting: what it is, and who says so. Secrets never leave."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, SecretStr
from pydantic_core import to_jsonable_python

from device_models.duration import format_duration

HIDDEN = "\N{BULLET}" * 4
"""What stands for a secret that is set."""
_SECRET = re.compile(r"password|secret|token", re.IGNORECASE)
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^/@\s:]*):[^/@\s]*@")
_QUERY_IN_URL = re.compile(r"(?<=\?)[^\s#]+")

Source = Literal["file", "environment", "default"]
Keys = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a configuration was read from."""

    file: str = ""
    lines: Mapping[Keys, int] = field(default_factory=dict)
    """The line of each setting that stands in the file."""
    variables: Mapping[Keys, str] = field(default_factory=dict)
    """The environment variable that set it, which goes before the file."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is in force."""

    name: str
    """As in the file: ``web.listen``; of lists ``relay.0.url``."""
    value: Any
    """JSON-ready; a secret is ``HIDDEN`` where it is set."""
    source: Source
    where: str
    """``gateway.toml:12``, ``GATEWAY_WEB__LISTEN``, or empty for a default."""

    def as_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {"name": self.name, "value": self.value, "source": self.source, "where": self.where or None}


def settings_in_force(config: BaseModel, origin: Origin) -> list[Setting]:
    """Return every setting, in the order in which they are described."""
    return [_setting(keys, value, origin) for keys, value in _leaves(config, ())]


def lines_in(data: Mapping[str, Any], line_of: Any, keys: Keys = ()) -> Iterator[tuple[Keys, int]]:
    """Yield each setting that stands in a file's ``data`` with its line, as ``line_of`` finds it."""
    for key, value in data.items():
        here = (*keys, str(key))
        if isinstance(value, Mapping):
            yield from lines_in(value, line_of, here)
        elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            for index, item in enumerate(value):
                yield from lines_in(item, line_of, (*here, str(index)))
        else:
            yield here, line_of(tuple(int(part) if part.isdecimal() else part for part in here))


def _leaves(value: Any, keys: Keys) -> Iterator[tuple[Keys, Any]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _leaves(getattr(value, name), (*keys, name))
    elif isinstance(value, Mapping) and value and all(isinstance(item, BaseModel) for item in value.values()):
        for key, item in value.items():
            yield from _leaves(item, (*keys, str(key)))
    elif isinstance(value, tuple) and value and all(isinstance(item, BaseModel) for item in value):
        for index, item in enumerate(value):
            yield from _leaves(item, (*keys, str(index)))
    else:
        yield keys, value


def _setting(keys: Keys, value: Any, origin: Origin) -> Setting:
    said = _shown(keys[-1], value)
    # A whole table may be given by one variable, or stand in the file as one value.
    for depth in range(len(keys), 0, -1):
        if variable := origin.variables.get(keys[:depth]):
            return Setting(".".join(keys), said, "environment", variable)
        if line := origin.lines.get(keys[:depth]):
            return Setting(".".join(keys), said, "file", f"{origin.file}:{line}")
    inside = next((line for known, line in origin.lines.items() if known[: len(keys)] == keys), None)
    if inside is not None:
        return Setting(".".join(keys), said, "file", f"{origin.file}:{inside}")
    return Setting(".".join(keys), said, "default", "")


def _shown(name: str, value: Any) -> Any:
    if value is None or value == "" or value == () or value == {}:
        return None if value == "" else to_jsonable_python(value)
    if isinstance(value, SecretStr) or _SECRET.search(name):
        return HIDDEN
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, str):
        return _QUERY_IN_URL.sub(HIDDEN, _PASSWORD_IN_URL.sub(rf"\1:{HIDDEN}@", value)) if "://" in value else value
    if isinstance(value, Mapping):
        return {str(key): _shown(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        shown = [_shown(name, item) for item in value]
        return sorted(shown, key=str) if isinstance(value, set | frozenset) else shown
    return to_jsonable_python(value, fallback=str)
