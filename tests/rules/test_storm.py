"""Storm: beyond a bound openings are held under one case; none is lost, and each opens, ends or stays as told."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from device_models.purpose import Purpose, Severity
from device_models.registry import Customer, Device
from rules.base import BaseRule
from rules.respond import Action, Notify, OpenCase, RecoverCase, World
from rules.response.storm import RELEASED, STORM, StormLimits
from rules.transition import AlertState, Transition
from tests.rules.test_inhibition import MINUTE, T0, play

FIRING, RESOLVED = AlertState.FIRING, AlertState.RESOLVED
HOT = BaseRule(id="hot", kind="condition")
OWNERS = ["ana", "bob"]
DEVICES = {f"d{n:02}": Device(id=f"d{n:02}", customer_id=OWNERS[n % 2], name=f"D{n}") for n in range(20)}
CUSTOMERS = {name: Customer(id=name, name=name) for name in OWNERS}


def world(openings: int = 5) -> World:
    return World({"hot": HOT}, {}, DEVICES, CUSTOMERS, storm=StormLimits(openings, timedelta(minutes=10)))


def hot(number: int, minutes: float, state: AlertState = FIRING, purpose: Purpose = Purpose.FAULT) -> Transition:
    said = {"kind": "condition", "title": {"en": "Too hot"}}
    return Transition("hot", f"d{number:02}", state, T0 + minutes * MINUTE, Severity.MAJOR, purpose, said)


def opened(actions: Sequence[Action]) -> list[str]:
    return [a.case.dedupe_key for a in actions if isinstance(a, OpenCase)]


def held(in_world: World) -> list[str]:
    return sorted(
        alert.transition.device_id
        for alert in in_world.all_alerts()
        if alert.firing and alert.withheld is not None and alert.withheld.by == "storm"
    )


def test_beyond_the_bound_openings_are_held_under_one_case_with_one_message_for_each_customer() -> None:
    in_world = world()
    actions = play(in_world, *(hot(n, n / 10) for n in range(12)))
    assert opened(actions) == [*(f"d{n:02}|hot" for n in range(5)), STORM]
    assert held(in_world) == [f"d{n:02}" for n in range(5, 12)]
    parent = in_world.cases[STORM]
    digests = [a for a in actions if isinstance(a, Notify) and a.case_id == parent.id]
    assert len({a.key for a in digests}) == 2
    last = [a for a in digests if a.customer_id == "bob"][-1]
    assert last.refresh
    assert last.facts["device"]["name"] == "D5, D7, D9 +1"


def test_what_is_held_opens_by_and_by_and_the_parent_ends_with_the_last() -> None:
    in_world = world()
    play(in_world, *(hot(n, n / 10) for n in range(12)))
    # Looked at again after ten minutes each, and never more of them than the bound.
    later = play(in_world, until=12)
    assert 1 <= len(opened(later)) <= 5
    assert len(held(in_world)) == 7 - len(opened(later))
    last = play(in_world, until=60)
    assert len(opened(last)) + len(opened(later)) == 7
    assert held(in_world) == []
    assert [a.case.dedupe_key for a in last if isinstance(a, RecoverCase)] == [STORM]


def test_what_is_over_while_it_is_held_never_was_a_case() -> None:
    in_world = world()
    play(in_world, *(hot(n, n / 10) for n in range(7)))
    over = play(in_world, hot(5, 2, RESOLVED), hot(6, 2, RESOLVED))
    assert opened(over) == []
    assert [a.case.dedupe_key for a in over if isinstance(a, RecoverCase)] == [STORM]
    assert opened(play(in_world, until=60)) == []


def test_safety_and_what_was_found_on_arrival_are_never_held() -> None:
    in_world = world()
    play(in_world, *(hot(n, n / 10) for n in range(8)))
    assert opened(play(in_world, hot(10, 1, purpose=Purpose.SAFETY))) == ["d10|hot"]
    assert opened(play(in_world, replace(hot(11, 1), on_arrival=True))) == ["d11|hot"]


def test_a_fault_that_gets_worse_while_its_case_is_open_is_not_held() -> None:
    in_world = world()
    play(in_world, *(hot(n, n / 10) for n in range(8)))
    worse = replace(hot(0, 1), severity=Severity.CRITICAL)
    play(in_world, worse)
    assert in_world.cases["d00|hot"].severity is Severity.CRITICAL


def test_a_person_s_release_opens_them_all_at_once() -> None:
    in_world = world()
    play(in_world, *(hot(n, n / 10) for n in range(15)))
    for alerts in in_world.alerts.values():
        for key, alert in alerts.items():
            if alert.withheld is not None:
                until = T0 + 2 * MINUTE
                alerts[key] = replace(alert, withheld=replace(alert.withheld, key=RELEASED, until=until))
    assert len(opened(play(in_world, until=2))) == 10
    assert not in_world.cases[STORM].open


def test_fewer_are_no_storm_and_without_a_bound_there_is_none() -> None:
    assert STORM not in opened(play(world(), *(hot(n, n * 3) for n in range(20))))
    unbounded = World({"hot": HOT}, {}, DEVICES, CUSTOMERS)
    assert len(opened(play(unbounded, *(hot(n, 0) for n in range(20))))) == 20


STEPS = st.lists(
    st.tuples(st.sampled_from([FIRING, FIRING, RESOLVED]), st.integers(0, 19), st.integers(0, 3)), max_size=80
)


@settings(deadline=None)
@given(STEPS, st.integers(1, 6))
def test_nothing_is_lost_each_failing_device_has_its_case_or_is_held(
    steps: list[tuple[AlertState, int, int]], openings: int
) -> None:
    in_world, minutes = world(openings), 0
    failing: set[str] = set()
    for state, number, gap in steps:
        minutes += gap
        play(in_world, hot(number, minutes, state))
        failing = failing | {f"d{number:02}"} if state is FIRING else failing - {f"d{number:02}"}

        def with_case() -> set[str]:
            return {case.device_id for key, case in in_world.cases.items() if case.open and key != STORM}

        assert with_case() | set(held(in_world)) == failing
        assert not with_case() & set(held(in_world))
        parent = in_world.cases.get(STORM)
        assert (parent is not None and parent.open) == bool(held(in_world))
    play(in_world, until=minutes + 600)
    assert held(in_world) == []
    assert with_case() == failing if steps else True
