"""``gateway rules backtest`` as a user runs it: one condition over a CSV file of samples."""

import csv
import random
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

_RULE = """rules:
  - {id: too-warm, kind: condition, profile: freezer, when: temperature > -12, for: 10m, clear_when: temperature < -15}
"""
_BEGIN = datetime(2026, 1, 1)  # noqa: DTZ001 - a file without a zone, as most are


@dataclass(frozen=True, slots=True)
class Speed:
    """In processor time of one core."""

    samples_per_s: float
    """What the command takes for the file, beyond what it takes for two rows."""
    rows_per_s: float
    """Reading the same file with the csv module and doing nothing."""


def measure(samples: int) -> Speed:
    """Write a file of ``samples`` rows, a minute apart, and run the command over it. Raises RuntimeError."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as name:
        folder = Path(name)
        rules, short, long = folder / "rules.yaml", folder / "short.csv", folder / "long.csv"
        rules.write_text(_RULE, encoding="utf-8")
        for path, rows in ((short, 2), (long, samples)):
            _write(path, rows)
        began = time.process_time()
        with long.open(encoding="utf-8", newline="") as file:
            read = sum(1 for _ in csv.reader(file))
        plain_s = time.process_time() - began
        took_s = _command_s(rules, long) - _command_s(rules, short)
    return Speed(samples / max(took_s, 1e-6), read / max(plain_s, 1e-6))


def _write(path: Path, rows: int) -> None:
    chance = random.Random(1)  # noqa: S311 - made samples, no secret
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("time,temperature\n")
        for row in range(rows):
            # A door is opened now and then, sometimes for so long that the alert fires.
            warm = 8.0 if row % 5_000 < 20 else 0.0
            file.write(f"{_BEGIN + timedelta(minutes=row):%Y-%m-%d %H:%M:%S},{chance.gauss(-18 + warm, 0.8):.2f}\n")


def _command_s(rules: Path, table: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "gateway", "rules", "backtest", str(rules), "--csv", str(table)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)  # noqa: S603 - our own
    if ran.returncode != 0:
        raise RuntimeError(f"gateway rules backtest: {ran.stderr[-500:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
