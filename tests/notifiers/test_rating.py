"""What is a rating of our help, and what only begins with a number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.understanding.rating import read_rating


@pytest.mark.parametrize(
    ("text", "score", "words"),
    [
        ("5", 5, ""),
        (" 3. ", 3, ""),
        ("٤", 4, ""),
        ("５", 5, ""),
        ("2️⃣", 2, ""),
        ("4/5", 4, ""),
        ("5 von 5", 5, ""),
        ("3 stars", 3, ""),
        ("4つ星", 4, ""),
        ("4 thanks", 4, "thanks"),
        ("5 danke, super", 5, "danke, super"),
        ("Thanks, 5", 5, ""),
        ("1, nobody came for a week", 1, "nobody came for a week"),
        ("2 - too slow", 2, "too slow"),
        ("4 stars for the technician", 4, "for the technician"),
        ("⭐⭐⭐", 3, ""),
        ("★★★☆☆ ok", 3, "ok"),
        ("⭐️ ⭐️", 2, ""),
        ("👍", 4, ""),
        ("👍🏽 thank you", 4, "thank you"),
        ("👎 too late", 2, "too late"),
    ],
)
def test_a_rating_and_what_is_said_beside_it_are_read(text: str, score: int, words: str) -> None:
    rated = read_rating(text)

    assert rated is not None
    assert (rated.score, rated.words) == (score, words)


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "6", "10", "10/10", "4.5", "4,5", "3-4", "5/10", "555", "2026"),
        *("⭐⭐⭐⭐⭐⭐", "👍👎", "👎👍"),
        *("1 works again", "2 call me", "3 book a service"),
        *(
            "5 minutes later it broke again",
            "5th time, terrible",
        ),
        *("5 calls and nobody came, terrible", "1 super", "the technician came at 5"),
    ],
)
def test_what_only_holds_a_number_is_for_a_person(text: str) -> None:
    assert read_rating(text) is None


@pytest.mark.parametrize(
    ("text", "person"),
    [
        ("1", False),
        ("👎", False),
        ("2, it took a week", True),
        ("5, the technician was kind", False),
        ("5, please call me", True),
        ("4. When do I get the invoice?", True),
        ("4, but it is broken again", True),
        ("5, Danke!", False),
    ],
)
def test_who_is_unhappy_or_asks_for_something_is_read_by_a_person(text: str, person: bool) -> None:
    rated = read_rating(text, "en")

    assert rated is not None
    assert rated.needs_a_person is person


@given(st.text(max_size=30), st.sampled_from(["", "1", "5", "٣", "⭐", "👍"]))
def test_no_text_gives_more_than_five_points_or_breaks(text: str, before: str) -> None:
    rated = read_rating(before + text)

    assert rated is None or 1 <= rated.score <= 5
