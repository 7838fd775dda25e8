from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.wording import facts

_ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("  Garage\r\n freezer\t", "Garage freezer"),
        ("a\x00b\x1bc", "a b c"),
        ("\u202egnorw", "gnorw"),
        ("soft\u00adware", "software"),
        ("👨‍👩‍👧", "👨‍👩‍👧"),
        ("\ud800 lone", "lone"),
        (None, ""),
        (17, ""),
    ],
)
def test_a_line_is_clean(value: object, expected: str) -> None:
    assert facts.line(value) == expected


def test_a_long_name_is_cut_and_says_so() -> None:
    assert facts.name("x" * 200) == "x" * 79 + "…"


@pytest.mark.parametrize("identifier", ["freezer-too-warm", "e_17", "filter.clean", "a-b_c"])
def test_an_identifier_is_nothing_to_say_to_a_customer(identifier: str) -> None:
    assert facts.phrase(identifier) == ""
    assert facts.phrase(f"The {identifier}") == f"The {identifier}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, 1.0), (-8.3, -8.3), (True, None), ("1", None), (float("nan"), None), (float("inf"), None), (10**400, None)],
)
def test_only_finite_numbers_count(value: object, expected: float | None) -> None:
    assert facts.number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2025-03-03T14:02:00Z", datetime(2025, 3, 3, 14, 2, tzinfo=UTC)),
        (datetime(2025, 3, 3, 14, 2, tzinfo=UTC), datetime(2025, 3, 3, 14, 2, tzinfo=UTC)),
        ("2025-03-03T14:02:00", None),
        ("9999-12-31T23:59:59Z", None),
        ("0001-01-01T00:00:00Z", None),
        ("soon", None),
        (None, None),
        (17, None),
    ],
)
def test_a_moment_has_a_zone_and_a_calendar(value: object, expected: datetime | None) -> None:
    assert facts.moment(value) == expected


def test_paragraphs_are_the_lines_that_say_something() -> None:
    assert facts.paragraphs("Hello,\r\n\r\n  the seal \n\n") == ["Hello,", "the seal"]


def test_a_text_falls_back_to_english_and_says_so() -> None:
    assert facts.localized({"en": "freezer", "de": "Gefrierschrank"}, "de") == ("Gefrierschrank", True)
    assert facts.localized({"en": "freezer"}, "ar") == ("freezer", False)
    assert facts.localized("as written", "ar") == ("as written", True)
    assert facts.localized({}, "ar") == ("", True)
    assert facts.localized({"de": 17}, "de") == ("", True)


@given(_ANYTHING)
def test_reading_never_raises(value: Any) -> None:
    facts.line(value).encode()
    facts.phrase(value)
    assert all(one.encode() and "\n" not in one for one in facts.paragraphs(value))
    facts.localized(value, "de")
    facts.number(value)
    facts.moment(value)
    facts.part({"x": value}, "x")
