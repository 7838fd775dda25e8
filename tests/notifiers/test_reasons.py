from notifiers.reasons import Reason, channel_name


def test_a_reason_is_kept_as_data() -> None:
    reason = Reason("channel.country", {"channel": "sms", "country": "GB", "share": 0.4})

    assert reason.as_dict() == {"code": "channel.country", "channel": "sms", "country": "GB", "share": 0.4}


def test_a_sentence_begins_with_a_capital() -> None:
    assert Reason("channel.no_transport", {"channel": "webhook"}).sentence("Ana") == (
        "The company's app is not set up here."
    )


def test_a_channel_nobody_named_keeps_its_own_name() -> None:
    assert channel_name("viber") == "viber"
