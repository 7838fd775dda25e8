"""What is withheld, on real stores: nothing of it is lost by a restart, and no size of batch changes it."""

import tempfile
from contextlib import ExitStack
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_models.event import Message
from gateway import commands as c
from gateway.pipeline.commit import Work
from gateway.store import schema
from rules.detect import Detector
from rules.response.silence import Weekly
from rules.schema import merge_rules
from rules.spatial_index import ShopIndex
from tests.gateway.making import ANA, FREEZER, T0, Gateway, gateway

RULES = """
rules:
  - {id: door-open, kind: condition, profile: freezer, when: door_open, for: 5m, severity: minor}
  - id: too-warm
    kind: condition
    profile: freezer
    when: temperature > -12
    for: 10m
    clear_when: temperature < -15
    inhibited_by: door-open
    inhibited_after: 30m
"""
Step = tuple[int, float, bool]
"""Minutes since the step before, temperature, whether the door is open."""


def messages(steps: list[Step]) -> list[Message]:
    made, minutes = [], 0
    for number, (gap, celsius, door) in enumerate([(0, -18.0, False), *steps], start=1):
        minutes += gap
        at = T0 + timedelta(minutes=minutes)
        body = f'{{"temperature": {celsius}, "door_open": {str(door).lower()}, "ts": {at.timestamp()}}}'
        made.append(Message("devices/f1/status", body.encode(), at, number))
    return made


def run_all(made: Gateway, until: datetime) -> None:
    while (due := made.committer.next_due()) is not None and due <= until:
        made.committer.run(Work(ticks_until=until), until)


def outcome(made: Gateway) -> Any:
    told = ("rule", "state", "severity", "opened_at", "resolved_at", "reopened", "explanation")
    return (
        [tuple(row[name] for name in told) for row in made.rows(schema.cases)],
        [row["key"] for row in made.rows(schema.notifications)],
        [tuple(row.values()) for row in made.rows(schema.alerts)],
    )


def story(url: str, tmp_path: Path, parts: list[list[Message]], restart: bool, until: datetime) -> Any:
    """Commit ``parts`` as one batch each, every one in a new process if ``restart``; return what came of it."""
    for number, group in enumerate([[part] for part in parts] if restart else [parts]):
        with gateway(url, tmp_path, rules=RULES, records=number == 0) as made:
            for part in group:
                made.deliver(part)
    with gateway(url, tmp_path, rules=RULES, records=False) as made:
        run_all(made, until)
        return outcome(made)


STEPS = st.lists(
    st.tuples(st.integers(0, 45), st.sampled_from([-18.0, -13.0, -8.0]), st.booleans()), min_size=1, max_size=14
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, st.integers(1, 5), st.integers(0, 120))
def test_any_size_of_batch_and_a_restart_between_all_of_them_give_the_same(
    steps: list[Step], size: int, rest: int
) -> None:
    said = messages(steps)
    until = said[-1].received_at + timedelta(minutes=rest)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)

        def told(name: str, parts: list[list[Message]], restart: bool = False) -> Any:
            return story(f"sqlite:///{path / name}.sqlite", path, parts, restart, until)

        at_once = told("one", [said])
        assert told("each", [[m] for m in said]) == at_once
        assert told("twice", [part for m in said for part in ([m], [m])]) == at_once
        parts = [said[start : start + size] for start in range(0, len(said), size)]
        assert told("restarts", parts, restart=True) == at_once


DOOR_THEN_WARM: list[Step] = [
    (5, -18, True),
    (5, -8, True),
    (6, -8, True),
    (6, -7, True),
    (1, -7, False),
    (1, -7, False),
]


def test_an_explained_fault_opens_its_case_when_its_time_is_over_and_says_what_withheld_it(
    store_url: str, tmp_path: Path
) -> None:
    said = messages(DOOR_THEN_WARM)
    with gateway(store_url, tmp_path, rules=RULES) as made:
        made.deliver(said)
        [door] = made.rows(schema.cases)
        assert (door["rule"], door["state"]) == ("door-open", "resolved")
        [alert] = made.rows(schema.alerts, rule="too-warm")
        assert (alert["withheld_by"], alert["withheld"]["rule"]) == ("inhibition", "door-open")
        [withheld] = [row for row in made.rows(schema.transitions, rule="too-warm") if row["state"] == "firing"]
        # It is worse than what explains it, so it stands in that case and raises it.
        assert (withheld["case_id"], door["severity"]) == (door["id"], "major")
        assert withheld["explanation"]["withheld"]["by"] == "inhibition"
    with gateway(store_url, tmp_path, rules=RULES, records=False) as again:
        due = again.committer.next_due()
        assert due == alert["due_at"] == door["resolved_at"] + timedelta(minutes=30)
        again.committer.run(Work(ticks_until=due - timedelta(seconds=1)), due)
        assert len(again.rows(schema.cases)) == 1
        again.committer.run(Work(ticks_until=due), due)
        _, warm = again.rows(schema.cases)
        assert (warm["rule"], warm["opened_at"]) == ("too-warm", due)
        assert warm["explanation"]["withheld"]["rule"] == "door-open"
        assert again.committer.next_due() is None


def test_a_rule_that_is_explained_no_more_after_an_edit_opens_its_case(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path, rules=RULES) as made:
        made.deliver(messages(DOOR_THEN_WARM)[:5])
        assert [row["rule"] for row in made.rows(schema.cases)] == ["door-open"]
        edited = RULES.replace("    inhibited_by: door-open\n    inhibited_after: 30m\n", "")
        detector = Detector(merge_rules([(edited, "rules.yaml")]), {"freezer": FREEZER}, ShopIndex([]))
        made.submit(c.PutRulesLive(detector, by="lea"))
        made.committer.run(Work(ticks_until=made.now), made.now)
        assert [row["rule"] for row in made.rows(schema.cases)] == ["door-open", "too-warm"]


def silence(minutes: float, **scope: Any) -> c.CreateSilence:
    return c.CreateSilence("Mia", "painting the room", T0 + timedelta(minutes=minutes), **scope)


OPEN_DOOR: list[Step] = [(5, -18, True), (6, -18, True)]


def test_a_fault_that_outlasts_its_silence_opens_its_case_though_the_gateway_was_stopped_meanwhile(
    store_url: str, tmp_path: Path
) -> None:
    with gateway(store_url, tmp_path, rules=RULES) as made:
        assert made.submit(silence(60, device_id="f1")) == 1
        made.deliver(messages(OPEN_DOOR))
        assert made.rows(schema.cases) == []
        [alert] = made.rows(schema.alerts)
        assert alert["withheld"] == {"silence": 1, "author": "Mia", "reason": "painting the room"}
    with gateway(store_url, tmp_path, rules=RULES, records=False) as again:
        until = T0 + timedelta(minutes=60)
        assert again.committer.next_due() == until
        run_all(again, until)
        [case] = again.rows(schema.cases)
        assert case["opened_at"] == until
        assert [row["template"] for row in again.rows(schema.notifications)] == ["fault_opened"]


def test_a_silence_that_is_ended_early_lets_its_fault_be_heard(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path, rules=RULES) as made:
        made.submit(silence(600, rule="door-open"))
        made.deliver(messages(OPEN_DOOR))
        made.now = T0 + timedelta(minutes=20)
        made.submit(c.EndSilence(1, by="Ben"))
        run_all(made, made.now)
        [case] = made.rows(schema.cases)
        assert case["explanation"]["withheld"]["author"] == "Mia"
        with pytest.raises(c.CommandRefused, match="over already"):
            made.submit(c.EndSilence(1, by="Ben"))
        assert [row["action"] for row in made.rows(schema.audit)][-2:] == ["silence.create", "silence.end"]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (silence(60), "hold switch"),
        (silence(60, device_id="f9"), "no device 'f9'"),
        (silence(60, site="attic"), "no site 'attic'"),
        (silence(60, rule="too-warn"), "no rule 'too-warn'; did you mean 'too-warm'"),
        (silence(60, device_id="f1", rule="leak"), "no rule 'leak'$"),
        (silence(-1, device_id="f1"), "before it begins"),
        (silence(60 * 24 * 400, device_id="f1"), "the longest"),
        (c.CreateSilence("Mia", " ", T0 + timedelta(hours=1), device_id="f1"), "say why"),
        (silence(60, device_id="f1", weekly=Weekly(frozenset(), time(1), time(2), "UTC")), "one day"),
        (silence(60, device_id="f1", weekly=Weekly(frozenset({0}), time(1), time(2), "Mars/Base")), "time zone"),
    ],
)
def test_a_silence_that_cannot_be_meant_is_refused_with_the_mend(
    tmp_path: Path, command: c.CreateSilence, why: str
) -> None:
    with gateway(f"sqlite:///{tmp_path / 'gateway.sqlite'}", tmp_path, rules=RULES) as made:
        with pytest.raises(c.CommandRefused, match=why):
            made.submit(command)
        assert made.rows(schema.silences) == []


SILENT = """
rules:
  - {id: device-silent, kind: absent, profile: freezer, for: 15m, incident: {wait: 3m}}
"""


def at_site(made: Gateway) -> None:
    made.submit(c.Upsert("customers", (ANA,), by="test"))
    devices = [{"id": f"f{n}", "profile": "freezer", "customer_id": "ana", "site": "café"} for n in (1, 2, 3)]
    made.submit(c.Upsert("devices", tuple(devices), by="test"))


@pytest.mark.parametrize("restart", [False, True])
def test_a_site_that_is_gone_is_one_incident_and_one_message_until_it_is_heard_again(
    store_url: str, tmp_path: Path, restart: bool
) -> None:
    times = [(n, T0 + timedelta(minutes=after + n)) for after in (0, 60) for n in (1, 2, 3)]
    said = [
        Message(f"devices/f{device}/status", b'{"temperature": -18}', at, number)
        for number, (device, at) in enumerate(times, start=1)
    ]
    parts: list[tuple[list[Message], float]] = [(said[:3], 16.5), ([], 17.5), ([], 40), (said[3:5], 62), (said[5:], 64)]
    seen: list[tuple[list[tuple[str, str]], list[str]]] = []
    running = None
    with ExitStack() as stack:
        for number, (part, until) in enumerate(parts):
            if restart or running is None:
                if restart:
                    stack.close()
                running = stack.enter_context(gateway(store_url, tmp_path, rules=SILENT, records=False))
                if number == 0:
                    at_site(running)
            if part:
                running.deliver(part)
            run_all(running, T0 + timedelta(minutes=until))
            cases = [(row["kind"], row["state"]) for row in running.rows(schema.cases)]
            seen.append((cases, [row["key"] for row in running.rows(schema.notifications)]))
    told = ["case:1:fault_opened:0:ana"]
    assert seen[0] == ([], [])
    assert seen[1] == seen[2] == seen[3] == ([("incident", "open")], told)
    assert seen[4] == ([("incident", "resolved")], told)
