"""Fleet incidents on real stores: no restart loses what was counted, no size of batch changes what comes of it."""

import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_models.event import Message
from gateway.commands import ForgetChanges, PutRulesLive, Resolve, Upsert
from gateway.pipeline.commit import Work
from gateway.store import schema
from gateway.store.fleets import crowd_members, crowds, device_changes
from rules.detect import Detector
from rules.schema import merge_rules
from tests.gateway.making import T0, Gateway, gateway

RULES = """
rules:
  - {id: warm, kind: condition, profile: freezer, when: temperature > -12, clear_when: temperature < -15}
  - {id: batch, kind: fleet, of: warm, alike: [model, firmware], at_least: 3, share: 20%, significance: 0.01}
"""
DEVICES = tuple(
    {"id": f"f{n}", "profile": "freezer", "customer_id": f"c{n % 4}", "model": "FX", "firmware": "1", "name": f"F{n}"}
    for n in range(8)
)
CUSTOMERS = tuple({"id": f"c{n}", "name": f"C{n}", "email": f"c{n}@example.com"} for n in range(4))
Step = tuple[int, int, bool]
"""Minutes since the step before, device, whether it is too warm."""


def fleet(made: Gateway) -> None:
    made.submit(Upsert("customers", CUSTOMERS, by="test"))
    made.submit(Upsert("devices", DEVICES, by="test"))


def put_live(made: Gateway, rules: str = RULES) -> None:
    profiles = made.committer.profiles
    made.submit(PutRulesLive(Detector(merge_rules([(rules, "rules.yaml")]), profiles), by="mia"))


def said(device: int, celsius: float, at: datetime, number: int, **more: Any) -> Message:
    extra = "".join(f', "{name}": "{value}"' for name, value in more.items())
    body = f'{{"temperature": {celsius}, "ts": {at.timestamp()}{extra}}}'
    return Message(f"devices/f{device}/status", body.encode(), at, number)


def messages(steps: list[Step]) -> list[Message]:
    # All are met first, so that what follows is no "found on arrival".
    made = [said(n, -18, T0, n + 1) for n in range(8)]
    minutes = 30
    for gap, device, warm in steps:
        minutes += gap
        made.append(said(device, -8 if warm else -18, T0 + timedelta(minutes=minutes), len(made) + 1))
    return made


def run_all(made: Gateway, until: datetime) -> None:
    while (due := made.committer.next_due()) is not None and due <= until:
        made.committer.run(Work(ticks_until=until), until)


def outcome(made: Gateway) -> Any:
    told = ("dedupe_key", "state", "severity", "opened_at", "resolved_at", "reopened", "explanation")
    return (
        [tuple(row[name] for name in told) for row in made.rows(schema.cases)],
        [row["key"] for row in made.rows(schema.notifications)],
        [tuple(row.values()) for row in made.rows(schema.alerts)],
        [tuple(row.values()) for row in made.rows(crowds)],
        [tuple(row.values()) for row in made.rows(crowd_members)],
        [(row["rule"], row["device_id"], row["state"], row["at"]) for row in made.rows(schema.transitions)],
    )


def story(url: str, tmp_path: Path, parts: list[list[Message]], restart: bool, until: datetime) -> Any:
    for number, group in enumerate([[part] for part in parts] if restart else [parts]):
        with gateway(url, tmp_path, rules=RULES, records=False) as made:
            if number == 0:
                fleet(made)
                put_live(made)
            for part in group:
                made.deliver(part)
    with gateway(url, tmp_path, rules=RULES, records=False) as made:
        run_all(made, until)
        return outcome(made)


STEPS = st.lists(st.tuples(st.integers(0, 15), st.integers(0, 7), st.sampled_from([True, True, False])), max_size=16)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, st.integers(1, 5), st.integers(0, 90))
def test_any_size_of_batch_and_a_restart_between_all_of_them_give_the_same(
    steps: list[Step], size: int, rest: int
) -> None:
    every = messages(steps)
    until = every[-1].received_at + timedelta(minutes=rest)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)

        def told(name: str, parts: list[list[Message]], restart: bool = False) -> Any:
            return story(f"sqlite:///{path / name}.sqlite", path, parts, restart, until)

        at_once = told("one", [every])
        assert told("each", [[m] for m in every]) == at_once
        parts = [every[start : start + size] for start in range(0, len(every), size)]
        assert told("restarts", parts, restart=True) == at_once


FOUR: list[Step] = [(0, 0, True), (1, 4, True), (1, 1, True), (9, 2, True)]


def test_one_incident_one_message_for_each_customer_and_the_evidence_on_it(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path, rules=RULES, records=False) as made:
        fleet(made)
        put_live(made)
        made.deliver(messages(FOUR))
        run_all(made, T0 + timedelta(hours=3))
        [case] = made.rows(schema.cases, kind="incident", state="open")
        assert case["dedupe_key"] == "fleet:batch|model=FX|firmware=1"
        # The first two had waited in vain by then, and joined.
        joined = made.rows(schema.cases, resolved_by="incident")
        assert {row["device_id"] for row in joined} <= {"f0", "f4"}
        told = [row["customer_id"] for row in made.rows(schema.notifications, case_id=case["id"])]
        assert sorted(told) == sorted(set(told))
        alerts = made.rows(schema.alerts, withheld_by="incident")
        assert [row["device_id"] for row in alerts] == ["f0", "f1", "f2", "f4"]
        linked = {row["device_id"] for row in made.rows(schema.transitions, case_id=case["id"])}
        assert linked >= {"f1", "f2"}


def test_each_customer_is_withdrawn_or_told_alone_and_the_last_ends_it(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path, rules=RULES, records=False) as made:
        fleet(made)
        put_live(made)
        every = messages([(0, 0, True), (0, 1, True), (0, 2, True), (30, 1, False)])
        made.deliver(every)
        [case] = made.rows(schema.cases, state="open")
        states = {row["customer_id"]: row["state"] for row in made.rows(schema.notifications, case_id=case["id"])}
        assert states == {"c0": "queued", "c1": "cancelled", "c2": "queued"}
        later = T0 + timedelta(hours=2)
        made.deliver([said(0, -18, later, 90), said(2, -18, later, 91)])
        assert made.rows(schema.cases, state="open") == []
        assert {row["state"] for row in made.rows(schema.notifications)} == {"cancelled"}


def test_a_firmware_that_devices_tell_is_followed_and_named_as_what_changed(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path, rules=RULES, records=False) as made:
        fleet(made)
        put_live(made, RULES.replace("> -12", "> -11"))
        made.deliver(messages([]))
        rolled = T0 + timedelta(hours=1)
        made.now = rolled
        made.deliver([said(n, -18, rolled, 20 + n, firmware="2.0") for n in range(4)])
        assert {row["firmware"] for row in made.rows(schema.devices) if row["id"] < "f4"} == {"2.0"}
        changes = made.rows(device_changes)
        assert [(row["device_id"], row["before"], row["after"], row["source"]) for row in changes] == [
            (f"f{n}", "1", "2.0", "device") for n in range(4)
        ]
        later = T0 + timedelta(hours=5)
        made.now = later
        made.deliver([said(n, -8, later + timedelta(seconds=n), 30 + n) for n in range(3)])
        [case] = made.rows(schema.cases, kind="incident")
        assert case["dedupe_key"] == "fleet:batch|model=FX|firmware=2.0"
        edited, roll_out = case["explanation"]["changed"]
        assert (edited["rule"], edited["by"]) == ("warm", "mia")
        assert (roll_out["before"], roll_out["after"], roll_out["failing"], roll_out["devices"]) == ("1", "2.0", 3, 4)


def test_a_failed_import_leaves_the_count_of_alike_devices_as_it_was(tmp_path: Path) -> None:
    with gateway(f"sqlite:///{tmp_path / 'gateway.db'}", tmp_path, rules=RULES, records=False) as made:
        fleet(made)
        put_live(made)
        census = made.committer._registry.census

        def alike() -> int:
            return census.count(("model", "firmware"), ("FX", "1"), lambda profile: True)

        assert alike() == 8
        made.submit(Upsert("devices", ({**DEVICES[0], "firmware": "2"},), by="test"))
        assert alike() == 7
        try:
            made.submit(Upsert("devices", ({**DEVICES[1], "firmware": "2"}, {"id": "x", "latitude": 999}), by="test"))
        except ValueError:
            pass
        else:
            raise AssertionError("it should have been refused")
        assert alike() == 7


def test_an_incident_that_staff_resolved_opens_anew_with_what_follows(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path, rules=RULES, records=False) as made:
        fleet(made)
        put_live(made)
        made.deliver(messages([(0, 0, True), (0, 1, True), (0, 2, True)]))
        [case] = made.rows(schema.cases, state="open")
        made.submit(Resolve(case["id"], by="mia", resolution="known"))
        at = T0 + timedelta(minutes=40)
        made.deliver([said(3, -8, at, 50)])
        [again] = made.rows(schema.cases, state="open")
        assert (again["id"], again["reopened"]) == (case["id"], 1)


def test_an_incident_outlives_its_rule_and_ends_with_its_last_device(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path, rules=RULES, records=False) as made:
        fleet(made)
        put_live(made)
        made.deliver(messages([(0, 0, True), (0, 1, True), (0, 2, True)]))
        put_live(made, RULES.rpartition("  - {id: batch")[0])
        [case] = made.rows(schema.cases, state="open")
        at = T0 + timedelta(hours=2)
        made.deliver([said(n, -18, at, 60 + n) for n in range(3)])
        assert made.rows(schema.cases, id=case["id"])[0]["state"] == "resolved"


def test_old_changes_and_members_are_forgotten_and_what_fails_is_kept(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path, rules=RULES, records=False) as made:
        fleet(made)
        put_live(made)
        made.submit(Upsert("devices", ({**DEVICES[7], "firmware": "2"},), by="test"))
        made.deliver(messages([(0, 0, True), (0, 1, True), (0, 2, True), (1, 2, False)]))
        made.submit(ForgetChanges(T0 - timedelta(days=1)))
        assert len(made.rows(crowd_members)) == 3
        assert len(made.rows(device_changes)) == 1
        made.submit(ForgetChanges(T0 + timedelta(days=40)))
        assert [row["device_id"] for row in made.rows(crowd_members)] == ["f0", "f1"]
        assert made.rows(device_changes) == []
