"""The installed decoders, found by entry point, and the dispatcher that the configuration makes of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog

from device_models.decoders.dispatch import Dispatcher, Route
from device_models.decoders.protocol import DecodeContext, Decoded, Decoder
from device_models.event import Message, Rejection
from gateway.config import DecoderSection
from gateway.errors import StartRefused

log = structlog.get_logger(__name__)

Decode = Callable[[Message], Decoded | Rejection]

GROUP = "proactive_support_gateway.decoders"
"""The entry point group in which packages offer decoders; the names are those of ``[decoders.<name>]``."""


class DecoderError(StartRefused):
    """A decoder cannot be loaded or is set up wrongly; the message names it and says what to change."""


@cache
def installed() -> Mapping[str, Decoder]:
    """Return the installed decoders by name, in the order of their names. Raises DecoderError."""
    return load(entry_points(group=GROUP))


def load(points: Iterable[EntryPoint]) -> Mapping[str, Decoder]:
    """Load decoders from entry points. Raises DecoderError for one that does not load or is no decoder."""
    decoders: dict[str, Decoder] = {}
    for point in sorted(points, key=lambda point: point.name):
        try:
            decoder = point.load()
        except (ImportError, AttributeError) as error:
            raise DecoderError(f"the decoder {point.name} ({point.value}) cannot be loaded: {error}") from error
        if getattr(decoder, "name", None) != point.name or not callable(getattr(decoder, "decode", None)):
            raise DecoderError(f"{point.value} is no decoder named {point.name}; see docs/devices.md")
        decoders[point.name] = decoder
    return decoders


def build_dispatcher(
    sections: Mapping[str, DecoderSection],
    decoders: Mapping[str, Decoder] | None = None,
    ignored_topics: Sequence[str] = (),
) -> Dispatcher:
    """Make the dispatcher that ``[decoders.<name>]`` describes.

    Every installed decoder takes part with its usual topics unless its section names others; ``topics = []``
    switches it off. Configured ones come first, in the order of the file. Messages on ``ignored_topics`` are understood
    and say nothing. Raises DecoderError.
    """
    decoders = installed() if decoders is None else decoders
    unknown = next((name for name in sections if name not in decoders), None)
    if unknown is not None:
        raise DecoderError(f"[decoders.{unknown}]: no such decoder is installed; there are {', '.join(decoders)}")
    routes = [Route(topic_filter, _Ignore()) for topic_filter in ignored_topics]
    for name in dict.fromkeys((*sections, *decoders)):
        section = sections.get(name) or DecoderSection()
        decoder, context = decoders[name], DecodeContext(timezone=_zone(name, section.timezone))
        topics = decoder.default_topics if section.topics is None else section.topics
        routes.extend(Route(topic_filter, decoder, context) for topic_filter in topics)
    try:
        return GuardedDispatcher(routes)
    except ValueError as error:
        raise DecoderError(f"[decoders]: {error}") from error


class GuardedDispatcher(Dispatcher):
    """A dispatcher that outlives its decoders' faults: pipeline, history and relay all read through it.

    Decoders of others are found by entry points, and what they promise (never to raise) is not always what they do.
    """

    def decode(self, message: Message) -> Decoded | Rejection:
        """Decode one message; one that its decoder trips over is rejected alone."""
        try:
            return super().decode(message)
        except Exception as error:
            log.exception("decoder.failed", sequence=message.sequence)
            return Rejection.of(message, f"internal: the decoder failed with {type(error).__name__}; please report it")


class _Ignore:
    """Reads what is not meant for the gateway."""

    name = "ignored"
    default_topics: Sequence[str] = ()

    def decode(self, message: Message, context: DecodeContext) -> Decoded:
        """Understand it, and have nothing to say."""
        return Decoded(note=f"ignored, as ignore_topics says: {context.topic_filter}")


def _zone(name: str, timezone: str | None) -> ZoneInfo | None:
    try:
        return ZoneInfo(timezone) if timezone else None
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise DecoderError(f"[decoders.{name}]: timezone: '{timezone}' is no IANA time zone") from error
