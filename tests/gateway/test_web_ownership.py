"""What the pages show once a device has another owner, and what a contact sees of it."""

from pathlib import Path

from device_models.contact import Role
from gateway.commands import AddNote
from gateway.commands.people import ReplaceDevice, SaveContact, TransferDevice
from gateway.store import schema
from gateway.store.ownership import device_people
from tests.gateway.web_fleet import link
from tests.gateway.web_visit import visit


async def test_the_old_owners_link_shows_nothing_and_still_stops(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        page = link(web.town, "f-lumen")
        web.town.do(TransferDevice("f-lumen", "c-brown", by="Mia"))
        gone = await web.get(page)
        assert gone.status == 410
        assert "Ice cream" not in await gone.text()
        assert (await web.client.post(f"{page}/stop")).status == 200
        assert "fault" in web.town.rows(schema.customers, id="c-lumen")[0]["objections"]


async def test_the_new_owner_sees_nothing_of_what_the_old_one_said(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        web.town.do(TransferDevice("f-souza", "c-brown", by="Mia"))
        text = await web.page(link(web.town, "f-souza", "freezer-compressor-stopped"))
        assert "Grace Brown" in text
        for theirs in ("Desliguei", "técnico", "Garage freezer", "Ana"):
            assert theirs not in text, theirs


async def test_a_caretaker_sees_the_case_and_no_word_of_the_owner(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        case = web.town.case_of("f-souza", "freezer-compressor-stopped")
        web.town.do(AddNote(case["id"], "Customer sounds annoyed.", "Mia"))
        page = f"/p/{web.town.deps.links.token('c-brown', case['id'])}"
        assert "compressor" not in await web.page(page)
        web.town.do(SaveContact("f-souza", "c-brown", Role.CARETAKER, by="Mia"))
        text = await web.page(page)
        assert "Garage freezer" in text
        assert "Desliguei" not in text


async def test_leads_change_owners_and_contacts_by_the_api(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        contact = {"customer_id": "c-brown", "role": "household", "purposes": ["safety"]}
        assert (await web.api("POST", "/api/devices/f-lumen/contacts", json=contact)).status == 200
        assert web.town.rows(device_people, customer_id="c-brown", device_id="f-lumen")[0]["purposes"] == ["safety"]
        sold = await web.api("POST", "/api/devices/f-lumen/transfer", json={"customer_id": "c-ruiz"})
        assert (await sold.json())["customer_id"] == "c-ruiz"
        assert (await web.api("POST", "/api/devices/f-lumen/transfer", json={})).status == 422
        bad = {"customer_id": "c-brown", "at": "yesterday"}
        assert (await web.api("POST", "/api/devices/f-lumen/transfer", json=bad)).status == 422
        swapped = await web.api("POST", "/api/devices/f-lumen/replace", json={"new_id": "f-lumen-b"})
        assert (await swapped.json())["replaces"] == "f-lumen"
        assert (
            await web.api("POST", "/api/devices/learn", json={"device_ids": ["x"], "profile": "freezer"})
        ).status == 409


async def test_a_devices_page_names_its_people_and_the_unit_before_it(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        web.town.do(SaveContact("f-lumen", "c-brown", Role.CARETAKER, by="Mia"))
        web.town.do(ReplaceDevice("f-lumen", "f-lumen-b", by="Mia"))
        new, old = await web.page("/devices/f-lumen-b"), await web.page("/devices/f-lumen")
        for words in ("Café Lumen", "Grace Brown", "caretaker: fault, maintenance, safety", "It took the place of"):
            assert words in new, words
        assert "took its place" in old
        assert "until" in old
