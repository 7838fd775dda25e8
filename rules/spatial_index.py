"""Which shops, or zones, may be near a fix: grids over the whole Earth whose cost does not grow with their number."""

import math
from array import array
from collections.abc import Collection, Iterable, Iterator
from typing import Generic, TypeVar

from device_models.registry import Shop
from rules.places.distance import (
    EARTH_RADIUS_M,
    EDGE_SHARE,
    M_PER_DEGREE,
    Place,
    Point,
    Vector,
    closest_approach_m,
    dot,
    geodesic_m,
    haversine_m,
    minus,
    on_chord,
    point,
    vector,
)

_SMALLEST_CELL_M = 200.0
_CLASS_RATIO = 4.0
_PIECE_M = 2_000.0
_LONGEST_SEGMENT_M = 1_000_000.0
_HALF_ROUND_M = math.pi * EARTH_RADIUS_M


P = TypeVar("P", bound=Place)


class PlaceIndex(Generic[P]):
    """Places with a radius, anywhere on Earth: shops, or the circles around zones.

    A lookup costs what the places around it cost, however many there are elsewhere: measured figures are in
    ``docs/offers.md``. Places whose radii differ by more than 4 times stand in grids of their own, so that one with a
    radius of 50 km does not make every lookup wide.
    """

    def __init__(self, places: Iterable[P]) -> None:
        """Build the grids. Raises ValueError when two have the same id."""
        self._places: dict[str, P] = {}
        for place in places:
            if place.id in self._places:
                raise ValueError(f"two of them have the id '{place.id}'")
            self._places[place.id] = place
        classes: dict[int, list[P]] = {}
        for place in self._places.values():
            rank = max(0, math.ceil(math.log(place.radius_m / (_SMALLEST_CELL_M / 2), _CLASS_RATIO)))
            classes.setdefault(rank, []).append(place)
        self._grids = tuple(_Grid(members) for _, members in sorted(classes.items()))
        self._grids_by_radius: dict[float, tuple[_Grid[P], ...]] = {}

    def __len__(self) -> int:
        """Count them."""
        return len(self._places)

    def __iter__(self) -> Iterator[P]:
        """Go through all of them."""
        return iter(self._places.values())

    def __contains__(self, place_id: object) -> bool:
        """Tell whether one has this id."""
        return place_id in self._places

    def get(self, place_id: str) -> P | None:
        """Return one by its id, None where there is none."""
        return self._places.get(place_id)

    def candidates(
        self, latitude: float, longitude: float, margin_m: float = 0.0, *, radius_m: float | None = None
    ) -> list[P]:
        """Return every one within whose radius plus ``margin_m`` a point may lie, by id.

        None that does is missing; one that is up to ``EDGE_SHARE`` further may be among them. ``radius_m`` stands
        in for each one's own; a grid is built on its first use.
        """
        here = vector((latitude, longitude))
        found: list[P] = []
        for grid in self._grids if radius_m is None else self._grids_of(radius_m):
            if margin_m == 0:
                grid.collect(found, latitude, longitude, here)
            else:
                grid.collect_around(found, latitude, longitude, here, margin_m)
        if len(found) > 1:
            found.sort(key=_id_of)
        return found

    def along(self, start: Point, end: Point, margin_m: float = 0.0, *, radius_m: float | None = None) -> list[P]:
        """Return every one whose radius plus ``margin_m`` the straight way between two fixes may touch, by id.

        The cost grows with the length. Raises ValueError beyond 1,000 km, where a straight way says nothing any more.
        """
        length = haversine_m(start, end)
        if length > _LONGEST_SEGMENT_M:
            raise ValueError(f"a segment of {length / 1000:.0f} km is no movement to follow")
        pieces = max(1, math.ceil(length / _PIECE_M))
        a, b = vector(start), vector(end)
        found: dict[str, P] = {}
        for piece in range(pieces):
            middle = point(on_chord(a, b, (piece + 0.5) / pieces))
            # Half a piece and 1 % of it: equal shares of a chord are not quite equal on the surface.
            margin = margin_m + (0.5 + EDGE_SHARE) * length / pieces
            found.update((place.id, place) for place in self.candidates(*middle, margin, radius_m=radius_m))
        return [
            place
            for _, place in sorted(found.items())
            if closest_approach_m(place, start, end) * (1 - EDGE_SHARE)
            <= (place.radius_m if radius_m is None else radius_m) + margin_m
        ]

    def nearest(self, latitude: float, longitude: float, count: int = 1) -> list[tuple[P, float]]:
        """Return the ``count`` nearest ones with their geodesic metres, nearest first, ties by id.

        Fast where some are around; from the middle of an ocean it goes through all of them.
        """
        here = (latitude, longitude)
        reach_m = 1_000.0
        while True:
            near = sorted((haversine_m(here, (p.latitude, p.longitude)), p.id) for p in self.candidates(*here, reach_m))
            # The last one counted is surely in reach on the ellipsoid too, or there is nothing beyond.
            if reach_m >= _HALF_ROUND_M or (len(near) >= count and near[count - 1][0] * (1 + EDGE_SHARE) <= reach_m):
                break
            reach_m *= 2
        # A metre more, for the rounding of places that are next to each other.
        bound_m = near[count - 1][0] * (1 + EDGE_SHARE) ** 2 + 1 if len(near) >= count > 0 else math.inf
        exact = sorted(
            (geodesic_m(here, (self._places[i].latitude, self._places[i].longitude)), i)
            for m, i in near
            if m <= bound_m
        )
        return [(self._places[i], metres) for metres, i in exact[:count]]

    def _grids_of(self, radius_m: float) -> tuple["_Grid[P]", ...]:
        if radius_m not in self._grids_by_radius:
            self._grids_by_radius[radius_m] = (_Grid(self._places.values(), radius_m),) if self._places else ()
        return self._grids_by_radius[radius_m]


class ShopIndex(PlaceIndex[Shop]):
    """Shops by place."""


_Cell = tuple[list[P], "array[float]"]
"""The places, and for each four numbers: where it is as a unit vector and its ``_reach``, squared.

Numbers side by side, since a float object for each would cost a miss of the processor's cache.
"""
_Row = tuple[float, int, dict[int, _Cell[P]]]
"""Columns a degree, columns in all, and the cells by column."""


class _Grid(Generic[P]):
    """Places of about one radius, each in every cell that its radius touches, so that a fix looks into one cell.

    Rows are bands of latitude; each has its own number of columns, so that cells are about square in metres from the
    equator to the poles, and columns count round, so that the antimeridian is a border like any other.
    """

    __slots__ = ("_per_degree", "_rows")

    def __init__(self, shops: Collection[P], radius_m: float | None = None) -> None:
        widest_m = radius_m or max(shop.radius_m for shop in shops)
        # Wider cells hold more shops to look at, narrower ones hold each shop more often: here 2.8 times.
        self._per_degree = M_PER_DEGREE / max(_SMALLEST_CELL_M, 3 * widest_m)
        self._rows: dict[int, _Row[P]] = {}
        for shop in shops:
            radius = radius_m or shop.radius_m
            numbers = (*vector((shop.latitude, shop.longitude)), _reach(radius) ** 2)
            south, north, half_deg = _box(shop.latitude, radius)
            for row in range(self._row_of(south), self._row_of(north) + 1):
                if row not in self._rows:
                    middle = math.radians((row + 0.5) / self._per_degree - 90)
                    columns = max(1, int(360 * math.cos(middle) * self._per_degree))
                    self._rows[row] = (columns / 360, columns, {})
                per_degree, columns, cells = self._rows[row]
                for column in _columns(shop.longitude, half_deg, per_degree, columns):
                    shops_there, numbers_there = cells.setdefault(column % columns, ([], array("d")))
                    shops_there.append(shop)
                    numbers_there.extend(numbers)

    def collect(self, found: list[P], latitude: float, longitude: float, here: Vector) -> None:
        """Add the shops within whose own radius a point may lie; this runs for every fix of every device."""
        row = self._rows.get(int((latitude + 90) * self._per_degree))
        if row is None:
            return
        per_degree, columns, cells = row
        cell = cells.get(int((longitude + 180) * per_degree) % columns)
        if cell is None:
            return
        x, y, z = here
        numbers = iter(cell[1])
        for index, (shop_x, shop_y, shop_z, reach) in enumerate(zip(numbers, numbers, numbers, numbers, strict=True)):
            dx = shop_x - x
            dy = shop_y - y
            dz = shop_z - z
            if dx * dx + dy * dy + dz * dz <= reach:
                found.append(cell[0][index])

    def collect_around(self, found: list[P], latitude: float, longitude: float, here: Vector, margin_m: float) -> None:
        """Add the shops within whose radius and a margin a point may lie."""
        margin = _reach(margin_m)
        seen: set[str] = set()
        for shops, numbers in self._cells(latitude, longitude, margin_m):
            for index, shop in enumerate(shops):
                x, y, z, own_squared = numbers[4 * index : 4 * index + 4]
                way = minus((x, y, z), here)
                if shop.id not in seen and dot(way, way) <= (math.sqrt(own_squared) + margin) ** 2:
                    seen.add(shop.id)
                    found.append(shop)

    def _cells(self, latitude: float, longitude: float, reach_m: float) -> Iterator[_Cell[P]]:
        """Go through the cells that hold shops and that a box of ``reach_m`` around a point touches."""
        south, north, half_deg = _box(latitude, reach_m)
        first, last = self._row_of(south), self._row_of(north)
        if last - first < len(self._rows):
            rows = [self._rows[row] for row in range(first, last + 1) if row in self._rows]
        else:
            rows = [row for at, row in self._rows.items() if first <= at <= last]
        for per_degree, columns, cells in rows:
            touched = _columns(longitude, half_deg, per_degree, columns)
            if len(touched) < len(cells):
                yield from (cells[c % columns] for c in touched if c % columns in cells)
            else:
                yield from (cell for c, cell in cells.items() if (c - touched.start) % columns < len(touched))

    def _row_of(self, latitude: float) -> int:
        return int((latitude + 90) * self._per_degree)


def _box(latitude: float, reach_m: float) -> tuple[float, float, float]:
    """Return a box that holds all within ``reach_m``: southern and northern edge, half its width, in degrees."""
    reach_deg = (reach_m * (1 + EDGE_SHARE) + 1) / M_PER_DEGREE
    south, north = max(-90.0, latitude - reach_deg), min(90.0, latitude + reach_deg)
    # A way of `reach` stays below the box's higher latitude, where a degree of longitude is shortest.
    shortest = math.cos(math.radians(max(north, -south)))
    return south, north, (reach_deg / shortest if shortest > reach_deg / 180 else 180.0)


def _columns(longitude: float, half_deg: float, per_degree: float, columns: int) -> range:
    """Return the columns of a row within ``half_deg`` of a longitude, counting on beyond a round."""
    # 540 is one round more than 180, so that truncation is floor.
    first = int((longitude + 540 - half_deg) * per_degree)
    last = int((longitude + 540 + half_deg) * per_degree)
    return range(first, min(last, first + columns - 1) + 1)


def _reach(metres: float) -> float:
    """Return a distance and ``EDGE_SHARE`` more in Earth radii, to hold chords against, which are shorter than arcs."""
    return metres * (1 + EDGE_SHARE) / EARTH_RADIUS_M


def _id_of(place: Place) -> str:
    return place.id
