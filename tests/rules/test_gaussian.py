import math
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.places.gaussian import Vector, beyond_edges, within_circle


def edges_of(ring: list[Vector]) -> list[tuple[Vector, Vector]]:
    return list(pairwise([*ring, ring[0]]))


def polygon(centre: Vector, radius: float, corners: int = 720) -> list[tuple[Vector, Vector]]:
    turns = (2 * math.pi * i / corners for i in range(corners))
    return edges_of([(centre[0] + radius * math.cos(t), centre[1] + radius * math.sin(t)) for t in turns])


@given(st.floats(0.01, 8))
def test_around_its_own_centre_the_error_is_rayleighs(radius: float) -> None:
    assert within_circle(0.0, radius) == pytest.approx(1 - math.exp(-radius * radius / 2), abs=1e-4)


@pytest.mark.parametrize("gap", [-3.0, -1.0, -0.1, 0.0, 0.1, 1.0, 3.0])
def test_a_large_circle_is_a_straight_edge(gap: float) -> None:
    normal = (1 + math.erf(gap / math.sqrt(2))) / 2
    assert within_circle(10_000 - gap, 10_000) == pytest.approx(normal, abs=2e-3)


@given(st.floats(0, 9), st.floats(0.05, 6))
def test_a_circle_is_a_polygon_of_very_many_corners(distance: float, radius: float) -> None:
    inside = distance < radius * math.cos(math.pi / 720)
    by_edges = inside - beyond_edges(polygon((distance, 0.0), radius), inside)
    assert within_circle(distance, radius) == pytest.approx(by_edges, abs=2e-3)


@pytest.mark.parametrize(
    "ring",
    [
        [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)],
        [(0.5, -3.0), (4.0, -3.0), (4.0, 3.0), (0.5, 3.0)],
        [(0.0, -2.0), (3.0, -2.0), (3.0, 2.0), (0.0, 2.0)],
        [(-2.0, -0.05), (2.0, -0.05), (2.0, 0.05), (-2.0, 0.05)],
        [(-0.01, -0.02), (4.0, 1.0), (1.0, 1.0), (1.0, 4.0)],
    ],
    ids=["square", "beside", "on the edge", "thin", "at a sharp corner"],
)
def test_the_share_inside_is_what_sampling_finds(ring: list[Vector]) -> None:
    chance = random.Random(7)

    def holds(x: float, y: float) -> bool:
        odd = False
        for (ax, ay), (bx, by) in edges_of(ring):
            if (ay > y) is not (by > y) and ax + (y - ay) / (by - ay) * (bx - ax) > x:
                odd = not odd
        return odd

    count = 40_000
    sampled = sum(holds(chance.gauss(0, 1), chance.gauss(0, 1)) for _ in range(count)) / count
    # Twice 3 standard deviations of the sampling at the most.
    inside = holds(0.0, 0.0)
    assert inside - beyond_edges(edges_of(ring), inside) == pytest.approx(sampled, abs=0.008)


@given(st.floats(0.1, 5), st.floats(-2, 2))
def test_parts_that_meet_at_a_seam_hold_together_what_the_whole_holds(width: float, seam: float) -> None:
    def box(west: float, east: float) -> list[tuple[Vector, Vector]]:
        return edges_of([(west, -1.0), (east, -1.0), (east, 1.0), (west, 1.0)])

    west, east = seam - width, seam + width
    whole = (west < 0 < east) - beyond_edges(box(west, east), west < 0 < east)
    left = (west < 0 < seam) - beyond_edges(box(west, seam), west < 0 < seam)
    right = (seam < 0 < east) - beyond_edges(box(seam, east), seam < 0 < east)
    if min(abs(west), abs(east), abs(seam)) > 1e-9:
        assert left + right == pytest.approx(whole, abs=1e-6)
