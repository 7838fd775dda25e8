"""Who hears of a device besides its owner: household, caretakers, site managers, each for purposes of their own."""

from dataclasses import dataclass
from enum import StrEnum

from device_models.purpose import Purpose


class Role(StrEnum):
    """What a person is to a device."""

    OWNER = "owner"
    HOUSEHOLD = "household"
    CARETAKER = "caretaker"
    SITE_MANAGER = "site_manager"

    @property
    def purposes(self) -> frozenset[Purpose]:
        """What such a person usually hears of. Offers and news are for the owner alone."""
        if self is Role.OWNER:
            return frozenset(Purpose)
        if self is Role.HOUSEHOLD:
            return frozenset({Purpose.SAFETY, Purpose.FAULT})
        return SHARED_PURPOSES


SHARED_PURPOSES = frozenset({Purpose.SAFETY, Purpose.FAULT, Purpose.MAINTENANCE})
"""What may be told to others than the owner."""


@dataclass(frozen=True, slots=True)
class Contact:
    """One more person who hears of a device; its owner is no contact but hears of everything."""

    customer_id: str
    role: Role
    purposes: frozenset[Purpose]
