"""Inhibition: what another alert explains opens no case, until it is explained no more."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_models.purpose import Purpose, Severity
from device_models.registry import Customer, Device
from rules.authoring.check import check_rules
from rules.base import BaseRule
from rules.respond import (
    Action,
    AddToCase,
    KeepAlert,
    Notify,
    OpenCase,
    RecoverCase,
    ReopenCase,
    World,
    absorb,
    due_alerts,
    release,
    respond,
)
from rules.schema import parse_rules
from rules.transition import AlertState, Transition

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FIRING, RESOLVED = AlertState.FIRING, AlertState.RESOLVED
DOOR = BaseRule(id="door", kind="condition", severity=Severity.MINOR)
WARM = BaseRule(id="warm", kind="condition", inhibited_by=("door", "mains"), inhibited_after=timedelta(hours=1))
MAINS = BaseRule(id="mains", kind="condition")
ROUTER = BaseRule(id="router", kind="condition", inhibited_by=("mains",), inhibited_scope="site")
SILENT = BaseRule(id="silent", kind="absent", severity=Severity.MINOR)
LEAK = BaseRule(id="leak", kind="condition", purpose=Purpose.SAFETY)
RULES = {rule.id: rule for rule in (DOOR, WARM, MAINS, ROUTER, SILENT, LEAK)}
DEVICES = {
    name: Device(id=name, profile="freezer", customer_id="ana", site=site)
    for name, site in (("f1", "home"), ("f2", "home"), ("f3", "shop"), ("f4", None), ("f5", None))
}
ANA = Customer(id="ana", name="Ana Souza")


def world() -> World:
    return World(rules=RULES, profiles={}, devices=DEVICES, customers={"ana": ANA})


def fact(rule: str, state: AlertState, minutes: float = 0, device: str = "f1", **changes: object) -> Transition:
    of = RULES[rule]
    made = Transition(rule, device, state, T0 + minutes * MINUTE, of.severity, of.purpose, {"kind": of.kind})
    return replace(made, **changes)  # type: ignore[arg-type]


def pass_time(in_world: World, until: datetime) -> list[Action]:
    actions: list[Action] = []
    while due := due_alerts(in_world, until):
        for alert in due:
            _, made = release(in_world, alert)
            absorb(in_world, made)
            actions += made
    return actions


def play(in_world: World, *facts: Transition, until: float | None = None) -> list[Action]:
    """What comes of ``facts`` in their order, timers in between released, without what is only remembered."""
    actions: list[Action] = []
    for each in facts:
        actions += pass_time(in_world, each.at)
        made = respond(in_world, each)
        absorb(in_world, made)
        actions += made
    if until is not None:
        actions += pass_time(in_world, T0 + until * MINUTE)
    return [action for action in actions if not isinstance(action, KeepAlert)]


def opened(actions: Sequence[Action]) -> list[str]:
    return [action.case.rule for action in actions if isinstance(action, OpenCase)]


def test_a_fault_that_another_explains_opens_no_case_and_tells_nobody() -> None:
    actions = play(world(), fact("door", FIRING), fact("warm", FIRING, 30, severity=Severity.MINOR))
    assert opened(actions) == ["door"]
    assert sum(isinstance(action, Notify) for action in actions) == 1


def test_an_explained_fault_that_is_worse_raises_the_case_of_its_cause() -> None:
    in_world = world()
    actions = play(in_world, fact("door", FIRING), fact("warm", FIRING, 30), fact("warm", FIRING, 31))
    assert [type(action) for action in actions] == [OpenCase, Notify, AddToCase, Notify]
    assert in_world.cases["f1|door"].severity is Severity.MAJOR
    assert len({action.key for action in actions if isinstance(action, Notify)}) == 2


def test_of_two_causes_that_are_over_the_one_that_explains_it_longer_decides() -> None:
    causes = [fact("door", FIRING), fact("mains", FIRING, 5), fact("door", RESOLVED, 10), fact("mains", RESOLVED, 30)]
    for until, found in ((89.0, []), (90.0, ["warm"])):
        actions = play(world(), *causes, fact("warm", FIRING, 40), until=until)
        assert [rule for rule in opened(actions) if rule == "warm"] == found


def test_the_reason_is_kept_with_the_fault() -> None:
    in_world = world()
    play(in_world, fact("door", FIRING), fact("warm", FIRING, 30))
    withheld = in_world.alerts["f1"]["f1|warm"].withheld
    assert withheld is not None
    assert withheld.as_dict() == {
        "by": "inhibition",
        "rule": "door",
        "device_id": "f1",
        "since": "2026-03-01T12:00:00Z",
    }


def test_a_fault_that_outlasts_what_explained_it_opens_its_case_then() -> None:
    facts = fact("door", FIRING), fact("warm", FIRING, 30), fact("door", RESOLVED, 40)
    assert opened(play(world(), *facts, until=99.9)) == ["door"]
    actions = play(world(), *facts, until=100)
    assert opened(actions) == ["door", "warm"]
    [case] = [action for action in actions if isinstance(action, OpenCase) and action.case.rule == "warm"]
    assert case.case.opened_at == T0 + 100 * MINUTE
    assert case.transition.explanation["withheld"]["rule"] == "door"
    assert case.transition.explanation["withheld"]["from"] == "2026-03-01T12:30:00Z"


def test_a_fault_that_is_over_before_its_time_never_opens_a_case() -> None:
    facts = fact("door", FIRING), fact("warm", FIRING, 30), fact("door", RESOLVED, 40), fact("warm", RESOLVED, 80)
    assert opened(play(world(), *facts, until=600)) == ["door"]


def test_what_fires_soon_after_its_cause_is_over_is_still_explained_by_it() -> None:
    facts = fact("door", FIRING), fact("door", RESOLVED, 20), fact("warm", FIRING, 25)
    assert opened(play(world(), *facts, until=79)) == ["door"]
    assert opened(play(world(), *facts, until=81)) == ["door", "warm"]


def test_a_second_cause_takes_over_where_the_first_ended() -> None:
    facts = fact("door", FIRING), fact("warm", FIRING, 30), fact("mains", FIRING, 35), fact("door", RESOLVED, 40)
    assert opened(play(world(), *facts, until=600)) == ["door", "mains"]


def test_a_cause_on_another_device_explains_nothing() -> None:
    assert opened(play(world(), fact("door", FIRING, device="f2"), fact("warm", FIRING))) == ["door", "warm"]


@pytest.mark.parametrize(("cause_at", "explained"), [("f2", True), ("f3", False), ("f4", False)])
def test_across_a_site_only_its_own_devices_explain_one_another(cause_at: str, explained: bool) -> None:
    cause = fact("mains", FIRING, device=cause_at)
    assert opened(play(world(), cause, fact("router", FIRING, 1))) == ["mains"] + ["router"] * (not explained)


def test_devices_without_a_site_are_no_site() -> None:
    cause, effect = fact("mains", FIRING, device="f4"), fact("router", FIRING, 1, device="f5")
    assert opened(play(world(), cause, effect)) == ["mains", "router"]


def test_a_cause_elsewhere_at_the_site_that_ends_lets_go() -> None:
    facts = fact("mains", FIRING, device="f2"), fact("router", FIRING, 1), fact("mains", RESOLVED, 5, device="f2")
    assert opened(play(world(), *facts, until=5)) == ["mains", "router"]


def test_a_silent_device_explains_lesser_faults_and_never_one_that_is_worse_or_about_safety() -> None:
    door, leak = fact("door", FIRING, 1), fact("leak", FIRING, 1, severity=Severity.MINOR)
    assert opened(play(world(), fact("silent", FIRING), door)) == ["silent"]
    assert opened(play(world(), fact("silent", FIRING), leak)) == ["silent", "leak"]
    assert opened(play(world(), fact("silent", FIRING), fact("mains", FIRING, 1))) == ["silent", "mains"]


def test_a_case_that_is_open_already_hears_of_its_fault_whatever_explains_it_now() -> None:
    worse = fact("warm", FIRING, 30, severity=Severity.CRITICAL)
    actions = play(world(), fact("warm", FIRING), fact("door", FIRING, 10), worse)
    assert sum(isinstance(action, Notify) for action in actions) == 3


def test_two_rules_that_name_each_other_cannot_silence_each_other() -> None:
    a = BaseRule(id="a", kind="condition", inhibited_by=("b",))
    b = BaseRule(id="b", kind="condition", inhibited_by=("a",))
    in_world = World(rules={"a": a, "b": b}, profiles={}, devices=DEVICES, customers={})
    first = Transition("a", "f1", FIRING, T0, Severity.MAJOR, Purpose.FAULT)
    actions = play(in_world, first, replace(first, rule="b"), replace(first, state=RESOLVED, at=T0 + MINUTE), until=9)
    assert opened(actions) == ["a", "b"]


def test_a_misspelt_cause_and_a_rule_that_explains_itself_are_mistakes_in_the_file() -> None:
    text = """
rules:
  - {id: door-open, kind: condition, when: door_open}
  - {id: warm, kind: condition, when: t > 1, inhibited_by: [door-opne, warm]}
"""
    errors = [str(error) for error in check_rules(parse_rules(text, "rules.yaml"), {})]
    assert errors == [
        "rules.yaml:4:46: rules.1.inhibited_by: there is no rule 'door-opne' here; did you mean 'door-open'?",
        "rules.yaml:4:46: rules.1.inhibited_by: a rule cannot explain itself",
    ]


STEPS = st.lists(
    st.tuples(
        st.sampled_from([FIRING, RESOLVED]),
        st.sampled_from(["door", "warm", "mains", "silent", "router"]),
        st.sampled_from(["f1", "f2"]),
        st.integers(0, 90),
    ),
    max_size=40,
)


@given(STEPS)
def test_in_the_end_everything_that_fires_has_a_case_or_a_reason(
    steps: list[tuple[AlertState, str, str, int]],
) -> None:
    in_world, minutes = world(), 0
    for state, rule, device, gap in steps:
        minutes += gap
        play(in_world, fact(rule, state, minutes, device))
    pass_time(in_world, T0 + (minutes + 600) * MINUTE)
    for alert in in_world.all_alerts():
        case = in_world.cases.get(alert.transition.dedupe_key)
        is_open = case is not None and case.open
        assert is_open == (alert.firing and alert.withheld is None)
        if alert.withheld is not None and alert.firing:
            cause = next(a for a in in_world.all_alerts() if a.transition.dedupe_key == alert.withheld.key)
            assert cause.firing


@given(STEPS)
def test_a_fact_told_twice_changes_nothing(steps: list[tuple[AlertState, str, str, int]]) -> None:
    def story(times: int) -> list[tuple[type, str, datetime]]:
        in_world, minutes, actions = world(), 0, list[Action]()
        for state, rule, device, gap in steps:
            minutes += gap
            for _ in range(times):
                actions += play(in_world, fact(rule, state, minutes, device))
        # What is due at the very minute of the last fact is let go by whatever comes next.
        actions += pass_time(in_world, T0 + (minutes + 600) * MINUTE)
        kinds = (OpenCase, ReopenCase, RecoverCase)
        return [(type(a), a.case.dedupe_key, a.transition.at) for a in actions if isinstance(a, kinds)]

    assert story(1) == story(2)
