"""A customer's data: every column is decided on, the export holds all of it, and erasure leaves nobody behind."""

import json
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from device_models.contact import Role
from device_models.purpose import Purpose
from gateway.cli import app
from gateway.commands import CommandRefused, SetConsent, Upsert
from gateway.commands.people import EraseCustomer, HistoryForgot, SaveContact
from gateway.people.personal import HELD, IMPERSONAL
from gateway.store import schema
from gateway.store.erasure import history_erasures
from gateway.store.store import Store
from gateway.store.tables import metadata
from tests.gateway.making import ANA, F1, gateway
from tests.gateway.web_visit import visit


@pytest.mark.parametrize("table", sorted(metadata.tables))
def test_each_table_and_column_is_decided_on(table: str) -> None:
    columns = {column.name for column in metadata.tables[table].columns}
    held = HELD.get(table)
    assert (held is None) != (table not in IMPERSONAL), "decide in gateway/people/personal.py"
    if held is None:
        assert IMPERSONAL[table] == columns
    elif not held.deletes:
        assert held.fates.keys() == columns


def test_nothing_is_decided_on_that_is_not_there() -> None:
    assert HELD.keys() | IMPERSONAL.keys() == metadata.tables.keys()


def everything(store: Store) -> str:
    """All rows of all tables as one text."""
    with store.read() as connection:
        found = {
            table.name: [[str(value) for value in row] for row in connection.execute(sa.select(table))]
            for table in metadata.sorted_tables
        }
    return json.dumps(found, ensure_ascii=False)


async def test_the_export_holds_rows_of_every_kind_and_the_history(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        whole = await (await web.api("GET", "/api/customers/c-souza/export")).json()
        held = whole["held"]
        assert held["customers"][0]["name"] == "Ana Souza"
        assert {table for table, rows in held.items() if rows} >= {
            "customers",
            "devices",
            "device_people",
            "cases",
            "timeline",
            "notifications",
            "inbound",
            "transitions",
        }
        assert any("Desliguei" in row["text"] for row in held["inbound"])
        assert "compressor_current" in whole["history"]["f-souza"]["samples"]
        assert all(row["customer_id"] == "c-souza" for row in held["cases"])
        assert "c-lumen" not in json.dumps(whole)


async def test_the_zip_has_the_rows_and_a_table_of_samples(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        answer = await web.api("GET", "/api/customers/c-souza/export?format=zip")
        with zipfile.ZipFile(BytesIO(await answer.read())) as archive:
            assert "customer.json" in archive.namelist()
            lines = archive.read("history/1-samples.csv").decode().splitlines()
        assert lines[0] == "device_id,field,at,value"
        assert lines[1].startswith("f-souza,")
        assert (await web.api("GET", "/api/customers/nobody/export")).status == 404
        assert (await web.api("GET", "/api/customers/c-souza/export", role="lead")).status == 403


async def test_erasure_leaves_nothing_that_leads_back_to_the_person(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-souza", "freezer-compressor-stopped")["id"]
        page = f"/p/{web.town.deps.links.token('c-souza', case)}"
        before = everything(web.town.store)
        secrets = (
            "c-souza",
            "Souza",
            "souza.example",
            "5511912345678",
            "Desliguei",
            "17h",
            "Garage freezer",
            "Neukölln",
        )
        assert [secret for secret in secrets if secret not in before] == []
        answer = await web.api("POST", "/api/customers/c-souza/erase")
        assert answer.status == 200
        assert (await answer.json())["devices"] == ["f-souza"]
        after = everything(web.town.store)
        assert [secret for secret in secrets if secret in after] == []
        assert (await web.get(page)).status == 404
        # What staff see of it still opens, and the sums stay the same.
        assert "#" in await web.page(f"/cases/{case}")
        await web.page("/")
        await web.page("/messages")
        assert len(web.town.rows(schema.cases)) >= 1


async def test_others_are_left_as_they_are(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:

        def of_others() -> list[sa.RowMapping]:
            return [row for row in web.town.rows(schema.notifications) if row["customer_id"] == "c-lumen"]

        before = of_others()
        web.town.do(EraseCustomer("c-souza", "Ada"))
        assert of_others() == before
        assert web.town.rows(schema.customers, id="c-lumen")[0]["name"]


async def test_a_persons_phone_goes_as_a_whole_and_the_history_is_asked_to_forget(tmp_path: Path) -> None:
    async with visit(tmp_path, None) as web:
        done = web.town.do(EraseCustomer("c-yusuf", "Ada"))
        assert sorted(done["devices"]) == ["f-yusuf", "p-yusuf"]
        assert web.town.rows(schema.devices, id="p-yusuf") == []
        assert web.town.rows(schema.devices, id="f-yusuf")[0]["latitude"] is None
        asked = [row["device_id"] for row in web.town.rows(history_erasures)]
        assert asked == ["f-yusuf", "p-yusuf"]
        web.town.do(HistoryForgot(asked))
        assert web.town.rows(history_erasures) == []


def test_what_waits_is_cancelled_and_a_contact_hears_no_more(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path) as made:
        made.submit(Upsert("customers", ({"id": "ben", "name": "Ben Okri", "email": "ben@example.com"},), by="test"))
        made.submit(SaveContact("f1", "ben", Role.HOUSEHOLD, by="Mia"))
        made.temperature(-18, 0)
        made.temperature(-5, 20)
        made.temperature(-5, 31)
        made.submit(EraseCustomer("ben", "Ada"))
        states = {row["customer_id"][:6]: row["state"] for row in made.rows(schema.notifications)}
        assert states == {"ana": "queued", "erased": "cancelled"}
        made.temperature(-18, 60)
        made.temperature(-5, 80)
        made.temperature(-5, 91)
        assert {row["customer_id"][:6] for row in made.rows(schema.notifications, state="queued")} == {"ana"}
        after = everything(made.store)
        assert [secret for secret in ("'ben'", ":ben", "Ben Okri", "ben@") if secret in after] == []


def test_what_an_erased_person_had_stopped_stays_stopped_at_their_address(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path) as made:
        made.submit(SetConsent("ana", (Purpose.FAULT,), granted=False, source="STOP by email"))
        made.submit(EraseCustomer("ana", "Ada"))
        assert "ana@example.com" not in everything(made.store)
        again = {**ANA, "id": "a2", "email": "Ana@example.com", "consents": ["offer"]}
        made.submit(Upsert("customers", (again, {"id": "b", "name": "B", "email": "b@example.com"}), by="test"))
        assert made.rows(schema.customers, id="a2")[0]["objections"] == ["fault"]
        assert made.rows(schema.customers, id="b")[0]["objections"] == []


def test_an_erasure_that_fails_changes_nothing_in_memory(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path) as made:
        with pytest.raises(CommandRefused, match="no customer ben"):
            made.submit(EraseCustomer("ben", "Ada"))
        made.submit(EraseCustomer("ana", "Ada"))
        with pytest.raises(CommandRefused, match="no customer ana"):
            made.submit(EraseCustomer("ana", "Ada"))
        made.submit(Upsert("devices", (F1,), by="test"))


def test_the_command_line_exports_and_erases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with gateway(f"sqlite:///{tmp_path / 'data' / 'gateway.sqlite'}", _folder(tmp_path)):
        pass
    monkeypatch.chdir(tmp_path)
    run = CliRunner()
    shown = run.invoke(app, ["export", "customer", "ana"])
    assert json.loads(shown.stdout)["held"]["customers"][0]["email"] == "ana@example.com"
    assert run.invoke(app, ["export", "customer", "ana", "-o", "ana.zip"]).exit_code == 0
    assert zipfile.is_zipfile(tmp_path / "ana.zip")
    assert run.invoke(app, ["export", "customer", "nobody"]).exit_code == 1
    assert run.invoke(app, ["erase", "device", "f1", "--yes"]).exit_code == 2
    assert run.invoke(app, ["erase", "customer", "ana"], input="n\n").exit_code == 1
    erased = run.invoke(app, ["erase", "customer", "ana", "--yes"])
    assert erased.exit_code == 0, erased.output
    assert "1 devices belong to nobody" in erased.output
    assert run.invoke(app, ["erase", "customer", "ana", "--yes"]).exit_code == 1


def _folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"
