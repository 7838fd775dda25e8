"""Verdicts on cases and on what a rule in shadow would have opened; taking a rule out of shadow."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway import commands as c
from gateway.cases.verdicts import count_by_rule, verdict_of
from gateway.rulebook.shadow import Trial, trial_lines, trials
from gateway.store import schema
from gateway.store.verdicts import verdicts
from rules.authoring.precision import Verdicts
from tests.gateway.making import T0, TOO_WARM, Gateway, gateway

RULES = (
    TOO_WARM
    + """
  - {id: on-trial, kind: condition, profile: freezer, when: temperature > -10, mode: shadow, reopen_within: 2h}
"""
)


@pytest.fixture
def running(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    with gateway(store_url, tmp_path, rules=RULES) as made:
        yield made


def warm_spell(running: Gateway, minutes: float = 0) -> int:
    """Let the freezer be too warm for a quarter of an hour; return the case that opened."""
    for after, celsius in ((0, -18), (5, -5), (10, -5), (16, -5), (30, -18)):
        running.temperature(celsius, minutes + after)
    case_id: int = running.rows(schema.cases)[-1]["id"]
    return case_id


def judged(running: Gateway) -> Verdicts:
    with running.store.read() as connection:
        return count_by_rule(connection).get("freezer-too-warm", Verdicts())


def trial(running: Gateway) -> Trial:
    with running.store.read() as connection:
        within = {"on-trial": timedelta(hours=2)}
        return trials(connection, within, running.committer._registry.devices, T0 - timedelta(days=1))["on-trial"]


def test_a_verdict_stands_in_timeline_audit_and_precision(running: Gateway) -> None:
    case_id = warm_spell(running)
    assert running.submit(c.GiveVerdict(case_id, "false_alarm", "mia")) is None
    assert judged(running) == Verdicts(false_alarm=1)
    entry = running.rows(schema.timeline, case_id=case_id, kind="verdict")[-1]
    assert (entry["author"], entry["body"]["verdict"]) == ("mia", "false_alarm")
    assert [row["detail"]["verdict"] for row in running.rows(schema.audit, action="case.verdict")] == ["false_alarm"]


def test_the_newest_verdict_counts_and_undo_gives_back_the_one_before(running: Gateway) -> None:
    case_id = warm_spell(running)
    running.submit(c.GiveVerdict(case_id, "false_alarm", "mia"))
    before = running.submit(c.GiveVerdict(case_id, "real", "mia"))
    assert (before, judged(running)) == ("false_alarm", Verdicts(real=1))
    running.submit(c.GiveVerdict(case_id, before, "mia"))
    assert judged(running) == Verdicts(false_alarm=1)
    running.submit(c.GiveVerdict(case_id, None, "mia"))
    assert judged(running) == Verdicts()
    assert running.rows(verdicts) == []


def test_the_same_word_twice_is_one_entry(running: Gateway) -> None:
    case_id = warm_spell(running)
    for _ in range(2):
        running.submit(c.GiveVerdict(case_id, "real", "mia"))
    assert len(running.rows(schema.timeline, case_id=case_id, kind="verdict")) == 1


def test_a_customers_word_counts_until_staff_have_said_theirs(running: Gateway) -> None:
    case_id = warm_spell(running)
    running.submit(c.GiveVerdict(case_id, "false_alarm", "customer"))
    assert judged(running) == Verdicts(false_alarm=1)
    running.submit(c.GiveVerdict(case_id, "real", "mia"))
    running.submit(c.GiveVerdict(case_id, "false_alarm", "customer"))
    assert judged(running) == Verdicts(real=1)
    with running.store.read() as connection:
        said = verdict_of(connection, case_id)
    assert said is not None
    assert (said["verdict"], said["said_by"]) == ("real", "mia")


def test_staff_may_agree_with_the_customer_in_their_own_name(running: Gateway) -> None:
    case_id = warm_spell(running)
    running.submit(c.GiveVerdict(case_id, "false_alarm", "customer"))
    running.submit(c.GiveVerdict(case_id, "false_alarm", "mia"))
    assert running.rows(verdicts)[0]["said_by"] == "mia"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (c.GiveVerdict(77, "real", "mia"), "no case 77"),
        (c.GiveVerdict(1, "duplicate", "mia", duplicate_of=1), "double itself"),
        (c.GiveVerdict(1, "duplicate", "mia", duplicate_of=99), "no case 99"),
        (c.GiveVerdict(1, "real", "mia", duplicate_of=1), "only a duplicate"),
        (c.JudgeWouldBe(1_000_000, "real", "lea"), "no rule in shadow"),
        (c.PromoteRule("nobody", "lea"), "no rule 'nobody'"),
        (c.PromoteRule("freezer-too-warm", "lea"), "live already"),
    ],
)
def test_what_cannot_be_said_is_refused_with_the_reason(running: Gateway, command: c.Command, why: str) -> None:
    warm_spell(running)
    with pytest.raises(c.CommandRefused, match=why):
        running.submit(command)


def test_a_live_firing_is_no_would_be_case(running: Gateway) -> None:
    warm_spell(running)
    live = next(row for row in running.rows(schema.transitions, rule="freezer-too-warm", state="firing"))
    with pytest.raises(c.CommandRefused, match="no rule in shadow"):
        running.submit(c.JudgeWouldBe(live["id"], "real", "lea"))


def test_firings_within_reopen_within_are_one_would_be_case(running: Gateway) -> None:
    for minutes in (0, 60, 300):
        warm_spell(running, minutes)
    assert [(case.firings, case.at - T0) for case in trial(running).cases] == [
        (1, timedelta(minutes=305)),
        (2, timedelta(minutes=5)),
    ]


def test_going_live_prints_precision_customers_and_hours(running: Gateway) -> None:
    for minutes in (0, 300, 600):
        warm_spell(running, minutes)
    newest, middle, oldest = trial(running).cases
    running.submit(c.JudgeWouldBe(newest.id, "real", "lea"))
    running.submit(c.JudgeWouldBe(middle.id, "real", "lea"))
    running.submit(c.JudgeWouldBe(oldest.id, "false_alarm", "lea"))
    result = running.submit(c.PromoteRule("on-trial", "lea"))
    change = next(rule for rule in result["rules"] if rule["rule"] == "on-trial")
    assert change["fields"] == {"mode": ["shadow", None]}
    assert trial_lines(change["trial"]) == [
        "in shadow it would have opened 3 cases for 1 customer; precision 67 % (2 of 3 real, 95 %: 21–94 %)",
        "by hour (UTC): 10h 1, 15h 1, 20h 1",
    ]
    before = len(running.rows(schema.cases))
    warm_spell(running, 3000)
    assert [row["rule"] for row in running.rows(schema.cases)[before:]] == ["on-trial", "freezer-too-warm"]


def test_a_verdict_on_a_would_be_case_can_be_taken_back(running: Gateway) -> None:
    warm_spell(running)
    (case,) = trial(running).cases
    running.submit(c.JudgeWouldBe(case.id, "real", "lea"))
    assert running.submit(c.JudgeWouldBe(case.id, None, "lea")) == "real"
    assert trial(running).verdicts == Verdicts()


def test_verdicts_in_shadow_and_on_cases_are_counted_apart(running: Gateway) -> None:
    warm_spell(running)
    (case,) = trial(running).cases
    running.submit(c.JudgeWouldBe(case.id, "real", "lea"))
    with running.store.read() as connection:
        assert count_by_rule(connection) == {}
