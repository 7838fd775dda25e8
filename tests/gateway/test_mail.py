"""Mails in the one writer: whose they are, which case they join, and what a bounce comes to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from device_models.purpose import Purpose
from gateway import commands as c
from gateway.store import schema
from gateway.store.reachability import unreachable
from notifiers.message import Outgoing
from tests.gateway.making import ANA, TOO_WARM, Gateway, gateway

BEN = {"id": "ben", "name": "Ben", "locale": "en", "email": "ben@example.com"}
SENT = "<sent@acme.example>"


@pytest.fixture
def told(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    """Ana was told of her freezer by mail."""
    with gateway(store_url, tmp_path) as made:
        made.submit(c.Upsert("customers", (BEN, ANA | {"email": "Ana@Example.com"}), by="test"))
        for celsius, minutes in ((-18, 0), (-8, 5), (-7, 10), (-6, 16)):
            made.temperature(celsius, minutes)
        [row] = made.rows(schema.notifications)
        assert made.submit(c.HandOver(row["id"])) is not None
        made.submit(c.Sent(row["id"], "smtp", SENT))
        yield made


@pytest.mark.parametrize(("purpose", "offered"), [("fault", True), ("safety", False)])
def test_a_mail_program_is_offered_one_click_but_for_safety_warnings(
    store_url: str, tmp_path: Path, purpose: str, offered: bool
) -> None:
    with gateway(store_url, tmp_path, f"{TOO_WARM}    purpose: {purpose}\n") as made:
        for celsius, minutes in ((-18, 0), (-8, 5), (-7, 10), (-6, 16)):
            made.temperature(celsius, minutes)
        [row] = made.rows(schema.notifications)
        outgoing = made.submit(c.HandOver(row["id"]))
        assert isinstance(outgoing, Outgoing)
        assert outgoing.links.stop_url is not None
        assert (outgoing.links.unsubscribe_post_url is not None) == offered


def mail(
    text: str = "The lamp on it is green.",
    address: str = "ana@example.com",
    *,
    verified: bool = True,
    references: tuple[str, ...] = (SENT,),
    message_id: str = "<answer@example.com>",
) -> c.MailArrived:
    return c.MailArrived(message_id, address, verified, text, text, references)


def kinds(told: Gateway) -> list[str]:
    return [row["kind"] for row in told.rows(schema.timeline)]


def test_the_customers_own_answer_joins_the_case_and_wants_a_reply(told: Gateway) -> None:
    told.submit(mail())
    [case] = told.rows(schema.cases)
    assert case["needs_reply"]
    assert kinds(told) == ["opened", "message_out", "message_in"]
    [row] = told.rows(schema.inbound)
    assert (row["customer_id"], row["case_id"], row["channel"]) == ("ana", case["id"], "email")


def test_the_same_mail_twice_is_one_message(told: Gateway) -> None:
    assert told.submit(mail()) is not None
    assert told.submit(mail()) is None
    assert kinds(told).count("message_in") == 1


def test_a_mail_in_the_customers_name_that_is_not_verified_joins_nothing_and_stops_nothing(told: Gateway) -> None:
    told.submit(mail("STOP", verified=False))
    [case] = told.rows(schema.cases)
    assert not case["needs_reply"]
    assert told.rows(schema.timeline)[-1]["kind"] == "note"
    assert "STOP" not in str(told.rows(schema.timeline)[-1]["body"])
    assert told.committer._registry.customers["ana"].objections == frozenset()
    [row] = told.rows(schema.inbound)
    assert (row["customer_id"], row["case_id"]) == (None, None)


def test_a_forged_mail_does_not_use_up_the_id_of_the_customers_own(told: Gateway) -> None:
    told.submit(mail(verified=False))
    told.submit(mail())
    assert kinds(told).count("message_in") == 1


@pytest.mark.parametrize("address", ["mallory@evil.example", "", "ben@example.com"])
def test_somebody_else_who_answers_the_mail_does_not_join_the_case(told: Gateway, address: str) -> None:
    told.submit(mail(address=address))
    told.submit(mail(address=address, message_id="<again@evil.example>"))
    assert kinds(told) == ["opened", "message_out", "note"]
    assert {row["case_id"] for row in told.rows(schema.inbound)} == {None}
    assert not told.rows(schema.cases)[0]["needs_reply"]


def test_a_mail_that_answers_none_of_ours_is_about_the_case_they_were_told_of_last(told: Gateway) -> None:
    told.submit(mail(references=("<elsewhere@example.com>",)))
    assert told.rows(schema.inbound)[0]["case_id"] == told.rows(schema.cases)[0]["id"]


def test_an_answer_to_the_customers_own_mail_finds_the_case_too(told: Gateway) -> None:
    told.submit(mail())
    told.submit(mail(references=("<answer@example.com>",), message_id="<second@example.com>"))
    assert kinds(told).count("message_in") == 2


def test_a_stop_by_mail_is_obeyed(told: Gateway) -> None:
    told.submit(mail("STOP"))
    assert told.committer._registry.customers["ana"].objections == frozenset({Purpose.FAULT})


def test_the_agents_answer_goes_by_mail_into_the_customers_thread(told: Gateway) -> None:
    told.submit(mail())
    [case] = told.rows(schema.cases)
    answered = told.submit(c.Reply(case["id"], "We come on Friday.", by="kim"))
    outgoing = told.submit(c.HandOver(answered))
    assert isinstance(outgoing, Outgoing)
    assert outgoing.channel == "email"
    assert outgoing.thread is not None
    assert outgoing.thread.in_reply_to == "<answer@example.com>"
    assert outgoing.thread.references == (SENT, "<answer@example.com>")


def bounce(recipient: str = "ana@example.com") -> c.MailBounced:
    return c.MailBounced((SENT,), (recipient,), "5.1.1")


def test_a_bounce_leaves_a_dead_letter_where_there_is_no_other_channel(told: Gateway) -> None:
    assert told.submit(bounce()) is True
    [row] = told.rows(schema.notifications)
    assert row["state"] == "dead"
    assert "5.1.1" in row["reason"]
    assert kinds(told)[-1] == "dead"
    assert told.submit(bounce()) is False


@pytest.mark.parametrize(("status", "dead"), [("5.1.1", True), ("5.2.1", True), ("5.2.2", False), ("5.7.1", False)])
def test_a_bounce_for_want_of_a_mailbox_says_that_the_address_is_dead(told: Gateway, status: str, dead: bool) -> None:
    told.submit(c.MailBounced((SENT,), ("ana@example.com",), status))
    assert [row["reason"] for row in told.rows(unreachable)] == (["dead"] if dead else [])


def test_a_second_bounce_of_a_mail_that_was_sent_again_counts(told: Gateway) -> None:
    told.submit(bounce())
    [row] = told.rows(schema.notifications)
    told.tick(30)
    told.submit(c.Resend(row["id"], by="kim", address="ana.new@example.com"))
    told.submit(c.HandOver(row["id"]))
    told.submit(c.Sent(row["id"], "smtp", SENT))
    assert told.submit(bounce()) is False  # the first one's again, to the address of then
    assert told.submit(bounce("ana.new@example.com")) is True
    assert told.rows(schema.notifications)[0]["state"] == "dead"
    assert told.rows(unreachable)[0]["address"] == "ana.new@example.com"
    assert told.submit(bounce("ana.new@example.com")) is False


def test_a_bounce_about_somebody_else_changes_nothing(told: Gateway) -> None:
    assert told.submit(bounce("ben@example.com")) is False
    assert told.rows(schema.notifications)[0]["state"] == "accepted"


def test_a_bounce_goes_to_the_next_channel_where_there_is_one(store_url: str, tmp_path: Path) -> None:
    notifiers = {
        "mode": "auto",
        "channels": ["email", "sms"],
        "email": {"url": "smtp://127.0.0.1:1", "sender": "help@acme.example"},
        "twilio": {"account": "AC1", "token": "t", "sender": "+15005550006"},
    }
    with gateway(store_url, tmp_path, notifiers=notifiers) as made:
        made.submit(
            c.Upsert("customers", (ANA | {"phone": "+4915112345678", "preferred_channel": "email"},), by="test")
        )
        for celsius, minutes in ((-18, 0), (-8, 5), (-7, 10), (-6, 16)):
            made.temperature(celsius, minutes)
        [row] = made.rows(schema.notifications)
        made.submit(c.HandOver(row["id"]))
        made.submit(c.Sent(row["id"], "smtp", SENT))
        made.submit(bounce())
        [row] = made.rows(schema.notifications)
        assert (row["state"], row["channel"], row["tried"]) == ("queued", "sms", ["email"])


def test_what_bounced_before_it_was_sent_again_says_nothing_of_now(told: Gateway) -> None:
    told.submit(bounce())
    [row] = told.rows(schema.notifications)
    told.tick(30)
    told.submit(c.Resend(row["id"], by="kim"))
    told.submit(c.HandOver(row["id"]))
    told.submit(c.Sent(row["id"], "smtp", SENT))
    assert told.rows(schema.notifications)[0]["state"] == "accepted"


def test_a_failure_that_comes_before_the_answer_to_the_send_is_not_forgotten(told: Gateway) -> None:
    [row] = told.rows(schema.notifications)
    told.submit(c.SendFailed(row["id"], "unknown", "reset"))
    [case] = told.rows(schema.cases)
    answered = told.submit(c.Reply(case["id"], "We come on Friday.", by="kim"))
    told.submit(c.HandOver(answered))
    told.submit(c.ReceiptArrived("twilio", "SM1", "failed", "30003"))
    told.submit(c.Sent(answered, "twilio", "SM1"))
    assert told.rows(schema.notifications, id=answered)[0]["state"] == "dead"
