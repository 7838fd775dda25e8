"""How long a message may still be on its way."""

from notifiers.errors import Because, Unwritten
from notifiers.message import Outgoing


def seconds_left(provider: str, outgoing: Outgoing) -> int | None:
    """Return the whole seconds in which the message is still worth telling; None: without end.

    Raises Undeliverable where there is not one left.
    """
    if outgoing.expires_at is None:
        return None
    left_s = int((outgoing.expires_at - outgoing.now).total_seconds())
    if left_s < 1:
        raise Unwritten(provider, "expired", "its time ran out before it was sent", Because.EXPIRED)
    return left_s
