"""Where words beside a horizontal line stand, so that the curve does not run through them. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

Run = Sequence[tuple[float, float]]
"""Points that are joined to a curve, in pixels, from left to right."""
_PAD = 3.0
"""How near the curve may come, in pixels."""
_ASCENT, _DESCENT = 11.0, 3.0
"""Of text of 12 px, above and below its base line."""


@dataclass(frozen=True, slots=True)
class Room:
    """What words have to stay within, in pixels; y grows downwards."""

    left: float
    right: float
    top: float
    bottom: float


def place_of(y: float, width: float, room: Room, runs: Sequence[Run], *, below: bool) -> tuple[float, float]:
    """Return (x, base line) of words that are ``width`` wide, beside a line at ``y``.

    First the side of the line that is asked for (``below``) is tried at its left end, right end and middle, then the
    other one. Where the curve is everywhere, the words stand at the left on the side asked for.
    """
    lines = [y + 14.0, y - 5.0] if below else [y - 5.0, y + 14.0]
    within = [base for base in lines if base - _ASCENT >= room.top and base + _DESCENT <= room.bottom] or lines[:1]
    left, right = room.left + 6.0, room.right - 6.0 - width
    places = [(x, base) for base in within for x in (left, right, (left + right) / 2) if x >= left]
    free = (place for place in places if not _crossed(*place, width, runs))
    return next(free, (left, within[0]))


def _crossed(x: float, base: float, width: float, runs: Iterable[Run]) -> bool:
    begin, end, top, bottom = x - _PAD, x + width + _PAD, base - _ASCENT - _PAD, base + _DESCENT + _PAD
    for run in runs:
        for (x0, y0), (x1, y1) in pairwise((run[0], *run)):
            if x1 < begin or x0 > end:
                continue
            slope = (y1 - y0) / (x1 - x0) if x1 > x0 else 0.0
            inside = (y0 + slope * (max(begin, x0) - x0), y0 + slope * (min(end, x1) - x0))
            reached = inside if x1 > x0 else (y0, y1)
            if min(reached) <= bottom and max(reached) >= top:
                return True
    return False
