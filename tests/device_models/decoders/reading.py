"""What the decoder tests share: one dispatcher with every decoder, and readers that insist on an outcome."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from device_models.decoders import native, owntracks, tasmota, zigbee2mqtt
from device_models.decoders.dispatch import Dispatcher, Route
from device_models.decoders.protocol import DecodeContext, Decoded, Decoder
from device_models.event import Event, Message, Rejection

ARRIVAL = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DECODERS: tuple[Decoder, ...] = (native.decoder, owntracks.decoder, tasmota.decoder, zigbee2mqtt.decoder)


def dispatcher(timezone: str | None = None) -> Dispatcher:
    """Build a dispatcher of all decoders on their usual topics."""
    context = DecodeContext(timezone=ZoneInfo(timezone) if timezone else None)
    return Dispatcher([Route(f, decoder, context) for decoder in DECODERS for f in decoder.default_topics])


EVERY = dispatcher()


def message(topic: str, payload: Any) -> Message:
    """Make a message; anything but bytes and text is sent as JSON."""
    if isinstance(payload, str):
        payload = payload.encode()
    return Message(topic, payload if isinstance(payload, bytes) else orjson.dumps(payload), ARRIVAL)


def decoded(topic: str, payload: Any, using: Dispatcher = EVERY) -> Decoded:
    """Decode what must be understood."""
    outcome = using.decode(message(topic, payload))
    assert isinstance(outcome, Decoded), outcome
    return outcome


def only_event(topic: str, payload: Any, using: Dispatcher = EVERY) -> Event:
    """Decode what must give exactly one event."""
    (event,) = decoded(topic, payload, using).events
    return event


def rejected(topic: str, payload: Any) -> str:
    """Return the reason why a message is refused."""
    outcome = EVERY.decode(message(topic, payload))
    assert isinstance(outcome, Rejection), outcome
    return outcome.reason
