"""Words of customers that staff give a meaning, over real HTTP and on a restarted store."""

from pathlib import Path

import pytest

from device_models.purpose import Purpose
from gateway import commands as c
from gateway.commands.cases import DropPhrase, TeachPhrase
from gateway.store import schema
from gateway.store.readings import phrases, readings
from notifiers.replies import Intent
from tests.gateway.making import ANA, Gateway, gateway
from tests.gateway.test_answers import NOTIFIERS, SMS, say, told
from tests.gateway.web_visit import visit

__all__ = ["told"]
ODD = "chiudete il rubinetto"


def test_what_was_misread_has_its_effect_and_is_understood_the_next_time(told: Gateway) -> None:
    say(told, ODD, 1)
    [misread] = told.rows(schema.inbound)
    assert misread["intent"] != "stop"

    told.submit(TeachPhrase(ODD, Intent.STOP, "mia", "it", misread["id"]))

    assert told.rows(schema.inbound)[0]["intent"] == "stop"
    [reading] = told.rows(readings)
    assert (reading["intent"], reading["tagged_by"], reading["may_stop"]) == ("stop", "phrase", False)
    obeyed = [row for row in told.rows(schema.consent_log) if not row["granted"]]
    assert obeyed

    say(told, "Grazie. Chiudete il rubinetto!", 2)
    assert told.rows(schema.inbound)[-1]["intent"] == "stop"
    assert told.rows(readings)[-1]["tagged_by"] == "phrase"


def test_a_phrase_that_was_taken_back_means_nothing_any_more(told: Gateway) -> None:
    number = told.submit(TeachPhrase("tudo azul", Intent.FIXED, "mia"))
    say(told, "Tudo azul!", 1)
    assert told.rows(schema.inbound)[-1]["intent"] == "fixed"
    assert told.rows(readings)[-1]["tagged_by"] == "phrase"

    told.submit(DropPhrase(number, "mia"))
    say(told, "Tudo azul!", 2)

    assert told.rows(schema.inbound)[-1]["intent"] != "fixed"
    assert [row["action"] for row in told.rows(schema.audit) if row["action"].startswith("phrase.")] == [
        "phrase.teach",
        "phrase.drop",
    ]
    with pytest.raises(c.CommandRefused, match="there is no phrase"):
        told.submit(DropPhrase(number, "mia"))


def test_what_was_taught_is_understood_after_a_restart_and_what_was_taken_back_is_not(
    store_url: str, tmp_path: Path
) -> None:
    with gateway(store_url, tmp_path, notifiers=NOTIFIERS) as made:
        made.submit(TeachPhrase(ODD, Intent.STOP, "mia", "it"))
        dropped = made.submit(TeachPhrase("tudo azul", Intent.FIXED, "mia"))
        made.submit(DropPhrase(dropped, "mia"))
        made.submit(c.Upsert("customers", (ANA | SMS,), by="test"))
    with gateway(store_url, tmp_path, records=False, notifiers=NOTIFIERS) as again:
        say(again, ODD.upper(), 1)
        say(again, "Tudo azul!", 2)

        found = [(row["intent"], row["tagged_by"]) for row in again.rows(readings)]
        assert found[0] == ("stop", "phrase")
        assert found[1][1] != "phrase"
        assert not again.committer._registry.customers["ana"].allows(Purpose.FAULT)


@pytest.mark.parametrize(
    ("text", "intent", "why"),
    [
        ("stop", Intent.FIXED, "keyword that is always obeyed"),
        ("sign me up", Intent.START, "says START"),
        ("call me at 0151234567", Intent.CALL_ME, "leave out addresses and numbers"),
        ("?!", Intent.STOP, "write the words"),
        ("2", Intent.CALL_ME, "write the words"),
        (" ".join(f"word{chr(97 + n)}" for n in range(21)), Intent.TEXT, "at most 20 words"),
    ],
)
def test_what_would_mislead_is_no_phrase(told: Gateway, text: str, intent: Intent, why: str) -> None:
    with pytest.raises(c.CommandRefused, match=why):
        told.submit(TeachPhrase(text, intent, "mia"))
    assert told.rows(phrases) == []


async def test_an_agent_teaches_lists_and_takes_back_a_phrase(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        taught = await web.script("/phrases", {"text": "Tudo azul", "intent": "fixed"})
        assert taught.status == 200
        number = (await taught.json())["phrase"]
        [item] = (await (await web.api("GET", "/api/phrases", "viewer")).json())["items"]
        assert (item["text"], item["intent"]) == ("Tudo azul", "fixed")
        assert "Tudo azul" in await web.page("/phrases")
        assert (await web.script("/phrases", {"text": "x", "intent": "start"})).status == 422
        assert (await web.script("/phrases", {"text": "x", "intent": "no", "inbound_id": "99"})).status == 422
        assert (await web.api("POST", f"/api/phrases/{number}/drop", "viewer")).status == 403
        assert (await web.api("POST", f"/api/phrases/{number}/drop", "agent")).status == 200
        assert (await (await web.api("GET", "/api/phrases", "viewer")).json())["items"] == []
