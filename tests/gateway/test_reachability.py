"""Addresses that are not tried: remembered when a provider says so, and forgotten when it no longer holds."""

from pathlib import Path
from typing import Any

import pytest

from gateway import commands as c
from gateway.store import schema
from gateway.store.reachability import unreachable
from notifiers.errors import Because
from notifiers.message import Outgoing
from tests.gateway.making import ANA, Gateway
from tests.gateway.test_ladder import PERSON, break_down, opened

PHONE = str(PERSON["phone"])


def fail(made: Gateway, because: Because, code: str = "21211") -> Outgoing:
    """Hand the one queued message over; the provider refuses it for good."""
    [row] = made.rows(schema.notifications, state="queued")
    outgoing = made.submit(c.HandOver(row["id"]))
    assert isinstance(outgoing, Outgoing)
    made.submit(c.SendFailed(row["id"], "undeliverable", "no such number", because=because, code=code))
    return outgoing


def chosen(made: Gateway) -> Any:
    """The channel of the newest message, and the codes of why."""
    row = made.rows(schema.notifications)[-1]
    return row["channel"], [reason["code"] for reason in row["why"]]


def reply(made: Gateway) -> None:
    made.submit(c.Reply(1, "Shall we come?", by="Mia"))


def test_a_dead_address_is_not_tried_again_until_it_is_another_one(store_url: str, tmp_path: Path) -> None:
    with opened(store_url, tmp_path) as made:
        break_down(made)
        assert fail(made, Because.ADDRESS).channel == "sms"
        [row] = made.rows(unreachable)
        assert (row["customer_id"], row["channel"], row["reason"], row["code"]) == ("ana", "sms", "dead", "21211")
        notes = [entry["body"].get("text", "") for entry in made.rows(schema.timeline, kind="note")]
        assert any("SMS is dead" in note for note in notes)
        reply(made)
        channel, why = chosen(made)
        assert (channel, why[0]) == ("whatsapp", "channel.dead")
        made.submit(c.Upsert("customers", (PERSON | {"phone": "+4915112340000"},), by="test"))
        reply(made)
        channel, why = chosen(made)
        assert channel == "sms"
        assert "channel.dead" not in why


def test_whatsapps_stop_for_marketing_ends_offers_and_news_and_nothing_else(store_url: str, tmp_path: Path) -> None:
    with opened(store_url, tmp_path, channels=["whatsapp", "sms", "email"]) as made:
        break_down(made)
        made.submit(c.Upsert("customers", (PERSON | {"preferred_channel": "whatsapp"},), by="test"))
        assert fail(made, Because.NO_MARKETING, "131050").channel == "whatsapp"
        assert made.rows(unreachable) == []
        assert made.rows(schema.customers, id="ana")[0]["objections"] == ["news", "offer"]
        reply(made)
        assert chosen(made)[0] == "whatsapp"


def test_what_a_report_says_of_the_address_counts_also_before_the_answer(store_url: str, tmp_path: Path) -> None:
    with opened(store_url, tmp_path) as made:
        break_down(made)
        [row] = made.rows(schema.notifications, state="queued")
        made.submit(c.HandOver(row["id"]))
        made.submit(c.ReceiptArrived("twilio", "SM1", "failed", "30006", Because.ADDRESS))
        made.submit(c.Sent(row["id"], "twilio", "SM1"))
        [found] = made.rows(unreachable)
        assert (found["channel"], found["reason"], found["code"]) == ("sms", "dead", "30006")


def test_a_refused_message_says_nothing_of_the_address(store_url: str, tmp_path: Path) -> None:
    with opened(store_url, tmp_path) as made:
        break_down(made)
        fail(made, Because.MESSAGE)
        assert made.rows(unreachable) == []


@pytest.mark.parametrize(("words", "open_again"), [("Is anybody there?", False), ("START", True)])
def test_who_told_the_provider_to_stop_is_written_to_again_once_they_say_start(
    store_url: str, tmp_path: Path, words: str, open_again: bool
) -> None:
    with opened(store_url, tmp_path) as made:
        break_down(made)
        fail(made, Because.OPTED_OUT, "21610")
        reply(made)
        assert chosen(made)[1][0] == "channel.blocked"
        made.submit(c.CustomerWrote("twilio", "SM77", "sms", PHONE, words))
        assert (made.rows(unreachable) == []) is open_again


def test_a_dead_address_that_writes_is_alive(store_url: str, tmp_path: Path) -> None:
    with opened(store_url, tmp_path) as made:
        break_down(made)
        fail(made, Because.ADDRESS)
        made.submit(c.CustomerWrote("twilio", "SM77", "sms", PHONE, "It cools again"))
        assert made.rows(unreachable) == []


def test_a_receipt_tells_of_a_dead_address_too(store_url: str, tmp_path: Path) -> None:
    with opened(store_url, tmp_path) as made:
        break_down(made)
        [row] = made.rows(schema.notifications, state="queued")
        made.submit(c.HandOver(row["id"]))
        made.submit(c.Sent(row["id"], "twilio", "SM1"))
        made.submit(c.ReceiptArrived("twilio", "SM1", "failed", "30005", Because.ADDRESS))
        assert [(row["channel"], row["reason"]) for row in made.rows(unreachable)] == [("sms", "dead")]


def test_a_failure_of_an_address_that_was_changed_meanwhile_says_nothing_of_the_new_one(
    store_url: str, tmp_path: Path
) -> None:
    with opened(store_url, tmp_path) as made:
        break_down(made)
        [row] = made.rows(schema.notifications, state="queued")
        made.submit(c.HandOver(row["id"]))
        made.submit(c.Upsert("customers", (PERSON | {"phone": "+4915112340000"},), by="test"))
        made.submit(c.SendFailed(row["id"], "undeliverable", "x", because=Because.ADDRESS, code="21211"))
        assert made.rows(unreachable) == []


def test_where_every_channel_is_shut_the_message_is_withheld_and_says_why(store_url: str, tmp_path: Path) -> None:
    with opened(store_url, tmp_path, channels=["sms"]) as made:
        break_down(made)
        fail(made, Because.ADDRESS)
        [row] = made.rows(schema.notifications)
        assert row["state"] == "dead"
        reply(made)
        row = made.rows(schema.notifications)[-1]
        assert (row["state"], row["reason"]) == ("withheld", "channel.none")
        assert row["why"][0]["code"] == "channel.dead"
        assert ANA["email"] not in str(row["why"])
