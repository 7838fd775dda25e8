"""Files of a conversation: kept with their message, shown to whom it concerns, run by nobody, gone with the person."""

import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from aiohttp import ClientResponse, FormData

from gateway import commands as c
from gateway.commands.people import EraseCustomer, TransferDevice
from gateway.store import schema
from gateway.store.attachments import attachments
from gateway.web.customer.texts import TEXTS
from notifiers.attachment import LARGEST, LARGEST_SENT, Attachment
from notifiers.message import Outgoing
from tests.gateway.making import Gateway, gateway
from tests.gateway.web_fleet import link
from tests.gateway.web_visit import Visit, visit

LID = Attachment("lid.jpg", "image/jpeg", b"\xff\xd8\xff lid")
LOGO = Attachment("logo.png", "image/png", b"\x89PNG\r\n\x1a\n logo")
BILL = Attachment("bill.pdf", "application/pdf", b"%PDF-1.7 bill")


@pytest.fixture
def told(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    """Ana was told of her freezer by mail."""
    with gateway(store_url, tmp_path) as made:
        for celsius, minutes in ((-18, 0), (-8, 5), (-7, 10), (-6, 16)):
            made.temperature(celsius, minutes)
        yield made


def mail(number: int, *files: Attachment, verified: bool = True) -> c.MailArrived:
    return c.MailArrived(f"<{number}@example.com>", "ana@example.com", verified, "See.", "See.", (), files)


def kept(told: Gateway) -> list[tuple[str, int | None, str | None]]:
    return [(row["name"], row["case_id"], row["customer_id"]) for row in told.rows(attachments)]


def test_the_picture_of_a_signature_is_kept_once_a_case(told: Gateway) -> None:
    told.submit(mail(1, LID, LOGO))
    told.submit(mail(2, LOGO, BILL))
    told.submit(mail(2, LOGO, BILL))
    [case] = told.rows(schema.cases)
    assert kept(told) == [(name, case["id"], "ana") for name in ("lid.jpg", "logo.png", "bill.pdf")]
    assert told.rows(attachments)[0]["content"] == LID.content


def test_files_follow_a_message_that_a_person_joins_or_discards_or_splits_off(told: Gateway) -> None:
    told.submit(mail(1, LID, verified=False))
    told.submit(mail(2, BILL, verified=False))
    assert kept(told) == [("lid.jpg", None, None), ("bill.pdf", None, None)]
    [case] = told.rows(schema.cases)
    first, second = told.rows(schema.inbound)
    told.submit(c.JoinMessage(first["id"], case["id"], "Mia"))
    told.submit(c.DiscardMessage(second["id"], "Mia"))
    assert kept(told) == [("lid.jpg", case["id"], "ana")]
    [entry] = told.rows(schema.timeline, kind="message_in")
    other = told.submit(c.SplitCase(case["id"], entry["id"], "Mia"))
    assert kept(told) == [("lid.jpg", other, "ana")]


def test_what_an_agent_sends_goes_with_the_mail_and_what_is_noted_stays(told: Gateway) -> None:
    [case] = told.rows(schema.cases)
    told.submit(c.AddNote(case["id"], "from the technician", "Mia", (LID,)))
    sent = told.submit(c.Reply(case["id"], "Here is the bill.", "Mia", files=(BILL,)))
    outgoing = told.submit(c.HandOver(sent))
    assert isinstance(outgoing, Outgoing)
    assert outgoing.files == (BILL,)
    told.submit(TransferDevice("f1", None, "test"))
    told.submit(EraseCustomer("ana", "test"))
    assert told.rows(attachments) == []


async def send(web: Visit, path: str, text: str, *files: tuple[str, bytes], api: bool = False) -> ClientResponse:
    form = FormData(quote_fields=False)
    form.add_field("text", text)
    for name, content in files:
        form.add_field("file", content, filename=name, content_type="text/html")
    if api:
        return await web.api("POST", f"/api{path}", "agent", data=form)
    headers = {"Accept": "application/json", "X-CSRF-Token": web.csrf}
    return await web.client.post(path, data=form, headers=headers, allow_redirects=False)


async def test_a_file_is_shown_in_the_thread_and_served_so_that_nothing_in_it_runs(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-souza", "freezer-compressor-stopped")["id"]
        hostile = LID.content + b"<script>alert(1)</script>"
        answer = await send(web, f"/cases/{case}/reply", "Look at this.", ('<b>"lid.html', hostile))
        assert answer.status == 200, await answer.text()
        [row] = web.town.rows(attachments)
        page = await web.page(f"/cases/{case}")
        assert f'href="/attachments/{row["id"]}"' in page
        assert "lid.html.jpg" in page
        assert '<b>"lid' not in page
        file = await web.get(f"/attachments/{row['id']}")
        assert await file.read() == hostile
        assert file.headers["Content-Type"] == "image/jpeg"
        assert file.headers["X-Content-Type-Options"] == "nosniff"
        assert file.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert file.headers["Content-Disposition"].startswith('attachment; filename="_b__lid.html.jpg"; ')
        told = await (await web.api("GET", f"/api/cases/{case}")).json()
        [shown] = [file for entry in told["timeline"] for file in entry["attachments"]]
        assert (await (await web.api("GET", shown["url"], "viewer")).read()) == hostile
        assert (await send(web, f"/cases/{case}/note", "Mine.", ("bill.pdf", BILL.content), api=True)).status == 200
        assert [row["name"] for row in web.town.rows(attachments, case_id=case)][1:] == ["bill.pdf"]
        exported = await web.api("GET", "/api/customers/c-souza/export?format=zip")
        with zipfile.ZipFile(BytesIO(await exported.read())) as archive:
            assert archive.read(f"files/{row['id']}-{row['name']}") == hostile


@pytest.mark.parametrize(
    ("files", "status"),
    [
        ([("lid.html", b"<html>")], 422),
        ([("lid.jpg", LID.content + bytes(LARGEST))], 422),
        ([(f"{n}.jpg", LID.content) for n in range(11)], 422),
        ([("lid.jpg", bytes(LARGEST_SENT + 2**20))], 413),
    ],
)
async def test_a_message_whose_file_is_not_kept_is_not_sent(
    tmp_path: Path, files: list[tuple[str, bytes]], status: int
) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-souza", "freezer-compressor-stopped")["id"]
        before = len(web.town.rows(schema.timeline))
        answer = await send(web, f"/cases/{case}/reply", "Look at this.", *files)
        assert answer.status == status
        assert (await answer.json())["detail"]
        assert len(web.town.rows(schema.timeline)) == before
        assert web.town.rows(attachments) == []


async def test_a_customer_adds_a_photo_on_their_page_and_sees_it_and_no_other(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-souza", "freezer-compressor-stopped")["id"]
        page = link(web.town, "f-souza", "freezer-compressor-stopped")
        await send(web, f"/cases/{case}/note", "Not for her.", ("bill.pdf", BILL.content))
        assert (await send(web, f"{page}/write", "", ("lid.jpg", LID.content))).status == 303
        note, photo = web.town.rows(attachments)
        assert photo["customer_id"] == "c-souza"
        assert f'src="{page}/files/{photo["id"]}"' in await web.page(page)
        assert await (await web.get(f"{page}/files/{photo['id']}")).read() == LID.content
        assert (await web.get(f"{page}/files/{note['id']}")).status == 404
        other = link(web.town, "f-brown")
        assert (await web.get(f"{other}/files/{photo['id']}")).status == 404
        refused = await send(web, f"{page}/write", "my film", ("film.mp4", b"ftyp"))
        assert refused.status == 422
        assert TEXTS["pt"]["not_kept"] in await refused.text()
        assert (await send(web, f"{page}/write", "", ("lid.jpg", bytes(LARGEST_SENT + 2**20)))).status == 413
