import re

import pytest

from notifiers.reasons import CODES, Reason, channel_name


def test_a_reason_is_kept_as_data() -> None:
    reason = Reason("channel.country", {"channel": "sms", "country": "GB", "share": 0.4})

    assert reason.as_dict() == {"code": "channel.country", "channel": "sms", "country": "GB", "share": 0.4}


def test_a_sentence_begins_with_a_capital() -> None:
    assert Reason("channel.no_transport", {"channel": "webhook"}).sentence("Ana") == (
        "The company's app is not set up here."
    )


def test_a_channel_nobody_named_keeps_its_own_name() -> None:
    assert channel_name("viber") == "viber"


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_reason_is_a_sentence_whose_every_word_was_translated(code: str) -> None:
    facts = {
        "channel": "push",
        "purpose": "fault",
        "provider": "whatsapp_cloud",
        "reason": "dead",
        "about": "fault",
        "answered": 1,
        "asked": 2,
        "country": "DE",
        "share": 0.3,
        "source": "import",
        "year": 2020,
        "on": "2025-03-03",
        "local_time": "23:00",
        "hours": "22:00-07:00",
        "ends_at": "07:00",
        "holiday": "Neujahr",
        "sent": 3,
        "at_most": 3,
        "within": "1d12h",
        "urgency": "critical",
        "until": "2026-01-01T00:00:00Z",
    }
    asked: list[str] = []

    def translate(msgid: str) -> str:
        asked.append(msgid)
        return msgid

    said = Reason(code, facts).sentence("Ana", translate, {"DE": "Germany"}.__getitem__)

    assert said.endswith(".")
    assert not re.search(r"[{}]|whatsapp_cloud|None", said)
    put_in = {"push", "critical", "messages about faults", "import"} & set(re.findall(r"[a-z ]+", said))
    assert put_in <= set(asked)
    assert "DE" not in said


def test_a_provider_s_own_code_is_told_where_there_is_one() -> None:
    facts = {"channel": "sms", "provider": "twilio", "reason": "21211"}
    assert "(Twilio: 21211)" in Reason("channel.dead", facts).sentence("Ana")
    assert "(Twilio)" in Reason("channel.blocked", facts | {"reason": "blocked"}).sentence("Ana")
