"""What there would have been: the very response over what a backtest found."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from device_models.registry import Customer, Device, Shop
from rules.recordings.outlook import Outlook
from rules.state import DeviceState
from rules.transition import Transition, Visit
from tests.rules.making import FREEZER, T0, at, context, detector, facts_of, ruleset, temperature

WARM = "{id: warm, kind: condition, profile: freezer, when: temperature > -12}"
NEAR = "{id: near, kind: proximity}"


def seen(*values: float, rule: str = WARM, device_id: str = "f1", every: int = 60) -> list[Transition]:
    events = [temperature(every * (i + 1), value, device_id=device_id) for i, value in enumerate(values)]
    made = detector(rule).run(context(device_id), DeviceState(), [temperature(0, -18, device_id=device_id), *events])[1]
    return [fact for fact in made if isinstance(fact, Transition)]


def outlook(*rules: str, **more: object) -> Outlook:
    return Outlook(ruleset(*rules).rules, FREEZER, **more)  # type: ignore[arg-type]


def test_an_episode_is_one_case_with_its_beginning_and_its_end_told() -> None:
    made = outlook(WARM)
    for fact in [*seen(-5, -18), *seen(-5, device_id="f2")]:
        made.add(fact)
    told = made.as_dict()
    assert told["by_rule"] == {"warm": {"alerts": 2, "cases": 2, "devices": 2, "messages": 3}}
    assert (told["cases"], told["still_open"], told["messages"], told["customers_told"]) == (2, 1, 3, 2)


def test_a_fault_that_returns_within_a_day_reopens_its_case() -> None:
    made = outlook(WARM)
    for fact in seen(-5, -18, -5):
        made.add(fact)
    assert (made.as_dict()["cases"], made.as_dict()["reopened"]) == (1, 1)


def test_what_was_found_on_arrival_is_no_case_and_no_message() -> None:
    made = outlook(WARM)
    for fact in facts_of(detector(WARM), [temperature(0, -5)]):
        made.add(fact)
    told = made.as_dict()
    assert (told["cases"], told["found_on_arrival"], told["messages"], told["by_hour"]) == (0, 1, 0, {})


def test_a_rule_in_shadow_counts_as_if_it_were_live() -> None:
    rule = WARM.replace("}", ", mode: shadow}")
    made = outlook(rule)
    for fact in seen(-5, rule=rule):
        made.add(fact)
    assert made.as_dict()["cases"] == 1


def test_hours_are_those_of_the_zone_asked_for() -> None:
    made = outlook(WARM, zone=ZoneInfo("Asia/Tokyo"))
    for fact in seen(-5):
        made.add(fact)
    assert made.as_dict()["by_hour"] == {"18": 1}


def test_a_known_device_without_an_owner_has_a_case_and_no_message() -> None:
    made = outlook(WARM, devices={"f1": Device(id="f1", profile="freezer")})
    for fact in seen(-5):
        made.add(fact)
    assert (made.as_dict()["cases"], made.as_dict()["messages"]) == (1, 0)


def test_customers_are_counted_once_however_many_devices_they_own() -> None:
    devices = {name: Device(id=name, profile="freezer", customer_id="anna") for name in ("f1", "f2")}
    made = outlook(WARM, devices=devices, customers={"anna": Customer(id="anna", name="Anna")})
    for fact in [*seen(-5), *seen(-5, device_id="f2")]:
        made.add(fact)
    assert (made.as_dict()["messages"], made.as_dict()["customers_told"]) == (2, 1)


def test_offers_are_capped_and_the_reason_is_counted() -> None:
    shop = Shop(id="mitte", name="Mitte", latitude=52.5, longitude=13.4)
    made = outlook(NEAR, shops=[shop])
    for minute in (0, 30):
        made.add(Visit("near", "phone", "mitte", at(minute), None, {"distance_m": 10.0}))
    told = made.as_dict()
    assert (told["visits"], told["offers"]) == (2, 1)
    assert sum(told["offers_withheld"].values()) == 1


def test_no_offer_is_made_while_a_fault_case_is_open() -> None:
    shop = Shop(id="mitte", name="Mitte", latitude=52.5, longitude=13.4)
    made = outlook(WARM, NEAR, shops=[shop])
    for fact in seen(-5):
        made.add(fact)
    decision = made.add(Visit("near", "f1", "mitte", T0 + timedelta(hours=2), None, {"distance_m": 10.0}))
    assert decision is not None
    assert decision.withheld == "open_fault_case"
