"""Opening hours are the shop's: its zone, its holidays, its daylight saving."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_models.registry import Shop
from rules.places.opening import check_opening_hours, closes_next, is_open, opens_next, zone_of

BERLIN = (52.5163, 13.3777)
TOKYO = (35.6812, 139.7671)
RIYADH = (24.7136, 46.6753)


def shop(hours: str | None, place: tuple[float, float] = BERLIN, country: str | None = "DE") -> Shop:
    return Shop(id="s", name="Shop", latitude=place[0], longitude=place[1], opening_hours=hours, country=country)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def test_a_shop_without_hours_is_always_open() -> None:
    assert is_open(shop(None), utc(2026, 12, 25, 3)) is True
    assert opens_next(shop(None), utc(2026, 12, 25, 3)) == utc(2026, 12, 25, 3)
    assert closes_next(shop(None), utc(2026, 12, 25, 3)) is None


@pytest.mark.parametrize(
    ("place", "country", "open_at", "closed_at"),
    [
        (BERLIN, "DE", utc(2026, 11, 3, 8, 0), utc(2026, 11, 3, 7, 59)),
        (BERLIN, "DE", utc(2026, 7, 7, 7, 0), utc(2026, 7, 7, 6, 59)),  # summer time
        (TOKYO, "JP", utc(2026, 11, 10, 0, 0), utc(2026, 11, 10, 9, 0)),
    ],
)
def test_hours_are_in_the_zone_the_shop_stands_in(
    place: tuple[float, float], country: str, open_at: datetime, closed_at: datetime
) -> None:
    place_shop = shop("Mo-Fr 09:00-18:00", place, country)
    assert is_open(place_shop, open_at) is True
    assert is_open(place_shop, closed_at) is False


def test_a_public_holiday_closes_a_shop_in_its_own_country_only() -> None:
    unity_day = utc(2026, 10, 3, 10)  # a Saturday
    assert is_open(shop("Mo-Sa 09:00-18:00; PH off", BERLIN, "DE"), unity_day) is False
    assert is_open(shop("Mo-Sa 09:00-18:00; PH off", (48.8566, 2.3522), "FR"), unity_day) is True


def test_the_country_is_told_by_the_place_where_none_is_given() -> None:
    assert is_open(shop("Mo-Sa 09:00-18:00; PH off", BERLIN, None), utc(2026, 10, 3, 10)) is False


def test_a_country_without_a_holiday_calendar_keeps_its_week() -> None:
    riyadh = shop("Su-Th 09:00-18:00; PH off", RIYADH, "SA")
    assert is_open(riyadh, utc(2026, 11, 1, 8)) is True
    assert is_open(riyadh, utc(2026, 11, 6, 8)) is False


def test_the_next_opening_skips_the_weekend_and_the_next_closing_is_today() -> None:
    week = shop("Mo-Fr 09:00-18:00")
    friday_evening = utc(2026, 11, 6, 17, 30)
    assert opens_next(week, friday_evening) == utc(2026, 11, 9, 8)
    assert closes_next(week, utc(2026, 11, 6, 10)) == utc(2026, 11, 6, 17)
    assert closes_next(week, friday_evening) == friday_evening
    assert opens_next(shop("off"), friday_evening) is None


def test_hours_over_midnight_belong_to_the_day_they_began() -> None:
    bar = shop("Fr-Sa 20:00-02:00")
    assert is_open(bar, utc(2026, 11, 8, 0, 30)) is True
    assert is_open(bar, utc(2026, 11, 8, 1, 30)) is False


@pytest.mark.parametrize("text", ["Mo-Fr unknown", '"by appointment"', "Mo: 10-9; Tue: 10-9"])
def test_nobody_can_tell_where_the_text_does_not_say(text: str) -> None:
    assert is_open(shop(text), utc(2026, 11, 3, 10)) is None


@pytest.mark.parametrize(
    "text", ["Mo-Fr 9-5", "Mon-Fri 9am-5pm", "24/24", "", "Mo-Fr 09:00-18:00 and more", "x" * 3000]
)
def test_a_text_that_is_no_opening_hours_is_refused_with_the_column_and_an_example(text: str) -> None:
    message = check_opening_hours(text)
    assert message is not None
    assert "Mo-Fr 09:00-18:00" in message
    assert len(message) < 250


def test_the_column_named_is_where_reading_stopped() -> None:
    assert "at column 19" in (check_opening_hours("Mo-Fr 09:00-18:00 garbage") or "")


@pytest.mark.parametrize(
    "text", ["24/7", "Mo-Fr 09:00-18:00; Sa 10:00-14:00; PH off", "sunrise-sunset", "Mo-Su 10:00+"]
)
def test_a_text_as_openstreetmap_writes_it_is_fine(text: str) -> None:
    assert check_opening_hours(text) is None


def test_a_shop_at_sea_and_at_the_pole_has_a_zone_too() -> None:
    assert is_open(shop("24/7", (90.0, 0.0), None), utc(2026, 1, 1)) is True
    assert zone_of(shop(None, (0.0, -30.0), None)).key.startswith("Etc/")


@given(
    st.sampled_from(
        ["Mo-Fr 09:00-18:00; PH off", "Mo-Su 22:00-06:00", "Mo-Sa 10:00-13:00,14:00-20:00", "sunrise-sunset"]
    ),
    st.sampled_from([BERLIN, TOKYO, (-33.87, 151.21), (40.71, -74.01)]),
    st.integers(0, 370 * 24 * 60),
)
def test_it_is_closed_until_it_next_opens_and_open_until_it_next_closes(
    hours: str, place: tuple[float, float], minute: int
) -> None:
    at = utc(2026, 1, 1) + timedelta(minutes=minute)
    here = shop(hours, place, None)
    opens, closes = opens_next(here, at), closes_next(here, at)
    assert opens is not None
    assert closes is not None
    if is_open(here, at):
        assert opens == at
        assert closes > at
        assert is_open(here, closes - timedelta(seconds=1)) is True
        assert is_open(here, closes) is False
    else:
        assert closes == at
        assert opens > at
        assert is_open(here, opens - timedelta(seconds=1)) is False
        assert is_open(here, opens) is True
