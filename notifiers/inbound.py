"""What a person sent us, from whichever provider."""

from dataclasses import dataclass, field

from device_models.purpose import Purpose
from notifiers.replies import Intent


@dataclass(frozen=True, slots=True)
class Media:
    """A picture or file that came with a message and lies with the provider."""

    kind: str
    """In a word: photo, voice message, document."""
    ref: str = field(default="", repr=False)
    """What the provider gives it out for; empty where it gives out none: a place, a sticker."""
    name: str = field(default="", repr=False)
    """As the sender's telephone called it."""
    size: int | None = None
    """Bytes, where the provider says so."""


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
    media: tuple[Media, ...] = field(default=(), repr=False)
    """What came with it."""
    keyword: str | None = None
    """What is read for STOP, DONE and their like where that is not the text: a tapped button's id."""
    answers: str | None = None
    """The provider's id of the message of ours that it answers, where the person chose one."""
    link_code: str | None = field(default=None, repr=False)
    """Set where it links this address to a customer, see ``notifiers.link_codes``."""


@dataclass(frozen=True, slots=True)
class Blocking:
    """A person shut us out on a channel, or let us in again, with the provider's own switch."""

    provider: str
    channel: str
    address: str = field(repr=False)
    blocked: bool
    purposes: frozenset[Purpose] = frozenset()
    """What it is about where the provider tells marketing apart; empty: everything on this channel."""
