"""``python -m gateway.bench.channels``: the tables of docs/channels.md."""

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor

from gateway.bench.channels.play import Policy, play
from gateway.bench.channels.world import WORLDS


def main() -> None:
    """Play the worlds that are asked for and print one JSON object a world and policy."""
    parser = argparse.ArgumentParser(prog="python -m gateway.bench.channels", description=__doc__)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--faults", type=float, default=8.0, help="of each customer, on average, within 1.5 years")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--world", action="append", choices=[world.name for world in WORLDS], help="default: all")
    parser.add_argument("--policy", action="append", choices=list(Policy), help="default: all")
    asked = parser.parse_args()
    games = [
        (world, policy, asked.customers, asked.seed, asked.faults)
        for world in WORLDS
        if not asked.world or world.name in asked.world
        for policy in Policy
        if not asked.policy or policy in asked.policy
    ]
    with ProcessPoolExecutor(asked.jobs) as pool:
        for (world, policy, *_), score in zip(games, pool.map(play, *zip(*games, strict=True)), strict=True):
            row = {
                "world": world.name,
                "policy": policy.value,
                "answered_share": round(score.answered_share, 4),
                "answered_by_first_message": round(score.at_once_share, 4),
                "answered_share_last_third": round(score.late_share, 4),
                "median_hours_to_answer": round(score.median_hours, 2),
                "messages_per_answer": round(score.messages_per_answer, 3),
            }
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
