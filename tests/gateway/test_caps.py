"""Caps over the outbox: what goes beyond waits for room, and what waits too long says that it expired."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway import commands as c
from gateway.store import schema
from notifiers.message import Outgoing
from tests.gateway.making import T0, Gateway, gateway

NOTIFIERS: dict[str, Any] = {
    "mode": "auto",
    "email": {"url": "smtp://127.0.0.1:1", "sender": "help@acme.example"},
    "caps": {"purposes": {"fault": [{"at_most": 1, "within": "1d"}]}, "total": []},
}


@pytest.fixture
def made(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    with gateway(store_url, tmp_path, notifiers=NOTIFIERS) as opened:
        opened.submit(c.Upsert("devices", ({"id": "f2", "profile": "freezer", "customer_id": "ana"},), by="test"))
        for device in ("f1", "f2"):
            for celsius, minutes in ((-18, 0), (-8, 5), (-7, 10), (-6, 16)):
                at = T0 + timedelta(minutes=minutes)
                opened.publish(f"devices/{device}/status", {"temperature": celsius, "ts": at.timestamp()}, at)
        yield opened


def hand_over_all(made: Gateway) -> list[Outgoing]:
    ids = [row["id"] for row in made.rows(schema.notifications, state="queued")]
    return [sent for id_ in ids if isinstance(sent := made.submit(c.HandOver(id_)), Outgoing)]


def test_what_goes_beyond_a_cap_waits_and_says_why(made: Gateway) -> None:
    sent = hand_over_all(made)

    assert len(sent) == 1
    [waiting] = made.rows(schema.notifications, state="queued")
    assert waiting["not_before"] == made.now + timedelta(days=1)
    assert waiting["why"][-1]["code"] == "cap.hold"
    made.now += timedelta(days=1)
    assert len(hand_over_all(made)) == 1


def test_a_message_that_is_tried_again_does_not_stand_in_its_own_way(made: Gateway) -> None:
    [first, _] = made.rows(schema.notifications, state="queued")
    made.submit(c.HandOver(first["id"]))
    made.submit(c.SendFailed(first["id"], "try_later", "busy", 1.0))
    made.now += timedelta(minutes=1)

    assert isinstance(made.submit(c.HandOver(first["id"])), Outgoing)


def test_an_agents_answer_neither_waits_nor_counts(made: Gateway) -> None:
    case_id = made.rows(schema.cases)[0]["id"]
    hand_over_all(made)
    made.submit(c.Reply(case_id, "We are on our way.", by="mia"))

    assert [outgoing.automatic for outgoing in hand_over_all(made)] == [False]


def test_what_waits_longer_than_it_is_true_expires_in_sight(made: Gateway) -> None:
    hand_over_all(made)
    made.now += timedelta(days=3)
    hand_over_all(made)

    [row] = made.rows(schema.notifications, state="expired")
    entries = made.rows(schema.timeline, notification_id=row["id"], kind="withheld")
    assert [entry["body"]["reason"] for entry in entries] == ["expired"]
