"""Silences: what they match, when they mute, and that what they withheld is heard of afterwards."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_models.purpose import Purpose, Severity
from device_models.registry import Device
from rules.respond import Notify, OpenCase, RecoverCase, World
from rules.response.silence import Silence, Weekly
from tests.rules.test_inhibition import FIRING, MINUTE, RESOLVED, T0, fact, opened, play, world

PAINTING = Silence(3, "Mia", "painting the room", T0, T0 + 120 * MINUTE, device_id="f1")
F1 = Device(id="f1", profile="freezer", customer_id="ana", site="home")
BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Weekly(frozenset({6}), time(22), time(6), "Europe/Berlin")


def muted(*silences: Silence) -> World:
    made = world()
    made.silences = silences
    return made


def test_a_muted_fault_opens_no_case_and_tells_nobody_until_the_silence_ends() -> None:
    assert play(muted(PAINTING), fact("door", FIRING, 10), until=119) == []
    opening, told = play(muted(PAINTING), fact("door", FIRING, 10), until=120)
    assert isinstance(opening, OpenCase)
    assert isinstance(told, Notify)
    assert opening.case.opened_at == PAINTING.ends_at
    assert opening.transition.explanation["withheld"] == {
        "by": "silence",
        "silence": 3,
        "author": "Mia",
        "reason": "painting the room",
        "from": "2026-03-01T12:10:00Z",
    }


def test_a_muted_fault_that_ends_within_the_silence_was_nothing() -> None:
    assert play(muted(PAINTING), fact("door", FIRING, 10), fact("door", RESOLVED, 50), until=600) == []


def test_a_silence_withholds_a_fault_that_gets_worse_and_lets_its_case_resolve() -> None:
    later = replace(PAINTING, starts_at=T0 + 5 * MINUTE)
    worse = fact("door", FIRING, 10, severity=Severity.CRITICAL)
    actions = play(muted(later), fact("door", FIRING), worse, until=119)
    assert sum(isinstance(action, Notify) for action in actions) == 1
    assert sum(isinstance(a, Notify) for a in play(muted(later), fact("door", FIRING), worse, until=120)) == 2
    actions = play(muted(later), fact("door", FIRING), worse, fact("door", RESOLVED, 20))
    assert sum(isinstance(action, RecoverCase) for action in actions) == 1


def test_of_two_silences_the_longer_one_holds() -> None:
    longer = replace(PAINTING, id=4, ends_at=T0 + 300 * MINUTE)
    assert play(muted(longer, PAINTING), fact("door", FIRING, 10), until=299) == []
    assert opened(play(muted(longer, PAINTING), fact("door", FIRING, 10), until=300)) == ["door"]


def test_a_silence_that_begins_as_another_ends_takes_over() -> None:
    after = replace(PAINTING, id=4, starts_at=PAINTING.ends_at, ends_at=T0 + 300 * MINUTE)
    assert play(muted(PAINTING, after), fact("door", FIRING, 10), until=299) == []


def test_a_muted_fault_still_explains_others() -> None:
    door_only = replace(PAINTING, rule="door")
    assert play(muted(door_only), fact("door", FIRING, 1), fact("warm", FIRING, 30), until=100) == []


def test_a_silence_leaves_safety_alone_unless_it_says_so() -> None:
    leak = fact("leak", FIRING, 10)
    assert leak.purpose is Purpose.SAFETY
    assert opened(play(muted(PAINTING), leak)) == ["leak"]
    assert play(muted(replace(PAINTING, safety=True)), leak) == []


@pytest.mark.parametrize(
    ("scope", "matches"),
    [
        ({"device_id": "f1"}, True),
        ({"device_id": "f2"}, False),
        ({"site": "home"}, True),
        ({"site": "shop"}, False),
        ({"profile": "freezer"}, True),
        ({"profile": "heat-pump"}, False),
        ({"customer_id": "ana"}, True),
        ({"customer_id": "bob"}, False),
        ({"rule": "door"}, True),
        ({"rule": "warm"}, False),
        ({"site": "home", "rule": "door"}, True),
        ({"site": "home", "rule": "warm"}, False),
    ],
)
def test_all_that_a_silence_names_must_match(scope: dict[str, str], matches: bool) -> None:
    silence = replace(PAINTING, **({"device_id": None} | scope))  # type: ignore[arg-type]
    assert silence.matches(fact("door", FIRING), F1) is matches


def test_a_silence_of_a_site_mutes_no_device_that_is_not_registered() -> None:
    assert not replace(PAINTING, device_id=None, site="home").matches(fact("door", FIRING), None)


@pytest.mark.parametrize(
    ("local", "ends"),
    [
        ("2026-03-22T21:59", None),
        ("2026-03-22T22:00", "2026-03-23T06:00"),
        ("2026-03-23T05:59", "2026-03-23T06:00"),
        ("2026-03-23T06:00", None),
        ("2026-03-23T23:00", None),
        # The clocks go forward on 29 March at 2:00, back on 25 October at 3:00.
        ("2026-03-29T22:30", "2026-03-30T06:00"),
        ("2026-10-25T22:30", "2026-10-26T06:00"),
    ],
)
def test_a_weekly_window_goes_by_the_wall_clock_of_its_zone(local: str, ends: str | None) -> None:
    at = datetime.fromisoformat(local).replace(tzinfo=BERLIN)
    expected = datetime.fromisoformat(ends).replace(tzinfo=BERLIN).astimezone(UTC) if ends else None
    assert NIGHT.until(at) == expected


def test_a_window_that_ends_when_it_begins_is_a_whole_day() -> None:
    begins = datetime(2026, 3, 23, 22, tzinfo=BERLIN).astimezone(UTC)
    assert replace(NIGHT, ends=NIGHT.begins, days=frozenset({0})).until(begins) == begins + timedelta(days=1)


def test_the_night_on_which_the_clocks_change_is_as_long_as_it_is() -> None:
    saturdays = replace(NIGHT, days=frozenset({5}))
    spring = datetime(2026, 3, 28, 22, tzinfo=BERLIN).astimezone(UTC)
    autumn = datetime(2026, 10, 24, 22, tzinfo=BERLIN).astimezone(UTC)
    assert [saturdays.until(at) - at for at in (spring, autumn)] == [timedelta(hours=7), timedelta(hours=9)]  # type: ignore[operator]


@given(
    st.frozensets(st.integers(0, 6), min_size=1),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Auckland"]),
    st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)),  # noqa: DTZ001 - made aware below
)
def test_a_window_ends_after_any_moment_within_it_and_not_before(
    days: frozenset[int], begins: time, ends: time, zone: str, naive: datetime
) -> None:
    at, weekly = naive.replace(tzinfo=UTC), Weekly(days, begins, ends, zone)
    until = weekly.until(at)
    if until is None:
        return
    assert at < until <= at + timedelta(hours=25)
    assert weekly.until(until - timedelta(microseconds=1)) == until


def test_an_end_before_its_time_counts() -> None:
    assert replace(PAINTING, ended_at=T0 + 30 * MINUTE).until(T0 + 29 * MINUTE) == T0 + 30 * MINUTE
    assert replace(PAINTING, ended_at=T0 + 30 * MINUTE).until(T0 + 30 * MINUTE) is None
    assert PAINTING.until(T0 - MINUTE) is None
