"""Durations as rule and profile files write them: ``90s``, ``10m``, ``1h30m``, ``14d``, ``2w``."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

from device_models.sentences import sentence

LONGEST = timedelta(days=36_500)
"""A hundred years: beyond, no calendar has the day on which it would be over."""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")


def parse_duration(text: object) -> timedelta:
    """Read a duration such as ``1h30m``.

    A number alone is refused, since nobody can tell seconds from minutes by it; 0 is fine.
    Raises ValueError for anything else.
    """
    if isinstance(text, timedelta):
        return text
    if text == 0 or text == "0":
        return timedelta(0)
    if not isinstance(text, str) or not text or _PART.sub("", text.replace(" ", "")):
        raise ValueError(sentence("'{1}' is no duration; write it like 90s, 10m, 1h30m or 14d", text))
    seconds = sum(float(n) * _UNITS[unit] for n, unit in _PART.findall(text))
    if seconds > LONGEST.total_seconds():
        raise ValueError(sentence("'{1}' is longer than {2}d, which is the most", text, LONGEST.days))
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """Write a duration in the same form, largest unit first: ``1h30m``."""
    left = round(duration.total_seconds(), 3)
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, _UNITS[unit])
        if count:
            parts.append(f"{int(count)}{unit}")
    if left:
        parts.append(f"{round(left * 1000)}ms")
    return "".join(parts) or "0s"


Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration, return_type=str)]
"""A ``timedelta`` field that files write as ``10m``."""
