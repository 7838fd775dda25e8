"""Messages and articles worded in the console: previewed, refused where wrong, in force at once, put back."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.commands import CommandRefused, SaveText
from gateway.store import schema
from gateway.store.own_texts import own_texts
from gateway.texts.own import load_texts
from tests.gateway.web_visit import Visit, visit

NOTE = "We noticed this ourselves: you do not need to report it."
OWN = "Das ist uns selbst aufgefallen."


async def save_words(web: Visit, said: str, language: str = "de") -> dict[str, Any]:
    form = {"kind": "words", "template": "fault_opened", "language": language, "msgid.0": NOTE, "words.0": said}
    answer = await web.script("/texts", form)
    told: dict[str, Any] = await answer.json()
    assert answer.status == 200, told
    return told


async def test_the_list_tells_what_is_whole_and_what_is_in_own_words(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        await save_words(web, OWN)
        items = (await (await web.api("GET", "/api/texts")).json())["items"]
        opened = next(item for item in items if item["name"] == "fault_opened")
        assert opened["languages"]["de"] == {"missing": 0, "own": True}
        assert opened["languages"]["fr"]["own"] is False
        door = next(item for item in items if item["name"] == "freezer-door-open")
        assert door["kind"] == "article"
        assert "Your freezer&#39;s door is open" in await web.page("/texts")


async def test_a_new_word_is_in_the_next_message_and_undone_by_putting_the_version_back(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        waiting = next(
            row
            for row in web.town.rows(schema.notifications, state="awaiting_approval")
            if row["customer_id"] == "c-meier"
        )
        path = f"/api/messages/{waiting['id']}/preview"
        assert OWN not in (await (await web.api("GET", path)).json())["text"]
        first = await save_words(web, OWN)
        assert OWN in (await (await web.api("GET", path)).json())["text"]
        second = await save_words(web, "Anders.")
        assert second["before"] == first["version"]
        assert (await web.script(f"/texts/{first['version']}/restore")).status == 200
        assert OWN in (await (await web.api("GET", path)).json())["text"]
        await save_words(web, "")
        assert OWN not in (await (await web.api("GET", path)).json())["text"]
        versions = await (await web.api("GET", "/api/texts/versions?kind=words&language=de")).json()
        assert [one["saved_by"] for one in versions["items"]] == ["Lea"] * 4


async def test_a_draft_is_previewed_and_read_by_no_customer_until_it_is_put_live(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        waiting = next(
            row
            for row in web.town.rows(schema.notifications, state="awaiting_approval")
            if row["customer_id"] == "c-meier"
        )
        sent = f"/api/messages/{waiting['id']}/preview"
        which = {"kind": "words", "language": "de"}
        form = {**which, "template": "fault_opened", "msgid.0": NOTE, "words.0": OWN, "seen": "0"}
        kept = await web.script("/texts/draft", form)
        assert (kept.status, (await kept.json())["draft"]) == (200, 1)
        assert OWN not in (await (await web.api("GET", sent)).json())["text"]
        page = await web.page("/texts/messages/fault_opened?language=de&channel=whatsapp")
        assert "Draft, kept by Lea" in page
        # In its field, in the preview, and in what putting it live changes.
        assert page.count(OWN) == 3
        assert "Words of all messages" in await web.page("/texts")
        again = await web.script("/texts/draft", form)
        assert (again.status, "Lea kept this draft meanwhile" in await again.text()) == (409, True)
        (draft,) = (await (await web.api("GET", "/api/texts/drafts", "viewer")).json())["items"]
        assert (draft["language"], json.loads(draft["text"]), draft["moved"]) == ("de", {NOTE: OWN}, False)
        assert (await web.api("POST", "/api/texts/live", "agent", json=which)).status == 403
        assert (await web.api("POST", "/api/texts/live", "lead", json=which)).status == 200
        assert OWN in (await (await web.api("GET", sent)).json())["text"]
        assert (await (await web.api("GET", "/api/texts/drafts")).json())["items"] == []
        assert (await web.api("POST", "/api/texts/live", "lead", json=which)).status == 404


async def test_a_draft_that_is_wrong_is_kept_and_not_put_live_and_one_overtaken_says_so(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        wrong = {"kind": "template", "name": "survey", "language": "en", "text": "{% if %}"}
        assert (await web.api("POST", "/api/texts/draft", "lead", json=wrong)).status == 200
        assert (await web.api("POST", "/api/texts/live", "lead", json=wrong)).status == 422
        assert (await web.page("/texts/messages/survey")).count("{% if %}") >= 1
        assert (await web.api("POST", "/api/texts/draft-drop", "lead", json=wrong)).status == 200
        article = {"kind": "article", "name": "freezer-door-open", "language": "de"}
        text = (await (await web.api("GET", "/api/texts/one?kind=article&name=freezer-door-open&language=de")).json())[
            "text"
        ]
        assert (await web.script("/texts/draft", {**article, "text": text + "\nEntwurf.\n", "seen": "0"})).status == 200
        web.town.do(SaveText("article", "freezer-door-open", "de", text + "\nAnders.\n", "Ada"))
        (draft,) = (await (await web.api("GET", "/api/texts/drafts")).json())["items"]
        assert (draft["version"], draft["moved"]) == (1, True)
        page = await web.page("/texts/articles/freezer-door-open?language=de")
        assert "Another version has gone live since it was begun" in page
        again = {**article, "text": text + "\nBeides.\n"}
        assert (await web.script("/texts", {**again, "seen": "0"})).status == 409
        assert (await web.script("/texts", {**again, "seen": "1"})).status == 200
        assert (await (await web.api("GET", "/api/texts/drafts")).json())["items"] == []


async def test_what_is_in_force_is_read_again_at_a_start(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        await save_words(web, OWN)
        with web.town.store.read() as connection:
            assert load_texts(connection).words == {"de": {NOTE: OWN}}


@pytest.mark.parametrize(
    ("kind", "name", "language", "text", "why"),
    [
        ("template", "fault_opened", "", "{% block subject %}{{ vew.title }}{% endblock %}", "vew"),
        ("template", "fault_opened", "", "{% block subject %}", "Unexpected end of template"),
        (
            "template",
            "help",
            "",
            "{% block subject %}x{% endblock %}{% block sentence %}https://evil.example{% endblock %}",
            "outside",
        ),
        ("words", "", "de", json.dumps({NOTE: "Wie lautet Ihr Passwort?"}), "passwort"),
        ("words", "", "de", json.dumps({"%(heading)s: %(title)s": "%(title)s %(name)s"}), "there is no %(name)s"),
        ("words", "", "de", json.dumps({"%(heading)s: %(title)s": "100 % %(title)s"}), "percent sign"),
        ("words", "", "xx", "{}", "language: one of"),
        ("words", "", "de", "[]", "JSON object"),
        ("article", "door", "de", "1. Tür zu", "front matter"),
        ("article", "../door", "de", "x", "letters, digits"),
    ],
)
async def test_what_must_not_reach_a_customer_is_not_saved(
    tmp_path: Path, kind: str, name: str, language: str, text: str, why: str
) -> None:
    async with visit(tmp_path, "Lea") as web:
        body = {"kind": kind, "name": name, "language": language, "text": text}
        answer = await web.api("POST", "/api/texts", "lead", json=body)
        told = await answer.json()
        assert answer.status in (409, 422), told
        assert why in told["detail"], told
        assert web.town.rows(own_texts) == []


async def test_a_preview_shows_what_is_not_saved_by_channel_and_direction(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        words = {
            "kind": "words",
            "language": "ar",
            "template": "fault_opened",
            "text": json.dumps({NOTE: "لاحظناه بأنفسنا."}),
        }
        sms = await (await web.api("POST", "/api/texts/preview", "viewer", json={**words, "channel": "sms"})).json()
        assert (sms["direction"], sms["segments"]["encoding"]) == ("rtl", "UCS-2")
        mail = await (await web.api("POST", "/api/texts/preview", "viewer", json=words)).json()
        assert "لاحظناه بأنفسنا." in mail["html"]
        broken = {"kind": "template", "name": "help", "language": "de", "text": "{% block"}
        told = await (await web.api("POST", "/api/texts/preview", "viewer", json=broken)).json()
        assert told["error"].startswith("line 1")
        assert web.town.rows(own_texts) == []
        frame = await web.post("/texts/mail", {"kind": "template", "name": "fault_opened", "language": "de"})
        assert "sandbox" in frame.headers["Content-Security-Policy"]
        assert "frame-src 'self'" in (await web.get("/texts/messages/fault_opened")).headers["Content-Security-Policy"]


async def test_an_article_is_written_in_a_new_language_and_offered_in_it(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        page = await web.page("/texts/articles/freezer-door-open?language=it")
        assert "Not translated yet" in page
        text = "---\nrules: [freezer-door-open]\ntitle: Lo sportello è aperto\n---\n\n1. Chiuda lo sportello.\n"
        form = {"kind": "article", "name": "freezer-door-open", "language": "it", "text": text}
        told = await (await web.script("/texts/preview", form)).json()
        assert "<li>Chiuda lo sportello.</li>" in told["html"].replace("\n", "")
        assert (await web.script("/texts", form)).status == 200
        assert "Not translated yet" not in await web.page("/texts/articles/freezer-door-open?language=it")
        with pytest.raises(CommandRefused, match="it says so already"):
            web.town.do(SaveText("article", "freezer-door-open", "it", text, "Lea"))


async def test_a_message_is_sent_to_oneself_and_its_address_is_kept_nowhere(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        await save_words(web, OWN)
        body = {"template": "fault_opened", "language": "de", "channel": "email", "address": "lea@nordkaelte.example"}
        assert (await web.api("POST", "/api/texts/test", "lead", json=body)).status == 200
        ((channel, address, message),) = web.town.sent
        assert (channel, address) == ("email", "lea@nordkaelte.example")
        assert OWN in message.text
        audited = web.town.rows(schema.audit, action="texts.test")
        assert [row["subject"] for row in audited] == ["fault_opened"]
        assert "lea@" not in json.dumps([dict(row) for row in audited], default=str)
        for wrong, why in (
            ({"address": "nowhere@example.org"}, "the mail server does not answer"),
            ({"channel": "fax"}, "channel: one of"),
            ({"template": "nothing"}, "none of that name"),
        ):
            answer = await web.api("POST", "/api/texts/test", "lead", json={**body, **wrong})
            assert (answer.status, why in (await answer.json())["detail"]) == (422, True)
        await web.api("POST", "/api/hold", "lead", json={})
        assert (await web.api("POST", "/api/texts/test", "lead", json=body)).status == 409


async def test_who_may_not_write_reads_all_the_same(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia") as web:
        page = await web.page("/texts/messages/fault_opened?language=de")
        assert "readonly" in page
        assert "Save the words" not in page
        assert (await web.script("/texts", {"kind": "words", "language": "de"})).status == 403
