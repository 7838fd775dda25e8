"""On which side of a fence a fix lies, as far as its accuracy lets anybody know.

A fix is a place and the radius that holds the device with 68 %; its error is taken to be Gaussian. Inside is who is so
with the confidence asked for: in a fence smaller than the accuracy nobody ever surely is.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from statistics import NormalDist
from typing import NamedTuple, Protocol

from rules.places.distance import EDGE_SHARE, Method, Point, geodesic_m, haversine_m
from rules.places.gaussian import FAR, beyond_edges, within_circle
from rules.places.polygon import Area, Plane, share_along

SIGMA_SHARE = 1 / math.sqrt(-2 * math.log(1 - 0.68))
"""Standard deviation (of each direction) as a share of the radius that holds 68 %: Rayleigh's distribution."""
LEAST_SIGMA_M = 1.0
"""No receiver without correction data is better."""
LONGEST_WAY_M = 10_000.0
"""Between fixes further apart nobody knows the way."""


_BESIDE_DEG = 1.3e-8
"""About a millimetre and a half."""


class Side(StrEnum):
    """Where a device is."""

    INSIDE = "inside"
    OUTSIDE = "outside"
    UNSURE = "unsure"
    """Too near to the edge for its accuracy: neither an enter nor an exit."""


class Located(NamedTuple):
    """One fix held against one fence."""

    gap_m: float
    """To the edge, positive inside; at least so far where it is far beyond what the accuracy could explain."""
    probability: float
    """Of the device being inside."""
    method: Method | None
    """What decided on a circle; None for areas, whose edges are straight in degrees."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How sure one must be."""

    confidence: float
    """Probability that is enough, above 0.5."""
    margin_m: float
    """How far beyond the edge, its accuracy apart, a device that was inside must be to have left: jitter is no exit."""

    @property
    def z(self) -> float:
        """The confidence in standard deviations, to one side."""
        return NormalDist().inv_cdf(self.confidence)


class Fence(Protocol):
    """A circle or an area."""

    def locate(self, at: Point, sigma_m: float, reach_m: float = 0.0) -> Located:
        """Hold a fix against the fence. ``reach_m``: how far away the edge matters, beyond the fix's own error."""
        ...

    def deepest(self, start: Point, end: Point) -> Point | None:
        """Return a place of the straight way that is deep inside, None where the way stays outside."""
        ...

    def edge_m(self, at: Point) -> float:
        """Return the geodesic distance to the edge, however far; costs what the whole edge costs."""
        ...


@dataclass(frozen=True, slots=True)
class Circle:
    """All that lies within a radius."""

    centre: Point
    """(latitude, longitude)."""
    radius_m: float

    def locate(self, at: Point, sigma_m: float, reach_m: float = 0.0) -> Located:
        """Haversine where the case is clear, geodesic where it is close."""
        distance_m, method = haversine_m(self.centre, at), "haversine"
        if abs(distance_m - self.radius_m) <= FAR * sigma_m + reach_m + EDGE_SHARE * self.radius_m:
            distance_m, method = geodesic_m(self.centre, at), "geodesic"
        probability = within_circle(distance_m / sigma_m, self.radius_m / sigma_m)
        return Located(self.radius_m - distance_m, probability, "geodesic" if method == "geodesic" else "haversine")

    def deepest(self, start: Point, end: Point) -> Point | None:
        """The place that is nearest to the centre."""
        plane = Plane(*self.centre)
        a, b = (plane.local(_beside(p[1], self.centre[1]), p[0]) for p in (start, end))
        share = share_along(a, b)
        if math.hypot(a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])) > self.radius_m:
            return None
        return _between(start, end, share)

    def edge_m(self, at: Point) -> float:
        """By the geodesic to the centre."""
        return abs(self.radius_m - geodesic_m(self.centre, at))


@dataclass(frozen=True, slots=True)
class Zone:
    """An area from GeoJSON."""

    area: Area

    def locate(self, at: Point, sigma_m: float, reach_m: float = 0.0) -> Located:
        """By the edges around, in the plane of the place."""
        # On the very edge, or a corner, a place would be on neither side of it.
        at = (at[0] + _BESIDE_DEG, at[1] + 0.7 * _BESIDE_DEG)
        inside = self.area.contains(at)
        reach_m += FAR * sigma_m
        _, edges = self.area.near(at, reach_m)
        gap_m, scaled = reach_m, []
        for a, b in edges:
            share = share_along(a, b)
            gap_m = min(gap_m, math.hypot(a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])))
            scaled.append(((a[0] / sigma_m, a[1] / sigma_m), (b[0] / sigma_m, b[1] / sigma_m)))
        probability = (1.0 if inside else 0.0) - beyond_edges(scaled, inside)
        return Located(gap_m if inside else -gap_m, min(1.0, max(0.0, probability)), None)

    def deepest(self, start: Point, end: Point) -> Point | None:
        """The middle of the longest piece of the way that is inside."""
        middle = _between(start, end, 0.5)
        plane, edges = self.area.near(middle, haversine_m(start, end))
        a, b = (plane.local(self.area.longitude(p[1]), p[0]) for p in (start, end))
        shares = sorted({0.0, 1.0, *(share for edge in edges if (share := _crossing(a, b, *edge)) is not None)})
        pieces = [
            (high - low, (low + high) / 2)
            for low, high in pairwise(shares)
            if self.area.contains(_between(start, end, (low + high) / 2))
        ]
        return _between(start, end, max(pieces)[1]) if pieces else None

    def edge_m(self, at: Point) -> float:
        """By the geodesic to the nearest place of the border."""
        return geodesic_m(at, self.area.nearest(at))


def sigma_of(accuracy_m: float) -> float:
    """Return the standard deviation of a fix in each direction from the radius that holds 68 %."""
    return max(accuracy_m * SIGMA_SHARE, LEAST_SIGMA_M)


def side_of(located: Located, sigma_m: float, terms: Terms, before: Side | None) -> Side:
    """Tell on which side of its fence a fix lies.

    Args:
        located: the fix, held against the fence.
        sigma_m: its standard deviation.
        terms: How sure one must be.
        before: where the device was; who was inside must have left by the margin as well.
    """
    if located.probability >= terms.confidence:
        return Side.INSIDE
    # Seen from outside a straight edge hides more than any fence does, so that this is at least as sure as asked for.
    needed_m = terms.z * sigma_m + (terms.margin_m if before is Side.INSIDE else 0.0)
    return Side.OUTSIDE if -located.gap_m >= needed_m else Side.UNSURE


def _between(start: Point, end: Point, share: float) -> Point:
    longitude = _beside(end[1], start[1])
    place = start[1] + share * (longitude - start[1])
    return (start[0] + share * (end[0] - start[0]), (place + 180) % 360 - 180)


def _beside(longitude: float, other: float) -> float:
    """Return a longitude counted so that it is at most half a turn from another."""
    return longitude + 360 * round((other - longitude) / 360)


def _crossing(
    a: tuple[float, float], b: tuple[float, float], c: tuple[float, float], d: tuple[float, float]
) -> float | None:
    """Return where on the way from ``a`` to ``b`` it crosses the edge ``c`` to ``d``, 0..1; None: nowhere."""
    way, edge, off = (b[0] - a[0], b[1] - a[1]), (d[0] - c[0], d[1] - c[1]), (c[0] - a[0], c[1] - a[1])
    turn = way[0] * edge[1] - way[1] * edge[0]
    if turn == 0:
        return None
    along, across = (off[0] * edge[1] - off[1] * edge[0]) / turn, (off[0] * way[1] - off[1] * way[0]) / turn
    return along if 0 <= along <= 1 and 0 <= across <= 1 else None
