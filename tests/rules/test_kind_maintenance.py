from collections.abc import Iterable
from datetime import timedelta

from device_models.purpose import Purpose, Severity
from rules.evaluator import Fact
from rules.inputs import Input, Serviced, Snoozed, Sweep
from rules.state import DeviceState
from rules.transition import Transition
from tests.rules.making import FREEZER, at, context, detector, facts_of, status, told

DETECTOR = detector("{id: service, kind: maintenance, plans: [filter]}")
CALENDAR = detector("{id: service, kind: maintenance, plans: [seal]}")
DAY = 24 * 60.0


def runs(days: int, *, start: float, per_day: float, first_day: int = 0) -> list[Input]:
    """A device that counts hours and is swept once a day."""
    items: list[Input] = []
    for day in range(first_day, first_day + days):
        items.append(status(day * DAY, {"running_hours": start + per_day * (day - first_day)}))
        items.append(Sweep("f1", at(day * DAY + 1)))
    return items


def phases(facts: Iterable[Fact]) -> list[tuple[str, str | None, float]]:
    return [
        (fact.state.value, fact.explanation.get("phase"), round((fact.at - at(0)) / timedelta(days=1), 2))
        for fact in facts
        if isinstance(fact, Transition)
    ]


def test_notice_comes_before_the_predicted_date_and_again_when_it_is_due() -> None:
    facts = facts_of(DETECTOR, runs(70, start=1600, per_day=8))
    # 400 hours at 8 a day are 50 days; two weeks before is day 36.
    assert phases(facts) == [("firing", "upcoming", 36.0), ("firing", "due", 50.0)]
    notice, due = (fact for fact in facts if isinstance(fact, Transition))
    assert (notice.purpose, notice.severity, due.severity) == (Purpose.MAINTENANCE, Severity.INFO, Severity.MINOR)
    assert notice.fault == "filter"
    assert notice.explanation["title"] == {"en": "Change the filter"}
    assert str(notice.explanation["due_at"]).startswith("2026-04-20")
    assert (notice.explanation["field"], notice.explanation["limit"]) == ("running_hours", 2000.0)
    assert due.explanation["reminder"] is True


def test_the_counter_of_a_device_first_met_counts_from_the_last_multiple() -> None:
    facts = facts_of(DETECTOR, runs(3, start=5990, per_day=8))
    assert isinstance(facts[0], Transition)
    assert facts[0].explanation["limit"] == 6000.0
    assert not facts[0].on_arrival


def test_without_a_rate_notice_comes_when_a_twentieth_is_left() -> None:
    early: list[Input] = [status(0, {"running_hours": 1899}), Sweep("f1", at(1))]
    near: list[Input] = [status(0, {"running_hours": 1900}), Sweep("f1", at(1))]
    assert facts_of(DETECTOR, early) == []
    facts = facts_of(DETECTOR, near)
    assert phases(facts) == [("firing", "upcoming", 0.0)]
    assert isinstance(facts[0], Transition)
    assert "due_at" not in facts[0].explanation
    assert facts[0].explanation["limits"] == [
        {"limit": "running_hours", "every": 2000.0, "used": 1900.0, "left": 100.0, "due_at": None}
    ]


def test_done_resolves_and_counts_from_there() -> None:
    done = Serviced("f1", "filter", at(51 * DAY))
    later = runs(60, start=2008, per_day=8, first_day=51)
    facts = facts_of(DETECTOR, [*runs(51, start=1600, per_day=8), done, *later])
    assert phases(facts)[2:] == [("resolved", None, 51.0)]
    assert isinstance(facts[2], Transition)
    assert facts[2].explanation["reason"] == "serviced"


def test_later_means_not_before_then() -> None:
    items = runs(60, start=1600, per_day=8)
    snoozed = Snoozed("f1", "filter", at(45 * DAY), at(37 * DAY))
    index = items.index(Sweep("f1", at(37 * DAY + 1)))
    facts = facts_of(DETECTOR, [*items[:index], snoozed, *items[index:]])
    assert phases(facts) == [("firing", "upcoming", 36.0), ("firing", "upcoming", 45.0), ("firing", "due", 50.0)]


def test_later_ends_at_the_very_time_that_was_asked_for() -> None:
    items = runs(60, start=1600, per_day=8)
    snoozed = Snoozed("f1", "filter", at(45 * DAY + 1), at(37 * DAY))
    index = items.index(Sweep("f1", at(37 * DAY + 1)))
    facts = facts_of(DETECTOR, [*items[:index], snoozed, *items[index:]])
    assert [round(day) for _, _, day in phases(facts)] == [36, 45, 50]


def test_the_calendar_counts_from_the_day_of_meeting() -> None:
    items: list[Input] = [status(0, {"temperature": -18.0})]
    items += [Sweep("f1", at(day * DAY + 1)) for day in range(380)]
    assert phases(facts_of(CALENDAR, items)) == [("firing", "upcoming", 351.0), ("firing", "due", 365.0)]


def test_a_device_never_heard_is_not_serviced() -> None:
    sweeps: list[Input] = [Sweep("f1", at(day * DAY)) for day in range(500)]
    assert facts_of(CALENDAR, sweeps) == []


def test_a_counter_set_back_keeps_what_was_used() -> None:
    facts = facts_of(DETECTOR, [*runs(10, start=1600, per_day=8), *runs(60, start=0, per_day=8, first_day=10)])
    # 72 hours were used after meeting, on top of 1600; the new counter goes on from there.
    due = [day for state, phase, day in phases(facts) if phase == "due"]
    assert due == [10 + (2000 - 1672) / 8]


def test_a_counter_that_stands_still_predicts_nothing() -> None:
    assert facts_of(DETECTOR, runs(60, start=100, per_day=0)) == []


def test_a_plan_that_is_no_longer_due_is_taken_back() -> None:
    profile = FREEZER.model_copy(
        update={"maintenance": {"filter": FREEZER.maintenance["filter"].model_copy(update={"every_hours": 9000.0})}}
    )
    rule = "{id: service, kind: maintenance}"
    device = context()
    made = detector("{id: service, kind: maintenance, plans: [filter]}")
    state, facts = made.run(device, DeviceState(), runs(2, start=1950, per_day=8))
    assert phases(facts) == [("firing", "upcoming", 0.0)]
    edited = detector(rule, profile=profile)
    _, facts = edited.run(context(profile=profile), state, [Sweep("f1", at(3 * DAY))])
    assert [(fact.state.value, fact.explanation["reason"]) for fact in facts if isinstance(fact, Transition)] == [
        ("resolved", "not_due")
    ]


def test_the_first_limit_reached_counts() -> None:
    both = FREEZER.maintenance["filter"].model_copy(update={"every": timedelta(days=20)})
    profile = FREEZER.model_copy(update={"maintenance": {"filter": both}})
    made = detector("{id: service, kind: maintenance}", profile=profile)
    facts = facts_of(made, runs(30, start=1600, per_day=8), device=context(profile=profile))
    assert phases(facts) == [("firing", "upcoming", 6.0), ("firing", "due", 20.0)]
    assert told(facts)[0][0] == "filter"


def test_of_two_limits_the_one_that_is_reached_is_named_before_the_one_with_a_date() -> None:
    both = FREEZER.maintenance["filter"].model_copy(update={"every": timedelta(days=20)})
    profile = FREEZER.model_copy(update={"maintenance": {"filter": both}})
    made = detector("{id: service, kind: maintenance}", profile=profile)
    items: list[Input] = [status(0, {"running_hours": 1890}), status(1, {"running_hours": 2003})]
    due = [fact for fact in facts_of(made, items, device=context(profile=profile)) if isinstance(fact, Transition)][-1]
    assert (due.explanation["phase"], due.explanation.get("field")) == ("due", "running_hours")


def test_a_counter_that_passes_its_limit_between_two_sweeps_is_told_with_the_message_that_says_so() -> None:
    items: list[Input] = [status(0, {"running_hours": 1890}), status(1, {"running_hours": 2003})]
    facts = facts_of(DETECTOR, items)
    assert [(fact.at - at(0)).total_seconds() for fact in facts] == [60]
    assert phases(facts) == [("firing", "due", 0.0)]
    items += [status(2, {"running_hours": 2004}), Sweep("f1", at(3)), status(4, {"running_hours": 2005})]
    assert len(facts_of(DETECTOR, items)) == 1


def test_a_counter_set_back_between_two_sweeps_keeps_what_was_used() -> None:
    items: list[Input] = [status(0, {"running_hours": 1000}), status(1, {"running_hours": 0})]
    items.append(status(2, {"running_hours": 950}))
    assert phases(facts_of(DETECTOR, items)) == [("firing", "upcoming", 0.0)]


def test_a_counter_that_says_zero_once_was_not_set_back() -> None:
    items: list[Input] = [status(0, {"running_hours": 1000}), Sweep("f1", at(1)), status(2, {"running_hours": 0})]
    items += [Sweep("f1", at(3)), status(4, {"running_hours": 1000}), status(5, {"running_hours": 1899})]
    assert facts_of(DETECTOR, items) == []
    items.append(status(6, {"running_hours": 2000}))
    assert phases(facts_of(DETECTOR, items)) == [("firing", "due", 0.0)]


def test_a_new_counter_that_comes_to_where_the_old_one_was_stays_set_back() -> None:
    items: list[Input] = [status(0, {"running_hours": 900}), status(1, {"running_hours": 0})]
    items += [status(2, {"running_hours": 1}), status(3, {"running_hours": 1001}), Sweep("f1", at(4))]
    assert phases(facts_of(DETECTOR, items)) == [("firing", "upcoming", 0.0)]


def test_a_sweep_that_finds_nothing_new_leaves_the_state_as_it_is() -> None:
    state, _ = DETECTOR.run(context(), DeviceState(), [status(0, {"running_hours": 100}), Sweep("f1", at(1))])
    again, facts = DETECTOR.detect(context(), state, Sweep("f1", at(2)))
    assert again is state
    assert facts == []


def test_the_first_word_after_a_service_begins_the_new_count() -> None:
    items: list[Input] = [status(0, {"running_hours": 1950}), Sweep("f1", at(1)), Serviced("f1", "filter", at(2))]
    items += [status(3, {"running_hours": 1951}), status(4, {"running_hours": 3852})]
    facts = facts_of(DETECTOR, items)
    assert phases(facts) == [("firing", "upcoming", 0.0), ("resolved", None, 0.0), ("firing", "upcoming", 0.0)]
    assert isinstance(facts[2], Transition)
    assert facts[2].explanation["limit"] == 3950.0
