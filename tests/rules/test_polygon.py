from itertools import pairwise, product
from typing import Any

import pytest
from geopy.distance import geodesic
from hypothesis import given
from hypothesis import strategies as st

from rules.places.polygon import GeoJsonError, Plane, read_geojson

Ring = list[list[Any]]


def box(west: float, south: float, east: float, north: float) -> Ring:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def polygon(*rings: Ring) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def test_a_polygon_holds_what_is_inside_and_not_what_is_in_its_hole() -> None:
    area = read_geojson(polygon(box(13.0, 52.0, 13.4, 52.4), box(13.1, 52.1, 13.2, 52.2)))
    assert area.contains((52.3, 13.3))
    assert not area.contains((52.15, 13.15))
    assert not area.contains((52.5, 13.3))
    assert not area.contains((13.3, 52.3))


@pytest.mark.parametrize(("outer_reversed", "hole_reversed"), list(product([False, True], repeat=2)))
def test_the_way_round_a_ring_is_written_does_not_matter(outer_reversed: bool, hole_reversed: bool) -> None:
    outer, hole = box(0, 0, 4, 4), box(1, 1, 2, 2)
    area = read_geojson(polygon(outer[::-1] if outer_reversed else outer, hole[::-1] if hole_reversed else hole))
    assert (area.contains((3, 3)), area.contains((1.5, 1.5))) == (True, False)
    # The interior is to the left of each edge, so that the hole counts against the rest.
    plane, edges = area.near((3.0, 3.0), 1e6)
    square = plane.local(4.0, 3.0)[0] * plane.local(3.0, 4.0)[1]
    assert sum(a[0] * b[1] - b[0] * a[1] for a, b in edges) / 2 == pytest.approx(15 * square)


def test_several_polygons_count_together_also_where_they_overlap() -> None:
    area = read_geojson(
        {
            "type": "FeatureCollection",
            "features": [
                {"type": "Feature", "properties": {}, "geometry": polygon(box(0, 0, 2, 2))},
                {
                    "type": "Feature",
                    "geometry": {"type": "MultiPolygon", "coordinates": [[box(1, 1, 3, 3)], [box(8, 8, 9, 9)]]},
                },
                {"type": "GeometryCollection", "geometries": [polygon(box(20, 20, 21, 21))]},
            ],
        }
    )
    assert [area.contains(at) for at in ((0.5, 0.5), (1.5, 1.5), (2.5, 2.5), (8.5, 8.5), (20.5, 20.5))] == [True] * 5
    assert not area.contains((5, 5))


CUT = {
    "type": "MultiPolygon",
    "coordinates": [[box(178.0, -18.0, 180.0, -16.0)], [box(-180.0, -18.0, -179.0, -16.0)]],
}
ACROSS = polygon([[178, -18], [-179, -18], [-179, -16], [178, -16], [178, -18]])
COUNTED_ON = polygon(box(178.0, -18.0, 181.0, -16.0))


@pytest.mark.parametrize("data", [CUT, ACROSS, COUNTED_ON], ids=["cut", "across", "counted on"])
def test_an_area_may_lie_on_the_antimeridian(data: dict[str, Any]) -> None:
    area = read_geojson(data)
    for longitude in (178.5, 179.9999, -179.9999, -179.5):
        assert area.contains((-17.0, longitude))
    for longitude in (177.9, -178.9, 0.0, 90.0, -90.0):
        assert not area.contains((-17.0, longitude))
    _, edges = area.near((-17.0, 179.999), 500_000.0)
    assert max(abs(x) for edge in edges for x, _ in edge) < 250_000


@given(st.floats(-3, 7), st.floats(-3, 7))
def test_the_index_finds_what_looking_at_every_edge_finds(latitude: float, longitude: float) -> None:
    jagged = [[float(x), 4.0 + (x % 3)] for x in range(5, -1, -1)]
    ring = [[0.0, 0.0], [5.0, 0.0], *jagged[:-1], [0.0, 4.0], [0.0, 0.0]]
    area = read_geojson(polygon(ring))
    odd = False
    for (ax, ay), (bx, by) in pairwise(ring):
        if (ay > latitude) is not (by > latitude) and ax + (latitude - ay) / (by - ay) * (bx - ax) > longitude:
            odd = not odd
    assert area.contains((latitude, longitude)) is odd


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "is no GeoJSON object"),
        ({"type": "Point", "coordinates": [1, 2]}, "'Point' is no area"),
        ({"type": "FeatureCollection", "features": []}, "has no polygon"),
        (polygon(), "has no ring"),
        (polygon(box(0, 0, 1, 1)[:-1]), "its last is its first"),
        (polygon([[0, 0], [1, 1], [0, 0]]), "at least four positions"),
        (polygon([[0, 0], [1, 0], ["x", 1], [0, 0]]), "is no position"),
        (polygon([[0, 0], [1, 0], [1, 91], [0, 0]]), "no .longitude, latitude. in degrees"),
        (polygon([[0, 0], [1, 0], [2, 0], [0, 0]]), "encloses nothing"),
        (polygon([[0, 0], [1, 1], [1, 0], [0, 1.5], [0, 0]]), "crosses itself"),
        (polygon([[0, 80], [90, 80], [180, 80], [-90, 80], [0, 80]]), "around a pole"),
        (polygon([[-100, 0], [0, 0], [100, 0], [100, 1], [0, 1], [-100, 1], [-100, 0]]), "wider than"),
        (polygon([[i / 10_000, i % 2] for i in range(10_001)] + [[0.5, -1], [0, 0]]), "more than 10000 positions"),
    ],
)
def test_what_is_no_area_is_refused_with_a_reason(data: Any, message: str) -> None:
    with pytest.raises(GeoJsonError, match=message):
        read_geojson(data)


@pytest.mark.parametrize("latitude", [-60.0, 0.0, 40.0, 75.0])
def test_the_plane_measures_as_the_geodesic_does(latitude: float) -> None:
    plane = Plane(latitude, 13.0)
    for dlon, dlat in ((0.01, 0.0), (0.0, 0.01), (0.03, -0.02)):
        x, y = plane.local(13.0 + dlon, latitude + dlat)
        exact = geodesic((latitude, 13.0), (latitude + dlat, 13.0 + dlon)).meters
        assert (x * x + y * y) ** 0.5 == pytest.approx(exact, rel=1e-3)


def test_the_nearest_place_of_the_border_is_found_however_far() -> None:
    area = read_geojson(polygon(box(13.0, 52.0, 13.4, 52.4)))
    assert area.nearest((52.2, 14.0)) == pytest.approx((52.2, 13.4), abs=1e-6)
    assert area.nearest((52.19, 13.05)) == pytest.approx((52.19, 13.0), abs=1e-6)
    fiji = read_geojson(CUT)
    assert fiji.nearest((-17.0, -178.0)) == pytest.approx((-17.0, -179.0), abs=1e-6)
