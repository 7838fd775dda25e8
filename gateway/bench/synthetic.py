"""Made series of fourteen kinds of machine, with and without faults: false alarms and detections of each method.

    python -m gateway.bench.synthetic [--seed N] [--methods product,…]

Every series is 4,000 rows, five minutes apart, from a seed. A fault begins in the second half, lasts 12 to 400 rows and
is of random size, from hopeless to plain. A detection is an alert that opens while the fault lasts; an alert before
it, or on a series without one, is false. Methods are compared at the same rate of false alarms: thresholds are chosen
on these very series, in the baselines' favour; the product's sensitivities are fixed.
"""

import argparse
import math
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gateway.bench.baselines import BASELINES, alerts_of, scores_of, thresholds
from gateway.bench.nab import OURS, Series, engine_alerts

ROWS = 4000
STEP = timedelta(minutes=5)
_BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
_DAY = 288.0
"""Rows."""
_RATES = (0.5, 3.0)
"""False alarms in 10,000 rows at which methods are compared."""

Values = list[float]


@dataclass(frozen=True, slots=True)
class Case:
    """One made series."""

    series: Series
    fault: str | None
    begin: int = 0
    end: int = 0
    """Rows of the fault, the end not in it."""

    def split(self, alerts: Sequence[int]) -> tuple[int, bool]:
        """Return the false alarms among alerts, and whether the fault was found."""
        if self.fault is None:
            return len(alerts), False
        return sum(row < self.begin for row in alerts), any(self.begin <= row < self.end + 5 for row in alerts)

    @property
    def clean_rows(self) -> int:
        """Rows in which every alert is false."""
        return len(self.series.values) if self.fault is None else self.begin


def _noise(chance: random.Random) -> Values:
    return [chance.gauss(0, 1) for _ in range(ROWS)]


def _wander(chance: random.Random, memory: float) -> Values:
    """A first-order autoregression of variance 1."""
    value, values = 0.0, []
    for _ in range(ROWS):
        value = memory * value + math.sqrt(1 - memory * memory) * chance.gauss(0, 1)
        values.append(value)
    return values


def _room(chance: random.Random) -> Values:
    return [a + 0.2 * chance.gauss(0, 1) for a in _wander(chance, 0.97)]


def _outdoors(chance: random.Random) -> Values:
    return [3 * a + 0.3 * chance.gauss(0, 1) for a in _wander(chance, 0.997)]


def _heavy(chance: random.Random) -> Values:
    """Student's t of three degrees of freedom."""
    return [chance.gauss(0, 1) / math.sqrt(sum(chance.gauss(0, 1) ** 2 for _ in range(3)) / 3) for _ in range(ROWS)]


def _daily(chance: random.Random, memory: float = 0.0) -> Values:
    phase, size = chance.random() * _DAY, chance.uniform(2, 6)
    wander = _wander(chance, memory)
    return [
        size * (math.sin(2 * math.pi * (i + phase) / _DAY) + 0.4 * math.sin(4 * math.pi * (i + phase) / _DAY + 1))
        + (a if memory else 0.5 * a)
        for i, a in enumerate(wander)
    ]


def _weekly(chance: random.Random) -> Values:
    phase, size = chance.random() * _DAY, chance.uniform(2, 6)
    days = (1, 1, 1, 1, 1, 0.5, 0.4)
    return [
        days[int((i + phase) // _DAY) % 7] * (10 + 3 * size * max(0.0, math.sin(2 * math.pi * (i + phase) / _DAY)))
        + 0.8 * chance.gauss(0, 1)
        for i in range(ROWS)
    ]


def _bursty(chance: random.Random) -> Values:
    """Counts with a day's rhythm and bursts that die away."""
    burst, values = 0.0, []
    for i in range(ROWS):
        burst = 0.8 * burst + (chance.expovariate(1 / 8) if chance.random() < 0.01 else 0.0)
        mean = 8 + 4 * math.sin(2 * math.pi * i / _DAY) + burst
        values.append(float(max(0, round(mean + math.sqrt(mean) * chance.gauss(0, 1)))))
    return values


def _spikes(chance: random.Random) -> Values:
    """Single outliers, which nobody is to be called for."""
    return [chance.gauss(0, 1) + (chance.uniform(8, 40) if chance.random() < 0.006 else 0) for _ in range(ROWS)]


def _trend(chance: random.Random) -> Values:
    return [20 * i / ROWS + chance.gauss(0, 1) for i in range(ROWS)]


def _cabinet(chance: random.Random, defrosts: bool = False) -> Values:
    """A thermostat's saw teeth; or the power that its compressor draws, with two defrosts a day."""
    level, on, values, phase = 0.0, False, [], chance.random() * _DAY
    for i in range(ROWS):
        level += (-0.6 if on else 0.25) + 0.05 * chance.gauss(0, 1)
        on = level > 3 or (on and level >= -3)
        if defrosts:
            heater = 300.0 if (i + phase) % (_DAY / 2) < 5 else 0.0
            values.append(heater + (90 + 3 * chance.gauss(0, 1) if on else 2 + 0.3 * abs(chance.gauss(0, 1))))
        else:
            values.append(level + 0.1 * chance.gauss(0, 1))
    return values


def _rounded(chance: random.Random) -> Values:
    return [0.5 * round(1.2 * a) for a in _wander(chance, 0.98)]


def _jobs(chance: random.Random) -> Values:
    """An idle computer with jobs by the hour and at random."""
    burst, values = 0.0, []
    for i in range(ROWS):
        burst = chance.uniform(10, 50) if chance.random() < 0.03 else 0.3 * burst
        values.append(30 + 0.8 * abs(chance.gauss(0, 1)) + burst + (15 if i % 12 < 2 else 0))
    return values


MACHINES: Mapping[str, Callable[[random.Random], Values]] = {
    "noise": _noise,
    "room": _room,
    "outdoors": _outdoors,
    "heavy tails": _heavy,
    "daily": _daily,
    "daily, wandering": lambda chance: _daily(chance, 0.98),
    "weekly": _weekly,
    "bursty counts": _bursty,
    "single spikes": _spikes,
    "slow trend": _trend,
    "saw teeth": _cabinet,
    "on, off, defrost": lambda chance: _cabinet(chance, defrosts=True),
    "rounded": _rounded,
    "jobs": _jobs,
}
FAULTS = ("shift", "drift", "noisy", "quiet", "stuck", "dense spikes", "wrong hour", "scaled")


def cases(seed: int, per_kind: int = 2) -> Iterator[Case]:
    """Make every machine without a fault and with each."""
    for machine, make in MACHINES.items():
        for number in range(per_kind):
            yield Case(_series(f"{machine} {number}", make(_chance(seed, machine, number))), None)
            for fault in FAULTS:
                chance = _chance(seed, machine, number, fault)
                values = make(chance)
                begin = chance.randrange(ROWS // 2, int(0.85 * ROWS))
                end = begin + chance.choice((12, 48, 150, 400))
                _break(values, fault, begin, end, chance)
                yield Case(_series(f"{machine} {number} {fault}", values), fault, begin, end)


def _chance(*what: object) -> random.Random:
    return random.Random("/".join(map(str, what)))  # noqa: S311 - made data, not a secret


def _break(values: Values, fault: str, begin: int, end: int, chance: random.Random) -> None:
    """Let a fault act from ``begin`` up to ``end``, in place."""
    before = list(values)
    ordered = sorted(values)
    middle = ordered[ROWS // 2]
    spread = (ordered[int(0.84 * ROWS)] - ordered[int(0.16 * ROWS)]) / 2
    sign, size = chance.choice((-1, 1)), chance.uniform(1, 5)
    for i in range(begin, end):
        share = (i - begin) / max(1, end - begin - 1)
        match fault:
            case "shift":
                values[i] += sign * size * spread
            case "drift":
                values[i] += 2 * sign * size * spread * share
            case "noisy":
                values[i] += 0.7 * size * spread * chance.gauss(0, 1)
            case "quiet":
                values[i] = middle + 0.15 * (before[i] - middle)
            case "stuck":
                values[i] = before[begin]
            case "dense spikes":
                values[i] += 2.5 * size * spread if chance.random() < 0.2 else 0.0
            case "wrong hour":
                values[i] = before[i - 150]
            case "scaled":
                values[i] = middle + 0.6 * size * (before[i] - middle)


def _series(name: str, values: Values) -> Series:
    return Series(name, [_BEGIN + i * STEP for i in range(ROWS)], values, ())


def _product(made: Sequence[Case], sensitivity: str) -> list[str]:
    rule = OURS.format(sensitivity=sensitivity)
    began = time.process_time()
    found = [case.split(engine_alerts(rule, case.series)) for case in made]
    cost = (time.process_time() - began) / (ROWS * len(made))
    rate, share = _totals(made, found)
    return [f"product, {sensitivity}", f"{rate:.2f}", f"{share:.0%}", *_by_fault(made, found), f"{cost * 1e6:.0f}"]


def _baseline(made: Sequence[Case], name: str) -> Iterator[list[str]]:
    times = [at.timestamp() for at in made[0].series.at]
    began = time.process_time()
    scores = [scores_of(BASELINES[name].make, times, case.series.values) for case in made]
    cost = (time.process_time() - began) / (ROWS * len(made))
    for rate in _RATES:
        best: tuple[float, float, list[tuple[int, bool]]] | None = None
        for threshold in thresholds(scores):
            found = [case.split(alerts_of(each, threshold)) for case, each in zip(made, scores, strict=True)]
            seen, share = _totals(made, found)
            if seen <= rate and (best is None or share > best[1]):
                best = (seen, share, found)
        if best is not None:
            seen, share, found = best
            yield [f"{name}, ≤ {rate:g}", f"{seen:.2f}", f"{share:.0%}", *_by_fault(made, found), f"{cost * 1e6:.0f}"]


def _totals(made: Sequence[Case], found: Sequence[tuple[int, bool]]) -> tuple[float, float]:
    false = sum(number for number, _ in found)
    faults = sum(case.fault is not None for case in made)
    rate = 1e4 * false / sum(case.clean_rows for case in made)
    return rate, sum(hit for _, hit in found) / faults


def _by_fault(made: Sequence[Case], found: Sequence[tuple[int, bool]]) -> list[str]:
    return [
        f"{sum(hit for case, (_, hit) in zip(made, found, strict=True) if case.fault == fault)}" for fault in FAULTS
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--methods", default=",".join(("product", *BASELINES)), help="comma-separated")
    chosen = parser.parse_args()
    made = list(cases(chosen.seed))
    each = sum(case.fault == FAULTS[0] for case in made)
    rows = [["method, false alarms", "per 10,000", "found", *(f"{f} /{each}" for f in FAULTS), "CPU µs/row"]]
    sys.stdout.write("| " + " | ".join(rows[0]) + " |\n" + "|---" * len(rows[0]) + "|\n")
    for name in chosen.methods.split(","):
        made_rows = (
            (_product(made, sensitivity) for sensitivity in ("low", "normal", "high"))
            if name == "product"
            else _baseline(made, name)
        )
        for row in made_rows:
            sys.stdout.write("| " + " | ".join(row) + " |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
