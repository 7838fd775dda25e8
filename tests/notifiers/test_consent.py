import pytest

from device_models.purpose import Purpose
from notifiers.consent import consent
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
    assert reason.sentence("Ana") == "Ana agreed to messages about offers through the shop's form on 2025-03-03."


@pytest.mark.parametrize("purpose", list(Purpose))
def test_an_objection_wins_over_everything(purpose: Purpose) -> None:
    objecting = ANA.model_copy(update={"consents": frozenset(Purpose), "objections": frozenset({purpose})})

    allowed, reason = consent(objecting, purpose)

    assert (allowed, reason.code) == (False, "consent.objected")
