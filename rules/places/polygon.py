"""Areas from GeoJSON (RFC 7946): polygons with holes, several of them, across the antimeridian too.

Edges are straight in longitude and latitude, as the RFC has it (3.1.1), not geodesics. Longitudes of a ring are made
continuous, so that 179 to -179 is two degrees and not 358; rings around a pole are refused.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from device_models.sentences import sentence
from rules.places.distance import EDGE_SHARE, M_PER_DEGREE, Point

MOST_POSITIONS = 10_000
"""Of one area; a country's border simplified to 100 m has fewer."""
WIDEST_DEG = 170.0
"""A ring that is wider is nearly always one whose longitudes are wrong."""

_EQUATOR_M = 6_378_137.0
_FLATTENING = 1 / 298.257223563
_ECCENTRICITY2 = _FLATTENING * (2 - _FLATTENING)
_MOST_SLABS = 1024
_MOST_PAIRS = 2_000_000
"""Pairs of edges looked at for crossings: all of any area that is not drawn to take long."""

Local = tuple[float, float]
"""Metres east and north of a place."""


class Edge(NamedTuple):
    """From one position to the next, the polygon's interior to its left; degrees, longitudes continuous."""

    polygon: int
    lon1: float
    lat1: float
    lon2: float
    lat2: float


class GeoJsonError(ValueError):
    """No area that can be used, and why."""


class Plane:
    """The surroundings of a place as a plane, in metres: WGS 84's radii of curvature there.

    It keeps straight what is straight in degrees. Good to a part in a thousand within ten kilometres below 80°.
    """

    __slots__ = ("_east", "_north", "latitude", "longitude")

    def __init__(self, latitude: float, longitude: float) -> None:
        self.latitude, self.longitude = latitude, longitude
        sine = math.sin(math.radians(latitude))
        share = 1 - _ECCENTRICITY2 * sine * sine
        self._north = math.radians(_EQUATOR_M * (1 - _ECCENTRICITY2) / share**1.5)
        self._east = math.radians(_EQUATOR_M / math.sqrt(share)) * math.cos(math.radians(latitude))

    def local(self, longitude: float, latitude: float) -> Local:
        """Return where a position is; longitudes are taken as they are."""
        return ((longitude - self.longitude) * self._east, (latitude - self.latitude) * self._north)

    def degrees(self, metres: float) -> tuple[float, float]:
        """Return so many metres in degrees of (longitude, latitude)."""
        return metres / max(self._east, 1e-6), metres / self._north


class Area:
    """One or several polygons, indexed by latitude: a look costs what is there, not what the whole border has."""

    def __init__(self, polygons: Sequence[Sequence[Sequence[Point]]]) -> None:
        """``polygons``: each its rings, the outer one first; each ring its positions (longitude, latitude), closed.

        Raises GeoJsonError.
        """
        self.edges = tuple(_edges(polygons))
        longitudes = [lon for edge in self.edges for lon in (edge.lon1, edge.lon2)]
        latitudes = [lat for edge in self.edges for lat in (edge.lat1, edge.lat2)]
        self._west, self._east = min(longitudes), max(longitudes)
        self._south, self._north = min(latitudes), max(latitudes)
        self._slabs: list[list[Edge]] = [[] for _ in range(min(len(self.edges), _MOST_SLABS))]
        for edge in self.edges:
            low, high = self._slab(min(edge.lat1, edge.lat2)), self._slab(max(edge.lat1, edge.lat2))
            for index in range(low, high + 1):
                self._slabs[index].append(edge)
        self._refuse_crossings()

    def circle(self) -> tuple[Point, float]:
        """Return a circle around all of it: its middle (latitude, longitude), and metres that are surely enough."""
        latitude, longitude = (self._south + self._north) / 2, (self._west + self._east) / 2
        nearest_equator = max(0.0, self._south, -self._north)
        high = (self._north - self._south) / 2 * M_PER_DEGREE
        wide = (self._east - self._west) / 2 * M_PER_DEGREE * math.cos(math.radians(nearest_equator))
        # Along the meridian and then the parallel; the straight way is shorter, and for what is small known better.
        far_m = math.hypot(high, wide) if max(high, wide) < M_PER_DEGREE else high + wide
        return (latitude, (longitude + 180) % 360 - 180), far_m * (1 + EDGE_SHARE) + 1

    def longitude(self, longitude: float) -> float:
        """Return a longitude in the area's own continuous count: as near to its middle as can be."""
        middle = (self._west + self._east) / 2
        return longitude + 360 * round((middle - longitude) / 360)

    def contains(self, at: Point) -> bool:
        """Tell whether (latitude, longitude) lies inside; on the border either."""
        latitude, longitude = at[0], self.longitude(at[1])
        if not (self._south <= latitude <= self._north and self._west <= longitude <= self._east):
            return False
        odd: set[int] = set()
        for polygon, lon1, lat1, lon2, lat2 in self._slabs[self._slab(latitude)]:
            if (lat1 > latitude) is not (lat2 > latitude):
                crossing = lon1 + (latitude - lat1) / (lat2 - lat1) * (lon2 - lon1)
                if crossing > longitude:
                    odd ^= {polygon}
        return bool(odd)

    def near(self, at: Point, reach_m: float) -> tuple[Plane, list[tuple[Local, Local]]]:
        """Return the plane around a place, and the edges that may come within ``reach_m`` of it, in metres from it."""
        plane = Plane(at[0], self.longitude(at[1]))
        wide, high = plane.degrees(reach_m)
        west, east = plane.longitude - wide, plane.longitude + wide
        south, north = plane.latitude - high, plane.latitude + high
        if north < self._south or south > self._north or east < self._west or west > self._east:
            return plane, []
        found: dict[Edge, None] = {}
        for index in range(self._slab(south), self._slab(north) + 1):
            for edge in self._slabs[index]:
                _, lon1, lat1, lon2, lat2 = edge
                beside = max(lon1, lon2) < west or min(lon1, lon2) > east
                if not beside and max(lat1, lat2) >= south and min(lat1, lat2) <= north:
                    found[edge] = None
        return plane, [(plane.local(e.lon1, e.lat1), plane.local(e.lon2, e.lat2)) for e in found]

    def nearest(self, at: Point) -> Point:
        """Return the place of the border that is nearest, looking at all of it."""
        plane = Plane(at[0], self.longitude(at[1]))
        best, place = math.inf, at
        for edge in self.edges:
            a, b = plane.local(edge.lon1, edge.lat1), plane.local(edge.lon2, edge.lat2)
            share = share_along(a, b)
            x, y = a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])
            if math.hypot(x, y) < best:
                best = math.hypot(x, y)
                longitude = edge.lon1 + share * (edge.lon2 - edge.lon1)
                place = (edge.lat1 + share * (edge.lat2 - edge.lat1), (longitude + 180) % 360 - 180)
        return place

    def _slab(self, latitude: float) -> int:
        height = (self._north - self._south) / len(self._slabs) or 1.0
        return min(max(int((latitude - self._south) / height), 0), len(self._slabs) - 1)

    def _refuse_crossings(self) -> None:
        for slab in self._slabs:
            for i, one in enumerate(slab):
                for other in slab[i + 1 :]:
                    if one.polygon == other.polygon and _cross(one, other):
                        raise GeoJsonError(
                            sentence(
                                "its border crosses itself near longitude {1}, latitude {2}",
                                f"{one.lon1:g}",
                                f"{one.lat1:g}",
                            )
                        )


def share_along(a: Local, b: Local) -> float:
    """Return how far along a segment the place nearest to the origin is, 0..1."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    squared = dx * dx + dy * dy
    return min(1.0, max(0.0, -(a[0] * dx + a[1] * dy) / squared)) if squared else 0.0


def read_geojson(data: Any) -> Area:
    """Read a Polygon or MultiPolygon, or a Feature, FeatureCollection or GeometryCollection of them.

    Raises GeoJsonError with what is wrong.
    """
    polygons = list(_polygons(data))
    if not polygons:
        raise GeoJsonError(sentence("has no polygon"))
    if sum(len(ring) for rings in polygons for ring in rings) > MOST_POSITIONS:
        raise GeoJsonError(sentence("has more than {1} positions; simplify it", MOST_POSITIONS))
    return Area(polygons)


def _polygons(data: Any) -> Iterator[list[list[Point]]]:
    if not isinstance(data, Mapping):
        raise GeoJsonError(sentence("is no GeoJSON object"))
    match data.get("type"):
        case "Polygon":
            yield _rings(data.get("coordinates"))
        case "MultiPolygon":
            for rings in _list(data.get("coordinates"), "coordinates"):
                yield _rings(rings)
        case "Feature":
            yield from _polygons(data.get("geometry"))
        case "FeatureCollection":
            for feature in _list(data.get("features"), "features"):
                yield from _polygons(feature)
        case "GeometryCollection":
            for geometry in _list(data.get("geometries"), "geometries"):
                yield from _polygons(geometry)
        case other:
            raise GeoJsonError(
                sentence("'{1}' is no area; there are Polygon, MultiPolygon and features of them", other)
            )


def _rings(data: Any) -> list[list[Point]]:
    rings = [_ring(ring) for ring in _list(data, "coordinates")]
    if not rings:
        raise GeoJsonError(sentence("a polygon has no ring"))
    return rings


def _ring(data: Any) -> list[Point]:
    positions = [_position(position) for position in _list(data, "a ring")]
    if len(positions) < 4 or positions[0] != positions[-1]:
        raise GeoJsonError(sentence("a ring has at least four positions, and its last is its first (RFC 7946, 3.1.6)"))
    return positions


def _position(data: Any) -> Point:
    position = _list(data, "a position")
    if len(position) < 2 or not all(isinstance(n, int | float) and math.isfinite(n) for n in position[:2]):
        raise GeoJsonError(sentence("{1} is no position, such as [13.4, 52.5]", repr(position)))
    longitude, latitude = float(position[0]), float(position[1])
    if abs(latitude) > 90 or abs(longitude) > 360:
        raise GeoJsonError(sentence("{1} is no [longitude, latitude] in degrees", position[:2]))
    return (longitude, latitude)


def _list(data: Any, what: str) -> Sequence[Any]:
    if not isinstance(data, list | tuple):
        raise GeoJsonError(sentence("{1} is no list", what))
    return data


def _edges(polygons: Sequence[Sequence[Sequence[Point]]]) -> Iterator[Edge]:
    # One count of longitudes for all, so that parts cut at the antimeridian (3.1.9) meet again.
    origin = polygons[0][0][0][0]
    for number, rings in enumerate(polygons):
        for hole, ring in enumerate(rings):
            continuous = _continuous(ring, origin)
            area = sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(_about(continuous)))
            if area == 0:
                raise GeoJsonError(sentence("a ring encloses nothing"))
            if (area > 0) is bool(hole):
                continuous.reverse()
            for (lon1, lat1), (lon2, lat2) in pairwise(continuous):
                if (lon1, lat1) != (lon2, lat2):
                    yield Edge(number, lon1, lat1, lon2, lat2)


def _about(ring: list[Point]) -> list[Point]:
    """Relative to the first position: areas of small rings far from 0° would otherwise drown in rounding."""
    return [(lon - ring[0][0], lat - ring[0][1]) for lon, lat in ring]


def _continuous(ring: Sequence[Point], origin: float) -> list[Point]:
    last = ring[0][0] + 360 * round((origin - ring[0][0]) / 360)
    made = [(last, ring[0][1])]
    for longitude, latitude in ring[1:]:
        last = longitude + 360 * round((last - longitude) / 360)
        made.append((last, latitude))
    if made[0] != made[-1]:
        raise GeoJsonError(sentence("a ring goes around a pole; cut it into parts that do not"))
    if max(lon for lon, _ in made) - min(lon for lon, _ in made) > WIDEST_DEG:
        raise GeoJsonError(sentence("a ring is wider than {1}°; cut it into parts", f"{WIDEST_DEG:g}"))
    return made


def _cross(one: Edge, other: Edge) -> bool:
    """Tell whether two edges cross in more than a shared position."""

    def side(edge: Edge, lon: float, lat: float) -> float:
        return (edge.lon2 - edge.lon1) * (lat - edge.lat1) - (edge.lat2 - edge.lat1) * (lon - edge.lon1)

    return (
        side(one, other.lon1, other.lat1) * side(one, other.lon2, other.lat2) < 0
        and side(other, one.lon1, one.lat1) * side(other, one.lon2, one.lat2) < 0
    )
