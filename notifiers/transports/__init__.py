"""One provider a module: its wire format, its errors and its receipts, and no other I/O."""

from typing import Protocol

from notifiers.message import Accepted, Outgoing
from notifiers.receipts import SendState


class Transport(Protocol):
    """Hands messages over to one provider."""

    @property
    def name(self) -> str:
        """The provider's name, as receipts and logs carry it."""
        ...

    @property
    def channels(self) -> frozenset[str]:
        """The channels it serves: ``email``, ``sms``, ``whatsapp``, …"""
        ...

    @property
    def reports(self) -> frozenset[SendState]:
        """The states it can report after accepting; empty means silence says nothing, and no ladder may wait on it."""
        ...

    @property
    def repeatable(self) -> bool:
        """Whether the provider knows the key again, so that a send without a clear answer is simply made again."""
        ...

    @property
    def per_second(self) -> float:
        """How many messages a second the provider takes on one channel, unless the configuration says otherwise."""
        ...

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand one message over, at most once a call.

        Raises:
            TryLater: it was surely not accepted; the same message may be sent again.
            Unknown: it may have been accepted; sending it again may tell the customer twice.
            Undeliverable: trying again cannot help.
        """
        ...

    async def close(self) -> None:
        """Let go of connections; no send may follow."""
        ...


__all__ = ["Transport"]
