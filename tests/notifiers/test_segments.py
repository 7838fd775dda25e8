import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.wording.segments import Segments, segments, thrifty


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Segments("GSM-7", 0, 0)),
        ("a" * 160, Segments("GSM-7", 160, 1)),
        ("a" * 161, Segments("GSM-7", 161, 2)),
        ("a" * 306, Segments("GSM-7", 306, 2)),
        ("a" * 307, Segments("GSM-7", 307, 3)),
        ("€" * 80, Segments("GSM-7", 160, 1)),
        ("€" * 81, Segments("GSM-7", 162, 2)),
        # 153 is odd: the last septet of the segment stays empty rather than split an escape from its character.
        ("€" * 153, Segments("GSM-7", 306, 3)),
        ("Grüße, ñandú? ¡Ñ! ß§", Segments("UCS-2", 20, 1)),
        ("Grüße ñ ¡Ñ! ß§ [x]", Segments("GSM-7", 20, 1)),
        ("°", Segments("UCS-2", 1, 1)),
        ("م" * 70, Segments("UCS-2", 70, 1)),
        ("م" * 71, Segments("UCS-2", 71, 2)),
        ("م" * 134, Segments("UCS-2", 134, 2)),
        ("م" * 135, Segments("UCS-2", 135, 3)),
        ("👍" * 35, Segments("UCS-2", 70, 1)),
        # 67 is odd: a surrogate pair moves whole to the next segment.
        ("👍" * 67, Segments("UCS-2", 134, 3)),
    ],
)
def test_segments_are_counted_as_networks_do(text: str, expected: Segments) -> None:
    assert segments(text) == expected


def test_typography_gives_way_where_it_costs_a_segment() -> None:
    text = "Your freezer “Garage” has warmed to −8.3\u00a0°C (limit −12\u00a0°C) since 14:02…" + " ok" * 10

    assert thrifty(text).startswith('Your freezer "Garage" has warmed to -8.3 C (limit -12 C) since 14:02...')
    assert segments(thrifty(text)).count == 1
    assert segments(text).count == 2


def test_typography_stays_where_it_is_free() -> None:
    assert thrifty("−8.3\u00a0°C") == "−8.3\u00a0°C"


def test_arabic_keeps_the_marks_that_hold_its_minus_signs() -> None:
    text = "إلى \u2066-8.3\u2069°م " * 10

    assert thrifty(text) == text


@given(st.text(max_size=400))
def test_thrift_never_costs_more(text: str) -> None:
    assert segments(thrifty(text)).count <= segments(text).count


@given(st.text(max_size=400), st.text(max_size=20))
def test_more_text_never_takes_fewer_segments(text: str, more: str) -> None:
    assert segments(text).count <= segments(text + more).count
