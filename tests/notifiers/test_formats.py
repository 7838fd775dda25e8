import math
from datetime import UTC, datetime, timedelta

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from device_models.registry import Customer
from notifiers.wording.formats import Formats
from notifiers.wording.units import CLDR, SYMBOLS
from tests.notifiers.making import ANA, JÖRG, NOW, YUSUF

NBSP, LRI, PDI = "\u00a0", "\u2066", "\u2069"
AMERICAN = ANA.model_copy(update={"locale": "en-US", "country": "US", "timezone": "America/New_York"})
EGYPTIAN = YUSUF.model_copy(update={"locale": "ar-EG", "country": "EG", "timezone": "Africa/Cairo"})
BRAZILIAN = ANA.model_copy(update={"locale": "pt-BR", "country": "BR", "timezone": "America/Sao_Paulo"})


def _formats(customer: Customer, language: str = "en") -> Formats:
    return Formats.of(customer, language, NOW)


@pytest.mark.parametrize(
    ("customer", "language", "written"),
    [
        (ANA, "en", f"−8.3{NBSP}°C"),
        (JÖRG, "de", f"−8,3{NBSP}°C"),
        (AMERICAN, "en", f"17{NBSP}°F"),
        (YUSUF, "ar", f"{LRI}-8.3{PDI}{NBSP}°م"),
        (EGYPTIAN, "ar", f"{LRI}-8٫3{PDI}{NBSP}°م"),
        (BRAZILIAN, "en", f"−8.3{NBSP}°C"),
    ],
)
def test_a_temperature_is_in_the_measures_and_digits_of_the_country(
    customer: Customer, language: str, written: str
) -> None:
    # Babel puts a mark before the Arabic minus in some versions; what is seen is the same.
    shown = _formats(customer, language).quantity(-8.34, "Cel").replace("\u200e", "").replace("\u061c", "")

    assert shown == written


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "english", "german"),
    [
        (45.5, "%", 1, "45.5%", f"45,5{NBSP}%"),
        (1.25, "bar", 2, f"1.25{NBSP}bar", f"1,25{NBSP}bar"),
        (1234.5, "W", 0, f"1,234{NBSP}W", f"1.234{NBSP}W"),
        (3, "L/min", 1, f"3{NBSP}l/min", f"3{NBSP}l/min"),
        (1, "d", 0, f"1{NBSP}day", f"1{NBSP}Tg."),
        (2, "d", 0, f"2{NBSP}days", f"2{NBSP}Tg."),
        (7, "{count}", 0, "7", "7"),
        (7, "", 0, "7", "7"),
        (-0.04, "Cel", 1, f"0{NBSP}°C", f"0{NBSP}°C"),
        (5, "furlong.s", 0, f"5{NBSP}furlong·s", f"5{NBSP}furlong·s"),
        (math.nan, "Cel", 1, "–", "–"),
        (math.inf, "Cel", 1, "–", "–"),
        (1e30, "h", 1, f"1E30{NBSP}h", f"1E30{NBSP}h"),
    ],
)
def test_quantities_are_written_as_people_do(value: float, unit: str, decimals: int, english: str, german: str) -> None:
    assert _formats(ANA).quantity(value, unit, decimals) == english
    assert _formats(JÖRG, "de").quantity(value, unit, decimals) == german


def test_arabic_has_words_for_one_and_two() -> None:
    assert _formats(YUSUF, "ar").quantity(2, "d", 0) == "يومان"


@pytest.mark.parametrize(
    ("metres", "german", "british"),
    [
        (4, f"0{NBSP}m", f"0{NBSP}mi"),
        (348, f"350{NBSP}m", f"0.2{NBSP}mi"),
        (994, f"990{NBSP}m", f"0.6{NBSP}mi"),
        (1234, f"1,2{NBSP}km", f"0.8{NBSP}mi"),
    ],
)
def test_a_distance_is_as_fine_as_a_walker_cares(metres: float, german: str, british: str) -> None:
    assert _formats(JÖRG, "de").distance(metres) == german
    assert _formats(ANA).distance(metres) == british


def test_a_time_of_today_is_a_time_in_their_zone() -> None:
    at = datetime(2025, 3, 3, 13, 2, tzinfo=UTC)

    assert _formats(ANA).moment(at) == (None, "13:02")
    assert _formats(JÖRG, "de").moment(at) == (None, "14:02")
    assert _formats(AMERICAN).moment(at) == (None, "8:02\u202fAM")
    assert _formats(YUSUF, "ar").moment(at) == (None, "5:02 م")


def test_an_older_moment_says_its_day() -> None:
    formats = _formats(JÖRG, "de")

    assert formats.moment(NOW - timedelta(days=1)) == ("Sonntag", "15:32")
    assert formats.moment(NOW - timedelta(days=7)) == ("24. Februar", "15:32")
    assert formats.moment(NOW - timedelta(days=100)) == ("23. November 2024", "15:32")
    # Across midnight here, though not in UTC.
    assert formats.moment(datetime(2025, 3, 2, 23, 30, tzinfo=UTC)) == (None, "00:30")


def test_egypt_reads_dates_in_its_digits() -> None:
    assert _formats(EGYPTIAN, "ar").long_date(NOW) == "الاثنين، ٣ مارس ٢٠٢٥"
    assert _formats(YUSUF, "ar").long_date(NOW) == "الاثنين، 3 مارس 2025"


@pytest.mark.parametrize(
    ("locale", "country", "language", "expected"),
    [
        ("de", "AT", "de", "de_AT"),
        ("de-CH", "DE", "de", "de_CH"),
        ("en", None, "en", "en_150"),
        ("en", "US", "en", "en_US"),
        ("pt-BR", "BR", "en", "en_150"),
        ("ar", "DE", "ar", "ar"),
    ],
)
def test_figures_follow_the_language_of_the_text_and_the_country(
    locale: str, country: str | None, language: str, expected: str
) -> None:
    formats = _formats(ANA.model_copy(update={"locale": locale, "country": country}), language)

    assert str(formats.locale) == expected


@pytest.mark.parametrize("unit", sorted(CLDR))
def test_every_unit_that_has_a_pattern_is_written_in_each_language(unit: str) -> None:
    for customer, language in ((ANA, "en"), (JÖRG, "de"), (YUSUF, "ar")):
        written = _formats(customer, language).quantity(17.5, unit)
        assert any(c.isdigit() for c in written)
        assert not set(written) & set("[]{}_")


@given(
    value=st.floats(allow_nan=True, allow_infinity=True),
    unit=st.sampled_from([*CLDR, *SYMBOLS, "", "1"]) | st.text(max_size=8),
    decimals=st.integers(0, 6),
    customer=st.sampled_from([(ANA, "en"), (JÖRG, "de"), (YUSUF, "ar"), (EGYPTIAN, "ar"), (AMERICAN, "en")]),
)
def test_writing_a_quantity_never_raises(
    value: float, unit: str, decimals: int, customer: tuple[Customer, str]
) -> None:
    assert _formats(*customer).quantity(value, unit, decimals)


def test_the_locales_used_here_are_known() -> None:
    assert Locale("en", "150").territory == "150"
