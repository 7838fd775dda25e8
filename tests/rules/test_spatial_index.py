"""The grid finds what going through every shop finds, and the distance that decides is geopy's geodesic."""

import csv
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from geopy.distance import geodesic
from hypothesis import given
from hypothesis import strategies as st

from device_models.registry import Shop
from rules.places.distance import Point, closest_approach_m, geodesic_m, haversine_m, measure, on_chord, point, vector
from rules.spatial_index import ShopIndex

DATA = Path(__file__).parents[3] / "shared" / "data"

latitudes = st.one_of(st.floats(-90, 90), st.sampled_from([-90.0, 90.0, 89.9999, -89.9999, 0.0]))
longitudes = st.one_of(st.floats(-180, 180), st.sampled_from([-180.0, 180.0, 179.9999, -179.9999, 0.0]))
points = st.tuples(latitudes, longitudes)
radii = st.one_of(st.floats(1, 500), st.floats(1, 50_000))


def shop_at(place: Point, radius_m: float = 150.0, shop_id: str = "s") -> Shop:
    return Shop(id=shop_id, name="Shop", latitude=place[0], longitude=place[1], radius_m=radius_m)


@st.composite
def shops_and_fixes(draw: st.DrawFn) -> tuple[list[Shop], list[Point]]:
    """Shops anywhere, and fixes mostly about as far from one of them as its radius."""
    places = draw(st.lists(st.tuples(points, radii), min_size=1, max_size=12))
    shops = [shop_at(place, radius, f"s{n}") for n, (place, radius) in enumerate(places)]
    fixes = draw(st.lists(points, max_size=3))
    for shop in shops:
        share = draw(st.floats(0, 1.5))
        bearing = draw(st.floats(0, 360))
        moved = geodesic(meters=shop.radius_m * share).destination((shop.latitude, shop.longitude), bearing)
        fixes.append((moved.latitude, (moved.longitude + 180) % 360 - 180))
    return shops, fixes


def ids(shops: list[Shop]) -> list[str]:
    return [shop.id for shop in shops]


@given(shops_and_fixes())
def test_no_shop_within_whose_radius_a_fix_lies_is_missing_anywhere_on_earth(
    case: tuple[list[Shop], list[Point]],
) -> None:
    shops, fixes = case
    index = ShopIndex(shops)
    for fix in fixes:
        by_grid = {s.id for s in index.candidates(*fix) if measure(s, fix).inside}
        assert by_grid == {s.id for s in shops if geodesic_m((s.latitude, s.longitude), fix) <= s.radius_m}


@given(shops_and_fixes(), st.floats(1, 20_000), st.one_of(st.none(), radii))
def test_a_margin_and_a_radius_of_the_rule_widen_the_search_exactly(
    case: tuple[list[Shop], list[Point]], margin_m: float, radius_m: float | None
) -> None:
    shops, fixes = case
    index = ShopIndex(shops)
    for fix in fixes:
        found = set(ids(index.candidates(*fix, margin_m, radius_m=radius_m)))
        for shop in shops:
            reach = (shop.radius_m if radius_m is None else radius_m) + margin_m
            distance = geodesic_m((shop.latitude, shop.longitude), fix)
            assert distance > reach or shop.id in found
            assert distance < reach * 1.02 + 1 or shop.id not in found


@given(shops_and_fixes(), st.randoms(use_true_random=False))
def test_the_order_of_shops_changes_nothing(case: tuple[list[Shop], list[Point]], chance: random.Random) -> None:
    shops, fixes = case
    shuffled = chance.sample(shops, len(shops))
    one, other = ShopIndex(shops), ShopIndex(shuffled)
    for fix in fixes:
        assert ids(one.candidates(*fix)) == ids(other.candidates(*fix))
        assert one.nearest(*fix) == other.nearest(*fix)


@given(shops_and_fixes(), st.integers(1, 4))
def test_nearest_agrees_with_measuring_every_shop(case: tuple[list[Shop], list[Point]], count: int) -> None:
    shops, fixes = case
    index = ShopIndex(shops)
    for fix in fixes:
        brute = sorted((geodesic_m(fix, (s.latitude, s.longitude)), s.id) for s in shops)[:count]
        assert [(metres, shop.id) for shop, metres in index.nearest(*fix, count)] == brute


@given(points, radii, st.floats(0, 2), st.floats(0, 360))
def test_which_side_a_fix_is_on_is_always_what_the_geodesic_says(
    place: Point, radius_m: float, share: float, bearing: float
) -> None:
    shop = shop_at(place, radius_m)
    moved = geodesic(meters=radius_m * share).destination(place, bearing)
    fix = (moved.latitude, moved.longitude)
    assert measure(shop, fix).inside == (geodesic(place, fix).meters <= radius_m)


def test_the_geodesic_decides_and_stands_in_the_answer_while_the_edge_lies_within_the_accuracy() -> None:
    shop = shop_at((52.5163, 13.3777), 200)
    fix = (52.5170, 13.3790)
    assert measure(shop, fix).method == "haversine"
    close = measure(shop, fix, accuracy_m=100)
    assert close.method == "geodesic"
    assert close.distance_m == geodesic((52.5163, 13.3777), fix).meters
    assert close.distance_m != haversine_m((52.5163, 13.3777), fix)


@given(points, st.floats(0, 360), st.floats(10, 9_000), st.lists(st.tuples(st.floats(0, 1), radii), max_size=6))
def test_a_way_between_two_fixes_finds_every_shop_it_touches(
    start: Point, bearing: float, length_m: float, beside: list[tuple[float, float]]
) -> None:
    moved = geodesic(meters=length_m).destination(start, bearing)
    end = (moved.latitude, (moved.longitude + 180) % 360 - 180)
    shops = []
    for n, (share, radius_m) in enumerate(beside):
        on_way = point(on_chord(vector(start), vector(end), share))
        aside = geodesic(meters=radius_m * 0.95).destination(on_way, bearing + 90)
        shops.append(shop_at((aside.latitude, (aside.longitude + 180) % 360 - 180), radius_m, f"s{n}"))
    assert ids(ShopIndex(shops).along(start, end)) == sorted(ids(shops))


def test_a_way_knows_how_close_it_came_across_the_antimeridian() -> None:
    shop = shop_at((0.001, 180.0))
    assert closest_approach_m(shop, (0.0, 179.99), (0.0, -179.99)) == pytest.approx(111.2, abs=0.1)
    assert ids(ShopIndex([shop]).along((0.0, 179.99), (0.0, -179.99))) == ["s"]
    assert ShopIndex([shop]).along((0.0, 179.99), (0.0, 179.992)) == []


def test_a_wide_search_beside_the_pole_reaches_round_it() -> None:
    shop = shop_at((89.77, 60.0), 1.0)
    assert geodesic_m((89.5, 0.0), (89.77, 60.0)) < 49_000
    assert ids(ShopIndex([shop]).candidates(89.5, 0.0, 49_000)) == ["s"]


def test_a_way_across_a_continent_is_refused() -> None:
    with pytest.raises(ValueError, match="no movement"):
        ShopIndex([]).along((0, 0), (0, 40))


def test_two_shops_with_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="'s'"):
        ShopIndex([shop_at((0, 0)), shop_at((1, 1))])


def test_a_lookup_looks_at_the_shops_around_and_at_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost of a fix, as the shops held against it, is the same among 100 and 100,000 shops."""
    chance = random.Random(7)
    around = [shop_at((50 + chance.uniform(0, 0.01), 8 + chance.uniform(0, 0.01)), 100, f"a{n}") for n in range(5)]
    far = [
        shop_at((chance.uniform(-60, 49), chance.uniform(-180, 180)), chance.choice([50, 500, 5_000]), f"f{n}")
        for n in range(20_000)
    ]
    looked_at: list[int] = []
    monkeypatch.setattr(
        "rules.spatial_index.zip", lambda numbers, *_, strict: _counted(numbers, looked_at), raising=False
    )
    for shops in (around, around + far):
        looked_at.append(0)
        index = ShopIndex(shops)
        for n in range(10):
            index.candidates(50 + n / 1000, 8.005)
    assert looked_at[0] == looked_at[1] > 0


def _counted(numbers: Iterator[float], looked_at: list[int]) -> Iterator[tuple[float, ...]]:
    for x in numbers:
        looked_at[-1] += 1
        yield (x, next(numbers), next(numbers), next(numbers))


def real_cases() -> list[str]:
    """Names of the real tracks and shops beside the repository, none where there are none."""
    wanted = [DATA / "gps" / "geolife_beijing.csv", DATA / "stores" / "starbucks_beijing.csv"]
    return ["beijing"] if all(path.is_file() for path in wanted) else []


@pytest.mark.parametrize("_city", real_cases())
def test_real_tracks_among_real_shops_agree_with_measuring_every_pair(_city: str) -> None:
    with (DATA / "stores" / "starbucks_beijing.csv").open(encoding="utf-8", newline="") as file:
        shops = [
            shop_at((float(row["Latitude"]), float(row["Longitude"])), 100.0 + 50 * (n % 9), f"s{n}")
            for n, row in enumerate(csv.DictReader(file))
        ]
    with (DATA / "gps" / "geolife_beijing.csv").open(encoding="utf-8", newline="") as file:
        fixes = [(float(row["lat"]), float(row["lon"])) for row in csv.DictReader(file)]
    index = ShopIndex(shops)
    inside = 0
    for fix in random.Random(1).sample(fixes, 3_000):
        by_grid = {s.id for s in index.candidates(*fix) if measure(s, fix).inside}
        # Every shop: what haversine puts a kilometre beyond the radius, the ellipsoid cannot bring back inside.
        close = [s for s in shops if haversine_m((s.latitude, s.longitude), fix) < 1.02 * s.radius_m + 1_000]
        assert by_grid == {s.id for s in close if geodesic((s.latitude, s.longitude), fix).meters <= s.radius_m}
        inside += len(by_grid)
    assert inside > 0


@pytest.mark.parametrize("name", [p.name for p in DATA.glob("stores/*.json")])
def test_nearest_of_real_shops_agrees_with_measuring_every_one(name: str) -> None:
    rows = json.loads((DATA / "stores" / name).read_text(encoding="utf-8"))
    shops = [shop_at((r["location"]["lat"], r["location"]["lon"]), 150, str(r["id"])) for r in rows]
    index = ShopIndex(shops)
    chance = random.Random(2)
    for _ in range(8):
        here = (chance.uniform(25, 49), chance.uniform(-124, -67))
        brute = min((geodesic(here, (s.latitude, s.longitude)).meters, s.id) for s in shops)
        shop, metres = index.nearest(*here)[0]
        assert (metres, shop.id) == brute
