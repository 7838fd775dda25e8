"""The simulated fleet on real brokers: wills, births, restarts, commands over MQTT."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gateway.clock import Clock
from gateway.ingest.broker import EmbeddedBroker
from simulator import Control, Scenario, TruthLog, run
from simulator.control import publish_command
from simulator.mqtt import Broker, BrokerRefusedError, BrokerUrlError, Traffic
from tests.mqtt_servers import Mosquitto, eventually
from tests.simulator.making import scenario

SPEED = 120.0


class Ear:
    """Hears everything on a broker; topics may be asked for while it listens."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.heard: list[tuple[str, bytes]] = []
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="ear")
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_message = lambda _c, _u, message: self.heard.append((message.topic, bytes(message.payload)))
        self._client.connect(parts.hostname or "", parts.port or 1883)
        self._client.loop_start()

    def last(self, topic: str) -> bytes | None:
        return next((payload for heard, payload in reversed(self.heard) if heard == topic), None)

    def statuses(self, device_id: str) -> list[dict[str, Any]]:
        return [json.loads(payload) for topic, payload in list(self.heard) if topic == f"devices/{device_id}/status"]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture
def ear(mosquitto: Mosquitto) -> Iterator[Ear]:
    listening = Ear(mosquitto.url)
    yield listening
    listening.close()


@asynccontextmanager
async def playing(url: str, control: Control, play: Scenario | None = None) -> AsyncIterator[asyncio.Task[Traffic]]:
    """Play the small scenario at ``SPEED``; cancelled at the end, and whatever it raised is raised."""
    clock = Clock.simulated(datetime(2026, 11, 24, 13, 30, tzinfo=UTC), SPEED)
    task = asyncio.create_task(run(play or scenario(), url, clock, 1, control, TruthLog()))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


async def test_all_products_of_the_demo_are_heard_on_the_embedded_broker(broker: EmbeddedBroker) -> None:
    ear, play = Ear(broker.addresses.mqtt_url), Scenario.load("demo")
    try:
        async with playing(broker.addresses.mqtt_url, Control(), play):
            users = {f"owntracks/{phone.customer}/phone" for phone in play.phones}
            native = {f"devices/{d.id}/status" for d in (*play.heat_pumps, *play.bikes)}
            others = {"tele/plug-katrin/SENSOR", "tele/plug-katrin/LWT", "zigbee2mqtt/sensor-torten"}
            wanted = users | native | others | {f"devices/freezer-{n:02}/lwt" for n in range(1, 22)}
            await eventually(lambda: wanted <= {topic for topic, _ in ear.heard}, "every product was heard", 40)
    finally:
        ear.close()


async def test_a_product_that_loses_power_is_reported_offline_by_its_will_and_comes_back(
    mosquitto: Mosquitto, ear: Ear
) -> None:
    control = Control()
    async with playing(mosquitto.url, control):
        await eventually(lambda: ear.last("devices/heatpump-01/lwt") == b"online", "the heat pump is online")
        await control.cut_power("lena-home")
        await eventually(lambda: ear.last("devices/heatpump-01/lwt") == b"offline", "its will was published")
        await eventually(lambda: ear.last("tele/plug-01/LWT") == b"Offline", "the plug's too")
        await eventually(
            lambda: ear.statuses("freezer-01")[-1]["mains_ok"] is False, "the freezer tells it on its battery"
        )
        assert ear.last("devices/freezer-01/lwt") == b"online"
        await control.restore_power("lena-home")
        await eventually(lambda: ear.last("devices/heatpump-01/lwt") == b"online", "it is back")


async def test_a_command_over_mqtt_acts_on_the_physics(mosquitto: Mosquitto, ear: Ear) -> None:
    async with playing(mosquitto.url, Control()):
        await eventually(lambda: ear.statuses("freezer-01"), "the freezer speaks")
        broker = Broker.at(mosquitto.url)
        # A fleet that has just connected may not have subscribed yet: the panel's button can be pressed again.
        while not any(status["door_open"] for status in ear.statuses("freezer-01")[-3:]):
            await publish_command(broker, {"command": "no such command"})
            await publish_command(broker, {"command": "leave_door_open", "device": "freezer-01"})
            await asyncio.sleep(0.05)
        await eventually(lambda: ear.statuses("freezer-01")[-1]["temperature"] > -10, "it warms up", 30)


async def test_a_fleet_survives_its_brokers_restart(mosquitto: Mosquitto, ear: Ear) -> None:
    async with playing(mosquitto.url, Control()) as task:
        await eventually(lambda: ear.statuses("freezer-02"), "the freezer speaks")
        mosquitto.stop(signal.SIGKILL)
        mosquitto.start()
        heard = len(ear.statuses("freezer-02"))
        await eventually(lambda: len(ear.statuses("freezer-02")) > heard + 1, "it speaks again", 40)
        assert not task.done()


async def test_a_fleet_waits_for_a_broker_that_is_not_there_yet(tmp_path: Path) -> None:
    mosquitto = Mosquitto(tmp_path)
    async with playing(mosquitto.url, Control()) as task:
        done, _ = await asyncio.wait([task], timeout=0.5)
        assert not done
        mosquitto.start()
        ear = Ear(mosquitto.url)
        try:
            await eventually(lambda: ear.statuses("freezer-01"), "what was remembered is told", 30)
        finally:
            ear.close()
    mosquitto.stop()


async def test_all_of_a_run_that_ends_was_acknowledged(mosquitto: Mosquitto, ear: Ear) -> None:
    clock, truth = Clock.simulated(datetime(2026, 11, 24, 13, 30, tzinfo=UTC), 300), TruthLog()
    until = clock.now() + timedelta(minutes=20)
    traffic = await run(scenario(), mosquitto.url, clock, 1, Control(), truth, until=until)
    assert traffic.published == traffic.acknowledged > 100
    assert traffic.dropped == 0
    await eventually(lambda: len(ear.heard) >= traffic.published, "all arrived")
    stamps = [datetime.fromisoformat(status["ts"]) for status in ear.statuses("freezer-01")]
    assert stamps == sorted(stamps)
    assert stamps[-1] <= until


async def test_wrong_credentials_end_it_with_the_brokers_words(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("fleet:$7$101$AAAA$AAAA\n", encoding="utf-8")
    with Mosquitto(tmp_path, listener_options=("allow_anonymous false", f"password_file {passwords}")) as mosquitto:
        clock = Clock.simulated(datetime(2026, 11, 24, 13, 30, tzinfo=UTC), SPEED)
        playing = run(scenario(), mosquitto.url, clock, 1, Control(), TruthLog(), "fleet", "wrong")
        with pytest.raises(BrokerRefusedError, match="not authorized"):
            async with asyncio.timeout(20):
                await playing


@pytest.mark.parametrize("url", ["http://127.0.0.1", "127.0.0.1:1883", "mqtt://", "mqtt://host:99999"])
def test_a_url_that_is_no_brokers_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(BrokerUrlError, match=r"mqtt://host:1883|65535"):
        Broker.at(url)


def test_a_password_is_not_shown() -> None:
    assert "hunter2" not in repr(Broker.at("mqtt://fleet:hunter2@127.0.0.1"))
