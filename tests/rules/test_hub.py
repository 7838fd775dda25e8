"""Hubs: what hangs on a hub that is gone is one incident, and what a hub's fault explains is no case of its own."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from device_models.purpose import Purpose, Severity
from device_models.registry import Customer, Device
from rules.base import BaseRule
from rules.kinds.absent import AbsentRule
from rules.respond import Action, AddToCase, JoinIncident, Notify, OpenCase, RecoverCase, World
from rules.transition import AlertState, Transition
from tests.rules.test_inhibition import MINUTE, T0, play

FIRING, RESOLVED = AlertState.FIRING, AlertState.RESOLVED
SILENT = AbsentRule(id="silent", profile=("sensor",))
HUB_SILENT = AbsentRule(id="hub-silent", profile=("hub",))
UNDERVOLTAGE = BaseRule(id="undervoltage", kind="condition", profile=("hub",))
NOISE = BaseRule(id="noise", kind="condition", inhibited_by=("undervoltage",), inhibited_scope="hub")
RULES: dict[str, BaseRule] = {rule.id: rule for rule in (SILENT, HUB_SILENT, UNDERVOLTAGE, NOISE)}
DEVICES = {
    "zb": Device(id="zb", profile="hub", customer_id="ana", name="Bridge"),
    **{
        f"s{n}": Device(id=f"s{n}", profile="sensor", customer_id="ana" if n < 4 else "bob", hub="zb", name=f"S{n}")
        for n in range(1, 6)
    },
    "alone": Device(id="alone", profile="sensor", customer_id="ana"),
}
CUSTOMERS = {name: Customer(id=name, name=name) for name in ("ana", "bob")}


def world() -> World:
    return World(RULES, {}, DEVICES, CUSTOMERS, hub_sizes={"zb": 5})


def fact(device: str, minutes: float, state: AlertState = FIRING, rule: str | None = None) -> Transition:
    named = rule or ("hub-silent" if device == "zb" else "silent")
    explanation = {"kind": RULES[named].kind, "last_heard_at": "2026-03-01T11:45:00Z"}
    return Transition(named, device, state, T0 + minutes * MINUTE, Severity.MINOR, Purpose.FAULT, explanation)


def opened(actions: Sequence[Action]) -> list[tuple[str, str]]:
    return [(a.case.kind, a.case.dedupe_key) for a in actions if isinstance(a, OpenCase)]


def told(actions: Sequence[Action]) -> list[tuple[str, str]]:
    return [(a.customer_id, a.facts["device"]["name"]) for a in actions if isinstance(a, Notify)]


def test_a_hub_and_one_of_its_sensors_are_enough_for_one_incident_whose_latecomers_join() -> None:
    in_world = world()
    actions = play(in_world, fact("s1", 0), fact("zb", 0.5), fact("s2", 50), fact("s5", 200), until=400)
    assert opened(actions) == [("incident", "hub:zb")]
    assert told(actions) == [("ana", "S1, Bridge"), ("ana", "S2"), ("bob", "S5")]
    assert len({a.key for a in actions if isinstance(a, Notify)}) == 2
    assert sum(isinstance(a, AddToCase) for a in actions) == 2


def test_sensors_that_are_missed_hours_after_their_hub_join_it_and_its_own_case() -> None:
    actions = play(world(), fact("zb", 0), fact("s1", 180), fact("s2", 181), until=600)
    assert opened(actions) == [("absent", "zb|hub-silent"), ("incident", "hub:zb")]
    assert [a.case.device_id for a in actions if isinstance(a, JoinIncident)] == ["zb"]


def test_a_hub_that_says_nothing_of_itself_is_gone_when_most_of_its_sensors_are() -> None:
    assert opened(play(world(), fact("s1", 0), fact("s2", 0.1), until=10)) == [
        ("absent", "s1|silent"),
        ("absent", "s2|silent"),
    ]
    actions = play(world(), *(fact(f"s{n}", n / 10) for n in range(1, 5)), until=10)
    assert opened(actions) == [("incident", "hub:zb")]


def test_a_sensor_without_a_hub_is_a_case_of_its_own_at_once() -> None:
    assert opened(play(world(), fact("zb", 0), fact("alone", 0.1))) == [("absent", "alone|silent")]


def test_the_incident_is_over_when_the_hub_and_all_behind_it_are_heard() -> None:
    in_world = world()
    play(in_world, fact("s1", 0), fact("zb", 0.5), fact("s2", 1))
    back = play(in_world, fact("zb", 20, RESOLVED), fact("s1", 21, RESOLVED))
    assert not [a for a in back if isinstance(a, RecoverCase)]
    last = play(in_world, fact("s2", 22, RESOLVED))
    assert [a.case.dedupe_key for a in last if isinstance(a, RecoverCase)] == ["hub:zb"]


def test_a_fault_of_the_hub_explains_what_its_sensors_find_and_no_others() -> None:
    in_world = world()
    actions = play(in_world, fact("zb", 0, rule="undervoltage"), fact("s1", 1, rule="noise"), until=5)
    assert opened(actions) == [("condition", "zb|undervoltage")]
    assert opened(play(in_world, fact("alone", 6, rule="noise"))) == [("condition", "alone|noise")]
    # The hub is well again, and the noise is not: now it counts by itself.
    after = play(in_world, fact("zb", 10, RESOLVED, rule="undervoltage"), until=11)
    assert opened(after) == [("condition", "s1|noise")]


STEPS = st.lists(
    st.tuples(st.sampled_from([FIRING, RESOLVED]), st.sampled_from(["zb", "s1", "s2", "s3", "s4"]), st.integers(0, 30)),
    max_size=40,
)


@given(STEPS)
def test_each_silent_device_ends_in_exactly_one_open_case_its_own_or_the_incident(
    steps: list[tuple[AlertState, str, int]],
) -> None:
    in_world, minutes = world(), 0
    for state, device, gap in steps:
        minutes += gap
        play(in_world, fact(device, minutes, state))
    play(in_world, until=minutes + 60)
    incident: Any = in_world.cases.get("hub:zb")
    children = 0
    for alert in in_world.all_alerts():
        own = in_world.cases.get(alert.transition.dedupe_key)
        if not alert.firing:
            assert own is None or not own.open
        elif alert.withheld is None:
            assert own is not None
            assert own.open
        else:
            assert alert.withheld.by == "incident"
            children += 1
    assert (incident is not None and incident.open) == (children > 0)
