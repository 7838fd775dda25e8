"""Response: one case an episode, and who hears of it when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from device_models.purpose import Purpose, Severity
from device_models.registry import Customer, Device
from rules.base import BaseRule
from rules.respond import (
    Action,
    AddToCase,
    KeepAlert,
    Notify,
    OpenCase,
    RecoverCase,
    ReopenCase,
    Withdraw,
    World,
    absorb,
    respond,
)
from rules.transition import AlertState, Transition

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULE = BaseRule(id="too-warm", kind="condition", reopen_within=timedelta(hours=24))
FREEZER = Device(id="f1", profile="freezer", customer_id="ana", name="Garage freezer")
ANA = Customer(id="ana", name="Ana Souza")


def world() -> World:
    return World(rules={RULE.id: RULE}, profiles={}, devices={FREEZER.id: FREEZER}, customers={ANA.id: ANA})


def transition(state: AlertState, at: datetime = T0, **changes: object) -> Transition:
    made = Transition(
        rule=RULE.id,
        device_id="f1",
        state=state,
        at=at,
        severity=Severity.MAJOR,
        purpose=Purpose.FAULT,
        explanation={"kind": "condition", "title": {"en": "too warm"}},
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def play(in_world: World, *transitions: Transition) -> list[Action]:
    actions: list[Action] = []
    for each in transitions:
        made = respond(in_world, each)
        absorb(in_world, made)
        actions += (action for action in made if not isinstance(action, KeepAlert))
    return actions


def kinds(actions: list[Action]) -> list[type]:
    return [type(action) for action in actions]


FIRING, RESOLVED = AlertState.FIRING, AlertState.RESOLVED


def test_a_fault_opens_a_case_and_its_owner_is_told() -> None:
    opened, told = play(world(), transition(FIRING))
    assert isinstance(opened, OpenCase)
    assert opened.case.customer_id == "ana"
    assert isinstance(told, Notify)
    assert (told.customer_id, told.template) == ("ana", "fault_opened")
    assert told.facts["device"]["name"] == "Garage freezer"


def test_a_pending_fault_does_nothing_yet() -> None:
    assert play(world(), transition(AlertState.PENDING), transition(AlertState.INACTIVE)) == []


def test_a_fault_that_fires_again_while_its_case_is_open_opens_no_second_one() -> None:
    actions = play(world(), transition(FIRING), transition(FIRING, T0 + timedelta(hours=1)))
    assert kinds(actions) == [OpenCase, Notify, AddToCase]


def test_a_rising_severity_tells_the_customer_again() -> None:
    worse = transition(FIRING, T0 + timedelta(hours=1), severity=Severity.CRITICAL)
    actions = play(world(), transition(FIRING), worse)
    assert kinds(actions) == [OpenCase, Notify, AddToCase, Notify]
    assert len({action.key for action in actions if isinstance(action, Notify)}) == 2


def test_a_severity_that_falls_changes_the_case_and_tells_nobody_and_its_rising_again_has_been_told() -> None:
    here, critical = world(), Severity.CRITICAL
    before = {"severity_before": "critical"}
    actions = play(
        here,
        transition(AlertState.FIRING),
        transition(AlertState.FIRING, severity=critical, explanation={"severity_before": "major"}),
        transition(AlertState.FIRING, explanation=before),
    )
    assert kinds(actions) == [OpenCase, Notify, AddToCase, Notify, AddToCase]
    case = here.cases["f1|too-warm"]
    assert case.severity is Severity.MAJOR
    again = play(here, transition(AlertState.FIRING, severity=critical, explanation={"severity_before": "major"}))
    keys = [action.key for action in (*actions, *again) if isinstance(action, Notify)]
    # The same key goes out once.
    assert (len(keys), len(set(keys))) == (3, 2)


def test_a_rule_that_falls_does_not_lower_what_another_one_raised() -> None:
    here = world()
    play(here, transition(AlertState.FIRING, severity=Severity.CRITICAL))
    fall = {"severity_before": "major"}
    play(here, transition(AlertState.FIRING, severity=Severity.MINOR, explanation=fall))
    assert here.cases["f1|too-warm"].severity is Severity.CRITICAL


def test_a_service_put_off_and_due_again_is_told_again_in_the_same_case() -> None:
    reminder = {"kind": "maintenance", "reminder": True}
    due = transition(FIRING, T0 + timedelta(days=7), explanation=reminder)
    later = transition(FIRING, T0 + timedelta(days=14), explanation=reminder)
    actions = play(world(), transition(FIRING, explanation={"kind": "maintenance"}), due, due, later)
    keys = [action.key for action in actions if isinstance(action, Notify)]
    assert kinds(actions).count(OpenCase) == 1
    assert len(set(keys)) == 3


def test_a_case_resolves_itself_and_withdraws_what_was_not_sent() -> None:
    actions = play(world(), transition(FIRING), transition(RESOLVED, T0 + timedelta(minutes=5)))
    assert kinds(actions) == [OpenCase, Notify, RecoverCase, Withdraw]


def test_who_was_told_of_a_fault_hears_of_its_end() -> None:
    a_world = world()
    play(a_world, transition(FIRING))
    [case] = a_world.cases.values()
    a_world.cases[case.dedupe_key] = replace(case, told=True)
    *_, last = play(a_world, transition(RESOLVED, T0 + timedelta(minutes=5)))
    assert isinstance(last, Notify)
    assert last.template == "fault_resolved"


def test_a_fault_back_within_a_day_reopens_its_case() -> None:
    back = transition(FIRING, T0 + timedelta(hours=20))
    actions = play(world(), transition(FIRING), transition(RESOLVED, T0 + timedelta(hours=1)), back)
    assert ReopenCase in kinds(actions)
    assert kinds(actions).count(OpenCase) == 1


def test_a_fault_back_after_a_day_opens_a_new_case_linked_to_the_last() -> None:
    back = transition(FIRING, T0 + timedelta(hours=26))
    actions = play(world(), transition(FIRING), transition(RESOLVED, T0 + timedelta(hours=1)), back)
    first, second = (action for action in actions if isinstance(action, OpenCase))
    assert second.previous_case_id == first.case.id
    assert second.case.id != first.case.id


def test_what_was_found_on_arrival_is_listed_and_nobody_is_told() -> None:
    actions = play(world(), transition(FIRING, on_arrival=True))
    assert kinds(actions) == [OpenCase]
    assert isinstance(actions[0], OpenCase)
    assert actions[0].case.on_arrival


def test_a_rule_on_trial_opens_nothing() -> None:
    assert play(world(), transition(FIRING, shadow=True)) == []


def test_a_device_without_an_owner_opens_a_case_for_staff_alone() -> None:
    a_world = world()
    a_world.devices = {"f1": FREEZER.model_copy(update={"customer_id": None})}
    assert kinds(play(a_world, transition(FIRING))) == [OpenCase]


STEPS = st.lists(
    st.tuples(st.sampled_from([FIRING, RESOLVED]), st.sampled_from(["", "E17", "E18"]), st.integers(1, 60 * 60 * 24)),
    max_size=30,
)


@given(STEPS)
def test_each_fault_has_at_most_one_open_case_and_no_message_key_comes_twice(
    steps: list[tuple[AlertState, str, int]],
) -> None:
    a_world, at = world(), T0
    actions: list[Action] = []
    for state, fault, gap_s in steps:
        at += timedelta(seconds=gap_s)
        actions += play(a_world, transition(state, at, fault=fault))
    opened = [action.case.id for action in actions if isinstance(action, OpenCase)]
    assert len(opened) == len(set(opened))
    keys = [action.key for action in actions if isinstance(action, Notify)]
    assert len(keys) == len(set(keys))
    ended = sum(isinstance(action, RecoverCase) for action in actions)
    begun = sum(isinstance(action, OpenCase | ReopenCase) for action in actions)
    assert 0 <= begun - ended <= 3
