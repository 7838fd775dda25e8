from pathlib import Path

import pytest

import device_models
import rules
from device_models.profile import PositionOf
from device_models.profile_files import parse_profile
from device_models.yaml_lines import InvalidFileError, load_yaml
from rules.authoring.rule_tests import read_cases, run_case
from rules.schema import parse_rules
from tests.rules.making import FREEZER

RULES = """\
rules:
  - {id: warm, kind: condition, profile: freezer, when: temperature > -12, for: 10m, clear_when: temperature < -15}
  - {id: codes, kind: error_code}
tests:
  - name: a warm freezer
    rule: warm
    given:
      - {at: 0m, values: {temperature: -18}}
      - {at: 5m, until: 20m, every: 5m, values: {temperature: -11}}
      - {at: 25m, values: {temperature: -16}}
    expect: {pending: [5m], firing: [15m], resolved: [25m], inactive: []}
"""


def outcomes(text: str) -> list[tuple[str, ...]]:
    ruleset = parse_rules(text, "r.yaml")
    cases = read_cases(load_yaml(text, "r.yaml"))
    return [run_case(case, line, ruleset, {"freezer": FREEZER}).failures for case, line in cases]


def test_a_case_that_agrees_passes() -> None:
    assert outcomes(RULES) == [()]


@pytest.mark.parametrize(
    ("old", "new", "failure"),
    [
        ("firing: [15m]", "firing: [14m]", "firing: expected 14m, was 15m"),
        ("firing: [15m]", "firing: []", "firing: expected never, was 15m"),
        ("resolved: [25m]", "resolved: [25m, 40m]", "resolved: expected 25m, 40m, was 25m"),
        ("rule: warm", "rule: wram", "there is no rule 'wram'"),
        ("rule: warm", "rule: codes", "profile: name one of freezer"),
        ("every: 5m", "every: 1ms", "given: makes more than 100000 messages"),
    ],
)
def test_a_case_that_does_not_agree_says_what_was_so(old: str, new: str, failure: str) -> None:
    assert failure in outcomes(RULES.replace(old, new))[0]


def test_presence_errors_sweeps_and_answers_can_be_given() -> None:
    text = """\
rules:
  - {id: silent, kind: absent, profile: freezer}
  - {id: codes, kind: error_code, profile: freezer}
  - {id: service, kind: maintenance, profile: freezer}
tests:
  - name: lwt
    rule: silent
    given: [{at: 0m}, {at: 2m, online: false}]
    expect: {firing: [7m]}
    until: 1h
  - name: error
    rule: codes
    fault: E5
    given: [{at: 0m}, {at: 2m, error: E5}, {at: 3m, error: 0}]
    expect: {firing: [2m], resolved: [3m]}
  - name: service
    rule: service
    fault: filter
    given:
      - {at: 0m, values: {running_hours: 1850}}
      - {at: 1m, values: {running_hours: 1950}}
      - {at: 2m, sweep: true}
      - {at: 3m, serviced: filter}
    expect: {firing: [1m], resolved: [3m]}
"""
    assert outcomes(text) == [(), (), ()]


FIXES = """\
rules:
  - {id: yard, kind: geofence, circle: {latitude: 52.5, longitude: 13.4, radius_m: 200}, on: exit}
  - {id: site, kind: geofence, site_radius_m: 200, on: enter}
  - id: depots
    kind: geofence
    zones: [{id: north, circle: {latitude: 52.6, longitude: 13.4, radius_m: 200}}]
    on: dwell
    for: 10m
  - {id: near, kind: proximity}
tests:
  - name: taken away
    rule: yard
    profile: freezer
    given:
      - {at: 0m, until: 3m, every: 1m, fix: {latitude: 52.5, longitude: 13.4}}
      - {at: 4m, until: 6m, every: 1m, fix: {latitude: 52.51, longitude: 13.4, accuracy_m: 8}}
    expect: {firing: [5m], resolved: []}
  - name: back at its site
    rule: site
    profile: freezer
    latitude: 52.5
    longitude: 13.4
    given:
      - {at: 0m, until: 3m, every: 1m, fix: {latitude: 52.51, longitude: 13.4}}
      - {at: 4m, until: 6m, every: 1m, fix: {latitude: 52.5, longitude: 13.4}}
    expect: {firing: [5m]}
  - name: at the northern depot
    rule: depots
    profile: freezer
    fault: north
    given:
      - {at: 0m, fix: {latitude: 52.5, longitude: 13.4}}
      - {at: 4m, until: 20m, every: 1m, fix: {latitude: 52.6, longitude: 13.4}}
    expect: {pending: [5m], firing: [14m]}
  - name: a visit
    rule: near
    profile: phone
    fault: mitte
    shops: [{id: mitte, name: Mitte, latitude: 52.5, longitude: 13.4, radius_m: 150}]
    given:
      - {at: 0m, fix: {latitude: 52.51, longitude: 13.4}}
      - {at: 30m, until: 32m, every: 1m, fix: {latitude: 52.5, longitude: 13.4, speed_m_s: 0.5}}
      - {at: 40m, fix: {latitude: 52.51, longitude: 13.4}}
    expect: {firing: [31m], resolved: [40m]}
"""


def test_fixes_can_be_given_to_geofences_and_to_proximity() -> None:
    phone = FREEZER.model_copy(update={"name": "phone", "position_of": PositionOf.PERSON})
    ruleset = parse_rules(FIXES, "r.yaml")
    cases = read_cases(load_yaml(FIXES, "r.yaml"))
    profiles = {"freezer": FREEZER, "phone": phone}
    assert [run_case(case, line, ruleset, profiles).failures for case, line in cases] == [(), (), (), ()]
    wrong = read_cases(load_yaml(FIXES.replace("firing: [31m]", "firing: [30m]"), "r.yaml"))[-1]
    assert run_case(*wrong, ruleset, profiles).failures == ("firing: expected 30m, was 31m",)
    with pytest.raises(InvalidFileError, match="fix goes with values"):
        read_cases(load_yaml(FIXES.replace("at: 40m,", "at: 40m, online: true,"), "r.yaml"))


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("until: 20m, every: 5m", "until: 20m", 9, "until and every belong together"),
        ("until: 20m, every: 5m", "until: 4m, every: 5m", 9, "until is before at"),
        ("pending: [5m]", "waiting: [5m]", 11, "'inactive', 'pending', 'firing' or 'resolved'"),
        ("pending: [5m]", "pending: [5]", 11, "is no duration"),
        ("rule: warm", "rul: warm", 6, "no field known here"),
    ],
)
def test_a_mistake_in_a_case_is_named_with_its_place(old: str, new: str, line: int, message: str) -> None:
    with pytest.raises(InvalidFileError) as raised:
        read_cases(load_yaml(RULES.replace(old, new), "r.yaml"))
    assert any(error.line == line and message in error.message for error in raised.value.errors)


def test_the_cases_beside_the_rules_that_are_shipped_pass() -> None:
    folder = Path(device_models.__file__).parent / "profiles"
    profiles = {p.name: p for p in (parse_profile(f.read_text("utf-8"), f.name) for f in folder.glob("*.yaml"))}
    count = 0
    for file in sorted((Path(rules.__file__).parent / "examples").glob("*.yaml")):
        text = file.read_text("utf-8")
        for case, line in read_cases(load_yaml(text, file.name)):
            assert run_case(case, line, parse_rules(text, file.name), profiles).failures == (), case.name
            count += 1
    assert count >= 15
