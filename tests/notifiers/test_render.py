from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from device_models.registry import Customer
from notifiers.message import Rendered
from notifiers.wording.render import TEMPLATES, BrokenTemplate, Renderer, UnknownTemplate, render
from notifiers.wording.segments import MOST, segments
from tests.notifiers.making import ANA, BRAND, FACTS, FREEZER, JÖRG, LINKS, NOW, OFFER, PEOPLE, SERVICE, YUSUF

NBSP = "\u00a0"
CHANNELS = ["email", "sms", "whatsapp", "webhook"]


def _render(template: str, facts: dict[str, Any], channel: str = "sms", customer: Customer = ANA) -> Rendered:
    return render(template, customer, facts, channel, BRAND, LINKS, NOW)


def _sentence(template: str, facts: dict[str, Any], customer: Customer = ANA) -> str:
    return _render(template, facts, "whatsapp", customer).text.split("\n")[0]


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


def test_what_is_well_again_is_told_by_a_figure_only_if_it_says_so_by_itself() -> None:
    current = {"field": "current", "units": {"current": "A"}, "values": {"current": 0.0}}
    of_two = current | {"values": {"current": 0.0, "temperature": -18.4}}
    assert _sentence("fault_resolved", FREEZER | current).endswith(f"is back to normal: 0{NBSP}A now.")
    assert _sentence("fault_resolved", FREEZER | of_two).endswith("is back to normal.")
    warm = {"values": {"temperature": -18.4, "door_open": False}}
    assert _sentence("fault_resolved", FREEZER | warm).endswith(f"is back to normal: −18.4{NBSP}°C now.")


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


NEVER_STOPPED = {"address_added", "check", "date_booked", "date_cancelled", "page_link", "test", "stop_confirmed"}


@pytest.mark.parametrize("template", sorted(set(TEMPLATES) - NEVER_STOPPED))
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
    ana = ANA.model_copy(update={"locale": "nl-NL", "country": "NL"})

    rendered = _render("fault_opened", FREEZER, "email", ana)

    assert (rendered.language, rendered.direction) == ("en", "ltr")
    assert rendered.missing == ("catalogue:nl-NL",)


def test_a_title_that_is_not_translated_is_reported() -> None:
    facts = FREEZER | {"title": {"en": "Too warm"}, "advice": {"en": "Close the door."}}

    rendered = _render("fault_opened", facts, "email", JÖRG)

    assert set(rendered.missing) == {"title:de", "advice:de"}
    assert "Close the door." in rendered.text


def test_a_template_nobody_wrote_is_a_mistake() -> None:
    with pytest.raises(UnknownTemplate):
        _render("fault_openend", FREEZER)


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
    assert renderer.languages == Renderer().languages


def test_a_companys_template_is_sandboxed(tmp_path: Path) -> None:
    (tmp_path / "help.j2").write_text("{% block subject %}{{ brand.__class__.__mro__ }}{% endblock %}")

    with pytest.raises(BrokenTemplate, match="SecurityError"):
        Renderer(templates=[tmp_path]).render("help", ANA, {}, "sms", BRAND, LINKS, NOW)


def test_times_are_those_of_the_clock_that_is_passed() -> None:
    tomorrow = render("fault_opened", ANA, FREEZER, "sms", BRAND, LINKS, NOW + timedelta(days=1))

    assert "since Monday, 14:02" in tomorrow.text
