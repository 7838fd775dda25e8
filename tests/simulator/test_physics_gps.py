"""``simulator/physics/gps.py``: an accuracy that can be believed."""

import random
from math import hypot

import pytest

from simulator.physics.gps import Receiver


@pytest.mark.parametrize("seed", range(4))
def test_about_two_thirds_of_the_fixes_lie_within_their_stated_accuracy(seed: int) -> None:
    receiver, within, fixes = Receiver(random.Random(seed)), 0, 6000
    for _ in range(fixes):
        receiver.step(60)
        within += hypot(receiver.east_m, receiver.north_m) <= receiver.accuracy_m
    assert 0.60 < within / fixes < 0.76


def test_the_error_wanders_rather_than_jumps_from_second_to_second() -> None:
    receiver = Receiver(random.Random(1))
    for _ in range(600):
        receiver.step(60)
    steps = []
    for _ in range(600):
        east, north = receiver.east_m, receiver.north_m
        receiver.step(1)
        steps.append(hypot(receiver.east_m - east, receiver.north_m - north))
    assert sum(steps) / len(steps) < 3


def test_shade_makes_fixes_worse() -> None:
    def mean_accuracy_m(shade: float) -> float:
        receiver, total_m = Receiver(random.Random(2)), 0.0
        for _ in range(2000):
            receiver.step(60, shade)
            total_m += receiver.accuracy_m
        return total_m / 2000

    assert mean_accuracy_m(3) > 2 * mean_accuracy_m(1)
