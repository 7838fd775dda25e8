import math
import random
from typing import Any

import pytest
from geopy.distance import distance, geodesic
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.places.fence import Circle, Side, Terms, Zone, side_of, sigma_of
from rules.places.polygon import read_geojson

TERMS = Terms(confidence=0.95, margin_m=20.0)
PLACES = st.tuples(st.floats(-84, 84), st.floats(-180, 180))


def zone(*rings: list[list[float]]) -> Zone:
    return Zone(read_geojson({"type": "Polygon", "coordinates": list(rings)}))


def box_around(latitude: float, longitude: float, half_m: float) -> list[list[float]]:
    north = distance(meters=half_m).destination((latitude, longitude), 0).latitude - latitude
    east = (distance(meters=half_m).destination((latitude, longitude), 90).longitude - longitude + 180) % 360 - 180
    w, e, s, n = longitude - east, longitude + east, latitude - north, latitude + north
    return [[w, s], [e, s], [e, n], [w, n], [w, s]]


def test_two_thirds_of_the_error_lie_within_the_stated_accuracy() -> None:
    chance, sigma = random.Random(1), sigma_of(30.0)
    within = sum(math.hypot(chance.gauss(0, sigma), chance.gauss(0, sigma)) <= 30 for _ in range(20_000))
    assert within / 20_000 == pytest.approx(0.68, abs=0.015)
    assert sigma_of(0.0) == 1.0


@given(PLACES, st.floats(20, 20_000), st.floats(0, 360), st.floats(0, 2), st.floats(3, 100))
@settings(deadline=None)
def test_a_circle_agrees_with_the_geodesic_wherever_the_accuracy_allows_an_answer(
    centre: tuple[float, float], radius_m: float, bearing: float, share: float, accuracy_m: float
) -> None:
    place = distance(meters=radius_m * share).destination(centre, bearing)
    at, sigma_m = (place.latitude, place.longitude), sigma_of(accuracy_m)
    exact_m = radius_m - geodesic(centre, at).meters
    located = Circle(centre, radius_m).locate(at, sigma_m, TERMS.z * sigma_m + TERMS.margin_m)
    assert located.gap_m == pytest.approx(exact_m, abs=0.01 * radius_m * max(share, 1) + 0.1)
    for before in (None, Side.INSIDE, Side.OUTSIDE):
        side = side_of(located, sigma_m, TERMS, before)
        assert side is not (Side.INSIDE if exact_m < 0 else Side.OUTSIDE) or abs(exact_m) < 1e-3
        needed_m = TERMS.z * sigma_m + (TERMS.margin_m if before is Side.INSIDE else 0)
        if exact_m < -needed_m - 1e-3:
            assert side is Side.OUTSIDE
        if exact_m > FULLY * sigma_m and radius_m > FULLY * sigma_m:
            assert side is Side.INSIDE


FULLY = 3.0
"""Standard deviations from the edge at which even a small circle holds 95 %."""


@pytest.mark.parametrize(
    ("gap_sigmas", "expected"),
    [(1.7, Side.INSIDE), (1.6, Side.UNSURE), (0.0, Side.UNSURE), (-1.6, Side.UNSURE), (-1.7, Side.OUTSIDE)],
)
def test_sides_are_told_from_so_many_deviations_on(gap_sigmas: float, expected: Side) -> None:
    sigma_m, radius_m = sigma_of(15.0), 5_000.0
    for fence in (Circle((50.0, 8.0), radius_m), zone(box_around(50.0, 8.0, radius_m))):
        place = distance(meters=radius_m - gap_sigmas * sigma_m).destination((50.0, 8.0), 90)
        located = fence.locate((place.latitude, place.longitude), sigma_m, 100.0)
        assert side_of(located, sigma_m, TERMS, None) is expected
        assert located.gap_m == pytest.approx(gap_sigmas * sigma_m, abs=0.5)


def test_who_was_inside_must_have_left_by_the_margin_as_well() -> None:
    sigma_m = sigma_of(15.0)
    for fence in (Circle((50.0, 8.0), 500.0), zone(box_around(50.0, 8.0, 500.0))):
        for beyond_m, expected in ((19.0, Side.UNSURE), (21.0, Side.OUTSIDE)):
            place = distance(meters=500 + TERMS.z * sigma_m + beyond_m).destination((50.0, 8.0), 90)
            located = fence.locate((place.latitude, place.longitude), sigma_m, 100.0)
            assert side_of(located, sigma_m, TERMS, Side.INSIDE) is expected
            assert side_of(located, sigma_m, TERMS, Side.OUTSIDE) is Side.OUTSIDE


def test_in_a_fence_smaller_than_the_accuracy_nobody_surely_is() -> None:
    small = Circle((50.0, 8.0), 20.0).locate((50.0, 8.0), sigma_of(60.0))
    assert small.probability == pytest.approx(1 - math.exp(-(20**2) / 2 / sigma_of(60.0) ** 2), abs=1e-4)
    assert side_of(small, sigma_of(60.0), TERMS, None) is Side.UNSURE
    alley = zone(box_around(50.0, 8.0, 8.0)).locate((50.0, 8.0), sigma_of(60.0))
    assert alley.probability < 0.1


@given(st.floats(-1200, 1200), st.floats(-1200, 1200), st.floats(3, 120))
@settings(deadline=None)
def test_a_zone_with_a_hole_agrees_with_sampling(east_m: float, north_m: float, accuracy_m: float) -> None:
    fence = zone(box_around(50.0, 8.0, 1000.0), box_around(50.0, 8.0, 400.0))
    place = distance(meters=north_m).destination((50.0, 8.0), 0)
    place = distance(meters=east_m).destination((place.latitude, place.longitude), 90)
    sigma_m, chance = sigma_of(accuracy_m), random.Random(1)

    def holds() -> bool:
        x, y = abs(east_m + chance.gauss(0, sigma_m)), abs(north_m + chance.gauss(0, sigma_m))
        return max(x, y) <= 1000 and max(x, y) > 400

    sampled = sum(holds() for _ in range(1500)) / 1500
    assert fence.locate((place.latitude, place.longitude), sigma_m).probability == pytest.approx(sampled, abs=0.06)


@pytest.mark.parametrize("corner", [(-16.0, 178.0), (-17.0, 178.0), (-17.0, 180.0), (-16.5, 180.0)])
def test_on_edges_corners_and_the_seam_of_a_cut_area_the_share_is_the_right_one(corner: tuple[float, float]) -> None:
    cut: dict[str, Any] = {
        "type": "MultiPolygon",
        "coordinates": [
            [[[178, -18], [180, -18], [180, -16], [178, -16], [178, -18]]],
            [[[-180, -18], [-178, -18], [-178, -16], [-180, -16], [-180, -18]]],
        ],
    }
    expected = {(-16.0, 178.0): 0.25, (-17.0, 178.0): 0.5, (-17.0, 180.0): 1.0, (-16.5, 180.0): 1.0}[corner]
    assert Zone(read_geojson(cut)).locate(corner, 10.0).probability == pytest.approx(expected, abs=1e-3)


def test_the_deepest_place_of_a_way_lies_inside_and_ways_beside_have_none() -> None:
    for fence in (Circle((50.0, 8.0), 500.0), zone(box_around(50.0, 8.0, 500.0))):
        west, east = ((50.0, distance(meters=2000).destination((50.0, 8.0), turn).longitude) for turn in (270, 90))
        assert fence.deepest(west, east) == pytest.approx((50.0, 8.0), abs=1e-4)
        north = distance(meters=600).destination((50.0, 8.0), 0).latitude
        assert fence.deepest((north, west[1]), (north, east[1])) is None
        assert fence.deepest(west, (50.0, west[1] + 0.001)) is None
    fiji = Circle((-17.0, 180.0), 5_000.0)
    assert fiji.deepest((-17.0, 179.9), (-17.0, -179.9)) == pytest.approx((-17.0, -180.0), abs=1e-3)
    bent = zone([[x / 100, 50 + y / 100] for x, y in ((0, 0), (4, 0), (4, 4), (3, 4), (3, 2), (0, 2), (0, 0))])
    assert bent.deepest((50.01, -0.01), (50.01, 0.05)) == pytest.approx((50.01, 0.02), abs=1e-6)
    ring = zone(box_around(50.0, 8.0, 500.0), box_around(50.0, 8.0, 300.0))
    assert ring.deepest(west, east) is not None
    assert ring.area.contains(ring.deepest(west, east) or (0, 0))


def test_the_edge_is_measured_however_far_it_is() -> None:
    far = distance(meters=50_000).destination((50.0, 8.0), 90)
    at = (far.latitude, far.longitude)
    assert Circle((50.0, 8.0), 500.0).edge_m(at) == pytest.approx(49_500, abs=1)
    assert zone(box_around(50.0, 8.0, 500.0)).edge_m(at) == pytest.approx(49_500, rel=0.01)


@given(PLACES, st.floats(50, 2_000), st.floats(0, 360), st.floats(0, 2))
@settings(deadline=None)
def test_the_gap_to_a_zones_edge_is_the_geodesic_one_and_positive_inside(
    centre: tuple[float, float], half_m: float, bearing: float, share: float
) -> None:
    fence = zone(box_around(*centre, half_m))
    place = distance(meters=half_m * share).destination(centre, bearing)
    at = (place.latitude, place.longitude)
    located = fence.locate(at, 1.0, reach_m=4 * half_m)
    inside = max(abs(math.sin(math.radians(bearing))), abs(math.cos(math.radians(bearing)))) * share < 1
    edge_m = fence.edge_m(at)
    assert located.gap_m == pytest.approx(edge_m if inside else -edge_m, rel=0.01, abs=0.02 * half_m)
