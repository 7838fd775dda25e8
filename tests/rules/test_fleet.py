"""Fleet rules: devices that are alike and fail alike are one incident, however many and in whatever order."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_models.purpose import Purpose, Severity
from device_models.registry import Customer, Device
from rules.base import BaseRule
from rules.kinds.fleet import FleetRule
from rules.respond import (
    Action,
    AddToCase,
    JoinIncident,
    Notify,
    OpenCase,
    Record,
    RecoverCase,
    ReopenCase,
    Withdraw,
    World,
)
from rules.response.alike import Census, region_of
from rules.response.changed import DeviceChange, Past, RuleChange
from rules.response.crowd import BUCKETS, USUALLY, Crowd
from rules.response.silence import Silence
from rules.transition import AlertState, Transition
from tests.rules.test_inhibition import play

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FIRING, RESOLVED = AlertState.FIRING, AlertState.RESOLVED
WARM = BaseRule(id="warm", kind="condition", profile=("freezer",), title={"en": "Your freezer is too warm"})
LEAK = BaseRule(id="leak", kind="condition", purpose=Purpose.SAFETY, severity=Severity.CRITICAL)
FLEET = FleetRule(id="batch", of=("warm", "leak"), alike=("model", "firmware"), title={"en": "Alike freezers fail"})
OWNERS = ["ana", "ana", "bob", "cem", "dia", "eva", "fay", "gus", "hal", None]
KEY = "fleet:batch|model=FX|firmware=2.4"


def device(number: int, **more: Any) -> Device:
    said = {"profile": "freezer", "model": "FX", "firmware": "2.4", "customer_id": OWNERS[number % 10]} | more
    return Device(id=f"d{number:02}", name=f"D{number}", **said)


def world(rule: FleetRule = FLEET, count: int = 40, since: timedelta = timedelta(days=7), **more: Any) -> World:
    devices = {each.id: each for each in (device(number) for number in range(count))}
    for number in range(count, count + 5):
        devices[f"d{number:02}"] = device(number, firmware="2.3")
    devices["odd"] = Device(id="odd", profile="freezer", customer_id="ana", model="FX")
    customers = {name: Customer(id=name, name=name) for name in OWNERS if name}
    rules: dict[str, BaseRule] = {each.id: each for each in (WARM, LEAK, rule)}
    return World(rules, {}, devices, customers, census=Census(devices), watched_since={rule.id: T0 - since}, **more)


def warm(number: int | str, minutes: float, state: AlertState = FIRING, **changes: Any) -> Transition:
    name = number if isinstance(number, str) else f"d{number:02}"
    explanation = {"kind": "condition", "title": {"en": "Your freezer is too warm"}}
    made = Transition("warm", name, state, T0 + minutes * MINUTE, Severity.MINOR, Purpose.FAULT, explanation)
    return replace(made, **changes)


def opened(actions: Sequence[Action]) -> list[tuple[str, str]]:
    return [(a.case.kind, a.case.device_id) for a in actions if isinstance(a, OpenCase | ReopenCase)]


def told(actions: Sequence[Action]) -> list[tuple[str, str]]:
    return [(a.customer_id, a.template) for a in actions if isinstance(a, Notify)]


def five(at: float = 0, apart: float = 0.1) -> list[Transition]:
    return [warm(number, at + number * apart) for number in range(5)]


def test_five_of_forty_alike_devices_are_one_incident_with_one_message_for_each_customer() -> None:
    in_world = world()
    actions = play(in_world, *five(), until=600)
    assert opened(actions) == [("incident", "d00")]
    assert told(actions) == [(name, "fault_opened") for name in ("ana", "bob", "cem", "dia")]
    explanation = next(a for a in actions if isinstance(a, OpenCase)).transition.explanation
    assert explanation["alike"] == {"model": "FX", "firmware": "2.4"}
    assert (explanation["count"], explanation["population"], explanation["needed"]) == (5, 40, 5)
    assert explanation["devices"] == ["d00", "d01", "d02", "d03", "d04"]
    assert explanation["chance"] < 1e-4
    notice = next(a for a in actions if isinstance(a, Notify) and a.customer_id == "ana")
    assert notice.facts["device"]["name"] == "D0, D1"
    assert notice.facts["title"] == {"en": "Your freezer is too warm"}


def test_four_are_cases_of_their_own_once_they_have_waited() -> None:
    assert opened(play(world(), *five()[:4], until=0.5)) == []
    assert opened(play(world(), *five()[:4], until=5)) == [("condition", f"d0{n}") for n in range(4)]


def test_other_firmware_unknown_firmware_and_what_was_found_on_arrival_do_not_count() -> None:
    others = [warm(40, 0.5), warm("odd", 0.6), warm(9, 0.7, on_arrival=True)]
    assert opened(play(world(), *five()[:4], *others, until=10)).count(("incident", "d00")) == 0


def test_what_happened_longer_ago_than_the_window_does_not_count() -> None:
    assert "incident" not in {kind for kind, _ in opened(play(world(), *five()[:4], warm(4, 65), until=120))}
    assert "incident" in {kind for kind, _ in opened(play(world(), *five()[:4], warm(4, 55), until=120))}


def test_the_part_of_time_in_which_the_window_begins_counts_as_a_whole() -> None:
    # A window of an hour has 32 parts of 112.5 s; the first four failed in the one that begins at T0.
    assert "incident" in {kind for kind, _ in opened(play(world(), *five()[:4], warm(4, 61.8), until=120))}
    assert "incident" not in {kind for kind, _ in opened(play(world(), *five()[:4], warm(4, 61.9), until=120))}


def test_cases_that_were_open_already_join_and_who_was_told_is_not_told_again() -> None:
    in_world = world()
    play(in_world, *five()[:4], until=10)
    key = warm(2, 0).dedupe_key
    in_world.cases[key] = replace(in_world.cases[key], told=True)
    actions = play(in_world, warm(4, 20))
    assert [a.case.device_id for a in actions if isinstance(a, JoinIncident)] == ["d00", "d01", "d02", "d03"]
    assert told(actions) == [("ana", "fault_opened"), ("cem", "fault_opened"), ("dia", "fault_opened")]


def test_what_is_usual_is_no_incident() -> None:
    """A hundred of a thousand devices an hour, for a month: a hundred more are as on any day."""
    rule, at = FLEET.model_copy(update={"share": 0.05}), T0
    crowd = Crowd.empty(KEY, rule, {}, at)
    for hour in range(24 * 28):
        for number in range(100):
            now = T0 + timedelta(hours=hour, seconds=36 * number)
            crowd = crowd.learned(rule, now, 1000, in_incident=False).counting(rule, now, None)
    verdict = crowd.judge(rule, 1000)
    assert verdict.count >= verdict.needed == 50
    assert verdict.expected == pytest.approx(100, rel=0.1)
    assert not verdict.opens
    assert crowd.judge(rule, 1000, 100).opens


def test_an_incident_is_not_learned_as_usual() -> None:
    crowd = Crowd.empty(KEY, FLEET, {}, T0).counting(FLEET, T0, None)
    later = T0 + timedelta(hours=3)
    assert crowd.learned(FLEET, later, 40, in_incident=True).past_count == 0
    assert crowd.learned(FLEET, later, 40, in_incident=False).past_count == 1


def test_a_quiet_past_makes_few_enough_and_none_at_all_asks_for_more() -> None:
    actions = play(world(count=100, since=timedelta(0)), *five(), until=10)
    assert "incident" not in {kind for kind, _ in opened(actions)}
    more = [warm(number, number * 0.1) for number in range(9)]
    assert opened(play(world(count=100, since=timedelta(0)), *more))[0] == ("incident", "d00")


def test_the_timeline_has_a_line_each_time_that_the_incident_doubled() -> None:
    in_world = world()
    play(in_world, *five())
    lines = [sum(isinstance(a, AddToCase) for a in play(in_world, warm(n, n))) for n in range(5, 17)]
    assert [n + 1 for n, line in zip(range(5, 17), lines, strict=True) if line] == [8, 16]


def test_a_latecomer_joins_and_its_customer_is_told_once() -> None:
    actions = play(world(), *five(), warm(5, 30), warm(6, 31), warm(11, 32), until=600)
    assert len(opened(actions)) == 1
    assert [customer for customer, _ in told(actions)][4:] == ["eva", "fay", "ana"]
    # The same key as the first, so the outbox makes no second message of it.
    keys = [a.key for a in actions if isinstance(a, Notify) and a.customer_id == "ana"]
    assert len(set(keys)) == 1


def test_each_customer_hears_the_end_when_their_own_devices_are_well_and_the_last_one_ends_it() -> None:
    in_world = world()
    play(in_world, *five())
    in_world.cases[KEY] = replace(in_world.cases[KEY], told_customers=frozenset({"ana", "bob"}))
    assert told(play(in_world, warm(0, 40, RESOLVED))) == []
    assert told(play(in_world, warm(1, 41, RESOLVED))) == [("ana", "fault_resolved")]
    assert in_world.cases[KEY].open
    untold = play(in_world, warm(3, 42, RESOLVED))
    assert [(a.customer_id, a.case_id) for a in untold if isinstance(a, Withdraw)] == [("cem", 1)]
    last = play(in_world, warm(2, 43, RESOLVED), warm(4, 44, RESOLVED))
    assert [(a.transition.rule, a.transition.state) for a in last if isinstance(a, Record)] == [("batch", RESOLVED)]
    assert [a.case.dedupe_key for a in last if isinstance(a, RecoverCase)] == [KEY]
    assert not in_world.cases[KEY].open


def test_the_roll_back_of_the_firmware_does_not_keep_a_device_in_the_incident() -> None:
    in_world = world()
    play(in_world, *five())
    devices = dict(in_world.devices)
    devices["d00"] = device(0, firmware="2.5")
    in_world.devices = devices
    play(in_world, *(warm(number, 40, RESOLVED) for number in range(5)))
    assert not in_world.cases[KEY].open


def test_the_same_incident_reopens_soon_after_and_a_later_one_is_new() -> None:
    in_world = world()
    play(in_world, *five(), *(warm(number, 10, RESOLVED) for number in range(5)))
    again = play(in_world, *five(at=180))
    assert [type(a) for a in again if isinstance(a, OpenCase | ReopenCase)] == [ReopenCase]
    play(in_world, *(warm(number, 190, RESOLVED) for number in range(5)))
    later = play(in_world, *five(at=60 * 24 * 3))
    assert [a.previous_case_id for a in later if isinstance(a, OpenCase)] == [1]


@pytest.mark.parametrize(("later", "again"), [(0, True), (0.1, False)])
def test_it_reopens_up_to_the_end_of_its_time(later: float, again: bool) -> None:
    in_world = world()
    play(in_world, *five(), *(warm(number, 10, RESOLVED) for number in range(5)))
    back = 10 + FLEET.reopen_within / MINUTE + later
    actions = play(in_world, *(warm(number, back) for number in range(5)))
    assert any(isinstance(action, ReopenCase) and action.case.kind == "incident" for action in actions) is again


def test_safety_waits_for_nobody_keeps_its_cases_and_is_counted() -> None:
    in_world = world()
    leaks = [replace(warm(n, n), rule="leak", purpose=Purpose.SAFETY, severity=Severity.CRITICAL) for n in range(5)]
    actions = play(in_world, *leaks)
    assert opened(actions) == [
        ("condition", "d00"),
        ("condition", "d01"),
        ("condition", "d02"),
        ("condition", "d03"),
        ("incident", "d00"),
        ("condition", "d04"),
    ]
    assert not [a for a in actions if isinstance(a, JoinIncident)]
    assert len(told(actions)) == 5
    play(in_world, *(replace(leak, state=RESOLVED, at=leak.at + 30 * MINUTE) for leak in leaks))
    assert not [case for case in in_world.cases.values() if case.open]


def test_a_silenced_fault_does_not_count_and_a_silenced_fleet_rule_makes_no_incident() -> None:
    ends = T0 + timedelta(hours=8)
    one = Silence(1, "mia", "paint", T0 - MINUTE, ends, device_id="d02")
    assert opened(play(world(silences=[one]), *five(), until=10)) == [
        ("condition", name) for name in ("d00", "d01", "d03", "d04")
    ]
    rule = Silence(2, "mia", "known", T0 - MINUTE, ends, rule="batch")
    assert opened(play(world(silences=[rule]), *five(), until=10)) == [("condition", f"d0{n}") for n in range(5)]


def test_faults_that_a_silence_held_together_become_one_incident_when_it_ends() -> None:
    muted = Silence(1, "mia", "test", T0 - MINUTE, T0 + timedelta(hours=2), profile="freezer")
    assert opened(play(world(silences=[muted]), *five(), until=180)) == [("incident", "d00")]


def test_a_rule_on_trial_records_what_it_would_have_done_once_and_withholds_nothing() -> None:
    rule = FLEET.model_copy(update={"mode": "shadow"})
    actions = play(world(rule), *five(), warm(5, 1), until=10)
    assert [kind for kind, _ in opened(actions)] == ["condition"] * 6
    [record] = [a for a in actions if isinstance(a, Record)]
    assert (record.transition.rule, record.transition.shadow, record.case_id) == ("batch", True, None)


def test_it_names_what_changed_before_it_began_and_what_the_devices_have_in_common() -> None:
    days = timedelta(days=1)
    changes = [
        *(DeviceChange(f"d{n:02}", "firmware", "2.3", "2.4", T0 - 2 * days + n * MINUTE) for n in range(5)),
        DeviceChange("d00", "site", "a", "b", T0 - days),
        DeviceChange("d01", "model", None, "FX", T0 - days),
        DeviceChange("d02", "firmware", "2.2", "2.3", T0 - 30 * days),
    ]
    past = Past(changes, {("firmware", "2.3", "2.4"): 38}, [RuleChange("warm", "changed", T0 - days, "mia")])
    in_world = world(past=past)
    in_world.devices = {
        name: each.model_copy(update={"hub": "zb-1"}) if name <= "d05" else each
        for name, each in in_world.devices.items()
    }
    in_world.census = Census(in_world.devices)
    actions = play(in_world, *five())
    explanation = next(a for a in actions if isinstance(a, OpenCase)).transition.explanation
    rule_edit, roll_out, moved = explanation["changed"]
    assert (rule_edit["rule"], rule_edit["by"]) == ("warm", "mia")
    assert (roll_out["field"], roll_out["before"], roll_out["after"]) == ("firmware", "2.3", "2.4")
    assert (roll_out["failing"], roll_out["devices"]) == (5, 38)
    assert (moved["field"], moved["failing"]) == ("site", 1)
    assert explanation["in_common"] == [{"field": "hub", "value": "zb-1", "failing": 5, "devices": 6}]


def test_a_region_is_a_cell_of_one_degree_everywhere_on_earth() -> None:
    at = {(48.1, 11.6): "48..49°N 11..12°E", (-0.5, -0.5): "0..1°S 0..1°W", (90, 180): "89..90°N 179..180°E"}
    for (latitude, longitude), cell in at.items():
        assert region_of(Device(id="x", latitude=latitude, longitude=longitude)) == cell
    assert region_of(Device(id="x", latitude=1)) is None


STEPS = st.lists(
    st.tuples(st.sampled_from([FIRING, FIRING, RESOLVED]), st.integers(0, 11), st.integers(0, 40)), max_size=60
)


@settings(deadline=None)
@given(STEPS)
def test_each_failing_device_ends_in_exactly_one_open_case_its_own_or_the_incident(
    steps: list[tuple[AlertState, int, int]],
) -> None:
    in_world, minutes = world(count=12), 0
    for state, number, gap in steps:
        minutes += gap
        play(in_world, warm(number, minutes, state))
    play(in_world, until=minutes + 5)
    incident = in_world.cases.get(KEY)
    children = set()
    for alert in in_world.all_alerts():
        own = in_world.cases.get(alert.transition.dedupe_key)
        if not alert.firing:
            assert own is None or not own.open
        elif alert.withheld is None:
            assert own is not None
            assert own.open
        else:
            assert alert.withheld.by == "incident"
            assert own is None or not own.open
            children.add(alert.transition.device_id)
    assert (incident is not None and incident.open) == bool(children)
    crowd = in_world.crowds.get(KEY)
    members = in_world.roster.of_crowd(KEY)
    if incident is not None and incident.open and crowd is not None:
        assert crowd.failing == len(children)
        assert {member.device_id for member in members if member.failing and member.incident == incident.id} == children


@settings(deadline=None)
@given(STEPS)
def test_a_device_counts_once_however_often_it_fails_within_the_window(
    steps: list[tuple[AlertState, int, int]],
) -> None:
    rule = FLEET.model_copy(update={"at_least": 12})
    in_world, minutes, began = world(rule, count=12), 0, dict[int, int]()
    firing: set[int] = set()
    for state, number, gap in steps:
        minutes += gap
        if state is FIRING and number not in firing:
            began[number] = minutes
        firing = firing | {number} if state is FIRING else firing - {number}
        play(in_world, warm(number, minutes, state))
    crowd = in_world.crowds.get(KEY)
    if crowd is None:
        return
    counted = crowd.learned(rule, T0 + minutes * MINUTE, 12, in_incident=False).judge(rule, 12).count
    sure = sum(at > minutes - 60 for at in began.values())
    # A bucket is a 32nd of the hour.
    assert sure <= counted <= sum(at > minutes - 60 - 60 / 32 for at in began.values())


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=30))
def test_the_census_is_true_after_any_changes(changes: list[tuple[int, int]]) -> None:
    devices = {each.id: each for each in map(device, range(10))}
    census = Census(devices)

    def counted(firmware: str) -> int:
        return census.count(("model", "firmware"), ("FX", firmware), lambda profile: profile == "freezer")

    assert counted("2.4") == 10
    for number, version in changes:
        name = f"d{number:02}"
        before = devices.get(name)
        after = device(number, firmware=f"2.{version}") if version else None
        census.replace(before, after)
        if after is None:
            devices.pop(name, None)
        else:
            devices[name] = after
    fresh = Census(devices)
    for version in range(5):
        expected = fresh.count(("model", "firmware"), ("FX", f"2.{version}"), lambda profile: True)
        assert counted(f"2.{version}") == expected


def test_with_no_past_one_failure_in_the_usual_number_of_windows_is_expected() -> None:
    """The window, and the part of time in which it begins as a whole: so many devices were watched for so long."""
    verdict = Crowd("k", FLEET.id, {}, "", T0, T0).judge(FLEET, 40)
    assert verdict.expected == pytest.approx(40 * (1 + 1 / BUCKETS) * USUALLY * FLEET.share)


def test_a_crowd_is_the_same_after_being_stored() -> None:
    in_world = world()
    play(in_world, *five())
    crowd = in_world.crowds[KEY]
    assert Crowd.from_json(crowd.key, crowd.rule, crowd.alike, crowd.to_json()) == crowd


def test_an_edited_meaning_begins_to_count_anew() -> None:
    in_world = world()
    play(in_world, *five()[:4], until=5)
    rule = FLEET.model_copy(update={"within": timedelta(hours=2)})
    after = World(
        {**in_world.rules, "batch": rule},
        {},
        in_world.devices,
        in_world.customers,
        in_world.cases,
        in_world.next_case_id,
        in_world.alerts,
        census=in_world.census,
        crowds=in_world.crowds,
        roster=in_world.roster,
    )
    assert "incident" not in {kind for kind, _ in opened(play(after, warm(4, 6), until=20))}
