"""``rules/anomaly``: what is learned of a series, and what is found in it."""

import json
import math
import random
from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.anomaly import season, tail, whitening
from rules.anomaly.band import Anomaly, describe, usual_band
from rules.anomaly.features import MOST_REPEATS, features_of
from rules.anomaly.learned import Learned
from rules.anomaly.learner import Settings, Verdict, take
from rules.anomaly.packing import pack, unpack
from rules.anomaly.places import tail_place

NORMAL = Settings(target=2e-5, day=True, week=True, gap_s=900.0, normal_after_s=7 * 86_400.0)
HIGH = NORMAL._replace(target=2e-4)
WARM_UP = 400
STEP_S = 300.0
BEGIN_S = 1_767_571_200.0
SEEDS = st.integers(min_value=0, max_value=10_000)

Sample = tuple[float, ...]


def watch(
    given_samples: Iterable[Sample], made: Settings = NORMAL, *, step_s: float = STEP_S, learned: Learned | None = None
) -> tuple[list[int], list[Verdict], Learned]:
    """Take samples; return the rows at which something began to be wrong, every verdict, and what was learned."""
    samples = list(given_samples)
    learned = learned or Learned(len(samples[0]))
    begun, verdicts = [], []
    for row, sample in enumerate(samples):
        was = math.isnan(learned.outside_since)
        verdicts.append(take(learned, made, BEGIN_S + row * step_s, sample, row >= WARM_UP))
        if was and not math.isnan(learned.outside_since):
            begun.append(row)
    return begun, verdicts, learned


def noise(seed: int, rows: int = 1500, fields: int = 1) -> list[Sample]:
    """Independent Gaussian noise around 20."""
    chance = random.Random(seed)
    return [tuple(20 + chance.gauss(0, 1) for _ in range(fields)) for _ in range(rows)]


def daily(seed: int, days: int) -> list[Sample]:
    """A rhythm of a day with noise."""
    chance, rows = random.Random(seed), int(days * season.DAY_S / STEP_S)
    return [
        (20 + 5 * math.sin(2 * math.pi * row * STEP_S / season.DAY_S) + chance.gauss(0, 0.5),) for row in range(rows)
    ]


def pair(seed: int, rows: int = 1500) -> list[Sample]:
    """Two values that rise and fall together."""
    chance, common = random.Random(seed), 0.0
    samples: list[Sample] = []
    for _ in range(rows):
        common = 0.9 * common + chance.gauss(0, 0.44)
        samples.append((20 + common + chance.gauss(0, 0.1), 100 + 10 * common + chance.gauss(0, 1)))
    return samples


def changed(samples: list[Sample], begin: int, end: int, change: Callable[[int, Sample], Sample]) -> list[Sample]:
    """Return the samples with those from ``begin`` up to ``end`` changed."""
    return [change(row, sample) if begin <= row < end else sample for row, sample in enumerate(samples)]


FAULTS: dict[str, tuple[Callable[[int, Sample], Sample], frozenset[str]]] = {
    "shift": (lambda row, s: (s[0] + 4,), frozenset({"jump", "level"})),
    "small shift": (lambda row, s: (s[0] + 1.5,), frozenset({"level"})),
    "drift": (lambda row, s: (s[0] + (row - 1000) / 40,), frozenset({"level"})),
    "noise": (lambda row, s: (20 + 4 * (s[0] - 20),), frozenset({"unrest", "jump", "level"})),
    "stillness": (lambda row, s: (20 + 0.1 * (s[0] - 20),), frozenset({"unrest"})),
    "stuck": (lambda row, s: (20.5,), frozenset({"stuck"})),
}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_lasts_is_found_and_over_when_it_is_over(fault: str, seed: int) -> None:
    change, _ = FAULTS[fault]
    begun, _, learned = watch(changed(noise(seed, 2000), 1000, 1300, change))
    assert len(begun) == 1
    assert 1000 <= begun[0] < 1250
    assert math.isnan(learned.outside_since)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_finding_says_what_it_is_about_and_leaves_its_band(fault: str, seed: int) -> None:
    change, about = FAULTS[fault]
    samples = changed(noise(seed, 2000), 1000, 1300, change)
    begun, _, _ = watch(samples)
    _, verdicts, learned = watch(samples[: begun[0] + 1])
    found = describe(learned, NORMAL, verdicts[-1])
    assert found is not None
    assert found.about in about
    assert found.low < found.high
    assert not found.low <= found.value <= found.high


def test_a_break_between_two_fields_is_found_though_each_stays_within_its_range() -> None:
    samples = changed(pair(1), 1000, 1200, lambda row, s: (s[0], 200 - s[1]))
    begun, _, _ = watch(samples)
    assert 1000 <= begun[0] < 1060
    assert begun[-1] < 1200
    for field in (0, 1):
        assert watch([(sample[field],) for sample in samples])[0] == []


def test_a_break_between_fields_names_the_one_that_departs() -> None:
    chance = random.Random(4)
    samples = []
    for row in range(1300):
        common = chance.gauss(0, 1)
        third = common + 6 if row >= 1100 else common
        samples.append((common + chance.gauss(0, 0.1), common + chance.gauss(0, 0.1), third + chance.gauss(0, 0.1)))
    begun, _, _ = watch(samples)
    assert begun
    _, verdicts, learned = watch(samples[: begun[0] + 1])
    found = describe(learned, NORMAL, verdicts[-1])
    assert found is not None
    assert (found.about, found.field) == ("relation", 2)
    assert not found.low <= found.value <= found.high


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(WARM_UP, 1400), st.floats(5, 1e6), st.sampled_from((-1, 1)))
def test_one_outlier_alone_is_never_found(seed: int, row: int, size: float, sign: int) -> None:
    plain = noise(seed)[: row + 200]
    samples = changed(plain, row, row + 1, lambda _, s: (s[0] + sign * size,))
    # It takes a sample's place: where two neighbours were far out already, their median is now, too.
    if any(begun >= row for begun in watch(samples)[0]):
        _, verdicts, _ = watch(plain)
        assert max(verdict.score for verdict in verdicts[row - 50 :]) > 0.5


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_outliers_now_and_then_are_never_found(seed: int) -> None:
    chance, samples = random.Random(seed), noise(seed, 3000)
    row = WARM_UP
    while (row := row + chance.randrange(70, 200)) < len(samples):
        samples[row] = (chance.choice((-1, 1)) * chance.uniform(50, 5000),)
    assert watch(samples, NORMAL._replace(target=5e-7))[0] == []


@given(st.floats(-1e6, 1e6), st.integers(500, 900), st.floats(-1e3, 1e3))
@settings(max_examples=30, deadline=None)
def test_a_value_that_never_moved_has_no_band_to_leave(value: float, row: int, step: float) -> None:
    begun, _, _ = watch([(value,)] * row + [(value + step,)] * 500)
    assert begun == []


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.integers(-20, 20), st.sampled_from((-1024.0, 0.0, 4096.0)))
def test_neither_unit_nor_zero_of_the_scale_matters(seed: int, power: int, offset: float) -> None:
    chance = random.Random(seed)
    # Multiples of 1/64 and powers of two: the same numbers exactly, so that only the arithmetic is compared.
    plain = [(round(sample[0] * 64) / 64,) for sample in changed(noise(seed, 900), 700, 780, FAULTS["shift"][0])]
    scale = 2.0**power
    scaled = [(scale * (value + offset),) for (value,) in plain]
    before, _, _ = watch(plain)
    after, _, _ = watch(scaled)
    assert before
    assert after == before
    assert chance is not None


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.integers(1, 3), st.integers(0, 1000))
def test_what_was_learned_survives_json_at_any_moment(seed: int, fields: int, when_seed: int) -> None:
    samples, when = noise(seed, 700, fields), random.Random(when_seed)
    _, expected, _ = watch(samples)
    learned, verdicts = Learned(fields), []
    for row, sample in enumerate(samples):
        # As in the engine: each sample starts from what the one before left in the memory.
        memory = learned.memory()
        if when.random() < 0.5:
            memory = json.loads(json.dumps(memory))
        learned = Learned.of(memory, fields)
        verdicts.append(take(learned, NORMAL, BEGIN_S + row * STEP_S, sample, row >= WARM_UP))
    for before, after in zip(expected, verdicts, strict=True):
        assert after.score == pytest.approx(before.score, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_missing_peak_of_the_day_is_found_once_the_day_is_known(seed: int) -> None:
    samples = daily(seed, 14)
    rows = int(season.DAY_S / STEP_S)
    flat = changed(samples, 12 * rows, 12 * rows + rows // 2, lambda row, s: (20 + (s[0] - 20) * 0.1,))
    begun, _, learned = watch(flat)
    assert learned.season_shares()[0] > 0.9
    assert any(12 * rows <= row < 13 * rows for row in begun)
    assert not watch(samples)[0]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_hours_that_are_missing_are_no_anomaly(seed: int) -> None:
    chance, samples = random.Random(seed), daily(seed, 14)
    learned, found = Learned(1), 0
    for row, sample in enumerate(samples):
        if random.Random(f"{seed}/{row // 12}").random() < 0.15:
            continue
        take(learned, NORMAL, BEGIN_S + row * STEP_S, sample, row >= WARM_UP)
        found += not math.isnan(learned.outside_since)
    assert found == 0
    assert chance is not None


def test_a_device_without_a_rhythm_is_judged_without_one() -> None:
    _, _, learned = watch(noise(1, 4000))
    assert learned.season_shares() == (0.0, 0.0)


def test_a_quiet_weekend_is_learned_in_weeks() -> None:
    chance, samples = random.Random(2), []
    for hour in range(24 * 7 * 8):
        working = (hour // 24) % 7 < 5 and 8 <= hour % 24 < 18
        samples.append(((10 if working else 0) + chance.gauss(0, 0.5),))
    _, _, learned = watch(samples, step_s=3600.0)
    day, week = learned.season_shares()
    assert day > 0
    assert week > 0.5


def rig(seed: int, rows: int = 1500) -> list[Sample]:
    """Five values that follow one slow cause, each with noise of its own."""
    chance, cause = random.Random(seed), 0.0
    samples: list[Sample] = []
    for _ in range(rows):
        cause = 0.98 * cause + chance.gauss(0, 0.2)
        samples.append(tuple(50 + (i + 1) * (cause + chance.gauss(0, 0.3)) for i in range(5)))
    return samples


def found_at(samples: list[Sample], row: int, made: Settings = NORMAL) -> Anomaly:
    """Return what is said at the first row from ``row`` on at which something begins to be wrong."""
    begun = next(begun for begun in watch(samples, made)[0] if begun >= row)
    _, verdicts, learned = watch(samples[: begun + 1], made)
    found = describe(learned, made, verdicts[-1])
    assert found is not None
    assert not found.low <= found.value <= found.high
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_field_that_follows_the_others_no_more_is_named_though_its_range_and_mean_are_as_ever(seed: int) -> None:
    chance, samples = random.Random(seed), rig(seed)
    ordered = sorted(sample[2] for sample in samples[:1000])

    def loose(_: int, sample: Sample) -> Sample:
        # Drawn from its own past: nothing of it alone has changed but its order.
        return (*sample[:2], chance.choice(ordered), *sample[3:])

    samples = changed(samples, 1000, 1200, loose)
    begun, _, learned = watch(samples)
    assert 1000 <= begun[0] < 1080
    assert begun[-1] < 1200
    assert math.isnan(learned.outside_since)
    found = found_at(samples, 1000)
    assert found.about in ("scatter", "relation")
    assert found.field == 2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_small_shift_of_one_field_is_told_from_what_all_have_in_common(seed: int) -> None:
    samples = changed(rig(seed), 1000, 1300, lambda row, s: (*s[:3], s[3] + 4 * 0.9, s[4]))
    begun, _, _ = watch(samples)
    assert begun
    assert 1000 <= begun[0] < 1100
    found = found_at(samples, 1000)
    assert found.about in ("scatter", "relation")
    assert found.field == 3
    assert watch([(sample[3],) for sample in samples])[0] == []


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(WARM_UP, 900), st.floats(5, 1e6), st.sampled_from((-1, 1)))
def test_one_outlier_in_one_of_several_fields_is_never_found(seed: int, row: int, size: float, sign: int) -> None:
    plain = noise(seed, 1000, 3)[: row + 100]
    samples = changed(plain, row, row + 1, lambda _, s: (s[0], s[1] + sign * size, s[2]))
    if any(begun >= row for begun in watch(samples)[0]):
        _, verdicts, _ = watch(plain)
        assert max(verdict.score for verdict in verdicts[row - 50 :]) > 0.5


def test_a_value_that_rests_by_nature_is_not_called_stuck() -> None:
    chance = random.Random(3)
    samples: list[Sample] = []
    while len(samples) < 3000:
        # A machine that runs for a while and then idles at exactly nothing, mostly for longer than is counted.
        samples += [(100 + chance.gauss(0, 3),) for _ in range(chance.randrange(20, 60))]
        samples += [(0.0,)] * chance.randrange(20, 200)
    _, verdicts, learned = watch(samples)
    stuck = [v for v in verdicts[1500:] if v.score >= 1 and features_of(1)[tail_place(1, v.tail)[0]].about == "stuck"]
    assert stuck == []
    assert learned.repeats <= MOST_REPEATS


def test_a_stuck_value_is_found_within_a_dozen_samples() -> None:
    for seed in range(5):
        begun, _, _ = watch(changed(noise(seed), 1000, 1100, FAULTS["stuck"][0]))
        assert [1000 <= row < 1012 for row in begun] == [True]


def test_what_is_over_is_over_soon_whatever_it_was() -> None:
    for change, _ in FAULTS.values():
        for seed in range(3):
            _, verdicts, learned = watch(changed(noise(seed, 1500), 1000, 1300, change)[:1365])
            assert verdicts
            assert math.isnan(learned.outside_since)


@pytest.mark.parametrize("fields", [1, 3])
def test_noise_that_stands_for_long_enough_is_the_new_normal(fields: int) -> None:
    brief, chance = NORMAL._replace(normal_after_s=200 * STEP_S), random.Random(1)
    noisy = changed(noise(1, 2600, fields), 1000, 2600, lambda _, s: tuple(20 + chance.gauss(0, 4) for _ in s))
    begun, verdicts, _ = watch(noisy, brief)
    again = [row for row, verdict in enumerate(verdicts) if verdict.relearned]
    assert len(again) == 1
    assert [row for row in begun if row > again[0]] == []


@given(st.integers(1, 100_000), st.floats(1e-7, 1e-3), st.sampled_from((0, 8, 32, 128)))
def test_a_limit_comes_nearer_with_what_was_seen(samples: int, target: float, averaged: int) -> None:
    tails = [0.0] * tail.WIDTH
    near, far = (tail.limit(tails, 0, 1.0, tail.Expected(seen, target, averaged)) for seen in (2 * samples, samples))
    assert tail.quantile(tails, 0, 1.0) < near <= far


def test_what_stands_for_long_enough_is_the_new_normal() -> None:
    brief = NORMAL._replace(normal_after_s=200 * STEP_S)
    samples = changed(noise(1, 2500), 1000, 2500, lambda row, s: (s[0] + 8,))
    begun, verdicts, learned = watch(samples, brief)
    assert len(begun) == 1
    assert [row for row, verdict in enumerate(verdicts) if verdict.relearned] == [begun[0] + 200]
    band = usual_band(learned, brief, learned.last_at)
    assert band is not None
    assert band[0] < 28 < band[1]


def test_nothing_is_found_while_it_warms_up() -> None:
    samples = changed(noise(1, WARM_UP), 100, WARM_UP, lambda row, s: (s[0] + 50,))
    begun, verdicts, _ = watch(samples)
    assert begun == []
    assert max(verdict.score for verdict in verdicts) > 1


@pytest.mark.parametrize("fields", [1, 4])
def test_noise_gives_hardly_a_false_alarm(fields: int) -> None:
    found = sum(len(watch(noise(seed, 4000, fields))[0]) for seed in range(5))
    assert found <= 1


def test_a_more_sensitive_rule_finds_a_fault_no_later() -> None:
    samples = changed(noise(3, 1600), 1000, 1300, FAULTS["drift"][0])
    assert watch(samples, HIGH)[0][0] <= watch(samples)[0][0] <= watch(samples, NORMAL._replace(target=5e-7))[0][0]


@given(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=30))
def test_packed_numbers_are_the_same_numbers(numbers: list[float]) -> None:
    assert unpack(pack(numbers[:1], numbers), 1, len(numbers)) == [numbers[0], *numbers]


def test_memory_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="doubles"):
        Learned.of(Learned(1).memory(), 2)


@settings(deadline=None)
@given(st.integers(2, 6), SEEDS)
def test_whitened_values_have_no_covariance_and_can_be_taken_back(fields: int, seed: int) -> None:
    chance = random.Random(seed)
    mix = [[chance.gauss(0, 1) for _ in range(fields)] for _ in range(fields)]
    covariance = [0.0] * whitening.size(fields)
    rows: list[Sequence[float]] = []
    for row in range(500):
        source = [chance.gauss(0, 1) for _ in range(fields)]
        rows.append([sum(a * b for a, b in zip(weights, source, strict=True)) for weights in mix])
        whitening.take(covariance, rows[-1], 1 / (row + 1))
    inverse = whitening.whitener(covariance, fields)
    assert whitening.unwhiten(inverse, whitening.whiten(inverse, rows[0])) == pytest.approx(rows[0])
    after = [0.0] * whitening.size(fields)
    for row, values in enumerate(rows):
        whitening.take(after, whitening.whiten(inverse, values), 1 / (row + 1))
    for i in range(fields):
        for j in range(i + 1):
            # The ridge takes from each variance: little, but nearly all where fields nearly copy each other.
            expected = after[i * (i + 1) // 2 + j]
            assert 0.0 <= expected <= 1.0 + 1e-9 if i == j else abs(expected) < 0.5


def test_a_limit_is_passed_about_as_often_as_it_says() -> None:
    chance, rows, target = random.Random(5), 400_000, 1e-3
    tails, passed = [0.0] * tail.WIDTH, 0
    apart = 0
    for row in range(rows):
        score = tail.take(tails, 0, chance.gauss(0, 1), 0.8, tail.Expected(row, target), learn=True)
        apart += 1
        if score > 1 and row > 2000 and apart > tail.APART:
            passed += 1
            apart = 0
    assert rows * target / 8 < passed < rows * target * 2


def test_an_hour_that_nobody_has_seen_takes_its_neighbours_value() -> None:
    profile = season.learned(season.unseen(24), {8: 5.0}, 24, 0.0)
    assert season.value_at(profile, 0, 24, 8.5 * 3600) == 5.0
    assert season.value_at(profile, 0, 24, 9.2 * 3600) == 5.0
    assert season.value_at(profile, 0, 24, 15 * 3600) == 0.0


def test_the_week_begins_on_monday() -> None:
    monday = 1_767_571_200.0
    assert season.hour_at(monday, season.WEEK_HOURS) == 0
    assert season.hour_at(monday - 1, season.WEEK_HOURS) == 167
