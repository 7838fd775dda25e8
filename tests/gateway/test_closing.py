"""A case that is closed by mistake gets back all that closing took: resolving undone, a merge undone."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway import commands as c
from gateway.commands import cases as w
from gateway.store import schema
from gateway.store.verdicts import verdicts
from tests.gateway.making import T0, Gateway, gateway

F2 = {"id": "f2", "profile": "freezer", "customer_id": "ana", "name": "Kitchen freezer"}


@pytest.fixture
def running(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    with gateway(store_url, tmp_path) as made:
        made.submit(c.Upsert("devices", (F2,), by="test"))
        yield made


def opened(running: Gateway, device: str = "f1") -> int:
    number: int = running.submit(w.OpenCase("It hums", "ben", device))
    return number


def case(running: Gateway, number: int) -> sa.RowMapping:
    return running.rows(schema.cases, id=number)[0]


def wrote(running: Gateway, number: int, text: str = "Still warm") -> int:
    running.submit(c.CustomerWrote("page", f"p-{number}-{text}", "page", "ana", text, number, "ana"))
    return int(running.rows(schema.timeline, kind="message_in")[-1]["id"])


def warm(running: Gateway) -> int:
    """The rule fires: a case with its message, which a provider takes."""
    for celsius, minutes in ((-18, 0), (-8, 5), (-7, 10), (-6, 16)):
        running.temperature(celsius, minutes)
    return int(running.rows(schema.cases)[-1]["id"])


def hand_over(running: Gateway) -> None:
    for row in running.rows(schema.notifications, state="queued"):
        running.submit(c.HandOver(row["id"]))


def notices(running: Gateway) -> list[sa.RowMapping]:
    return running.rows(schema.notifications, template="fault_resolved")


WHAT_IT_HAD = ("state", "assignee", "needs_reply", "snoozed_until", "waiting_since", "resolved_at", "resolved_by")


def had(running: Gateway, number: int) -> dict[str, Any]:
    row = case(running, number)
    return {name: row[name] for name in (*WHAT_IT_HAD, "resolution", "cause", "fix")}


def test_resolving_taken_back_leaves_the_case_as_it_was(running: Gateway) -> None:
    number = opened(running)
    wrote(running, number)
    running.submit(w.Snooze(number, T0 + timedelta(hours=5), "ben"))
    before = had(running, number)
    running.submit(c.Resolve(number, "mia", "nothing", cause="seal"))
    running.submit(w.Unresolve(number, "mia"))
    assert had(running, number) == before
    assert running.rows(schema.timeline, case_id=number)[-1]["kind"] == "unresolved"
    # A rest that would be over by now is no rest.
    running.submit(c.Resolve(number, "mia"))
    running.now += timedelta(hours=6)
    running.submit(w.Unresolve(number, "mia"))
    assert case(running, number)["snoozed_until"] is None


def test_the_customers_turn_comes_back_with_the_case(running: Gateway) -> None:
    number = opened(running)
    running.submit(w.WaitForCustomer(number, "ben"))
    running.submit(c.Resolve(number, "mia"))
    running.submit(w.Unresolve(number, "ben"))
    assert case(running, number)["waiting_since"] == T0


def test_the_notice_that_it_is_solved_waits_as_long_as_it_can_be_taken_back(running: Gateway) -> None:
    number = warm(running)
    hand_over(running)
    later = running.now + timedelta(seconds=10)
    running.submit(c.Resolve(number, "mia", tell_from=later))
    assert [(row["state"], row["not_before"]) for row in notices(running)] == [("queued", later)]
    running.submit(w.Unresolve(number, "mia"))
    assert [row["state"] for row in notices(running)] == ["cancelled"]
    # Resolved after all, it is told of again.
    running.submit(c.Resolve(number, "mia", tell_from=later))
    assert [row["state"] for row in notices(running)] == ["cancelled", "queued"]
    running.now = later
    running.submit(c.HandOver(notices(running)[-1]["id"]))
    running.submit(w.Unresolve(number, "mia"))
    assert running.rows(schema.timeline, case_id=number, kind="unresolved")[-1]["body"]["told"] is True


def test_what_waited_for_approval_waits_again(store_url: str, tmp_path: Path) -> None:
    email = {"url": "smtp://127.0.0.1:1", "sender": "help@acme.example"}
    with gateway(store_url, tmp_path, notifiers={"mode": "approve", "email": email}) as running:
        number = warm(running)
        running.submit(c.Resolve(number, "mia"))
        assert [row["state"] for row in running.rows(schema.notifications)] == ["cancelled"]
        running.submit(w.Unresolve(number, "mia"))
        assert [(row["state"], row["reason"]) for row in running.rows(schema.notifications)] == [
            ("awaiting_approval", None)
        ]


def test_only_what_staff_resolved_last_can_be_taken_back(running: Gateway) -> None:
    number = warm(running)
    with pytest.raises(c.CommandRefused, match="open"):
        running.submit(w.Unresolve(number, "mia"))
    running.temperature(-20, 18)
    with pytest.raises(c.CommandRefused, match="reopen it"):
        running.submit(w.Unresolve(number, "mia"))
    by_hand = opened(running)
    running.submit(c.Resolve(by_hand, "mia"))
    running.submit(c.Reopen(by_hand, "mia"))
    with pytest.raises(c.CommandRefused, match="open"):
        running.submit(w.Unresolve(by_hand, "mia"))


def test_a_merge_taken_back_gives_both_what_they_had(running: Gateway) -> None:
    kept, double = opened(running), opened(running, "f2")
    wrote(running, double)
    running.submit(w.Snooze(double, T0 + timedelta(hours=5), "ben"))
    before = had(running, double), had(running, kept)
    running.submit(w.MergeCase(double, kept, "mia"))
    assert case(running, kept)["needs_reply"] is True
    running.submit(w.UnmergeCase(double, "mia"))
    assert (had(running, double), had(running, kept)) == before


def test_an_answer_where_it_was_merged_into_was_an_answer_to_it(running: Gateway) -> None:
    kept, double = opened(running), opened(running, "f2")
    wrote(running, double)
    running.submit(w.MergeCase(double, kept, "mia"))
    running.submit(c.Reply(kept, "We send somebody", "mia"))
    running.submit(w.UnmergeCase(double, "mia"))
    assert case(running, double)["needs_reply"] is False
    # What was asked there meanwhile is asked there.
    running.submit(w.MergeCase(double, kept, "mia"))
    wrote(running, kept, "When?")
    running.submit(w.UnmergeCase(double, "mia"))
    assert (case(running, kept)["needs_reply"], case(running, double)["needs_reply"]) == (True, False)


def test_what_belonged_to_a_merged_case_goes_with_it_when_they_part(running: Gateway) -> None:
    first, second, third = opened(running), opened(running, "f2"), opened(running)
    wrote(running, first)
    running.submit(w.MergeCase(first, second, "mia"))
    running.submit(w.MergeCase(second, third, "mia"))
    running.submit(w.UnmergeCase(second, "mia"))
    assert (case(running, first)["merged_into"], case(running, second)["merged_into"]) == (second, None)
    assert (case(running, second)["needs_reply"], case(running, third)["needs_reply"]) == (True, False)


def test_a_merge_taken_back_keeps_whose_word_a_verdict_was_and_what_waited(store_url: str, tmp_path: Path) -> None:
    email = {"url": "smtp://127.0.0.1:1", "sender": "help@acme.example"}
    with gateway(store_url, tmp_path, notifiers={"mode": "approve", "email": email}) as running:
        number, other = warm(running), opened(running)
        running.submit(c.GiveVerdict(number, "false_alarm", "customer"))
        running.submit(w.MergeCase(number, other, "mia"))
        running.submit(w.UnmergeCase(number, "mia"))
        [verdict] = running.rows(verdicts)
        assert (verdict["verdict"], verdict["said_by"], verdict["duplicate_of"]) == ("false_alarm", "customer", None)
        assert [row["state"] for row in running.rows(schema.notifications, case_id=number)] == ["awaiting_approval"]


def test_a_merged_case_whose_fault_has_a_newer_one_stays_merged(running: Gateway) -> None:
    number, other = warm(running), opened(running)
    running.submit(w.MergeCase(number, other, "mia"))
    running.temperature(-20, 20)
    running.now = T0 + timedelta(days=3)
    for minute in (4320, 4325, 4336):
        running.temperature(-8, minute)
    newer = running.rows(schema.cases)[-1]
    assert newer["dedupe_key"] == case(running, number)["dedupe_key"]
    assert newer["state"] == "open"
    with pytest.raises(c.CommandRefused, match="open for the same fault"):
        running.submit(w.UnmergeCase(number, "mia"))


def test_what_stays_in_a_case_is_still_to_be_answered_when_another_matter_is_split_off(running: Gateway) -> None:
    number = opened(running)
    wrote(running, number, "It is still warm")
    entry = wrote(running, number, "By the way, my bill is wrong")
    other = running.submit(w.SplitCase(number, entry, "mia"))
    assert (case(running, number)["needs_reply"], case(running, other)["needs_reply"]) == (True, True)
    # What was answered before is no reason to answer again.
    running.submit(c.Reply(number, "We look at it", "mia"))
    entry = wrote(running, number, "And the invoice?")
    running.submit(w.SplitCase(number, entry, "mia"))
    assert case(running, number)["needs_reply"] is False
