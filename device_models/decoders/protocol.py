"""What a decoder is: a function from one MQTT message to events, or to the reason why there are none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from device_models.event import Event, Message, Rejection

FUTURE_BOUND = timedelta(minutes=10)
"""How far ahead of the log a device's clock may run before its stamps are not used."""


@dataclass(frozen=True, slots=True)
class DecodeContext:
    """What a decoder is told beside the message: the settings of its ecosystem."""

    topic_filter: str = ""
    """The MQTT topic filter that claimed the message; tells a decoder how deep its base topic lies."""
    timezone: ZoneInfo | None = None
    """Zone of stamps that carry none; None uses the arrival time for those."""
    future_bound: timedelta = FUTURE_BOUND
    """A stamp further than this after the arrival is not used; nor is one before the year 2000."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A message that was understood."""

    events: tuple[Event, ...] = ()
    """In the order in which the device said them; empty: understood, nothing to say."""
    note: str | None = None
    """What a person who wonders should know: why there is no event, which value was left out, whose clock was wrong."""
    hub: str | None = None
    """The device that published it for others, such as a Zigbee bridge; None: a device that speaks for itself."""


class Decoder(Protocol):
    """Reads the messages of one ecosystem.

    Installed ones are found by the entry point group ``proactive_support_gateway.decoders``, whose values are
    instances. A decoder keeps no state: the same message and context give the same answer on every replay.
    """

    @property
    def name(self) -> str:
        """The ecosystem, as ``[decoders.<name>]`` and ``Event.ecosystem`` write it."""

    @property
    def default_topics(self) -> Sequence[str]:
        """MQTT topic filters that it claims where the configuration names none."""

    def decode(self, message: Message, context: DecodeContext) -> Decoded | Rejection:
        """Decode one message. Never raises: what cannot be read is a Rejection with a reason a person can act on."""
