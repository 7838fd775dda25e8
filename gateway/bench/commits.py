"""Whole commits in this process: decoding, detection, response and a transaction of SQLite, for fleets of any size."""

import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from device_models.event import Message
from gateway.bench.fleet import RULES, Fleet, device_id
from gateway.config import Config
from gateway.decoders import build_dispatcher
from gateway.people.registry import load_registry
from gateway.pipeline.commit import Committer, Work
from gateway.rulebook.files import load_profiles
from gateway.store import dialect, schema
from gateway.store.store import Store
from gateway.web.links import LinkSigner
from rules.detect import Detector
from rules.schema import merge_rules

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Commits:
    """Processor time of an event in a full batch."""

    warm_us: float
    """The devices' states are in memory."""
    cold_us: float
    """Each is heard for the first time since the start: its state is read from the store."""


def measure(devices: int, count: int) -> Commits:
    """Let each of ``devices`` speak once, then measure ``count`` events of devices picked at random."""
    now = datetime.now(UTC)
    fleet = Fleet(devices, now.timestamp() - 86_400)
    chance = random.Random(1)  # noqa: S311 - a choice of devices, no secret
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        store = Store(f"sqlite:///{Path(folder) / 'commits.sqlite'}")
        try:
            with store.write() as connection:
                ids = [device_id(number) for number in range(devices)]
                for start in range(0, devices, _BATCH):
                    rows = [
                        {"id": name, "profile": "freezer", "firmware": "2.4.1"} for name in ids[start : start + _BATCH]
                    ]
                    dialect.upsert(connection, schema.devices, rows)
            turns = [0] * devices
            committer = _opened(store, now)
            _commit(committer, fleet, range(devices), turns, now)
            picked = [chance.randrange(devices) for _ in range(count)]
            warm = _commit(committer, fleet, picked, turns, now)
            once = list(dict.fromkeys(picked))
            cold = _commit(_opened(store, now), fleet, once, turns, now)
        finally:
            store.close()
    return Commits(1e6 * warm / count, 1e6 * cold / len(once))


def _opened(store: Store, now: datetime) -> Committer:
    with store.read() as connection:
        registry = load_registry(connection)
    profiles = load_profiles(Config())
    detector = Detector(merge_rules([(RULES, "bench.yaml")]), profiles)
    links = LinkSigner({"1": "k" * 32}, "1", lambda: now, "http://127.0.0.1:8080")
    committer = Committer(store, build_dispatcher({}).decode, detector, profiles, registry, Config(), links)
    committer.open(now)
    return committer


def _commit(committer: Committer, fleet: Fleet, picked: range | list[int], turns: list[int], now: datetime) -> float:
    """Commit one message of each device picked, in batches; return the processor time in seconds."""
    spent = 0.0
    for start in range(0, len(picked), _BATCH):
        messages = list(_messages(fleet, picked[start : start + _BATCH], turns, now, committer.sequence))
        work = Work(messages=messages, last_sequence=messages[-1].sequence)
        began = time.process_time()
        committer.run(work, now)
        spent += time.process_time() - began
    return spent


def _messages(
    fleet: Fleet, picked: range | list[int], turns: list[int], now: datetime, after: int
) -> Iterator[Message]:
    for sequence, device in enumerate(picked, after + 1):
        number = turns[device] * fleet.devices + device
        turns[device] += 1
        at = datetime.fromtimestamp(fleet.first_at, UTC) + timedelta(minutes=turns[device])
        yield Message(fleet.topic(number), fleet.payload(number), at, sequence)
