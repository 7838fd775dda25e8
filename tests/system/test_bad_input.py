"""What devices and strangers send that is no good: each is refused in words, the stream goes on, nothing is doubled."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.pipeline.rejections import KEPT
from tests.servers import require
from tests.system.gateway_process import GatewayProcess, MailServer, wait_for
from tests.system.raw_publisher import RawPublisher

RULES = """
rules:
  - id: too-warm
    kind: condition
    profile: freezer
    when: temperature > -12
    clear_when: temperature < -15
    title: {en: "is too warm"}
"""
STATUS = "devices/freezer-1/status"
LOCATION = "devices/freezer-1/location"


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def gateway(tmp_path: Path, mail: MailServer) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path, mail, RULES) as running:
        running.register(
            customers=[{"id": "ana", "name": "Ana", "email": "ana@example.com"}],
            devices=[{"id": "freezer-1", "profile": "freezer", "customer_id": "ana"}],
        )
        yield running


def send(gateway: GatewayProcess, topic: str, payload: bytes, *options: str) -> None:
    """Publish exactly these bytes, QoS 1."""
    program = require("mosquitto_pub", "mosquitto-clients")
    command = [program, "-h", "127.0.0.1", "-p", str(gateway.mqtt_port), "-q", "1", "-t", topic]
    subprocess.run([*command, "-s" if payload else "-n", *options], input=payload, check=True, timeout=30)


def twin(gateway: GatewayProcess, device: str = "freezer-1") -> dict[str, Any]:
    """What is known of a device, by field."""
    rows = gateway.rows(f"SELECT state FROM device_states WHERE device_id = '{device}'")  # noqa: S608 - our own ids
    twin = json.loads(rows[0]["state"])["twin"] if rows else {}
    return {name: value for said in twin.values() for name, value in said.items()}


def assert_goes_on(gateway: GatewayProcess, mail: MailServer) -> None:
    """The stream is read to its end and a fault is still told, once."""
    for celsius in (-18.5, -8.25):
        gateway.publish(STATUS, {"temperature": celsius})
    wait_for(lambda: len(mail.mails) == 1, "the mail")
    assert twin(gateway)["temperature"] == -8.25
    assert [row["state"] for row in gateway.rows("SELECT state FROM cases")] == ["open"]


REFUSED = [
    (STATUS, b'{"temperature": -18', "payload: "),
    (STATUS, b"[1, 2, 3]", "payload: is an array, not a JSON object"),
    (STATUS, b'"text"', "payload: is text, not a JSON object"),
    (STATUS, b'{"temperature": NaN}', "NaN"),
    (STATUS, b'{"temperature": -Infinity}', "-Infinity"),
    (STATUS, b'\xff\xfe{"temperature": -18}', "UTF-8"),
    (STATUS, b'{"note": "\\ud800"}', "payload: "),
    (STATUS, b'{"a":' * 40 + b"1" + b"}" * 40, "nested deeper than 32 levels"),
    (LOCATION, b'{"lat": 91, "lon": 13.4}', "lat: 91 is not within -90..90 degrees"),
    (LOCATION, b'{"lat": "north", "lon": 13.4}', "lat: "),
    (LOCATION, b'{"lon": 13.4}', "lat: is missing"),
    ("devices/freezer-1/lwt", b"perhaps", "is neither online nor offline"),
    ("nobody/reads/this", b"{}", "topic: no decoder claims it"),
]


def test_what_cannot_be_decoded_is_refused_in_words_and_stops_nothing(
    gateway: GatewayProcess, mail: MailServer
) -> None:
    for topic, payload, _ in REFUSED:
        send(gateway, topic, payload)
    count = "SELECT count(*) AS n FROM rejections"
    wait_for(lambda: gateway.rows(count) == [{"n": len(REFUSED)}], "all rejections")
    shown = gateway.api("/api/rejections")["items"][::-1]
    for (topic, payload, words), rejection in zip(REFUSED, shown, strict=True):
        assert rejection["topic"] == topic
        assert words in rejection["reason"], payload
        assert payload.startswith(bytes.fromhex(rejection["first_bytes"]))
    assert_goes_on(gateway, mail)


def test_odd_but_readable_values_are_taken_or_left_out_and_stop_nothing(
    gateway: GatewayProcess, mail: MailServer
) -> None:
    odd = [
        b'{"temperature": "warm"}',
        b'{"temperature": null}',
        b'{"temperature": {"nested": [1, {"deep": true}]}}',
        b'{"temperature": 1e999}',
        b'{"big": 123456789012345678901234567890}',
        b'{"bigger": 1e308, "least": 5e-324, "minus_zero": -0.0, "largest_int": 18446744073709551615}',
        json.dumps({f"field_{n}": n for n in range(2000)}).encode(),
        json.dumps({"picture": "x" * 200_000}).encode(),
        b'{"": 1, ".": 2, "a.b": 3, "\\u0000": 4, "emoji \xf0\x9f\xa7\x8a": 5}',
        b'{"temperature": -18, "temperature": -18.5}',
        json.dumps({"padding": "x" * (256 * 1024 - 20)}).encode(),
        b"",
    ]
    for payload in odd:
        send(gateway, STATUS, payload)
    assert_goes_on(gateway, mail)
    assert gateway.rows("SELECT reason FROM rejections") == []


STAMPS = ("0", "-1", "4070908800", '"2099-01-01T00:00:00Z"', '"yesterday"', "1e300", "true")


def test_an_absurd_stamp_is_replaced_by_the_arrival_time(gateway: GatewayProcess, mail: MailServer) -> None:
    devices = {f"freezer-{stamp.strip(chr(34)).replace(':', '-')}": stamp for stamp in STAMPS}
    gateway.register(devices=[{"id": name, "profile": "freezer", "customer_id": "ana"} for name in devices])
    before = time.time()
    for name, stamp in devices.items():
        for celsius in (-18.5, -8.25):
            send(gateway, f"devices/{name}/status", f'{{"temperature": {celsius}, "ts": {stamp}}}'.encode())
    opened = "SELECT device_id, strftime('%s', opened_at) AS at FROM cases"
    wait_for(lambda: len(gateway.rows(opened)) == len(devices), "the cases")
    cases = gateway.rows(opened)
    assert {case["device_id"] for case in cases} == devices.keys()
    assert all(before - 1 <= int(case["at"]) <= time.time() + 1 for case in cases)
    for name in devices:
        gateway.publish(f"devices/{name}/status", {"temperature": -20.0, "ts": time.time() + 1})
    resolved = "SELECT 1 FROM cases WHERE state = 'resolved'"
    wait_for(lambda: len(gateway.rows(resolved)) == len(devices), "the all-clear: no watermark lies in the future")


def test_duplicates_and_out_of_order_messages_change_nothing(gateway: GatewayProcess, mail: MailServer) -> None:
    now = round(time.time())
    story = [(-300, -18.5), (-240, -8.25), (-240, -8.25), (-290, -19.0), (-300, -18.5), (-240, -8.25)]
    for seconds, celsius in story:
        gateway.publish(STATUS, {"temperature": celsius, "ts": now + seconds})
    wait_for(lambda: twin(gateway).get("temperature") == -8.25, "the story to be taken in")
    gateway.publish(STATUS, {"temperature": -9.0, "ts": now})
    wait_for(lambda: twin(gateway)["temperature"] == -9.0, "the last message")
    wait_for(lambda: mail.mails, "the mail")
    states = [row["state"] for row in gateway.rows("SELECT state FROM transitions ORDER BY id")]
    assert states == ["firing"]
    [row] = gateway.rows("SELECT state FROM device_states")
    assert json.loads(row["state"])["counters"] == {"duplicate": 2, "late": 2}


@pytest.mark.parametrize("policy", ["reject", "quarantine", "register"])
def test_unknown_devices_are_treated_as_the_policy_says(tmp_path: Path, mail: MailServer, policy: str) -> None:
    extra = f'[decoders.native]\nunknown_devices = "{policy}"\n'
    with GatewayProcess(tmp_path, mail, RULES, extra) as gateway:
        for celsius in (-18.5, -8.25):
            gateway.publish("devices/stranger/status", {"temperature": celsius})
        reached = {"reject": "rejections", "quarantine": "unknown_devices", "register": "device_states"}[policy]
        wait_for(lambda: gateway.rows(f"SELECT 1 FROM {reached}"), reached)  # noqa: S608 - one of three
        # Whatever the policy, the next message shows that both were taken in.
        gateway.register(devices=[{"id": "known"}])
        gateway.publish("devices/known/status", {"temperature": 1})
        wait_for(lambda: twin(gateway, "known"), "a known device's message")
        reasons = [item["reason"] for item in gateway.api("/api/rejections")["items"]]
        unknown = [(item["id"], item["messages"]) for item in gateway.api("/api/devices/unknown")["items"]]
        registered = {row["id"] for row in gateway.rows("SELECT id FROM devices")}
    expected_reason = "device 'stranger' is not registered; import it first"
    assert reasons == ([expected_reason] * 2 if policy == "reject" else [])
    assert unknown == ([("stranger", 2)] if policy == "quarantine" else [])
    assert ("stranger" in registered) is (policy == "register")


def test_a_topic_with_white_space_and_a_message_beyond_the_brokers_bound_are_said_to_the_operator(
    gateway: GatewayProcess, mail: MailServer
) -> None:
    program = require("mosquitto_pub", "mosquitto-clients")
    for topic, payload in (("devices/my freezer/status", b"{}"), (STATUS, b"x" * 3 * 1024 * 1024)):
        # The broker drops the connection; the client's own view of that is not ours to test.
        command = [program, "-h", "127.0.0.1", "-p", str(gateway.mqtt_port), "-q", "1", "-t", topic, "-s"]
        subprocess.run(command, input=payload, check=False, timeout=30, capture_output=True)
    events = {"broker.topic_refused", "broker.payload_refused"}
    log = gateway.log
    wait_for(lambda: all(event in log.read_text(encoding="utf-8") for event in events), "the operator's log")
    assert_goes_on(gateway, mail)


def test_a_burst_of_bad_messages_is_counted_in_full_kept_in_part_and_holds_nobody_up(
    gateway: GatewayProcess, mail: MailServer
) -> None:
    burst = 10_000
    publisher = RawPublisher(gateway.mqtt_port, "burst")
    publisher.publish(((STATUS, f'{{"broken": {n}'.encode()) for n in range(burst)), lambda _: None)
    publisher.close()
    counted = "SELECT value FROM meta WHERE key = 'rejected'"
    wait_for(lambda: gateway.rows(counted) == [{"value": burst}], "the burst to be taken in")
    assert_goes_on(gateway, mail)
    kept = gateway.rows("SELECT count(*) AS n, min(sequence) AS first, max(sequence) AS last FROM rejections")
    assert kept == [{"n": KEPT, "first": burst - KEPT + 1, "last": burst}]
    page = gateway.api("/api/rejections?limit=1000")
    assert len(page["items"]) == 1000
    assert page["next"]
