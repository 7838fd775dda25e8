"""Who nears a shop slowly enough, for long enough, surely enough and with consent is a visitor, once."""

import csv
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from geopy.distance import geodesic
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from device_models.event import Event, EventKind, Position, Tick, TimeSource, Value
from device_models.profile import GENERIC, DeviceProfile, PositionOf
from device_models.registry import Shop
from rules.kinds.proximity import ProximityRule, advance, tick
from rules.kinds.proximity_state import ProximityState, due_at
from rules.spatial_index import ShopIndex
from rules.transition import Visit

DATA = Path(__file__).parents[3] / "shared" / "data"
T0 = datetime(2026, 11, 3, 10, tzinfo=UTC)
RULE = ProximityRule(id="near-shop")
SHOP = Shop(id="mitte", name="Mitte", latitude=52.5163, longitude=13.3777, radius_m=150)
PERSON = DeviceProfile(name="phone", title={"en": "phone"}, position_of=PositionOf.PERSON)
BIKE = DeviceProfile(name="e-bike", title={"en": "e-bike"}, position_of=PositionOf.THING)


def fix(
    second: float,
    distance_m: float,
    accuracy_m: float | None = 10,
    *,
    bearing: float = 90,
    speed_m_s: float | None = None,
    ecosystem: str = "native",
    retained: bool = False,
) -> Event:
    """A fix so far from the shop, so many seconds after T0."""
    place = geodesic(meters=distance_m).destination((SHOP.latitude, SHOP.longitude), bearing)
    position = Position(place.latitude, place.longitude, accuracy_m=accuracy_m, speed_m_s=speed_m_s)
    at = T0 + timedelta(seconds=second)
    return Event("d1", EventKind.LOCATION, at, at, TimeSource.DEVICE, ecosystem, position=position, retained=retained)


def status(second: float) -> Event:
    at = T0 + timedelta(seconds=second)
    return Event("d1", EventKind.STATUS, at, at, TimeSource.DEVICE, "native")


@dataclass
class Walk:
    """One device and its rule, event by event; states travel through JSON between any two."""

    rule: ProximityRule = RULE
    shops: Sequence[Shop] = (SHOP,)
    profile: DeviceProfile = PERSON
    twin: Mapping[str, Value] = field(default_factory=dict)
    consent: bool = True
    through_json: bool = True
    state: ProximityState = field(default_factory=ProximityState)
    visits: list[Visit] = field(default_factory=list)

    def go(self, *events: Event) -> "Walk":
        for event in events:
            index = ShopIndex(self.shops)
            self.state, visits = advance(self.rule, self.state, event, index, self.profile, self.twin, self.consent)
            self._after(visits)
        return self

    def wait(self, until_second: float) -> "Walk":
        """Let time pass without a message: every timer acts at its own time."""
        until = T0 + timedelta(seconds=until_second)
        while (due := due_at(self.state)) is not None and due <= until:
            self.state, visits = tick(self.rule, self.state, Tick("d1", due), self.consent)
            self._after(visits)
            still = due_at(self.state)
            assert still is None or still > due, "a timer that acted must not be due again"
        return self

    def _after(self, visits: list[Visit]) -> None:
        self.visits += visits
        if self.through_json:
            self.state = ProximityState.from_dict(json.loads(json.dumps(self.state.as_dict())))

    @property
    def told(self) -> list[tuple[str, str | None]]:
        return [(visit.shop_id, visit.withheld) for visit in self.visits]

    @property
    def counted(self) -> list[Visit]:
        return [visit for visit in self.visits if visit.withheld is None]


def test_two_fixes_at_rest_a_dwell_apart_are_one_visit_at_the_time_the_dwell_was_over() -> None:
    walk = Walk().go(fix(0, 400), fix(300, 60), fix(420, 50))
    assert walk.told == [("mitte", None)]
    assert walk.visits[0].at == T0 + timedelta(seconds=360)
    assert walk.visits[0].explanation["radius_m"] == 150


def test_a_single_fix_completes_its_dwell_when_no_further_message_comes() -> None:
    walk = Walk().go(fix(0, 40))
    assert walk.told == []
    assert due_at(walk.state) == T0 + timedelta(seconds=60)
    assert walk.wait(60).told == [("mitte", None)]


def test_without_a_dwell_the_first_fix_inside_counts_at_once() -> None:
    assert Walk(ProximityRule(id="near-shop", dwell=timedelta(0))).go(fix(0, 40)).told == [("mitte", None)]


def test_between_the_radius_and_the_margin_beyond_it_an_approach_goes_on() -> None:
    # 150 m and a fifth of it; what the accuracy of 10 m leaves open does not end it either.
    assert Walk().go(fix(0, 50), fix(30, 185)).wait(60).told == [("mitte", None)]
    assert Walk().go(fix(0, 50), fix(30, 195)).wait(60).counted == []


def test_a_fix_is_sure_enough_up_to_the_radius_of_the_shop() -> None:
    assert Walk().go(fix(0, 40, 150.0)).wait(60).told == [("mitte", None)]
    assert Walk().go(fix(0, 40, 150.1)).wait(60).told == [("mitte", "accuracy")]


def test_walking_towards_the_shop_counts_on_foot() -> None:
    walk = Walk().go(*(fix(s, abs(300 - 1.4 * s)) for s in range(0, 240, 10)))
    assert walk.told == [("mitte", None)]


@pytest.mark.parametrize("reported", [13.9, None])
def test_driving_past_is_no_visit_whether_the_device_reports_its_speed_or_not(reported: float | None) -> None:
    walk = Walk().go(
        *(fix(s, abs(800 - 13.9 * s), speed_m_s=reported, bearing=90 if s < 58 else 270) for s in range(0, 120, 5))
    )
    assert walk.wait(7200).told == [("mitte", "speed")]
    assert walk.visits[0].explanation["limit_kmh"] == 7
    assert walk.visits[0].explanation["speed_kmh"] > 40


def test_arriving_by_car_and_staying_is_a_visit_once_a_further_fix_shows_it() -> None:
    walk = Walk().go(fix(0, 2_000), fix(120, 50))
    assert walk.wait(600).told == [("mitte", "speed")]
    assert walk.go(fix(700, 45)).told == [("mitte", "speed"), ("mitte", None)]


def test_crossing_the_radius_between_two_fixes_is_named_but_is_no_visit() -> None:
    slow = Walk().go(fix(0, 400, bearing=270), fix(700, 400, bearing=90))
    assert slow.wait(900).told == [("mitte", "passed")]
    fast = Walk().go(fix(0, 400, bearing=270), fix(60, 400, bearing=90))
    assert fast.wait(900).told == [("mitte", "speed")]


def test_one_second_fixes_that_jitter_are_not_taken_for_driving() -> None:
    walk = Walk().go(*(fix(s, 30 + 12 * (s % 2), accuracy_m=None) for s in range(90)))
    assert walk.told == [("mitte", None)]


def test_jitter_within_the_accuracies_is_not_taken_for_driving() -> None:
    walk = Walk().go(fix(0, 50, accuracy_m=60), fix(30, 50, accuracy_m=60, bearing=270)).wait(600)
    assert walk.told == [("mitte", None)]


def test_the_dwell_begins_when_the_device_says_that_it_has_slowed_down() -> None:
    walk = Walk().go(fix(0, 100, speed_m_s=14), fix(70, 50, speed_m_s=1))
    assert walk.told == [("mitte", "speed")]
    assert walk.wait(600).counted[0].at == T0 + timedelta(seconds=130)


def test_driving_on_before_the_dwell_is_over_stops_its_timer() -> None:
    walk = Walk().go(fix(0, 100, speed_m_s=0), fix(30, 50, speed_m_s=14))
    assert walk.wait(3_000).told == [("mitte", "speed")]


def test_crossing_fast_between_two_fixes_inside_begins_the_dwell_anew() -> None:
    walk = Walk().go(fix(0, 140, bearing=270), fix(30, 140, bearing=90))
    assert walk.wait(3_000).told == [("mitte", "speed")]


def test_a_coarse_fix_in_between_makes_nobody_a_driver() -> None:
    walk = Walk().go(fix(0, 50), fix(25, 3_000, accuracy_m=1_000), fix(50, 50)).wait(60)
    assert walk.told == [("mitte", None)]


def test_two_fixes_too_coarse_for_the_radius_prove_no_crossing() -> None:
    walk = Walk().go(fix(0, 400, accuracy_m=200, bearing=270), fix(60, 400, accuracy_m=200, bearing=90))
    assert walk.wait(3_600).told == []


def test_where_many_radii_overlap_the_nearest_shops_are_watched() -> None:
    def place(n: int) -> Shop:
        # Ids run against the distance.
        return SHOP.model_copy(update={"id": f"s{99 - n}", "longitude": SHOP.longitude + n / 50_000})

    walk = Walk(shops=[place(n) for n in range(40)]).go(fix(0, 0)).wait(60)
    assert {shop_id for shop_id, _ in walk.told} == {f"s{99 - n}" for n in range(32)}


def test_a_fix_that_may_still_be_inside_has_not_left() -> None:
    walk = Walk().go(fix(0, 50)).wait(60).go(fix(300, 190, accuracy_m=50), fix(600, 50)).wait(900)
    assert walk.told == [("mitte", None)]
    assert walk.go(fix(1_200, 190, accuracy_m=5)).told == [("mitte", None), ("mitte", "left")]


def test_leaving_before_the_dwell_is_over_is_told_as_that() -> None:
    walk = Walk().go(fix(0, 140), fix(30, 160), fix(50, 250, speed_m_s=1.2))
    assert walk.wait(600).told == [("mitte", "dwell")]


def test_leaving_ends_a_visit_and_only_then_can_another_begin() -> None:
    walk = Walk().go(fix(0, 50), fix(120, 50), fix(240, 160), fix(360, 60))
    assert walk.told == [("mitte", None)]
    walk.go(fix(900, 600), fix(1500, 60), fix(1600, 60))
    assert walk.told == [("mitte", None), ("mitte", "left"), ("mitte", None)]


def test_fixes_that_stop_end_a_visit_and_leave_no_position_behind() -> None:
    walk = Walk().go(fix(0, 50)).wait(3600)
    assert walk.told == [("mitte", None), ("mitte", "left")]
    assert walk.visits[-1].explanation["because"] == "fixes_stopped"
    assert walk.state == ProximityState()
    assert due_at(walk.state) is None


def test_a_fix_of_two_kilometres_accuracy_decides_nothing_and_says_so_once() -> None:
    walk = Walk().go(*(fix(s, 20, accuracy_m=2_000) for s in range(0, 600, 60)))
    assert walk.wait(900).told == [("mitte", "accuracy")]
    explanation = dict(walk.visits[0].explanation)
    assert explanation.pop("distance_m") == 20.0
    assert explanation == {"method": "geodesic", "radius_m": 150.0, "accuracy_m": 2_000, "limit_m": 150.0}


def test_a_coarse_fix_neither_ends_a_visit_nor_keeps_one_from_counting() -> None:
    walk = Walk().go(fix(0, 50), fix(20, 900, accuracy_m=2_000)).wait(60)
    assert walk.told == [("mitte", None)]


def test_a_large_shop_does_not_make_a_two_kilometre_fix_decide() -> None:
    big = SHOP.model_copy(update={"radius_m": 5_000.0})
    assert Walk(shops=[big]).go(fix(0, 20, 2_000), fix(300, 20, 2_000)).wait(600).told == [("mitte", "accuracy")]


def test_without_consent_no_fix_is_kept_or_looked_at_and_that_is_told_once_a_day() -> None:
    walk = Walk(consent=False).go(fix(0, 50), fix(60, 50), fix(300, 50)).wait(600)
    assert walk.told == [("", "no_consent")]
    assert walk.state == ProximityState(refused_at=T0)
    assert walk.visits[0].explanation == {}
    assert walk.go(fix(86_400, 50)).told == [("", "no_consent")] * 2


def test_withdrawn_consent_forgets_everything_at_the_next_message_or_timer() -> None:
    walk = Walk().go(fix(0, 50))
    walk.consent = False
    assert walk.wait(60).told == []
    assert walk.state == ProximityState()
    walk = Walk().go(fix(0, 50))
    walk.consent = False
    assert walk.go(status(10)).state == ProximityState()


def test_a_retained_position_starts_nothing() -> None:
    assert Walk().go(fix(0, 50, retained=True)).state == ProximityState()


def test_late_and_repeated_fixes_change_nothing() -> None:
    walk = Walk().go(fix(0, 400), fix(300, 60))
    before = walk.state
    assert walk.go(fix(300, 70), fix(100, 5_000), fix(0, 400)).state == before


def test_a_parked_bike_brings_no_offers() -> None:
    walk = Walk(profile=BIKE).go(fix(0, 50), fix(300, 50), fix(600, 52)).wait(900)
    assert walk.told == [("mitte", "not_riding")]


def test_a_ridden_bike_brings_one_where_its_rider_stops_unless_it_is_locked() -> None:
    ride = [fix(s, 1_200 - 5 * s, speed_m_s=5) for s in range(0, 240, 20)] + [fix(240, 20, speed_m_s=0)]
    assert Walk(profile=BIKE, twin={"locked": False}).go(*ride).wait(300).counted
    locked = Walk(profile=BIKE, twin={"locked": True}).go(*ride).wait(300)
    assert locked.told == [("mitte", "speed"), ("mitte", "not_riding")]


def test_locking_the_bike_before_the_dwell_is_over_ends_its_ride_without_a_new_position() -> None:
    walk = Walk(profile=BIKE).go(fix(0, 900, speed_m_s=5), fix(180, 20, speed_m_s=0))
    walk.twin = {"locked": "LOCKED"}
    assert walk.go(status(200)).wait(600).told == [("mitte", "not_riding")]


def test_a_bike_counts_again_when_it_is_unlocked_and_rolls() -> None:
    walk = Walk(profile=BIKE, twin={"locked": True}).go(fix(0, 50), fix(120, 50))
    walk.twin = {"locked": False}
    assert walk.go(fix(300, 40, speed_m_s=1.5)).told == [("mitte", "not_riding"), ("mitte", None)]


def test_a_locked_bike_on_a_van_that_stops_is_told_once_and_its_timers_end() -> None:
    walk = Walk(profile=BIKE, twin={"locked": True}).go(fix(0, 50, speed_m_s=0)).wait(60)
    walk.go(fix(200, 60, speed_m_s=10), fix(300, 50, speed_m_s=0)).wait(600)
    assert walk.told == [("mitte", "not_riding"), ("mitte", "speed")]


def test_a_bike_that_does_not_say_how_fast_it_is_rolled_where_its_fixes_show_it() -> None:
    walk = Walk(profile=BIKE).go(fix(0, 400), fix(60, 50), fix(180, 52)).wait(300)
    assert walk.told == [("mitte", "speed"), ("mitte", None)]


def test_a_bike_that_rolled_a_while_ago_is_taken_for_parked() -> None:
    pushed = [fix(0, 900, speed_m_s=5), fix(1_200, 20, speed_m_s=0)]
    assert Walk(profile=BIKE).go(*pushed).wait(1_300).told == [("mitte", "not_riding")]
    patient = ProximityRule(id="r", ridden_within="30m")
    assert Walk(patient, profile=BIKE).go(*pushed).wait(1_300).counted


def test_owntracks_is_a_persons_phone_unless_the_profile_says_otherwise() -> None:
    fixes = [fix(0, 50, ecosystem="owntracks"), fix(120, 50, ecosystem="owntracks")]
    shipped = GENERIC.model_validate(GENERIC.model_dump() | {"position_of": "thing"})
    undescribed = DeviceProfile(name="tracker", title={"en": "tracker"})
    for profile in (GENERIC, shipped, undescribed, PERSON):
        assert Walk(profile=profile).go(*fixes).told == [("mitte", None)]
    assert Walk(profile=BIKE).go(*fixes).told == [("mitte", "not_riding")]


def test_a_rule_is_about_the_shops_and_services_it_names_and_its_own_radius() -> None:
    repair = SHOP.model_copy(update={"id": "repair", "services": frozenset({"repair"})})
    stay = [fix(0, 50), fix(120, 50)]

    def met(**fields: Any) -> list[str]:
        return [shop_id for shop_id, _ in Walk(ProximityRule(id="r", **fields), [SHOP, repair]).go(*stay).told]

    assert met() == ["mitte", "repair"]
    assert met(services="repair sales") == ["repair"]
    assert met(shops="mitte") == ["mitte"]
    assert met(radius_m=40) == []
    assert met(radius_m=5_000, shops="mitte") == ["mitte"]


def test_a_shop_that_closed_down_meanwhile_is_forgotten_without_a_word() -> None:
    walk = Walk().go(fix(0, 50))
    walk.shops = []
    walk.state, visits = advance(RULE, walk.state, fix(30, 50), ShopIndex([]), PERSON, {}, True)
    assert (visits, walk.state.approaches) == ([], {})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"purpose": "fault"}, "needs their consent"),
        ({"dwell": "1h"}, "shorter than stale_after"),
        ({"caps": [{"at_most": 1, "within": 0}]}, "longer than 0"),
        ({"max_speed": 7}, "Extra inputs"),
    ],
)
def test_a_rule_that_cannot_work_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ProximityRule(id="r", **fields)


def test_the_order_in_which_a_file_names_shops_does_not_change_the_rule() -> None:
    written = [ProximityRule.model_validate({"id": "r", "shops": names}) for names in (["b", "a"], ["a", "b"], "a b")]
    assert len({rule.model_dump_json() for rule in written}) == 1


steps = st.lists(
    st.tuples(
        st.floats(1, 4_000),
        st.floats(0, 400),
        st.floats(0, 360),
        st.one_of(st.none(), st.floats(0, 3_000)),
        st.one_of(st.none(), st.floats(0, 20)),
    ),
    min_size=1,
    max_size=12,
)


def walked(raw: Sequence[tuple[float, float, float, float | None, float | None]]) -> list[Event]:
    second, events = 0.0, []
    for gap, distance, bearing, accuracy, speed in raw:
        second += gap
        events.append(fix(second, distance, accuracy, bearing=bearing, speed_m_s=speed))
    return events


@given(steps, st.sampled_from([PERSON, BIKE]))
def test_a_state_that_went_through_json_at_every_step_goes_on_as_if_it_had_not(
    raw: list[tuple[float, float, float, float | None, float | None]], profile: DeviceProfile
) -> None:
    events = walked(raw)
    kept = Walk(profile=profile, through_json=False).go(*events).wait(1e6)
    restored = Walk(profile=profile).go(*events).wait(1e6)
    assert restored.visits == kept.visits
    assert restored.state == kept.state == ProximityState()


@given(steps)
def test_timers_that_act_in_time_and_timers_that_act_with_the_next_fix_tell_the_same(
    raw: list[tuple[float, float, float, float | None, float | None]],
) -> None:
    events = walked(raw)
    late = Walk().go(*events).wait(1e6)
    live = Walk()
    for event in events:
        live.wait((event.observed_at - T0).total_seconds()).go(event)
    assert live.wait(1e6).visits == late.visits


@given(steps, st.integers(0, 11))
def test_no_visit_counts_and_no_place_is_kept_without_consent(
    raw: list[tuple[float, float, float, float | None, float | None]], withdrawn: int
) -> None:
    walk = Walk()
    for n, event in enumerate(walked(raw)):
        walk.consent = n < withdrawn
        before = len(walk.counted)
        walk.go(event)
        if not walk.consent:
            assert len(walk.counted) == before
            assert walk.state == ProximityState(refused_at=walk.state.refused_at)


@given(steps, st.randoms(use_true_random=False))
def test_the_order_of_shops_and_deliveries_twice_change_nothing(
    raw: list[tuple[float, float, float, float | None, float | None]], chance: random.Random
) -> None:
    shops = [SHOP.model_copy(update={"id": f"s{n}", "longitude": SHOP.longitude + n / 2000}) for n in range(5)]
    events = walked(raw)
    twice = [event for event in events for _ in range(2)]
    assert Walk(shops=shops).go(*events).visits == Walk(shops=chance.sample(shops, 5)).go(*twice).visits


@given(st.lists(st.tuples(st.floats(5, 120), st.floats(120, 179)), min_size=2, max_size=40))
def test_jitter_around_the_edge_is_never_a_second_visit(raw: list[tuple[float, float]]) -> None:
    second, events = 0.0, []
    for gap, distance in raw:
        second += gap
        events.append(fix(second, distance, 10, speed_m_s=0.5))
    assert len(Walk().go(*events).counted) <= 1


@given(steps)
def test_an_accuracy_beyond_the_radius_never_counts(
    raw: list[tuple[float, float, float, float | None, float | None]],
) -> None:
    coarse = [(gap, d, b, 150.5 + (accuracy or 0), speed) for gap, d, b, accuracy, speed in raw]
    assert not Walk().go(*walked(coarse)).wait(1e6).counted


@given(steps)
def test_a_visit_counts_at_most_once_until_it_was_left(
    raw: list[tuple[float, float, float, float | None, float | None]],
) -> None:
    told = [visit.withheld for visit in Walk().go(*walked(raw)).wait(1e6).visits if visit.withheld in (None, "left")]
    assert told == [None, "left"] * (len(told) // 2)


def real_tracks() -> list[str]:
    paths = [DATA / "gps" / "geolife_beijing.csv", DATA / "stores" / "starbucks_beijing.csv"]
    return ["beijing"] if all(path.is_file() for path in paths) else []


@pytest.mark.parametrize("_city", real_tracks())
def test_every_counted_visit_of_real_tracks_was_inside_by_the_geodesic_and_slow(_city: str) -> None:
    with (DATA / "stores" / "starbucks_beijing.csv").open(encoding="utf-8", newline="") as file:
        shops = {
            f"s{n}": Shop(id=f"s{n}", name="x", latitude=row["Latitude"], longitude=row["Longitude"], radius_m=300)
            for n, row in enumerate(csv.DictReader(file))
        }
    with (DATA / "gps" / "geolife_beijing.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["user"] == "000"]
    index, state, visits = ShopIndex(shops.values()), ProximityState(), list[Visit]()
    places: dict[datetime, tuple[float, float]] = {}
    for row in rows:
        at = datetime.fromisoformat(row["time_utc"])
        places[at] = (float(row["lat"]), float(row["lon"]))
        event = Event("d1", EventKind.LOCATION, at, at, TimeSource.DEVICE, "native", position=Position(*places[at]))
        state, found = advance(RULE, state, event, index, PERSON, {}, True)
        visits += found
    times = sorted(places)
    for visit in visits:
        shop = shops[visit.shop_id]
        if visit.withheld is None:
            last = max(t for t in times if t <= visit.at)
            assert geodesic((shop.latitude, shop.longitude), places[last]).meters <= 300 + 60
            assert visit.explanation.get("speed_kmh", 0) <= 7
    assert {visit.withheld for visit in visits} >= {None, "speed", "left"}
