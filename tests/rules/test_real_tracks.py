"""Geofence and proximity on real tracks among real places agree with ``geopy``'s geodesic, every place and every fix.

The data are no part of the repository. Every CSV file of tracks (``lat``, ``lon`` or ``latitude``, ``longitude``, a
time and columns that tell tracks apart) and every CSV or JSON file of places found in ``../shared/data/gps`` and
``../shared/data/stores`` is used; where there are none, pytest says that the set of parameters is empty.
"""

import csv
import json
import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from geopy.distance import geodesic

from device_models.event import Event, EventKind, Position, TimeSource
from device_models.profile import DeviceProfile, PositionOf
from device_models.registry import Device, Shop
from rules.detect import Detector
from rules.inputs import DeviceContext
from rules.kinds.geofence import GeofenceRule
from rules.kinds.proximity import ProximityRule
from rules.places.fence import sigma_of
from rules.recordings.backtest import Backtest
from rules.recordings.recorded import parse_time
from rules.schema import RuleSet
from rules.spatial_index import ShopIndex
from rules.state import DeviceState
from rules.transition import Visit

DATA = Path(__file__).parents[3] / "shared" / "data"
TRACKS, PLACES = sorted(DATA.glob("gps/*.csv")), sorted(DATA.glob("stores/*.*"))
BOTH = [(tracks, places) for tracks in TRACKS for places in PLACES]
ACCURACY_M = 10.0
PHONE = DeviceProfile(name="phone", title={"en": "phone"}, position_of=PositionOf.PERSON)
LEAST_M_PER_DEGREE = 110_500.0
"""Of latitude: 110,574 m at the equator (WGS 84), more elsewhere."""
SMALLEST_RADIUS_M = 6_356_752.0
WGS84 = geodesic()
"""One for all measurements: each new one works out the ellipsoid's series."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Track:
    """Fixes of one recording, each later than the one before."""

    id: str
    fixes: Sequence[tuple[datetime, Point]]

    @cached_property
    def by_latitude(self) -> tuple[list[float], list[int]]:
        """Latitudes in order, and the indices of their fixes."""
        pairs = sorted((point[0], index) for index, (_, point) in enumerate(self.fixes))
        return [latitude for latitude, _ in pairs], [index for _, index in pairs]


def _column(row: Mapping[str, Any], *names: str) -> str:
    return next(name for name in row if name.lower() in names)


@cache
def tracks_of(path: Path) -> list[Track]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    lat, lon = _column(rows[0], "lat", "latitude"), _column(rows[0], "lon", "lng", "longitude")
    time = _column(rows[0], "time", "time_utc", "timestamp", "observed_at")
    apart = [name for name in rows[0] if name in ("user", "track", "device", "device_id")]
    tracks = []
    for key, part in groupby(rows, key=lambda row: "/".join(row[name] for name in apart)):
        fixes: list[tuple[datetime, Point]] = []
        for row in part:
            at = parse_time(row[time])
            if not fixes or at > fixes[-1][0]:
                fixes.append((at, (float(row[lat]), float(row[lon]))))
        tracks.append(Track(key, fixes))
    return tracks


@cache
def places_of(path: Path) -> list[Point]:
    text = path.read_text(encoding="utf-8")
    rows = json.loads(text) if path.suffix == ".json" else list(csv.DictReader(text.splitlines()))
    spots = [row.get("location", row) for row in rows]
    lat, lon = _column(spots[0], "lat", "latitude"), _column(spots[0], "lon", "lng", "longitude")
    return [(float(spot[lat]), float(spot[lon])) for spot in spots]


def within(place: Point, track: Track, reach_m: float) -> Iterator[tuple[int, float]]:
    """Go through the fixes within ``reach_m`` of a place by the geodesic, in order, with the metres: (index, metres).

    Only fixes that a difference of latitude, or of longitude, alone puts further away are not measured.
    """
    limit = reach_m / LEAST_M_PER_DEGREE
    latitudes, indices = track.by_latitude
    part = indices[bisect_left(latitudes, place[0] - limit) : bisect_right(latitudes, place[0] + limit)]
    for index in sorted(part):
        point = track.fixes[index][1]
        turn = math.radians(abs((point[1] - place[1] + 180) % 360 - 180))
        # Seen from the axis a place is no nearer to another's half plane than that.
        aside = math.sin(turn) if turn < math.pi / 2 else 1.0
        if aside * math.cos(math.radians(place[0])) * SMALLEST_RADIUS_M > reach_m * 1.01:
            continue
        metres = WGS84.measure(place, point) * 1000
        if metres <= reach_m:
            yield index, metres


def event(at: datetime, point: Point) -> Event:
    position = Position(*point, accuracy_m=ACCURACY_M)
    return Event("d1", EventKind.LOCATION, at, at, TimeSource.DEVICE, "native", {}, position=position)


def by_name(pair: tuple[Path, Path]) -> str:
    return "-".join(path.stem for path in pair)


@pytest.mark.parametrize("pair", BOTH, ids=by_name)
def test_zones_around_every_store_agree_with_brute_force_outside_the_band(pair: tuple[Path, Path]) -> None:
    zones_agree(tracks_of(pair[0]), places_of(pair[1]))


def zones_agree(tracks: Sequence[Track], places: Sequence[Point]) -> None:
    radius_m, confirm, margin_m = 250.0, 2, 20.0
    zones = [
        {"id": f"z{n}", "circle": {"latitude": lat, "longitude": lon, "radius_m": radius_m}}
        for n, (lat, lon) in enumerate(places)
    ]
    rule = GeofenceRule.model_validate({"id": "near", "zones": zones, "on": "enter", "margin_m": margin_m})
    detector = Detector(RuleSet.of([rule]), {PHONE.name: PHONE})
    person = DeviceContext(Device(id="d1", profile=PHONE.name), PHONE, location_consent=True)
    band_m = 3.0 * sigma_of(ACCURACY_M) + margin_m
    for track in tracks:
        inside: list[set[str]] = [set() for _ in track.fixes]
        unsure: list[set[str]] = [set() for _ in track.fixes]
        for number, place in enumerate(places):
            for index, metres in within(place, track, radius_m + band_m):
                (inside if metres < radius_m - band_m else unsure)[index].add(f"z{number}")
        state = DeviceState()
        for index, (at, point) in enumerate(track.fixes):
            state, _ = detector.run(person, state, [event(at, point)])
            zone_states = state.rules["near"].memory["zones"]
            said = {zone for zone, guarded in zone_states.items() if guarded["where"].get("side") == "inside"}
            # Whatever is clear at this fix and the one before, which together confirm it, must be said.
            latest = range(max(0, index - confirm + 1), index + 1)
            # Over an hour without a fix nothing is confirmed any more.
            if len(latest) == confirm and at - track.fixes[latest[0]][0] < timedelta(hours=1):
                assert said >= set.intersection(*(inside[i] for i in latest)), (track.id, at)
            held = set.union(*(inside[i] | unsure[i] for i in latest))
            assert said <= held or index < confirm, (track.id, at)


@pytest.mark.parametrize("pair", BOTH, ids=by_name)
def test_visits_are_those_that_measuring_every_store_at_every_fix_finds(pair: tuple[Path, Path]) -> None:
    assert visits_agree(tracks_of(pair[0]), places_of(pair[1])) >= 0


def visits_agree(tracks: Sequence[Track], places: Sequence[Point]) -> int:
    """Return how many visits there were."""
    radius_m, dwell, margin_m = 200.0, timedelta(seconds=60), 40.0
    # Speed is another test's: here only places count.
    rule = ProximityRule.model_validate(
        {"id": "near", "radius_m": radius_m, "dwell": "60s", "max_speed_kmh": 1e6, "leave_margin_m": margin_m}
    )
    shops = [Shop(id=f"s{n}", name="x", latitude=lat, longitude=lon) for n, (lat, lon) in enumerate(places)]
    visits = 0
    for track in tracks:
        expected: list[tuple[datetime, str]] = []
        for number, place in enumerate(places):
            expected += [(at, f"s{number}") for at in dwelt(track, place, radius_m, margin_m, dwell, rule.stale_after)]
        backtest = Backtest(Detector(RuleSet.of([rule]), {PHONE.name: PHONE}, ShopIndex(shops)), PHONE)
        facts = [fact for at, point in track.fixes for fact in backtest.feed(event(at, point))]
        facts += backtest.finish()
        found = [(fact.at, fact.shop_id) for fact in facts if isinstance(fact, Visit) and fact.withheld is None]
        assert sorted(found) == sorted(expected), track.id
        visits += len(found)
    return visits


@pytest.mark.parametrize(
    "centre", [(0.0, 180.0), (-17.7, -180.0), (90.0, 0.0), (-90.0, 77.0), (51.5, 0.0), (-33.9, 151.2)], ids=str
)
def test_made_tracks_anywhere_agree_too_among_places_of_two_decimals(centre: Point) -> None:
    chance = random.Random(11)

    def somewhere(reach_m: float) -> Point:
        moved = geodesic(meters=chance.uniform(0, reach_m)).destination(centre, chance.uniform(0, 360))
        return moved.latitude, (moved.longitude + 180) % 360 - 180

    # Rounded, so that several lie on one point, as those of real lists do.
    places = [(round(lat, 2), round(lon, 2)) for lat, lon in (somewhere(3_000) for _ in range(80))]
    tracks = []
    for number in range(3):
        at, here = datetime(2026, 3, 1, 8, tzinfo=UTC), chance.choice(places)
        bearing, fixes = chance.uniform(0, 360), list[tuple[datetime, Point]]()
        for _ in range(400):
            at += timedelta(seconds=chance.choice([1, 5, 20, 30, 60, 900, 4_000]))
            bearing = bearing + chance.gauss(0, 60) if chance.random() < 0.9 else chance.uniform(0, 360)
            moved = geodesic(meters=chance.expovariate(1 / 60)).destination(here, bearing)
            here = (moved.latitude, (moved.longitude + 180) % 360 - 180)
            if geodesic(here, centre).meters > 3_500:
                here = chance.choice(places)
            fixes.append((at, here))
        tracks.append(Track(f"made-{number}", fixes))
    zones_agree(tracks, places)
    assert visits_agree(tracks, places) > 0


def dwelt(
    track: Track, place: Point, radius_m: float, margin_m: float, dwell: timedelta, stale_after: timedelta
) -> Iterator[datetime]:
    """Say when somebody had been near a place for long enough, as the documentation of ``proximity`` has it."""
    near = dict(within(place, track, radius_m + margin_m + ACCURACY_M))
    if not near:
        return
    since: datetime | None = None
    counted = False
    for index, (at, _) in enumerate(track.fixes):
        before = track.fixes[index - 1][0] if index else at
        if since is not None and not counted and since + dwell <= min(at, before + stale_after):
            counted = True
            yield since + dwell
        if at - before >= stale_after or index not in near:
            since, counted = None, False
        if since is None and near.get(index, radius_m + 1) <= radius_m:
            since = at
    last = track.fixes[-1][0]
    if since is not None and not counted and since + dwell <= last:
        yield since + dwell
