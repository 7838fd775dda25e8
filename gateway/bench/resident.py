"""Many devices whose states are in memory, as the pipeline keeps those it has met."""

import asyncio
import multiprocessing
import random
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from device_models.event import Event, Message, Rejection
from device_models.registry import Device
from gateway.bench.fleet import RULES, Fleet
from gateway.config import Config
from gateway.decoders import build_dispatcher
from gateway.garbage import Survivors
from gateway.pipeline.states import States
from gateway.rulebook.files import load_profiles
from rules.detect import Detector
from rules.inputs import DeviceContext
from rules.schema import merge_rules
from rules.state import DeviceState

T = TypeVar("T")

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Resident:
    """What a fleet in memory costs."""

    event_us: float
    """Processor time of taking one status into the state of a device picked at random."""
    device_bytes: float
    """What the process grew by for each device: its state with twin and rules, and its timer."""


async def in_a_process(measure: Callable[[int, int], T], devices: int, count: int) -> T:
    """Run a measurement in a fresh process, whose memory holds nothing else and is collected as the service's is."""
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return await loop.run_in_executor(pool, _collected_as_live, measure, devices, count)


def _collected_as_live(measure: Callable[[int, int], T], devices: int, count: int) -> T:
    with Survivors():
        return measure(devices, count)


def measure(devices: int, count: int) -> Resident:
    """Let each of ``devices`` speak once under the bench's four rules, then measure ``count`` further events."""
    profiles = load_profiles(Config())
    detector = Detector(merge_rules([(RULES, "bench.yaml")]), profiles)
    freezer = profiles["freezer"]
    fleet = Fleet(devices, datetime.now(UTC).timestamp() - 86_400)
    decode = build_dispatcher({}).decode
    states = States()

    def event(number: int) -> Event:
        turn = number // devices
        at = datetime.fromtimestamp(fleet.first_at, UTC) + timedelta(minutes=turn, seconds=1)
        answer = decode(Message(fleet.topic(number), fleet.payload(number), at, number + 1))
        if isinstance(answer, Rejection):
            raise RuntimeError(answer.reason)
        return answer.events[0]

    def take(events: list[Event]) -> None:
        staged: dict[str, DeviceState] = {}
        for each in events:
            name = each.device_id
            before = staged.get(name) or states.get(name) or DeviceState()
            staged[name], _ = detector.detect(DeviceContext(Device(id=name, profile="freezer"), freezer), before, each)
        states.promote(staged)

    before_bytes = _memory_bytes()
    for start in range(0, devices, _BATCH):
        take([event(number) for number in range(start, min(start + _BATCH, devices))])
    grown = _memory_bytes() - before_bytes
    chance = random.Random(1)  # noqa: S311 - a choice of devices, no secret
    turns = [0] * devices
    spent = 0.0
    for _ in range(max(1, count // _BATCH)):
        batch = []
        for _ in range(min(_BATCH, count)):
            device = chance.randrange(devices)
            turns[device] += 1
            batch.append(event(turns[device] * devices + device))
        began = time.process_time()
        take(batch)
        spent += time.process_time() - began
    return Resident(1e6 * spent / (max(1, count // _BATCH) * min(_BATCH, count)), grown / devices)


def _memory_bytes() -> int:
    """Return the memory of this process.

    Linux hands the peak of ``getrusage`` on from the process that started this one: a larger parent hides all growth.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except FileNotFoundError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return pages * resource.getpagesize()
