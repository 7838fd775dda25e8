"""Hubs on real stores: a bridge that goes is one case, and what hangs on it is unknown rather than offline."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from device_models.event import Message
from gateway.commands import Upsert
from gateway.config import DecoderSection
from gateway.decoders import build_dispatcher
from gateway.pipeline.commit import Work
from gateway.store import schema
from gateway.web.queries import devices
from gateway.web.queries.presence import DevicePresence, presence_of
from tests.gateway.making import ANA, T0, Gateway, gateway

RULES = """
rules:
  - {id: device-silent, kind: absent, for: 15m, offline_for: 5m}
"""
BRIDGE = "zigbee2mqtt/bridge"
SENSORS = tuple({"id": f"sensor-{n}", "profile": "freezer", "customer_id": "ana", "hub": BRIDGE} for n in range(6))


def said(topic: str, payload: str, minutes: float, number: int) -> Message:
    return Message(topic, payload.encode(), T0 + timedelta(minutes=minutes), number)


def fleet(made: Gateway) -> None:
    made.submit(Upsert("customers", (ANA,), by="test"))
    made.submit(Upsert("devices", ({"id": BRIDGE, "customer_id": "ana", "name": "Attic"}, *SENSORS), by="test"))
    heard = [said(f"zigbee2mqtt/sensor-{n}", '{"temperature": -18}', 0, n + 1) for n in range(6)]
    made.deliver([*heard, said("zigbee2mqtt/bridge/state", '{"state": "online"}', 0, 7)])


def pass_time(made: Gateway, minutes: float) -> None:
    until = T0 + timedelta(minutes=minutes)
    made.now = until
    while (due := made.committer.next_due()) is not None and due <= until:
        made.committer.run(Work(ticks_until=until), until)


def presence(made: Gateway, device_id: str) -> DevicePresence:
    with made.store.read() as connection:
        line = devices.one(connection, device_id)
        assert line is not None
        return presence_of(connection, line)


@pytest.mark.parametrize(
    ("topic", "payload", "about"),
    [
        ("zigbee2mqtt/b/zigbee2mqtt/freezer", '{"temperature": 4}', "b/zigbee2mqtt/freezer"),
        ("zigbee2mqtt/b/zigbee2mqtt/freezer/availability", "offline", "b/zigbee2mqtt/freezer"),
        (
            "zigbee2mqtt/bridge/event",
            '{"type": "device_leave", "data": {"friendly_name": "b/zigbee2mqtt/freezer"}}',
            "b/zigbee2mqtt/freezer",
        ),
        ("zigbee2mqtt/b/zigbee2mqtt/bridge/availability", "offline", "b/zigbee2mqtt/bridge"),
    ],
)
def test_a_bridge_cannot_speak_for_what_hangs_on_another(
    store_url: str, tmp_path: Path, topic: str, payload: str, about: str
) -> None:
    other = "b/zigbee2mqtt/bridge"
    zigbee = {"zigbee2mqtt": DecoderSection(topics=("zigbee2mqtt/#", "+/zigbee2mqtt/#"))}
    decode = build_dispatcher(zigbee).decode
    with gateway(store_url, tmp_path, rules=RULES, records=False, decode=decode) as made:
        fleet(made)
        behind = {"id": "b/zigbee2mqtt/freezer", "profile": "freezer", "customer_id": "ana", "hub": other}
        made.submit(Upsert("devices", (behind, {"id": other, "customer_id": "ana"}), by="test"))
        own = [
            said("b/zigbee2mqtt/freezer", '{"temperature": -18}', 1, 8),
            said("b/zigbee2mqtt/bridge/state", '{"state": "online"}', 1, 9),
        ]
        assert (made.deliver(own).rejected, presence(made, about).state) == (0, "online")
        outcome = made.deliver([said(topic, payload, 2, 10)])
        # Nor does it come into the history, which takes what was heard.
        assert (outcome.events, outcome.rejected) == ([], 1)
        [rejection] = made.rows(schema.rejections)
        assert rejection["reason"].startswith(
            f"device '{about}' is registered below the hub '{other}', but '{BRIDGE}' spoke for it"
        )
        assert presence(made, about).state == "online"
        assert made.deliver([said("zigbee2mqtt/sensor-1", '{"temperature": -18}', 3, 11)]).rejected == 0


def test_a_hub_that_is_no_bridge_says_nothing_against_one(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path, rules=RULES, records=False) as made:
        behind = ({"id": "s1", "profile": "freezer", "hub": "router-7"}, {"id": "s2", "profile": "freezer"})
        made.submit(Upsert("devices", behind, by="test"))
        outcome = made.deliver([said(f"zigbee2mqtt/s{n}", '{"temperature": -18}', 0, n) for n in (1, 2)])
        assert (len(outcome.events), outcome.rejected) == (2, 0)


def test_a_bridge_that_goes_takes_its_sensors_into_one_case(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path, rules=RULES, records=False) as made:
        fleet(made)
        made.deliver([said("zigbee2mqtt/bridge/state", '{"state": "offline"}', 2, 8)])
        gone: datetime = T0 + timedelta(minutes=2)
        assert presence(made, "sensor-1") == DevicePresence("unknown", gone, BRIDGE)
        assert presence(made, BRIDGE) == DevicePresence("offline", gone)
        pass_time(made, 60)
        [case] = made.rows(schema.cases, state="open")
        assert (case["kind"], case["dedupe_key"]) == ("incident", f"hub:{BRIDGE}")
        withheld = made.rows(schema.alerts, withheld_by="incident")
        assert len(withheld) == 7
        keys = {row["key"] for row in made.rows(schema.notifications) if row["case_id"] == case["id"]}
        assert keys == {f"case:{case['id']}:fault_opened:0:ana"}
        back = [said(f"zigbee2mqtt/sensor-{n}", '{"temperature": -18}', 70, 20 + n) for n in range(6)]
        made.deliver([said("zigbee2mqtt/bridge/state", '{"state": "online"}', 70, 19), *back])
        assert made.rows(schema.cases, state="open") == []
        assert presence(made, "sensor-1").state == "online"


def test_a_sensor_that_is_heard_again_is_not_unknown(tmp_path: Path) -> None:
    with gateway(f"sqlite:///{tmp_path / 'gateway.db'}", tmp_path, rules=RULES, records=False) as made:
        fleet(made)
        made.deliver([said("zigbee2mqtt/bridge/state", '{"state": "offline"}', 2, 8)])
        made.deliver([said("zigbee2mqtt/sensor-1", '{"temperature": -18}', 3, 9)])
        assert presence(made, "sensor-1").state == "online"
        assert presence(made, "sensor-2").state == "unknown"


def test_a_device_never_heard_and_one_missed_are_told_apart(tmp_path: Path) -> None:
    with gateway(f"sqlite:///{tmp_path / 'gateway.db'}", tmp_path, rules=RULES, records=False) as made:
        fleet(made)
        made.submit(Upsert("devices", ({"id": "shelf", "profile": "freezer"},), by="test"))
        assert presence(made, "shelf").state == "never heard"
        pass_time(made, 60)
        assert presence(made, BRIDGE).state == "silent"
