"""Why a person is contacted, and how bad a fault is: the two words that rules and messages share."""

from enum import StrEnum


class Purpose(StrEnum):
    """What a message is for; consent, caps, quiet hours and opt-out are kept for each apart."""

    SAFETY = "safety"
    FAULT = "fault"
    MAINTENANCE = "maintenance"
    OFFER = "offer"
    NEWS = "news"

    @property
    def needs_opt_in(self) -> bool:
        """Whether silence means no: offers and news are opt-in, the rest is sent unless objected to."""
        return self in (Purpose.OFFER, Purpose.NEWS)


class Severity(StrEnum):
    """How bad a fault is; ``rank`` orders them."""

    INFO = "info"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info to 3 for critical."""
        return list(Severity).index(self)
