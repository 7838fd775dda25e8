"""How far apart two places are: haversine for the clear cases, geodesic for the close ones."""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Protocol

from device_models.registry import Shop

EARTH_RADIUS_M = 6_371_008.8
"""IUGG mean radius R1, which haversine takes for the whole Earth."""
EDGE_SHARE = 0.01
"""Geodesic decides within this share of the radius around the edge, and the grid looks this much further.

A sphere of ``EARTH_RADIUS_M`` differs from WGS 84 by at most 0.56 % of a distance (along the meridian at the equator,
where the ellipsoid's radius of curvature is 6,335,439 m), so 1 % holds every case in which the two could disagree.
"""
M_PER_DEGREE = math.radians(EARTH_RADIUS_M)

Point = tuple[float, float]
"""(latitude, longitude) in degrees, WGS 84."""
Method = Literal["haversine", "geodesic"]
Vector = tuple[float, float, float]
"""A place as a unit vector from the Earth's centre: no antimeridian, no poles."""


class Place(Protocol):
    """Something on Earth that has a radius: a shop, or a zone as the circle around it."""

    @property
    def id(self) -> str:
        """Unique among its like."""
        ...

    @property
    def latitude(self) -> float:
        """Degrees, WGS 84."""
        ...

    @property
    def longitude(self) -> float:
        """Degrees, WGS 84."""
        ...

    @property
    def radius_m(self) -> float:
        """Above 0."""
        ...


@dataclass(frozen=True, slots=True)
class Measured:
    """How far a fix is from a shop, and which formula said so."""

    distance_m: float
    method: Method
    inside: bool
    """Whether the fix itself lies within the radius; what its accuracy makes of that is the rule's affair."""


def haversine_m(a: Point, b: Point) -> float:
    """Return the great-circle distance in metres on the mean sphere, at most 0.56 % off the geodesic."""
    lat_a, lat_b = math.radians(a[0]), math.radians(b[0])
    half = (
        math.sin((lat_b - lat_a) / 2) ** 2
        + math.cos(lat_a) * math.cos(lat_b) * math.sin(math.radians(b[1] - a[1]) / 2) ** 2
    )
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(half)))


def geodesic_m(a: Point, b: Point) -> float:
    """Return the distance in metres on the WGS 84 ellipsoid: about 50 µs, so only where it matters."""
    return float(_wgs84().measure(a, b)) * 1000


@cache
def _wgs84() -> Any:
    # At the first use: geopy brings its geocoders along. One for all: each works out the ellipsoid's series anew.
    from geopy.distance import geodesic

    return geodesic()


def measure(shop: Shop, at: Point, *, accuracy_m: float = 0.0, radius_m: float | None = None) -> Measured:
    """Measure a fix against a shop's radius, exactly where its edge is close.

    Args:
        at: the fix.
        accuracy_m: the fix's accuracy; while the edge is within it plus ``EDGE_SHARE`` of the radius, the
            geodesic decides.
        radius_m: instead of the shop's own.
    """
    radius = shop.radius_m if radius_m is None else radius_m
    centre = (shop.latitude, shop.longitude)
    distance = haversine_m(centre, at)
    if abs(distance - radius) > accuracy_m + EDGE_SHARE * radius:
        return Measured(distance, "haversine", distance <= radius)
    distance = geodesic_m(centre, at)
    return Measured(distance, "geodesic", distance <= radius)


def closest_approach_m(place: Place, start: Point, end: Point) -> float:
    """Return how close the straight way from ``start`` to ``end`` comes to a place, in metres on the mean sphere.

    The way is the chord pushed out to the surface, so poles and antimeridian need no care.
    """
    a, b, s = vector(start), vector(end), vector((place.latitude, place.longitude))
    way = minus(b, a)
    squared = dot(way, way)
    share = 0.0 if squared == 0 else min(1.0, max(0.0, dot(minus(s, a), way) / squared))
    between = minus(on_chord(a, b, share), s)
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(dot(between, between)) / 2))


def vector(place: Point) -> Vector:
    """Return a place as a unit vector."""
    lat, lon = math.radians(place[0]), math.radians(place[1])
    return (math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat))


def point(unit: Vector) -> Point:
    """Return the place of a unit vector."""
    x, y, z = unit
    return (math.degrees(math.atan2(z, math.hypot(x, y))), math.degrees(math.atan2(y, x)))


def on_chord(a: Vector, b: Vector, share: float) -> Vector:
    """Return the place above the chord from ``a`` to ``b``, after a share of it; not for places opposite each other."""
    x, y, z = (p + share * (q - p) for p, q in zip(a, b, strict=True))
    length = math.sqrt(x * x + y * y + z * z)
    return (x / length, y / length, z / length)


def minus(a: Vector, b: Vector) -> Vector:
    """Return ``a - b``."""
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2])


def dot(a: Vector, b: Vector) -> float:
    """Return the scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
