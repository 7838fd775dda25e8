"""What can go wrong: causes, never readings."""

from enum import StrEnum


class Cause(StrEnum):
    """Why a product stops doing its job."""

    DOOR_LEFT_OPEN = "door-left-open"
    SEAL_LEAK = "seal-leak"
    REFRIGERANT_LOSS = "refrigerant-loss"
    START_CAPACITOR = "start-capacitor"
    FAN_BEARING = "fan-bearing"
    DISPLAY_DEAD = "display-dead"
    UNPLUGGED = "unplugged"
    MAINS_CUT = "mains-cut"
    WATER_LEAK = "water-leak"
    FILTER_CLOGGING = "filter-clogging"
    FLOW_SENSOR_BROKEN = "flow-sensor-broken"
    CONTACT_RESISTANCE = "contact-resistance"

    @property
    def shows(self) -> bool:
        """Whether anything the product measures is affected; a noisy bearing is heard by people alone."""
        return self not in (Cause.FAN_BEARING, Cause.DISPLAY_DEAD)

    @property
    def self_help(self) -> bool:
        """Whether the customer can mend it with advice; the rest needs somebody with tools."""
        return self in (
            Cause.DOOR_LEFT_OPEN,
            Cause.UNPLUGGED,
            Cause.MAINS_CUT,
            Cause.FILTER_CLOGGING,
            Cause.CONTACT_RESISTANCE,
            Cause.WATER_LEAK,
            Cause.SEAL_LEAK,
        )


class UnknownCauseError(ValueError):
    """This machine cannot fail in this way; the message lists those it can."""
