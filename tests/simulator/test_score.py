"""``simulator/score.py``: each of the six figures, on cases that one can count by hand."""

from datetime import datetime, timedelta
from typing import Any

from device_models.event import rfc3339
from simulator.score import AFTERMATH, score
from simulator.truth import Fault
from tests.simulator.making import after


def fault(
    device_id: str,
    at_min: float,
    harm_min: float | None = None,
    mended_min: float | None = None,
    cause: str = "seal-leak",
) -> Fault:
    return Fault(
        id=f"{cause}-{device_id}",
        cause=cause,
        at=after(minutes=at_min),
        device_id=device_id,
        devices=(device_id,),
        customer_id="lena",
        by="scenario",
        shows=True,
        unwarned_harm_at=None if harm_min is None else after(minutes=harm_min),
        mended_at=None if mended_min is None else after(minutes=mended_min),
    )


def case(device_id: str | None, opened_min: float, kind: str = "condition", **more: Any) -> dict[str, Any]:
    return {"device_id": device_id, "opened_at": rfc3339(after(minutes=opened_min)), "kind": kind, **more}


def message(device_id: str, told_min: float | None, purpose: str = "fault") -> dict[str, Any]:
    told_at: datetime | None = None if told_min is None else after(minutes=told_min)
    return {"device_id": device_id, "customer_id": "lena", "told_at": told_at, "purpose": purpose}


def test_nothing_injected_and_nothing_opened_scores_nothing() -> None:
    assert score([], [], []).as_dict() == {
        "faults_injected": 0,
        "faults_detected": 0,
        "false_cases": 0,
        "p50_detect_s": None,
        "p50_lead_s": None,
        "told_before_harm": 0,
    }


def test_the_figures_of_a_run_that_can_be_counted_by_hand() -> None:
    faults = [fault("a", 10, harm_min=100), fault("b", 20, harm_min=50), fault("c", 30, cause="fan-bearing")]
    cases = [case("a", 40), case("a", 60), case("b", 30), case("d", 15)]
    messages = [message("a", 42), message("a", 70), message("b", 55), message("b", None)]
    result = score(faults, cases, messages)
    assert result.as_dict() == {
        "faults_injected": 3,
        "faults_detected": 2,
        "false_cases": 1,
        "p50_detect_s": 20 * 60,
        "p50_lead_s": (58 - 5) / 2 * 60,
        "told_before_harm": 1,
    }
    assert result.missed == {"fan-bearing": ["c"]}


def test_a_case_before_the_cause_is_false_and_detects_nothing() -> None:
    result = score([fault("a", 30)], [case("a", 29)], [])
    assert (result.faults_detected, result.false_cases) == (0, 1)


def test_a_case_soon_after_the_mend_is_still_about_the_fault_and_a_late_one_is_not() -> None:
    aftermath_min = AFTERMATH / timedelta(minutes=1)
    mended = fault("a", 0, mended_min=10)
    assert score([mended], [case("a", 10 + aftermath_min)], []).false_cases == 0
    assert score([mended], [case("a", 11 + aftermath_min)], []).false_cases == 1


def test_a_mains_cut_is_detected_on_any_device_of_the_site() -> None:
    cut = fault("site", 0, cause="mains-cut")
    cut.devices = ("x", "y")
    result = score([cut], [case("y", 5), case("x", 9)], [])
    assert (result.faults_detected, result.false_cases, result.p50_detect_s) == (1, 0, 300)


def test_a_due_service_is_neither_a_detection_nor_a_false_alarm() -> None:
    service, told = case("a", 5, "maintenance", id=7), message("a", 6, "maintenance")
    for messages in ([told], [{**told, "case_id": 7}]):
        result = score([fault("a", 0, harm_min=60)], [service], messages)
        assert (result.faults_detected, result.false_cases, result.told_before_harm) == (0, 0, 0)


def test_a_full_filter_that_a_rule_found_counts_though_its_message_speaks_of_maintenance() -> None:
    found = case("a", 5, id=7, purpose="maintenance")
    told = {**message("a", 6, "maintenance"), "case_id": 7}
    result = score([fault("a", 0, harm_min=60)], [found], [told])
    assert (result.faults_detected, result.told_before_harm) == (1, 1)


def test_lead_counts_to_the_harm_that_came_rather_than_to_the_forecast() -> None:
    late = fault("a", 0, harm_min=100)
    late.harm_at = after(minutes=90)
    assert score([late], [case("a", 10)], [message("a", 20)]).p50_lead_s == 70 * 60


def test_cases_of_no_device_are_left_out() -> None:
    assert score([], [case(None, 5)], []).false_cases == 0
