from hypothesis import given
from hypothesis import strategies as st

from notifiers.wording.bidi import FSI, PDI, direction_of, isolate, without_controls


def test_a_latin_name_stands_apart_in_arabic_and_costs_nothing_in_english() -> None:
    assert isolate("Garage", "rtl") == f"{FSI}Garage{PDI}"
    assert isolate("Garage", "ltr") == "Garage"
    assert isolate("ثلاجة", "ltr") == f"{FSI}ثلاجة{PDI}"
    assert isolate("ثلاجة", "rtl") == "ثلاجة"


def test_languages_know_their_direction() -> None:
    assert [direction_of(tag) for tag in ("ar", "ar-AE", "he", "en", "de-DE", "ja")] == [
        "rtl", "rtl", "rtl", "ltr", "ltr", "ltr",
    ]  # fmt: skip


@given(st.text(alphabet=st.sampled_from("aB1 م\u200f\u202e\u2066\u2067\u2069")))
def test_no_name_can_turn_the_sentence_around_it(name: str) -> None:
    isolated = isolate(without_controls(name), "rtl")

    assert isolated.count(FSI) == isolated.count(PDI) <= 1
    assert not set(isolated) & set("\u200f\u202e\u2066\u2067")
