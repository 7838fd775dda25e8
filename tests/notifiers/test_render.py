from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_models.registry import Customer
from notifiers.message import Brand, Links, Rendered
from notifiers.render import TEMPLATES, Renderer, UnknownTemplate, render
from notifiers.segments import MOST, segments
from tests.notifiers.making import ANA, BRAND, FACTS, FREEZER, JÖRG, LINKS, NOW, OFFER, SERVICE, YUSUF

NBSP = "\u00a0"
PEOPLE = {"en": ANA, "de": JÖRG, "ar": YUSUF}
CHANNELS = ["email", "sms", "whatsapp", "webhook"]


def _render(template: str, facts: dict[str, Any], channel: str = "sms", customer: Customer = ANA) -> Rendered:
    return render(template, customer, facts, channel, BRAND, LINKS, NOW)


def _sentence(template: str, facts: dict[str, Any], customer: Customer = ANA) -> str:
    return _render(template, facts, "whatsapp", customer).text.split("\n")[0]


class _Page(HTMLParser):
    """What a mail program makes of a document: text, links, tags that stand open, attributes that run code."""

    _VOID = frozenset({"meta", "br", "img", "hr", "link", "input"})

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.root: dict[str, str | None] = {}
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]
        if tag == "html":
            self.root = dict(attrs)
        if tag not in self._VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def _page(rendered: Rendered) -> _Page:
    assert rendered.html is not None
    page = _Page(rendered.html)
    assert page.open == []
    return page


# What is said


def test_the_sentence_comes_first_with_name_value_limit_and_time() -> None:
    assert _sentence("fault_opened", FREEZER) == (
        f"Your freezer “Garage freezer” has warmed to −8.3{NBSP}°C (limit −12{NBSP}°C) since 14:02."
    )
    assert _sentence("fault_opened", FREEZER, JÖRG) == (
        f"Ihr Gerät „Garage freezer“ (Gefrierschrank) hat sich auf −8,3{NBSP}°C erwärmt "
        f"(Grenze −12{NBSP}°C), seit 15:02."
    )
    assert "ارتفعت حرارة جهازك «\u2068Garage freezer\u2069» (المجمّد) إلى" in _sentence("fault_opened", FREEZER, YUSUF)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"direction": "below"}, f"has cooled to −8.3{NBSP}°C (limit −12{NBSP}°C) since 14:02."),
        ({"limit": None}, f"has warmed to −8.3{NBSP}°C since 14:02."),
        ({"since": None, "limit": None}, f"has warmed to −8.3{NBSP}°C."),
        ({"values": {}, "limit": None}, ": Freezer too warm since 14:02."),
        ({"values": {}, "title": {}}, "needs attention since 14:02."),
        ({"values": {}, "title": {"en": "freezer-too-warm"}}, "needs attention since 14:02."),
        ({"units": {"temperature": "%"}}, ": Freezer too warm, now −8.3% (limit −12%) since 14:02."),
        ({"units": {}, "title": {}}, ": Temperature is −8.3 (limit −12) since 14:02."),
        ({"units": {}, "title": {}, "labels": {}, "limit": None}, "is at −8.3 since 14:02."),
        ({"field": None}, f"has warmed to −8.3{NBSP}°C (limit −12{NBSP}°C) since 14:02."),
        ({"values": {"temperature": "ON"}}, ": Freezer too warm since 14:02."),
        ({"values": {"temperature": True}}, ": Freezer too warm since 14:02."),
        ({"kind": "absent", "last_heard_at": "2025-03-03T02:10:00Z"}, "has not reported since 02:10."),
        ({"kind": "absent", "since": None}, "has stopped reporting."),
        ({"kind": "error_code", "code": "E17", "since": None}, "reports an error: Freezer too warm."),
        ({"kind": "error_code", "title": {}, "since": None, "limit": None}, "reports an error."),
        ({"since": "2025-03-01T14:02:00Z"}, f"has warmed to −8.3{NBSP}°C (limit −12{NBSP}°C) since Saturday, 14:02."),
        ({"decimals": {"temperature": 0}}, f"has warmed to −8{NBSP}°C (limit −12{NBSP}°C) since 14:02."),
    ],
)
def test_a_fault_is_told_with_what_is_known(changes: dict[str, Any], sentence: str) -> None:
    said = _sentence("fault_opened", FREEZER | changes)

    assert said.removeprefix("Your freezer “Garage freezer”").removeprefix(" ") == sentence


@pytest.mark.parametrize(
    ("device", "subject"),
    [
        ({"name": "Garage", "product": {"en": "freezer"}}, "Your freezer “Garage”"),
        ({"name": "Freezer", "product": {"en": "freezer"}}, "Your freezer"),
        ({"name": "Garage"}, "Your “Garage”"),
        ({"product": {"en": "freezer"}}, "Your freezer"),
        ({}, "Your product"),
    ],
)
def test_a_product_is_called_what_its_owner_calls_it(device: dict[str, Any], subject: str) -> None:
    assert _sentence("fault_opened", FREEZER | {"device": device}).startswith(f"{subject} has warmed")


@pytest.mark.parametrize(
    ("due_at", "said"),
    [
        ("2025-03-17T08:00:00Z", "Yearly service, in 14 days (Monday 17 March 2025)."),
        ("2025-03-04T08:00:00Z", "Yearly service, in 1 day (Tuesday 4 March 2025)."),
        ("2025-03-03T23:00:00Z", "Yearly service, today."),
        ("2025-02-03T08:00:00Z", "Yearly service since Monday 3 February 2025."),
        (None, "Your heat pump “Cellar” will soon be due for service: Yearly service."),
    ],
)
def test_a_service_says_when(due_at: str | None, said: str) -> None:
    sentence = _sentence("maintenance_due", SERVICE | {"due_at": due_at})

    # CLDR has begun and ceased to write a comma after the British weekday.
    assert sentence.replace("day,", "day").endswith(said)


def test_a_plans_key_is_never_shown() -> None:
    for channel in CHANNELS:
        rendered = _render("maintenance_due", SERVICE | {"title": {}}, channel)
        assert "yearly_service" not in rendered.text + rendered.subject + (rendered.html or "")


def test_an_offer_tells_shop_distance_code_and_end() -> None:
    chat, mail = _render("offer", OFFER, "whatsapp", JÖRG), _render("offer", OFFER, "email", JÖRG)

    assert chat.text.startswith(f"Nordfrost Mitte ist 350{NBSP}m entfernt: 20 % off door seals.")
    assert "Code: SEAL-4711." in chat.text
    assert "Gültig bis: Montag, 10. März 2025" in mail.text
    assert "Torstraße 12, Berlin" in mail.text


def test_an_agents_words_stay_their_own() -> None:
    rendered = _render("agent_reply", FACTS["agent_reply"], "whatsapp")

    assert rendered.text.startswith("Hello Ana,\nthe seal looks worn.\nMay we come at 10?\n")
    assert "Mia, Nordfrost Service" in rendered.text


def test_a_copy_on_another_channel_says_that_it_may_be_one() -> None:
    for channel in CHANNELS:
        assert (
            "You may have received this already."
            in _render("fault_opened", FREEZER | {"may_repeat": True}, channel).text
        )
        assert "You may have received this already." not in _render("fault_opened", FREEZER, channel).text


@pytest.mark.parametrize("template", sorted(set(TEMPLATES) - {"check", "test", "stop_confirmed"}))
@pytest.mark.parametrize("language", sorted(PEOPLE))
@pytest.mark.parametrize("channel", CHANNELS)
def test_each_message_tells_how_to_end_its_kind(template: str, language: str, channel: str) -> None:
    rendered = _render(template, FACTS[template], channel, PEOPLE[language])

    words = {"en": "STOP", "de": "STOPP", "ar": "إيقاف"}
    assert words[language] in rendered.text or str(LINKS.stop_url) in rendered.text


@pytest.mark.parametrize("template", sorted(TEMPLATES))
@pytest.mark.parametrize("language", sorted(PEOPLE))
def test_every_message_names_the_company_links_its_page_and_is_whole(template: str, language: str) -> None:
    for channel in CHANNELS:
        rendered = _render(template, FACTS[template], channel, PEOPLE[language])
        assert rendered.language == language
        assert rendered.direction == ("rtl" if language == "ar" else "ltr")
        assert (language == "en") or template == "offer" or rendered.missing == ()
        assert BRAND.name in rendered.text
        assert str(LINKS.page_url) in rendered.text
        assert "None" not in rendered.text
        assert "  " not in rendered.text
        assert "\n\n\n" not in rendered.text
        assert "\n" not in rendered.subject
        assert rendered.subject
        assert (rendered.html is not None) == (channel == "email")
        assert (rendered.segments is not None) == (channel == "sms")


# Short forms


@pytest.mark.parametrize("template", sorted(set(TEMPLATES) - {"agent_reply", "fault_update", "offer"}))
def test_our_own_short_messages_fit_where_the_alphabet_is_small(template: str) -> None:
    for customer in (ANA, JÖRG):
        counted = _render(template, FACTS[template], "sms", customer).segments
        assert counted is not None
        assert (counted.encoding, counted.count <= MOST) == ("GSM-7", True)


def test_a_long_text_message_drops_its_steps_before_anything_else() -> None:
    facts = FREEZER | {"advice": {"en": "\n".join(["Check that the door is closed and stays closed."] * 12)}}

    rendered = _render("fault_opened", facts, "sms")

    assert "Check that" not in rendered.text
    assert "has warmed" in rendered.text
    assert str(LINKS.page_url) in rendered.text
    assert "STOP ALERTS" in rendered.text
    assert segments(rendered.text) == rendered.segments


def test_an_arabic_text_message_is_laid_out_from_the_right() -> None:
    text = _render("fault_opened", FREEZER, "sms", YUSUF).text

    # A Latin name in front would make a phone lay the whole message out from the left (UAX 9, rule P2).
    assert text.startswith("\u2068Nordfrost\u2069: ")


# Languages


def test_a_language_without_a_catalogue_falls_back_to_english_and_says_so() -> None:
    ana = ANA.model_copy(update={"locale": "pt-BR", "country": "BR"})

    rendered = _render("fault_opened", FREEZER, "email", ana)

    assert (rendered.language, rendered.direction) == ("en", "ltr")
    assert rendered.missing == ("catalogue:pt-BR",)


def test_a_title_that_is_not_translated_is_reported() -> None:
    facts = FREEZER | {"title": {"en": "Too warm"}, "advice": {"en": "Close the door."}}

    rendered = _render("fault_opened", facts, "email", JÖRG)

    assert set(rendered.missing) == {"title:de", "advice:de"}
    assert "Close the door." in rendered.text


def test_a_template_nobody_wrote_is_a_mistake() -> None:
    with pytest.raises(UnknownTemplate):
        _render("fault_openend", FREEZER)


# HTML


@pytest.mark.parametrize("template", sorted(TEMPLATES))
@pytest.mark.parametrize("language", sorted(PEOPLE))
def test_a_mail_is_one_sound_document_that_links_to_us_alone(template: str, language: str) -> None:
    rendered = _render(template, FACTS[template], "email", PEOPLE[language])

    page = _page(rendered)

    assert page.root == {"lang": language, "dir": rendered.direction}
    assert page.links
    assert all(link.startswith(f"{BRAND.public_url}/") for link in page.links)
    assert not page.tags & {"script", "img", "iframe", "form", "object", "link"}
    assert rendered.subject in page.text


@pytest.mark.parametrize(
    "foreign",
    [
        "https://evil.example/c/1",
        "https://help.nordfrost.example.evil.example/support/c/1",
        "https://help.nordfrost.example/supportive",
        "http://help.nordfrost.example/support/c/1",
        "javascript:alert(1)",
        "https://help.nordfrost.example/support/c/1\r\nBcc: x@y.z",
        "https://help.nordfrost.example/support/ <b>",
        "https://[broken",
    ],
)
def test_a_link_that_leaves_our_page_is_dropped_and_reported(foreign: str) -> None:
    rendered = render("fault_opened", ANA, FREEZER, "email", BRAND, Links(page_url=foreign), NOW)

    assert rendered.missing == ("link:page_url",)
    assert foreign not in rendered.text
    assert _page(rendered).links == []


_EVIL = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "%(name)s %s %d %",
    "&lt;b&gt; & co",
    "</td></tr></table>",
    "\u202egnp.exe",
]


@pytest.mark.parametrize("evil", _EVIL)
@pytest.mark.parametrize("template", sorted(TEMPLATES))
def test_no_name_or_text_becomes_markup_or_code(template: str, evil: str) -> None:
    facts = FACTS[template] | {
        "device": {"name": evil, "product": {"en": evil}},
        "title": {"en": evil},
        "advice": {"en": evil},
        "text": evil,
        "agent": evil,
        "case_id": evil,
        "check_code": evil,
        "code": evil,
        "shop": {"name": evil, "address": evil, "distance_m": 5},
        "offer": {"title": evil, "text": evil, "code": evil},
        "units": {"temperature": evil},
    }
    plain = _page(_render(template, FACTS[template], "email"))

    rendered = _render(template, facts, "email")

    page = _page(rendered)
    assert page.tags <= plain.tags | {"ol", "li", "h2", "th", "td", "table", "tr", "h1", "p"}
    assert not any(name.startswith("on") for name in page.attributes)
    assert page.links == plain.links
    assert "49" not in rendered.text
    assert "\u202e" not in rendered.text + rendered.subject + (rendered.html or "")


_TEXT = st.text(max_size=30) | st.sampled_from(_EVIL)
_LOCALIZED = st.dictionaries(st.sampled_from(["en", "de", "ar", "pt", ""]), _TEXT, max_size=3) | _TEXT
_NUMBER = st.floats() | st.integers() | st.booleans() | _TEXT | st.none()
_TIME = st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat) | _TEXT | st.none()
_FACTS = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["condition", "absent", "error_code", "maintenance", "forecast", ""]) | st.none(),
        "title": _LOCALIZED,
        "advice": _LOCALIZED,
        "field": st.sampled_from(["a", "b"]) | st.none() | st.integers(),
        "labels": st.dictionaries(st.sampled_from(["a", "b"]), _LOCALIZED) | _TEXT,
        "values": st.dictionaries(st.sampled_from(["a", "b"]), _NUMBER) | _TEXT,
        "units": st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["Cel", "%", "{x}", "km/h"]) | _NUMBER),
        "decimals": st.dictionaries(st.sampled_from(["a", "b"]), _NUMBER),
        "limit": _NUMBER,
        "direction": st.sampled_from(["above", "below", "sideways"]),
        "since": _TIME,
        "last_heard_at": _TIME,
        "due_at": _TIME,
        "phase": _TEXT,
        "plan": _LOCALIZED,
        "purpose": st.sampled_from(["safety", "fault", "offer", "nonsense"]) | _NUMBER,
        "severity": st.sampled_from(["minor", "major", "critical", "x"]) | _NUMBER,
        "case_id": _NUMBER,
        "code": _NUMBER,
        "device": st.fixed_dictionaries({}, optional={"name": _NUMBER, "product": _LOCALIZED}) | _NUMBER,
        "shop": st.fixed_dictionaries({}, optional={"name": _NUMBER, "address": _NUMBER, "distance_m": _NUMBER}),
        "offer": st.fixed_dictionaries(
            {}, optional={"title": _LOCALIZED, "text": _LOCALIZED, "code": _NUMBER, "valid_until": _TIME}
        ),
        "text": _NUMBER,
        "agent": _NUMBER,
        "answer": st.sampled_from(["done", "later", "x"]) | _NUMBER,
        "check_code": _NUMBER,
        "expires_at": _TIME,
        "may_repeat": _NUMBER,
    },
)


@settings(max_examples=300, deadline=None)
@given(
    template=st.sampled_from(sorted(TEMPLATES)),
    facts=_FACTS,
    locale=st.sampled_from(["en", "en-US", "de-AT", "ar-EG", "ar", "pt-BR", "zh-Hant-TW", "fa-IR", "sr-Latn-RS"]),
    country=st.sampled_from([None, "US", "EG", "DE", "LR"]),
    name=st.text(min_size=1, max_size=20).filter(str.strip),
    channel=st.sampled_from(CHANNELS),
    links=st.sampled_from([LINKS, Links(), Links(page_url="x"), Links(stop_url=LINKS.stop_url)]),
    now=st.datetimes(datetime(1970, 1, 2), datetime(2199, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - aware by timezones
)
def test_whatever_the_facts_a_message_comes_out_whole(
    template: str,
    facts: dict[str, Any],
    locale: str,
    country: str | None,
    name: str,
    channel: str,
    links: Links,
    now: datetime,
) -> None:
    customer = Customer(id="c", name=name, locale=locale, country=country, timezone="Asia/Kathmandu")

    rendered = render(template, customer, facts, channel, BRAND, links, now)

    assert rendered.text.strip()
    assert rendered.subject.strip()
    assert "\n" not in rendered.subject
    rendered.text.encode()
    if channel == "email":
        page = _page(rendered)
        assert not page.tags & {"script", "img", "iframe", "form", "object", "b"}
        assert not any(attribute.startswith("on") for attribute in page.attributes)
        assert all(link.startswith(BRAND.public_url) for link in page.links)
    if channel == "sms":
        assert rendered.segments == segments(rendered.text)


# What a company changes


def test_a_company_may_put_its_own_template_and_words_before_ours(tmp_path: Path) -> None:
    (tmp_path / "help.j2").write_text(
        "{% block subject %}{{ _('Case') }}{% endblock %}{% block sentence %}Ahoy from {{ brand.name }}.{% endblock %}"
    )
    (tmp_path / "de.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\nmsgid "Case"\nmsgstr "Ticket"\n'
    )

    renderer = Renderer(templates=[tmp_path], translations=[tmp_path])
    rendered = renderer.render("help", JÖRG, {}, "email", BRAND, LINKS, NOW)

    assert rendered.subject == "Ticket"
    assert rendered.text.startswith("Ahoy from Nordfrost.")
    assert "Ticket: 1042" in renderer.render("fault_opened", JÖRG, FREEZER, "email", BRAND, LINKS, NOW).text
    assert renderer.languages == {"en", "de", "ar"}


def test_a_companys_template_is_sandboxed(tmp_path: Path) -> None:
    from jinja2.exceptions import SecurityError

    (tmp_path / "help.j2").write_text("{% block subject %}{{ brand.__class__.__mro__ }}{% endblock %}")

    with pytest.raises(SecurityError):
        Renderer(templates=[tmp_path]).render("help", ANA, {}, "sms", BRAND, LINKS, NOW)


def test_times_are_those_of_the_clock_that_is_passed() -> None:
    tomorrow = render("fault_opened", ANA, FREEZER, "sms", BRAND, LINKS, NOW + timedelta(days=1))

    assert "since Monday, 14:02" in tomorrow.text


def test_a_brand_name_with_markup_stays_text() -> None:
    brand = Brand("<b>Ärger & Söhne</b>", "Support", BRAND.public_url)

    rendered = render("help", ANA, {}, "email", brand, LINKS, NOW)

    assert "b" not in _page(rendered).tags
    assert "<b>Ärger & Söhne</b>" in _page(rendered).text
