"""Service levels: which one a case has, when it is due, when its clocks stand, and that staff are told in time."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from gateway import commands as c
from gateway.commands import cases as w
from gateway.commands.staff import DropHours, DropPolicy, SaveHours, SavePolicy, WatchSla
from gateway.reports.report import Cell, Period
from gateway.reports.service_levels import service_levels
from gateway.staff.sla import CaseFacts, Clock, Pause, Policy, Target, advance, due_at, pause_of, policy_of, used
from gateway.staff.working_hours import ALWAYS, WorkingHours, parse_hours
from gateway.store import schema
from gateway.store.staff import sla_clocks
from gateway.web.wording import sla_text
from tests.gateway.making import T0, Gateway, gateway
from tests.gateway.web_fleet import NOW
from tests.gateway.web_visit import visit

OFFICE = WorkingHours("Berlin", ZoneInfo("Europe/Berlin"), parse_hours("Mo-Fr 09:00-17:00"))
GOLD = Policy(
    "gold",
    {
        Target.FIRST_RESPONSE: timedelta(minutes=30),
        Target.NEXT_RESPONSE: timedelta(hours=1),
        Target.RESOLVE: timedelta(hours=4),
    },
    "Berlin",
    tiers=frozenset({"gold"}),
)
BERLIN = SaveHours("Berlin", "Mo-Fr 09:00-17:00", "Europe/Berlin", "lea", "DE-BE", ("2026-03-03",))


def after(**spans: float) -> datetime:
    return T0 + timedelta(**spans)


def test_the_first_level_whose_conditions_all_hold_is_a_cases() -> None:
    urgent = Policy("urgent", {}, severities=frozenset({"critical"}), kinds=frozenset({"absent", "condition"}))
    rest = Policy("rest", {})
    facts = CaseFacts(True, 0, "critical", "condition", tier="gold")
    assert policy_of([urgent, GOLD, rest], facts) is urgent
    assert policy_of([GOLD, urgent, rest], facts) is GOLD
    assert policy_of([urgent, GOLD], CaseFacts(True, 0, "critical", "reported")) is None
    assert policy_of([urgent, GOLD, rest], CaseFacts(True, 0, "major", "condition", tier="silver")) is rest


def test_the_clocks_stand_while_it_is_the_customers_turn_and_no_longer_once_they_wrote() -> None:
    facts = CaseFacts(True, 0, "major", "condition", waiting=True)
    assert pause_of(facts, GOLD) is Pause.CUSTOMER
    assert pause_of(CaseFacts(True, 0, "major", "condition", waiting=True, needs_reply=True), GOLD) is None
    assert pause_of(facts, Policy("strict", {}, pauses=frozenset())) is None


_STEPS = st.lists(st.tuples(st.booleans(), st.integers(1, 600)), max_size=8)


@given(_STEPS)
def test_what_a_clock_used_is_the_business_time_in_which_it_ran(steps: list[tuple[bool, int]]) -> None:
    """(paused, minutes) each: the sum of what lies outside of pauses, whatever the order."""
    facts, now = CaseFacts(True, 0, "major", "condition"), T0
    clock, ran = None, timedelta(0)
    for paused, minutes in steps:
        clock = advance(clock, Target.RESOLVE, facts, paused, now)
        later = now + timedelta(minutes=minutes)
        ran += timedelta(0) if paused else OFFICE.worked(now, later)
        now = later
    assert clock is None or used(clock, OFFICE, now) == ran


@given(st.integers(1, 2000), st.integers(0, 2000))
def test_a_pause_moves_what_is_due_by_the_business_time_that_it_lasted(before: int, pause: int) -> None:
    budget, facts = timedelta(hours=60), CaseFacts(True, 0, "major", "condition")
    halted, resumed = after(minutes=before), after(minutes=before + pause)
    clock = advance(advance(None, Target.RESOLVE, facts, False, T0), Target.RESOLVE, facts, True, halted)
    clock = advance(clock, Target.RESOLVE, facts, False, resumed)
    assert clock is not None
    due = due_at(clock, budget, OFFICE)
    assert due is not None
    assert OFFICE.worked(T0, due) - OFFICE.worked(halted, resumed) == budget


def test_what_was_overdue_before_it_was_halted_stays_overdue() -> None:
    clock = Clock(Target.RESOLVE, 0, ((T0, after(hours=3)),))
    assert due_at(clock, timedelta(hours=2), ALWAYS) == after(hours=2)
    assert due_at(clock, timedelta(hours=4), ALWAYS) is None


@pytest.fixture
def running(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    with gateway(store_url, tmp_path) as made:
        gold = {"id": "ana", "name": "Ana", "locale": "en", "email": "ana@example.com", "tier": "gold"}
        made.submit(c.Upsert("customers", (gold,), by="test"))
        made.submit(BERLIN)
        made.submit(SavePolicy(GOLD, 1, "lea"))
        yield made


def opened(running: Gateway) -> int:
    """A case that its device opened, a quarter of an hour after T0 (Monday 11:15 in Berlin)."""
    running.temperature(-20, 0)
    running.temperature(-5, 5)
    running.tick(15)
    return int(running.rows(schema.cases)[-1]["id"])


def case(running: Gateway, number: int) -> sa.RowMapping:
    return running.rows(schema.cases, id=number)[0]


def kinds(running: Gateway, number: int) -> list[str]:
    return [row["kind"] for row in running.rows(schema.timeline, case_id=number)]


def wrote(running: Gateway, number: int) -> None:
    running.submit(c.CustomerWrote("page", f"p-{running.now}", "page", "ana", "Still warm", number, "ana"))


def test_a_case_is_due_by_the_level_of_its_customer_in_the_teams_hours(running: Gateway) -> None:
    number = opened(running)
    row = case(running, number)
    assert (row["sla_policy"], row["sla_hours"], row["sla_target"]) == ("gold", "Berlin", "first_response")
    assert row["sla_due_at"] == row["response_due_at"] == row["opened_at"] + timedelta(minutes=30)
    running.submit(c.Reply(number, "We look into it", "mia"))
    row = case(running, number)
    assert (row["sla_target"], row["sla_due_at"]) == ("resolve", row["opened_at"] + timedelta(hours=4))


def test_the_solution_is_due_on_the_next_day_that_is_worked(running: Gateway) -> None:
    # Monday 15:00 UTC is 16:00 in Berlin; Tuesday is a day off of theirs.
    running.now = T0.replace(hour=15)
    number = running.submit(w.OpenCase("It hums", "mia", "f1"))
    assert case(running, number)["sla_due_at"] == datetime(2026, 3, 4, 11, tzinfo=UTC)


def test_waiting_for_the_customer_stops_the_clock_and_their_word_starts_two(running: Gateway) -> None:
    number = opened(running)
    running.now = after(minutes=20)
    running.submit(c.Reply(number, "Is the door closed?", "mia", waits=True))
    row = case(running, number)
    assert (row["sla_due_at"], row["sla_paused"]) == (None, "customer")
    assert "the clock stands, it is the customer's turn" in sla_text(row_line(row), running.now)
    running.now = after(hours=2)
    wrote(running, number)
    row = case(running, number)
    assert (row["waiting_since"], row["sla_paused"], row["sla_target"]) == (None, None, "next_response")
    assert row["sla_due_at"] == after(hours=3)
    running.submit(c.Reply(number, "Then close it", "mia"))
    # What was used before stays used; the 100 minutes in which they were asked do not count.
    assert case(running, number)["sla_due_at"] == row["opened_at"] + timedelta(hours=4, minutes=100)


def row_line(row: sa.RowMapping) -> object:
    return type("Line", (), dict(row))


def test_a_case_that_rests_is_not_due_until_it_is_back(running: Gateway) -> None:
    number = running.submit(w.OpenCase("It hums", "mia", "f1"))
    running.submit(w.Snooze(number, after(hours=2), "mia"))
    assert case(running, number)["sla_paused"] == "snoozed"
    running.now = after(hours=2)
    running.submit(w.WakeCases())
    assert case(running, number)["sla_due_at"] == after(hours=6)


def test_resolving_stops_and_reopening_by_hand_goes_on_where_it_stopped(running: Gateway) -> None:
    number = running.submit(w.OpenCase("It hums", "mia", "f1"))
    running.now = after(hours=1)
    running.submit(c.Resolve(number, "mia"))
    assert (case(running, number)["sla_due_at"], case(running, number)["sla_policy"]) == (None, None)
    running.now = after(hours=3)
    running.submit(c.Reopen(number, "mia"))
    assert case(running, number)["sla_due_at"] == after(hours=6)


def test_a_fault_that_comes_back_begins_anew(running: Gateway) -> None:
    number = opened(running)
    running.temperature(-20, 30)
    running.temperature(-5, 60)
    running.tick(70)
    row = case(running, number)
    assert (row["state"], row["reopened"]) == ("open", 1)
    assert row["sla_target"] == "first_response"
    assert row["sla_due_at"] == after(minutes=100)


def test_a_changed_level_holds_for_open_cases_at_once(running: Gateway) -> None:
    number = running.submit(w.OpenCase("It hums", "mia", "f1"))
    running.now = after(hours=1)
    running.submit(SavePolicy(Policy("gold", {Target.RESOLVE: timedelta(hours=2)}, tiers=GOLD.tiers), 1, "lea"))
    row = case(running, number)
    assert (row["sla_due_at"], row["sla_hours"]) == (after(hours=2), None)
    renamed = Policy("platinum", {Target.RESOLVE: timedelta(hours=2)}, tiers=GOLD.tiers)
    running.submit(SavePolicy(renamed, 1, "lea", was="gold"))
    assert (case(running, number)["sla_policy"], case(running, number)["sla_due_at"]) == ("platinum", after(hours=2))
    running.submit(DropPolicy("platinum", "lea"))
    assert case(running, number)["sla_due_at"] is None


def test_staff_are_warned_once_and_told_of_the_breach_once(running: Gateway) -> None:
    number = opened(running)
    due = case(running, number)["sla_due_at"]
    running.now = due - timedelta(minutes=16)
    assert running.submit(WatchSla()) == {"warned": 0, "breached": 0}
    running.now = due - timedelta(minutes=15)
    assert running.submit(WatchSla()) == {"warned": 1, "breached": 0}
    assert running.submit(WatchSla()) == {"warned": 0, "breached": 0}
    running.now = due
    assert running.submit(WatchSla()) == {"warned": 0, "breached": 1}
    assert running.submit(WatchSla()) == {"warned": 0, "breached": 0}
    assert kinds(running, number)[-2:] == ["sla_warning", "sla_breached"]


def test_an_answer_in_time_warns_nobody_and_one_too_late_is_a_breach(running: Gateway) -> None:
    number = opened(running)
    due = case(running, number)["sla_due_at"]
    running.submit(c.Reply(number, "We look into it", "mia"))
    running.now = due + timedelta(minutes=1)
    assert running.submit(WatchSla()) == {"warned": 0, "breached": 0}
    wrote(running, number)
    running.now += timedelta(minutes=61)
    running.submit(c.Reply(number, "Sorry", "mia"))
    # Nobody looked in between, and it was too late all the same.
    assert running.submit(WatchSla()) == {"warned": 0, "breached": 1}


def test_without_a_level_the_first_answer_is_due_as_the_configuration_says(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path, cases={"respond_within": {"major": "2h", "critical": "5m"}}) as made:
        number = opened(made)
        row = case(made, number)
        assert (row["sla_policy"], row["sla_due_at"]) == ("usual", row["opened_at"] + timedelta(hours=2))
        made.submit(w.Snooze(number, after(hours=1), "mia"))
        assert case(made, number)["sla_due_at"] == row["sla_due_at"]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (SaveHours("x", "whenever", "UTC", "lea"), "write it like"),
        (SaveHours("x", "24/7", "Mars/Base", "lea"), "no IANA time zone"),
        (SaveHours("x", "24/7", "UTC", "lea", "XX"), "no public holidays are known of 'XX'"),
        (SaveHours("x", "24/7", "UTC", "lea", closed_on=("Monday",)), "Invalid isoformat"),
        (SaveHours(" ", "24/7", "UTC", "lea"), "a name"),
        (DropHours("Berlin", "lea"), "'gold' has these hours"),
        (DropHours("Rome", "lea"), "no working hours 'Rome'"),
        (SavePolicy(Policy("x", {}), 1, "lea"), "at least one time"),
        (SavePolicy(Policy("x", {Target.RESOLVE: timedelta(0)}), 1, "lea"), "resolve: between one minute"),
        (SavePolicy(Policy("x", {Target.RESOLVE: timedelta(hours=1)}, "Rome"), 1, "lea"), "no working hours 'Rome'"),
        (DropPolicy("x", "lea"), "no service level 'x'"),
        (w.WaitForCustomer(99, "mia"), "no case 99"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(running: Gateway, command: c.Command, why: str) -> None:
    with pytest.raises(c.CommandRefused, match=why):
        running.submit(command)


def test_public_holidays_of_a_part_of_a_country_count(running: Gateway) -> None:
    # Women's Day (8 March) is one in Berlin alone; in 2027 it is a Monday.
    running.now = datetime(2027, 3, 5, 15, 30, tzinfo=UTC)
    number = running.submit(w.OpenCase("It hums", "mia", "f1"))
    assert case(running, number)["sla_due_at"] == datetime(2027, 3, 9, 11, 30, tzinfo=UTC)


def test_a_commit_keeps_no_clock_of_what_was_found_on_arrival(running: Gateway) -> None:
    opened(running)
    assert {row["target"] for row in running.rows(sla_clocks)} == {"first_response", "resolve"}


async def test_a_lead_sets_levels_and_the_queue_says_what_is_due_and_by_whose_hours(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        hours = {"name": "Berlin", "hours": "Mo-Fr 09:00-17:00", "zone": "Europe/Berlin", "place": "DE-BE"}
        await web.post("/sla/hours", hours)
        level = {
            "_form": "1",
            "name": "All",
            "hours": "Berlin",
            "first_response": "4h",
            "resolve": "8h",
            "severities.major": "1",
        }
        assert (await web.post("/sla/policy", level)).status == 303
        page = await web.page("/sla?policy=All")
        assert "public holidays of DE-BE" in page
        assert "at work until" in page
        queue = await web.page("/")
        assert ", working hours of Berlin" in queue
        listed = await (await web.api("GET", "/api/sla")).json()
        (policy,) = listed["policies"]
        assert (policy["first_response"], policy["severities"], policy["pauses"]) == ("4h", ["major"], [])
        wrong = await web.api("POST", "/api/sla/policy", "lead", json={"name": "x", "resolve": "soon"})
        assert (wrong.status, (await wrong.json())["field"]) == (422, "resolve")
        lumen = web.town.case_of("f-lumen", "freezer-cools-poorly")["id"]
        assert (await web.api("POST", f"/api/cases/{lumen}/wait", "agent", json={})).status == 200
        shown = await (await web.api("GET", f"/api/cases/{lumen}")).json()
        assert shown["waiting_since"] is not None
        assert shown["sla"]["policy"] == "All"
        assert NOW.isoformat()[:10] in shown["waiting_since"]


def test_the_report_tells_what_came_in_business_time_from_what_is_late_and_leaves_the_rest_out(
    running: Gateway,
) -> None:
    period = Period(T0 - timedelta(hours=1), T0 + timedelta(days=4))
    number = opened(running)
    assert kept(running, replace(period, until=running.now)) == []
    running.now = after(minutes=30)
    running.submit(c.Reply(number, "We look into it", "mia"))
    wrote(running, number)
    running.now = after(minutes=40)
    assert kept(running, replace(period, until=running.now)) == [("First answer", "major", "", 1, 0, 1.0)]
    # In the evening in Berlin both are late: their words had an hour, the solution four.
    running.now = after(hours=8)
    assert kept(running, replace(period, until=running.now)) == [
        ("First answer", "major", "", 1, 0, 1.0),
        ("Answer to their words", "major", "", 0, 1, 0.0),
        ("Solution", "major", "", 0, 1, 0.0),
    ]
    running.submit(c.Resolve(number, "mia"))
    assert [row[3:] for row in kept(running, period)] == [(1, 0, 1.0), (0, 1, 0.0), (0, 1, 0.0)]


def kept(running: Gateway, period: Period) -> list[tuple[Cell, ...]]:
    with running.store.read() as connection:
        return list(service_levels(connection, period).rows)
