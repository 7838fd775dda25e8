"""Incidents: a site that is gone is one case and one message for each customer, however its devices fall silent."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import notifiers
from device_models.purpose import Purpose, Severity
from device_models.registry import Customer, Device
from rules.kinds.absent import AbsentRule
from rules.respond import Action, AddToCase, JoinIncident, Notify, OpenCase, RecoverCase, ReopenCase, World
from rules.response import incident_titles
from rules.response.grouping import Grouping
from rules.response.incident_titles import place_title
from rules.transition import AlertState, Transition
from tests.rules.test_inhibition import play

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRING, RESOLVED = AlertState.FIRING, AlertState.RESOLVED
SILENT = AbsentRule(id="silent")
OWNERS = {"s1": "ana", "s2": "ana", "s3": "bob", "s4": None, "s5": "ana", "h1": "bob", "x1": "bob"}
SITES = {"h1": "home", "x1": None}
DEVICES = {
    name: Device(id=name, customer_id=owner, site=SITES.get(name, "shop"), name=name.upper())
    for name, owner in OWNERS.items()
}
CUSTOMERS = {name: Customer(id=name, name=name) for name in ("ana", "bob")}


def world(rule: AbsentRule = SILENT) -> World:
    sizes = {("shop", "silent"): 5, ("home", "silent"): 1}
    return World({"silent": rule}, {}, DEVICES, CUSTOMERS, site_sizes=sizes)


def silent(device: str, seconds: float, state: AlertState = FIRING, **changes: object) -> Transition:
    at = T0 + timedelta(seconds=seconds)
    heard = {"kind": "absent", "last_heard_at": "2026-03-01T11:45:00Z"}
    made = Transition("silent", device, state, at, Severity.MINOR, Purpose.FAULT, heard)
    return replace(made, **changes)  # type: ignore[arg-type]


def missed(
    device: str,
    seconds: float,
    *,
    missed_s: float | None = None,
    severity: Severity = Severity.MINOR,
    more: Mapping[str, Any] | None = None,
) -> Transition:
    """A silence that says when it was one first."""
    first = T0 + timedelta(seconds=seconds if missed_s is None else missed_s)
    made = silent(device, seconds, severity=severity)
    return replace(made, explanation={**made.explanation, "missed_at": first.isoformat(), **(more or {})})


def kinds_opened(actions: Sequence[Action]) -> list[tuple[str, str]]:
    return [(action.case.kind, action.case.device_id) for action in actions if isinstance(action, OpenCase)]


def told(actions: Sequence[Action]) -> list[tuple[str, str, str]]:
    return [(a.customer_id, a.template, a.facts["device"]["name"]) for a in actions if isinstance(a, Notify)]


def test_three_of_five_devices_are_one_incident_with_one_message_for_each_customer() -> None:
    actions = play(world(), silent("s1", 0), silent("s2", 20), silent("s3", 40), until=600)
    assert kinds_opened(actions) == [("incident", "s1")]
    assert told(actions) == [("ana", "fault_opened", "S1, S2"), ("bob", "fault_opened", "S3")]


def test_fewer_are_their_own_cases_once_they_have_waited() -> None:
    assert kinds_opened(play(world(), silent("s1", 0), silent("s2", 20), until=0.9)) == []
    assert kinds_opened(play(world(), silent("s1", 0), silent("s2", 20), until=2)) == [
        ("absent", "s1"),
        ("absent", "s2"),
    ]


def test_those_that_waited_in_vain_join_the_incident_that_comes_within_the_window() -> None:
    actions = play(world(), silent("s1", 0), silent("s2", 200), silent("s3", 400), until=60)
    assert [kind for kind, _ in kinds_opened(actions)] == ["absent", "absent", "incident"]
    assert [action.case.device_id for action in actions if isinstance(action, JoinIncident)] == ["s1", "s2"]
    apart = play(world(), silent("s1", 0), silent("s2", 2000), silent("s3", 4000), until=600)
    assert [kind for kind, _ in kinds_opened(apart)] == ["absent"] * 3


@pytest.mark.parametrize(("later_s", "joins"), [(0, True), (1, False)])
def test_the_window_runs_from_when_each_was_missed_first(later_s: float, joins: bool) -> None:
    """However long it waited for others, and however much worse its silence got meanwhile."""
    ends_s = SILENT.incident.within.total_seconds() + later_s
    worse = {"severity_before": "minor"}
    seen = [
        missed("s1", 0),
        missed("s2", 200),
        missed("s1", 800, missed_s=0, severity=Severity.MAJOR, more=worse),
        missed("s3", ends_s),
    ]
    assert ("incident" in {kind for kind, _ in kinds_opened(play(world(), *seen, until=60))}) is joins


@pytest.mark.parametrize(("later_s", "joins"), [(0, True), (1, False)])
def test_who_is_missed_too_long_after_the_newest_is_as_far_from_it_as_who_was_before(
    later_s: float, joins: bool
) -> None:
    """Several parts of the log are read at their own pace, so what comes last need not be the latest."""
    ends_s = SILENT.incident.within.total_seconds() + later_s
    seen = [missed("s1", ends_s), missed("s2", ends_s), missed("s3", 0)]
    assert ("incident" in {kind for kind, _ in kinds_opened(play(world(), *seen, until=0))}) is joins


def test_a_silence_that_gets_worse_makes_the_incident_worse_and_each_customer_hears_so_once() -> None:
    begun = [missed("s1", 0), missed("s2", 20), missed("s3", 40)]
    worse = [
        missed(name, 3600 + n, missed_s=20 * n, severity=Severity.MAJOR, more={"severity_before": "minor"})
        for n, name in enumerate(("s1", "s2", "s3"))
    ]
    before, after = play(world(), *begun, until=600), play(world(), *begun, *worse, until=600)
    more = after[len(before) :]
    assert [(a.case.kind, a.case.severity) for a in more if isinstance(a, AddToCase)] == [("incident", "major")]
    assert len({a.key for a in after if isinstance(a, Notify)}) == 4
    # Each of one customer's devices says so; the key makes one message of it.
    assert set(told(more)) == {
        ("ana", "fault_opened", "S1, S2"),
        ("ana", "fault_opened", "S2, S1"),
        ("bob", "fault_opened", "S3"),
    }


def test_who_gets_worse_while_it_waits_waits_no_longer() -> None:
    worse = missed("s1", 40, missed_s=0, severity=Severity.MAJOR, more={"severity_before": "minor"})
    opened = [a for a in play(world(), missed("s1", 0), worse, until=21) if isinstance(a, OpenCase)]
    assert [(a.case.kind, a.case.severity, a.case.opened_at) for a in opened] == [
        ("absent", "major", T0 + SILENT.incident.wait)
    ]


def test_who_gets_worse_while_others_are_back_has_its_own_case_when_they_have_settled() -> None:
    begun = [missed("s1", 0), missed("s2", 20), missed("s3", 40)]
    back = [silent("s1", 100, RESOLVED), silent("s2", 110, RESOLVED)]
    worse = missed("s3", 200, missed_s=40, severity=Severity.MAJOR, more={"severity_before": "minor"})
    actions = play(world(), *begun, *back, worse, until=2000)
    assert kinds_opened(actions) == [("incident", "s1"), ("absent", "s3")]


def test_an_incident_of_a_place_is_called_the_same_in_every_language_of_customers() -> None:
    languages = {"en", *(file.stem for file in Path(notifiers.__path__[0], "locale").glob("*.po"))}
    for kind in ("site", "hub"):
        titles = place_title(kind, "{count}", 7)
        assert set(titles) == set(incident_titles.STORM) == set(incident_titles.FLEET) == languages
        assert all("{count}" in title and "7" in title for title in titles.values())


def test_two_devices_of_a_place_are_enough_to_be_gone_together() -> None:
    in_world = World({"silent": SILENT}, {}, DEVICES, CUSTOMERS, site_sizes={("shop", "silent"): 2})
    assert kinds_opened(play(in_world, silent("s1", 0), silent("s2", 20), until=600)) == [("incident", "s1")]


@pytest.mark.parametrize(("later_s", "again"), [(0, True), (1, False)])
def test_the_same_incident_reopens_up_to_the_end_of_its_time(later_s: float, again: bool) -> None:
    in_world, gone = world(), ("s1", "s2", "s3")
    play(in_world, *(silent(name, 0) for name in gone), *(silent(name, 60, RESOLVED) for name in gone))
    back_s = 60 + SILENT.reopen_within.total_seconds() + later_s
    actions = play(in_world, *(silent(name, back_s) for name in gone))
    assert any(isinstance(action, ReopenCase) and action.case.kind == "incident" for action in actions) is again


def test_a_latecomer_joins_and_its_owner_is_told_once() -> None:
    actions = play(world(), silent("s1", 0), silent("s2", 1), silent("s5", 2), silent("s3", 500), silent("s4", 501))
    assert kinds_opened(actions) == [("incident", "s1")]
    assert [customer for customer, _, _ in told(actions)] == ["ana", "bob"]


def test_it_ends_with_the_last_device_that_is_heard_and_whoever_was_told_hears_of_it() -> None:
    in_world = world()
    play(in_world, silent("s1", 0), silent("s2", 1), silent("s3", 2))
    incident = in_world.cases["site:shop|silent"]
    in_world.cases["site:shop|silent"] = replace(incident, told=True, told_customers=frozenset({"ana"}))
    back = play(in_world, silent("s1", 60, RESOLVED), silent("s2", 61, RESOLVED))
    assert back == []
    recover, _, notice = play(in_world, silent("s3", 62, RESOLVED))
    assert isinstance(recover, RecoverCase)
    assert not recover.case.open
    assert isinstance(notice, Notify)
    assert (notice.customer_id, notice.template) == ("ana", "fault_resolved")


def test_one_that_stays_away_when_the_others_are_back_becomes_a_case_of_its_own() -> None:
    facts = [silent("s1", 0), silent("s2", 1), silent("s3", 2)]
    actions = play(world(), *facts, silent("s1", 60, RESOLVED), silent("s2", 61, RESOLVED), until=15.9)
    assert kinds_opened(actions) == [("incident", "s1")]
    actions = play(world(), *facts, silent("s1", 60, RESOLVED), silent("s2", 61, RESOLVED), until=16)
    assert kinds_opened(actions) == [("incident", "s1"), ("absent", "s3")]
    assert sum(isinstance(action, RecoverCase) for action in actions) == 1


@pytest.mark.parametrize(
    ("rule", "device", "changes"),
    [
        (SILENT, "h1", {}),
        (SILENT, "x1", {}),
        (SILENT, "s1", {"purpose": Purpose.SAFETY}),
        (SILENT, "s1", {"on_arrival": True}),
        (SILENT.model_copy(update={"incident": Grouping(wait=timedelta(0))}), "s1", {}),
    ],
)
def test_nobody_waits_for_others_who_has_none_or_must_not(
    rule: AbsentRule, device: str, changes: dict[str, Any]
) -> None:
    assert kinds_opened(play(world(rule), silent(device, 0, **changes))) == [("absent", device)]


@pytest.mark.parametrize(("size", "needed"), [(2, 2), (3, 2), (4, 3), (5, 3), (10, 6), (41, 10), (5000, 10)])
def test_a_share_of_a_small_site_and_a_number_of_a_large_one_are_needed(size: int, needed: int) -> None:
    assert Grouping().needed(size) == needed


STEPS = st.lists(
    st.tuples(
        st.sampled_from([FIRING, RESOLVED]), st.sampled_from(["s1", "s2", "s3", "s4", "s5"]), st.integers(0, 900)
    ),
    max_size=40,
)


@given(STEPS)
def test_each_silent_device_ends_in_exactly_one_open_case_its_own_or_the_incident(
    steps: list[tuple[AlertState, str, int]],
) -> None:
    in_world, seconds, actions = world(), 0, list[Action]()
    for state, device, gap in steps:
        seconds += gap
        actions += play(in_world, silent(device, seconds, state))
    actions += play(in_world, until=seconds / 60 + 1.1)
    incident = in_world.cases.get("site:shop|silent")
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
            assert own is None or not own.open
            children += 1
    assert (incident is not None and incident.open) == (children > 0)
