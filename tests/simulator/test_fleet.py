"""``simulator/fleet.py``: the seed decides what is left open, causes act, people help, and the truth is told."""

import json
from datetime import UTC, date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from simulator.fleet import STEP, Fleet, UnknownTargetError
from simulator.machines.base import Publish
from simulator.machines.bike import BikeMachine
from simulator.machines.cause import Cause, UnknownCauseError
from simulator.machines.freezer import FreezerMachine
from simulator.machines.heat_pump import HeatPumpMachine
from simulator.machines.phone import PhoneMachine
from simulator.physics.freezer import SPOILED_C
from simulator.scenario import JourneyKind, Scenario
from simulator.truth import TruthLog
from tests.simulator.making import START, after, fleet


def demo(seed: int, hours: float = 1.0) -> tuple[list[dict[str, Any]], list[Publish]]:
    """Play the demo; return truth and messages."""
    play = Scenario.load("demo")
    begins, truth = play.begins(date(2026, 11, 24)).astimezone(UTC), TruthLog()
    messages = Fleet(play, seed, begins, truth).advance(begins + timedelta(hours=hours))
    return truth.lines, messages


def freezer(play: Fleet, name: str = "freezer-01") -> FreezerMachine:
    machine = play.machine(name)
    assert isinstance(machine, FreezerMachine)
    return machine


def statuses(messages: list[Publish], device_id: str) -> list[dict[str, Any]]:
    return [json.loads(m.payload) for m in messages if m.topic == f"devices/{device_id}/status"]


def test_the_same_seed_gives_the_same_truth_and_the_same_messages() -> None:
    assert demo(7) == demo(7)


def test_another_seed_gives_other_faults() -> None:
    def faults(lines: list[dict[str, Any]]) -> set[tuple[str, str]]:
        return {(line["cause"], line["device_id"]) for line in lines if line["event"] == "fault"}

    assert len({frozenset(faults(demo(seed)[0])) for seed in range(4)}) == 4


def test_the_truth_does_not_depend_on_how_often_the_clock_is_looked_at() -> None:
    coarse, fine = fleet(), fleet()
    for play, minutes in ((coarse, 30), (fine, 0.4)):
        play.begin_fault(Cause.DOOR_LEFT_OPEN, "freezer-01", "scenario")
        looks = int(180 / minutes)
        for look in range(1, looks + 1):
            play.advance(after(minutes=look * minutes))
    assert coarse.truth.lines == fine.truth.lines
    assert coarse.now == fine.now


def test_one_more_product_leaves_the_others_as_they_were() -> None:
    more = {"id": "heatpump-02", "name": "WP", "site": "jonas-home", "model": "A8"}
    one = {"id": "heatpump-01", "name": "Wärmepumpe", "site": "lena-home", "model": "A8"}
    few, many = fleet(heat_pumps=[one]), fleet(heat_pumps=[one, more])
    few_said, many_said = few.advance(after(hours=2)), many.advance(after(hours=2))
    assert statuses(few_said, "freezer-01") == statuses(many_said, "freezer-01")


@pytest.mark.parametrize("seed", range(2))
def test_days_of_look_alikes_harm_nothing(seed: int) -> None:
    play = Scenario.load("clean-month")
    begins, truth = play.begins(date(2026, 11, 2)).astimezone(UTC), TruthLog()
    clean = Fleet(play, seed, begins, truth)
    warm_minutes = dict.fromkeys(clean.machines, 0.0)
    for step in range(1, 3 * 24 * 60):
        clean.advance(begins + timedelta(minutes=step))
        for machine in clean.machines.values():
            assert not machine.harmed, machine.id
            if isinstance(machine, FreezerMachine):
                warm = machine.physics.air_c > -12
                warm_minutes[machine.id] = warm_minutes[machine.id] + 1 if warm else 0
                assert warm_minutes[machine.id] < 10, machine.id
    assert truth.faults == []
    assert {line["kind"] for line in truth.lines if line["event"] == "look_alike"}


def test_without_help_the_harm_comes_when_the_forecast_said() -> None:
    play = fleet()
    fault = play.begin_fault(Cause.DOOR_LEFT_OPEN, "freezer-01", "scenario")
    assert fault.unwarned_harm_at is not None
    play.advance(fault.unwarned_harm_at + timedelta(minutes=30))
    assert fault.harm_at is not None
    assert abs(fault.harm_at - fault.unwarned_harm_at) < timedelta(minutes=6)
    assert freezer(play).physics.food_c >= SPOILED_C
    assert [line["harm"] for line in play.truth.lines if line["event"] == "harm"] == ["food spoiled"]


def test_a_forecast_leaves_the_product_as_it_is() -> None:
    asked, left_alone = fleet(), fleet()
    for play in (asked, left_alone):
        play.begin_fault(Cause.SEAL_LEAK, "freezer-01", "scenario")
    freezer(asked).forecast(asked.now)
    assert asked.advance(after(hours=1)) == left_alone.advance(after(hours=1))


def test_a_customer_who_is_told_closes_the_door_within_a_quarter_of_an_hour_and_it_cools_again() -> None:
    for seed in range(5):
        play = fleet(seed)
        fault = play.begin_fault(Cause.DOOR_LEFT_OPEN, "freezer-01", "scenario")
        play.advance(after(minutes=20))
        play.customer_told("lena", "freezer-01", play.now)
        play.customer_told("lena", "freezer-01", play.now)
        play.advance(after(minutes=36))
        if fault.mended_at is None:
            continue
        assert after(minutes=25) <= fault.mended_at <= after(minutes=35, seconds=5)
        play.advance(after(hours=2))
        assert freezer(play).physics.air_c < -15
        assert fault.harm_at is None
        assert [line["by"] for line in play.truth.lines if line["event"] == "mended"] == ["customer"]
        return
    pytest.fail("of five customers none helped")


def test_nobody_mends_a_noise_because_of_a_message() -> None:
    play = fleet()
    fault = play.begin_fault(Cause.FAN_BEARING, "freezer-01", "scenario")
    play.customer_told("lena", "freezer-01", play.now)
    play.advance(after(hours=6))
    assert fault.mended_at is None
    assert not fault.shows


def test_the_announcement_of_a_service_makes_nobody_look_for_a_leak() -> None:
    for seed in range(5):
        play = fleet(seed)
        fault = play.begin_fault(Cause.WATER_LEAK, "heatpump-01", "scenario", rate=0.5)
        play.customer_told("lena", "heatpump-01", play.now, kind="maintenance")
        play.advance(after(hours=1))
        assert fault.mended_at is None


@pytest.mark.parametrize("seed", [1, 2])
def test_in_the_demo_only_what_is_broken_comes_to_harm(seed: int) -> None:
    play = Scenario.load("demo")
    begins, truth = play.begins(date(2026, 11, 24)).astimezone(UTC), TruthLog()
    whole = Fleet(play, seed, begins, truth)
    harmed: set[str] = set()
    for minute in range(0, 8 * 60, 2):
        whole.advance(begins + timedelta(minutes=minute))
        harmed |= {machine.id for machine in whole.machines.values() if machine.harmed}
    assert harmed
    assert harmed <= {device_id for fault in truth.faults for device_id in fault.devices}


def test_what_needs_tools_waits_for_the_technician() -> None:
    for seed in range(5):
        play = fleet(seed)
        fault = play.begin_fault(Cause.START_CAPACITOR, "freezer-01", "scenario")
        play.customer_told("lena", "freezer-01", play.now)
        play.advance(after(hours=5))
        if fault.mended_at is not None:
            assert fault.mended_at >= after(hours=2)
            return
    pytest.fail("of five customers none called the technician")


def test_an_unplugged_freezer_says_so_on_its_buffer_battery_and_falls_silent_in_the_end() -> None:
    play = fleet()
    play.begin_fault(Cause.UNPLUGGED, "freezer-01", "scenario")
    said = statuses(play.advance(after(hours=1)), "freezer-01")
    assert said[0]["mains_ok"] is False
    assert said[-1]["power"] == 0
    assert "sim-freezer-01" in play.links_up()
    play.advance(after(hours=9))
    assert "sim-freezer-01" not in play.links_up()
    assert statuses(play.advance(after(hours=10)), "freezer-01") == []


def test_a_mains_cut_silences_all_at_the_site_that_have_no_battery_and_nobody_elsewhere() -> None:
    play = fleet()
    play.advance(after(minutes=5))
    assert play.links_up() == set(play.links())
    fault = play.begin_fault(Cause.MAINS_CUT, "lena-home", "panel")
    play.advance(after(minutes=10))
    assert set(play.links()) - play.links_up() == {"DVES_plug-01", "sim-heatpump-01"}
    assert set(fault.devices) == {"freezer-01", "plug-01", "heatpump-01", "bike-01"}
    play.mend("lena-home", "panel")
    assert play.links_up() == set(play.links())


def test_a_second_cut_of_the_same_site_is_the_same_fault() -> None:
    play = fleet()
    first = play.begin_fault(Cause.MAINS_CUT, "lena-home", "panel")
    assert play.begin_fault(Cause.MAINS_CUT, "lena-home", "panel") is first


def test_a_planned_power_cut_ends_by_itself_but_not_a_fault_that_came_in_between() -> None:
    plans = [{"kind": "planned-power-cut", "at": "10m", "among": ["lena-home"], "lasts": "8m"}]
    play = fleet(look_alikes=plans)
    play.advance(after(minutes=12))
    assert "sim-heatpump-01" not in play.links_up()
    play.advance(after(minutes=19))
    assert "sim-heatpump-01" in play.links_up()
    cut = fleet(look_alikes=plans)
    cut.advance(after(minutes=12))
    cut.begin_fault(Cause.MAINS_CUT, "lena-home", "panel")
    cut.advance(after(minutes=30))
    assert not cut.sites["lena-home"].mains_ok


def test_a_broken_flow_sensor_sends_a_code_and_no_value() -> None:
    play = fleet()
    before = statuses(play.advance(after(minutes=3)), "heatpump-01")
    play.begin_fault(Cause.FLOW_SENSOR_BROKEN, "heatpump-01", "scenario")
    said = statuses(play.advance(after(minutes=6)), "heatpump-01")
    assert all("flow_temperature" in status and status["code"] == "" for status in before)
    assert all("flow_temperature" not in status and status["code"] == "E30" for status in said)


def test_a_leaking_circuit_stops_the_heat_pump_with_a_code() -> None:
    play = fleet()
    fault = play.begin_fault(Cause.WATER_LEAK, "heatpump-01", "scenario", rate=4.0)
    said = statuses(play.advance(after(hours=6)), "heatpump-01")
    assert said[-1]["code"] == "E11"
    assert fault.harm == "heating stopped"
    pump = play.machine("heatpump-01")
    assert isinstance(pump, HeatPumpMachine)
    play.mend("heatpump-01", "technician")
    play.advance(after(hours=7))
    assert pump.code == ""


def test_a_bike_rides_its_shift_comes_home_and_charges() -> None:
    play = fleet()
    bike = play.machine("bike-01")
    assert isinstance(bike, BikeMachine)
    full_pct = bike.physics.battery_pct
    play.advance(after(minutes=50))
    assert play.machine("bike-01").values()["away"]
    assert bike.physics.odometer_km > 2
    assert bike.physics.battery_pct < full_pct + 5
    play.advance(after(hours=2.5))
    assert not bike.away
    assert bike.physics.charging or bike.physics.battery_pct > 99


def test_a_phone_is_quiet_in_the_tunnel_and_reports_its_way_elsewhere() -> None:
    play = fleet(city={**_city(), "columns": 40, "rows": 30})
    phone = play.machine("lena/phone")
    assert isinstance(phone, PhoneMachine)
    play.set_out(JourneyKind.DRIVE_THROUGH_TUNNEL, "lena", None)
    fixes = [json.loads(m.payload) for m in play.advance(after(minutes=30)) if m.topic == "owntracks/lena/phone"]
    gaps = [b["tst"] - a["tst"] for a, b in pairwise(fixes) if b["vel"] > 0]
    assert max(gaps) >= 180
    assert sorted(gaps)[len(gaps) // 2] == 20


def test_every_time_a_product_states_is_the_plays_time() -> None:
    play = fleet()
    for minute in range(1, 30):
        now = after(minutes=minute)
        for message in play.advance(now):
            payload = json.loads(message.payload)
            if "tst" in payload:
                assert now.timestamp() - 60 < payload["tst"] <= now.timestamp()
    assert after(minutes=29) - play.now < STEP


def test_a_healthy_product_is_heard_as_often_as_its_profile_says() -> None:
    said = statuses(fleet().advance(after(hours=1)), "freezer-01")
    assert 58 <= len(said) <= 75


def test_what_does_not_exist_or_cannot_fail_so_is_refused() -> None:
    play = fleet()
    with pytest.raises(UnknownTargetError, match="freezer-99"):
        play.begin_fault(Cause.SEAL_LEAK, "freezer-99", "panel")
    with pytest.raises(UnknownTargetError, match="nowhere"):
        play.begin_fault(Cause.MAINS_CUT, "nowhere", "panel")
    with pytest.raises(UnknownCauseError, match="water-leak"):
        play.begin_fault(Cause.SEAL_LEAK, "heatpump-01", "panel")
    with pytest.raises(UnknownTargetError, match="lena"):
        fleet(phones=[]).set_out(JourneyKind.STROLL, "lena", None)
    assert play.truth.faults == []


def test_the_truth_is_written_as_it_happens(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    with TruthLog(path) as truth:
        play = Fleet(Scenario.load("freezer-seal"), 1, START, truth)
        play.advance(after(minutes=11))
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert lines == truth.lines
    assert [(line["event"], line["cause"], line["device_id"]) for line in lines] == [
        ("fault", "seal-leak", "freezer-worn")
    ]
    assert lines[0]["unwarned_harm_at"] > lines[0]["at"]


def _city() -> dict[str, Any]:
    return fleet().scenario.city.model_dump()
