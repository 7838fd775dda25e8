"""How likely a place within a Gaussian error lies inside a figure, exactly and without sampling.

Seen from the middle of the error, a figure is all that lies before its boundary: of each direction the share of the
error within the distance ``rho`` of the boundary is 1 - exp(-rho²/2), with distances in standard deviations. What is
integrated is therefore the boundary alone, over the angle under which it is seen. For a straight edge that is Owen's T
function (D. B. Owen, Ann. Math. Stat. 27, 1956).
"""

import math
from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise

Vector = tuple[float, float]
"""From the middle of the error, in standard deviations."""

FAR = 6.0
"""Beyond so many standard deviations lies less than a part in ten million."""


def _legendre(count: int) -> tuple[tuple[float, float], ...]:
    """Nodes and weights of Gauss-Legendre quadrature on -1..1, by Newton's method."""
    found = []
    for i in range(count):
        x = math.cos(math.pi * (i + 0.75) / (count + 0.5))
        for _ in range(50):
            before, here = 1.0, x
            for k in range(2, count + 1):
                before, here = here, ((2 * k - 1) * x * here - (k - 1) * before) / k
            slope = count * (x * here - before) / (x * x - 1)
            step = here / slope
            x -= step
            if abs(step) < 1e-15:
                break
        found.append((x, 2 / ((1 - x * x) * slope * slope)))
    return tuple(found)


_NODES = _legendre(16)


def within_circle(distance: float, radius: float) -> float:
    """Return the probability of being within ``radius`` of a centre that is ``distance`` away, both in deviations."""
    if radius - distance >= FAR:
        return 1.0
    if distance - radius >= FAR or radius <= 0:
        return 0.0
    if distance < radius:
        return 1.0 - _integral(partial(_outside, distance, radius), 0.0, math.pi / 2, math.pi) / math.pi
    return _integral(partial(_between, distance, radius), 0.0, math.pi / 4, math.pi / 2) / math.pi


def beyond_edges(edges: Iterable[tuple[Vector, Vector]], inside: bool) -> float:
    """Return what the edges of a polygon take away from the 1 of a place inside; less than nothing from the 0 outside.

    Args:
        edges: (from, to), the interior to their left; those further than ``FAR`` may be left out.
        inside: whether the place itself is, for a place on the very edge.
    """
    taken = 0.0
    for (ax, ay), (bx, by) in edges:
        dx, dy = bx - ax, by - ay
        length = math.hypot(dx, dy)
        if length == 0.0:
            continue
        cross = (ax * by - bx * ay) / length
        height = abs(cross)
        if height >= FAR:
            continue
        begin, end = math.atan2((ax * dx + ay * dy) / length, height), math.atan2((bx * dx + by * dy) / length, height)
        widest = math.acos(height / FAR)
        begin, end = max(begin, -widest), min(end, widest)
        if end > begin:
            sign = math.copysign(1.0, cross) if cross else (1.0 if inside else -1.0)
            taken += sign * _integral(partial(_along, height * height / 2), begin, end)
    return taken / (2 * math.pi)


def _along(half_squared_height: float, phi: float) -> float:
    return math.exp(-half_squared_height / math.cos(phi) ** 2)


def _outside(distance: float, radius: float, phi: float) -> float:
    rho = -distance * math.cos(phi) + math.sqrt(max(0.0, radius * radius - (distance * math.sin(phi)) ** 2))
    # The centre lies at phi = pi: the nearest point of the circle is the one away from it.
    return math.exp(-rho * rho / 2)


def _between(distance: float, radius: float, u: float) -> float:
    """What lies between the near and the far side of a circle seen from outside, per ``u``: sin(phi) = r/d sin(u)."""
    sine = radius / distance * math.sin(u)
    cosine = math.sqrt(max(1e-12, 1 - sine * sine))
    near, far = distance * cosine - radius * math.cos(u), distance * cosine + radius * math.cos(u)
    return (math.exp(-near * near / 2) - math.exp(-far * far / 2)) * radius / distance * math.cos(u) / cosine


def _integral(function: Callable[[float], float], *ends: float) -> float:
    total = 0.0
    for low, high in pairwise(ends):
        half, middle = (high - low) / 2, (high + low) / 2
        total += half * math.fsum(weight * function(middle + half * x) for x, weight in _NODES)
    return total
