"""``simulator/scenario.py``: what is written wrong is named, what is shipped can be played and imported."""

import math
from datetime import UTC, date, timedelta
from pathlib import Path
from typing import Any

import pytest

from device_models.event import EventKind, Message, Rejection
from device_models.purpose import Purpose
from gateway.decoders import build_dispatcher
from simulator.fleet import Fleet
from simulator.scenario import Scenario, ScenarioError, shipped_scenarios
from simulator.truth import TruthLog
from tests.simulator.making import START, scenario


@pytest.mark.parametrize("name", shipped_scenarios())
def test_every_shipped_scenario_can_be_read_and_played(name: str) -> None:
    play = Scenario.load(name)
    assert play.name == name
    begins = play.begins(date(2026, 11, 24)).astimezone(UTC)
    fleet = Fleet(play, 1, begins, TruthLog())
    assert fleet.advance(begins.replace(minute=begins.minute + 10))


def test_the_three_scenarios_of_the_documentation_are_shipped() -> None:
    assert set(shipped_scenarios()) == {"demo", "clean-month", "freezer-seal"}


def test_a_file_of_ones_own_is_read_by_its_path(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "simulator" / "scenarios" / "freezer-seal.yaml"
    own = tmp_path / "own.yaml"
    own.write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
    assert Scenario.load(own) == Scenario.load("freezer-seal")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"freezers": [{"id": "f", "name": "F", "site": "nowhere", "model": "N"}]}, "there is no site 'nowhere'"),
        ({"phones": [{"customer": "nobody", "home": [1, 1]}]}, "there is no customer 'nobody'"),
        ({"faults": [{"cause": "gremlins", "at": "1m to 2m"}]}, "faults.0.cause"),
        ({"faults": [{"cause": "seal-leak", "at": "1 to 2"}]}, "faults.0.at"),
        ({"faults": [{"cause": "seal-leak", "at": "1m to 2m", "among": ["freezer-99"]}]}, "'freezer-99'"),
        ({"starts_at": "noon"}, "starts_at"),
        ({"colour": "blue"}, "colour"),
        ({"sites": [{"id": "s", "customer": "lena"}]}, "neither corner nor latitude"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        scenario(**changes)


def test_an_unknown_scenario_says_which_are_shipped() -> None:
    with pytest.raises(ScenarioError, match="clean-month, demo, freezer-seal"):
        Scenario.load("nothing")


def test_broken_yaml_is_an_error_of_the_scenario() -> None:
    with pytest.raises(ScenarioError, match=r"mine\.yaml"):
        Scenario.parse("name: [", "mine.yaml")


def test_two_bridges_on_one_base_topic_are_refused() -> None:
    sensors = [
        {"id": f"sensor-{site}", "name": "S", "site": site, "model": "N", "says": "zigbee2mqtt"}
        for site in ("lena-home", "jonas-home")
    ]
    with pytest.raises(ScenarioError, match="zigbee2mqtt/bridge/state"):
        scenario(freezers=sensors)


def test_it_begins_at_its_hour_in_the_city_and_never_at_a_weekend() -> None:
    play = scenario()
    assert play.begins(date(2026, 11, 24)) == START
    assert play.begins(date(2026, 11, 29)).strftime("%A %H:%M") == "Friday 14:30"


class TestDemo:
    """What ``make demo`` promises."""

    registry = Scenario.load("demo").registry()
    play = Scenario.load("demo")

    def test_it_has_some_sixty_products_of_twenty_customers_and_a_city_of_shops(self) -> None:
        assert 55 <= len(self.registry.devices) <= 65
        assert len(self.registry.customers) == 20
        assert len(self.registry.shops) >= 12
        assert len(self.registry.offers) >= 6
        assert {offer.occasion for offer in self.registry.offers} >= {
            "after_fault",
            "maintenance_due",
            "accessory",
            None,
        }

    def test_its_customers_are_of_many_countries_and_channels(self) -> None:
        countries = {customer.country for customer in self.registry.customers}
        assert countries >= {"DE", "US", "JP", "BR", "AE", "GB", "FR"}
        assert {c.preferred_channel for c in self.registry.customers} >= {"sms", "whatsapp", "email"}
        assert {c.locale for c in self.registry.customers} >= {"de", "en-US", "ar", "pt-BR", "ja"}

    def test_everybody_can_be_reached_on_the_channel_they_prefer(self) -> None:
        for customer in self.registry.customers:
            assert customer.preferred_channel
            assert customer.address(customer.preferred_channel), customer.id

    def test_nobody_real_is_written_to(self) -> None:
        fictitious = ("+4917139200", "+493023125", "+447700900", "+1202555012", "+336399800", "+5511900", "+819000")
        for customer in self.registry.customers:
            assert customer.email is None or customer.email.endswith("@example.com")
            for number in (customer.phone, *customer.addresses.values()):
                assert number is None or number.startswith((*fictitious, "+97151")), customer.id

    def test_some_agreed_to_offers_and_some_did_not(self) -> None:
        walkers = {phone.customer for phone in self.play.phones}
        allow = {c.id for c in self.registry.customers if c.allows(Purpose.OFFER)}
        assert allow & walkers
        assert walkers - allow

    def test_nobody_lives_within_reach_of_a_shop(self) -> None:
        for phone in self.play.phones:
            for shop in self.play.shops:
                gap_m = math.dist(self.play.place_of(phone.home), self.play.place_of(shop.corner))
                assert gap_m > shop.radius_m + 100, (phone.customer, shop.id)

    def test_every_device_is_of_a_profile_that_is_shipped_and_belongs_to_somebody(self) -> None:
        profiles = {path.stem for path in (Path(__file__).parents[2] / "device_models" / "profiles").glob("*.yaml")}
        customers = {customer.id for customer in self.registry.customers}
        for device in self.registry.devices:
            assert device.profile in profiles
            assert device.customer_id in customers


@pytest.mark.parametrize("name", shipped_scenarios())
def test_all_that_a_fleet_says_is_decoded_as_the_registered_devices(name: str) -> None:
    play = Scenario.load(name)
    fleet = Fleet(play, 1, START, TruthLog())
    said = [(m.topic, m.payload) for m in fleet.advance(START + timedelta(minutes=40))]
    for link in fleet.links().values():
        said += [(topic, payload) for topic, payload, _ in link.birth]
        said += [(link.will_topic, link.will)] if link.will_topic else []
    dispatcher, heard = build_dispatcher({}), set()
    for topic, payload in said:
        decoded = dispatcher.decode(Message(topic, payload, START + timedelta(hours=1)))
        assert not isinstance(decoded, Rejection), (topic, payload, decoded)
        for event in decoded.events:
            heard.add(event.device_id)
            assert event.kind is not EventKind.STATUS or event.values
    registered = {device.id for device in play.registry().devices}
    # Besides the registered there is only the Zigbee2MQTT bridge itself.
    assert {device_id for device_id in heard - registered if "bridge" not in device_id} == set()
    assert registered - heard == set()
