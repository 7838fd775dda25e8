"""The sender: order for each customer, all else in parallel, and what it does about a provider that fails."""

import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from device_models.registry import Customer
from gateway import commands as c
from gateway.outbox import hand_over
from gateway.outbox.pace import FAILURES_TO_OPEN, LONG_DOWN_S
from gateway.store import schema
from notifiers.errors import Because, NotifierError, TryLater, Undeliverable, Unknown, Unwritten
from notifiers.message import Outgoing, Rendered
from tests.gateway.making import TOO_WARM, Gateway
from tests.gateway.sending import Provider, Running
from tests.gateway.test_ladder import PERSON, break_down, opened

NONE = frozenset[str]()
KEYS = count()


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Gateway]:
    with opened(f"sqlite:///{tmp_path / 'gateway.sqlite'}", tmp_path, TOO_WARM) as gateway:
        gateway.submit(c.Upsert("customers", (PERSON,), by="test"))
        yield gateway


@pytest.fixture
def urgent(tmp_path: Path) -> Iterator[Gateway]:
    with opened(f"sqlite:///{tmp_path / 'gateway.sqlite'}", tmp_path) as gateway:
        gateway.submit(c.Upsert("customers", (PERSON,), by="test"))
        yield gateway


def providers() -> tuple[Provider, Provider]:
    return Provider("twilio", frozenset({"sms", "whatsapp"})), Provider("smtp", frozenset({"email"}))


def ask(made: Gateway, *texts: str) -> None:
    """An agent writes to the customer, who has a case."""
    if not made.rows(schema.cases):
        break_down(made)
        [row] = made.rows(schema.notifications)
        made.submit(c.Discard(row["id"], by="test"))
    for text in texts:
        made.submit(c.Reply(1, text, by="Mia"))


def number(i: int) -> str:
    return f"+4915112{i:06d}"


def people(made: Gateway, many: int) -> None:
    records = tuple({"id": f"p{i}", "name": "P", "phone": number(i)} for i in range(many))
    eve = {"id": "eve", "name": "Eve", "email": "eve@example.com"}
    made.submit(c.Upsert("customers", (*records, eve), by="test"))


def queue(made: Gateway, customer_id: str, channel: str = "sms", severity: str = "info") -> None:
    """Put a message into the outbox, as a decision that was made long ago."""
    row: dict[str, Any] = {
        "customer_id": customer_id,
        "channel": channel,
        "severity": severity,
        "purpose": "maintenance",
    }
    row |= {"template": "agent_reply", "text": "Hello", "facts": {}, "why": [], "tried": [], "attempts": 0}
    row |= {"key": f"k{next(KEYS)}", "state": "queued", "created_at": made.now, "updated_at": made.now}
    with made.store.write() as connection:
        connection.execute(sa.insert(schema.notifications), [row])


def told(provider: Provider) -> list[str]:
    return [found for out in provider.taken for found in re.findall(r"No\. \d", out.rendered.text)]


async def test_messages_of_one_customer_go_in_order_also_past_a_retry(made: Gateway) -> None:
    twilio, smtp = providers()
    moods = iter([None, TryLater("twilio", "503", "busy")])
    twilio.behaves = lambda _: next(moods, None)
    running = Running(made, [twilio, smtp])
    ask(made, "No. 1", "No. 2", "No. 3")
    await running.until_idle()
    assert told(twilio) == ["No. 1"]
    running.later(timedelta(minutes=1))
    await running.until_idle()
    assert told(twilio) == ["No. 1", "No. 2", "No. 3"]


def later(code: str = "connect", wait_s: float | None = None, **more: Any) -> NotifierError:
    return TryLater("twilio", code, "not now", wait_s, **more)


async def test_a_provider_that_fails_is_left_alone_and_tried_with_one_message(made: Gateway) -> None:
    twilio, smtp = providers()
    twilio.behaves = lambda _: later()
    running = Running(made, [twilio, smtp])
    records = [{"id": f"p{i}", "name": "P", "addresses": {"whatsapp": f"+49151123456{i:02d}"}} for i in range(20)]
    made.submit(c.Upsert("customers", tuple(records), by="test"))
    made.submit(c.Upsert("devices", tuple({"id": f"d{i}", "customer_id": f"p{i}"} for i in range(20)), by="test"))
    for i in range(20):
        made.submit(c.CustomerWrote("twilio", f"in{i}", "whatsapp", f"+49151123456{i:02d}", "HELP"))
    sender = await running.until_idle()
    # Those begun before the breaker opened are still told of it; nobody is written to after that.
    assert FAILURES_TO_OPEN <= len(twilio.asked) <= 20
    assert not sender.providers()["ok"]
    assert str(sender.providers()["whatsapp by twilio"]).startswith("open: ")
    running.later(timedelta(minutes=6))
    twilio.asked.clear()
    await running.until_idle(sender)
    assert len(twilio.asked) == 1
    twilio.behaves = lambda _: None
    for _ in range(3):
        running.later(timedelta(hours=1))
        await running.until_idle(sender)
    assert sender.providers()["ok"]
    assert {state for _, state in running.states()} == {"accepted"}
    assert len(twilio.taken) == 20


async def test_what_is_critical_does_not_wait_for_a_provider_that_is_down(urgent: Gateway) -> None:
    twilio, smtp = providers()
    running = Running(urgent, [twilio, smtp])
    sender = running.sender()
    for channel in ("sms", "whatsapp"):
        for _ in range(FAILURES_TO_OPEN):
            sender._pace[channel].fails(running.seconds, "connect")
    break_down(urgent)
    await running.until_idle(sender)
    assert (len(twilio.asked), len(smtp.taken)) == (0, 1)


async def test_after_long_everything_takes_another_channel(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path / 'g.sqlite'}", tmp_path, TOO_WARM, channels=["sms", "email"]) as made:
        twilio, smtp = providers()
        running = Running(made, [twilio, smtp])
        sender = running.sender()
        for _ in range(FAILURES_TO_OPEN):
            sender._pace["sms"].fails(running.seconds, "connect")
        made.submit(c.Upsert("customers", (PERSON,), by="test"))
        break_down(made)
        await running.until_idle(sender)
        assert (len(twilio.asked), len(smtp.taken)) == (0, 0)
        running.later(timedelta(seconds=LONG_DOWN_S))
        sender._pace["sms"].fails(running.seconds, "connect")
        await running.until_idle(sender)
        assert (len(twilio.asked), len(smtp.taken)) == (0, 1)


async def test_a_recipients_own_wait_holds_up_nobody_else(made: Gateway) -> None:
    twilio, smtp = providers()
    twilio.behaves = lambda _: later("131056", 6.0, about_recipient=True)
    running = Running(made, [twilio, smtp])
    ask(made, "No. 1")
    sender = await running.until_idle()
    assert sender.providers()["ok"]
    assert sender._paused() == (NONE, NONE)


async def test_a_lost_answer_is_asked_for_again_only_where_the_provider_knows_the_key(made: Gateway) -> None:
    twilio, smtp = providers()
    lost = iter([Unknown("twilio", "taken", "no answer")])
    twilio.behaves = lambda _: next(lost, None)
    running = Running(made, [twilio, smtp])
    ask(made, "No. 1")
    await running.until_idle()
    assert running.states()[-1] == ("sms", "unknown")
    running.later(timedelta(hours=2))
    await running.until_idle()
    assert [out.channel for out in twilio.asked].count("sms") == 1


async def test_urgent_messages_give_up_on_a_busy_provider_sooner(urgent: Gateway) -> None:
    twilio, smtp = providers()
    twilio.behaves = lambda _: later("503")
    running = Running(urgent, [twilio, smtp])
    break_down(urgent)
    for _ in range(8):
        await running.until_idle()
        running.later(timedelta(hours=1))
    assert len(smtp.taken) == 1
    assert len([out for out in twilio.asked if out.channel == "sms"]) == 3


async def test_after_many_attempts_the_next_channel_is_tried_before_it_is_a_dead_letter(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path / 'g.sqlite'}", tmp_path, channels=["sms"]) as made:
        twilio, _ = providers()
        twilio.behaves = lambda _: later("503")
        running = Running(made, [twilio])
        made.submit(c.Upsert("customers", (PERSON,), by="test"))
        break_down(made)
        for _ in range(14):
            await running.until_idle()
            running.later(timedelta(hours=1))
        [row] = made.rows(schema.notifications)
        assert (row["state"], row["attempts"]) == ("dead", 12)


async def test_a_mended_address_is_written_to(made: Gateway) -> None:
    twilio, smtp = providers()
    twilio.behaves = lambda out: (
        Undeliverable("twilio", "21211", "no such number") if out.address == PERSON["phone"] else None
    )
    smtp.behaves = lambda _: Undeliverable("smtp", "5.1.1", "no such mailbox")
    running = Running(made, [twilio, smtp])
    ask(made, "No. 1")
    await running.until_idle()
    [row] = made.rows(schema.notifications, state="dead")
    assert row["channel"] == "email"
    with pytest.raises(c.CommandRefused, match="address"):
        made.submit(c.Resend(row["id"], by="Mia", address="no mail address"))
    smtp.behaves = lambda _: None
    made.submit(c.Upsert("customers", (PERSON | {"preferred_channel": "email"},), by="test"))
    made.submit(c.Resend(row["id"], by="Mia", address=" ana.new@example.com "))
    await running.until_idle()
    assert [out.address for out in smtp.taken] == ["ana.new@example.com"]
    assert made.committer._registry.customers["ana"].email == "ana.new@example.com"
    [entry] = made.rows(schema.audit, action="message.resend")
    assert "ana.new" not in str(entry["detail"])


async def test_a_rate_is_kept_to(made: Gateway) -> None:
    twilio, smtp = providers()
    running = Running(made, [twilio, smtp], rates={"sms": 2.0})
    pace = running.sender()._pace["sms"]
    waits = [pace.turn_s(now_s) for now_s in (0.0, 0.0, 0.0, 0.4, 0.5, 0.5)]
    assert waits == [0.0, 0.0, 0.5, pytest.approx(0.1), 0.0, 0.5]


async def test_messages_that_wait_for_one_provider_keep_back_nobody_on_another(made: Gateway) -> None:
    twilio, smtp = providers()
    twilio.behaves = lambda _: later("429", 600.0)
    running = Running(made, [twilio, smtp])
    people(made, 300)
    for i in range(300):
        queue(made, f"p{i}")
    queue(made, "eve", channel="email")
    await running.until_idle()
    assert [out.channel for out in smtp.taken] == ["email"]


async def test_what_is_urgent_goes_first_and_past_a_provider_that_wants_nothing(made: Gateway) -> None:
    twilio, smtp = providers()
    running = Running(made, [twilio, smtp])
    people(made, 40)
    for i in range(40):
        queue(made, f"p{i}")
    queue(made, "p39", severity="critical")
    await running.until_idle()
    assert number(39) in [out.address for out in twilio.asked[:16]]
    # Behind the customer's less urgent one, which waits for SMS to be back: this one takes the next channel.
    twilio.behaves = lambda _: later("429", 7200.0)
    queue(made, "ana")
    await running.until_idle(sender := running.sender())
    queue(made, "ana", severity="critical")
    await running.until_idle(sender)
    running.later(timedelta(minutes=1))
    await running.until_idle(sender)
    assert len(smtp.taken) == 1
    # So does everything once it has waited for half an hour.
    running.later(timedelta(minutes=50))
    await running.until_idle(sender)
    assert len(smtp.taken) == 2


async def test_a_message_that_trips_a_fault_of_ours_is_put_aside_alone(
    made: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def word(tx: object, template: str, customer: Customer, *given: object) -> Rendered:
        if customer.id == "p0":
            raise ZeroDivisionError
        return Rendered("Hello", "Hello", None, "en", "ltr")

    monkeypatch.setattr(hand_over, "word", word)
    twilio, smtp = providers()
    running = Running(made, [twilio, smtp])
    people(made, 2)
    for customer_id in ("p0", "p1"):
        queue(made, customer_id)
    with capture_logs():  # printing the traceback takes seconds
        await running.until_idle()
    assert [row["state"] for row in made.rows(schema.notifications)] == ["dead", "accepted"]
    assert "ZeroDivisionError" in made.rows(schema.notifications)[0]["reason"]


async def test_what_we_refuse_ourselves_says_nothing_of_the_provider(made: Gateway) -> None:
    twilio, smtp = providers()
    smtp.behaves = lambda _: Unwritten("smtp", "5.1.3", "is no mail address", Because.ADDRESS)
    running = Running(made, [twilio, smtp])
    sender = running.sender()
    for _ in range(FAILURES_TO_OPEN):
        sender._pace["email"].fails(running.seconds, "connect")
    running.later(timedelta(minutes=1))
    people(made, 0)
    queue(made, "eve", channel="email")
    await running.until_idle(sender)
    assert [out.channel for out in smtp.asked] == ["email"]
    assert not sender.providers()["ok"]


def test_the_due_time_of_a_message_is_its_own(made: Gateway) -> None:
    ask(made, "No. 1")
    [row] = made.rows(schema.notifications, state="queued")
    outgoing = made.submit(c.HandOver(row["id"], paused=frozenset({"sms", "whatsapp", "email"})))
    assert outgoing is None
    assert made.rows(schema.notifications, id=row["id"])[0]["state"] == "queued"
    assert isinstance(made.submit(c.HandOver(row["id"])), Outgoing)
