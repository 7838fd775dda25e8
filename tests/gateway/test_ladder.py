"""The ladder: what happens when nobody saw a message arrive, in whatever order receipts, timers and crashes come."""

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway import commands as c
from gateway.outbox.ladder import without_receipt
from gateway.store import schema
from notifiers.message import Outgoing
from tests.gateway.making import ANA, TOO_WARM, Gateway, gateway

CRITICAL = TOO_WARM + "    severity: critical\n"
NOTIFIERS: dict[str, Any] = {
    "mode": "auto",
    "channels": ["sms", "whatsapp", "email"],
    "email": {"url": "smtp://127.0.0.1:1", "sender": "help@acme.example"},
    "twilio": {"account": "AC1", "token": "t", "sender": "+15005550006", "whatsapp_sender": "+15005550007"},
}
PERSON = ANA | {"phone": "+4915112345678", "addresses": {"whatsapp": "+4915112345678"}, "preferred_channel": "sms"}
REPORTING = frozenset({"sms", "whatsapp"})


def opened(
    url: str, folder: Path, rules: str = CRITICAL, records: bool = True, **notifiers: Any
) -> AbstractContextManager[Gateway]:
    return gateway(url, folder, rules, records, notifiers=NOTIFIERS | notifiers)


def break_down(made: Gateway, provider_speaks: bool = True) -> None:
    """A freezer of a customer with three channels is too warm."""
    made.submit(c.Upsert("customers", (PERSON,), by="test"))
    if provider_speaks:
        made.submit(c.ReceiptArrived("twilio", "SM0", "delivered"))
    for celsius, minutes in ((-18, 0), (-8, 5), (-7, 10), (-6, 16)):
        made.temperature(celsius, minutes)


def send(made: Gateway, provider_id: str = "SM1") -> sa.RowMapping:
    """Hand the one queued message over; the provider takes it."""
    [row] = made.rows(schema.notifications, state="queued")
    outgoing = made.submit(c.HandOver(row["id"]))
    assert isinstance(outgoing, Outgoing)
    made.submit(c.Sent(row["id"], "smtp" if outgoing.channel == "email" else "twilio", provider_id))
    return made.rows(schema.notifications, id=row["id"])[0]


def look(made: Gateway, after: timedelta = timedelta(minutes=16)) -> int:
    """Let time pass and do what the scheduler's job does; return how many messages went on."""
    made.now += after
    with made.store.read() as connection:
        due = without_receipt(connection, made.committer._config, REPORTING, made.now)
    return int(made.submit(c.NoReceipt(tuple(due), REPORTING))) if due else 0


@pytest.fixture
def told(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    """A critical fault was told by SMS, and the provider accepted it."""
    with opened(store_url, tmp_path) as made:
        break_down(made)
        assert send(made)["channel"] == "sms"
        yield made


def test_without_a_receipt_the_next_channel_says_the_same_and_that_it_may_repeat(told: Gateway) -> None:
    assert look(told) == 1
    first, second = told.rows(schema.notifications)
    assert (first["state"], second["state"], second["channel"]) == ("accepted", "queued", "whatsapp")
    outgoing = told.submit(c.HandOver(second["id"]))
    assert isinstance(outgoing, Outgoing)
    assert "You may have received this already." in outgoing.rendered.text or "já" in outgoing.rendered.text
    assert told.rows(schema.timeline)[-1]["notification_id"] == second["id"]


def test_before_its_time_nothing_goes_on(told: Gateway) -> None:
    assert look(told, timedelta(minutes=14)) == 0


def test_a_late_receipt_cancels_what_still_waits(told: Gateway) -> None:
    look(told)
    told.submit(c.ReceiptArrived("twilio", "SM1", "delivered"))
    first, second = told.rows(schema.notifications)
    assert (first["state"], second["state"]) == ("delivered", "cancelled")
    assert told.submit(c.HandOver(second["id"])) is None


def test_a_receipt_in_time_ends_it(told: Gateway) -> None:
    told.submit(c.ReceiptArrived("twilio", "SM1", "delivered"))
    assert look(told) == 0


def test_it_climbs_rung_by_rung_and_stops_at_the_channel_that_cannot_report(told: Gateway) -> None:
    look(told)
    assert send(told, "SM2")["channel"] == "whatsapp"
    look(told)
    assert send(told, "<m@acme.example>")["channel"] == "email"
    for _ in range(3):
        assert look(told) == 0
    assert [row["channel"] for row in told.rows(schema.notifications)] == ["sms", "whatsapp", "email"]


def test_a_late_failure_of_the_first_does_not_send_again_what_the_second_does(told: Gateway) -> None:
    look(told)
    send(told, "SM2")
    told.submit(c.ReceiptArrived("twilio", "SM1", "failed", "30003"))
    first, second = told.rows(schema.notifications)
    assert (first["state"], second["state"]) == ("cancelled", "accepted")


def test_whoever_wrote_since_is_not_told_again(told: Gateway) -> None:
    told.now += timedelta(minutes=1)
    told.submit(c.CustomerWrote("twilio", "SMin", "sms", "+4915112345678", "I have seen it"))
    assert look(told) == 0
    assert len(told.rows(schema.notifications)) == 1


def test_a_case_that_is_over_is_not_told_again(told: Gateway) -> None:
    told.temperature(-20, 18)
    [case] = told.rows(schema.cases)
    assert case["state"] == "resolved"
    look(told)
    assert {row["template"] for row in told.rows(schema.notifications, state="queued")} == {"fault_resolved"}


def test_where_no_channel_is_left_staff_are_told_once(store_url: str, tmp_path: Path) -> None:
    with opened(store_url, tmp_path, channels=["sms"]) as made:
        break_down(made)
        send(made)
        assert [look(made), look(made)] == [0, 0]
        assert [row["kind"] for row in made.rows(schema.timeline)].count("note") == 1


@pytest.mark.parametrize("case", ["provider never reported", "major", "switched off", "held back"])
def test_silence_says_nothing(store_url: str, tmp_path: Path, case: str) -> None:
    rules = TOO_WARM if case == "major" else CRITICAL
    notifiers: dict[str, Any] = {"no_receipt_after": {}} if case == "switched off" else {}
    with opened(store_url, tmp_path, rules, **notifiers) as made:
        break_down(made, provider_speaks=case != "provider never reported")
        send(made)
        if case == "held back":
            made.submit(c.Hold(True, by="kim"))
            look(made)
            [queued] = made.rows(schema.notifications, state="queued")
            assert made.submit(c.HandOver(queued["id"])) is None
        else:
            assert look(made) == 0
            assert len(made.rows(schema.notifications)) == 1


STEPS = st.lists(
    st.sampled_from(
        # The commoner ones twice, so that the rarer meet messages that have come far.
        ["hand over", "sent", "look"] * 2 + ["try later", "unknown", "undeliverable", "delivered", "failed", "crash"]
    ),
    min_size=6,
    max_size=20,
)


@settings(max_examples=30, deadline=None)
@given(STEPS)
@example(["sent", "look", "failed", "hand over"])
@example(["sent", "look", "hand over", "failed", "sent", "look", "hand over"])
@example(["unknown", "hand over", "sent", "failed", "look", "hand over"])
def test_no_channel_is_used_twice_for_one_message_whatever_happens(steps: list[str]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'gateway.sqlite'}"
        used: Counter[str] = Counter()
        in_flight: list[tuple[int, Outgoing]] = []
        sent: list[tuple[str, str]] = []
        context = opened(url, folder)
        made = context.__enter__()
        try:
            break_down(made)
            for number, step in enumerate(["hand over", *steps]):
                if step == "crash":
                    now = made.now
                    context.__exit__(None, None, None)
                    context = gateway(url, folder, CRITICAL, records=False, now=now, notifiers=NOTIFIERS)
                    made = context.__enter__()
                    in_flight.clear()
                elif step == "look":
                    look(made)
                elif step == "hand over":
                    for row in made.rows(schema.notifications, state="queued"):
                        outgoing = made.submit(c.HandOver(row["id"]))
                        if outgoing is not None:
                            used[outgoing.channel] += 1
                            in_flight.append((row["id"], outgoing))
                elif step in ("delivered", "failed"):
                    for provider, provider_id in sent[:1] if number % 2 else sent:
                        made.submit(c.ReceiptArrived(provider, provider_id, step))
                elif in_flight:
                    notification_id, outgoing = in_flight.pop(0)
                    if step == "sent":
                        provider = "smtp" if outgoing.channel == "email" else "twilio"
                        sent.append((provider, f"{outgoing.key}#{number}"))
                        made.submit(c.Sent(notification_id, *sent[-1]))
                    else:
                        outcome: Any = step.replace(" ", "_")
                        made.submit(c.SendFailed(notification_id, outcome, "refused"))
                        if step == "try later":
                            # Nothing was accepted, so the same channel may be tried again.
                            used[outgoing.channel] -= 1
                            made.now += timedelta(hours=1)
                assert max(used.values()) <= 1, used
        finally:
            context.__exit__(None, None, None)
