"""A command on its way to a device over a real broker, and the device's word that confirms it."""

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from device_models.profile import DeviceProfile
from gateway import commands as c
from gateway.clock import Clock
from gateway.commands import cases as w
from gateway.device_link import DeviceLink
from gateway.ingest.broker import EmbeddedBroker
from gateway.ingest.connection import NotPublished
from gateway.ingest.stream import Stream
from gateway.store.case_work import device_commands
from tests.gateway.making import FREEZER, Gateway, gateway
from tests.mqtt_servers import Subscriber, eventually

ALLOWED = {"defrost": {"title": {"en": "Defrost now"}, "payload": {"cmd": "defrost"}}}


class Submitting:
    """The pipeline's door, straight to the committer."""

    def __init__(self, running: Gateway) -> None:
        self._running = running

    async def submit(self, command: c.Command) -> object:
        """Commit one command."""
        return self._running.submit(command)


def rows(running: Gateway) -> Sequence[sa.RowMapping]:
    return running.rows(device_commands)


async def test_a_command_reaches_the_device_and_its_next_word_confirms_it(
    broker: EmbeddedBroker, stream: Stream, tmp_path: Path
) -> None:
    with gateway(f"sqlite:///{tmp_path / 'gateway.sqlite'}", tmp_path) as running:
        profile = DeviceProfile.model_validate(FREEZER.model_dump() | {"commands": ALLOWED})
        running.committer.profiles = {**running.committer.profiles, "freezer": profile}
        device = await asyncio.to_thread(Subscriber, broker.addresses.mqtt_url, "devices/f1/commands", 1)
        with contextlib.closing(device):
            link = DeviceLink(running.store, Submitting(running), Clock(), [_refuse, stream.tell])
            running.submit(w.SendDeviceCommand("f1", "defrost", "mia"))
            work = asyncio.create_task(link.run())
            await eventually(lambda: rows(running)[0]["state"] == "published", "the command to be published")
            await eventually(lambda: device.messages, "the device to hear it")
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
        assert device.messages == [("devices/f1/commands", b'{"cmd": "defrost"}')]
        running.temperature(-18, 5)
        assert rows(running)[0]["state"] == "confirmed"


async def _refuse(topic: str, payload: bytes) -> None:
    """A relayed broker that is away: the others are told all the same."""
    raise NotPublished("not connected")
