"""Several messages that may go to one customer become one: what it says, what each case says, what becomes of it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from device_models.purpose import Purpose, Severity
from gateway import commands as c
from gateway.outbox.audit import audit
from gateway.outbox.queue import enqueue, withdraw
from gateway.store import schema
from gateway.transaction import Transaction
from notifiers.message import Outgoing
from rules.respond import Notify
from tests.gateway.making import ANA, Gateway, gateway

NOTIFIERS: dict[str, Any] = {"mode": "auto", "email": {"url": "smtp://127.0.0.1:1", "sender": "help@acme.example"}}
DEVICES = ({"id": "f2", "profile": "freezer", "customer_id": "ana", "name": "Cellar freezer"},)


@pytest.fixture
def made(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    with gateway(store_url, tmp_path, notifiers=NOTIFIERS) as opened:
        opened.submit(c.Upsert("customers", (ANA | {"locale": "de-DE"},), by="test"))
        opened.submit(c.Upsert("devices", DEVICES, by="test"))
        yield opened


def in_transaction(made: Gateway, do: Any) -> Any:
    committer = made.committer
    with made.store.write() as connection:
        return do(Transaction(connection, made.now, committer._registry, committer._config, committer.profiles))


def notice(
    made: Gateway, device: str, name: str, severity: Severity = Severity.MINOR, case_id: int | None = None
) -> int:
    """Queue a service notice about one device."""
    facts = {"kind": "maintenance", "title": "Filter", "device": {"name": name}, "purpose": "maintenance"}
    said = Notify(
        key=f"due:{device}",
        template="maintenance_due",
        customer_id="ana",
        device_id=device,
        case_id=case_id,
        purpose=Purpose.MAINTENANCE,
        severity=severity,
        facts=facts,
        mode="auto",
    )
    found = in_transaction(made, lambda tx: enqueue(tx, said))
    assert isinstance(found, int)
    return found


def hand_over(made: Gateway, notification_id: int) -> Outgoing | None:
    sent = made.submit(c.HandOver(notification_id))
    assert sent is None or isinstance(sent, Outgoing)
    return sent


def row_of(made: Gateway, notification_id: int) -> Any:
    [row] = made.rows(schema.notifications, id=notification_id)
    return row


def test_services_of_two_products_are_one_message_in_their_language(made: Gateway) -> None:
    first, second = notice(made, "f1", "Garage"), notice(made, "f2", "Keller")
    sent = hand_over(made, first)

    assert sent is not None
    assert "Garage" in sent.rendered.text
    assert "Keller" in sent.rendered.text
    assert sent.rendered.subject == "Neues zu mehreren Ihrer Geräte"
    assert sent.rendered.text.count("https://") <= sent.rendered.text.count("/stop") + 1
    assert (row_of(made, second)["state"], row_of(made, second)["reason"]) == (
        "cancelled",
        f"told in one message with others, #{first}",
    )
    assert hand_over(made, second) is None


def test_what_is_held_comes_along_and_counts_as_one(made: Gateway) -> None:
    first, second = notice(made, "f1", "Garage"), notice(made, "f2", "Keller")
    n = schema.notifications
    later = made.now + timedelta(days=3)
    in_transaction(made, lambda tx: tx.connection.execute(n.update().where(n.c.id == second).values(not_before=later)))

    sent = hand_over(made, first)

    assert sent is not None
    assert "Keller" in sent.rendered.text
    assert [row["template"] for row in made.rows(n) if row["handed_over_at"] is not None] == ["digest"]


def test_what_is_major_has_a_message_of_its_own(made: Gateway) -> None:
    first = notice(made, "f1", "Garage", Severity.MAJOR)
    second = notice(made, "f2", "Keller")

    sent = hand_over(made, second)

    assert sent is not None
    assert "Garage" not in sent.rendered.text
    assert row_of(made, first)["state"] == "queued"


def test_a_purpose_that_is_not_configured_is_told_one_by_one(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path, notifiers=NOTIFIERS | {"digest": []}) as made:
        first, second = notice(made, "f1", "Garage"), notice(made, "f2", "Keller")
        hand_over(made, first)

        assert row_of(made, second)["state"] == "queued"


def cases_with_notices(made: Gateway) -> tuple[list[int], list[int]]:
    """Two open cases, each with a notice that waits."""
    for device in ("f1", "f2"):
        for celsius, minutes in ((-18, 0), (-8, 5), (-7, 10), (-6, 16)):
            at = made.now + timedelta(minutes=minutes)
            made.publish(f"devices/{device}/status", {"temperature": celsius, "ts": at.timestamp()}, at)
    cases = [row["id"] for row in made.rows(schema.cases)]
    assert len(cases) == 2
    names = ("Garage", "Keller")
    return cases, [notice(made, f"f{i + 1}", names[i], case_id=case_id) for i, case_id in enumerate(cases)]


def test_each_case_says_where_it_was_told_and_was_answered_by_it(made: Gateway) -> None:
    cases, [first, _] = cases_with_notices(made)
    hand_over(made, first)
    made.submit(c.Sent(first, "smtp", "m-1"))

    for case_id in cases:
        notes = [row["body"].get("text") for row in made.rows(schema.timeline, case_id=case_id, kind="note")]
        assert notes == [f"Told in one message about 2 things (#{first})."]
        [case] = made.rows(schema.cases, id=case_id)
        assert case["first_response_at"] is not None
    with made.store.read() as connection:
        found = {one.name: one.count for one in audit(connection, made.now)}
    assert found["parted"] == found["missing"] == found["unanswered"] == 0


def test_a_case_that_ends_before_a_retry_is_left_out(made: Gateway) -> None:
    [first_case, _], [first, _] = cases_with_notices(made)
    hand_over(made, first)
    made.submit(c.SendFailed(first, "try_later", "busy", 1.0))
    in_transaction(made, lambda tx: withdraw(tx, first_case, "over"))
    made.now += timedelta(minutes=5)

    sent = hand_over(made, first)

    assert sent is not None
    assert "Keller" in sent.rendered.text
    assert "Garage" not in sent.rendered.text


def test_done_after_a_message_about_several_is_read_by_a_person(made: Gateway) -> None:
    _, [first, _] = cases_with_notices(made)
    hand_over(made, first)
    made.submit(c.Sent(first, "smtp", "m-1"))
    made.submit(c.CustomerWrote("mail", "in-1", "email", ANA["email"], "Erledigt"))

    assert any(row["needs_reply"] for row in made.rows(schema.cases))
