"""gateway/ingest/stream.py against a real nats-server."""

import asyncio
import os
import signal
import socket
import struct
import tracemalloc
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from device_models.event import Message
from gateway.ingest.broker import EmbeddedBroker
from gateway.ingest.connection import Unreachable, connect
from gateway.ingest.log_stream import LogRefused, LogSettings
from gateway.ingest.reader import OrderedReader
from gateway.ingest.stream import LogBehind, Stream
from gateway.ingest.writer import NotStored
from tests.mqtt_servers import mosquitto_pub


async def read(stream: Stream, after: int, count: int, max_messages: int = 500) -> list[Message]:
    """Read ``count`` messages, or as many as come before the test's patience ends."""
    messages: list[Message] = []
    async with asyncio.timeout(20), aclosing(stream.batches(after, max_messages, idle_s=0.2)) as batches:
        async for batch in batches:
            messages += batch.messages
            if len(messages) >= count:
                break
    return messages


async def write(stream: Stream, count: int, size: int = 20) -> None:
    """Put ``count`` numbered messages into the log and wait until all are on disk."""
    for start in range(0, count, 5_000):
        numbers = range(start, min(start + 5_000, count))
        sent = [await stream.publish(f"devices/d{n % 7}/status", str(n).encode().ljust(size)) for n in numbers]
        for future in sent:
            await stream.stored(future, 20)


async def test_messages_come_in_order_from_any_sequence_on(stream: Stream) -> None:
    await write(stream, 3_000)
    messages = await read(stream, 1_200, 1_800, max_messages=100)
    assert [m.sequence for m in messages] == list(range(1_201, 3_001))
    assert [int(m.payload) for m in messages] == list(range(1_200, 3_000))
    assert messages[0].topic == "devices/d3/status"
    age = datetime.now(UTC) - messages[0].received_at
    assert timedelta(0) <= age < timedelta(minutes=1)
    assert await stream.last_sequence() == 3_000


async def test_reading_ends_although_a_cancellation_was_lost_on_the_way(stream: Stream) -> None:
    async def follow() -> None:
        async with aclosing(stream.batches(0, idle_s=0.1)) as batches:
            async for _ in batches:
                following.cancel()
                # As nats-py does on Python 3.11 where the server's answer comes in the same moment.
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(0)

    following = asyncio.create_task(follow())
    await asyncio.wait({following}, timeout=20)
    assert following.cancelled()


async def test_the_end_is_told_with_the_last_message_and_while_idle(stream: Stream) -> None:
    await write(stream, 10)
    async with asyncio.timeout(20), aclosing(stream.batches(0, max_messages=4, idle_s=0.1)) as batches:
        ends = [(await anext(batches)) for _ in range(5)]
    assert [len(batch.messages) for batch in ends] == [4, 4, 2, 0, 0]
    assert [batch.at_end for batch in ends] == [False, False, True, True, True]
    assert [batch.last_sequence for batch in ends] == [4, 8, 10, 10, 10]


async def test_the_end_is_not_claimed_while_the_server_is_away(broker: EmbeddedBroker, stream: Stream) -> None:
    async with asyncio.timeout(20), aclosing(stream.batches(0, idle_s=0.1)) as batches:
        assert (await anext(batches)).at_end
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            away = await anext(batches)
            assert (away.messages, away.at_end) == ([], False)
        finally:
            os.kill(broker.pid, signal.SIGCONT)


async def test_a_kill_of_the_server_neither_skips_nor_repeats(broker: EmbeddedBroker, stream: Stream) -> None:
    await write(stream, 20_000)
    seen: list[int] = []
    kills = 0
    async with asyncio.timeout(30), aclosing(stream.batches(0, max_messages=200, idle_s=0.2)) as batches:
        async for batch in batches:
            seen += [message.sequence for message in batch.messages]
            if len(seen) > (kills + 1) * 5_000 and kills < 3 and broker.pid is not None:
                os.kill(broker.pid, signal.SIGKILL)
                kills += 1
            if len(seen) >= 20_000:
                break
    assert kills == 3
    assert seen == list(range(1, 20_001))


async def test_a_slow_reader_of_a_long_log_gets_all_in_bounded_memory(stream: Stream) -> None:
    count = 40_000
    await write(stream, count, size=200)
    seen = 0
    tracemalloc.start(1)
    try:
        async with asyncio.timeout(60), aclosing(stream.batches(0, max_messages=500)) as batches:
            async for batch in batches:
                assert [m.sequence for m in batch.messages] == list(range(seen + 1, seen + 1 + len(batch.messages)))
                seen += len(batch.messages)
                # A pipeline that commits: the loop turns while nothing is taken.
                await asyncio.sleep(0.001)
                if seen >= count:
                    break
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert seen == count
    assert peak_bytes < 16 * 1024**2


async def test_a_gateway_that_stood_still_goes_on_with_what_came_meanwhile(
    broker: EmbeddedBroker, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(stream, 300)
    client = await connect(broker.addresses.nats_url, "test")
    reader = OrderedReader(client, broker.log_settings.name, 0, max_messages=100)
    loop = asyncio.get_running_loop()
    clock, stood_still = loop.time, 0.0
    monkeypatch.setattr(loop, "time", lambda: clock() + stood_still)
    try:
        taken = (await reader.take(50, 20))[0]
        while len(taken) < 300:
            # Once all has come the server owes heartbeats, which a clock put forward does not bring.
            stood_still += 10 if len(taken) < 200 else 0
            taken += (await reader.take(50, 20))[0]
    finally:
        await reader.close()
        await client.close()
    assert [message.sequence for message in taken] == list(range(1, 301))
    assert reader.resets == 1


async def test_a_log_older_than_the_store_is_refused_and_can_be_mended(stream: Stream) -> None:
    await write(stream, 5)
    with pytest.raises(LogBehind, match="ends at 5, but the store has committed up to 40"):
        await anext(stream.batches(after=40))
    await stream.advance_to(40)
    await stream.stored(await stream.publish("devices/a/status", b"new"))
    assert [(m.sequence, m.payload) for m in await read(stream, 40, 1)] == [(41, b"new")]


async def test_what_is_forgotten_makes_room_and_is_told_to_a_reader_that_had_not_read_it(stream: Stream) -> None:
    await write(stream, 100)
    await stream.forget(60)
    with capture_logs() as logs:
        messages = await read(stream, 10, 40)
    assert [m.sequence for m in messages] == list(range(61, 101))
    assert [entry["missing"] for entry in logs if entry["event"] == "stream.gap"] == [50]
    await stream.forget(1_000)
    assert await stream.last_sequence() == 100
    async with aclosing(stream.batches(50, idle_s=0.1)) as batches:
        batch = await anext(batches)
    assert (batch.messages, batch.at_end) == ([], True)


async def test_a_message_id_is_stored_once(stream: Stream) -> None:
    answers = [await stream.stored(await stream.publish("a", b"x", message_id="m1")) for _ in range(2)]
    assert [answer.duplicate for answer in answers] == [False, True]
    assert await stream.last_sequence() == 1


async def test_a_full_log_refuses_and_warns_before(tmp_path: Path) -> None:
    async with (
        EmbeddedBroker(tmp_path, "127.0.0.1:0", log_bytes=1_000_000) as broker,
        await Stream.open(broker.addresses.nats_url, broker.log_settings) as stream,
    ):
        with capture_logs() as logs:
            with pytest.raises(NotStored, match="maximum bytes exceeded"):
                await write(stream, 2_000, size=1_000)
            await read(stream, 0, 1)
            async with aclosing(stream.batches(await stream.last_sequence(), idle_s=0.1)) as batches:
                await anext(batches)
        assert [entry["event"] for entry in logs].count("stream.nearly_full") == 1
        assert stream.usage is not None
        assert stream.usage.share > 0.95
        await stream.forget(await stream.last_sequence())
        await stream.stored(await stream.publish("a", b"room again"))


@pytest.mark.parametrize(
    "topic", ["white space", "tab\there", "a/*/b", ">", "/", "//a.b//", "vertical\vtab", "é 　/中", "x" * 9_000]
)
async def test_any_topic_goes_through_the_log_exactly(stream: Stream, topic: str) -> None:
    await stream.stored(await stream.publish(topic, b"\0\xff\r\n", retained=True))
    (message,) = await read(stream, 0, 1)
    assert (message.topic, message.payload, message.retained) == (topic, b"\0\xff\r\n", True)


async def test_no_topic_a_device_can_choose_stops_the_reader(broker: EmbeddedBroker, stream: Stream) -> None:
    topics = ["first", "vertical\vtab", "x" * 60_000, "a/*/b", ">", "ctrl\x01", "é/　", "last"]
    for qos in (0, 1):
        for topic in topics:
            await asyncio.to_thread(publish_raw, broker.addresses.mqtt_url, topic.encode(), qos)
    messages = await read(stream, 0, 2 * len(topics))
    assert sorted(m.topic for m in messages) == sorted(2 * topics)


async def test_a_server_that_is_not_there_is_an_error_without_the_password() -> None:
    with pytest.raises(Unreachable, match=r"nats://127.0.0.1:1") as caught:
        await Stream.open("nats://gateway:hush-hush@127.0.0.1:1", patience_s=0.3)
    assert "hush" not in str(caught.value)


async def test_a_second_log_on_the_same_subjects_is_refused(broker: EmbeddedBroker) -> None:
    with pytest.raises(LogRefused, match=r"stream GATEWAY: nats-server says: .*overlap"):
        await Stream.open(broker.addresses.nats_url, LogSettings(max_bytes=1_000_000))


async def test_a_retained_flag_is_the_relays_alone(broker: EmbeddedBroker, stream: Stream) -> None:
    # What a device publishes to be retained arrives live; only a broker's memory, relayed, is old.
    await asyncio.to_thread(mosquitto_pub, broker.addresses.mqtt_url, "-t", "devices/a/lwt", "-m", "online", "-r")
    assert [m.retained for m in await read(stream, 0, 1)] == [False]


def publish_raw(url: str, topic: bytes, qos: int) -> None:
    """Publish with bytes on a socket: client libraries refuse some topics that the protocol allows."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), 5) as connection:
        hello = b"\0\4MQTT\4\2\0\x3c\0\3raw"
        connection.sendall(b"\x10" + bytes([len(hello)]) + hello)
        assert connection.recv(4)[0] == 0x20
        body = struct.pack(">H", len(topic)) + topic + (b"\0\1" if qos else b"") + b"payload"
        length, size = b"", len(body)
        while size >= 128:
            length += bytes([size % 128 | 128])
            size //= 128
        connection.sendall(bytes([0x30 | qos << 1]) + length + bytes([size]) + body)
        if qos:
            assert connection.recv(4)[0] == 0x40
        connection.sendall(b"\xe0\0")
        assert connection.recv(1) == b""
