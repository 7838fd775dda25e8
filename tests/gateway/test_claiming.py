"""Whose a case is: one person's at a time, and new until somebody who has it says so."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway import commands as c
from gateway.commands import cases as w
from gateway.commands.staff import SaveTeam
from gateway.store import schema
from tests.gateway.making import T0, Gateway, gateway


@pytest.fixture
def running(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    with gateway(store_url, tmp_path) as made:
        for name in ("mia", "ben"):
            made.submit(c.SaveUser(name, "hash", "agent", by="test"))
        yield made


def fresh(running: Gateway, assignee: str | None = None) -> int:
    """A case that nobody has claimed, though routing may have given it to somebody."""
    number: int = running.submit(w.OpenCase("It hums", "lea", "f1"))
    with running.store.write() as connection:
        change = sa.update(schema.cases).where(schema.cases.c.id == number)
        connection.execute(change.values(acknowledged_at=None, assignee=assignee, routed_to=assignee))
    return number


def whose(running: Gateway, number: int) -> tuple[str | None, bool]:
    """(owner, whether they claimed it)."""
    row = running.rows(schema.cases, id=number)[0]
    return row["assignee"], row["acknowledged_at"] is not None


def test_of_two_who_claim_a_case_the_second_is_told_who_has_it(running: Gateway) -> None:
    number = fresh(running)
    running.submit(c.Acknowledge(number, "mia"))
    with pytest.raises(c.CommandRefused, match="mia has it"):
        running.submit(c.Acknowledge(number, "ben"))
    running.submit(c.Acknowledge(number, "mia"))
    assert whose(running, number) == ("mia", True)
    assert [row["kind"] for row in running.rows(schema.timeline, case_id=number)].count("acknowledged") == 1


def test_what_routing_or_a_colleague_gave_is_claimed_by_whoever_has_it(running: Gateway) -> None:
    number = fresh(running, assignee="ben")
    assert whose(running, number) == ("ben", False)
    running.submit(c.Acknowledge(number, "ben"))
    assert whose(running, number) == ("ben", True)


def test_taking_over_claims_and_handing_over_does_not(running: Gateway) -> None:
    number = fresh(running, assignee="ben")
    running.submit(c.Assign(number, "mia", "mia"))
    assert whose(running, number) == ("mia", True)
    other = fresh(running)
    running.submit(c.Assign(other, "ben", "mia"))
    assert whose(running, other) == ("ben", False)
    # Chosen as one's own once more, what one was given is claimed.
    running.submit(c.Assign(other, "ben", "ben"))
    assert whose(running, other) == ("ben", True)


def test_a_case_that_is_given_back_or_to_another_team_is_new_again(running: Gateway) -> None:
    number = fresh(running)
    running.submit(c.Acknowledge(number, "mia"))
    running.submit(c.Assign(number, None, "mia"))
    assert whose(running, number) == (None, False)
    running.submit(SaveTeam("Berlin", 1, "lea", languages=("ja",)))
    running.submit(c.Acknowledge(number, "mia"))
    running.submit(w.RouteCase(number, "Berlin", "mia"))
    assert whose(running, number) == (None, False)


@pytest.mark.parametrize("deed", ["reply", "snooze", "reopen"])
def test_whoever_works_on_what_nobody_has_has_claimed_it(running: Gateway, deed: str) -> None:
    number = fresh(running)
    if deed == "reply":
        running.submit(c.Reply(number, "We look at it", "mia"))
    elif deed == "snooze":
        running.submit(w.Snooze(number, T0 + timedelta(hours=1), "mia"))
    else:
        running.submit(c.Resolve(number, "ben"))
        running.submit(c.Reopen(number, "mia"))
    assert whose(running, number) == ("mia", True)
