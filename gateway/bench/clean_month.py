"""The demo fleet's clean month under the shipped rules: every case about anything but a due service is a false alarm.

    python -m gateway.bench.clean_month [--seeds N] [--days N] [--rules FILE …]

The fleet is played as ``gateway simulate clean-month`` plays it, through the real decoders, profiles and rules, without
broker and wall clock. Each seed draws other people, minutes and noise; each is told as soon as it is done.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from gateway.bench.watching import Watch

_DAYS_A_MONTH = 30.0


def main() -> None:
    """Print a line for each seed and the sum."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many months are played")
    parser.add_argument("--days", type=float, default=_DAYS_A_MONTH)
    parser.add_argument("--rules", type=Path, nargs="*", default=[], help="files beside the shipped ones")
    chosen = parser.parse_args()
    months, alarms = 0.0, 0
    for seed in range(chosen.first, chosen.first + chosen.seeds):
        watch = Watch("clean-month", seed, chosen.rules)
        watch.run(hours=24 * chosen.days)
        false = Counter(case["rule"] for case in watch.cases if case["kind"] != "maintenance")
        months += watch.devices * chosen.days / _DAYS_A_MONTH
        alarms += sum(false.values())
        named = ", ".join(f"{rule} {count}" for rule, count in sorted(false.items())) or "none"
        services = sum(case["kind"] == "maintenance" for case in watch.cases)
        sys.stdout.write(f"seed {seed}: {watch.devices} devices; false alarms: {named}; services due: {services}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{alarms} false alarms in {months:.2g} device-months\n")


if __name__ == "__main__":
    main()
