"""What customers write, in the one writer: what moves the case, what a person reads, what joins no case."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from device_models.purpose import Purpose, Severity
from gateway import commands as c
from gateway.cases.desk import MOST_OPEN_TASKS
from gateway.outbox.queue import choose_now
from gateway.store import schema
from gateway.store.desk import tasks
from gateway.store.readings import readings, unjoined
from gateway.transaction import Transaction
from notifiers.choice import Choice
from notifiers.replies import Intent
from notifiers.understanding.understand import Tags
from tests.gateway.making import ANA, T0, Gateway, gateway

SMS = {"phone": "+5511912345678", "preferred_channel": "sms"}
NOTIFIERS = {
    "mode": "auto",
    "email": {"url": "smtp://127.0.0.1:1", "sender": "help@acme.example"},
    "twilio": {"account": "AC1", "token": "t", "sender": "+15005550006"},
    "classifier": {"url": "http://127.0.0.1:1"},
    "translator": {"url": "http://127.0.0.1:1"},
}


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Gateway]:
    """Ana was told of her freezer by SMS, and it is still warm."""
    with gateway(f"sqlite:///{tmp_path / 'g.sqlite'}", tmp_path, notifiers=NOTIFIERS) as made:
        made.submit(c.Upsert("customers", (ANA | SMS,), by="test"))
        for celsius, minutes in ((-18, 0), (-8, 5), (-7, 10), (-6, 16)):
            made.temperature(celsius, minutes)
        hand_over(made)
        yield made


def hand_over(made: Gateway) -> int:
    """Send what is queued last; return its id."""
    row = [row for row in made.rows(schema.notifications) if row["state"] == "queued"][-1]
    assert made.submit(c.HandOver(row["id"])) is not None
    made.submit(c.Sent(row["id"], "twilio", f"SM-{row['id']}"))
    return int(row["id"])


def say(made: Gateway, text: str, number: int = 1, **more: Any) -> Any:
    """Ana writes by SMS."""
    fields = {"channel": "sms", "address": SMS["phone"], **more}
    return made.submit(c.CustomerWrote("twilio", f"in-{number}", text=text, **fields))


def case(made: Gateway) -> Any:
    return made.rows(schema.cases)[-1]


def answers(made: Gateway) -> list[str]:
    return [row["facts"]["answer"] for row in made.rows(schema.notifications) if row["template"] == "answer_noted"]


def kinds(made: Gateway) -> list[str]:
    return [row["kind"] for row in made.rows(schema.timeline)]


def test_one_says_it_works_while_the_freezer_says_it_does_not(told: Gateway) -> None:
    say(told, "1")

    assert (case(told)["state"], case(told)["needs_reply"]) == ("open", False)
    assert answers(told) == ["not_seen_fixed"]
    assert "says_fixed" in kinds(told)


def test_the_same_claim_about_a_silent_freezer_is_for_a_person(told: Gateway) -> None:
    told.tick(200)
    say(told, "1")

    assert (case(told)["state"], case(told)["needs_reply"]) == ("open", True)


def test_it_works_ends_a_case_that_no_reading_speaks_against(told: Gateway) -> None:
    told.temperature(-19, 20)
    assert case(told)["state"] == "resolved"
    told.submit(c.Reopen(case(told)["id"], "mia"))
    say(told, "Funciona de novo, obrigada")

    assert (case(told)["state"], case(told)["resolved_by"]) == ("resolved", "customer")
    assert not case(told)["needs_reply"]
    assert answers(told) == ["fixed"]


@pytest.mark.parametrize("text", ["2", "me liguem"])
def test_a_call_that_is_asked_for_becomes_a_task_and_is_confirmed(told: Gateway, text: str) -> None:
    say(told, text)

    [task] = told.rows(tasks)
    assert (task["kind"], task["customer_id"], task["case_id"]) == ("call", "ana", case(told)["id"])
    assert case(told)["needs_reply"]
    assert answers(told) == ["call"]


def test_who_asks_for_a_call_again_and_again_fills_no_list(told: Gateway) -> None:
    for number in range(8):
        say(told, "me liguem", number)

    assert len(told.rows(tasks)) == MOST_OPEN_TASKS
    assert case(told)["needs_reply"]


def test_a_visit_is_confirmed_and_a_person_takes_it_up(told: Gateway) -> None:
    say(told, "3 por favor")

    [asked] = [row for row in told.rows(schema.timeline) if row["kind"] == "asked"]
    assert asked["body"]["want"] == "visit"
    assert answers(told) == ["visit"]


def test_a_number_after_an_agents_own_question_means_nothing_known(told: Gateway) -> None:
    told.submit(c.Reply(case(told)["id"], "Which is it: 1 the left or 2 the right door?", "mia"))
    hand_over(told)
    say(told, "2")

    assert told.rows(tasks) == []
    assert case(told)["needs_reply"]


def test_a_stop_in_a_sentence_is_obeyed_and_read(told: Gateway) -> None:
    say(told, "Por favor parem de me mandar mensagens, estou de férias")

    assert told.committer._registry.customers["ana"].objections == {Purpose.FAULT}
    assert case(told)["needs_reply"]
    assert [row["source"] for row in told.rows(schema.consent_log)][-1] == "stop by sms"


def test_thanks_disturb_nobody(told: Gateway) -> None:
    say(told, "Obrigada!")

    assert not case(told)["needs_reply"]
    assert told.rows(readings)[-1]["noise"]


def test_from_sms_to_mail_it_is_one_timeline_and_the_answer_goes_where_they_were_last(told: Gateway) -> None:
    say(told, "A luz está verde")
    mail = c.MailArrived("<a@x>", "ana@example.com", True, "Agora azul", "Agora azul", ())
    told.submit(mail)
    told.submit(c.Reply(case(told)["id"], "Thank you", "mia"))

    spoken = [row["body"]["channel"] for row in told.rows(schema.timeline) if row["kind"] == "message_in"]
    assert spoken == ["sms", "email"]
    assert told.rows(schema.notifications)[-1]["channel"] == "email"


def test_what_a_model_says_has_the_effect_that_a_cue_has(told: Gateway) -> None:
    say(told, "Hmm, mais ou menos isso aí")
    [row] = told.rows(readings)
    assert row["waits_for"] == "model"
    told.submit(c.MessageTagged(row["inbound_id"], Tags(Intent.CALL_ME, 0.9, "model")))

    assert len(told.rows(tasks)) == 1
    assert told.rows(readings)[0]["tagged_by"] == "model"
    assert told.rows(readings)[0]["waits_for"] == "translation"


def test_a_start_that_a_model_guesses_signs_nobody_up(told: Gateway) -> None:
    say(told, "STOP")
    say(told, "Hmm, mais ou menos isso aí", 2)
    told.submit(c.MessageTagged(told.rows(readings)[-1]["inbound_id"], Tags(Intent.START, 0.99, "model")))

    assert told.committer._registry.customers["ana"].objections == {Purpose.FAULT}


def test_a_translation_stands_beside_the_words_as_written(told: Gateway) -> None:
    say(told, "A luz do painel pisca duas vezes e depois apaga")
    [row] = told.rows(readings)
    told.submit(c.MessageTagged(row["inbound_id"], None))
    told.submit(c.MessageTranslated(row["inbound_id"], "The panel's light blinks twice", "pt"))

    body = [row["body"] for row in told.rows(schema.timeline) if row["kind"] == "message_in"][-1]
    assert (body["translation"], body["language"]) == ("The panel's light blinks twice", "pt")
    assert body["text"].startswith("A luz")
    assert told.rows(readings)[0]["waits_for"] is None


def test_a_service_that_stays_away_is_given_up_and_the_message_stays(told: Gateway) -> None:
    say(told, "Hmm, mais ou menos isso aí")
    inbound_id = told.rows(readings)[0]["inbound_id"]
    for _ in range(30):
        told.submit(c.AskLater(inbound_id, "connect"))

    assert told.rows(readings)[0]["waits_for"] is None
    assert case(told)["needs_reply"]


def test_an_agents_words_and_their_translation_are_both_kept(told: Gateway) -> None:
    told.submit(c.Reply(case(told)["id"], "Close the door", "mia", "Feche a porta"))

    assert told.rows(schema.notifications)[-1]["text"] == "Feche a porta"
    entry = told.rows(schema.timeline)[-1]
    assert (entry["author"], entry["body"]["original"]) == ("mia", "Close the door")


def test_a_text_from_nobodys_number_is_joined_by_a_person_once(told: Gateway) -> None:
    say(told, "It is the cellar one", address="+4915100000000")
    [line] = told.rows(unjoined)
    assert (line["state"], line["address"], line["verified"]) == ("open", "+4915100000000", False)
    told.submit(c.JoinMessage(line["inbound_id"], case(told)["id"], "mia"))

    [entry] = [row for row in told.rows(schema.timeline) if row["kind"] == "message_in"]
    assert entry["body"]["joined_by"] == "mia"
    assert case(told)["needs_reply"]
    with pytest.raises(c.CommandRefused, match="mia has joined this message already into case"):
        told.submit(c.DiscardMessage(line["inbound_id"], "tom"))


def test_an_unproven_mail_waits_with_the_case_it_claims_and_goes_without_a_trace_of_who_wrote(told: Gateway) -> None:
    mail = c.MailArrived("<f@x>", "mallory@evil.example", False, "STOP", "STOP", ())
    told.submit(mail)
    [line] = told.rows(unjoined)
    told.submit(c.DiscardMessage(line["inbound_id"], "mia"))

    assert told.committer._registry.customers["ana"].objections == frozenset()
    assert told.rows(unjoined)[0]["address"] == ""
    assert told.rows(schema.inbound)[-1]["text"] == ""


def test_joining_to_a_case_that_is_not_there_changes_nothing(told: Gateway) -> None:
    say(told, "It is the cellar one", address="+4915100000000")
    with pytest.raises(c.CommandRefused, match="there is no case 999"):
        told.submit(c.JoinMessage(told.rows(unjoined)[0]["inbound_id"], 999, "mia"))
    assert told.rows(unjoined)[0]["state"] == "open"


def test_what_nobody_decides_on_for_long_is_forgotten_and_what_is_newer_stays(told: Gateway) -> None:
    for days, words in ((0, "old words"), (80, "newer words")):
        told.now = T0 + timedelta(days=days)
        told.submit(c.CustomerWrote("twilio", f"SM{days}", "sms", "+4915199999999", words))
    told.now = T0 + timedelta(days=91)
    assert told.submit(c.ForgetUnjoined()) == 1
    assert [(row["state"], row["address"] == "") for row in told.rows(unjoined)] == [
        ("discarded", True),
        ("open", False),
    ]
    assert [row["text"] for row in told.rows(schema.inbound)] == ["", "newer words"]
    assert told.submit(c.ForgetUnjoined()) == 0


def test_a_stop_that_no_carrier_answers_is_confirmed_with_how_to_undo_it(told: Gateway) -> None:
    say(told, "STOP", 1)
    assert "stop_confirmed" not in [row["template"] for row in told.rows(schema.notifications)]

    say(told, "chega dessas mensagens", 2)

    [told_so] = [row for row in told.rows(schema.notifications) if row["template"] == "stop_confirmed"]
    assert (told_so["channel"], told_so["state"]) == ("sms", "queued")


def test_what_can_wait_waits_until_a_person_has_read_their_words(told: Gateway) -> None:
    say(told, "Ainda não gela", 7)
    assert chosen(told, Purpose.MAINTENANCE).not_before is None

    say(told, "hmpf, was soll das eigentlich")
    waiting = chosen(told, Purpose.MAINTENANCE)
    assert waiting.not_before is not None
    assert waiting.why[-1].code == "reply.unread"
    assert chosen(told, Purpose.FAULT).not_before is None

    told.submit(c.Reply(case(told)["id"], "Desculpe, o que houve?", "mia"))
    assert chosen(told, Purpose.MAINTENANCE).not_before is None


def chosen(made: Gateway, purpose: Purpose) -> Choice:
    """How Ana would be told of something now."""
    committer = made.committer
    with made.store.read() as connection:
        tx = Transaction(connection, made.now, committer._registry, committer._config, {})
        return choose_now(tx, tx.registry.customers["ana"], purpose, Severity.INFO, key="k", device_id="f1")
