"""The Numenta Anomaly Benchmark's score of detections on labelled series, and ours beside simple methods.

    python -m gateway.bench.nab --data FOLDER [--rule FILE]

Written from the published description (Lavin and Ahmad, "Evaluating Real-Time Anomaly Detection Algorithms – the
Numenta Anomaly Benchmark", ICMLA 2015) and NAB's wiki. A window pays for its earliest detection, the earlier the
more; each detection outside costs, less just after a window than far from one; a window without any costs. What lies
in the first 15 % (at most 750 rows) is not looked at. 0 is what a detector gets that says nothing, 100 a perfect one.
Here a detection is the opening of an alert; NAB itself counts every row above a threshold.

NAB gives each detector the one threshold that scores best over all files, after the fact, and tells it the smallest and
the largest value of each file before the first row. The product knows neither; a row "best in hindsight" says what it
gets with its one number, the expected rate of false alarms, chosen like NAB's threshold.
"""

import argparse
import csv
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from device_models.profile import GENERIC
from gateway.bench.baselines import BASELINES, alerts_of, scores_of, thresholds
from rules.anomaly.learned import Learned
from rules.anomaly.learner import Settings, take
from rules.detect import Detector
from rules.kinds.anomaly import WARM_UP, WARM_UP_SAMPLES
from rules.kinds.condition import STALE_INTERVALS
from rules.recordings.backtest import Backtest
from rules.schema import parse_rules
from rules.transition import AlertState, Transition

PROBATION, PROBATION_ROWS = 0.15, 750
_FAR = 3.0
"""Window lengths behind a window beyond which a false alarm costs in full."""

_TARGETS = tuple(10 ** (-exponent / 4) for exponent in range(12, 31))
"""Expected false alarms a sample and tail, 1e-3 to 3e-8, that are tried for the row "best in hindsight"."""

OURS = """
rules:
  - id: unusual
    kind: anomaly
    field: value
    sensitivity: {sensitivity}
"""
"""The rule that is scored: nothing in it is of the series."""


class Weights(NamedTuple):
    """What one profile of application pays and charges."""

    true_positive: float
    false_positive: float
    false_negative: float


PROFILES: Mapping[str, Weights] = {
    "standard": Weights(1.0, 0.11, 1.0),
    "reward low FP": Weights(1.0, 0.22, 1.0),
    "reward low FN": Weights(1.0, 0.11, 2.0),
}


@dataclass(frozen=True, slots=True)
class Series:
    """One labelled series."""

    name: str
    at: Sequence[datetime]
    values: Sequence[float]
    windows: Sequence[tuple[int, int]]
    """Rows (first, last) of each, both in it."""

    @property
    def scored_from(self) -> int:
        """The first row that counts."""
        return min(int(PROBATION * len(self.values)), PROBATION_ROWS)


def sigmoid(position: float) -> float:
    """Return what a detection is worth, 1 to -1, by its distance from a window's end in the window's own length.

    -1 is the window's beginning, 0 its end.
    """
    return -1.0 if position > _FAR else 2 / (1 + math.exp(5 * position)) - 1


def raw_score(rows: int, windows: Sequence[tuple[int, int]], detected: Iterable[int], weights: Weights) -> float:
    """Score detections, each a row, without normalising; rows before ``min(15 %, 750)`` are left out."""
    first = min(int(PROBATION * rows), PROBATION_ROWS)
    windows = sorted(windows)
    best: list[float | None] = [None] * len(windows)
    total = 0.0
    for row in detected:
        if row < first:
            continue
        inside = next((i for i, (start, end) in enumerate(windows) if start <= row <= end), None)
        if inside is not None:
            start, end = windows[inside]
            worth = sigmoid(-(end - row + 1) / (end - start + 1)) / sigmoid(-1.0)
            best[inside] = max(worth, best[inside] or worth)
            continue
        before = [window for window in windows if window[1] < row]
        start, end = before[-1] if before else (0, 0)
        total += weights.false_positive * (sigmoid((row - end) / max(end - start, 1)) if before else -1.0)
    return total + sum(weights.true_positive * w if w is not None else -weights.false_negative for w in best)


def score(series: Sequence[Series], detected: Mapping[str, Sequence[int]], profile: str = "standard") -> float:
    """Return NAB's normalised score over several series; ``detected`` has rows by the series' name."""
    weights = PROFILES[profile]
    total = sum(raw_score(len(s.values), s.windows, detected[s.name], weights) for s in series)
    windows = sum(len(s.windows) for s in series)
    return (
        100 * (total + windows * weights.false_negative) / (windows * (weights.true_positive + weights.false_negative))
    )


def read_series(folder: Path) -> list[Series]:
    """Read the series named in ``nab_labels.json`` of a folder, each from ``nab_NAME`` or ``NAME``."""
    labels = json.loads((folder / "nab_labels.json").read_text(encoding="utf-8"))
    return [_read(folder, name, labels[name]["windows"]) for name in labels]


def engine_alerts(rule_text: str, series: Series) -> list[int]:
    """Run rules over a series with the very engine; return the rows at which alerts fire."""
    profile = GENERIC.model_copy(update={"reporting_interval": _interval(series)})
    run = Backtest(Detector(parse_rules(rule_text, "rule"), {profile.name: profile}), profile)
    fired: list[int] = []
    for row, (at, value) in enumerate(zip(series.at, series.values, strict=True)):
        facts = run.take(series.name, at, {"value": value})
        fired += [row for fact in facts if isinstance(fact, Transition) and fact.state is AlertState.FIRING]
    return fired


def alerts_at(target: float, series: Series) -> list[int]:
    """Run what learns over a series with another rate of false alarms than the sensitivities stand for."""
    gap_s = STALE_INTERVALS * _interval(series).total_seconds()
    settings = Settings(target=target, day=True, week=True, gap_s=gap_s, normal_after_s=7 * 86_400.0)
    learned, opened, ready_at = Learned(1), list[int](), series.at[0] + WARM_UP
    for row, (at, value) in enumerate(zip(series.at, series.values, strict=True)):
        usual = math.isnan(learned.outside_since)
        ready = at >= ready_at and learned.samples >= WARM_UP_SAMPLES
        take(learned, settings, at.timestamp(), (value,), ready)
        if usual and not math.isnan(learned.outside_since):
            opened.append(row)
    return opened


def _interval(series: Series) -> timedelta:
    gaps = sorted((later - earlier for earlier, later in pairwise(series.at)))
    return max(GENERIC.reporting_interval, gaps[len(gaps) // 2])


def _read(folder: Path, name: str, labelled: Sequence[Sequence[str]]) -> Series:
    path = next(p for p in (folder / f"nab_{name}", folder / name) if p.exists())
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    at = [_time(row[0]) for row in rows]
    windows = []
    for start, end in ((_time(a), _time(b)) for a, b in labelled):
        inside = [i for i, t in enumerate(at) if start <= t <= end]
        windows.append((inside[0], inside[-1]))
    return Series(name.removesuffix(".csv"), at, [float(row[1]) for row in rows], windows)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _table(series: Sequence[Series], rules: Mapping[str, str]) -> Iterator[list[str]]:
    yield ["method", *(f"{s.name} (windows found, false)" for s in series), *PROFILES]
    for name, text in rules.items():
        yield _row(name, series, {s.name: engine_alerts(text, s) for s in series})
    at_targets = [{s.name: alerts_at(target, s) for s in series} for target in _TARGETS]
    yield _row("product, best in hindsight", series, max(at_targets, key=lambda detected: score(series, detected)))
    for name, baseline in BASELINES.items():
        scores = {s.name: scores_of(baseline.make, [at.timestamp() for at in s.at], s.values) for s in series}
        if baseline.threshold is not None:
            yield _row(
                f"{name}, {baseline.threshold:g}",
                series,
                {n: alerts_of(x, baseline.threshold) for n, x in scores.items()},
            )
        best = max(
            thresholds(scores.values()),
            key=lambda threshold: score(series, {n: alerts_of(x, threshold) for n, x in scores.items()}),
        )
        yield _row(f"{name}, best in hindsight", series, {n: alerts_of(x, best) for n, x in scores.items()})


def _row(name: str, series: Sequence[Series], detected: Mapping[str, Sequence[int]]) -> list[str]:
    cells = []
    for s in series:
        rows = [row for row in detected[s.name] if row >= s.scored_from]
        found = sum(any(start <= row <= end for row in rows) for start, end in s.windows)
        false = sum(not any(start <= row <= end for start, end in s.windows) for row in rows)
        cells.append(f"{found}/{len(s.windows)}, {false}")
    return [name, *cells, *(f"{score(series, detected, profile):.1f}" for profile in PROFILES)]


def main() -> None:
    """Print the table of our rules and the baselines."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with nab_labels.json and its series")
    parser.add_argument("--rule", type=Path, help="a rule file that reads 'value'; default: ours at each sensitivity")
    chosen = parser.parse_args()
    rules = {f"product, {name}": OURS.format(sensitivity=name) for name in ("low", "normal", "high")}
    if chosen.rule is not None:
        rules = {chosen.rule.name: chosen.rule.read_text(encoding="utf-8")}
    for index, row in enumerate(_table(read_series(chosen.data), rules)):
        sys.stdout.write("| " + " | ".join(row) + " |\n" + ("|---" * len(row) + "|\n" if index == 0 else ""))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
