"""Real servers for the system tests."""

from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.async_api import Browser

from gateway.ingest.broker import EmbeddedBroker
from gateway.ingest.stream import Stream
from tests.mqtt_servers import Mosquitto
from tests.system.desk import Opening, open_desk


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    """The embedded broker, started, on free ports."""
    async with EmbeddedBroker(tmp_path, "127.0.0.1:0") as started:
        yield started


@pytest.fixture
async def stream(broker: EmbeddedBroker) -> AsyncIterator[Stream]:
    """The embedded broker's log."""
    async with await Stream.open(broker.addresses.nats_url, broker.log_settings) as opened:
        yield opened


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A mosquitto with persistence, started."""
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    with Mosquitto(folder) as started:
        yield started


@pytest.fixture
def desk(browser: Browser, tmp_path: Path) -> Opening:
    """A town's desk, to be opened."""
    return partial(open_desk, browser, tmp_path)
