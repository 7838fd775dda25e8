"""What an import changes: the columns it has, and nothing that a customer said themselves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from device_models.purpose import Purpose
from device_models.registry import Customer, Device, Origin
from gateway.cli import app
from gateway.commands import CustomerWrote, HandOver, Resend, SendFailed, SetConsent, Upsert
from gateway.commands.enrolment import AnswerCheck, DropAddress, MakeLinkCode, SaveSettings, SendCheck
from gateway.people.renewal import renewed
from gateway.store import schema
from tests.gateway.making import T0, Gateway, gateway
from tests.gateway.test_enrolment import sent_code

KNOWN = Customer(id="ana", name="Ana", locale="pt-BR", email="ana@example.com", quiet_hours="22:00-07:00", tier="gold")
FILE = {"id": "ana", "name": "Ana Souza", "locale": "pt-BR", "timezone": "UTC", "email": "ana@example.com"}


@pytest.fixture
def made(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    with gateway(store_url, tmp_path) as opened:
        yield opened


def row(made: Gateway) -> Any:
    return made.rows(schema.customers, id="ana")[0]


def told(made: Gateway, **file: Any) -> Any:
    """Import Ana's row of the company's file; return hers."""
    made.submit(Upsert("customers", (FILE | file,), by="import"))
    return row(made)


def test_a_column_that_is_not_there_stays_and_an_emptied_one_is_emptied() -> None:
    said = Customer.model_validate({"id": "ana", "name": "Ana S.", "tier": "", "locale": "pt"})
    after = renewed(KNOWN, said, T0)
    assert isinstance(after, Customer)
    assert (after.name, after.locale, after.quiet_hours, after.tier) == ("Ana S.", "pt", "22:00-07:00", None)
    assert after.email == "ana@example.com"


def test_a_device_keeps_what_its_row_does_not_say_and_its_owner_in_any_case() -> None:
    known = Device(id="f1", profile="freezer", customer_id="ana", site="Lumen", firmware="2.1")
    after = renewed(known, Device.model_validate({"id": "f1", "customer_id": "", "site": ""}), T0)
    assert after == Device(id="f1", profile="freezer", customer_id="ana", firmware="2.1")


def test_addresses_are_joined_and_an_emptied_column_takes_only_imported_ones_away() -> None:
    own = {"telegram": Origin(source="link", at=T0, own=True), "line": Origin(source="their page", at=T0, own=True)}
    known = KNOWN.model_copy(update={"addresses": {"telegram": "4711", "webhook": "a-1"}, "origins": own})
    brought = {"telegram": "666", "line": "U666", "push": "token"}
    joined = renewed(known, Customer(id="ana", name="Ana", addresses=brought), T0)
    assert isinstance(joined, Customer)
    assert joined.addresses == {"telegram": "4711", "webhook": "a-1", "push": "token"}
    emptied = renewed(known, Customer.model_validate({"id": "ana", "name": "Ana", "addresses": ""}), T0)
    assert isinstance(emptied, Customer)
    assert emptied.addresses == {"telegram": "4711"}


def test_each_consent_and_address_keeps_its_own_source_and_time() -> None:
    first = Customer.model_validate(
        {**FILE, "consents": "offer news", "consent_source": "app", "origins": "news=fair/2026-01-05T10:00:00Z"}
    )
    after = renewed(None, first, T0)
    assert isinstance(after, Customer)
    assert {what: origin.source for what, origin in after.origins.items()} == {
        "offer": "app",
        "news": "fair",
        "email": "app",
    }
    later = Customer.model_validate({"id": "ana", "name": "Ana", "consents": "offer fault", "phone": "+4915112345678"})
    after = renewed(after, later, T0)
    assert isinstance(after, Customer)
    assert after.origins["fault"] == Origin(source="import", at=T0)
    assert after.origins["sms"] == Origin(source="import", at=T0)
    assert (after.origins["offer"].source, after.origins["email"].source) == ("app", "app")
    assert "news" not in after.origins


def test_what_a_customer_set_outlasts_every_import(made: Gateway) -> None:
    made.submit(CustomerWrote("telegram", "u1", "telegram", "4711", made.submit(MakeLinkCode("ana", "telegram", True))))
    made.submit(SaveSettings("ana", locale="de", timezone="Europe/Berlin", quiet_hours="21:00-06:00"))
    made.submit(SaveSettings("ana", purposes={Purpose.OFFER: True, Purpose.MAINTENANCE: False}))
    after = told(made, quiet_hours="23:00-05:00", addresses={"telegram": "1"}, consents=["news", "maintenance"])
    assert (after["name"], after["addresses"]) == ("Ana Souza", {"telegram": "4711"})
    assert (after["locale"], after["timezone"], after["quiet_hours"]) == ("de", "Europe/Berlin", "21:00-06:00")
    assert (after["consents"], after["objections"]) == (["news", "offer"], ["maintenance"])
    assert after["origins"]["locale"]["source"] == "their page"


def test_an_import_brings_back_no_address_that_was_changed_or_taken_away(made: Gateway) -> None:
    told(made, phone="+4915112345678")
    token = made.submit(SendCheck("ana", "email", "ana@work.example"))["token"]
    made.submit(AnswerCheck(token, sent_code(made)))
    made.submit(DropAddress("ana", "sms"))
    after = told(made, phone="+4915112345678")
    assert (after["email"], after["phone"]) == ("ana@work.example", None)


def test_an_address_that_staff_mended_stays_mended(made: Gateway) -> None:
    for minutes, celsius in ((0, -18), (20, -5), (31, -5)):
        made.temperature(celsius, minutes)
    [message] = made.rows(schema.notifications)
    made.submit(HandOver(message["id"]))
    made.submit(SendFailed(message["id"], "undeliverable", "550 no such user"))
    made.submit(Resend(message["id"], "Mia", "ana@home.example"))
    assert told(made)["email"] == "ana@home.example"


def test_consents_of_an_import_are_in_the_log_with_their_source_and_time(made: Gateway) -> None:
    told(made, consents=["offer"], consent_source="app", consented_at="2026-01-12T09:30:00Z")
    told(made, consents=["offer", "news"])
    told(made, consents=["news"], objections=["fault"])
    made.submit(SetConsent("ana", (Purpose.NEWS,), granted=False, source="stop by sms"))
    logged = made.rows(schema.consent_log, customer_id="ana")
    assert [(r["purpose"], r["granted"], r["source"]) for r in logged] == [
        ("offer", True, "app"),
        ("news", True, "import"),
        ("fault", False, "import"),
        ("offer", False, "import"),
        ("news", False, "stop by sms"),
    ]
    assert logged[0]["at"].isoformat() == "2026-01-12T09:30:00+00:00"


def test_a_file_without_a_column_leaves_it_and_one_with_an_empty_cell_empties_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    url = f"sqlite:///{tmp_path / 'data' / 'gateway.sqlite'}"
    with gateway(url, tmp_path / "data") as made:
        told(made, quiet_hours="22:00-07:00", tier="gold")
    (tmp_path / "c.csv").write_text("id,name,tier\nana,Ana,\n")
    done = CliRunner().invoke(app, ["import", "customers", "c.csv"])
    assert done.exit_code == 0, done.output
    with gateway(url, tmp_path / "data", records=False) as made:
        assert (row(made)["quiet_hours"], row(made)["tier"]) == ("22:00-07:00", None)
