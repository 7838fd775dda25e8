"""Coming in and the settings, as a customer's browser sees them: all of it by forms, without a script."""

import re
from pathlib import Path
from zipfile import is_zipfile

import pytest
from aiohttp import ClientResponse
from typer.testing import CliRunner

from gateway.cli import app
from gateway.commands import CommandRefused, HandOver, Upsert
from gateway.commands.enrolment import MakeClaimCodes, MakeLinkCode
from gateway.store import schema
from gateway.store.enrolment import customer_settings
from gateway.web.customer.texts import TEXTS
from gateway.web.links import LinkSigner
from tests.gateway.making import F1, gateway
from tests.gateway.web_fleet import NOW, link
from tests.gateway.web_visit import Visit, visit

FORM = {"name": "Dora Maar", "channel": "email", "address": "dora@maar.example", "language": "fr"}


def sent_code(web: Visit) -> str:
    row = web.town.rows(schema.notifications, template="check")[-1]
    outgoing = web.town.do(HandOver(row["id"]))
    found = re.search(r"\b\d{6}\b", outgoing.rendered.text)
    assert found is not None
    return found[0]


def claim_code(web: Visit) -> str:
    web.town.do(Upsert("devices", ({"id": "n-1", "profile": "freezer", "model": "Polar 300"},), by="test"))
    return str(web.town.do(MakeClaimCodes(["n-1"], by="Mia"))[0]["code"])


async def send(web: Visit, path: str, **fields: str) -> ClientResponse:
    return await web.post(path, fields, csrf=False)


async def prove(web: Visit, page: str, channel: str = "email") -> None:
    """Give back the code that was sent to a known address, as the page asks."""
    asked = await send(web, f"{page}/prove", channel=channel)
    assert asked.status == 303
    answered = await send(web, asked.headers["Location"], code=sent_code(web))
    assert (answered.status, answered.headers["Location"]) == (303, f"{page}/settings?said=proved")


async def test_a_sticker_leads_to_a_page_of_ones_own(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        code = claim_code(web)
        shown = await web.client.get(f"/claim/{code}", headers={"Accept-Language": "fr"})
        text = await shown.text()
        assert "Polar 300" in text
        assert '<html lang="fr" dir="ltr">' in text
        started = await send(web, "/claim", code=code, **FORM)
        assert started.status == 303
        check = started.headers["Location"]
        assert "d…@maar.example" in await web.page(check)
        wrong = await send(web, check, code="000000")
        assert wrong.status == 422
        assert "essais" in (await wrong.text()).lower()
        right = await send(web, check, code=sent_code(web))
        assert right.headers["Location"].endswith("/settings?said=welcomed")
        settings = await web.page(right.headers["Location"])
        assert "Dora Maar" in settings
        assert "dora@maar.example" not in settings


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"address": "nonsense"}, "This is no e-mail address"),
        ({"code": "AAAA-AAAA-AAAA"}, "This code is not known"),
        ({"channel": "telegram"}, "We cannot send a code there"),
    ],
)
async def test_a_form_that_cannot_be_used_says_so_and_keeps_what_was_typed(
    tmp_path: Path, changed: dict[str, str], words: str
) -> None:
    async with visit(tmp_path, None) as web:
        form = {"code": claim_code(web), **FORM, "language": "en", **changed}
        answer = await send(web, "/claim", **form)
        text = await answer.text()
        assert answer.status == 422
        assert words in text
        assert 'value="Dora Maar"' in text


async def test_guessing_claim_codes_is_slowed_down(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        for _ in range(10):
            await send(web, "/claim", code="AAAA-AAAA-AAAA", **FORM)
        assert (await send(web, "/claim", code=claim_code(web), **FORM)).status == 429


async def test_settings_are_saved_and_shown(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-brown")
        form = {"language": "de", "timezone": "Europe/Berlin", "quiet_from": "21:30", "quiet_until": "06:00"}
        saved = await send(web, f"{page}/settings", **form)
        assert saved.headers["Location"] == f"{page}/settings?said=saved"
        row = web.town.rows(schema.customers, id="c-brown")[0]
        assert (row["locale"], row["timezone"], row["quiet_hours"]) == ("de", "Europe/Berlin", "21:30-06:00")
        text = await web.page(saved.headers["Location"])
        assert "Gespeichert." in text
        assert 'value="21:30"' in text
        assert (await send(web, f"{page}/settings", **{**form, "timezone": "Mars/Base"})).status == 422


def selected(text: str, purpose: str) -> str:
    """The value that a purpose's select shows."""
    select = re.search(rf'<select id="for-{purpose}".*?</select>', text, re.DOTALL)
    assert select is not None
    chosen = re.findall(r'<option value="(\w*)" selected>', select[0])
    assert len(chosen) == 1
    return str(chosen[0])


async def test_each_purpose_is_stopped_or_sent_where_its_customer_wishes(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-brown")
        before = await web.page(f"{page}/settings")
        assert [selected(before, p) for p in ("safety", "fault", "maintenance", "offer")] == ["", "", "off", "off"]
        form = {"language": "en", "timezone": "Europe/London"}
        wished = {"safety": "sms", "fault": "email", "maintenance": "", "offer": "sms", "news": "off"}
        await send(web, f"{page}/settings", **form, **{f"channel_{p}": channel for p, channel in wished.items()})
        row = web.town.rows(schema.customers, id="c-brown")[0]
        assert row["channel_choices"] == {"safety": "sms", "fault": "email", "offer": "sms"}
        assert (row["consents"], row["objections"]) == (["maintenance", "offer"], [])
        text = await web.page(f"{page}/settings")
        assert {p: selected(text, p) for p in wished} == wished
        logged = web.town.rows(schema.consent_log, customer_id="c-brown", source="their page")
        assert sorted((entry["purpose"], entry["granted"]) for entry in logged) == [
            ("maintenance", True),
            ("offer", True),
        ]
        await send(web, f"{page}/settings", **form, channel_fault="off", channel_safety="")
        row = web.town.rows(schema.customers, id="c-brown")[0]
        assert row["objections"] == ["fault"]
        assert row["channel_choices"] == {"fault": "email", "offer": "sms"}


@pytest.mark.parametrize(
    ("purpose", "channel", "words"),
    [
        ("fault", "telegram", "choice_gone"),
        ("fault", "whatsapp", "choice_gone"),
    ],
)
async def test_a_wish_that_cannot_be_met_says_so_and_changes_nothing(
    tmp_path: Path, purpose: str, channel: str, words: str
) -> None:
    async with visit(tmp_path, None) as web:
        page, before = link(web.town, "f-brown"), dict(web.town.rows(schema.customers, id="c-brown")[0])
        form = {"language": "de", "timezone": "UTC", "channel_maintenance": "", f"channel_{purpose}": channel}
        answer = await send(web, f"{page}/settings", **form)
        assert answer.status == 422
        assert TEXTS["en"][words] in await answer.text()
        assert dict(web.town.rows(schema.customers, id="c-brown")[0]) == before


async def test_an_address_nobody_proved_is_no_choice_where_proof_is_asked_for(tmp_path: Path) -> None:
    notifiers = {"email": {"url": "smtp://127.0.0.1:1", "sender": "help@nordkaelte.example"}, "trust_imported": False}
    async with visit(tmp_path, None, notifiers=notifiers) as web:
        page = link(web.town, "f-brown")
        assert '<option value="email"' not in (await web.page(f"{page}/settings")).partition("for-news")[0]
        form = {"language": "en", "timezone": "UTC", "channel_fault": "email"}
        assert (await send(web, f"{page}/settings", **form)).status == 422
        asked = await send(web, "/claim", code=claim_code(web), **{**FORM, "address": "grace@brown.example"})
        await send(web, asked.headers["Location"], code=sent_code(web))
        assert (await send(web, f"{page}/settings", **form)).status == 303
        assert selected(await web.page(f"{page}/settings"), "fault") == "email"


async def test_a_language_that_stays_keeps_its_region(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        await send(web, f"{link(web.town, 'f-brown')}/settings", language="en", timezone="Europe/London")
        assert web.town.rows(schema.customers, id="c-brown")[0]["locale"] == "en-GB"


async def test_location_is_switched_off_and_on(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-yusuf")
        await send(web, f"{page}/location", on="0")
        assert not web.town.registry.may_use_location("p-yusuf")
        assert web.town.rows(customer_settings)[0]["location"] is False
        await send(web, f"{page}/location", on="1")
        assert web.town.registry.may_use_location("p-yusuf")


async def test_no_address_or_place_is_seen_before_a_code_came_back(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-brown")
        before = await web.page(f"{page}/settings")
        for secret in ("grace@brown.example", "g…@brown", "+447400123456", "+44…", "52.49", "13.39"):
            assert secret not in before, secret
        for path in ("export", "erase"):
            refused = await send(web, f"{page}/{path}", sure="1")
            assert refused.headers["Location"] == f"{page}/settings#proof"
        assert web.town.rows(schema.customers, id="c-brown")
        await prove(web, page)
        after = await web.page(f"{page}/settings")
        for shown in ("grace@brown.example", "+447400123456", "52.4986"):
            assert shown in after, shown


async def test_a_proof_opens_no_other_customers_page(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        await prove(web, link(web.town, "f-brown"))
        text = await web.page(f"{link(web.town, 'f-lumen')}/settings")
        assert "lumen.example" not in text


async def test_a_check_of_one_customer_proves_nothing_on_anothers_page(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        asked = await send(web, f"{link(web.town, 'f-brown')}/prove", channel="email")
        check = asked.headers["Location"].rpartition("/")[2]
        other = link(web.town, "f-lumen")
        answer = await send(web, f"{other}/check/{check}", code=sent_code(web))
        assert answer.status == 422
        assert "proof" not in answer.cookies


async def test_a_new_address_is_checked_and_an_old_one_taken_away(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-brown")
        await prove(web, page)
        asked = await send(web, f"{page}/address", channel="email", address="grace@new.example")
        await send(web, asked.headers["Location"], code=sent_code(web))
        assert web.town.rows(schema.customers, id="c-brown")[0]["email"] == "grace@new.example"
        await send(web, f"{page}/address", drop="sms")
        assert web.town.rows(schema.customers, id="c-brown")[0]["phone"] is None
        last = await send(web, f"{page}/address", drop="email")
        assert last.status == 422
        assert "only way we reach you" in await last.text()


async def test_whatsapp_is_linked_by_a_link_that_carries_a_code(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-brown")
        await prove(web, page)
        text = await (await send(web, f"{page}/link", channel="whatsapp")).text()
        assert re.search(r'href="https://wa\.me/4930123456\?text=LINK-[0-9A-Z]{12}"', text)
        assert (await send(web, f"{page}/link", channel="telegram")).status == 422


async def test_whoever_was_forwarded_a_link_adds_no_messenger_of_their_own(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-brown")
        assert f'action="{page}/link"' not in await web.page(f"{page}/settings")
        refused = await send(web, f"{page}/link", channel="whatsapp")
        assert refused.headers["Location"] == f"{page}/settings#proof"
        with pytest.raises(CommandRefused, match=r"link\.unproved"):
            web.town.do(MakeLinkCode("c-brown", "whatsapp", proved=False))


async def test_a_customer_takes_their_data_along_and_is_forgotten(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-brown")
        await prove(web, page)
        copy = await send(web, f"{page}/export")
        (tmp_path / "copy.zip").write_bytes(await copy.read())
        assert is_zipfile(tmp_path / "copy.zip")
        asked = await send(web, f"{page}/erase")
        assert "for ever" in await asked.text()
        assert web.town.rows(schema.customers, id="c-brown")
        await send(web, f"{page}/erase", sure="1")
        assert web.town.rows(schema.customers, id="c-brown") == []
        assert (await web.get(page)).status == 404


async def test_revoked_links_are_gone_and_the_new_one_works(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-brown")
        signer = LinkSigner({"1": "k" * 32}, "1", lambda: NOW.replace(hour=1), "http://127.0.0.1:8080")
        old = signer.token("c-brown")
        answer = await send(web, f"{page}/revoke")
        assert "said=revoked" in answer.headers["Location"]
        assert (await web.get(answer.headers["Location"])).status == 200
        assert (await web.get(f"/p/{old}")).status == 410
        assert (await web.client.post(f"/p/{old}/stop")).status == 200


def test_claim_codes_are_written_as_a_table_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    with gateway(f"sqlite:///{tmp_path / 'data' / 'gateway.sqlite'}", tmp_path / "data") as made:
        made.submit(
            Upsert("devices", ({"id": "n/1", "profile": "freezer"}, {"id": "n2", "profile": "freezer"}), "test")
        )
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["devices", "claim-codes", "n*", "-o", "codes.csv", "--qr", "qr"])
    assert done.exit_code == 0, done.output
    lines = (tmp_path / "codes.csv").read_text().splitlines()
    assert lines[0] == "device_id,code,url"
    assert re.fullmatch(r"n/1,(\w{4}-\w{4}-\w{4}),http://127\.0\.0\.1:8080/claim/\1", lines[1])
    assert sorted(file.name for file in (tmp_path / "qr").iterdir()) == ["n2.svg", "n_1.svg"]
    assert CliRunner().invoke(app, ["devices", "claim-codes", F1["id"]]).exit_code == 0
    assert CliRunner().invoke(app, ["devices", "claim-codes", "n9"]).exit_code == 1
