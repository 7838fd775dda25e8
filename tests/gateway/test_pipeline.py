"""The loop of the one writer: what trips a fault is put aside alone, and all else has its effect once."""

import asyncio
import random
import string
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from device_models.decoders.native import decoder as native
from device_models.decoders.protocol import DecodeContext, Decoded
from device_models.event import Message, Rejection
from gateway import commands as c
from gateway.clock import Clock
from gateway.decoders import build_dispatcher
from gateway.ending import end
from gateway.live import LiveFeed
from gateway.pipeline.metrics import Metrics
from gateway.pipeline.pipeline import Pipeline
from gateway.pipeline.portion import COMMIT_S, Portion
from gateway.store import schema
from rules.turn import Turn
from tests.gateway.making import F1, T0, Gateway, gateway
from tests.mqtt_servers import eventually


@dataclass(frozen=True)
class Batch:
    messages: list[Message]
    last_sequence: int
    at_end: bool = True


class Odd:
    """A decoder of somebody else's: it raises, or says what no store can keep."""

    name = native.name
    default_topics = native.default_topics

    def decode(self, message: Message, context: DecodeContext) -> Decoded | Rejection:
        if b"raise" in message.payload:
            raise KeyError("temperature")
        decoded = native.decode(message, context)
        if b"unkeepable" in message.payload and isinstance(decoded, Decoded):
            odd: Any = object()
            return replace(decoded, events=tuple(replace(e, values={"temperature": odd}) for e in decoded.events))
        return decoded


decode = build_dispatcher({}, {native.name: Odd()}).decode


async def run_until_committed(made: Gateway, messages: list[Message]) -> Pipeline:
    """Let the pipeline read ``messages`` as one batch, with a command beside it, and stop once all is committed."""

    async def batches(after: int) -> AsyncIterator[Batch]:
        yield Batch([m for m in messages if m.sequence > after], messages[-1].sequence)
        await asyncio.Event().wait()

    pipeline = Pipeline(made.committer, batches, Clock(), LiveFeed(), Metrics())
    running = asyncio.create_task(pipeline.run())
    noting = asyncio.create_task(pipeline.submit(c.SetMeta("noted", 1)))
    await eventually(lambda: pipeline.sequence >= messages[-1].sequence or running.done(), "the commit")
    if running.done():
        running.result()
    await noting
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return pipeline


def said(number: int, payload: bytes, device: str = "f1") -> Message:
    return Message(f"devices/{device}/status", payload, T0 + timedelta(seconds=number), number)


@pytest.mark.parametrize("fault", [b'{"a": "raise"}', b'{"a": "unkeepable"}'])
async def test_a_message_that_trips_a_fault_is_put_aside_alone(store_url: str, tmp_path: Path, fault: bytes) -> None:
    with gateway(store_url, tmp_path, decode=decode) as made:
        made.submit(c.Upsert("devices", ({**F1, "id": "f2"},), by="test"))
        messages = [
            said(1, b'{"temperature": -18}'),
            said(2, fault, "f2"),
            said(3, b'{"temperature": -17}'),
            said(4, b'{"temperature": -16}', "f2"),
        ]
        await run_until_committed(made, messages)
        [rejection] = made.rows(schema.rejections)
        assert (rejection["sequence"], rejection["first_bytes"]) == (2, fault)
        assert rejection["reason"].startswith("internal: ")
        assert [row["device_id"] for row in made.rows(schema.device_states)] == ["f1", "f2"]
        assert made.committer.sequence == 4
        assert len(made.rows(schema.meta, key="noted")) == 1


async def test_people_wait_for_no_more_than_a_portion_of_a_batch(store_url: str, tmp_path: Path) -> None:
    messages = [said(number, b'{"temperature": -18}') for number in range(1, 51)]

    async def batches(after: int) -> AsyncIterator[Batch]:
        assert after == 0
        yield Batch(messages, 60)
        await asyncio.Event().wait()

    with gateway(store_url, tmp_path) as made:
        pipeline = Pipeline(made.committer, batches, Clock(), LiveFeed(), Metrics(), Portion(20))
        commits: list[tuple[int, bool]] = []
        asked: list[asyncio.Task[Any]] = []

        def committed(_: object) -> None:
            commits.append((pipeline.sequence, pipeline.at_end))
            if len(commits) == 1:
                asked.append(asyncio.create_task(pipeline.submit(c.SetMeta("noted", 1))))

        pipeline.on_commit = committed
        running = asyncio.create_task(pipeline.run())
        await eventually(lambda: pipeline.at_end and asked and asked[0].done(), "the commits")
        await end(running)
        assert commits[0] == (20, False)
        assert all(not at_end for sequence, at_end in commits if sequence < 60)
        assert commits[-1] == (60, True)
        assert len(made.rows(schema.rejections)) == 0


@given(
    st.lists(st.tuples(st.integers(0, 5_000), st.floats(0, 60)), max_size=20),
    st.floats(0.000_01, 0.02),
)
def test_a_portion_comes_to_fit_into_its_time(before: list[tuple[int, float]], each_s: float) -> None:
    portion = Portion()
    for messages, seconds in before:
        portion.took(messages, seconds)
    for _ in range(40):
        portion.took(min(portion.size, 1_000_000), min(portion.size, 1_000_000) * each_s)
    assert portion.size >= 10
    assert portion.size * each_s <= 2 * COMMIT_S
    assert portion.size >= min(COMMIT_S / each_s / 4, 1_000)


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
async def test_what_the_database_will_never_take_is_refused_alone(store_url: str, tmp_path: Path) -> None:
    letters = "".join(random.Random(1).choices(string.ascii_letters, k=20_000))
    with gateway(store_url, tmp_path) as made:
        pipeline = Pipeline(made.committer, lambda after: _nothing(), Clock(), LiveFeed(), Metrics())
        running = asyncio.create_task(pipeline.run())
        with pytest.raises(sa.exc.OperationalError, match="index row"):
            async with asyncio.timeout(20):
                await pipeline.submit(c.SetMeta(letters, 1))
        await pipeline.submit(c.SetMeta("after it", 1))
        await end(running)
        assert len(made.rows(schema.meta, key="after it")) == 1


async def _nothing() -> AsyncIterator[Batch]:
    await asyncio.Event().wait()
    yield Batch([], 0)


def test_a_timer_that_trips_a_fault_holds_up_nobody_elses(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gateway(store_url, tmp_path) as made:
        made.submit(c.Upsert("devices", ({**F1, "id": "f2"},), by="test"))
        for device in ("f1", "f2"):
            for minutes, celsius in ((0, -18), (5, -8)):
                at = T0 + timedelta(minutes=minutes)
                made.publish(f"devices/{device}/status", {"temperature": celsius, "ts": at.timestamp()}, at)
        tick = Turn.tick

        def broken(turn: Turn, item: Any) -> None:
            if item.device_id == "f1":
                raise ZeroDivisionError
            tick(turn, item)

        with monkeypatch.context() as patched:
            patched.setattr(Turn, "tick", broken)
            made.tick(15.1)
            assert [row["device_id"] for row in made.rows(schema.cases)] == ["f2"]
            assert made.committer.states.next_due() is None
        made.temperature(-7, 16)
        assert {row["device_id"] for row in made.rows(schema.cases)} == {"f1", "f2"}


def test_an_unknown_device_that_speaks_much_is_counted_in_full(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path) as made:
        made.deliver([said(n, b'{"a": 1}', "stranger") for n in range(1, 8)])
        made.deliver([said(8, b'{"a": 1}', "stranger")])
        assert [(row["id"], row["messages"]) for row in made.rows(schema.unknown_devices)] == [("stranger", 8)]
