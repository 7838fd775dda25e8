"""The inbox on the customer's own page and in the company's app: no provider, no network.

What is handed over is committed with its text, and that row is the message: it is delivered once it is stored, and read
once its owner opens the list.
"""

from notifiers.message import Accepted, Outgoing
from notifiers.receipts import SendState
from notifiers.transports.lifetime import seconds_left


class InboxTransport:
    """Delivers by leaving the message where it is."""

    name = "inbox"
    repeatable = True
    per_second = 1000.0
    channels = frozenset({"inbox"})
    reports = frozenset({SendState.DELIVERED, SendState.READ})

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand one message over; see ``Transport.send``."""
        seconds_left(self.name, outgoing)
        return Accepted(self.name, outgoing.key, "delivered")

    async def close(self) -> None:
        """There is nothing to close."""
