"""gateway/ingest/connection.py: what a URL may show in logs and errors, and what headers say."""

import pytest

from gateway.ingest.connection import read_headers, redacted


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("nats://gateway:hush@127.0.0.1:4222", "nats://127.0.0.1:4222"),
        ("mqtts://user:p%40ss@broker.example.com", "mqtts://broker.example.com"),
        ("mqtt://token@[::1]:1883/path?password=hush", "mqtt://[::1]:1883/path"),
        ("mqtt://u:hush@host:99999", "mqtt://host"),
        ("tls://host:4222", "tls://host:4222"),
    ],
)
def test_a_url_is_shown_without_its_credentials(url: str, shown: str) -> None:
    assert redacted(url) == shown


@pytest.mark.parametrize(
    ("raw", "headers"),
    [
        (b"NATS/1.0\r\nNmqtt-Pub:2\r\nGateway-Topic: a%20b\r\n\r\n", {"Nmqtt-Pub": "2", "Gateway-Topic": "a%20b"}),
        (b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Stream: 7\r\n\r\n", {"Status": "100", "Nats-Last-Stream": "7"}),
        (b"NATS/1.0 404\r\n\r\n", {"Status": "404"}),
        (b"", {}),
    ],
)
def test_headers_and_the_status_before_them_are_read(raw: bytes, headers: dict[str, str]) -> None:
    assert read_headers(raw) == headers
