from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_models.purpose import Purpose, Severity
from device_models.registry import Customer
from notifiers.choice import Taste, choose
from notifiers.quiet_hours import held_until
from notifiers.reasons import CODES
from tests.notifiers.making import ANA, NOW

NIGHT = datetime(2025, 3, 3, 2, 0, tzinfo=UTC)
_CHANNELS = ["email", "sms", "whatsapp", "line", "push", "telegram"]
REACHABLE = ANA.model_copy(update={"addresses": {"whatsapp": "+447400123456", "line": "U1", "push": "t1"}})


class _Taught:
    def __init__(self, taste: Taste | None) -> None:
        self._taste = taste

    def taste(self, customer: Customer, purpose: Purpose, channels: Sequence[str], now: datetime) -> Taste | None:
        return self._taste


def _codes(why: Sequence[object]) -> list[str]:
    return [getattr(reason, "code", "") for reason in why]


def test_without_anything_else_the_company_order_decides() -> None:
    choice = choose(ANA.model_copy(update={"country": None}), Purpose.FAULT, Severity.MAJOR, ["email", "sms"], NOW)

    assert (choice.channel, choice.address) == ("email", "ana@example.com")
    assert choice.alternatives == (("sms", "+447400123456"),)
    assert _codes(choice.why) == ["consent.not_needed", "channel.configured"]


def test_the_country_comes_before_the_company_order() -> None:
    choice = choose(ANA, Purpose.FAULT, Severity.MAJOR, ["email", "sms"], NOW)

    assert choice.channel == "sms"
    sentence = choice.why[-1].sentence("Ana")
    assert sentence == "Where Ana lives (GB) 40% of those asked prefer SMS (survey of 5,000 consumers, 2020)."


def test_a_share_too_small_to_say_orders_nothing() -> None:
    chinese = REACHABLE.model_copy(update={"country": "CN"})

    assert choose(chinese, Purpose.FAULT, Severity.MAJOR, ["sms", "email"], NOW).channel == "sms"


def test_what_was_asked_about_product_status_says_nothing_of_offers() -> None:
    emirati = REACHABLE.model_copy(update={"country": "AE", "consents": frozenset({Purpose.OFFER})})

    assert choose(emirati, Purpose.FAULT, Severity.MAJOR, ["email", "push"], NOW).channel == "push"
    assert choose(emirati, Purpose.OFFER, Severity.INFO, ["email", "push"], NOW).channel == "email"


def test_what_they_answered_to_comes_before_the_country() -> None:
    taught = _Taught(Taste(("whatsapp",), "own", 4, 5))

    choice = choose(REACHABLE, Purpose.FAULT, Severity.MAJOR, ["email", "sms", "whatsapp"], NOW, learned=taught)

    assert choice.channel == "whatsapp"
    assert [channel for channel, _ in choice.alternatives] == ["sms", "email"]
    assert choice.why[-1].sentence("Ana") == "Ana answers best on WhatsApp (4 of 5 messages answered there)."


def test_too_little_data_is_said_and_not_hidden() -> None:
    choice = choose(ANA, Purpose.FAULT, Severity.MAJOR, ["sms"], NOW, learned=_Taught(None))

    assert "channel.not_enough_data" in _codes(choice.why)


def test_their_own_choice_comes_before_all() -> None:
    ana = REACHABLE.model_copy(update={"preferred_channel": "email"})
    taught = _Taught(Taste(("whatsapp", "sms"), "own", 9, 9))

    choice = choose(ana, Purpose.FAULT, Severity.MAJOR, ["whatsapp", "sms", "email"], NOW, learned=taught)

    assert choice.channel == "email"
    assert choice.why[-1].sentence("Ana") == "Ana prefers e-mail (own choice)."
    assert [channel for channel, _ in choice.alternatives] == ["whatsapp", "sms"]


def test_a_preferred_channel_that_cannot_be_used_is_named() -> None:
    no_transport = ANA.model_copy(update={"preferred_channel": "telegram"})
    no_address = ANA.model_copy(update={"preferred_channel": "whatsapp"})

    first = choose(no_transport, Purpose.FAULT, Severity.MAJOR, ["email"], NOW)
    second = choose(no_address, Purpose.FAULT, Severity.MAJOR, ["whatsapp", "email"], NOW)

    assert (first.channel, second.channel) == ("email", "email")
    assert "channel.no_transport" in _codes(first.why)
    assert "channel.no_address" in _codes(second.why)


def test_an_unverified_address_gets_nothing() -> None:
    choice = choose(ANA, Purpose.FAULT, Severity.MAJOR, ["email", "sms"], NOW, verified={"email"})

    assert choice.channel == "email"
    assert choice.alternatives == ()
    assert "channel.unverified" in _codes(choice.why)


def test_nobody_to_reach_is_withheld_with_its_reasons() -> None:
    choice = choose(ANA, Purpose.FAULT, Severity.MAJOR, ["telegram"], NOW)

    assert (choice.channel, choice.withheld) == (None, "channel.none")
    assert "channel.no_address" in _codes(choice.why)


@pytest.mark.parametrize(
    ("purpose", "severity", "held"),
    [
        (Purpose.FAULT, Severity.MAJOR, True),
        (Purpose.FAULT, Severity.CRITICAL, False),
        (Purpose.SAFETY, Severity.MINOR, False),
        (Purpose.MAINTENANCE, Severity.INFO, True),
        (Purpose.OFFER, Severity.CRITICAL, True),
        (Purpose.NEWS, Severity.CRITICAL, True),
    ],
)
def test_quiet_hours_hold_all_but_what_is_urgent(purpose: Purpose, severity: Severity, held: bool) -> None:
    ana = ANA.model_copy(update={"quiet_hours": "22:00-07:00", "consents": frozenset({Purpose.OFFER, Purpose.NEWS})})

    choice = choose(ana, purpose, severity, ["email"], NIGHT)

    assert choice.channel == "email"
    assert choice.not_before == (datetime(2025, 3, 3, 7, 0, tzinfo=UTC) if held else None)
    assert _codes(choice.why)[-1] == ("quiet_hours.hold" if held else "quiet_hours.broken")


def test_the_company_may_keep_quiet_for_those_who_named_no_hours() -> None:
    choice = choose(ANA, Purpose.FAULT, Severity.MAJOR, ["email"], NIGHT, default_quiet_hours="21:00-08:00")
    own = choose(
        ANA.model_copy(update={"quiet_hours": "00:00-01:00"}),
        Purpose.FAULT,
        Severity.MAJOR,
        ["email"],
        NIGHT,
        default_quiet_hours="21:00-08:00",
    )

    assert choice.not_before == datetime(2025, 3, 3, 8, 0, tzinfo=UTC)
    assert own.not_before is None


@given(
    configured=st.lists(st.sampled_from(_CHANNELS), max_size=6),
    purpose=st.sampled_from(Purpose),
    severity=st.sampled_from(Severity),
    consents=st.frozensets(st.sampled_from(Purpose)),
    objections=st.frozensets(st.sampled_from(Purpose)),
    preferred=st.sampled_from([None, *_CHANNELS]),
    addresses=st.dictionaries(st.sampled_from(_CHANNELS), st.just("x"), max_size=4),
    country=st.sampled_from([None, "BR", "JP", "AE", "DE", "CN", "US"]),
    quiet=st.sampled_from([None, "22:00-07:00", "00:00-23:59", "13:00-14:00"]),
    verified=st.none() | st.frozensets(st.sampled_from(_CHANNELS)),
    taste=st.none() | st.lists(st.sampled_from(_CHANNELS), unique=True).map(lambda order: Taste(tuple(order), "own")),
    now=st.datetimes(datetime(2024, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - aware by timezones
)
def test_a_choice_never_reaches_who_it_may_not(
    configured: list[str],
    purpose: Purpose,
    severity: Severity,
    consents: frozenset[Purpose],
    objections: frozenset[Purpose],
    preferred: str | None,
    addresses: dict[str, str],
    country: str | None,
    quiet: str | None,
    verified: frozenset[str] | None,
    taste: Taste | None,
    now: datetime,
) -> None:
    ana = ANA.model_copy(
        update={
            "consents": consents,
            "objections": objections,
            "preferred_channel": preferred,
            "addresses": addresses,
            "country": country,
            "quiet_hours": quiet,
        }
    )

    choice = choose(ana, purpose, severity, configured, now, verified=verified, learned=_Taught(taste))

    assert all(reason.code in CODES and reason.sentence("Ana") for reason in choice.why)
    if not ana.allows(purpose):
        assert choice.channel is None
    if choice.channel is None:
        assert choice.withheld in CODES
        assert (choice.address, choice.alternatives) == (None, ())
        return
    ladder = [(choice.channel, choice.address), *choice.alternatives]
    assert len({channel for channel, _ in ladder}) == len(ladder)
    for channel, address in ladder:
        assert channel in configured
        assert address == ana.address(channel)
        assert verified is None or channel in verified
    if choice.not_before is not None:
        assert choice.not_before > now
        assert held_until(quiet, ana.zone, choice.not_before) is None
    elif purpose.needs_opt_in:
        assert held_until(quiet, ana.zone, now) is None
