"""The fleet under the rules that the wheel ships: what is broken is found in time, and what is not stays quiet."""

from datetime import timedelta

import pytest

from device_models.event import rfc3339
from gateway.bench import clean_month
from gateway.bench.watching import Watch
from simulator.scenario import Scenario


@pytest.mark.parametrize("seed", [1, 2])
def test_the_demos_faults_are_found_but_those_that_no_rule_covers_and_told_before_the_harm(seed: int) -> None:
    watch = Watch("demo", seed)
    result = watch.run(hours=6)
    assert set(result.missed) == {"fan-bearing", "display-dead"}
    assert result.false_cases == 0, [case for case in watch.cases if case["kind"] != "maintenance"]
    harmful = [fault for fault in watch.truth.faults if fault.unwarned_harm_at is not None]
    assert result.told_before_harm >= len([fault for fault in harmful if fault.shows]) - 1
    assert result.p50_lead_s is not None
    assert result.p50_lead_s > 30 * 60


def test_the_first_simulated_hour_of_the_demo_shows_each_kind_of_help() -> None:
    watch = Watch("demo", 1)
    watch.run(hours=1)
    kinds = {case["kind"] for case in watch.cases}
    assert kinds >= {"condition", "error_code", "maintenance"}
    assert any(case["resolved_at"] for case in watch.cases if case["kind"] == "condition")
    assert any(visit.withheld is None for visit in watch.visits)


def test_the_demos_visits_are_those_at_which_the_truth_says_an_offer_was_due() -> None:
    watch = Watch("demo", 1)
    watch.run(hours=1)
    entered_by = rfc3339(watch.begins + timedelta(minutes=50))
    passes = [line for line in watch.truth.lines if line["event"] == "shop_pass" and line["at"] < entered_by]
    due = {(line["device_id"], line["shop_id"]) for line in passes if line["offer_due"]}
    visited = {(visit.device_id, visit.shop_id) for visit in watch.visits if visit.withheld is None}
    assert due
    assert due <= visited


def test_days_without_a_fault_open_no_case() -> None:
    watch = Watch("clean-month", 1)
    watch.run(hours=48)
    assert [line for line in watch.truth.lines if line["event"] == "look_alike"]
    assert [case for case in watch.cases if case["kind"] != "maintenance"] == []


def test_the_clean_months_false_alarms_are_counted_by_device_month(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["clean_month", "--days", "0.1", "--seeds", "2"])
    clean_month.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines[:2]] == ["seed 1", "seed 2"]
    devices = len(Scenario.load("clean-month").registry().devices)
    assert lines[-1] == f"0 false alarms in {2 * 0.1 * devices / 30:.2g} device-months"
