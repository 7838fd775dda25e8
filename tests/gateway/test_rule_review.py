"""Which rules want a second look."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from device_models.profile import GENERIC
from gateway import commands as c
from gateway.cli.rules import app
from gateway.people.registry import load_registry
from gateway.rulebook.review import RuleReview, review
from gateway.store import schema
from tests.gateway.making import FREEZER, T0, TOO_WARM, Gateway, gateway

RULES = (
    TOO_WARM
    + """
  - {id: humid, kind: condition, profile: freezer, when: humidity > 80}
  - {id: on-trial, kind: condition, profile: freezer, when: temperature > -10, mode: shadow, severity: critical}
  - {id: nobodys, kind: condition, profile: heat-pump, when: pressure < 1}
"""
)


@pytest.fixture
def running(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    with gateway(store_url, tmp_path, rules=RULES) as made:
        yield made


def reviewed(running: Gateway, days: int = 30) -> Mapping[str, RuleReview]:
    profiles = {GENERIC.name: GENERIC, FREEZER.name: FREEZER}
    with running.store.read() as connection:
        found = review(
            connection,
            running.committer.detector,
            profiles,
            load_registry(connection).devices,
            running.now - timedelta(days=days),
            running.now,
        )
    return {rule.rule: rule for rule in found}


def too_warm(running: Gateway, day: int) -> None:
    for minute, celsius in ((0, -18), (5, -5), (10, -5), (16, -5), (30, -18)):
        running.temperature(celsius, day * 1440 + minute)


def test_a_rule_that_fired_wants_no_second_look(running: Gateway) -> None:
    too_warm(running, 0)
    rule = reviewed(running)["freezer-too-warm"]
    assert (rule.firings, rule.cases, rule.devices, rule.findings) == (1, 1, 1, [])


def test_a_rule_that_reads_what_nobody_sends_is_named(running: Gateway) -> None:
    too_warm(running, 0)
    assert reviewed(running)["humid"].findings == [
        "reads humidity, which is sent by no device (any more)",
        "never fired in this time",
    ]


def test_a_field_that_devices_stopped_to_send_is_named_after_a_week(running: Gateway) -> None:
    running.publish("devices/f1/status", {"humidity": 50, "temperature": -18, "ts": T0.timestamp()}, T0)
    assert reviewed(running)["humid"].unsent == ()
    running.temperature(-18, 8 * 1440)
    assert reviewed(running)["humid"].unsent == ("humidity",)


def test_a_rule_for_devices_that_are_not_there_is_named(running: Gateway) -> None:
    too_warm(running, 0)
    assert reviewed(running)["nobodys"].findings == ["applies to no device that was heard"]


def test_a_rule_whose_cases_staff_dismiss_is_named(running: Gateway) -> None:
    for day in range(0, 9, 3):
        for minute, celsius in ((0, -18), (5, -5), (10, -5), (16, -5)):
            running.temperature(celsius, day * 1440 + minute)
        open_case = running.rows(schema.cases, state="open")[-1]
        running.submit(c.Resolve(open_case["id"], "anna", "False alarm: door was open"))
        running.temperature(-18, day * 1440 + 30)
    rule = reviewed(running)["freezer-too-warm"]
    assert (rule.cases, rule.dismissed) == (3, 3)
    assert rule.findings == ["3 of 3 cases were dismissed as nothing"]


def test_what_a_rule_in_shadow_would_have_done_is_listed(running: Gateway) -> None:
    for day in (0, 2):
        too_warm(running, day)
    rule = reviewed(running)["on-trial"]
    assert rule.trial is not None
    assert [(case.device_id, case.customer_id, case.at) for case in rule.trial.cases] == [
        ("f1", "ana", T0 + timedelta(days=2, minutes=5)),
        ("f1", "ana", T0 + timedelta(minutes=5)),
    ]
    assert (rule.cases, rule.trial.customers, rule.trial.hours) == (0, 1, {10: 2})


def test_what_is_older_than_asked_for_does_not_count(running: Gateway) -> None:
    too_warm(running, 0)
    running.temperature(-18, 3 * 1440)
    assert reviewed(running, days=2)["freezer-too-warm"].firings == 0


def test_the_command_line_says_it_in_sentences_and_in_json(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "rules.yaml").write_text(TOO_WARM, "utf-8")
    config = tmp_path / "gateway.toml"
    config.write_text(
        f'data_dir = "{tmp_path / "data"}"\n[rules]\nbuiltin = false\npaths = ["{tmp_path / "rules.yaml"}"]\n', "utf-8"
    )
    result = CliRunner().invoke(app, ["review", "-c", str(config)])
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[1] == "    applies to no device that was heard"
    result = CliRunner().invoke(app, ["review", "--json", "--since", "7d", "-c", str(config)])
    assert json.loads(result.stdout)["findings"] == ["applies to no device that was heard"]
    assert "looked back 7d" in result.stderr
