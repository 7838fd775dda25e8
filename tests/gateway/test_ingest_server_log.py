"""gateway/ingest/server_log.py: nats-server's lines as events."""

import pytest

from gateway.ingest.server_log import Repeats, ServerEvent, read_line

STAMP = "[4711] 2026/11/23 06:38:52.200037"


@pytest.mark.parametrize(
    ("line", "name", "fields"),
    [
        (
            '[ERR] 10.0.0.5:59516 - mid:32 - "tracker 7" - character not supported for MQTT topics',
            "broker.topic_refused",
            {"client_id": "tracker 7", "reason": "character not supported for MQTT topics"},
        ),
        (
            '[ERR] 10.0.0.5:59568 - mid:37 - "d1" - Publish Violation - Subject "devices.d2.a//b"',
            "broker.publish_refused",
            {"client_id": "d1", "topic": "devices/d2/a.b"},
        ),
        (
            '[ERR] 10.0.0.5:1 - mid:3 - "sub1" - Subscription Violation - Subject "$GW.>", SID "x"',
            "broker.subscribe_refused",
            {"topic_filter": "$GW/#"},
        ),
        (
            '[ERR] 10.0.0.5:59598 - mid:39 - "x" - unable to connect: authentication error',
            "broker.login_refused",
            {"client_id": "x"},
        ),
        (
            '[ERR] 10.0.0.5:9 - mid:40 - "x" - maximum payload exceeded: 270000 vs 263168',
            "broker.payload_refused",
            {"bytes": "270000", "limit_bytes": "263168"},
        ),
        ('[ERR] 10.0.0.5:9 - mid:43 - "" - unacceptable protocol version of 5', "broker.protocol_refused", {}),
        (
            '[ERR] 10.0.0.5:9 - mid:15 - "dev1" - JetStream failed a QoS1/2 operation: maximum bytes exceeded (10077)',
            "broker.log_full",
            {"client_id": "dev1"},
        ),
        ("[FTL] Can't start: listen tcp 127.0.0.1:1883: bind: address already in use", "broker.output", {}),
    ],
)
def test_a_line_becomes_an_event_without_the_devices_address(line: str, name: str, fields: dict[str, str]) -> None:
    event = read_line(f"{STAMP} {line}\n")
    assert event is not None
    assert event.name == name
    assert dict(event.fields).items() >= fields.items()
    assert "10.0.0.5" not in str(event.fields)


@pytest.mark.parametrize("line", [f"{STAMP} [INF] Server is ready", f"{STAMP} [INF] ", f"{STAMP} [INF]", "", "\n"])
def test_a_line_that_needs_nobody_is_left_out(line: str) -> None:
    assert read_line(line) is None


def test_what_is_no_log_line_is_shown_as_it_is() -> None:
    assert read_line("panic: out of memory") == ServerEvent(
        "broker.output", "warning", {"text": "panic: out of memory"}
    )


def test_a_device_that_repeats_itself_is_told_of_once_a_minute_with_a_count() -> None:
    at = [0.0]
    repeats = Repeats(60.0, lambda: at[0])
    one = ServerEvent("broker.topic_refused", "warning", {"client_id": "a"})
    other = ServerEvent("broker.topic_refused", "warning", {"client_id": "b"})
    assert repeats.admit(one) == 0
    assert repeats.admit(other) == 0
    for at[0] in (1.0, 30.0, 59.0):
        assert repeats.admit(one) is None
    at[0] = 61.0
    assert repeats.admit(one) == 3
    assert repeats.admit(other) == 0


def test_clients_that_invent_names_fill_neither_memory_nor_log() -> None:
    repeats = Repeats(60.0, lambda: 0.0)
    admitted = [repeats.admit(ServerEvent("e", "warning", {"client_id": str(n)})) for n in range(5_000)]
    assert admitted.count(0) == 1_000
