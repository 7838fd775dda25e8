"""``simulator/routes.py``: people keep to the streets and do not teleport."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.routes import City, Metres, Mode, Route, Stop

CITY = City(52.5, 13.4, columns=20, rows=15, block_m=160, bearing_deg=8)
places = st.tuples(st.floats(0, 20 * 160), st.floats(0, 15 * 160))


def on_street(place: Metres) -> bool:
    return any(abs(along / 160 - round(along / 160)) < 1e-6 for along in place)


@given(places, places, st.booleans())
def test_a_way_keeps_to_the_streets_between_its_ends(start: Metres, goal: Metres, along_first: bool) -> None:
    route = Route(tuple(CITY.way(start, goal, along_first)), Mode.WALK)
    assert route.place_at(0) == start
    assert route.place_at(route.length_m + 1) == goal
    first_m = math.dist(start, CITY.nearest_street(start))
    last_m = route.length_m - math.dist(goal, CITY.nearest_street(goal))
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        metres = first_m + (last_m - first_m) * share
        assert on_street(route.place_at(metres))


@given(places, places, st.booleans())
def test_a_way_is_hardly_longer_than_round_the_blocks(start: Metres, goal: Metres, along_first: bool) -> None:
    length_m = Route(tuple(CITY.way(start, goal, along_first)), Mode.WALK).length_m
    assert length_m >= math.dist(start, goal) - 1e-6
    assert length_m <= abs(start[0] - goal[0]) + abs(start[1] - goal[1]) + 4 * 160


@given(places, places, st.sampled_from(list(Mode)), st.floats(0, 1), st.floats(0, 600))
def test_nobody_is_faster_than_their_mode(
    start: Metres, goal: Metres, mode: Mode, share: float, pause_s: float
) -> None:
    points = tuple(CITY.way(start, goal, True))
    stop = Stop(Route(points, mode).length_m * share, pause_s)
    route = Route(points, mode, (stop,))
    before = 0.0
    for i in range(1, 60):
        here = route.metres_at(route.duration_s * i / 59)
        assert -1e-6 <= here - before <= mode.speed_m_s * route.duration_s / 59 + 1e-6
        before = here
    assert before == pytest.approx(route.length_m)


def test_a_pause_is_spent_where_it_is_due() -> None:
    route = Route(((0.0, 0.0), (0.0, 1350.0)), Mode.WALK, (Stop(135, 300),))
    assert route.metres_at(99) == pytest.approx(133.65)
    assert {route.metres_at(second) for second in (101, 250, 399)} == {135}
    assert route.metres_at(410) == pytest.approx(135 + 13.5)


@given(places, places)
def test_metres_on_the_grid_are_metres_on_the_globe(a: Metres, b: Metres) -> None:
    (latitude, longitude), (other_latitude, other_longitude) = CITY.point(a), CITY.point(b)
    north_m = math.radians(latitude - other_latitude) * 6_371_000
    east_m = math.radians(longitude - other_longitude) * 6_371_000 * math.cos(math.radians(52.5))
    assert math.hypot(north_m, east_m) == pytest.approx(math.dist(a, b), rel=2e-3, abs=0.5)


def test_the_course_is_that_of_the_turned_grid() -> None:
    north = Route(((0.0, 0.0), (0.0, 500.0)), Mode.RIDE)
    assert north.course_deg(100, CITY.bearing_deg) == pytest.approx(8)
    assert north.course_deg(500, CITY.bearing_deg) == pytest.approx(8)
    latitude, longitude = CITY.point((0, 0))
    on_latitude, on_longitude = CITY.point((0, 500))
    assert on_latitude > latitude
    assert on_longitude > longitude


def test_the_nearest_point_of_a_way_is_found_between_its_corners() -> None:
    route = Route(((0.0, 0.0), (0.0, 300.0), (400.0, 300.0)), Mode.WALK)
    assert route.nearest_m((200, 320)) == (500, 20)
    assert route.nearest_m((-30, 100)) == (100, 30)
