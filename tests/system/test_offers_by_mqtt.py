"""Offers, services, silence and error codes by nothing but ``mosquitto_pub``, and mails that a real server gets."""

import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.system.gateway_process import GatewayProcess, MailServer, wait_for

RULES = """
rules:
  - id: near-shop
    kind: proximity
    profile: phone
    services: [descaling]
  - id: near-kiosk
    kind: proximity
    profile: phone
    shops: [kiosk]
    dwell: 3s
  - id: service-due
    kind: maintenance
  - id: silent
    kind: absent
    profile: gate
    offline_for: 2s
    title: {en: "We cannot hear your gate any more"}
  - id: error-code
    kind: error_code
"""
GATE = """
name: gate
title: {en: gate}
reporting_interval: 10m
"""
SHOP = (52.5208, 13.4094)
METRES_NORTH = 1 / 111_195
"""Degrees of latitude."""
ALWAYS = "24/7"
SETTINGS = """
[profiles]
paths = ["gate.yaml"]
[offers]
holdout = 0.0
"""


@dataclass(frozen=True)
class Town:
    """A gateway with shops; each customer has a phone, and each test customers of its own."""

    gateway: GatewayProcess
    mail: MailServer

    def person(self, name: str, consents: str = "offer") -> str:
        """Register a customer with a phone; return its device id."""
        customer = {"id": name, "name": name.title(), "email": f"{name}@example.com", "consents": consents}
        phone = {"id": f"{name}/phone", "profile": "phone", "customer_id": name}
        self.gateway.register(customers=[customer], devices=[phone])
        return f"{name}/phone"

    def shop(self, name: str, kilometres_north: float, opening_hours: str = ALWAYS) -> tuple[float, float]:
        """Register a shop with 150 m around it; return where it is. The kiosk alone descales nothing."""
        at = (SHOP[0] + kilometres_north * 1000 * METRES_NORTH, SHOP[1])
        shop = {"id": name, "name": f"{name.title()} shop", "latitude": at[0], "longitude": at[1], "radius_m": 150}
        services = [] if name == "kiosk" else ["descaling"]
        self.gateway.register(shops=[{**shop, "opening_hours": opening_hours, "country": "DE", "services": services}])
        return at

    def walk(self, phone: str, to: tuple[float, float], accuracy_m: float = 10, ending_at: float | None = None) -> None:
        """Walk up to a shop's door over four minutes, as OwnTracks tells it."""
        now = ending_at or time.time()
        for seconds_ago, metres in ((240, 320), (160, 215), (80, 110), (0, 20)):
            fix = {
                "_type": "location",
                "lat": to[0] + metres * METRES_NORTH,
                "lon": to[1],
                "acc": accuracy_m,
                "tst": round(now - seconds_ago),
                "tid": "ph",
            }
            self.gateway.publish(f"owntracks/{phone}", fix)

    def decisions(self, phone: str) -> list[dict[str, Any]]:
        """What the API says of a phone's visits by ``near-shop``, the newest first; waits for the first."""

        def decided() -> list[dict[str, Any]]:
            items = self.gateway.api("/api/offers/decisions")["items"]
            return [item for item in items if (item["device_id"], item["rule"]) == (phone, "near-shop")]

        found: list[dict[str, Any]] = wait_for(decided, f"a decision on {phone}")
        return found

    def mails_to(self, name: str) -> list[str]:
        """Subjects of the mails that a customer got."""
        return [str(mail["Subject"]) for mail in self.mail.mails if mail["To"] == f"{name}@example.com"]

    def assert_none_withheld_but(self, reason: str, phone: str) -> None:
        """The API names ``reason``; whoever it concerns got no mail although the outbox is empty."""
        [decision] = self.decisions(phone)
        assert (decision["reason"], decision["offer_id"]) == (reason, None)
        assert decision["explanation"]["sentence"]
        waiting = "SELECT 1 FROM notifications WHERE state IN ('queued', 'handed_over', 'awaiting_approval')"
        wait_for(lambda: not self.gateway.rows(waiting), "the outbox to be empty")
        assert self.mails_to(phone.partition("/")[0]) == []


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town")
    (folder / "gate.yaml").write_text(GATE, encoding="utf-8")
    with (
        MailServer() as mail,
        GatewayProcess(folder, mail, RULES, SETTINGS) as gateway,
    ):
        gateway.register(
            offers=[
                {
                    "id": "descaler",
                    "title": "Descaler for half the price",
                    "text": "Ask at the desk.",
                    "occasion": "accessory",
                }
            ]
        )
        yield Town(gateway, mail)


def test_a_walk_into_a_shops_radius_brings_one_offer_by_mail(town: Town) -> None:
    phone, shop = town.person("ana"), town.shop("mitte", 0)
    town.walk(phone, shop)
    [subject] = wait_for(lambda: town.mails_to("ana"), "the offer")
    assert "Descaler for half the price" in subject
    [decision] = town.decisions(phone)
    assert (decision["offer_id"], decision["shop_id"], decision["reason"]) == ("descaler", "mitte", None)
    assert "lat" not in str(decision["explanation"])


def test_two_fixes_at_the_door_a_minute_apart_are_a_visit(town: Town) -> None:
    phone, shop = town.person("bea"), town.shop("moabit", 2)
    for seconds_ago in (61, 0):
        fix = {"_type": "location", "lat": shop[0], "lon": shop[1], "acc": 10, "tst": round(time.time()) - seconds_ago}
        town.gateway.publish(f"owntracks/{phone}", fix)
    wait_for(lambda: town.mails_to("bea"), "the offer")


def test_a_phone_that_says_no_more_after_it_arrived_is_offered_something_all_the_same(town: Town) -> None:
    """OwnTracks tells of a stop once; the dwell completes by the timer."""
    phone, shop = town.person("cem"), town.shop("kiosk", 4)
    now = round(time.time())
    for seconds_ago, metres in ((240, 300), (0, 30)):
        fix = {"_type": "location", "lat": shop[0] + metres * METRES_NORTH, "lon": shop[1], "acc": 10}
        town.gateway.publish(f"owntracks/{phone}", {**fix, "tst": now - seconds_ago})
    wait_for(lambda: town.mails_to("cem"), "the offer")


def test_without_consent_there_is_no_offer_and_no_fix_is_kept(town: Town) -> None:
    phone, shop = town.person("dan", consents=""), town.shop("wedding", 6)
    town.walk(phone, shop)
    town.assert_none_withheld_but("no_consent", phone)
    [state] = town.gateway.rows("SELECT state FROM device_states WHERE device_id = 'dan/phone'")
    assert b"52.5" not in state["state"]


def test_a_shop_that_is_closed_brings_no_offer(town: Town) -> None:
    the_day_after_tomorrow = (datetime.now(UTC) + timedelta(days=2)).strftime("%A")[:2]
    phone, shop = town.person("eva"), town.shop("pankow", 8, f"{the_day_after_tomorrow} 10:00-18:00; PH off")
    town.walk(phone, shop)
    town.assert_none_withheld_but("closed", phone)


def test_a_fix_of_two_kilometres_accuracy_brings_no_offer(town: Town) -> None:
    phone, shop = town.person("fay"), town.shop("britz", 10)
    town.walk(phone, shop, accuracy_m=2000)
    town.assert_none_withheld_but("accuracy", phone)


def test_a_second_shop_on_one_day_is_beyond_the_cap(town: Town) -> None:
    phone, first, second = town.person("gus"), town.shop("rudow", 14), town.shop("buckow", 12)
    town.walk(phone, first, ending_at=time.time() - 900)
    wait_for(lambda: town.decisions(phone), "the first decision")
    town.walk(phone, second)
    wait_for(lambda: town.decisions(phone)[0]["shop_id"] == "buckow", "the second decision")
    assert [decision["reason"] for decision in town.decisions(phone)] == ["cap", None]


def test_a_due_service_is_told_once_with_its_date_and_done_on_the_customers_page_closes_it(town: Town) -> None:
    town.gateway.register(
        customers=[{"id": "hal", "name": "Hal", "email": "hal@example.com", "locale": "en-GB"}],
        devices=[{"id": "pump-1", "profile": "heat-pump", "customer_id": "hal", "name": "Cellar heat pump"}],
    )
    for hours in (1890, 2003):
        town.gateway.publish("devices/pump-1/status", {"running_hours": hours})
    [subject] = wait_for(lambda: town.mails_to("hal"), "the service notice")
    assert "water filter" in subject.lower()
    [mail] = [mail for mail in town.mail.mails if mail["To"] == "hal@example.com"]
    body = mail.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert f"Due: {datetime.now(UTC):%A, %-d %B %Y}" in text
    [case] = town.gateway.rows("SELECT * FROM cases WHERE device_id = 'pump-1'")
    assert (case["kind"], case["fault"], case["state"]) == ("maintenance", "filter", "open")

    found = re.search(r"http://127\.0\.0\.1:\d+/p/[\w.\-]+", text)
    assert found is not None
    form = urllib.parse.urlencode({"answer": "done"}).encode()
    with urllib.request.urlopen(f"{found[0]}/service", data=form, timeout=10) as answer:  # noqa: S310 - loopback
        assert answer.status == 200
    [case] = town.gateway.rows("SELECT * FROM cases WHERE device_id = 'pump-1'")
    assert case["state"] == "resolved"
    town.gateway.publish("devices/pump-1/status", {"running_hours": 2004})
    wait_for(
        lambda: b"2004" in town.gateway.rows("SELECT state FROM device_states WHERE device_id = 'pump-1'")[0]["state"],
        "the next message to be taken in",
    )
    assert len(town.gateway.rows("SELECT 1 FROM cases WHERE device_id = 'pump-1'")) == 1


def test_a_device_whose_will_says_offline_and_that_stays_silent_becomes_a_case(town: Town) -> None:
    town.gateway.register(
        customers=[{"id": "ida", "name": "Ida", "email": "ida@example.com"}],
        devices=[{"id": "gate-1", "profile": "gate", "customer_id": "ida", "name": "Front gate"}],
    )
    town.gateway.publish("devices/gate-1/lwt", "online")
    town.gateway.publish("devices/gate-1/status", {"open": False})
    town.gateway.publish("devices/gate-1/lwt", "offline")
    [subject] = wait_for(lambda: town.mails_to("ida"), "the mail")
    assert "Front gate" in subject
    town.gateway.publish("devices/gate-1/status", {"open": False})
    wait_for(lambda: len(town.mails_to("ida")) == 2, "the all-clear")
    [case] = town.gateway.rows("SELECT state FROM cases WHERE device_id = 'gate-1'")
    assert case["state"] == "resolved"


def test_an_error_code_brings_a_case_with_the_catalogues_advice(town: Town) -> None:
    town.gateway.register(
        customers=[{"id": "jan", "name": "Jan", "email": "jan@example.com"}],
        devices=[{"id": "pump-2", "profile": "heat-pump", "customer_id": "jan"}],
    )
    town.gateway.publish("devices/pump-2/status", {"pressure": 1.6})
    town.gateway.publish("devices/pump-2/status", {"pressure": 0.5, "code": "E11"})
    wait_for(lambda: town.mails_to("jan"), "the mail")
    [case] = town.gateway.rows("SELECT * FROM cases WHERE device_id = 'pump-2'")
    assert (case["fault"], case["severity"]) == ("E11", "major")
    shown = town.gateway.api(f"/api/cases/{case['id']}")
    assert "Top up the heating circuit" in shown["evidence"]["explanation"]["advice"]["en"]
    [mail] = [mail for mail in town.mail.mails if mail["To"] == "jan@example.com"]
    body = mail.get_body(("plain",))
    assert body is not None
    assert "Top up the heating circuit" in body.get_content()
