"""No fact can break a message: markup, code, links, odd shapes."""

from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_models.registry import Customer
from notifiers.message import Brand, Links, Rendered
from notifiers.wording.render import TEMPLATES, render
from notifiers.wording.segments import segments
from tests.notifiers.making import ANA, BRAND, FACTS, FREEZER, LINKS, NOW, PEOPLE

CHANNELS = ["email", "sms", "whatsapp", "webhook"]


def _mail(template: str, facts: dict[str, Any], customer: Customer = ANA) -> Rendered:
    return render(template, customer, facts, "email", BRAND, LINKS, NOW)


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


@pytest.mark.parametrize("template", sorted(TEMPLATES))
@pytest.mark.parametrize("language", sorted(PEOPLE))
def test_a_mail_is_one_sound_document_that_links_to_us_alone(template: str, language: str) -> None:
    rendered = _mail(template, FACTS[template], PEOPLE[language])

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
    plain = _page(_mail(template, FACTS[template]))

    rendered = _mail(template, facts)

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
        "starts_at": _TIME,
        "ends_at": _TIME,
        "team": _NUMBER,
        "is_anothers": _NUMBER,
        "may_repeat": _NUMBER,
    },
)


@settings(max_examples=300, deadline=None)
@given(
    template=st.sampled_from(sorted(TEMPLATES)),
    facts=_FACTS,
    locale=st.sampled_from(["en", "en-US", "de-AT", "ar-EG", "ar", "pt-BR", "zh-Hant-TW", "fa-IR", "sr-Latn-RS"]),
    country=st.sampled_from([None, "US", "EG", "DE", "LR"]),
    # A name with a NUL character never gets in.
    name=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20).filter(str.strip),
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


def test_a_brand_name_with_markup_stays_text() -> None:
    brand = Brand("<b>Ärger & Söhne</b>", "Support", BRAND.public_url)

    rendered = render("help", ANA, {}, "email", brand, LINKS, NOW)

    assert "b" not in _page(rendered).tags
    assert "<b>Ärger & Söhne</b>" in _page(rendered).text
