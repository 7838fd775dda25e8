"""Made series of eight fields that move together, one sample a second: how much of each fault an alert covers.

    python -m gateway.bench.joint [--seed N] [--series N]

Three hidden causes drive eight sensors of different units, half of them rounded. Four kinds of rig: as said; with two
sensors that warm up all the while; with sensors that are rounded coarsely; with three that follow late. After 480 to
650 of 1,150 seconds a fault acts on one to three sensors for 250 to 420 seconds. Every second after the first 400 is
right or wrong, as SKAB counts them: F1 of the seconds in which an alert is open, FAR the false among the good ones, MAR
the missed among the faulty ones. Beside the product: the same rule for each field alone, and Hotelling's T² fitted to
the first 400 seconds.
"""

import argparse
import math
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from device_models.profile import GENERIC
from rules.anomaly import whitening
from rules.detect import Detector
from rules.recordings.backtest import Backtest
from rules.schema import parse_rules
from rules.transition import AlertState, Transition

FIELDS, ROWS, LEARNED = 8, 1150, 400
FAULTS = ("shift", "small shift", "broken relation", "stuck", "noisy")
RIGS = ("plain", "warming", "coarse", "late")
_BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
_RAMP = 60
"""Seconds that a shift takes to its full size."""
_NAMES = tuple(f"sensor_{i}" for i in range(FIELDS))

_MEMORIES = (0.9, 0.98, 0.5)
"""Of the three causes, from second to second."""

Row = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One series, and the seconds of its fault."""

    rig: str
    fault: str
    rows: Sequence[Row]
    begin: int
    end: int


def cases(seed: int, per_fault: int) -> Iterator[Case]:
    """Make series of every fault on every rig."""
    for rig in RIGS:
        for fault in FAULTS:
            for number in range(per_fault):
                yield _case(rig, fault, random.Random(f"{seed}/{rig}/{fault}/{number}"))  # noqa: S311 - no secret


class _Rig:
    """Eight sensors and what drives them."""

    def __init__(self, kind: str, chance: random.Random) -> None:
        self._chance = chance
        self._mix = [[chance.gauss(0, 1) for _ in range(3)] for _ in range(FIELDS)]
        self._own = [chance.uniform(0.2, 1) for _ in range(FIELDS)]
        self.spread = [math.hypot(*weights, noise) for weights, noise in zip(self._mix, self._own, strict=True)]
        self._causes = [0.0] * len(_MEMORIES)
        self._warming: dict[int, tuple[float, float]] = {}
        self._memory = dict.fromkeys(range(FIELDS), 0.0)
        if kind == "warming":
            for i in chance.sample(range(FIELDS), 2):
                self._warming[i] = (chance.choice((-1, 1)) * chance.uniform(1, 6) * self.spread[i], _warmth(chance))
                self._mix[i] = [0.1 * weight for weight in self._mix[i]]
                self._own[i] *= 0.2
        elif kind == "late":
            self._memory |= {i: chance.uniform(0.8, 0.97) for i in chance.sample(range(FIELDS), 3)}
        self._followed = [0.0] * FIELDS
        self.grain = [0.05 if kind != "coarse" else chance.uniform(0.3, 1.0) for _ in range(FIELDS)]
        """Of every other sensor."""

    def values(self, row: int) -> list[float]:
        """Return what the sensors show in the next second."""
        chance = self._chance
        for i, memory in enumerate(_MEMORIES):
            self._causes[i] = memory * self._causes[i] + math.sqrt(1 - memory * memory) * chance.gauss(0, 1)
        values = []
        for i, memory in self._memory.items():
            driven = sum(weight * cause for weight, cause in zip(self._mix[i], self._causes, strict=True))
            self._followed[i] = memory * self._followed[i] + (1 - memory) * driven
            size, slowness = self._warming.get(i, (0.0, 1.0))
            warmth = size * (1 - math.exp(-row / slowness))
            values.append(self._followed[i] * (2 if memory else 1) + self._own[i] * chance.gauss(0, 1) + warmth)
        return values


def _warmth(chance: random.Random) -> float:
    """Seconds in which most of the warming is done: some of it before the fault, or ever more all the while."""
    return chance.uniform(300, 3000)


def _case(kind: str, fault: str, chance: random.Random) -> Case:
    rig = _Rig(kind, chance)
    unit = [10 ** chance.uniform(-1, 2) for _ in range(FIELDS)]
    zero = [chance.uniform(-100, 100) for _ in range(FIELDS)]
    begin = chance.randrange(480, 650)
    end = begin + chance.randrange(250, 420)
    hit = {
        i: chance.choice((-1, 1)) * chance.uniform(1.5, 5) for i in chance.sample(range(FIELDS), chance.randrange(1, 4))
    }
    rows: list[Row] = []
    held: dict[int, float] = {}
    for row in range(ROWS):
        values = rig.values(row)
        if begin <= row < end:
            for i, size in hit.items():
                since = row - begin
                values[i] = _broken(fault, values[i], size, rig.spread[i], since, held.setdefault(i, values[i]), chance)
        rounded = [g * round(v / g) if i % 2 else v for i, (v, g) in enumerate(zip(values, rig.grain, strict=True))]
        rows.append(tuple(zero[i] + unit[i] * value for i, value in enumerate(rounded)))
    return Case(kind, fault, rows, begin, end)


def _broken(
    fault: str, value: float, size: float, spread: float, since: int, held: float, chance: random.Random
) -> float:
    ramp = min(1.0, since / _RAMP)
    match fault:
        case "shift":
            return value + size * spread * ramp
        case "small shift":
            return value + 0.4 * size * spread * ramp
        case "broken relation":
            return spread * chance.gauss(0, 1)
        case "stuck":
            return held
        case _:
            return value + abs(size) * spread * chance.gauss(0, 1)


def product(rules: str) -> Callable[[Sequence[Row]], list[bool]]:
    """Return what tells for each second whether an alert of these rules is open, by the very engine."""
    profile = GENERIC.model_copy(update={"reporting_interval": timedelta(seconds=1)})
    detector = Detector(parse_rules(rules, "rules"), {profile.name: profile})

    def run(rows: Sequence[Row]) -> list[bool]:
        backtest, opened, said = Backtest(detector, profile), set[str](), []
        for number, row in enumerate(rows):
            at = _BEGIN + timedelta(seconds=number)
            for fact in backtest.take("rig", at, dict(zip(_NAMES, row, strict=True))):
                if isinstance(fact, Transition):
                    (opened.add if fact.state is AlertState.FIRING else opened.discard)(fact.rule)
            said.append(bool(opened))
        return said

    return run


def hotelling(rows: Sequence[Row]) -> list[bool]:
    """Tell for each second whether T² is above the 99th percentile of the first 400, which it is fitted to."""
    learned = rows[:LEARNED]
    means = [sum(column) / LEARNED for column in zip(*learned, strict=True)]
    covariance = [0.0] * whitening.size(FIELDS)
    for number, row in enumerate(learned, 1):
        whitening.take(covariance, [v - m for v, m in zip(row, means, strict=True)], 1 / number)
    inverse = whitening.whitener(covariance, FIELDS)

    def distance(row: Row) -> float:
        return math.hypot(*whitening.whiten(inverse, [v - m for v, m in zip(row, means, strict=True)]))

    limit = sorted(map(distance, learned))[int(0.99 * LEARNED)]
    return [distance(row) > limit for row in rows]


def _measured(name: str, made: Sequence[Case], method: Callable[[Sequence[Row]], list[bool]]) -> list[str]:
    counts = {(rig, fault): [0, 0, 0, 0] for rig in RIGS for fault in FAULTS}
    began = time.process_time()
    for case in made:
        said = method(case.rows)
        for row in range(LEARNED, ROWS):
            counts[case.rig, case.fault][2 * said[row] + (case.begin <= row < case.end)] += 1
    cost = (time.process_time() - began) / (ROWS * len(made))

    def summed(part: str | None) -> list[int]:
        chosen = [count for key, count in counts.items() if part is None or part in key]
        return [sum(column) for column in zip(*chosen, strict=True)]

    good, missed, false, found = summed(None)
    return [
        name,
        *(f"{x:.2f}" for x in (_f1(missed, false, found), false / (good + false), missed / (missed + found))),
        *(f"{_f1(*summed(part)[1:]):.2f}" for part in (*FAULTS, *RIGS)),
        f"{cost * 1e6:.0f}",
    ]


def _f1(missed: int, false: int, found: int) -> float:
    return 2 * found / (2 * found + false + missed) if found else 0.0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--series", type=int, default=3, help="of each fault on each rig")
    chosen = parser.parse_args()
    made = list(cases(chosen.seed, chosen.series))
    rule = "{{id: {id}, kind: anomaly, {what}, sensitivity: {sensitivity}}}"
    methods = {
        f"product, together, {s}": product(
            "rules:\n  - " + rule.format(id="rig", what=f"fields: [{', '.join(_NAMES)}]", sensitivity=s)
        )
        for s in ("low", "normal", "high")
    }
    alone = "".join(f"\n  - {rule.format(id=n, what=f'field: {n}', sensitivity='normal')}" for n in _NAMES)
    methods |= {"product, each alone, normal": product("rules:" + alone), "Hotelling's T², 99 %": hotelling}
    head = ["method", "F1", "FAR", "MAR", *(f"F1 {part}" for part in (*FAULTS, *RIGS)), "CPU µs/sample"]
    sys.stdout.write("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|\n")
    for name, method in methods.items():
        sys.stdout.write("| " + " | ".join(_measured(name, made, method)) + " |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
