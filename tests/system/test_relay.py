"""gateway/ingest/relay.py between a real mosquitto (or a real MQTT 3.1.1 broker) and the real log."""

import asyncio
import json
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from device_models.event import Message
from gateway.ingest.broker import EmbeddedBroker
from gateway.ingest.relay import Relay
from gateway.ingest.relay_settings import RelayRefused, RelaySettings
from gateway.ingest.stream import Stream
from tests.mqtt_servers import Mosquitto, Publisher, eventually, mosquitto_pub
from tests.servers import require

ALL = ("devices/#",)


@asynccontextmanager
async def relaying(
    settings: RelaySettings, stream: Stream, identify: Callable[[str, bytes], str | None] | None = None
) -> AsyncIterator[Relay]:
    """Run a relay; it is connected and subscribed within, and asked to leave in the end."""
    relay = Relay(settings, stream, identify=identify)
    task = asyncio.create_task(relay.run())
    try:
        await eventually(lambda: relay.status.connected_since, "the relay is connected")
        yield relay
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled(), task.exception()


async def read(stream: Stream, count: int, after: int = 0) -> list[Message]:
    """Read ``count`` messages and whatever else has come until the log's end."""
    messages: list[Message] = []
    async with asyncio.timeout(20), aclosing(stream.batches(after, idle_s=0.2)) as batches:
        async for batch in batches:
            messages += batch.messages
            if len(messages) >= count and batch.at_end:
                break
    return messages


async def publish(url: str, *arguments: str, payload: bytes | None = None) -> None:
    await asyncio.to_thread(mosquitto_pub, url, *arguments, payload=payload)


async def test_messages_arrive_exactly_by_mqtt_5(mosquitto: Mosquitto, stream: Stream) -> None:
    sent = [
        ("devices/a/status", b"text"),
        ("devices/white space/status", b"\0\xff\r\n\x80"),
        ("devices//a.b//", b""),
        ("devices/grün/中", b"x" * 256 * 1024),
    ]
    async with relaying(RelaySettings(mosquitto.url, ALL), stream) as relay:
        for topic, payload in sent:
            await publish(mosquitto.url, "-t", topic, "-q", "1", payload=payload)
        messages = await read(stream, len(sent))
        await eventually(lambda: relay.status.acknowledged == len(sent), "all are acknowledged")
        assert relay.status.protocol == "MQTT 5"
    assert [(m.topic, m.payload) for m in messages] == sent
    assert not any(m.retained for m in messages)


async def test_a_broker_that_knows_no_mqtt_5_is_spoken_to_in_mqtt_3_1_1(tmp_path: Path, stream: Stream) -> None:
    async with EmbeddedBroker(tmp_path / "theirs", "127.0.0.1:0") as theirs:
        async with relaying(RelaySettings(theirs.addresses.mqtt_url, ALL), stream) as relay:
            assert relay.status.protocol == "MQTT 3.1.1"
            await publish(theirs.addresses.mqtt_url, "-t", "devices/a/status", "-m", "1", "-q", "1")
            assert [m.payload for m in await read(stream, 1)] == [b"1"]
        # The session outlives the connection: what is published meanwhile is waiting.
        await publish(theirs.addresses.mqtt_url, "-t", "devices/a/status", "-m", "2", "-q", "1")
        async with relaying(RelaySettings(theirs.addresses.mqtt_url, ALL), stream):
            assert [m.payload for m in await read(stream, 1, after=1)] == [b"2"]


async def test_a_payload_the_log_cannot_take_is_refused_and_the_next_goes_on(
    mosquitto: Mosquitto, stream: Stream
) -> None:
    async with relaying(RelaySettings(mosquitto.url, ALL), stream) as relay:
        with capture_logs() as logs:
            await publish(mosquitto.url, "-t", "devices/a/status", "-q", "1", payload=b"x" * 300_000)
            await publish(mosquitto.url, "-t", "devices/a/status", "-q", "1", "-m", "next")
            assert [m.payload for m in await read(stream, 1)] == [b"next"]
        assert relay.status.refused == 1
    assert [entry["event"] for entry in logs if entry["event"].endswith("refused")] == ["relay.payload_refused"]


async def test_retained_messages_are_marked_and_live_ones_are_not(mosquitto: Mosquitto, stream: Stream) -> None:
    await publish(mosquitto.url, "-t", "devices/a/lwt", "-m", "offline", "-q", "1", "-r")
    async with relaying(RelaySettings(mosquitto.url, ALL), stream):
        await publish(mosquitto.url, "-t", "devices/a/lwt", "-m", "online", "-q", "1", "-r")
        messages = await read(stream, 2)
    assert [(m.payload, m.retained) for m in messages] == [(b"offline", True), (b"online", False)]


async def test_overlapping_filters_bring_a_message_once_and_no_other(mosquitto: Mosquitto, stream: Stream) -> None:
    others = tuple(f"other/{number}/#" for number in range(30))
    settings = RelaySettings(mosquitto.url, (*others, "devices/+/status", "devices/a/+", "devices/a/status"))
    async with relaying(settings, stream):
        for topic in ("devices/a/status", "devices/b/other", "devices/a/location"):
            await publish(mosquitto.url, "-t", topic, "-m", "x", "-q", "1")
        messages = await read(stream, 2)
    assert [m.topic for m in messages] == ["devices/a/status", "devices/a/location"]


async def test_a_stamped_message_is_stored_once_however_often_it_comes(mosquitto: Mosquitto, stream: Stream) -> None:
    def identify(topic: str, payload: bytes) -> str | None:
        said = json.loads(payload)
        return f"{topic} {said['ts']}" if "ts" in said else None

    stamped, unstamped = b'{"ts": 1, "v": 2}', b'{"v": 2}'
    async with relaying(RelaySettings(mosquitto.url, ALL), stream, identify) as relay:
        for payload in (stamped, unstamped, stamped, unstamped):
            await publish(mosquitto.url, "-t", "devices/a/status", "-q", "1", payload=payload)
        messages = await read(stream, 3)
        assert (relay.status.stored, relay.status.duplicates, relay.status.acknowledged) == (3, 1, 4)
    assert [m.payload for m in messages] == [stamped, unstamped, unstamped]


async def test_a_restart_of_the_broker_loses_nothing_it_acknowledged(mosquitto: Mosquitto, stream: Stream) -> None:
    async with relaying(RelaySettings(mosquitto.url, ALL), stream) as relay:
        publisher = await asyncio.to_thread(Publisher, mosquitto.url)
        try:
            for number in range(6_000):
                publisher.publish(number, f"devices/d{number % 5}/status", str(number).encode())
                if number in (2_000, 4_000):
                    met = number // 2_000
                    await eventually(lambda: relay.status.connections == met, "the relay is at work")  # noqa: B023
                    await eventually(lambda: relay.status.stored > 100 * met, "messages flow")  # noqa: B023
                    await asyncio.to_thread(mosquitto.stop)
                    await asyncio.to_thread(mosquitto.start)
            await eventually(lambda: len(publisher.acked) == 6_000, "all are acknowledged")
            await eventually(
                lambda: relay.status.stored >= 6_000 and relay.status.backlog == 0, "the relay has them all"
            )
        finally:
            await asyncio.to_thread(publisher.close)
        assert relay.status.connections >= 3
        assert relay.status.sessions_lost == 0
    numbers = {int(m.payload) for m in await read(stream, relay.status.stored)}
    assert numbers >= publisher.acked == set(range(6_000))


async def test_an_acknowledgement_for_an_earlier_connection_takes_no_other_message(
    broker: EmbeddedBroker, mosquitto: Mosquitto, stream: Stream
) -> None:
    """The broker numbers messages anew after its restart: a late PUBACK 1 would take away another message 1."""
    async with relaying(RelaySettings(mosquitto.url, ALL), stream) as relay:
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            for number in range(30):
                await publish(mosquitto.url, "-t", "devices/a/status", "-m", f"early {number}", "-q", "1")
            await eventually(lambda: relay.status.received == 30, "the relay holds what the log has not")
            await asyncio.to_thread(mosquitto.stop)
            await asyncio.to_thread(mosquitto.start)
            await eventually(lambda: relay.status.connections == 2, "the relay is connected again")
            for number in range(30):
                await publish(mosquitto.url, "-t", "devices/a/status", "-m", f"late {number}", "-q", "1")
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        await eventually(lambda: relay.status.acknowledged >= 60, "all are acknowledged")
        assert relay.status.stale_acks == 30
        assert relay.status.duplicates == 30
        payloads = [m.payload.decode() for m in await read(stream, 60)]
    assert payloads == [f"early {n}" for n in range(30)] + [f"late {n}" for n in range(30)]


async def test_a_log_that_is_away_stops_the_relay_from_reading_and_loses_nothing(
    broker: EmbeddedBroker, mosquitto: Mosquitto, stream: Stream
) -> None:
    async with relaying(RelaySettings(mosquitto.url, ALL, buffer_bytes=200_000), stream) as relay:
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            publisher = await asyncio.to_thread(Publisher, mosquitto.url)
            for number in range(1_000):
                publisher.publish(number, "devices/a/status", str(number).encode().ljust(5_000))
            await eventually(lambda: len(publisher.acked) == 1_000, "the broker has them")
            await eventually(lambda: relay.status.paused, "the relay is paused")
            await asyncio.to_thread(publisher.close)
            assert relay.status.backlog < 60
            assert relay.status.acknowledged == 0
        finally:
            # Killed rather than woken: its supervisor starts another, and the log is there again.
            os.kill(broker.pid, signal.SIGKILL)
        messages = await read(stream, 1_000)
        await eventually(lambda: relay.status.acknowledged == 1_000, "all are acknowledged")
        assert not relay.status.paused
    assert [int(m.payload) for m in messages] == list(range(1_000))


async def test_tls_with_an_own_authority_and_a_client_certificate(tmp_path: Path, stream: Stream) -> None:
    certificates = await asyncio.to_thread(make_certificates, tmp_path)
    listener = [
        f"cafile {certificates['ca.crt']}",
        f"certfile {certificates['server.crt']}",
        f"keyfile {certificates['server.key']}",
        "require_certificate true",
    ]
    with Mosquitto(tmp_path, listener_options=listener) as theirs:
        url = f"mqtts://localhost:{theirs.port}"
        own = RelaySettings(
            url, ALL, ca=certificates["ca.crt"], cert=certificates["client.crt"], key=certificates["client.key"]
        )
        async with relaying(own, stream):
            options = ("--cafile", str(own.ca), "--cert", str(own.cert), "--key", str(own.key))
            for number in range(20):
                # Two at a time, so that a TLS record may hold several packets.
                arguments = ("-t", "devices/a/status", "-m", str(number), "-q", "1", "--repeat", "2", *options)
                await publish(f"mqtts://localhost:{theirs.port}", *arguments)
            assert len(await read(stream, 40)) == 40
        for wrong, reason in (
            (RelaySettings(url, ALL, cert=own.cert, key=own.key), "certificate is not trusted: self"),
            (RelaySettings(url, ALL, ca=own.ca), "(?i)certificate required|handshake|closed"),
            (RelaySettings(f"mqtts://127.0.0.1:{theirs.port}", ALL, ca=own.ca), "not trusted: IP address mismatch"),
        ):
            await assert_keeps_trying(Relay(wrong, stream), reason)


async def test_wrong_credentials_are_said_without_the_password_and_tried_again(tmp_path: Path, stream: Stream) -> None:
    passwords = tmp_path / "passwords"
    program = require("mosquitto_passwd", "mosquitto")
    await asyncio.to_thread(subprocess.run, [program, "-b", "-c", str(passwords), "relay", "right"], check=True)
    passwords.chmod(0o644)
    with Mosquitto(tmp_path, [f"password_file {passwords}"], ["allow_anonymous false"]) as theirs:
        with_login = theirs.url.replace("//", "//relay:wrong-one@")
        with capture_logs() as logs:
            await assert_keeps_trying(Relay(RelaySettings(with_login, ALL), stream), "(?i)not authori[sz]ed|password")
        assert "wrong-one" not in str(logs)
        right = RelaySettings(theirs.url, ALL, username="relay", password="right")
        assert "right" not in repr(right)
        async with relaying(right, stream):
            pass


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (RelaySettings("http://host"), "not of the form"),
        (RelaySettings("mqtt://user:hush@host:99999"), "relay.url"),
        (RelaySettings("mqtt://host", ("a/#/b",)), "relay.topics"),
        (RelaySettings("mqtt://host", ("$share/g/a",)), "shared subscription"),
        (RelaySettings("mqtts://host", ca=Path("nowhere.pem")), "relay.ca: there is no file nowhere.pem"),
        (RelaySettings("mqtts://host", cert=Path("c.pem")), "belong together"),
        (RelaySettings("mqtt://host", client_id=""), "relay.client_id"),
    ],
)
async def test_settings_that_cannot_work_are_refused_at_once(
    stream: Stream, settings: RelaySettings, reason: str
) -> None:
    with pytest.raises(RelayRefused, match=reason) as caught:
        Relay(settings, stream)
    assert "hush" not in str(caught.value)


async def assert_keeps_trying(relay: Relay, reason: str) -> None:
    """Run a relay that cannot connect: it says why, more than once, and never ends."""
    task = asyncio.create_task(relay.run())
    with capture_logs() as logs:
        attempts = "relay.not_connected"
        await eventually(lambda: [entry["event"] for entry in logs].count(attempts) >= 2, "it tries again")
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])
    assert relay.status.last_error is not None
    assert re.search(reason, relay.status.last_error), relay.status.last_error


def make_certificates(folder: Path) -> dict[str, Path]:
    """Make an authority, a server's certificate for localhost and a client's, by the openssl command."""
    openssl = require("openssl", "openssl")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=Test CA", "-days", "2")
    for name, subject in (("server", "/CN=localhost"), ("client", "/CN=relay")):
        run("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
        (folder / "names").write_text("subjectAltName=DNS:localhost\n", encoding="utf-8")
        signing = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
        run("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.crt", *signing)
    return {name: folder / name for name in ("ca.crt", "server.crt", "server.key", "client.crt", "client.key")}
