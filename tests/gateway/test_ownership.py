"""Devices that change hands: what ends for one owner, what begins for the next, and who else hears."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from device_models.contact import Role
from device_models.purpose import Purpose
from gateway.commands import Command, CommandRefused, CreateSilence, CustomerWrote, HandOver, Reply, Sent, Sweep, Upsert
from gateway.commands.desk import AskForCall, ConfirmBooking, HoldSlot, OfferSlots
from gateway.commands.people import EndContact, LearnDevices, ReplaceDevice, SaveContact, TransferDevice
from gateway.people.ownership import visible_since
from gateway.store import schema
from gateway.store.desk import bookings, tasks
from gateway.store.ownership import device_people, device_replacements
from tests.gateway.making import T0, Gateway, gateway

BEN = {"id": "ben", "name": "Ben Okri", "locale": "en", "email": "ben@example.com"}
CARLA = {"id": "carla", "name": "Carla", "locale": "en", "email": "carla@example.com"}


@pytest.fixture
def made(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    with gateway(store_url, tmp_path) as opened:
        opened.submit(Upsert("customers", (BEN, CARLA), by="test"))
        yield opened


def warm_up(made: Gateway) -> sa.RowMapping:
    """Let freezer f1 get too warm after it was well; return the case."""
    made.temperature(-18, 0)
    made.temperature(-5, 20)
    made.temperature(-5, 31)
    return made.rows(schema.cases)[-1]


def told(made: Gateway, state: str = "queued") -> list[str]:
    """Who is told that something is wrong; a new owner is welcomed besides."""
    return [row["customer_id"] for row in made.rows(schema.notifications, state=state, template="fault_opened")]


def test_an_imported_device_has_its_owner_written_down_once(made: Gateway) -> None:
    made.submit(Upsert("devices", ({"id": "f1", "profile": "freezer", "customer_id": "ana"},), by="test"))
    rows = made.rows(device_people)
    assert [(r["device_id"], r["customer_id"], r["role"], r["ends_at"]) for r in rows] == [("f1", "ana", "owner", None)]


def test_an_import_that_names_no_owner_takes_none_away(made: Gateway) -> None:
    made.submit(Upsert("devices", ({"id": "f1", "profile": "freezer", "firmware": "2"},), by="test"))
    assert made.rows(schema.devices, id="f1")[0]["customer_id"] == "ana"


def test_a_transfer_ends_the_old_owners_case_and_opens_the_new_owners(made: Gateway) -> None:
    old = warm_up(made)
    assert told(made) == ["ana"]
    done = made.submit(TransferDevice("f1", "ben", by="Mia"))
    assert (done["ended_messages"], done["ended_cases"]) == (1, 1)
    before, after = made.rows(schema.cases)
    assert (before["id"], before["state"], before["customer_id"]) == (old["id"], "resolved", "ana")
    assert (after["state"], after["customer_id"], after["previous_case_id"]) == ("open", "ben", old["id"])
    assert told(made) == ["ben"]
    device = made.rows(schema.devices, id="f1")[0]
    assert (device["customer_id"], device["name"], device["latitude"]) == ("ben", None, None)


def test_the_old_owner_hears_no_end_of_a_fault_that_is_the_new_owners(made: Gateway) -> None:
    warm_up(made)
    first = made.rows(schema.notifications)[0]["id"]
    made.submit(HandOver(first))
    made.submit(Sent(first, "smtp", "<1@x>"))
    made.submit(TransferDevice("f1", "ben", by="Mia"))
    second = made.rows(schema.notifications, template="fault_opened")[-1]["id"]
    made.submit(HandOver(second))
    made.submit(Sent(second, "smtp", "<2@x>"))
    made.temperature(-18, 45)
    ended = [
        (r["template"], r["customer_id"])
        for r in made.rows(schema.notifications)
        if r["template"] not in ("fault_opened", "welcome")
    ]
    assert ended == [("fault_resolved", "ben")]


def test_a_fault_that_returns_reopens_no_case_of_the_owner_before(made: Gateway) -> None:
    warm_up(made)
    made.temperature(-18, 40)
    made.submit(TransferDevice("f1", "ben", by="Mia"))
    made.temperature(-5, 60)
    made.temperature(-5, 71)
    assert [(r["customer_id"], r["state"]) for r in made.rows(schema.cases)] == [("ana", "resolved"), ("ben", "open")]


def test_a_device_given_to_nobody_opens_cases_for_staff_alone(made: Gateway) -> None:
    made.submit(TransferDevice("f1", None, by="Mia"))
    case = warm_up(made)
    assert case["customer_id"] is None
    assert made.rows(schema.notifications) == []


def test_what_the_old_owner_muted_is_heard_by_the_new_one(made: Gateway) -> None:
    ends = T0 + timedelta(days=3)
    made.submit(CreateSilence("Ana Souza", "away", ends, device_id="f1", customer_id="ana"))
    made.temperature(-18, 0)
    made.temperature(-5, 20)
    made.temperature(-5, 31)
    assert made.rows(schema.cases) == []
    made.submit(TransferDevice("f1", "ben", by="Mia"))
    made.tick(32)
    assert [case["customer_id"] for case in made.rows(schema.cases)] == ["ben"]


def test_the_new_owners_past_begins_where_the_old_owners_ends(made: Gateway) -> None:
    with made.store.read() as connection:
        assert visible_since(connection, "f1", "ana") is None
    made.now = T0 + timedelta(days=2)
    sold = T0 + timedelta(days=1)
    made.submit(TransferDevice("f1", "ben", by="Mia", at=sold))
    with made.store.read() as connection:
        assert visible_since(connection, "f1", "ben") == sold
    assert [(r["customer_id"], r["ends_at"]) for r in made.rows(device_people)] == [("ana", sold), ("ben", None)]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (TransferDevice("f9", "ben", by="Mia"), "there is no device f9"),
        (TransferDevice("f1", "nobody", by="Mia"), "there is no customer nobody"),
        (TransferDevice("f1", "ana", by="Mia"), "belongs to ana already"),
        (TransferDevice("f1", "ben", by="Mia", at=T0 + timedelta(days=1)), "future"),
        (TransferDevice("f1", "ben", by="Mia", at=T0 - timedelta(days=1)), "only since"),
        (SaveContact("f1", "ana", Role.HOUSEHOLD, by="Mia"), "owns device f1"),
        (SaveContact("f1", "ben", Role.OWNER, by="Mia"), "by a transfer"),
        (SaveContact("f1", "ben", Role.CARETAKER, by="Mia", purposes=(Purpose.OFFER,)), "owner alone"),
        (EndContact("f1", "ben", by="Mia"), "no contact"),
        (ReplaceDevice("f1", "f1", by="Mia"), "its own place"),
        (ReplaceDevice("f1", "+/x", by="Mia"), "cannot be a device's"),
        (LearnDevices(["f1"], "freezer", by="Mia"), "registered already"),
        (LearnDevices(["f9"], "freezer", by="Mia"), "nothing was heard"),
        (LearnDevices(["f9"], "toaster", by="Mia"), "no profile 'toaster'"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(made: Gateway, command: Command, words: str) -> None:
    with pytest.raises(CommandRefused, match=words):
        made.submit(command)
    assert len(made.rows(device_people)) == 1
    assert made.rows(schema.devices, id="f1")[0]["customer_id"] == "ana"


def test_an_import_that_names_another_owner_is_a_transfer(made: Gateway) -> None:
    warm_up(made)
    sold = {"id": "f1", "profile": "freezer", "customer_id": "ben", "name": "Bar freezer"}
    made.submit(Upsert("devices", (sold,), by="test"))
    assert [(r["customer_id"], r["state"]) for r in made.rows(schema.cases)] == [("ana", "resolved"), ("ben", "open")]
    assert made.rows(schema.devices, id="f1")[0]["name"] == "Bar freezer"


def test_contacts_hear_of_their_purposes_beside_the_owner_and_of_the_end(made: Gateway) -> None:
    made.submit(SaveContact("f1", "ben", Role.HOUSEHOLD, by="Mia"))
    made.submit(SaveContact("f1", "carla", Role.CARETAKER, by="Mia", purposes=(Purpose.MAINTENANCE,)))
    warm_up(made)
    assert told(made) == ["ana", "ben"]
    for row in made.rows(schema.notifications):
        made.submit(HandOver(row["id"]))
        made.submit(Sent(row["id"], "smtp", f"<{row['id']}@x>"))
    made.temperature(-18, 45)
    ended = [r["customer_id"] for r in made.rows(schema.notifications, template="fault_resolved")]
    assert ended == ["ana", "ben"]


def test_a_contact_that_ended_hears_nothing_more(made: Gateway) -> None:
    made.submit(SaveContact("f1", "ben", Role.HOUSEHOLD, by="Mia"))
    warm_up(made)
    made.submit(EndContact("f1", "ben", by="Mia"))
    assert (told(made), told(made, "cancelled")) == (["ana"], ["ben"])


def test_contacts_survive_a_restart_and_end_with_a_transfer(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path) as made:
        made.submit(Upsert("customers", (BEN, CARLA), by="test"))
        made.submit(SaveContact("f1", "ben", Role.HOUSEHOLD, by="Mia"))
    with gateway(store_url, tmp_path, records=False) as made:
        warm_up(made)
        assert told(made) == ["ana", "ben"]
        made.submit(TransferDevice("f1", "carla", by="Mia"))
        assert told(made) == ["carla"]


def test_an_answer_goes_to_whoever_wrote_last(made: Gateway) -> None:
    made.submit(SaveContact("f1", "ben", Role.CARETAKER, by="Mia"))
    case = warm_up(made)
    made.submit(CustomerWrote("mail", "<b@x>", "email", "ben@example.com", "I am on my way.", customer_id="ben"))
    assert made.rows(schema.inbound)[-1]["case_id"] == case["id"]
    reply = made.submit(Reply(case["id"], "Thank you, Ben.", "Mia"))
    assert made.rows(schema.notifications, id=reply)[0]["customer_id"] == "ben"


def test_a_swapped_unit_keeps_owner_service_and_history(made: Gateway) -> None:
    made.submit(SaveContact("f1", "ben", Role.HOUSEHOLD, by="Mia"))
    case = warm_up(made)
    made.publish("devices/f2/status", {"temperature": -18})
    made.submit(ReplaceDevice("f1", "f2", by="Mia"))
    new = made.rows(schema.devices, id="f2")[0]
    assert (new["customer_id"], new["name"], new["profile"]) == ("ana", "Garage freezer", "freezer")
    assert made.rows(schema.devices, id="f1")[0]["customer_id"] is None
    current = [r for r in made.rows(device_people) if r["ends_at"] is None]
    assert [(r["device_id"], r["customer_id"], r["starts_at"]) for r in current] == [
        ("f2", "ana", T0),
        ("f2", "ben", T0),
    ]
    assert [(r["new_id"], r["old_id"]) for r in made.rows(device_replacements)] == [("f2", "f1")]
    assert made.rows(schema.cases, id=case["id"])[0]["state"] == "resolved"
    assert told(made) == []
    assert made.rows(schema.alerts, device_id="f1", state="firing") == []
    assert made.rows(schema.unknown_devices) == []


def test_a_swapped_units_calendar_goes_on(store_url: str, tmp_path: Path) -> None:
    rules = "rules:\n  - id: service\n    kind: maintenance\n    profile: freezer\n"
    with gateway(store_url, tmp_path, rules) as made:
        made.temperature(-18, 0)
        made.submit(Sweep(T0, ("f1",)))
        made.now = T0 + timedelta(days=100)
        made.submit(ReplaceDevice("f1", "f2", by="Mia"))
        made.publish("devices/f2/status", {"temperature": -18})
        made.now = T0 + timedelta(days=170)
        made.submit(Sweep(made.now, ("f2",)))
        assert [case["device_id"] for case in made.rows(schema.cases)] == ["f2"]


def test_learned_devices_leave_the_quarantine_and_count_from_their_next_message(made: Gateway) -> None:
    made.publish("devices/new1/status", {"temperature": -18})
    made.publish("devices/new2/status", {"temperature": -18})
    assert made.submit(LearnDevices(["new1"], "freezer", by="Mia", customer_id="ben", site="Bar")) == 1
    assert [r["id"] for r in made.rows(schema.unknown_devices)] == ["new2"]
    assert made.publish("devices/new1/status", {"temperature": -18}).rejected == 0
    assert made.rows(schema.devices, id="new1")[0]["site"] == "Bar"
    assert made.rows(device_people, device_id="new1")[0]["customer_id"] == "ben"


def of_template(made: Gateway, template: str) -> list[sa.RowMapping]:
    return made.rows(schema.notifications, template=template)


def test_a_transfer_cancels_dates_and_calls_of_the_old_owner_and_says_so(made: Gateway) -> None:
    number = warm_up(made)["id"]
    span = (made.now + timedelta(days=1), made.now + timedelta(days=1, hours=1))
    made.submit(OfferSlots("Berlin", (("s1", *span),)))
    booking = made.submit(HoldSlot("s1", "ana", number))
    made.submit(ConfirmBooking(booking, "ana"))
    made.submit(AskForCall("ana", number, "The noise"))
    made.submit(AskForCall("ben", None, "Something else"))
    made.submit(TransferDevice("f1", "carla", by="Mia"))
    assert [row["state"] for row in made.rows(bookings)] == ["cancelled"]
    assert [(row["state"], row["outcome"]) for row in made.rows(tasks)] == [
        ("cancelled", "the device has a new owner"),
        ("open", None),
    ]
    assert [row["state"] for row in of_template(made, "date_booked")] == ["cancelled"]
    date, call = of_template(made, "date_cancelled")
    assert {(row["customer_id"], row["case_id"], row["state"]) for row in (date, call)} == {("ana", None, "queued")}
    text = made.submit(HandOver(date["id"])).rendered.text
    assert (
        "“Garage freezer” (freezer) não está mais em seu nome, por isso sua visita técnica foi cancelada: terça-feira"
        in text
    )
    assert "a ligação ou visita que você pediu foi cancelada" in made.submit(HandOver(call["id"])).rendered.text


@pytest.mark.parametrize("sold", ["f1", "f2"])
def test_a_digest_goes_on_without_the_device_that_was_transferred(made: Gateway, sold: str) -> None:
    made.submit(
        Upsert("devices", ({"id": "f2", "profile": "freezer", "customer_id": "ana", "name": "Cellar"},), by="t")
    )
    kept = {"f1": "f2", "f2": "f1"}[sold]
    items = [
        {"template": "maintenance_due", "facts": {"device": {"name": name}}, "case_id": None, "device_id": name}
        for name in ("f1", "f2")
    ]
    row = {
        "key": "both",
        "customer_id": "ana",
        "device_id": "f1",
        "purpose": "maintenance",
        "severity": "minor",
        "template": "digest",
        "facts": {"purpose": "maintenance", "items": items},
        "state": "queued",
        "channel": "email",
        "address": "ana@example.com",
        "why": [],
        "tried": [],
        "attempts": 1,
        "created_at": made.now,
        "updated_at": made.now,
    }
    with made.store.write() as connection:
        connection.execute(sa.insert(schema.notifications).values(**row))
    made.submit(TransferDevice(sold, "ben", by="Mia"))
    [digest] = of_template(made, "digest")
    assert (digest["state"], digest["device_id"]) == ("queued", kept)
    assert [item["device_id"] for item in digest["facts"]["items"]] == [kept]


def test_whom_an_import_hands_devices_is_welcomed_once_and_not_at_night(made: Gateway) -> None:
    made.submit(Upsert("devices", ({"id": "f2", "profile": "freezer", "customer_id": "ana"},), by="import"))
    assert of_template(made, "welcome") == [], "a device that was nobody's changes no hands"
    made.submit(Upsert("customers", (BEN | {"quiet_hours": "09:00-12:00"},), by="import"))
    made.submit(Upsert("devices", tuple({"id": i, "customer_id": "ben"} for i in ("f1", "f2")), by="import"))
    [row] = of_template(made, "welcome")
    assert (row["customer_id"], row["state"], row["not_before"]) == ("ben", "queued", T0.replace(hour=12))
    assert [why["code"] for why in row["why"]][-1] == "quiet_hours.hold"
