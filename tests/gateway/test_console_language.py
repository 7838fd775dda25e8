"""The console in German and Arabic: catalogues are whole, pages hold no English, and numbers and dates follow."""

import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from device_models.yaml_lines import InvalidFileError
from gateway.commands.accounts import SetLanguage
from gateway.store import schema
from gateway.web.language import (
    LANGUAGES,
    MISTAKE,
    REFUSAL,
    best_language,
    count_text,
    day_text,
    markup,
    mistake,
    number_text,
    numbered,
    refusal,
    say,
    span_text,
    speak,
    voice_of,
)
from gateway.web.spoken import messages_in, rewrite
from rules.authoring.check import check_rules
from rules.schema import parse_rules
from tests.gateway.console_words import all_messages, all_mistakes, all_refusals
from tests.gateway.web_visit import Visit, visit
from tests.rules.making import FREEZER

OTHERS = [language for language in LANGUAGES if language != "en"]
PAGES = (
    *("/", "/?view=open", "/?view=resolved", "/?q=nothing-fits", "/messages", "/messages?list=sent", "/devices"),
    *(
        "/devices/f-souza",
        "/customers/c-souza",
        "/offers",
        "/silences",
        "/rejected",
        "/rules",
        "/review",
        "/new",
        "/new?q=souza",
        "/macros",
    ),
    *(
        "/reports",
        "/fleet",
        "/admin",
        "/me",
        "/me/second-factor",
        "/arrival",
        "/tasks",
        "/unjoined",
        "/sla",
        "/teams",
        "/rota",
    ),
    *("/texts", "/versions", "/suggestions"),
)


@pytest.fixture(autouse=True)
def _english_again() -> Iterator[None]:
    yield
    speak("en")


class VisibleText(HTMLParser):
    """Gathers what a page shows: its text, and the attributes that people meet."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style", "svg", "code", "kbd", "pre", "template"):
            self._silent.append(tag)
        self.said += [value for name, value in attrs if value and name in ("title", "placeholder", "aria-label", "alt")]

    def handle_endtag(self, tag: str) -> None:
        if self._silent and tag == self._silent[-1]:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip():
            self.said.append(" ".join(data.split()))


def console_catalog(language: str) -> Catalog:
    return read_po(io.BytesIO(files("gateway.web").joinpath("locale", f"{language}.po").read_bytes()), language)


async def page_in(web: Visit, path: str, language: str) -> str:
    answer = await web.client.get(path, headers={"Accept-Language": language}, allow_redirects=False)
    text = await answer.text()
    assert answer.status == 200, (path, answer.status, text[:300])
    return text


@pytest.mark.parametrize("language", OTHERS)
def test_a_catalogue_is_whole_and_holds_nothing_that_nobody_says(language: str) -> None:
    said = set(all_messages())
    catalog = console_catalog(language)
    known = {message.id: message.string for message in catalog if message.id and not message.context}
    assert sorted(said - set(known)) == []
    assert sorted(set(known) - said) == []
    assert [msgid for msgid, string in known.items() if not string] == []


def test_scripts_say_nothing_that_is_not_looked_up() -> None:
    literal = re.compile(r'(?P<looked_up>\bt\(\s*)?(?:"(?P<plain>(?:[^"\\\n]|\\.)*)"|`(?P<filled>(?:[^`\\]|\\.)*)`)')
    prose = re.compile(r"(?:^|[\s}])[A-Za-z]{2,}[.,;:]? [A-Za-z]{2,}")
    bare = []
    for path in sorted(Path(str(files("gateway.web").joinpath("static"))).glob("*.js")):
        code = re.sub(r"^\s*//.*$|/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for found in literal.finditer(code):
            words = re.sub(r"\$\{[^{}]*\}", "", found["plain"] or found["filled"] or "")
            if not found["looked_up"] and prose.search(words):
                bare.append((path.name, words))
    assert bare == []


@pytest.mark.parametrize("language", OTHERS)
def test_refusals_are_said_in_the_viewers_language_with_what_they_are_about(language: str) -> None:
    refusals = all_refusals()
    speak(language)
    unsaid = [msgid for msgid in refusals if refusal(msgid) == msgid]
    # One that a catalogue does not know yet is said in English; a handful of new ones may be.
    assert len(unsaid) <= len(refusals) // 10, unsaid
    said = {str(message.id) for message in console_catalog(language) if message.context == REFUSAL}
    assert sorted(said - set(refusals)) == []


@pytest.mark.parametrize("language", OTHERS)
def test_all_that_can_be_wrong_with_a_rule_is_said_in_the_viewers_language(language: str) -> None:
    said = {str(m.id): str(m.string) for m in console_catalog(language) if m.context == MISTAKE}
    assert sorted(said) == sorted(all_mistakes())
    assert [msgid for msgid, string in said.items() if not string] == []


def test_a_mistake_keeps_its_values_and_its_hint_and_a_librarys_words_stay() -> None:
    text = "rules:\n  - {id: warm, kind: condition, profile: freezer, when: temperatur > 1, title: Warm}\n"
    (wrong,) = check_rules(parse_rules(text, "x.yaml"), {"freezer": FREEZER})
    assert str(wrong) == (
        "x.yaml:2:57: rules.0.when: the profile 'freezer' has no field 'temperatur'; did you mean 'temperature'?"
    )
    speak("de")
    assert mistake(wrong.message) == "das Profil 'freezer' hat kein Feld 'temperatur'; meinten Sie 'temperature'?"
    assert mistake("a sentence of a library") == "a sentence of a library"
    for text, said in (
        (
            "rules:\n  - {id: a, kind: condition, when: foo(1) > 2, title: A}",
            "es gibt keine Funktion 'foo'; es gibt age",
        ),
        ("rules:\n  - {id: a, kind: absent, for: 10, title: A}", "'10' ist keine Dauer"),
        ("rules:\n  - {id: a, kind: geofence, moved_while: locked, radius_m: -1, title: A}", "muss größer als 0 sein"),
        ("rules:\n  - {id: a, kind: fleet}", "fehlt"),
        ("rules: {a: b: c}", "hier steht ',' oder '}', gefunden wurde ':'"),
    ):
        with pytest.raises(InvalidFileError) as found:
            parse_rules(text, "x.yaml")
        assert any(mistake(error.message).startswith(said) for error in found.value.errors), text


def test_a_refusal_keeps_what_was_put_in_and_an_unknown_one_stays() -> None:
    speak("de")
    assert refusal("case 17 is resolved already") == "Fall 17 ist schon gelöst"
    assert refusal("there is no user 'there is no user'") == "es gibt keinen Benutzer 'there is no user'"
    assert refusal("a sentence of a library") == "a sentence of a library"
    speak("en")
    assert refusal("case 17 is resolved already") == "case 17 is resolved already"


async def test_what_is_refused_is_said_in_german_on_a_page_and_in_english_to_a_program(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia", empty=True) as web:
        headers = {"Accept-Language": "de", "Accept": "application/json", "X-CSRF-Token": web.csrf}
        answer = await web.client.post("/cases/999/acknowledge", headers=headers)
        assert (await answer.json())["detail"] == "es gibt keinen Fall 999"
        programs = await web.client.post("/api/cases/999/acknowledge", headers=headers)
        assert (await programs.json())["detail"] == "there is no case 999"
        page = await web.client.get("/cases/999", headers={"Accept-Language": "de"})
        assert "Hier ist nichts" in await page.text()


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_puts_in_nothing_that_the_english_does_not(language: str) -> None:
    gettext = voice_of(language).catalogue.gettext
    for msgid in all_messages():
        own, theirs = (set(re.findall(r"\{\d+\}", text)) for text in (msgid, gettext(msgid)))
        assert theirs <= own, msgid
        # What English adds for a plural (``s``) is all that a translation may leave out.
        assert len(own - theirs) <= 3, msgid
        assert "<" not in gettext(msgid) or "<" in msgid, msgid


async def test_no_page_in_german_holds_a_sentence_of_the_english_catalogue(tmp_path: Path) -> None:
    gettext = voice_of("de").catalogue.gettext
    english = {m for m in all_messages() if "{" not in m and " " in m.strip() and gettext(m) != m and len(m) > 6}
    async with visit(tmp_path, "Ada") as web:
        case = web.town.case_of("f-souza")["id"]
        for path in (*PAGES, f"/cases/{case}", f"/preview/{case}", "/forgotten", "/login"):
            if path == "/forgotten":
                web.client.session.cookie_jar.clear()
            parser = VisibleText()
            parser.feed(await page_in(web, path, "de"))
            told = {text for text in parser.said if text in english}
            assert told == set(), path


@pytest.mark.parametrize("language", OTHERS)
async def test_every_page_says_which_language_it_is_in_and_which_way_it_runs(tmp_path: Path, language: str) -> None:
    async with visit(tmp_path, "Ada") as web:
        for path in PAGES:
            page = await page_in(web, path, language)
            assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in page, path


async def test_a_language_is_each_ones_own_and_goes_before_the_browsers(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia", empty=True) as web:
        assert "Braucht Sie" in await page_in(web, "/", "de-AT,de;q=0.9,en;q=0.5")
        assert "Needs you" in await page_in(web, "/", "fr,en;q=0.5")
        assert (await web.script("/me/language", {"language": "ar"})).status == 200
        assert 'dir="rtl"' in await page_in(web, "/", "de")
        assert (await web.script("/me/language", {"language": "xx"})).status == 422
        assert (await web.script("/me/language", {"language": ""})).status == 200
        assert "Braucht Sie" in await page_in(web, "/", "de")
        assert web.town.rows(schema.users, name="Mia")[0]["language"] is None
        web.town.do(SetLanguage("Mia", "de"))
        # Programs are answered in English, whoever they belong to.
        answer = await web.client.get("/api/cases/999", headers={"Accept-Language": "de"})
        assert "There is no such case" in await answer.text()


async def test_the_installations_own_language_is_for_browsers_that_want_none_of_ours(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True, notifiers={"staff_language": "de"}) as web:
        assert "Anmelden" in await page_in(web, "/login", "fr")
        assert "Log in" in await page_in(web, "/login", "en-GB")


async def test_what_a_customer_wrote_is_never_taken_for_words_of_ours(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia") as web:
        with web.town.store.write() as connection:
            connection.execute(schema.customers.update().values(name="Resolve"))
        case = web.town.case_of("f-souza")["id"]
        page = await page_in(web, f"/cases/{case}", "de")
        assert "Resolve antworten" in page
        assert ">Lösen" in page


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("ar-EG,en;q=0.5", "ar"),
        ("en;q=0.4,de;q=0.8", "de"),
        ("fr,it", "en"),
        ("de;q=0", "en"),
        ("*", "en"),
    ],
)
def test_the_browsers_order_of_languages_is_kept(accepted: str, language: str) -> None:
    assert best_language(accepted) == language


@given(st.text())
def test_no_header_is_too_odd_for_a_language(accepted: str) -> None:
    assert best_language(accepted) in LANGUAGES


def test_numbers_days_and_spans_are_as_people_there_write_them() -> None:
    at, span = datetime(2026, 11, 3, tzinfo=UTC), timedelta(hours=3, minutes=5)
    said = {}
    for language in LANGUAGES:
        speak(language)
        said[language] = (number_text(-1234.5), count_text(1234), day_text(at), span_text(span).replace("\xa0", " "))
    assert said["en"] == ("−1\u202f234.5", "1\u202f234", "3 Nov", "3 h 5 min")
    assert said["de"] == ("−1.234,5", "1.234", "3. Nov.", "3 Std 5 Min")
    assert said["ar"][1:] == ("1,234", "3 نوفمبر", "3 س 5 د")


def test_a_name_in_latin_letters_stands_by_itself_in_a_sentence_from_right_to_left() -> None:
    speak("ar")
    assert say("{1}, on call", "Mia") == "\u2068Mia\u2069، مناوب"
    assert "\u2068&lt;b&gt;\u2069" in markup("Welcome, {1}", "<b>")
    assert "\u2068" not in say("{1}, on call", "يوسف")
    speak("de")
    assert say("{1}, on call", "Mia") == "Mia, in Bereitschaft"


def test_a_report_s_sentence_is_found_by_its_words_and_keeps_its_figures() -> None:
    speak("de")
    said = numbered("needs 20 messages in each group; 3 were learned and 1 left out")
    assert said == "braucht 20 Nachrichten in jeder Gruppe; 3 gelernte und 1 ausgenommene"
    assert numbered("+1.5% to +7.0% (95 %); 3 of 4 bought, of those left out 1 of 2").startswith(
        "+1.5% bis +7.0% (95 %)"
    )
    assert numbered("nobody says this 3 times") == "nobody says this 3 times"


def test_a_translation_may_put_things_in_another_order_and_escapes_them() -> None:
    speak("de")
    assert say("{1} handed it to {2}", "Mia", "Ben") == "Mia hat ihn übergeben an: Ben"
    assert markup("Reply to {1}", "<b>Ana</b>") == "&lt;b&gt;Ana&lt;/b&gt; antworten"


def test_a_template_is_rewritten_to_say_the_same(tmp_path: Path) -> None:
    environment = Environment(autoescape=True)
    environment.globals |= {"_": lambda text: text.upper(), "_t": lambda text, *put: text.upper().format("", *put)}
    source = (
        '<p title="Who it is for {{ who }}">Due in {{ left }}{% if late %}, late{% endif %}</p><code>not me</code>'
        "{{ 'Open now' if late else 'Over' }}{% if late == 'not this' %}no{% endif %}"
        "<i class=\"{{ 'wide' if late }}\"></i>"
    )
    assert messages_in(source) == ["Who it is for {1}", "Due in {1}", ", late", "Open now", "Over", "no"]
    shown = environment.from_string(rewrite(source)).render(who="a&b", left="2 h", late=True)
    assert shown == (
        '<p title="WHO IT IS FOR a&amp;b">DUE IN 2 h, LATE</p><code>not me</code>OPEN NOW<i class="wide"></i>'
    )


@given(st.text(alphabet="ab <>{}%'\"\\/=&\n", max_size=60))
def test_whatever_a_template_holds_rewriting_it_ends(source: str) -> None:
    rewrite(source)
