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


IN_WORDS = {
    "en": (("very good", 5), ("not good", 2), ("Not bad at all.", 4), ("It was terrible", 1), ("so so", 3)),
    "de": (("sehr gut, danke", 5), ("zufrieden", 4), ("gar nicht gut", 1), ("nicht schlecht", 4), ("geht so", 3)),
    "fr": (("Très bien, merci beaucoup", 5), ("pas mal", 4), ("pas bien", 2), ("c'était nul", 1), ("bof", 3)),
    "es": (("Muy bien, gracias", 5), ("no muy bien", 2), ("bueno", 4), ("pésimo", 1), ("más o menos", 3)),
    "pt": (("Foi muito bom, muito obrigada", 5), ("não gostei", 2), ("bom", 4), ("péssimo", 1), ("mais ou menos", 3)),
    "ru": (("Всё было отлично, спасибо", 5), ("не очень", 2), ("неплохо", 4), ("ужасно", 1), ("так себе", 3)),
    "ar": (("جيد جدًا شكرا", 5), ("ليس جيدًا", 2), ("جيد", 4), ("سيئة جدًا", 1), ("متوسط", 3)),
    "ja": (("とても良かったです", 5), ("良くなかった", 2), ("良かったです。", 4), ("最悪", 1), ("普通", 3)),
    "id": (("bagus sekali, terima kasih", 5), ("kurang bagus", 2), ("puas", 4), ("sangat buruk", 1), ("biasa saja", 3)),
    "zh": (("非常好，谢谢", 5), ("不太好", 2), ("还不错", 4), ("很差", 1), ("一般", 3)),
}


@pytest.mark.parametrize(
    ("locale", "text", "score"), [(locale, *one) for locale, said in IN_WORDS.items() for one in said]
)
def test_a_rating_in_words_is_understood_in_ten_languages(locale: str, text: str, score: int) -> None:
    rated = read_rating(text, locale)

    assert rated is not None
    assert (rated.score, rated.words) == (score, "")


@pytest.mark.parametrize(
    ("text", "locale", "score", "words"),
    [
        ("Good, but it took a week", "en", 4, "but it took a week"),
        ("Sehr schlecht. Niemand hat sich gemeldet", "de", 1, "Niemand hat sich gemeldet"),
        ("良かったけど遅い", "ja", 4, "けど遅い"),
        ("sehr gut", "pt-BR", 5, ""),
    ],
)
def test_what_is_said_beside_it_in_words_is_kept(text: str, locale: str, score: int, words: str) -> None:
    rated = read_rating(text, locale)

    assert rated is not None
    assert (rated.score, rated.words) == (score, words)


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        *(("never good", "en"), ("good?", "en"), ("good, no, bad", "en"), ("good morning", "en"), ("ok", "en")),
        *(("it is not so terrible", "en"), ("sehr gut geht es wieder nicht", "de"), ("nicht so schlimm", "de")),
        *(("好的", "zh"), ("はい", "ja"), ("хорошо бы позвонили", "ru"), ("bien sûr", "fr"), ("thanks", "en")),
    ],
)
def test_words_that_only_hold_a_rating_are_for_a_person(text: str, locale: str) -> None:
    assert read_rating(text, locale) is None


@pytest.mark.parametrize(
    ("locale", "text", "score"),
    [
        *(("en", "very easy", 5), ("de", "nicht einfach", 2), ("fr", "c'était très simple", 5), ("es", "fácil", 4)),
        *(("pt", "muito difícil", 1), ("ru", "легко", 4), ("ar", "صعب", 2), ("ja", "簡単でした", 4)),
        *(("id", "mudah sekali", 5), ("zh", "很容易", 5), ("en", "2", 2)),
    ],
)
def test_how_easy_it_was_has_words_of_its_own(locale: str, text: str, score: int) -> None:
    rated = read_rating(text, locale, "effort")

    assert rated is not None
    assert rated.score == score
    assert read_rating("very good", "en", "effort") is None


@given(st.text(max_size=30), st.sampled_from(["", "1", "5", "٣", "⭐", "👍"]))
def test_no_text_gives_more_than_five_points_or_breaks(text: str, before: str) -> None:
    rated = read_rating(before + text)

    assert rated is None or 1 <= rated.score <= 5
