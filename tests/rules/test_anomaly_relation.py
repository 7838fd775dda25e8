"""``rules/anomaly/relation.py``: each of several fields against what the others let expect."""

import random

import pytest

from rules.anomaly.features import RESIDUALS, SCATTER
from rules.anomaly.learned import Learned
from rules.anomaly.learner import Settings, take
from rules.anomaly.relation import of_several

_SETTINGS = Settings(target=2e-5, day=False, week=False, gap_s=900.0, normal_after_s=7 * 86_400.0)
_FIELDS = 4
Sample = list[float]


def rig(seed: int, rows: int) -> list[Sample]:
    """Four values around 0 that follow one cause, each with a little noise of its own."""
    chance, cause = random.Random(seed), 0.0
    samples = []
    for _ in range(rows):
        cause = 0.95 * cause + chance.gauss(0, 0.3)
        samples.append([cause + chance.gauss(0, 0.2) for _ in range(_FIELDS)])
    return samples


def taught(seed: int) -> tuple[Learned, list[Sample]]:
    """Return what 1,000 samples taught, and the 200 that follow."""
    samples, learned = rig(seed, 1200), Learned(_FIELDS)
    for row, sample in enumerate(samples[:1000]):
        take(learned, _SETTINGS, 60.0 * row, sample, False)
    return learned, samples[1000:]


def features(seed: int, after: list[Sample] | None = None) -> list[float]:
    """Return the features after ``after``, or after what would have followed, nothing being learned from it."""
    learned, usual = taught(seed)
    found: list[float] = []
    for sample in after or usual:
        away = [value - level for value, level in zip(sample, learned.level, strict=True)]
        found = of_several(learned, away, away, False, 0.0, 0.0)
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_small_shift_of_one_field_stands_out_of_the_others_and_not_of_the_whole(seed: int) -> None:
    shifted = [[*sample[:2], sample[2] + 0.3, sample[3]] for sample in taught(seed)[1]]
    usual, found = features(seed), features(seed, shifted)
    assert found[RESIDUALS + 1] > 2 * usual[RESIDUALS + 1]
    assert found[RESIDUALS + 1] > 3
    assert found[0] < 2 * usual[0] + 2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_field_that_goes_its_own_way_scatters(seed: int) -> None:
    others = rig(seed + 100, 200)
    loose = [[sample[0], other[1], *sample[2:]] for sample, other in zip(taught(seed)[1], others, strict=True)]
    usual, found = features(seed), features(seed, loose)
    for index in (SCATTER, SCATTER + 1):
        assert usual[index] < 1.8
        assert found[index] > usual[index]
    assert found[SCATTER + 1] > 1.8


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_one_outlier_does_not_scatter(seed: int) -> None:
    samples = taught(seed)[1]
    spoilt = [*samples[:-1], [samples[-1][0], 1e6, *samples[-1][2:]]]
    usual, found = features(seed), features(seed, spoilt)
    assert found[SCATTER + 1] == pytest.approx(usual[SCATTER + 1], rel=0.25)
