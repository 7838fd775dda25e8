import io
import re
from importlib.resources import as_file, files
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from device_models.purpose import Purpose
from notifiers.replies import Intent, read_reply
from notifiers.understanding.rating import read_rating
from notifiers.understanding.rating_words import About, helped_in
from notifiers.understanding.several import read_several
from notifiers.wording.catalogue import Catalogue, load_catalogues

_METHODS = [("wording/view.py", "python"), ("templates/**.j2", "jinja2")]


def _extracted() -> dict[str, tuple[str, ...]]:
    """Every msgid of the code and the templates, with its plural where it has one."""
    with as_file(files("notifiers")) as package:
        found = extract_from_dir(package, _METHODS)
        return {
            (message if isinstance(message, str) else message[0]): (
                (message,) if isinstance(message, str) else tuple(message)
            )
            for _, _, message, _, _ in found
        }


def _names(text: str) -> set[str]:
    return {part.split(")")[0] for part in text.split("%(")[1:]}


CATALOGUES = load_catalogues()
TRANSLATED = sorted(set(CATALOGUES) - {"en"})


def test_the_languages_of_the_product_are_there() -> None:
    assert set(CATALOGUES) == {"ar", "de", "en", "es", "fr", "id", "ja", "pt", "ru", "zh"}


def test_templates_have_something_to_translate() -> None:
    assert len(_extracted()) > 100


@pytest.mark.parametrize("language", TRANSLATED)
def test_everything_is_translated(language: str) -> None:
    assert [msgid for msgid in _extracted() if not CATALOGUES[language].has(msgid)] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_nothing_is_translated_that_is_no_longer_said(language: str) -> None:
    content = files("notifiers").joinpath("locale", f"{language}.po").read_bytes()
    ids = {m.id if isinstance(m.id, str) else m.id[0] for m in read_po(io.BytesIO(content)) if m.id}

    assert ids - set(_extracted()) == set()


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_uses_no_fact_that_the_english_does_not_have(language: str) -> None:
    content = files("notifiers").joinpath("locale", f"{language}.po").read_bytes()
    for message in read_po(io.BytesIO(content), locale=language):
        if not message.id:
            continue
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        given = set().union(*(_names(one) for one in ids))
        strings = [message.string] if isinstance(message.string, str) else list(message.string or ())
        for text in strings:
            assert _names(text) <= given, text
            assert text % dict.fromkeys(given, 7), text
        # All but the words for zero, one and two of a plural say every fact.
        assert any(_names(text) == given for text in strings), ids


@pytest.mark.parametrize("language", sorted(CATALOGUES))
@pytest.mark.parametrize(
    ("what", "purpose"),
    [
        ("", None),
        (" SAFETY", Purpose.SAFETY),
        (" ALERTS", Purpose.FAULT),
        (" REMINDERS", Purpose.MAINTENANCE),
        (" OFFERS", Purpose.OFFER),
        (" NEWS", Purpose.NEWS),
    ],
)
def test_the_words_we_ask_for_are_the_words_we_understand(language: str, what: str, purpose: Purpose | None) -> None:
    catalogue = CATALOGUES[language]

    stop, start = read_reply(catalogue.gettext(f"STOP{what}")), read_reply(catalogue.gettext(f"START{what}"))

    assert (stop.intent, stop.purpose) == (Intent.STOP, purpose)
    assert (start.intent, start.purpose) == (Intent.START, purpose)


@pytest.mark.parametrize(
    ("language", "done", "later"),
    [
        ("en", "DONE", "LATER"),
        ("de", "ERLEDIGT", "SPÄTER"),
        ("ar", "تم", "لاحقًا"),
        ("fr", "FAIT", "PLUS TARD"),
        ("es", "HECHO", "LUEGO"),
        ("pt", "FEITO", "DEPOIS"),
        ("ru", "ГОТОВО", "ПОЗЖЕ"),
        ("ja", "「完了」", "「あとで」"),
        ("id", "SELESAI", "NANTI"),
        ("zh", "“完成”", "“稍后”"),
    ],
)
def test_done_and_later_are_asked_for_in_words_we_understand(language: str, done: str, later: str) -> None:
    asked = CATALOGUES[language].gettext("Reply DONE once it is done, or LATER to be reminded again.")

    # Quoted where the language writes no spaces, else a word of its own.
    for word in (done, later):
        assert re.search(rf"(?<!\w){re.escape(word)}(?!\w)", asked) or (word[0] in "「“" and word in asked)
    assert (read_reply(done).intent, read_reply(later).intent) == (Intent.DONE, Intent.LATER)
    # A tapped button shows its label in the chat, where somebody may type it the next time.
    labels = [CATALOGUES[language].gettext(label) for label in ("Done", "Later")]
    assert [read_reply(label).intent for label in labels] == [Intent.DONE, Intent.LATER]


def test_russian_counts_days_in_its_three_forms() -> None:
    one, many = "%(what)s, in %(num)d day (%(date)s)", "%(what)s, in %(num)d days (%(date)s)"
    catalogue = CATALOGUES["ru"]

    said = [catalogue.ngettext(one, many, n) % {"what": "", "num": n, "date": ""} for n in (1, 2, 5, 11, 21, 112)]

    assert said == [
        ", через 1 день ()",
        ", через 2 дня ()",
        ", через 5 дней ()",
        ", через 11 дней ()",
        ", через 21 день ()",
        ", через 112 дней ()",
    ]


def test_arabic_counts_days_in_its_six_forms() -> None:
    one, many = "%(what)s, in %(num)d day (%(date)s)", "%(what)s, in %(num)d days (%(date)s)"
    said = {n: CATALOGUES["ar"].ngettext(one, many, n) % {"what": "", "num": n, "date": ""} for n in (1, 2, 3, 11, 100)}

    assert [said[1], said[2], said[3], said[11], said[100]] == [
        "، بعد يوم واحد ()",
        "، بعد يومين ()",
        "، بعد 3 أيام ()",
        "، بعد 11 يومًا ()",
        "، بعد 100 يوم ()",
    ]


def test_english_needs_no_file() -> None:
    english = Catalogue("en")

    assert english.gettext("Case") == "Case"
    assert english.ngettext("day", "days", 2) == "days"
    assert english.has("anything")


def test_a_company_may_change_words_and_add_languages(tmp_path: Path) -> None:
    header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
    (tmp_path / "de.po").write_text(header + 'msgid "Case"\nmsgstr "Ticket"\n', encoding="utf-8")
    (tmp_path / "nl.po").write_text(header + 'msgid "Case"\nmsgstr "Dossier"\n', encoding="utf-8")

    catalogues = load_catalogues([tmp_path])

    assert catalogues["de"].gettext("Case") == "Ticket"
    assert catalogues["de"].gettext("Limit") == "Grenze"
    assert catalogues["nl"].gettext("Case") == "Dossier"
    assert (catalogues["nl"].has("Case"), catalogues["nl"].has("Limit")) == (True, False)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "de.po").write_text('msgid "unfinished', encoding="utf-8")

    with pytest.raises(ValueError, match=r"de\.po"):
        load_catalogues([tmp_path])


@pytest.mark.parametrize("language", sorted(CATALOGUES))
def test_what_a_survey_offers_is_understood_where_it_is_typed(language: str) -> None:
    say = CATALOGUES[language].gettext
    helped = {"steps": "The steps", "message": "Our message", "person": "A person", "nothing": "Nothing yet"}
    assert {what: helped_in(say(words), language) for what, words in helped.items()} == {what: what for what in helped}
    scales: dict[About, list[str]] = {
        "rating": ["1: very bad", "2: bad", "3: fair", "4: good", "5: very good"],
        "effort": ["1: very hard", "2: hard", "3: neither", "4: easy", "5: very easy"],
    }
    for about, labels in scales.items():
        for score, label in enumerate(map(say, labels), start=1):
            assert len(label) <= 24, label
            in_words = read_rating(label.partition(":")[2], language, about)
            assert in_words is not None, label
            assert in_words.score == score, label
    assert 0 < len(say("Choose")) <= 20


@pytest.mark.parametrize("language", sorted(CATALOGUES))
@pytest.mark.parametrize(
    "asks",
    [
        "Done? Reply with the numbers, such as 1 and 2, or with ALL.",
        "Does it work again? Reply with the numbers, such as 1 and 2, or with ALL.",
    ],
)
def test_the_answers_that_a_digest_asks_for_are_understood(language: str, asks: str) -> None:
    said = CATALOGUES[language].gettext(asks)
    some = re.search(r"1\D{1,5}2", said)
    assert some is not None
    assert set(read_several(some[0], 3, Intent.DONE) or ()) == {1, 2}
    everything = re.search(r"ALL|ALLE|TOUT|TODO|TUDO|ВСЕ|الكل|全部|SEMUA", said)
    assert everything is not None
    assert set(read_several(everything[0], 3, Intent.DONE) or ()) == {1, 2, 3}
