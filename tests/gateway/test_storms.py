"""Storms on real stores: nothing is lost by a restart, a release opens all, a merge keeps one incident."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from device_models.event import Message
from gateway.cases.storms import held_by_storm, open_storm
from gateway.commands import CommandRefused, EndStorm, Upsert
from gateway.pipeline.commit import Work
from gateway.store import schema
from tests.gateway.making import T0, Gateway, gateway

RULES = """
rules:
  - {id: warm, kind: condition, profile: freezer, when: temperature > -12, clear_when: temperature < -15}
"""
MANY = 60
CUSTOMERS = tuple({"id": f"c{n}", "name": f"C{n}", "email": f"c{n}@example.com"} for n in range(6))
DEVICES = tuple({"id": f"f{n}", "profile": "freezer", "customer_id": f"c{n % 6}", "name": f"F{n}"} for n in range(MANY))
LIMIT = {"storm_openings": 10, "storm_within": "10m"}


def said(device: int, celsius: float, minutes: float, number: int) -> Message:
    at = T0 + timedelta(minutes=minutes)
    return Message(f"devices/f{device}/status", f'{{"temperature": {celsius}}}'.encode(), at, number)


def begin(made: Gateway) -> None:
    made.submit(Upsert("customers", CUSTOMERS, by="test"))
    made.submit(Upsert("devices", DEVICES, by="test"))
    made.deliver([said(n, -18, 0, n + 1) for n in range(MANY)])
    made.deliver([said(n, -8, 30 + n / 100, MANY + n + 1) for n in range(MANY)])


def open_cases(made: Gateway) -> Counter[str]:
    return Counter(row["rule"] for row in made.rows(schema.cases, state="open"))


def held(made: Gateway) -> int:
    with made.store.read() as connection:
        return held_by_storm(connection)


def pass_time(made: Gateway, minutes: float) -> None:
    until = T0 + timedelta(minutes=minutes)
    made.now = until
    while (due := made.committer.next_due()) is not None and due <= until:
        made.committer.run(Work(ticks_until=until), until)


def test_every_fault_has_its_case_or_is_held_through_a_restart_and_opens_in_the_end(
    store_url: str, tmp_path: Path
) -> None:
    with gateway(store_url, tmp_path, rules=RULES, records=False, cases=LIMIT) as made:
        begin(made)
        assert open_cases(made) == {"warm": 10, "storm": 1}
        assert held(made) == MANY - 10
        [parent] = made.rows(schema.cases, rule="storm")
        digests = made.rows(schema.notifications, case_id=parent["id"])
        assert Counter(row["customer_id"] for row in digests) == {f"c{n}": 1 for n in range(6)}
        # Ten devices of each, of which the first or two had opened before.
        assert all("+" in row["facts"]["device"]["name"] for row in digests)
    with gateway(store_url, tmp_path, rules=RULES, records=False, cases=LIMIT) as made:
        made.sequence = made.committer.sequence
        assert held(made) == MANY - 10
        pass_time(made, 42)
        assert open_cases(made)["warm"] <= 20
        assert open_cases(made)["warm"] + held(made) == MANY
        pass_time(made, 600)
        assert (open_cases(made), held(made)) == ({"warm": MANY}, 0)


def test_a_release_opens_all_that_lasts_and_ends_the_storm(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path, rules=RULES, records=False, cases=LIMIT) as made:
        begin(made)
        made.deliver([said(n, -18, 31, 500 + n) for n in range(50, MANY)])
        made.now = T0 + timedelta(minutes=32)
        assert made.submit(EndStorm("mia")) == 40
        pass_time(made, 33)
        assert (open_cases(made), held(made)) == ({"warm": 50}, 0)
        with made.store.read() as connection:
            assert open_storm(connection) is None
        with pytest.raises(CommandRefused, match="there is no storm"):
            made.submit(EndStorm("mia"))
        assert [row["action"] for row in made.rows(schema.audit)][-1] == "storm.release"


def test_a_merge_keeps_one_incident_that_ends_with_the_last_of_its_faults(tmp_path: Path) -> None:
    with gateway(f"sqlite:///{tmp_path / 'gateway.db'}", tmp_path, rules=RULES, records=False, cases=LIMIT) as made:
        begin(made)
        made.submit(EndStorm("mia", merge=True))
        pass_time(made, 600)
        assert open_cases(made) == {"warm": 10, "storm": 1}
        made.deliver([said(n, -18, 601, 900 + n) for n in range(MANY)])
        assert open_cases(made) == {}


def test_without_a_bound_all_open(tmp_path: Path) -> None:
    url, off = f"sqlite:///{tmp_path / 'gateway.db'}", {"storm_openings": 0}
    with gateway(url, tmp_path, rules=RULES, records=False, cases=off) as made:
        begin(made)
        assert open_cases(made) == {"warm": MANY}
