"""gateway/ingest/broker.py: the embedded broker as devices, kills and operators meet it."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import nats
import pytest
from nats.errors import Error as NatsError
from nats.js.api import DiscardPolicy, RetentionPolicy, StreamConfig
from structlog.testing import capture_logs

from device_models.event import Message
from gateway.ending import end as end_task
from gateway.ingest.broker import BrokerFailed, EmbeddedBroker
from gateway.ingest.child import FolderInUse, find_nats_server
from gateway.ingest.server_config import DeviceLogin, ListenRefused
from gateway.ingest.stream import Stream
from tests.mqtt_servers import Publisher, Subscriber, eventually, mosquitto_pub
from tests.system.raw_publisher import RawPublisher
from tests.system.test_relay import make_certificates


async def read(stream: Stream, count: int, after: int = 0) -> list[Message]:
    """Read ``count`` messages and whatever else has come until the log's end."""
    messages: list[Message] = []
    async with asyncio.timeout(20), aclosing(stream.batches(after, idle_s=0.1)) as batches:
        async for batch in batches:
            messages += batch.messages
            if len(messages) >= count and batch.at_end:
                break
    return messages


async def publish(broker: EmbeddedBroker, *arguments: str, payload: bytes | None = None) -> None:
    await asyncio.to_thread(mosquitto_pub, broker.addresses.mqtt_url, *arguments, payload=payload)


@pytest.mark.parametrize("qos", ["0", "1", "2"])
async def test_what_a_device_publishes_is_in_the_log_once_in_order_and_exact(
    broker: EmbeddedBroker, stream: Stream, qos: str
) -> None:
    sent = [
        ("devices/a/status", b'{"temperature": -18}'),
        ("/leading//empty/levels/", b"\0\xff\xfe\r\n"),
        ("dots.in/a..b/.", b""),
        ("wild*card/a>b", b"x"),
        ("grün/中/emoji🧊", "ünïcode".encode()),
        ("devices/big/status", os.urandom(256 * 1024)),
        ("$own/x", b"dollar"),
    ]
    for topic, payload in sent:
        await publish(broker, "-t", topic, "-q", qos, payload=payload)
    arrived = [(m.topic, m.payload) for m in await read(stream, len(sent))]
    # Each comes on a connection of its own, and without an acknowledgement the next does not wait for it.
    assert sorted(arrived) == sorted(sent) if qos == "0" else arrived == sent


async def test_qos_0_on_one_connection_keeps_its_order(broker: EmbeddedBroker, stream: Stream) -> None:
    lines = "".join(f"{number}\n" for number in range(5_000))
    command = ("mosquitto_pub", "-p", broker.addresses.mqtt_url.rpartition(":")[2], "-t", "devices/a/status", "-l")
    await asyncio.to_thread(subprocess.run, command, input=lines.encode(), check=True)
    assert [int(m.payload) for m in await read(stream, 5_000)] == list(range(5_000))
    assert broker.qos0_dropped == 0


async def test_a_last_will_is_in_the_log(broker: EmbeddedBroker, stream: Stream) -> None:
    host, _, port = broker.addresses.mqtt_url.removeprefix("mqtt://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    strings = (b"tracker", b"devices/a/lwt", b"offline")
    # CONNECT with clean session and a will of QoS 1, retained.
    body = b"\0\4MQTT\4\x2e\0\x3c" + b"".join(len(text).to_bytes(2, "big") + text for text in strings)
    writer.write(bytes((0x10, len(body))) + body)
    assert await reader.readexactly(4) == b"\x20\2\0\0"
    writer.transport.abort()
    assert [(m.topic, m.payload, m.retained) for m in await read(stream, 1)] == [("devices/a/lwt", b"offline", False)]


async def test_a_larger_payload_and_white_space_in_a_topic_are_refused_in_words(
    broker: EmbeddedBroker, stream: Stream
) -> None:
    with capture_logs() as logs:
        for arguments, payload in ((("-t", "white space"), b"x"), (("-t", "devices/a/status"), b"x" * 300_000)):
            with pytest.raises(subprocess.CalledProcessError):
                await publish(broker, *arguments, "-q", "1", "-i", "tracker-7", payload=payload)
        await publish(broker, "-t", "devices/a/status", "-q", "1", "-m", "next")
        refusals = [e for e in logs if e["event"].endswith("_refused")]
        await eventually(
            lambda: {"broker.topic_refused", "broker.payload_refused"} <= {e["event"] for e in logs}, "both are told"
        )
    assert all(e["client_id"] == "tracker-7" and e["mend"] for e in refusals)
    assert [m.payload for m in await read(stream, 1)] == [b"next"]


async def test_no_acknowledged_message_is_lost_when_the_broker_is_killed_while_devices_publish(
    broker: EmbeddedBroker, stream: Stream
) -> None:
    waves, size = 5, 2_000
    messages: list[Message] = []

    async def follow() -> None:
        async with aclosing(stream.batches(0, idle_s=0.1)) as batches:
            async for batch in batches:
                messages.extend(batch.messages)

    reader = asyncio.create_task(follow())
    publisher = await asyncio.to_thread(Publisher, broker.addresses.mqtt_url)
    try:
        for wave in range(waves):
            for number in range(wave * size, (wave + 1) * size):
                publisher.publish(number, f"devices/d{number % 9}/status", str(number).encode())
            under_way = wave * size + 200
            await eventually(lambda: len(publisher.acked) > under_way, "the device is heard")  # noqa: B023
            assert broker.pid is not None
            os.kill(broker.pid, signal.SIGKILL)
            restarts = wave + 1
            await eventually(lambda: broker.restarts == restarts, "the broker is restarted")  # noqa: B023
        await eventually(lambda: len(publisher.acked) == waves * size, "all are acknowledged")
        end = await stream.last_sequence()
        await eventually(lambda: messages and messages[-1].sequence == end, "the log is read to its end")
    finally:
        await end_task(reader)
        await asyncio.to_thread(publisher.close)
    assert reader.cancelled()
    assert [m.sequence for m in messages] == list(range(1, end + 1))
    assert {int(m.payload) for m in messages} == publisher.acked == set(range(waves * size))


async def test_a_full_log_withholds_the_acknowledgement_until_there_is_room(tmp_path: Path) -> None:
    async with (
        EmbeddedBroker(tmp_path, "127.0.0.1:0", log_bytes=500_000) as broker,
        await Stream.open(broker.addresses.nats_url, broker.log_settings) as stream,
    ):
        publisher = await asyncio.to_thread(Publisher, broker.addresses.mqtt_url)
        try:
            with capture_logs() as logs:
                for number in range(800):
                    publisher.publish(number, "devices/a/status", str(number).encode().ljust(1_000))
                await eventually(lambda: "broker.log_full" in [e["event"] for e in logs], "the operator is told")
            before = await read(stream, 1)
            assert len(before) < 800
            assert publisher.acked <= {int(m.payload) for m in before}
            await stream.forget(before[-1].sequence)
            await eventually(lambda: len(publisher.acked) == 800, "the device's retries are taken")
            after = await read(stream, 1, after=before[-1].sequence)
        finally:
            await asyncio.to_thread(publisher.close)
        assert {int(m.payload) for m in before + after} == set(range(800))


async def test_a_full_disk_loses_nothing_acknowledged_and_is_left_behind_once_there_is_room(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("a small disk is mounted by root alone")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", str(disk))
    await asyncio.to_thread(subprocess.run, mount, check=True)
    try:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(60 * 1024**2))
        async with (
            EmbeddedBroker(disk, "127.0.0.1:0") as broker,
            await Stream.open(broker.addresses.nats_url, broker.log_settings) as stream,
        ):
            publisher = await asyncio.to_thread(Publisher, broker.addresses.mqtt_url)
            try:
                with capture_logs() as logs:
                    for number in range(1_500):
                        publisher.publish(number, "devices/a/status", str(number).encode().ljust(20_000))
                    await eventually(lambda: "broker.disk_full" in [e["event"] for e in logs], "the operator is told")
                assert 0 < len(publisher.acked) < 1_500
                ballast.unlink()
                await eventually(lambda: len(publisher.acked) == 1_500, "all are taken in the end", within_s=30)
                messages = await read(stream, 1_500)
            finally:
                await asyncio.to_thread(publisher.close)
        assert {int(m.payload) for m in messages} == set(range(1_500))
    finally:
        await asyncio.to_thread(subprocess.run, ("umount", str(disk)), check=True)


async def test_a_restarted_child_keeps_its_addresses_and_its_log(broker: EmbeddedBroker, stream: Stream) -> None:
    await publish(broker, "-t", "a", "-m", "before", "-q", "1")
    addresses, pid = broker.addresses, broker.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: broker.restarts == 1, "it is restarted")
    assert broker.addresses == addresses
    assert broker.pid not in (None, pid)
    await publish(broker, "-t", "a", "-m", "after", "-q", "0")
    assert [m.payload for m in await read(stream, 2)] == [b"before", b"after"]


async def test_a_new_child_killed_with_its_first_puback_is_replaced_as_soon(broker: EmbeddedBroker) -> None:
    port = int(broker.addresses.mqtt_url.rpartition(":")[2])
    publisher = RawPublisher(port, "device")
    for _ in range(3):
        pid = broker.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        # The publisher connects as soon as there is a listener, before the gateway's own connections are back.
        message = ("devices/f1/status", b"{}")
        await asyncio.wait_for(asyncio.to_thread(publisher.publish, [message], lambda _: None), 15)
    publisher.close()
    assert publisher.acked == 3


async def test_a_stopped_broker_starts_again_on_what_it_has(tmp_path: Path) -> None:
    for number in range(1, 4):
        async with EmbeddedBroker(tmp_path, "127.0.0.1:0") as broker:
            pid = broker.pid
            await publish(broker, "-t", "a", "-m", str(number), "-q", "1")
            async with await Stream.open(broker.addresses.nats_url, broker.log_settings) as stream:
                assert len(await read(stream, number)) == number
        assert pid is not None
        assert not _runs(pid)
    assert (tmp_path / "broker" / "nats-server.conf").stat().st_mode & 0o077 == 0


KILLED_GATEWAY = """
import asyncio, pathlib, sys
from gateway.ending import end as end_of
from gateway.ingest.broker import EmbeddedBroker

async def main():
    broker = EmbeddedBroker(pathlib.Path(sys.argv[1]), "127.0.0.1:0")
    await broker.start()
    sys.stdout.write(f"pid {broker.pid}\\n")
    sys.stdout.flush()
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_killed_gateway_leaves_no_broker_behind_and_the_next_one_starts(tmp_path: Path) -> None:
    gateway = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED_GATEWAY, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert gateway.stdout is not None
    async with asyncio.timeout(20):
        while not (line := (await gateway.stdout.readline()).decode()).startswith("pid "):
            assert line, "the gateway did not start"
    pid = int(line.removeprefix("pid "))
    with pytest.raises(FolderInUse, match=f"process {gateway.pid}"):
        await EmbeddedBroker(tmp_path, "127.0.0.1:0").start()
    gateway.kill()
    await gateway.wait()
    async with EmbeddedBroker(tmp_path, "127.0.0.1:0") as broker:
        assert broker.pid not in (None, pid)
        await eventually(lambda: not _runs(pid), "the first gateway's broker is gone")


async def test_an_orphan_is_stopped_and_a_stranger_with_its_number_is_not(tmp_path: Path) -> None:
    async with EmbeddedBroker(tmp_path, "127.0.0.1:0"):
        pass
    folder = tmp_path / "broker"
    # As on a system without parent-death signals: nobody told it that its gateway was gone.
    orphan = await asyncio.create_subprocess_exec(
        find_nats_server(), "--config", str(folder / "nats-server.conf"), stderr=asyncio.subprocess.DEVNULL
    )
    pid_file = folder / "nats-server.pid"
    await eventually(lambda: pid_file.exists() and pid_file.read_text() == str(orphan.pid), "the orphan runs")
    async with EmbeddedBroker(tmp_path, "127.0.0.1:0") as broker:
        assert broker.pid != orphan.pid
        assert await orphan.wait() in (0, 1, -signal.SIGTERM)
    stranger = await asyncio.create_subprocess_exec("sleep", "60")
    pid_file.write_text(str(stranger.pid))
    async with EmbeddedBroker(tmp_path, "127.0.0.1:0"):
        assert stranger.returncode is None
    stranger.kill()
    await stranger.wait()


async def test_a_device_speaks_only_for_itself_and_reaches_nothing_of_ours(tmp_path: Path) -> None:
    logins = (DeviceLogin("d1", "p1", "d1"), DeviceLogin("hub", "$2a$04$notahash"), DeviceLogin("all", 'q"\\ü'))
    async with (
        EmbeddedBroker(tmp_path, "127.0.0.1:0", logins=logins) as broker,
        await Stream.open(broker.addresses.nats_url, broker.log_settings) as stream,
    ):
        own = ("-u", "d1", "-P", "p1", "-q", "1", "-m", "x")
        with capture_logs() as logs:
            for topic in ("devices/d2/status", "$JS/API/STREAM/DELETE/$MQTT_msgs", "$GW/relay/devices/d2/status"):
                await publish(broker, *own, "-t", topic)
            for wrong in (("-u", "d1", "-P", "p2"), ()):
                with pytest.raises(subprocess.CalledProcessError):
                    await publish(broker, *wrong, "-t", "devices/d1/status", "-m", "x", "-q", "1")
            await publish(broker, *own, "-t", "devices/d1/status")
            await publish(broker, "-u", "all", "-P", 'q"\\ü', "-t", "anything", "-m", "x", "-q", "0")
            messages = await read(stream, 2)
        assert [m.topic for m in messages] == ["devices/d1/status", "anything"]
        events = [entry["event"] for entry in logs]
        assert "broker.publish_refused" in events
        assert "broker.login_refused" in events
        assert "p1" not in [value for entry in logs for value in entry.values()]
        nats_url = broker.addresses.nats_url
        with pytest.raises(NatsError):
            await nats.connect("nats://d1:p1@" + nats_url.rpartition("@")[2], allow_reconnect=False)


@pytest.mark.parametrize(("topic_filter", "qos"), [("#", 0), ("#", 1), ("devices/+/status", 1)])
async def test_a_subscriber_gets_what_others_publish(broker: EmbeddedBroker, topic_filter: str, qos: int) -> None:
    subscriber = await asyncio.to_thread(Subscriber, broker.addresses.mqtt_url, topic_filter, qos)
    try:
        await publish(broker, "-t", "devices/a/status", "-m", "for all", "-q", str(qos))
        await eventually(lambda: subscriber.messages, "it is delivered")
        assert subscriber.messages == [("devices/a/status", b"for all")]
    finally:
        await asyncio.to_thread(subscriber.close)


async def test_tls_with_a_certificate_of_ones_own(tmp_path: Path) -> None:
    made = await asyncio.to_thread(make_certificates, tmp_path)
    async with (
        EmbeddedBroker(
            tmp_path / "data", "127.0.0.1:0", tls_cert=made["server.crt"], tls_key=made["server.key"]
        ) as broker,
        await Stream.open(broker.addresses.nats_url, broker.log_settings) as stream,
    ):
        assert broker.addresses.mqtt_url.startswith("mqtts://")
        url = broker.addresses.mqtt_url.replace("127.0.0.1", "localhost")
        options = ("-t", "a", "-m", "x", "-q", "1", "--cafile", str(made["ca.crt"]))
        await asyncio.to_thread(mosquitto_pub, url, *options)
        with pytest.raises(subprocess.CalledProcessError):
            await publish(broker, "-t", "a", "-m", "in the clear", "-q", "1")
        assert [m.payload for m in await read(stream, 1)] == [b"x"]


async def test_an_open_listener_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ListenRefused, match="can be reached from other machines"):
        EmbeddedBroker(tmp_path, "0.0.0.0:0")
    assert not (tmp_path / "broker").exists()


async def test_a_port_that_is_taken_is_said_and_nothing_is_left_running(broker: EmbeddedBroker, tmp_path: Path) -> None:
    taken = broker.addresses.mqtt_url.removeprefix("mqtt://")
    with pytest.raises(BrokerFailed, match="address already in use"):
        await EmbeddedBroker(tmp_path / "second", taken).start()
    async with EmbeddedBroker(tmp_path / "second", "127.0.0.1:0"):
        pass


async def test_a_log_that_keeps_nothing_is_mended(broker: EmbeddedBroker, stream: Stream) -> None:
    """nats-server makes ``$MQTT_msgs`` with interest retention where it finds none."""
    client = await nats.connect(broker.addresses.nats_url)
    theirs = StreamConfig(name="$MQTT_msgs", subjects=["$MQTT.msgs.>"], retention=RetentionPolicy.INTEREST)
    theirs.discard, theirs.max_bytes, theirs.allow_msg_ttl = DiscardPolicy.OLD, -1, True
    await client.jetstream().update_stream(theirs)
    await client.close()
    async with await Stream.open(broker.addresses.nats_url, broker.log_settings) as mended:
        await publish(broker, "-t", "a", "-m", "kept", "-q", "1")
        assert [m.payload for m in await read(mended, 1)] == [b"kept"]


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False
