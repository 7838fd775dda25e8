"""What a person sent us, from whichever provider."""

from dataclasses import dataclass, field

from notifiers.replies import Intent


@dataclass(frozen=True, slots=True)
class Inbound:
    """One inbound message; its repr shows neither address nor text."""

    provider: str
    provider_id: str
    """Dedupes redelivery: the provider's id of the message."""
    channel: str
    address: str = field(repr=False)
    """Who wrote, in the form ``Customer.address(channel)`` has."""
    text: str = field(repr=False)
    to: str = field(default="", repr=False)
    """Which of our senders it was written to."""
    opt_out: Intent | None = None
    """STOP, START or HELP where the provider has already acted on it: ours is to record it, not to answer again."""
    media: int = 0
    """How many pictures or files came with it; they stay with the provider until an agent asks."""
