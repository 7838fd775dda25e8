"""The customer's page: what it shows, what it hides, and STOP."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from device_models.purpose import Purpose
from gateway.clock import Clock
from gateway.commands import AddNote, Resolve, Upsert
from gateway.commands.people import TransferDevice
from gateway.store import schema
from gateway.web.customer.texts import TEXTS
from gateway.web.links import LinkSigner
from notifiers.wording.catalogue import load_catalogues
from tests.gateway.web_fleet import CUSTOMERS, NOW, link
from tests.gateway.web_visit import Visit, visit


def customer(web: Visit, customer_id: str) -> tuple[list[str], list[str]]:
    """(consents, objections) as stored."""
    row = web.town.rows(schema.customers, id=customer_id)[0]
    return sorted(row["consents"]), sorted(row["objections"])


@pytest.mark.parametrize(
    ("device", "language", "direction", "words"),
    [
        (
            "f-brown",
            "en",
            "ltr",
            ["We cannot hear your device any more.", "Noticed", "I have done this", "Chest freezer"],
        ),
        ("f-lumen", "de", "ltr", ["Ihr Gefrierschrank läuft und wird nicht kalt.", "Bemerkt", "Das habe ich gemacht"]),
        ("f-yusuf", "ar", "rtl", ["باب المجمد مفتوح", "لاحظنا", "فعلت ذلك", "مجمد المطبخ"]),
    ],
)
async def test_the_page_speaks_the_customers_language(
    tmp_path: Path, device: str, language: str, direction: str, words: list[str]
) -> None:
    async with visit(tmp_path, None) as web:
        text = await web.page(link(web.town, device))
        assert f'<html lang="{language}" dir="{direction}">' in text
        for word in words:
            assert word in text, word


async def test_the_page_hides_ids_addresses_places_and_notes(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        case = web.town.case_of("f-souza", "freezer-compressor-stopped")["id"]
        web.town.do(AddNote(case, "Customer sounds annoyed.", "Mia"))
        text = await web.page(link(web.town, "f-souza", "freezer-compressor-stopped"))
        visible = re.sub(r'(href|action|src)="[^"]*"', "", text)
        for secret in (
            "f-souza",
            "annoyed",
            "Start relay",
            "souza.example",
            "11912345678",
            "52.48",
            "Neukölln",
            "NK-41208",
        ):
            assert secret not in visible, secret
        assert "Desliguei" in text
        assert "Um técnico pode ir hoje" in text


async def test_a_silent_device_is_shown_as_unseen_with_its_last_value(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        text = await web.page(link(web.town, "f-brown"))
        assert 'class="figure stale"' in text
        assert re.search(r"We cannot see it since 12:05\. The last reading was −1\d\.\d\s°C", text)


def drawn(text: str) -> str:
    found = re.search(r'<svg class="chart".*?</svg>', text, re.DOTALL)
    assert found is not None
    return found[0]


@pytest.mark.parametrize(
    ("device", "rule", "words"),
    [
        ("f-brown", None, ["Inside temperature: The last 24 hours.", "Something has been wrong since 12:0"]),
        ("f-lumen", "freezer-cools-poorly", ["Die letzten 24 Stunden", "Grenzwert: 0,2\u00a0A.", "◆ Grenzwert"]),
        ("f-yusuf", None, ["آخر 24 ساعة", "هناك خلل منذ"]),
    ],
)
async def test_the_figures_last_day_is_drawn_and_said_in_the_customers_language(
    tmp_path: Path, device: str, rule: str | None, words: list[str]
) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, device, rule) if rule else link(web.town, device)
        svg = drawn(await web.page(page))
        assert 'role="img"' in svg
        assert 'fill-opacity=".08"' in svg
        assert ("stroke-dasharray" in svg) == (rule is not None)
        assert "\ufffd" not in svg
        for word in words:
            assert word in svg, word
        assert not re.search(r"firing|no data|limit|\bMar\b|Europe|data-points", svg)


async def test_degrees_are_those_of_the_customers_country(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        brown = next(record for record in CUSTOMERS if record["id"] == "c-brown")
        web.town.do(Upsert("customers", ({**brown, "country": "US", "locale": "en-US"},), by="test"))
        svg = drawn(await web.page(link(web.town, "f-brown")))
        assert ">°F</text>" in svg
        assert "°C" not in svg


async def test_without_history_there_is_no_chart_and_the_page_is_whole(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        await web.town.history.erase("f-brown")
        text = await web.page(link(web.town, "f-brown"))
        assert "<svg class=" not in text
        assert 'class="figure stale"' in text


async def test_the_chart_begins_where_the_device_became_theirs(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        town = web.town
        town.do(TransferDevice("f-ruiz", "c-brown", by="Mia"))
        for minutes in (5, 10, 15, 35):
            town.now = NOW + timedelta(minutes=minutes)
            values = {"temperature": -2.0, "door_open": True, "mains_ok": True}
            await town.publish("devices/f-ruiz/status", {**values, "ts": town.now.timestamp()})
        case = town.case_of("f-ruiz")
        assert case["customer_id"] == "c-brown"
        page = f"/p/{town.deps.links.token('c-brown', case['id'])}"
        # The clock of the web stands still at NOW: all that lies before is the earlier owner's.
        text = await web.page(page)
        assert 'class="figure' in text
        assert "<svg class=" not in text


async def test_the_page_and_all_it_loads_stay_below_100_kilobytes(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        text = await web.page(link(web.town, "f-souza", "freezer-compressor-stopped"))
        files = ["/static/tokens.css", *re.findall(r'(?:href|src)="(/static/[^"]+)"', text)]
        sizes = [len(await (await web.get(file)).read()) for file in files]
        assert len(text.encode()) + sum(sizes) < 100_000


async def test_what_the_customer_writes_joins_the_case_and_asks_for_a_person(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-lumen", "freezer-cools-poorly")
        answer = await web.post(f"{page}/write", {"text": "Die Tür war offen.\r\nJetzt zu."}, csrf=False)
        assert (answer.status, answer.headers["Location"]) == (303, f"{page}?said=sent")
        case = web.town.case_of("f-lumen", "freezer-cools-poorly")
        assert case["needs_reply"]
        assert "Die Tür war offen." in await web.page(f"{page}?said=sent")
        assert web.town.rows(schema.inbound)[-1]["text"] == "Die Tür war offen.\nJetzt zu."


async def test_the_large_button_tells_us_what_they_did(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-yusuf")
        await web.post(f"{page}/tried", csrf=False)
        assert web.town.rows(schema.inbound)[-1]["text"].startswith("فعلت ذلك: يرجى إغلاق الباب")


@pytest.mark.parametrize(("text", "words"), [("   ", "empty"), ("x" * 2001, "too_long")])
async def test_a_text_that_cannot_be_sent_is_kept_with_the_mend(tmp_path: Path, text: str, words: str) -> None:
    async with visit(tmp_path, None) as web:
        answer = await web.post(f"{link(web.town, 'f-brown')}/write", {"text": text}, csrf=False)
        assert answer.status == 422
        assert TEXTS["en"][words].format(most=2000) in await answer.text()


async def test_a_resolved_case_says_that_all_is_well(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-lumen", "freezer-cools-poorly")
        web.town.do(Resolve(web.town.case_of("f-lumen", "freezer-cools-poorly")["id"], "Mia"))
        text = await web.page(page)
        assert "Alles ist wieder in Ordnung." in text
        assert "Das habe ich gemacht" not in text


async def test_following_the_stop_link_asks_and_changes_nothing(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        text = await web.page(f"{link(web.town, 'f-lumen')}/stop")
        assert "Diese Nachrichten abbestellen?" in text
        assert customer(web, "c-lumen") == (["offer"], [])


async def test_one_click_stops_the_links_purpose_and_no_other(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-lumen")
        # What RFC 8058 has a mail program send: no cookie, no token.
        answer = await web.client.post(f"{page}/stop", data={"List-Unsubscribe": "One-Click"})
        assert answer.status == 200
        assert "Abbestellt" in await answer.text()
        assert customer(web, "c-lumen") == (["offer"], ["fault"])
        await web.post(f"{page}/stop", {"undo": "1"}, csrf=False)
        assert "fault" not in customer(web, "c-lumen")[1]


async def test_a_link_without_a_purpose_stops_all_but_safety(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        token = web.town.deps.links.token("c-lumen")
        await web.client.post(f"/p/{token}/stop")
        assert customer(web, "c-lumen") == ([], ["fault", "maintenance", "news", "offer"])


async def test_each_purpose_has_its_own_switch(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-lumen")
        await web.post(f"{page}/choose", {"purpose": "offer", "on": "0"}, csrf=False)
        assert customer(web, "c-lumen") == ([], ["offer"])
        await web.post(f"{page}/choose", {"purpose": "offer", "on": "1"}, csrf=False)
        assert customer(web, "c-lumen") == (["offer"], [])
        assert (await web.post(f"{page}/choose", {"purpose": "everything"}, csrf=False)).status == 422


async def test_safety_ends_by_link_only_after_they_read_what_they_will_miss(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        token = web.town.deps.links.token("c-lumen", None, Purpose.SAFETY)
        t, page = TEXTS["de"], f"/p/{token}"
        assert t["stop_title"] in await web.page(f"{page}/stop")
        asked = await (await web.post(f"{page}/stop", csrf=False)).text()
        assert t["stop_safety_title"] in asked
        # Of the freezer they own: its error E13 is about safety.
        assert "Kältemittel tritt möglicherweise aus" in asked
        assert customer(web, "c-lumen")[1] == []
        ended = await web.post(f"{page}/stop", {"purpose": "safety", "sure": "1"}, csrf=False)
        assert t["stopped_title"] in await ended.text()
        assert customer(web, "c-lumen")[1] == ["safety"]
        await web.post(f"{page}/stop", {"purpose": "safety", "undo": "1"}, csrf=False)
        assert customer(web, "c-lumen")[1] == []


async def test_a_mail_programs_click_ends_safety_too_since_nobody_could_be_asked(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        token = web.town.deps.links.token("c-lumen", None, Purpose.SAFETY)
        await web.client.post(f"/p/{token}/stop", data={"List-Unsubscribe": "One-Click"})
        assert customer(web, "c-lumen")[1] == ["safety"]


async def test_a_wish_against_safety_on_their_page_is_asked_about_once_more(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-lumen")
        assert 'name="purpose" value="safety"' not in await web.page(page)
        asks = f"{page}/stop?purpose=safety"
        chosen = await web.post(f"{page}/choose", {"purpose": "safety", "on": "0"}, csrf=False)
        wished = {"language": "de", "channel_safety": "off", "channel_fault": "off"}
        saved = await web.post(f"{page}/settings", wished, csrf=False)
        assert (chosen.status, chosen.headers["Location"]) == (saved.status, saved.headers["Location"]) == (303, asks)
        # What else they wished is so at once.
        assert customer(web, "c-lumen") == (["offer"], ["fault"])
        assert TEXTS["de"]["stop_safety_title"] in await web.page(asks)
        await web.post(f"{page}/stop", {"purpose": "safety", "sure": "1"}, csrf=False)
        assert customer(web, "c-lumen")[1] == ["fault", "safety"]
        assert 'name="purpose" value="safety"' in await web.page(page)
        await web.post(f"{page}/choose", {"purpose": "safety", "on": "1"}, csrf=False)
        assert "safety" not in customer(web, "c-lumen")[1]


async def test_an_expired_link_shows_nothing_and_still_stops(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        then = Clock(start=NOW - timedelta(days=200), speed=1.0)
        old = LinkSigner({"1": "k" * 32}, "1", lambda: then.start, "http://127.0.0.1:8080")
        token = old.token("c-lumen", 1, Purpose.FAULT)
        gone = await web.get(f"/p/{token}")
        assert gone.status == 410
        assert "Ice cream" not in await gone.text()
        await web.client.post(f"/p/{token}/stop")
        assert customer(web, "c-lumen")[1] == ["fault"]


async def test_a_link_opens_no_case_of_another_customer(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        case = web.town.case_of("f-lumen")["id"]
        token = web.town.deps.links.token("c-brown", case)
        text = await web.page(f"/p/{token}")
        assert "Ice cream freezer" not in text
        assert "Grace Brown" in text
        assert (await web.post(f"/p/{token}/service", {"answer": "done"}, csrf=False)).status == 404


@pytest.mark.parametrize("token", ["x", "1.x", "1.", "2.abc.def", "%00", "%2e%2e%2fadmin"])
async def test_a_made_up_link_is_gone_in_the_browsers_language(tmp_path: Path, token: str) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        answer = await web.get(f"/p/{token}", headers={"Accept-Language": "de-DE,de;q=0.9"})
        assert answer.status == 404


def test_the_page_speaks_every_language_that_messages_are_written_in() -> None:
    assert TEXTS.keys() == load_catalogues().keys()


def test_every_language_has_every_text_with_the_same_places() -> None:
    for language, texts in TEXTS.items():
        assert texts.keys() == TEXTS["en"].keys(), language
        for name, text in texts.items():
            places = set(re.findall(r"{(\w+)}", TEXTS["en"][name]))
            assert set(re.findall(r"{(\w+)}", text)) == places, (language, name)
