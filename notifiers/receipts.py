"""The states of a send, and the rule that receipts only move it forward."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from notifiers.errors import Because


class SendState(StrEnum):
    """How far a message has come, as far as anybody told us."""

    QUEUED = "queued"
    HANDED_OVER = "handed_over"
    """Written to the provider, or about to be: a crash from here on leaves it unknown."""
    UNKNOWN = "unknown"
    """Written, and no clear answer came."""
    ACCEPTED = "accepted"
    FAILED = "failed"
    DELIVERED = "delivered"
    READ = "read"

    @property
    def reached(self) -> bool:
        """Whether it surely came to the person's device."""
        return self in (SendState.DELIVERED, SendState.READ)

    @property
    def settled(self) -> bool:
        """Whether no receipt is waited for any more: it failed, or it arrived."""
        return self.reached or self is SendState.FAILED


# One line, so the furthest of any receipts is the same in whatever order and however often they come. A failure
# outranks acceptance, and arrival outranks a failure: carriers report both, and a phone that showed it has shown it.
_RANK = {state: rank for rank, state in enumerate(SendState)}


def advance(current: SendState, reported: SendState) -> SendState:
    """Move a send by one report, forward or not at all.

    This is for what providers report. Only the outbox itself takes a row back to ``queued``, after ``TryLater``,
    when nothing was accepted.
    """
    return max(current, reported, key=_RANK.__getitem__)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a provider reported about one message."""

    provider: str
    provider_id: str
    """Equals ``Accepted.provider_id`` of the send."""
    state: SendState
    at: datetime
    """Aware UTC; the provider's own time where it says one, else when the report came in."""
    error_code: str | None = None
    """The provider's code where ``state`` is failed."""
    because: Because = Because.MESSAGE
    """What it failed on, where ``state`` is failed."""
    key: str | None = None
    """``Outgoing.key`` where the provider gives it back: it finds a send whose own answer was lost."""
    billed_as: str | None = None
    """The provider's category of what it bills the message as, ``free`` for nothing; None where it does not say."""
