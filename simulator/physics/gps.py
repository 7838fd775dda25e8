"""What a receiver makes of a true place: errors that wander, and an accuracy that tells their size honestly."""

import math
import random
from dataclasses import dataclass
from functools import cache

_MEMORY_S = 90.0
"""Errors last while the satellites and the walls that reflect them do; a minute or two in streets."""
_SIGMA_OF_68 = 1 / math.sqrt(-2 * math.log(1 - 0.68))
"""Per axis, of a radius that holds 68 % of a circular normal distribution (Rayleigh)."""


@dataclass(slots=True)
class Receiver:
    """State of one receiver's error."""

    rng: random.Random
    usual_accuracy_m: float = 12.0
    accuracy_m: float = 12.0
    east_m: float = 0.0
    north_m: float = 0.0

    def step(self, dt_s: float, shade: float = 1.0) -> None:
        """Let the error wander for ``dt_s`` seconds; ``shade`` multiplies it: 1 in the open, 3 and more among walls."""
        keep, new = _shares(dt_s)
        level = math.log(self.accuracy_m / self.usual_accuracy_m / shade) * keep + self.rng.gauss(0, 0.35) * new
        self.accuracy_m = max(3.0, self.usual_accuracy_m * shade * math.exp(level))
        sigma_m = self.accuracy_m * _SIGMA_OF_68
        self.east_m = self.east_m * keep + self.rng.gauss(0, sigma_m) * new
        self.north_m = self.north_m * keep + self.rng.gauss(0, sigma_m) * new


@cache
def _shares(dt_s: float) -> tuple[float, float]:
    """Return how much of an error is kept over ``dt_s`` seconds, and how much is new."""
    keep = math.exp(-dt_s / _MEMORY_S)
    return keep, math.sqrt(1 - keep * keep)
