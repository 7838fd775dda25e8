"""What a STOP ends and a START brings back: by the message it answers, for everybody at the address."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from device_models.purpose import Purpose, Severity
from gateway import commands as c
from gateway.commands.enrolment import SaveSettings
from gateway.outbox.queue import enqueue
from gateway.store import schema
from gateway.store.readings import unjoined
from gateway.transaction import Transaction
from rules.respond import Notify
from tests.gateway.making import ANA, Gateway, gateway
from tests.gateway.test_answers import NOTIFIERS, chosen

ALL_BUT_SAFETY = ["fault", "maintenance", "news", "offer"]
NUMBER = "+5511912345678"
WHATSAPP = {
    "phone": NUMBER,
    "addresses": {"whatsapp": NUMBER},
    "preferred_channel": "whatsapp",
    "consents": ["offer"],
}
TWILIO = {"account": "AC1", "token": "t", "sender": "+15005550006", "whatsapp_sender": "+15005550007"}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Gateway]:
    """Ana is reached by WhatsApp, where no carrier answers a STOP in our place, and was sent nothing yet."""
    notifiers = NOTIFIERS | {"twilio": TWILIO}
    with gateway(f"sqlite:///{tmp_path / 'g.sqlite'}", tmp_path, notifiers=notifiers) as opened:
        opened.submit(c.Upsert("customers", (ANA | WHATSAPP,), by="test"))
        yield opened


def told(made: Gateway, purpose: Purpose, template: str, provider_id: str = "") -> None:
    """Send Ana a message; a minute passes."""
    committer, facts = made.committer, {"title": "Filter"}
    notify = Notify(
        key=f"{template}:{made.now.isoformat()}",
        template=template,
        customer_id="ana",
        device_id="f1",
        case_id=None,
        purpose=purpose,
        severity=Severity.INFO,
        facts=facts,
        mode="auto",
    )
    with made.store.write() as connection:
        enqueue(Transaction(connection, made.now, committer._registry, committer._config, {}), notify)
    send(made, provider_id)


def send(made: Gateway, provider_id: str = "") -> str:
    """Hand over what was queued last; a minute passes. Return its text."""
    row = [row for row in made.rows(schema.notifications) if row["state"] == "queued"][-1]
    outgoing = made.submit(c.HandOver(row["id"]))
    made.submit(c.Sent(row["id"], "twilio", provider_id or f"WA-{row['id']}"))
    made.now += timedelta(minutes=1)
    return str(outgoing.rendered.text)


def say(made: Gateway, text: str, channel: str = "whatsapp", **more: Any) -> None:
    """Ana writes; a minute passes."""
    number = len(made.rows(schema.inbound))
    made.submit(c.CustomerWrote("twilio", f"in-{number}", channel, NUMBER, text, **more))
    made.now += timedelta(minutes=1)


def objections(made: Gateway, customer_id: str = "ana") -> list[str]:
    return list(made.rows(schema.customers, id=customer_id)[0]["objections"])


def test_a_stop_after_a_welcome_or_help_means_what_they_were_told_before(made: Gateway) -> None:
    told(made, Purpose.MAINTENANCE, "maintenance_due")
    say(made, "HELP")
    send(made)
    told(made, Purpose.SAFETY, "welcome")
    say(made, "STOP")
    assert objections(made) == ["maintenance"]


def test_a_stop_ends_safety_by_its_name_alone(made: Gateway) -> None:
    told(made, Purpose.SAFETY, "fault_opened")
    say(made, "STOP")
    assert objections(made) == ALL_BUT_SAFETY
    assert "Os avisos de segurança continuarão" in send(made)
    say(made, "STOP SAFETY")
    assert objections(made) == [*ALL_BUT_SAFETY, "safety"]


def test_a_start_takes_the_last_stop_back_and_signs_them_up_for_nothing_else(made: Gateway) -> None:
    say(made, "STOP ALL")
    send(made)
    say(made, "START")
    customer = made.rows(schema.customers, id="ana")[0]
    assert (customer["objections"], customer["consents"]) == (["news"], ["fault", "maintenance", "offer"])
    send(made)
    told(made, Purpose.FAULT, "fault_opened")
    say(made, "STOP")
    say(made, "STOP")
    assert objections(made) == ["fault", "news"]
    say(made, "START")
    assert objections(made) == ["news"]


def test_a_start_brings_back_what_an_import_had_stopped_except_advertising(made: Gateway) -> None:
    made.submit(c.Upsert("customers", (ANA | WHATSAPP | {"objections": ["fault", "news"]},), by="test"))
    say(made, "START")
    assert objections(made) == ["news"]


def test_a_start_of_somebody_who_stopped_nothing_is_no_consent_to_offers(made: Gateway) -> None:
    made.submit(SaveSettings("ana", purposes={Purpose.OFFER: False}))
    say(made, "START")
    say(made, "START")
    assert made.rows(schema.customers, id="ana")[0]["consents"] == ["offer"]


def test_a_stop_means_the_message_that_they_chose_to_answer(made: Gateway) -> None:
    told(made, Purpose.FAULT, "fault_opened", "WA-first")
    told(made, Purpose.MAINTENANCE, "maintenance_due")
    say(made, "STOP", answers="WA-first")
    assert objections(made) == ["fault"]


def test_a_stop_by_mail_means_the_mail_that_it_answers(made: Gateway) -> None:
    made.submit(c.Upsert("customers", (ANA | {"preferred_channel": "email"},), by="test"))
    told(made, Purpose.FAULT, "fault_opened", "<first@acme>")
    told(made, Purpose.MAINTENANCE, "maintenance_due", "<second@acme>")
    made.submit(c.MailArrived("<s@x>", "ana@example.com", True, "STOP", "STOP", ("<other@x>", "<first@acme>")))
    assert objections(made) == ["fault"]


def test_a_stop_from_a_shared_address_is_heeded_for_everybody_there_and_answered_once(made: Gateway) -> None:
    ben = {"id": "ben", "name": "Ben", "locale": "de", **WHATSAPP}
    made.submit(c.Upsert("customers", (ben,), by="test"))
    told(made, Purpose.FAULT, "fault_opened")
    say(made, "Bitte keine Nachrichten mehr")
    assert (objections(made), objections(made, "ben")) == (["fault"], ["fault"])
    confirmed = [row for row in made.rows(schema.notifications) if row["template"] == "stop_confirmed"]
    assert len(confirmed) == 1
    say(made, "START")
    assert (objections(made), objections(made, "ben")) == ([], [])


def test_a_stop_by_mail_from_a_shared_address_is_heeded_for_everybody_there(made: Gateway) -> None:
    made.submit(c.Upsert("customers", ({"id": "ben", "name": "Ben", "email": "Ana@Example.com"},), by="test"))
    made.submit(c.MailArrived("<s@x>", "ana@example.com", True, "STOP", "STOP", ()))
    assert (objections(made), objections(made, "ben")) == (ALL_BUT_SAFETY, ALL_BUT_SAFETY)
    made.submit(c.MailArrived("<f@x>", "ana@example.com", False, "START", "START", ()))
    assert objections(made) == ALL_BUT_SAFETY


def test_what_may_be_a_stop_from_a_shared_address_makes_both_wait(made: Gateway) -> None:
    made.submit(c.Upsert("customers", ({"id": "ben", "name": "Ben", **WHATSAPP},), by="test"))
    assert chosen(made, Purpose.MAINTENANCE).not_before is None
    say(made, "hmpf, was soll das eigentlich")
    assert chosen(made, Purpose.MAINTENANCE).why[-1].code == "reply.unread"
    [line] = made.rows(unjoined)
    assert (line["state"], line["customer_id"], line["verified"]) == ("open", None, True)
    made.submit(c.DiscardMessage(line["inbound_id"], "mia"))
    assert chosen(made, Purpose.MAINTENANCE).not_before is None


def test_of_two_at_one_address_the_one_whose_message_is_answered_wrote(made: Gateway) -> None:
    made.submit(c.Upsert("customers", ({"id": "ben", "name": "Ben", **WHATSAPP},), by="test"))
    told(made, Purpose.FAULT, "fault_opened", "WA-first")
    say(made, "A luz está verde", answers="WA-first")
    assert made.rows(schema.inbound)[-1]["customer_id"] == "ana"
