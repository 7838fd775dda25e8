"""gateway/ingest/connection.py: what a URL may show in logs and errors."""

import pytest

from gateway.ingest.connection import redacted


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
