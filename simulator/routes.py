"""A simulated city: a grid of streets laid over real coordinates, and journeys along them."""

import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

_METRES_PER_DEGREE = 111_195.0
"""Of latitude, on a sphere of 6,371 km."""

Metres = tuple[float, float]
"""(along the avenues, along the streets) in metres from the corner (0, 0) of the grid."""


class Mode(StrEnum):
    """How a person gets about."""

    WALK = "walk"
    RIDE = "ride"
    DRIVE = "drive"

    @property
    def speed_m_s(self) -> float:
        """Usual speed between stops."""
        return {Mode.WALK: 1.35, Mode.RIDE: 5.0, Mode.DRIVE: 11.0}[self]


@dataclass(frozen=True, slots=True)
class City:
    """A grid of ``columns`` by ``rows`` square blocks; corners are counted from the south-west."""

    latitude: float
    """Of the grid's middle, degrees."""
    longitude: float
    columns: int
    rows: int
    block_m: float
    bearing_deg: float
    """By how much the grid is turned, clockwise from north."""

    def at_corner(self, column: float, row: float) -> Metres:
        """Return the place ``column`` and ``row`` blocks from the south-west; fractions lie between corners."""
        return column * self.block_m, row * self.block_m

    def point(self, place: Metres) -> tuple[float, float]:
        """Return (latitude, longitude) of a place on the grid, on a plane that touches the city's middle."""
        across = place[0] - self.columns * self.block_m / 2
        along = place[1] - self.rows * self.block_m / 2
        turn = math.radians(self.bearing_deg)
        east = across * math.cos(turn) + along * math.sin(turn)
        north = along * math.cos(turn) - across * math.sin(turn)
        latitude = self.latitude + north / _METRES_PER_DEGREE
        return latitude, self.longitude + east / (_METRES_PER_DEGREE * math.cos(math.radians(self.latitude)))

    def offset(self, point: tuple[float, float], east_m: float, north_m: float) -> tuple[float, float]:
        """Return (latitude, longitude) of the place ``east_m`` and ``north_m`` metres from ``point``."""
        latitude, longitude = point
        return (
            latitude + north_m / _METRES_PER_DEGREE,
            longitude + east_m / (_METRES_PER_DEGREE * math.cos(math.radians(latitude))),
        )

    def way(self, start: Metres, goal: Metres, along_first: bool) -> list[Metres]:
        """Return the turning points of a way that keeps to the streets, one corner round the block.

        ``along_first`` takes the avenue before the street. Both ends are reached from the nearest street.
        """
        first, last = self.nearest_street(start), self.nearest_street(goal)
        if along_first:
            row = self._line(last[1])
            corners = [first, (self._line(first[0]), first[1]), (self._line(first[0]), row), (last[0], row), last]
        else:
            column = self._line(last[0])
            corners = [first, (first[0], self._line(first[1])), (column, self._line(first[1])), (column, last[1]), last]
        points = [start, *corners, goal]
        return [points[0]] + [here for before, here in pairwise(points) if here != before]

    def nearest_street(self, place: Metres) -> Metres:
        """Return the nearest point of a street or an avenue."""
        column, row = self._line(place[0]), self._line(place[1])
        if abs(place[0] - column) <= abs(place[1] - row):
            return column, place[1]
        return place[0], row

    def _line(self, metres: float) -> float:
        return round(metres / self.block_m) * self.block_m


@dataclass(frozen=True, slots=True)
class Stop:
    """A pause on the way: ``at_m`` metres along it, for ``pause_s`` seconds."""

    at_m: float
    pause_s: float


@dataclass(frozen=True, slots=True)
class Route:
    """A way taken in one mode, with pauses. Time and distance run from its start."""

    points: tuple[Metres, ...]
    mode: Mode
    stops: tuple[Stop, ...] = ()
    """In order along the way."""
    tunnel_m: tuple[float, float] | None = None
    """From where to where along the way there is no sky and no network."""

    @property
    def length_m(self) -> float:
        """Length of the way."""
        return sum(math.dist(a, b) for a, b in pairwise(self.points))

    @property
    def duration_s(self) -> float:
        """How long it takes, pauses included."""
        return self.length_m / self.mode.speed_m_s + sum(stop.pause_s for stop in self.stops)

    def metres_at(self, elapsed_s: float) -> float:
        """Return how far along the way one is after ``elapsed_s`` seconds."""
        passed_m, left_s = 0.0, elapsed_s
        for stop in self.stops:
            needed_s = (stop.at_m - passed_m) / self.mode.speed_m_s
            if left_s < needed_s:
                break
            left_s = max(0.0, left_s - needed_s - stop.pause_s)
            passed_m = stop.at_m
        return min(self.length_m, passed_m + left_s * self.mode.speed_m_s)

    def place_at(self, metres: float) -> Metres:
        """Return the place ``metres`` along the way."""
        for a, b in pairwise(self.points):
            length = math.dist(a, b)
            if metres <= length and length > 0:
                share = metres / length
                return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share
            metres -= length
        return self.points[-1]

    def course_deg(self, metres: float, bearing_deg: float) -> float:
        """Return the compass course at ``metres`` along the way, on a grid turned by ``bearing_deg``."""
        a, b = self.place_at(metres), self.place_at(min(self.length_m, metres + 1.0))
        if a == b:
            a, b = self.place_at(max(0.0, metres - 1.0)), b
        return (math.degrees(math.atan2(b[0] - a[0], b[1] - a[1])) + bearing_deg) % 360

    def in_tunnel(self, metres: float) -> bool:
        """Tell whether the place ``metres`` along the way is in the tunnel."""
        return self.tunnel_m is not None and self.tunnel_m[0] <= metres <= self.tunnel_m[1]

    def nearest_m(self, place: Metres) -> tuple[float, float]:
        """Return (metres along the way, distance in metres) of the point of the way nearest to ``place``."""
        best, passed_m = (0.0, math.dist(self.points[0], place)), 0.0
        for a, b in pairwise(self.points):
            length = math.dist(a, b)
            if length == 0:
                continue
            along = ((place[0] - a[0]) * (b[0] - a[0]) + (place[1] - a[1]) * (b[1] - a[1])) / length
            along = min(length, max(0.0, along))
            share = along / length
            gap = math.dist((a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share), place)
            if gap < best[1]:
                best = (passed_m + along, gap)
            passed_m += length
        return best
