"""Which decoder reads a topic: the most specific filter, then declared order; one topic has one decoder."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from device_models.decoders.protocol import DecodeContext, Decoded, Decoder
from device_models.decoders.topics import checked_filter
from device_models.event import Message, Rejection

_USUAL = DecodeContext()


@dataclass(frozen=True, slots=True)
class Route:
    """One topic filter, the decoder that reads what it matches, and the settings it reads with."""

    topic_filter: str
    decoder: Decoder
    context: DecodeContext = _USUAL
    """Its ``topic_filter`` is set by the dispatcher."""


@dataclass(slots=True)
class _Level:
    """One level of the tree of filters."""

    below: dict[str, "_Level"] = field(default_factory=dict)
    """By level text, ``+`` among them."""
    here: "_Target | None" = None
    """The route of a filter that ends here."""
    rest: "_Target | None" = None
    """The route of a filter that ends here with ``#``, which matches this level's own topic too."""


_Target = tuple[Decoder, DecodeContext]


class Dispatcher:
    """Decodes messages of all ecosystems. Pure: the same message gives the same answer.

    The more specific of two filters is the one with a literal where the other has ``+``, or with ``+`` where the
    other has ``#``, at the first level at which they differ. Of two equal filters the one declared first counts.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        """Raises ValueError for a route whose topic filter is not valid."""
        self._root = _Level()
        self.filters = tuple(dict.fromkeys(checked_filter(route.topic_filter) for route in routes))
        for route in routes:
            self._insert(route)
        # Devices speak on few topics, often; the bound keeps one that invents topics from filling the memory.
        self._target_of = lru_cache(maxsize=65_536)(self._find)

    def decode(self, message: Message) -> Decoded | Rejection:
        """Decode one message, or reject it and say why."""
        target = self._target_of(message.topic)
        if target is None:
            return Rejection.of(message, self._unclaimed())
        decoder, context = target
        return decoder.decode(message, context)

    def decoder_of(self, topic: str) -> Decoder | None:
        """Return the decoder that claims ``topic``, None where none does."""
        target = self._target_of(topic)
        return target[0] if target else None

    def _insert(self, route: Route) -> None:
        context = DecodeContext(route.topic_filter, route.context.timezone, route.context.future_bound)
        level = self._root
        levels = route.topic_filter.split("/")
        for text in levels if levels[-1] != "#" else levels[:-1]:
            level = level.below.setdefault(text, _Level())
        if levels[-1] == "#":
            level.rest = level.rest or (route.decoder, context)
        else:
            level.here = level.here or (route.decoder, context)

    def _find(self, topic: str) -> _Target | None:
        return _search(self._root, topic.split("/"), 0) if topic else None

    def _unclaimed(self) -> str:
        names = ", ".join(self.filters[:24]) + (", …" if len(self.filters) > 24 else "")
        return f"topic: no decoder claims it; the topic filters are {names}" if names else "topic: no decoder is set up"


def _search(level: _Level, topic: list[str], depth: int) -> _Target | None:
    if depth == len(topic):
        return level.here or level.rest
    text = topic[depth]
    literal = level.below.get(text) if text not in ("+", "#") else None
    found = _search(literal, topic, depth + 1) if literal else None
    # A wildcard at the start does not match $SYS and its like (MQTT 3.1.1 §4.7.2).
    if found is None and not (depth == 0 and text.startswith("$")):
        wildcard = level.below.get("+")
        found = (_search(wildcard, topic, depth + 1) if wildcard else None) or level.rest
    return found
