"""The main job, end to end, by nothing but MQTT messages: a case opens itself and the customer has mail."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mqtt_servers import Mosquitto
from tests.system.gateway_process import GatewayProcess, MailServer, wait_for

RULES = """
rules:
  - id: freezer-too-warm
    kind: condition
    profile: freezer
    when: temperature > -12
    for: 10m
    clear_when: temperature < -15
    severity: major
    title: {en: "is too warm"}
    advice: {en: "Please close the lid."}
"""
CUSTOMER = {
    "id": "ana",
    "name": "Ana Souza",
    "locale": "en",
    "timezone": "America/Sao_Paulo",
    "email": "ana@example.com",
}
FREEZER = {"id": "freezer-1", "profile": "freezer", "customer_id": "ana", "name": "Garage freezer"}


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def gateway(tmp_path: Path, mail: MailServer) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path, mail, RULES) as running:
        running.register(customers=[CUSTOMER], devices=[FREEZER])
        yield running


def warm_up(gateway: GatewayProcess, **options: Any) -> None:
    """Publish twenty minutes of a freezer that warms up, as its own clock stamped them."""
    now = time.time()
    for minutes_ago, celsius in ((20, -18.0), (15, -9.5), (10, -8.9), (4, -8.3)):
        gateway.publish("devices/freezer-1/status", {"temperature": celsius, "ts": now - 60 * minutes_ago}, **options)


def test_a_warming_freezer_opens_a_case_and_its_owner_gets_a_mail(gateway: GatewayProcess, mail: MailServer) -> None:
    warm_up(gateway)
    [case] = wait_for(lambda: gateway.rows("SELECT * FROM cases"), "the case")
    assert (case["device_id"], case["customer_id"], case["state"]) == ("freezer-1", "ana", "open")
    [message] = wait_for(lambda: mail.mails, "the mail")
    assert message["To"] == "ana@example.com"
    assert "Garage freezer" in message["Subject"]
    text = message.get_body(("plain",))
    assert text is not None
    assert "Please close the lid." in text.get_content()
    assert f"http://127.0.0.1:{gateway.web_port}/p/" in text.get_content()
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    shown = gateway.api(f"/api/cases/{case['id']}")
    assert shown["told_at"]
    assert [entry["kind"] for entry in shown["timeline"]] == ["opened", "message_out"]
    assert shown["timeline"][0]["body"]["explanation"]["limit"] == -12


def test_the_case_resolves_itself_when_the_freezer_recovers_and_says_so(
    gateway: GatewayProcess, mail: MailServer
) -> None:
    warm_up(gateway)
    wait_for(lambda: mail.mails, "the first mail")
    wait_for(lambda: gateway.rows("SELECT 1 FROM notifications WHERE state = 'accepted'"), "the answer to be stored")
    gateway.publish("devices/freezer-1/status", {"temperature": -17.5, "ts": time.time()})
    wait_for(lambda: gateway.rows("SELECT * FROM cases WHERE state = 'resolved'"), "the case to resolve")
    first, second = wait_for(lambda: mail.mails if len(mail.mails) == 2 else None, "the second mail")
    assert second["In-Reply-To"] == first["Message-ID"]


def test_a_customers_own_mosquitto_is_as_good_as_the_embedded_broker(
    tmp_path: Path, mail: MailServer, mosquitto: Mosquitto
) -> None:
    relay = f'[[relay]]\nurl = "mqtt://127.0.0.1:{mosquitto.port}"\nclient_id = "relay"\ntopics = ["devices/#"]'
    with GatewayProcess(tmp_path, mail, RULES, relay) as gateway:
        gateway.register(customers=[CUSTOMER], devices=[FREEZER])
        wait_for(lambda: gateway.api("/api/status")["relay"]["ok"], "the relay to connect")
        warm_up(gateway, port=mosquitto.port)
        wait_for(lambda: mail.mails, "the mail")
        assert len(gateway.rows("SELECT * FROM cases")) == 1


def test_retained_messages_of_a_customers_broker_open_no_case(
    tmp_path: Path, mail: MailServer, mosquitto: Mosquitto
) -> None:
    relay = f'[[relay]]\nurl = "mqtt://127.0.0.1:{mosquitto.port}"\nclient_id = "relay"\ntopics = ["devices/#"]'
    gateway = GatewayProcess(tmp_path, mail, RULES.replace("for: 10m", "for: 0"), relay)
    gateway.publish("devices/freezer-1/status", {"temperature": 5}, "-r", port=mosquitto.port)
    gateway.register(customers=[CUSTOMER], devices=[FREEZER])
    with gateway:
        wait_for(lambda: gateway.rows("SELECT * FROM device_states"), "the retained message to seed the twin")
        assert gateway.rows("SELECT * FROM cases") == []


def test_a_rule_file_saved_wrong_keeps_the_old_rules_and_one_saved_right_goes_live(gateway: GatewayProcess) -> None:
    before = gateway.api("/api/status")["rules"]["digest"]
    rules = gateway.folder / "rules.yaml"
    rules.write_text(RULES.replace("temperature > -12", "temperatur >> -12"), encoding="utf-8")
    errors = wait_for(lambda: gateway.api("/api/status")["rules"]["errors"], "the error to be shown")
    assert "rules.yaml:6" in errors[0]
    assert gateway.api("/api/status")["rules"]["digest"] == before
    rules.write_text(RULES.replace("> -12", "> -10"), encoding="utf-8")
    wait_for(lambda: gateway.api("/api/status")["rules"]["digest"] != before, "the new rules to go live")
    assert gateway.api("/api/status")["rules"]["errors"] == []


def test_it_stops_in_order_when_told_to(gateway: GatewayProcess) -> None:
    assert gateway.stop() == 0
    assert '"event": "gateway.stopped"' in gateway.log.read_text(encoding="utf-8")
