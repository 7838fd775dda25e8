"""SIGKILL at random moments of the whole way, from PUBACK to mail: nothing acknowledged is lost, nothing is doubled.

Each device counts: its messages carry n = 0, 1, 2, …, stamped by its own clock, and a shadow rule changes its state
with every one of them. The table of transitions is so a ledger with one line for each message that had its effect.
"""

import asyncio
import itertools
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.mqtt_servers import Mosquitto
from tests.system.gateway_process import GatewayProcess, MailServer, wait_for
from tests.system.raw_publisher import RawPublisher

RULES = """
rules:
  - id: ledger
    kind: condition
    profile: counter
    mode: shadow
    when: odd
  - id: too-hot
    kind: condition
    profile: counter
    when: celsius > 80
    clear_when: celsius < 60
    title: {en: "is too hot"}
"""
PROFILE = """
name: counter
title: {en: counter}
reporting_interval: 10m
fields:
  celsius: {title: {en: Temperature}, unit: Cel}
  odd: {title: {en: Odd}}
"""
EXTRA = '[profiles]\npaths = ["counter.yaml"]\n'
SEED = 20260302
AHEAD = 1000
"""How many messages may be published beyond the moment of a fault before it is over."""


@dataclass
class Fleet:
    """``devices`` that say ``each`` messages; every fifth overheats, every tenth recovers as well."""

    devices: int
    each: int
    first_at: float = field(default_factory=lambda: time.time() - 3600)

    @property
    def size(self) -> int:
        return self.devices * self.each

    @property
    def hot(self) -> list[int]:
        return [d for d in range(self.devices) if d % 5 == 0]

    @property
    def recovered(self) -> list[int]:
        return [d for d in range(self.devices) if d % 10 == 0]

    def message(self, number: int) -> tuple[str, bytes]:
        """The ``number``-th message: its topic and payload. Devices take turns, each in the order of its own count."""
        n, device = divmod(number, self.devices)
        celsius = 20.0
        if device in self.hot and n >= self.each // 4:
            celsius = 95.0
        if device in self.recovered and n >= self.each * 3 // 4:
            celsius = 30.0
        payload = {"n": n, "odd": n % 2 == 1, "celsius": celsius, "ts": self.stamp(n)}
        return f"devices/{self.name(device)}/status", json.dumps(payload).encode()

    def stamp(self, n: int) -> float:
        """Epoch seconds of a device's ``n``-th message; exact in binary, so that it reads back the same."""
        return round(self.first_at) + n * 0.5

    def number_at(self, at: str) -> float:
        """Which message was stamped ``at``, as SQLite keeps it."""
        return (datetime.fromisoformat(f"{at}+00:00").timestamp() - self.stamp(0)) * 2

    def name(self, device: int) -> str:
        return f"counter-{device:03}"

    def register(self, gateway: GatewayProcess) -> None:
        people = [{"id": f"c{d}", "name": f"Customer {d}", "email": f"c{d}@example.com"} for d in range(self.devices)]
        devices = [{"id": self.name(d), "profile": "counter", "customer_id": f"c{d}"} for d in range(self.devices)]
        gateway.register(customers=people, devices=devices)


Fault = Callable[[GatewayProcess], None]


def publish_with_faults(
    gateway: GatewayProcess, port: int, fleet: Fleet, faults: Sequence[Fault], chance: random.Random
) -> int:
    """Publish what the fleet says while ``faults`` happen at random moments of it; return how many were sent twice.

    The publisher runs on a thread of its own, so that a fault meets it wherever it is. A device's messages go through
    one client, which keeps them in order.
    """
    publisher = RawPublisher(port, "fleet")
    progress = [0]
    moments = sorted(chance.sample(range(fleet.size * 19 // 20), len(faults)))
    happened = [threading.Event() for _ in faults]

    def note(acked: int) -> None:
        progress[0] = acked

    def messages() -> Iterator[tuple[str, bytes]]:
        ahead = [(moment + AHEAD, over) for moment, over in zip(moments, happened, strict=True)]
        for number in range(fleet.size):
            # A broker that is not hit would take everything while the gateway restarts: leave some for later faults.
            while ahead and number >= ahead[0][0]:
                ahead.pop(0)[1].wait(timeout=60)
            yield fleet.message(number)

    def reached(moment: int) -> bool:
        return progress[0] >= moment or done.done()

    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(publisher.publish, messages(), note)
        try:
            for moment, happen, over in zip(moments, faults, happened, strict=True):
                wait_for(partial(reached, moment), f"{moment} messages to be acknowledged")
                assert not done.done(), done.exception()
                happen(gateway)
                over.set()
            done.result(timeout=60)
        finally:
            for over in happened:
                over.set()
    publisher.close()
    assert publisher.acked == fleet.size
    return publisher.resent


def kill_broker(gateway: GatewayProcess) -> None:
    """SIGKILL to the child alone; where it is just being restarted, to the next one."""

    def killed() -> bool:
        try:
            os.kill(broker_pid(gateway), signal.SIGKILL)
        except (ProcessLookupError, FileNotFoundError, ValueError):
            return False
        return True

    wait_for(killed, "a broker to kill")


def broker_pid(gateway: GatewayProcess) -> int:
    return int((gateway.folder / "data/broker/nats-server.pid").read_text(encoding="ascii"))


def kill_gateway(gateway: GatewayProcess) -> None:
    """SIGKILL to the gateway; the kernel tells its child to end in order."""
    gateway.kill()
    gateway.start()


def kill_both(gateway: GatewayProcess) -> None:
    """SIGKILL to both at one instant, as a power cut does to processes."""
    child = broker_pid(gateway)
    gateway.kill()
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    gateway.start()


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


def prepare(folder: Path, mail: MailServer, extra: str = "") -> GatewayProcess:
    (folder / "counter.yaml").write_text(PROFILE, encoding="utf-8")
    return GatewayProcess(folder, mail, RULES, EXTRA + extra)


def assert_nothing_lost_and_nothing_doubled(gateway: GatewayProcess, mail: MailServer, fleet: Fleet) -> None:
    """Compare store and mailboxes with what the fleet said."""
    lines = gateway.rows("SELECT device_id, at FROM transitions WHERE rule = 'ledger' AND NOT on_arrival")
    effects = Counter((line["device_id"], fleet.number_at(line["at"])) for line in lines)
    # A device's first message leaves the rule inactive. Without it the second would be "found on arrival".
    expected = {(fleet.name(d), n) for d in range(fleet.devices) for n in range(1, fleet.each)}
    assert expected - effects.keys() == set()
    assert effects.keys() - expected == set()
    assert [entry for entry, count in effects.items() if count > 1] == []
    heard = gateway.rows("SELECT count(*) AS n FROM device_states")
    assert heard == [{"n": fleet.devices}]

    cases = Counter((row["device_id"], row["state"]) for row in gateway.rows("SELECT device_id, state FROM cases"))
    assert cases == Counter((fleet.name(d), "resolved" if d in fleet.recovered else "open") for d in fleet.hot)

    opened = gateway.rows("SELECT * FROM notifications WHERE template = 'fault_opened'")
    assert Counter(row["device_id"] for row in opened) == Counter(fleet.name(d) for d in fleet.hot)
    messages = gateway.rows("SELECT * FROM notifications")
    assert_each_mail_at_most_once(mail, messages)


def assert_each_mail_at_most_once(mail: MailServer, messages: list[dict[str, Any]]) -> None:
    """One mail for each message that was accepted, one or none for each that is unknown, none for any other."""
    assert {row["state"] for row in messages} <= {"accepted", "unknown", "cancelled"}
    arrived = Counter((message["To"], message["Message-ID"]) for message in mail.mails)
    assert [key for key, count in arrived.items() if count > 1] == []
    mails = Counter(str(message["To"]) for message in mail.mails)
    for address, rows in itertools.groupby(sorted(messages, key=lambda r: r["address"]), key=lambda r: r["address"]):
        states = Counter(row["state"] for row in rows)
        assert states["accepted"] <= mails[address] <= states["accepted"] + states["unknown"], address
    assert mails.keys() <= {row["address"] for row in messages}


def settle(gateway: GatewayProcess, fleet: Fleet) -> None:
    """Wait until all that was acknowledged is committed and all that was decided to be said is said."""
    lines = fleet.devices * (fleet.each - 1)
    count = "SELECT count(*) AS n FROM transitions WHERE rule = 'ledger'"
    wait_for(lambda: gateway.rows(count)[0]["n"] >= lines, "every message to have its effect", within_s=60)
    waiting = "SELECT 1 FROM notifications WHERE state IN ('queued', 'handed_over')"
    wait_for(lambda: not gateway.rows(waiting), "the outbox to be empty")


def test_no_acknowledged_message_is_lost_and_nothing_doubled_over_random_kills(
    tmp_path: Path, mail: MailServer
) -> None:
    fleet, chance = Fleet(devices=200, each=100), random.Random(SEED)
    faults = [kill_broker, kill_gateway, kill_broker, kill_both] * 2
    chance.shuffle(faults)
    with prepare(tmp_path, mail) as gateway:
        fleet.register(gateway)
        resent = publish_with_faults(gateway, gateway.mqtt_port, fleet, faults, chance)
        assert resent, "no kill met a message in flight: there is nothing shown"
        settle(gateway, fleet)
        assert_nothing_lost_and_nothing_doubled(gateway, mail, fleet)


def test_a_customers_broker_restarted_and_the_gateway_killed_lose_and_double_nothing(
    tmp_path: Path, mail: MailServer, mosquitto: Mosquitto
) -> None:
    """Mosquitto is stopped in order: its SIGKILL loses messages in flight whatever it is told (docs/reliability.md)."""
    fleet, chance = Fleet(devices=40, each=100), random.Random(SEED)
    relay = f'[[relay]]\nurl = "{mosquitto.url}"\nclient_id = "relay"\ntopics = ["devices/#"]'

    def restart_mosquitto(_: GatewayProcess) -> None:
        mosquitto.stop()
        mosquitto.start()

    faults = [restart_mosquitto, kill_both, restart_mosquitto]
    with prepare(tmp_path, mail, relay) as gateway:
        fleet.register(gateway)
        wait_for(lambda: gateway.api("/api/status")["relay"]["ok"], "the relay to connect")
        publish_with_faults(gateway, mosquitto.port, fleet, faults, chance)
        settle(gateway, fleet)
        assert_nothing_lost_and_nothing_doubled(gateway, mail, fleet)


class SlowMailServer(MailServer):
    """Takes a mail in and does not say so."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[str] = []
        """``Message-ID`` of each mail whose last line came, answered or not."""
        self.answers = threading.Event()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        assert isinstance(envelope.content, bytes)
        self.taken.append(message_from_bytes(envelope.content)["Message-ID"])
        await asyncio.to_thread(self.answers.wait, 60)
        return await super().handle_DATA(server, session, envelope)


def test_a_kill_between_hand_over_and_answer_leaves_the_message_unknown_and_never_resends_it(tmp_path: Path) -> None:
    fleet = Fleet(devices=1, each=20)
    with SlowMailServer() as slow, prepare(tmp_path, slow) as gateway:
        fleet.register(gateway)
        for number in range(10):
            topic, payload = fleet.message(number)
            gateway.publish(topic, payload.decode())
        wait_for(lambda: slow.taken, "the mail to be handed over")
        assert gateway.rows("SELECT state FROM notifications") == [{"state": "handed_over"}]
        gateway.kill()
        slow.answers.set()
        gateway.start()
        [message] = gateway.rows("SELECT * FROM notifications")
        assert message["state"] == "unknown"
        assert gateway.api("/api/status")["messages"]["unknown"] == 1
        [case] = gateway.rows("SELECT id FROM cases")
        assert "unknown" in {entry["kind"] for entry in gateway.api(f"/api/cases/{case['id']}")["timeline"]}

        # The device goes on and recovers, and another's fault is told of: by then the sender has seen all there is.
        for number in range(10, 20):
            topic, payload = fleet.message(number)
            gateway.publish(topic, payload.decode())
        gateway.register(
            customers=[{"id": "c9", "name": "Other", "email": "c9@example.com"}],
            devices=[{"id": "counter-900", "profile": "counter", "customer_id": "c9"}],
        )
        for celsius in (20, 95):
            gateway.publish("devices/counter-900/status", {"celsius": celsius})
        wait_for(lambda: any(m["To"] == "c9@example.com" for m in slow.mails), "the other customer's mail")
        assert gateway.rows("SELECT id FROM notifications WHERE state = 'unknown'") == [{"id": message["id"]}]
        assert len(slow.taken) == len(set(slow.taken)) == 3  # opened, resolved; the other's
