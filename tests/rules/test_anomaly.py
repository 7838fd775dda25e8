"""``rules/kinds/anomaly.py``: what a rule of this kind says of a device, through the engine."""

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_models.event import Event, Value
from device_models.profile import GENERIC
from device_models.yaml_lines import InvalidFileError
from rules.authoring.check import check_rules
from rules.evaluator import Fact
from rules.explain import explain
from rules.kinds.anomaly import AnomalyRule
from rules.recordings.backtest import Backtest
from rules.schema import parse_rules
from rules.state import DeviceState
from rules.transition import Transition
from tests.rules.making import FREEZER, T0, at, context, detector, facts_of, ruleset, status, told

UNUSUAL = """
id: unusual
kind: anomaly
profile: freezer
field: temperature
"""
TOGETHER = """
id: together
kind: anomaly
profile: freezer
fields: [temperature, power]
"""
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
STEP = 5
"""Minutes."""
WARM = 600
"""Samples after which the usual warm-up of two days is over."""


def measured(rows: int = 900, fault: range = range(0), seed: int = 1, **more: Any) -> list[Event]:
    """A freezer's temperature and power, with a fault of 6 K."""
    chance = random.Random(seed)
    events = []
    for row in range(rows):
        value = -18 + chance.gauss(0, 0.5) + (6 if row in fault else 0)
        events.append(status(row * STEP, {"temperature": value, "power": 90 - 5 * value}, **more))
    return events


def states(facts: Iterable[Fact]) -> list[tuple[str, int]]:
    """(state, row) of each transition."""
    return [(state, round(minute / STEP)) for _, state, minute in told(facts)]


def firing(facts: Iterable[Fact]) -> Transition:
    """Return the only alert that fires."""
    (found,) = [fact for fact in facts if isinstance(fact, Transition) and fact.state.value == "firing"]
    return found


def test_an_alert_fires_when_the_value_leaves_its_band_and_resolves_when_it_is_back() -> None:
    facts = facts_of(detector(UNUSUAL), measured(fault=range(700, 760)))
    (fired, fired_row), (resolved, resolved_row) = states(facts)
    assert (fired, resolved) == ("firing", "resolved")
    assert 700 <= fired_row <= 702
    assert 760 < resolved_row <= 800


def test_the_explanation_gives_the_band_the_value_and_what_it_was_learned_from() -> None:
    explanation = firing(facts_of(detector(UNUSUAL), measured(fault=range(700, 760)))).explanation
    band = explanation["band"]
    assert explanation["kind"] == "anomaly"
    assert explanation["field"] == "temperature"
    assert explanation["about"] in ("jump", "level")
    assert -25 < band["low"] < -18 < band["high"] < explanation["value"] < -10
    assert explanation["limit"] == band["high"]
    assert explanation["direction"] == "above"
    assert explanation["score"] >= 1
    assert explanation["units"] == {"temperature": "Cel"}
    assert explanation["learned"]["since"] == "2026-03-01T08:00:00Z"
    assert 690 < explanation["learned"]["samples"] < 710
    json.dumps(explanation)


def test_nothing_fires_in_the_first_two_days() -> None:
    assert facts_of(detector(UNUSUAL), measured(560, range(450, 560))) == []


def test_a_warm_up_of_ones_own_is_as_long_as_it_says() -> None:
    warm = UNUSUAL + "warm_up: 20h"
    assert facts_of(detector(warm), measured(239, range(200, 239))) == []
    assert states(facts_of(detector(warm), measured(330, range(300, 330))))[0][0] == "firing"


def test_what_is_sampled_each_second_is_ready_after_four_hundred_samples() -> None:
    chance = random.Random(3)
    samples = [
        status(row / 60, {"temperature": 20 + chance.gauss(0, 1) + (9 if row >= 450 else 0)}) for row in range(480)
    ]
    assert len(facts_of(detector(UNUSUAL), samples)) == 1


def test_an_anomaly_must_stand_for_as_long_as_the_rule_says() -> None:
    made = detector(UNUSUAL + "for: 1h")
    brief = states(facts_of(made, measured(fault=range(700, 703))))
    assert "firing" not in [state for state, _ in brief]
    # Being back takes 16 samples, so what lasts for less than 80 minutes is over no sooner.
    facts = states(facts_of(made, measured(fault=range(700, 760))))
    assert [state for state, _ in facts] == ["pending", "firing", "resolved"]
    assert facts[1][1] - facts[0][1] == 12


def test_what_no_sample_follows_never_completes_its_wait() -> None:
    facts = facts_of(detector(UNUSUAL + "for: 3h"), measured(703, range(700, 703)), until=10_000)
    assert [state for state, _ in states(facts)] == ["pending", "inactive"]
    assert isinstance(facts[-1], Transition)
    assert facts[-1].explanation["reason"] == "stale"


def test_what_stands_for_long_enough_resolves_as_the_new_normal() -> None:
    facts = facts_of(detector(UNUSUAL + "normal_after: 10h"), measured(1100, range(700, 1100)))
    assert [state for state, _ in states(facts)] == ["firing", "resolved"]
    resolved = facts[-1]
    assert isinstance(resolved, Transition)
    assert resolved.explanation["reason"] == "new_normal"
    assert (resolved.at - firing(facts).at).total_seconds() == 36_000


def test_two_fields_that_no_longer_belong_together_are_found() -> None:
    chance = random.Random(2)
    events = []
    for row in range(900):
        value = -18 + chance.gauss(0, 0.5)
        works = (2 * -18 - value) if 700 <= row < 760 else value
        events.append(status(row * STEP, {"temperature": value, "power": 90 - 5 * works + chance.gauss(0, 0.2)}))
    facts = facts_of(detector(TOGETHER), events)
    fired = [fact for fact in facts if isinstance(fact, Transition) and fact.state.value == "firing"]
    assert 700 <= round((fired[0].at - T0).total_seconds() / 300) <= 715
    explanation = fired[0].explanation
    assert explanation["about"] == "relation"
    assert explanation["field"] in ("temperature", "power")
    assert set(explanation["values"]) == {"temperature", "power"}
    assert not explanation["band"]["low"] <= explanation["value"] <= explanation["band"]["high"]
    assert facts_of(detector(UNUSUAL), events) == []


def test_fields_of_separate_messages_make_one_sample() -> None:
    whole = measured(fault=range(700, 760))
    split = []
    for event in whole:
        minutes = (event.observed_at - T0).total_seconds() / 60
        split.append(status(minutes, {"temperature": event.values["temperature"]}))
        split.append(status(minutes + 1, {"power": event.values["power"]}))
    together, apart = states(facts_of(detector(TOGETHER), whole)), states(facts_of(detector(TOGETHER), split))
    assert [state for state, _ in apart] == [state for state, _ in together] == ["firing", "resolved"]
    assert apart[0][1] == together[0][1]


@pytest.mark.parametrize(
    ("value", "reason"),
    [("n/a", "temperature is the text 'n/a'"), (True, "temperature is a truth value, not a number")],
)
def test_what_is_no_number_is_no_sample_and_says_so(value: Value, reason: str) -> None:
    made, device, state = detector(UNUSUAL), context(), DeviceState()
    state, _ = made.run(device, state, measured(50))
    before = state.rules["unusual"]
    state, facts = made.run(device, state, [status(50 * STEP, {"temperature": value})])
    assert facts == []
    assert state.rules["unusual"] == before
    assert explain(made, device, state, at(51 * STEP))[0]["no_sample"]["reason"] == reason


def test_a_late_sample_and_a_duplicate_change_nothing() -> None:
    made, device = detector(UNUSUAL), context()
    events = measured(100)
    state, _ = made.run(device, DeviceState(), events)
    late = status(90 * STEP + 1, {"temperature": 500.0}, arrives=100 * STEP)
    after, _ = made.run(device, state, [late, events[-1]])
    assert after.rules == state.rules


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(1, 200), max_size=8), st.sampled_from([UNUSUAL, TOGETHER]))
def test_any_batches_and_a_restart_after_every_sample_give_the_same_facts(
    seed: int, sizes: list[int], rule: str
) -> None:
    events = measured(800, range(650, 720), seed)
    made, device = detector(rule + "for: 30m"), context()
    one_by_one = facts_of(made, events)
    state, facts = DeviceState(), []
    rest = events
    for size in (*sizes, len(events)):
        state, found = made.run(device, state, rest[:size])
        facts += found
        rest = rest[size:]
    assert facts == one_by_one


def test_a_backtest_gives_the_same_facts_as_one_by_one() -> None:
    events = measured(fault=range(700, 760))
    run = Backtest(detector(UNUSUAL), FREEZER)
    found = [fact for event in events for fact in run.take("f1", event.observed_at, event.values)]
    assert states(found) == states(facts_of(detector(UNUSUAL), events))


def test_what_was_learned_of_other_fields_is_forgotten_on_an_edit_and_kept_on_another() -> None:
    device = context()
    state, _ = detector(UNUSUAL).run(device, DeviceState(), measured(WARM))
    kept, _ = detector(UNUSUAL + "sensitivity: low").reconcile(device, state, at(WARM * STEP))
    assert kept.rules["unusual"].memory == state.rules["unusual"].memory
    lost, _ = detector(UNUSUAL.replace("temperature", "power")).reconcile(device, state, at(WARM * STEP))
    assert lost.rules["unusual"].memory == {}
    # The season is switched off and on again: what it needs is there.
    plain = detector(UNUSUAL + "season: none")
    without, _ = plain.run(device, state, measured(WARM + 50)[WARM:])
    assert "day" not in without.rules["unusual"].memory
    again, _ = detector(UNUSUAL).run(device, without, measured(WARM + 100)[WARM + 50 :])
    assert "day" in again.rules["unusual"].memory


def test_what_a_device_keeps_is_bounded() -> None:
    made, device = detector(UNUSUAL, TOGETHER), context()
    sizes = []
    state = DeviceState()
    for day in range(40):
        rows = range(day * 288, (day + 1) * 288)
        chance = random.Random(day)
        events = [status(row * STEP, {"temperature": chance.gauss(0, 1), "power": chance.gauss(0, 1)}) for row in rows]
        state, _ = made.run(device, state, events)
        sizes.append(len(json.dumps({rule: kept.to_json() for rule, kept in state.rules.items()})))
    assert sizes[-1] < 3500
    assert sizes[-1] - sizes[20] < 50


def test_explain_says_how_far_it_is_with_learning() -> None:
    made, device, state = detector(UNUSUAL), context(), DeviceState()
    assert explain(made, device, state, at(0))[0]["warming_up"] is True
    state, _ = made.run(device, state, measured(100))
    told_early = explain(made, device, state, at(100 * STEP))[0]
    assert (told_early["warming_up"], told_early["learned"]["samples"]) == (True, 100)
    state, _ = made.run(device, state, measured(WARM)[100:])
    told_late = explain(made, device, state, at(WARM * STEP))[0]
    assert told_late["warming_up"] is False
    assert -25 < told_late["usual_band"]["low"] < -18 < told_late["usual_band"]["high"] < -12


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("fields: [temperature, temperature]", "names a field twice"),
        ("fields: [a, b, c, d, e, f, g, h, i]", "8 are the most"),
        ("field: temperature\nfields: [power]", "either 'field' or 'fields'"),
        ("sensitivity: normal", "either 'field' or 'fields'"),
        ("fields: [temperature, power]\nseason: hour_of_week", "for a single field"),
        ("field: temperature\nnormal_after: 0s", "greater than"),
    ],
)
def test_a_rule_that_cannot_work_is_refused(change: str, error: str) -> None:
    with pytest.raises(InvalidFileError, match=error):
        ruleset(f"id: wrong\nkind: anomaly\n{change}")


def test_check_names_a_misspelt_field() -> None:
    rules = ruleset(UNUSUAL.replace("field: temperature", "fields: [temperatur, power]"))
    (error,) = check_rules(rules, {"freezer": FREEZER})
    assert "did you mean 'temperature'?" in error.message


def test_the_fields_that_wake_it_are_those_it_watches() -> None:
    rule = AnomalyRule(id="a", fields=("temperature", "power"))
    assert rule.watched == ("temperature", "power")
    made = detector(TOGETHER)
    assert next(iter(made.evaluators(FREEZER).values())).reads == {"temperature", "power"}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_the_example_rule_sets_of_the_documentation_are_right(path: Path) -> None:
    rules = parse_rules(path.read_text(encoding="utf-8"), path.name)
    assert check_rules(rules, {"generic": GENERIC, "freezer": FREEZER}) == []
    assert path.name in (EXAMPLES.parent / "detection.md").read_text(encoding="utf-8")
