import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_models.purpose import Purpose
from notifiers.replies import Intent
from notifiers.understanding import lexicon as lexicon_module
from notifiers.understanding.lexicon import languages, read_lexicon, version
from notifiers.understanding.likeness import Likeness
from notifiers.understanding.phrases import known_phrases, read_phrases
from notifiers.understanding.score import score
from notifiers.understanding.understand import SURE, Urgency, understand

PHRASES = Path(lexicon_module.__file__).parents[1] / "known_phrases"
ROUNDS = sorted(PHRASES.glob("round-*.tsv"), key=lambda path: int(path.stem.removeprefix("round-")))
DOCS = (Path(__file__).parents[2] / "docs" / "replies.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [PHRASES / "tuning.tsv", *ROUNDS[:5]], ids=lambda path: path.stem)
def test_every_stop_of_the_first_rounds_is_heard_now_and_none_is_invented(path: Path) -> None:
    total = score(read_phrases(path.read_text(encoding="utf-8"), path.name))[-1]

    assert [p.text for p, _ in total.mistakes if p.intent is Intent.STOP] == []
    assert total.stops_heard == total.stops
    assert total.stops_invented == 0


@pytest.mark.parametrize("path", ROUNDS[5:8], ids=lambda path: path.stem)
def test_of_the_strangest_stops_few_are_left_to_a_person(path: Path) -> None:
    total = score(read_phrases(path.read_text(encoding="utf-8"), path.name))[-1]

    assert total.stops_heard / total.stops >= 0.8
    assert total.stops_invented / (total.phrases - total.stops) <= 0.01


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("please do not stop the repair", "en"),
        ("the fan will not stop", "en"),
        ("the bus stop is in front of the house", "en"),
        ("bitte die Reparatur nicht stoppen", "de"),
        ("der Lüfter hört nicht auf", "de"),
        ("n'arrêtez pas la réparation", "fr"),
        ("no cancelen al técnico", "es"),
        ("não parem o conserto", "pt"),
        ("لا توقفوا الإصلاح", "ar"),
        ("не прекращайте ремонт", "ru"),
        ("修理を止めないでください", "ja"),
        ("jangan hentikan perbaikannya", "id"),
        ("请不要停止维修", "zh"),
        ("do not send the technician on Sunday", "en"),
        ("Enough! It still does not cool", "en"),
    ],
)
def test_what_is_about_the_product_or_a_visit_is_no_stop(text: str, language: str) -> None:
    assert understand(text, language).intent is not Intent.STOP


@pytest.mark.parametrize("text", ["stop, it works again", "Stopp, läuft wieder", "стоп, снова работает"])
def test_a_stop_called_out_before_good_news_is_no_stop_and_read_by_a_person(text: str) -> None:
    tags = understand(text, "ru" if text[0] == "с" else "de" if text.startswith("Stopp") else "en")

    assert tags.intent is not Intent.STOP
    assert tags.confidence < SURE


def test_a_stop_after_good_news_is_one() -> None:
    assert understand("It works again. STOP", "en").intent is Intent.STOP


def test_a_full_stop_parts_no_from_stop() -> None:
    assert understand("No. Stop.", "en").intent is Intent.STOP


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("wa2fo el rasayel", "ar"),
        ("ne pishite bolshe", "ru"),
        ("mou okuranaide kudasai", "ja"),
        ("bie fa le", "zh"),
        ("jgn krm psn lg", "id"),
        ("plz stop txting me", "en"),
    ],
)
def test_a_stop_in_latin_letters_or_typed_short_is_heard(text: str, language: str) -> None:
    assert understand(text, language).intent is Intent.STOP


def test_calling_off_a_visit_books_none() -> None:
    for text, language in (("cancel the visit tomorrow please", "en"), ("Termin morgen bitte absagen", "de")):
        tags = understand(text, language)
        assert (tags.intent, tags.sure) == (Intent.TEXT, False)


def test_likeness_weighs_letters_that_known_stops_share() -> None:
    known = Likeness(["unsubscribe me", "stop texting", "no more texts"], ["it works again", "call me tomorrow"])

    assert known.to_stops("unsubscribing, no texting") > 0 > known.to_stops("works tomorrow")
    assert known.to_stops("zzz") == float("-inf")


def test_after_each_known_stop_nothing_that_can_wait_is_sent_before_a_person_read_it() -> None:
    readings = [(p, understand(p.text, p.language)) for p in known_phrases() if p.intent is Intent.STOP]

    lost = [p.text for p, tags in readings if not (tags.may_stop or (tags.sure and tags.intent is Intent.STOP))]
    assert lost == []


def test_of_unseen_roundabout_stops_few_are_lost_and_few_invented() -> None:
    path = Path(__file__).parent / "round-11.tsv"
    total = score(read_phrases(path.read_text(encoding="utf-8"), path.name))[-1]

    assert total.stops_caught / total.stops >= 0.98
    assert total.stops_invented / (total.phrases - total.stops) <= 0.05


@pytest.mark.parametrize(
    ("text", "language", "intent"),
    [
        ("不用再通知我", "zh", Intent.NO),
        ("como cancelo la suscripcion", "es", Intent.HELP),
        ("por que ainda recebo isto? eu disse stop", "pt", Intent.QUESTION),
        ("les agradecería que estos mensajes terminaran", "es", Intent.TEXT),
    ],
)
def test_what_is_understood_as_something_else_and_may_be_a_stop_is_held(
    text: str, language: str, intent: Intent
) -> None:
    tags = understand(text, language)
    assert (tags.intent, tags.may_stop) == (intent, True)


@pytest.mark.parametrize("text", ["No", "thanks!", "It still does not cool", "when can somebody come?", "2", "not now"])
def test_an_ordinary_answer_holds_nothing_back(text: str) -> None:
    assert not understand(text, "en", (Intent.FIXED, Intent.CALL_ME)).may_stop


def test_known_phrases_cover_each_language() -> None:
    assert {phrase.language for phrase in known_phrases()} == set(languages())


@pytest.mark.parametrize("path", ROUNDS[:2], ids=lambda path: path.stem)
def test_what_is_decided_without_a_person_is_right(path: Path) -> None:
    total = score(read_phrases(path.read_text(encoding="utf-8"), path.name))[-1]

    assert total.right / total.decided >= 0.97
    assert total.decided / total.phrases >= 0.8
    assert total.urgent_found == total.urgent


def test_ten_languages_have_cues_and_fifty_phrases_each() -> None:
    assert languages() == ["ar", "de", "en", "es", "fr", "id", "ja", "pt", "ru", "zh"]
    phrases = read_phrases((PHRASES / "round-2.tsv").read_text(encoding="utf-8"), "round-2.tsv")
    assert {language: sum(p.language == language for p in phrases) for language in languages()} == dict.fromkeys(
        languages(), 50
    )


def test_the_docs_give_the_score_of_the_cues_as_they_are() -> None:
    assert f"`{version()}`" in DOCS


@pytest.mark.parametrize(
    ("text", "purposes"),
    [
        ("Please stop sending me your offers, I never asked for them", {Purpose.OFFER}),
        ("Bitte schicken Sie mir keine Angebote mehr", {Purpose.OFFER}),
        ("stop sending me messages", set()),
    ],
)
def test_a_stop_in_a_sentence_keeps_to_the_purpose_it_names(text: str, purposes: set[Purpose]) -> None:
    tags = understand(text, "en")

    assert (tags.intent, tags.sure, set(tags.purposes)) == (Intent.STOP, True, purposes)


def test_a_number_means_what_the_message_offered() -> None:
    tags = understand("2 please", "en", (Intent.FIXED, Intent.CALL_ME))

    assert (tags.intent, tags.by, tags.confidence) == (Intent.CALL_ME, "number", 1.0)
    assert understand("2 please", "en").intent is Intent.TEXT


def test_what_contradicts_itself_is_left_to_a_person() -> None:
    assert not understand("It works again but it is still not cold", "en").sure
    assert not understand("It works again?", "en").sure


def test_danger_is_urgent_whatever_else_is_said() -> None:
    assert understand("Thanks, but there is smoke coming out of it", "en").urgency is Urgency.HIGH


def test_thanks_disturb_nobody_and_a_complaint_does() -> None:
    assert understand("Vielen Dank!", "de").noise
    assert not understand("Thanks for nothing, this is ridiculous", "en").noise


def test_a_customer_may_answer_in_another_language_than_their_own() -> None:
    assert understand("please call me back", "ja").intent is Intent.CALL_ME
    assert understand("まだ冷えません", "de").intent is Intent.STILL_BROKEN


@given(st.text(max_size=400), st.sampled_from(["en", "de", "ar", "ja", "xx", ""]))
def test_understanding_never_raises(text: str, locale: str) -> None:
    assert 0.0 <= understand(text, locale).confidence <= 1.0


def test_of_a_huge_message_only_the_beginning_is_looked_at() -> None:
    assert understand("the freezer " * 100_000 + "stop sending me messages", "en").intent is Intent.TEXT


@pytest.mark.parametrize(
    ("text", "says"),
    [("works", "cues/en.txt:1: stands in no section"), ("[moods]\nfine", "there is no section [moods]")],
)
def test_a_wrong_file_of_cues_says_where(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        read_lexicon("en", text)


def test_a_wrong_phrase_says_where() -> None:
    with pytest.raises(ValueError, match=r"p\.tsv:2"):
        read_phrases("en\tstop\tStop\nen stop Stop\n", "p.tsv")


@pytest.mark.parametrize("text", ["Sim, às 17h está ótimo. Obrigada!", "Thanks, 5 pm is fine", "Danke, bis um 9"])
def test_thanks_that_name_a_time_answer_somebody_and_are_read(text: str) -> None:
    tags = understand(text, "en")
    assert not tags.noise
    assert not tags.sure
