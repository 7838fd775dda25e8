"""Other settings, or none, for a device, customer, site, model or firmware."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_models.registry import Device
from device_models.yaml_lines import InvalidFileError
from rules.authoring.check import check_rules
from rules.authoring.migration import differences
from rules.base import NOT_OVERRIDDEN, SELECTORS
from rules.detect import Detector
from rules.explain import explain
from rules.inputs import DeviceContext
from rules.schema import KINDS, RuleSet, parse_rules
from rules.state import DeviceState
from rules.transition import Transition
from tests.rules.making import FREEZER, TOO_WARM, at, detector, ruleset, temperature, told

BAKERY = (
    TOO_WARM
    + """
overrides:
  - {customer: bakery, when: temperature > -8, for: 20m}
  - {model: FX-1, firmware: [1.3, "1.4"], off: true}
  - {device: f9, for: 5m, severity: critical}
"""
)
MADE = detector(BAKERY)


def of(device_id: str = "f1", **more: Any) -> DeviceContext:
    return DeviceContext(Device(id=device_id, profile="freezer", **more), FREEZER)


def fired(device: DeviceContext, made: Detector = MADE) -> list[tuple[str, str, float]]:
    items = [temperature(m, t, device_id=device.device.id) for m, t in ((0, -18), (1, -11), (5, -5), (9, -5))]
    return told(made.run(device, DeviceState(), items, until=at(60))[1])


def test_a_customer_has_their_own_limit_and_duration() -> None:
    assert fired(of())[-1] == ("too-warm", "firing", 11)
    assert fired(of(customer_id="bakery")) == [("too-warm", "pending", 5), ("too-warm", "inactive", 24)]


def test_all_selectors_of_an_override_must_fit_and_a_number_is_a_firmware_too() -> None:
    assert fired(of(model="FX-1", firmware="1.3")) == []
    assert fired(of(model="FX-1", firmware="1.4")) == []
    assert fired(of(model="FX-1", firmware="1.5"))[-1] == ("too-warm", "firing", 11)
    assert fired(of(firmware="1.3"))[-1] == ("too-warm", "firing", 11)


def test_the_later_of_several_that_fit_wins_and_the_others_settings_stay() -> None:
    facts = fired(of("f9", customer_id="bakery"))
    assert facts == [("too-warm", "pending", 5), ("too-warm", "firing", 10)]


def test_what_is_otherwise_explains_itself() -> None:
    device = of(customer_id="bakery")
    state, facts = MADE.run(device, DeviceState(), [temperature(0, -18), temperature(1, -5)])
    entry = explain(MADE, device, state, at(2))[0]
    said = "an override for customer bakery: when is temperature > -8 here, temperature > -12 otherwise"
    assert entry["override"]["why"].startswith(said)
    assert entry["override"]["here"]["for"] == "20m"
    assert entry["limits"] == [{"field": "temperature", "limit": -8.0, "direction": "above"}]
    assert isinstance(facts[0], Transition)
    assert facts[0].explanation["override"]["for"] == {"customer": ["bakery"]}
    json.dumps(facts[0].explanation)
    assert "override" not in explain(MADE, of(), DeviceState(), at(2))[0]


def test_a_rule_that_is_off_says_for_whom() -> None:
    entry = explain(MADE, of(model="FX-1", firmware="1.3"), DeviceState(), at(2))[0]
    assert entry["applies"] is False
    assert entry["why"] == "it is off for model FX-1, firmware 1.3 or 1.4"


def test_devices_for_which_the_same_is_otherwise_share_one_plan() -> None:
    bakery = {id(MADE.plan_for(of(f"d{n}", customer_id="bakery", firmware="1.3"))) for n in range(50)}
    plain = {id(MADE.plan_for(of(f"d{n}", customer_id=f"c{n}", site=f"s{n}"))) for n in range(50)}
    assert (len(bakery), plain) == (1, {id(MADE.plan(FREEZER))})
    # Firmware alone decides nothing here, so it makes no further plan.
    assert id(MADE.plan_for(of(firmware="1.3"))) in plain


def test_a_device_that_comes_under_an_override_keeps_what_fires_and_one_that_is_off_is_closed() -> None:
    state, _ = MADE.run(of(), DeviceState(), [temperature(0, -18), temperature(1, -11), temperature(11, -11)])
    sold = of(customer_id="bakery")
    state, facts = MADE.run(sold, state, [temperature(12, -11)])
    assert facts == []
    assert state.rules["too-warm"].alerts[""].state.value == "firing"
    state, facts = MADE.run(of(model="FX-1", firmware="1.3"), state, [temperature(13, -11)])
    assert told(facts) == [("too-warm", "resolved", 13)]
    assert isinstance(facts[0], Transition)
    assert facts[0].explanation["reason"] == "rule_changed"


def test_an_edit_of_an_override_of_others_changes_nothing_here() -> None:
    device = of()
    state, _ = MADE.run(device, DeviceState(), [temperature(0, -18), temperature(1, -11)])
    edited = detector(BAKERY.replace("20m", "30m"))
    after, facts = edited.reconcile(device, state, at(2))
    assert (after.rules, facts) == (state.rules, [])


@given(st.lists(st.sampled_from(["f1", "f9", "b1"]), max_size=30))
def test_interleaved_devices_have_each_their_own(order: list[str]) -> None:
    devices = {"f1": of("f1"), "f9": of("f9"), "b1": of("b1", customer_id="bakery")}
    series = [(0, -18.0), (1, -11.0), (5, -5.0), (9, -5.0), (30, -5.0)]
    states, facts = dict.fromkeys(devices, DeviceState()), {name: [] for name in devices}  # type: ignore[var-annotated]
    left = {name: list(series) for name in devices}
    for name in [*order, *(name for name in devices for _ in series)]:
        if left[name]:
            minute, value = left[name].pop(0)
            states[name], made = MADE.run(devices[name], states[name], [temperature(minute, value, device_id=name)])
            facts[name] += made
    for name, device in devices.items():
        items = [temperature(minute, value, device_id=name) for minute, value in series]
        assert facts[name] == MADE.run(device, DeviceState(), items)[1]


def test_a_rule_set_written_down_and_read_again_is_the_same() -> None:
    made = ruleset(BAKERY)
    written = [rule.model_dump(mode="json", by_alias=True) for rule in made.rules]
    again = RuleSet.of(KINDS[rule["kind"]].model_validate(rule) for rule in json.loads(json.dumps(written)))
    assert again.version == made.version
    assert differences(made, again) == []
    changed = differences(made, ruleset(BAKERY.replace("20m", "30m")))
    assert [list(difference.fields) for difference in changed] == [["overrides"]]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("{customer: a, when: temperature >}", "no CEL expression"),
        ("{customer: a, fro: 5m}", "fro"),
        ("{customer: a, for: 5}", "for"),
        ("{customer: a}", "is either off or has other settings"),
        ("{for: 5m}", "says for whom by one of device, customer"),
        ("{customer: a, off: true, for: 5m}", "is either off or has other settings"),
        ("{customer: a, mode: shadow}", "mode is the same for every device"),
    ],
)
def test_an_override_that_makes_no_sense_is_refused_at_its_place(override: str, message: str) -> None:
    with pytest.raises(InvalidFileError) as raised:
        ruleset(TOO_WARM + f"overrides:\n  - {override}\n")
    (error,) = raised.value.errors
    assert message in str(error)
    assert str(error).startswith("rules.yaml:10:")


def test_a_misspelt_field_in_an_override_has_its_place_and_a_suggestion() -> None:
    made = ruleset(TOO_WARM + "overrides:\n  - {customer: a, when: temprature > -8}\n")
    found = [str(error) for error in check_rules(made, {"freezer": FREEZER})]
    assert found == [
        (
            "rules.yaml:10:29: rules.0.overrides.0.when: the profile 'freezer' has no field 'temprature'; "
            "did you mean 'temperature'?"
        )
    ]


def test_a_mistake_of_the_rule_itself_is_named_once() -> None:
    made = ruleset(TOO_WARM.replace("> -12", "> 'x'") + "overrides:\n  - {customer: a, for: 3m}\n")
    assert len(check_rules(made, {"freezer": FREEZER})) == 1


def test_what_counts_devices_or_makes_offers_has_no_overrides() -> None:
    text = "rules:\n  - {id: o, kind: proximity, overrides: [{customer: a, off: true}]}"
    with pytest.raises(InvalidFileError, match="same for every device"):
        parse_rules(text, "r.yaml")


@pytest.mark.parametrize(
    "rule",
    [
        "id: r\nkind: change\nfield: power\nrise: 5\nwithin: 1h\noverrides: [{customer: a, rise: 9}]",
        "id: r\nkind: absent\noverrides: [{customer: a, for: 9h}]",
        "id: r\nkind: forecast\nfield: power\nlimit: 9\noverrides: [{customer: a, limit: 12}]",
        "id: r\nkind: anomaly\nfield: power\noverrides: [{customer: a, sensitivity: low}]",
        "id: r\nkind: maintenance\noverrides: [{customer: a, plans: [seal]}]",
        "id: r\nkind: error_code\noverrides: [{customer: a, codes: [E5]}]",
        "id: r\nkind: sequence\nfirst: power > 1\nthen: power < 1\nwithin: 1h\noverrides: [{customer: a, within: 2h}]",
        "id: r\nkind: geofence\nsite_radius_m: 50\non: exit\noverrides: [{customer: a, site_radius_m: 500}]",
    ],
)
def test_rules_of_every_kind_can_be_otherwise(rule: str) -> None:
    made = Detector(ruleset(rule), {"freezer": FREEZER})
    there, here = made.plan_for(of()).evaluators["r"], made.plan_for(of(customer_id="a")).evaluators["r"]
    assert here.override is not None
    assert there.override is None
    assert (here.rule, there.rule) != (there.rule, here.rule)
    assert here.override["here"].keys() == here.override["otherwise"].keys()


def test_settings_that_are_the_same_everywhere_exist() -> None:
    names = {field.alias or name for model in KINDS.values() for name, field in model.model_fields.items()}
    assert names >= NOT_OVERRIDDEN
    assert len(set(SELECTORS)) == 5
