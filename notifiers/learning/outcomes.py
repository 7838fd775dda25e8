"""What became of a message, as far as it says something about the channel: four stages, and what each is worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from device_models.purpose import Purpose


class Stage(StrEnum):
    """How far a message got. Each is a trial of its own: it came about within the time it was given, or not."""

    DELIVERED = "delivered"
    """The provider reported it; a channel that cannot report is not tried at this stage."""
    READ = "read"
    """The provider reported it; likewise."""
    ANSWERED = "answered"
    """They wrote back, answered on their page, or redeemed the offer; seen on every channel alike."""
    FIXED = "fixed"
    """The fault ended or the service was done within the time; seen on every channel alike."""


STAGES = tuple(Stage)
REPORTED = frozenset({Stage.DELIVERED, Stage.READ})
"""Stages that only a provider can tell us of."""

WORTH: Mapping[Stage, float] = {
    Stage.DELIVERED: 0.05,
    Stage.READ: 0.10,
    Stage.ANSWERED: 0.60,
    Stage.FIXED: 0.25,
}
"""What each stage is worth; together 1.

An answer is what a message is for, and it is seen on every channel alike, so it decides. A fault that ends is the
better end, but most end without the message, which makes it a weak witness for a channel. Arrival and reading are only
signs that come early; they order channels between which answers leave no difference, and break none that answers make.
"""

USUAL: Mapping[Stage, float] = {
    Stage.DELIVERED: 0.95,
    Stage.READ: 0.60,
    Stage.ANSWERED: 0.30,
    Stage.FIXED: 0.40,
}
"""What is taken for a stage until anything is known; the same for all channels, so that it prefers none."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One message whose time is over."""

    customer_id: str
    purpose: Purpose
    channel: str
    country: str | None
    segment: str
    """Those alike: profile, country and language."""
    reached: Mapping[Stage, bool]
    """Only the stages that this message could have reached and that could have been seen."""
    at: datetime
    """Aware; when it was settled."""
    own_choice: bool = False
    """The channel was the customer's wish: it teaches about them, and nothing about others."""
