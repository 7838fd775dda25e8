"""What becomes of messages is kept with its cause, settled once, learned from, and can be erased."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from device_models.purpose import Purpose
from gateway import commands as c
from gateway.commands.people import EraseCustomer
from gateway.outbox.learning import count_due
from gateway.people.export import gather
from gateway.store import schema
from gateway.store.outcomes import outcomes, tallies
from notifiers.message import Outgoing
from notifiers.wording.segments import segments
from tests.gateway.making import ANA, Gateway, gateway

NOTIFIERS: dict[str, Any] = {
    "mode": "auto",
    "channels": ["sms", "email"],
    "email": {"url": "smtp://127.0.0.1:1", "sender": "help@acme.example"},
    "twilio": {"account": "AC1", "token": "t", "sender": "+15005550006"},
    "no_receipt_after": {},
    "learning": {"holdout": 0.0},
}
PERSON = ANA | {"phone": "+4915112345678"}


@pytest.fixture
def made(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    with gateway(store_url, tmp_path, notifiers=NOTIFIERS) as opened:
        opened.submit(c.Upsert("customers", (PERSON,), by="test"))
        yield opened


def break_down(made: Gateway, minutes: float = 0) -> int:
    for celsius, after in ((-18, 0), (-8, 5), (-7, 10), (-6, 16)):
        made.temperature(celsius, minutes + after)
    case_id: int = made.rows(schema.cases)[-1]["id"]
    return case_id


def send(made: Gateway, provider_id: str = "SM1") -> Outgoing:
    [row] = made.rows(schema.notifications, state="queued")
    outgoing = made.submit(c.HandOver(row["id"]))
    assert isinstance(outgoing, Outgoing)
    made.submit(c.Sent(row["id"], "smtp" if outgoing.channel == "email" else "twilio", provider_id))
    return outgoing


def settle(made: Gateway, after: timedelta = timedelta(days=4)) -> int:
    made.now += after
    settled: int = made.submit(c.SettleOutcomes())
    return settled


def counts(made: Gateway, channel: str = "sms", scope: str = "customer/fault/ana") -> dict[str, Any]:
    [row] = made.rows(tallies, scope=scope, channel=channel)
    found: dict[str, Any] = row["counts"]
    return found


def write(made: Gateway, text: str, channel: str = "sms", number: int = 1) -> None:
    made.submit(c.CustomerWrote("twilio", f"IN{number}", channel, "+4915112345678", text))


def test_an_answered_message_and_one_that_was_not_are_both_learned_from(made: Gateway) -> None:
    break_down(made)
    send(made)
    made.submit(c.ReceiptArrived("twilio", "SM1", "delivered"))
    write(made, "thank you, I am looking")
    settle(made)

    found = counts(made)
    # delivered, read, answered, fixed: SMS never reported that anything was read, so that was no trial.
    assert found["tries"] == [1, 0, 1, 1]
    assert found["hits"] == [1, 0, 1, 0]
    assert found["answers"] == [1, 1]
    assert {row["scope"].split("/")[0] for row in made.rows(tallies)} == {"all", "customer", "segment", "strength"}


def test_a_message_counts_once_however_often_it_is_settled(made: Gateway) -> None:
    break_down(made)
    send(made)

    assert settle(made, timedelta(days=1)) == 0
    assert settle(made) == 1
    assert settle(made) == 0
    with made.store.read() as connection:
        assert count_due(connection, made.now) == 0
    assert counts(made)["answers"] == [0, 1]


def test_silence_of_a_channel_that_never_reported_is_no_failure(made: Gateway) -> None:
    break_down(made)
    send(made)
    settle(made)

    assert counts(made)["tries"] == [0, 0, 1, 1]


def test_silence_counts_once_the_channel_has_spoken_since(made: Gateway) -> None:
    break_down(made)
    send(made)
    made.submit(c.Upsert("customers", ({"id": "bo", "name": "Bo", "phone": "+4915112345679"},), by="test"))
    made.submit(c.Upsert("devices", ({"id": "f2", "profile": "freezer", "customer_id": "bo"},), by="test"))
    for celsius, minutes in ((-18, 0), (-8, 5), (-7, 10), (-6, 26)):
        at = made.now + timedelta(minutes=minutes)
        made.publish("devices/f2/status", {"temperature": celsius, "ts": at.timestamp()}, at)
    send(made, "SM2")
    made.submit(c.ReceiptArrived("twilio", "SM2", "delivered"))
    settle(made)

    assert counts(made)["tries"] == [1, 0, 1, 1]
    assert counts(made)["hits"] == [0, 0, 0, 0]
    assert counts(made, scope="customer/fault/bo")["hits"] == [1, 0, 0, 0]


def test_a_fault_that_ends_is_credited_to_the_last_message(made: Gateway) -> None:
    break_down(made)
    send(made)
    for celsius, minutes in ((-18, 30), (-19, 40)):
        made.temperature(celsius, minutes)
    settle(made)

    assert counts(made)["hits"] == [0, 0, 0, 1]


def test_a_stop_is_no_answer(made: Gateway) -> None:
    break_down(made)
    send(made)
    write(made, "STOP")
    settle(made)

    assert counts(made)["answers"] == [0, 1]


def test_a_channel_that_fails_for_good_is_a_failure_at_once(made: Gateway) -> None:
    break_down(made)
    [row] = made.rows(schema.notifications, state="queued")
    made.submit(c.HandOver(row["id"]))
    made.submit(c.SendFailed(row["id"], "undeliverable", "no such number"))

    assert settle(made, timedelta(0)) == 1
    assert counts(made)["tries"] == [1, 1, 1, 1]
    assert counts(made)["hits"] == [0, 0, 0, 0]
    assert made.rows(schema.notifications)[0]["channel"] == "email"


def test_an_answer_that_comes_too_late_is_not_counted(made: Gateway) -> None:
    break_down(made)
    send(made)
    settle(made)
    write(made, "hello?")

    assert settle(made) == 0
    assert counts(made)["answers"] == [0, 1]


def test_a_restart_in_between_loses_nothing(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path, notifiers=NOTIFIERS) as made:
        made.submit(c.Upsert("customers", (PERSON,), by="test"))
        break_down(made)
        send(made)
        now = made.now
    with gateway(store_url, tmp_path, records=False, now=now, notifiers=NOTIFIERS) as made:
        write(made, "thanks")
        assert settle(made) == 1
        assert counts(made)["answers"] == [1, 1]


def test_the_next_message_goes_where_they_answered(made: Gateway) -> None:
    """SMS is first in the company's order, and never answered; mail is."""
    for number in range(4):
        made.submit(
            c.Upsert("customers", (PERSON | {"preferred_channel": "sms" if number % 2 else "email"},), by="test")
        )
        break_down(made, number * 3000)
        outgoing = send(made, f"M{number}")
        if outgoing.channel == "email":
            made.submit(c.CustomerWrote("mail", f"<{number}>", "email", ANA["email"], "thanks", customer_id="ana"))
        for celsius, minutes in ((-18, 30), (-19, 40)):
            made.temperature(celsius, number * 3000 + minutes)
        for row in made.rows(schema.notifications, state="queued"):
            made.submit(c.Discard(row["id"], by="test"))
        made.now += timedelta(hours=1)
    settle(made)
    made.submit(c.Upsert("customers", (PERSON | {"preferred_channel": None},), by="test"))
    break_down(made, 20000)

    [row] = made.rows(schema.notifications, state="queued")
    assert row["channel"] == "email"
    assert row["why"][-1] == {"code": "channel.learned", "channel": "email", "answered": 2, "asked": 2}


def test_a_safety_notice_is_no_try_and_switched_off_learning_says_nothing(store_url: str, tmp_path: Path) -> None:
    off = NOTIFIERS | {"learning": {"enabled": False}}
    with gateway(store_url, tmp_path, notifiers=off) as made:
        made.submit(c.Upsert("customers", (PERSON,), by="test"))
        break_down(made)
        [row] = made.rows(schema.notifications, state="queued")
        assert "channel.not_enough_data" not in {step["code"] for step in row["why"]}


def test_too_little_data_is_said_in_the_message_itself(made: Gateway) -> None:
    break_down(made)

    [row] = made.rows(schema.notifications, state="queued")
    assert "channel.not_enough_data" in {step["code"] for step in row["why"]}


def test_what_is_kept_of_a_customer_can_be_exported_and_erased(made: Gateway) -> None:
    break_down(made)
    send(made)
    settle(made)

    with made.store.read() as connection:
        kept = gather(connection, "ana")["held"]
    assert [row["channel"] for row in kept["outcomes"]] == ["sms"]
    assert [row["scope"] for row in kept["tallies"]] == ["customer/fault/ana"]
    made.submit(EraseCustomer("ana", by="test"))
    assert [row["customer_id"].partition("-")[0] for row in made.rows(outcomes)] == ["erased"]
    assert not [row for row in made.rows(tallies) if row["customer_id"] or "ana" in row["scope"]]


def test_their_own_choice_by_purpose_outlasts_an_import(made: Gateway) -> None:
    made.submit(c.Upsert("customers", (PERSON | {"channel_choices": {"fault": "email"}},), by="page"))
    made.submit(c.Upsert("customers", (PERSON,), by="import"))
    break_down(made)

    [row] = made.rows(schema.notifications, state="queued")
    assert (row["channel"], row["why"][-1]["code"]) == ("email", "channel.chosen")
    stored = made.rows(schema.customers, id="ana")[0]["channel_choices"]
    assert stored == {Purpose.FAULT.value: "email"}


def test_what_the_provider_took_keeps_its_segments_and_what_it_is_billed_as(made: Gateway) -> None:
    break_down(made)
    sms = send(made)
    made.submit(c.ReceiptArrived("twilio", "SM1", "delivered", billed_as="utility"))
    made.submit(c.ReceiptArrived("twilio", "SM1", "read", billed_as="free"))

    [row] = made.rows(outcomes)
    assert (row["taken"], row["segments"], row["billed_as"]) == (True, segments(sms.rendered.text).count, "free")
    assert row["segments"] > 1


def test_what_a_provider_refused_was_never_taken(made: Gateway) -> None:
    break_down(made)
    [row] = made.rows(schema.notifications, state="queued")
    made.submit(c.HandOver(row["id"]))
    made.submit(c.SendFailed(row["id"], "undeliverable", "no such number"))

    assert [(row["taken"], row["segments"]) for row in made.rows(outcomes)] == [(False, None)]
