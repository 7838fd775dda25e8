"""What was learned, as text: a device's memory is written with each batch, and 120 numbers in JSON are 2 KB."""

import base64
import struct
from collections.abc import Sequence
from functools import cache, lru_cache


def pack(doubles: Sequence[float], floats: Sequence[float]) -> str:
    """Write numbers, the first 64 bits wide, the others 32, little-endian, in base 64. Raises OverflowError."""
    return base64.b64encode(_layout(len(doubles), len(floats)).pack(*doubles, *floats)).decode("ascii")


def unpack(text: str, doubles: int, floats: int) -> list[float]:
    """Read what ``pack`` wrote. Raises ValueError for another number of numbers."""
    try:
        return list(_layout(doubles, floats).unpack(base64.b64decode(text)))
    except struct.error as error:
        raise ValueError(f"is not {doubles} doubles and {floats} floats") from error


@lru_cache(maxsize=10_000)
def unpack_profile(text: str, floats: int) -> tuple[float, ...]:
    """Read 32-bit numbers that seldom change: a season is read with each sample, and written once an hour."""
    return tuple(unpack(text, 0, floats))


@cache
def _layout(doubles: int, floats: int) -> struct.Struct:
    return struct.Struct(f"<{doubles}d{floats}f")
