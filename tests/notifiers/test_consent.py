import pytest

from device_models.purpose import Purpose
from notifiers.consent import consent, purposes_of
from notifiers.replies import read_reply
from tests.notifiers.making import ANA, NOW


@pytest.mark.parametrize("purpose", [Purpose.SAFETY, Purpose.FAULT, Purpose.MAINTENANCE])
def test_help_needs_no_consent(purpose: Purpose) -> None:
    allowed, reason = consent(ANA, purpose)

    assert (allowed, reason.code) == (True, "consent.not_needed")


@pytest.mark.parametrize("purpose", [Purpose.OFFER, Purpose.NEWS])
def test_advertising_needs_a_consent(purpose: Purpose) -> None:
    allowed, reason = consent(ANA, purpose)

    assert (allowed, reason.code) == (False, "consent.missing")


def test_a_consent_is_named_with_its_source_and_day() -> None:
    agreed = ANA.model_copy(
        update={"consents": frozenset({Purpose.OFFER}), "consent_source": "the shop's form", "consented_at": NOW}
    )

    allowed, reason = consent(agreed, Purpose.OFFER)

    assert allowed
    assert reason.sentence("Ana") == "Ana agreed to messages about offer through the shop's form on 2025-03-03."


@pytest.mark.parametrize("purpose", list(Purpose))
def test_an_objection_wins_over_everything(purpose: Purpose) -> None:
    objecting = ANA.model_copy(update={"consents": frozenset(Purpose), "objections": frozenset({purpose})})

    allowed, reason = consent(objecting, purpose)

    assert (allowed, reason.code) == (False, "consent.objected")


def test_a_bare_stop_is_about_what_it_answers() -> None:
    assert purposes_of(read_reply("STOP"), Purpose.OFFER) == {Purpose.OFFER}


def test_a_bare_stop_to_nobody_knows_what_leaves_safety() -> None:
    assert purposes_of(read_reply("STOP"), None) == frozenset(Purpose) - {Purpose.SAFETY}


def test_a_purpose_named_decides_whatever_was_answered() -> None:
    assert purposes_of(read_reply("STOP OFFERS"), Purpose.FAULT) == {Purpose.OFFER}


def test_stop_all_is_all() -> None:
    assert purposes_of(read_reply("STOP ALL"), Purpose.OFFER) == frozenset(Purpose)
