"""Topic filters that overlap, made disjoint.

MQTT lets a broker deliver a message once for each overlapping subscription (MQTT 3.1.1 §3.3.5), and brokers differ:
for five overlapping filters mosquitto sends one copy, nats-server four.
"""

from collections.abc import Iterable

from device_models.decoders.topics import checked_filter


def matches(topic_filter: str, topic: str) -> bool:
    """Tell whether a topic filter matches a topic (MQTT 3.1.1 §4.7)."""
    return covers(topic_filter, topic)


def disjoint(filters: Iterable[str]) -> tuple[str, ...]:
    """Return topic filters of which at most one matches any topic and which match all that ``filters`` match.

    A filter that lies within another is dropped. Two that overlap in part have no exact disjoint form
    (``a/+`` and ``+/b``), so the narrowest filter that covers both takes their place: it may match more, and the
    subscriber must still ask ``matches`` of its own filters. Raises ValueError for an invalid or a shared filter.
    """
    apart: list[str] = []
    waiting = [_subscribable(topic_filter) for topic_filter in dict.fromkeys(filters)]
    while waiting:
        candidate = waiting.pop(0)
        met = next((other for other in apart if overlap(candidate, other)), None)
        if met is None:
            apart.append(candidate)
            continue
        # The wider filter may reach others that were apart from both, so it is weighed against all again.
        apart.remove(met)
        waiting.insert(0, _cover(candidate, met))
    return tuple(apart)


def covers(wide: str, narrow: str) -> bool:
    """Tell whether ``wide`` matches every topic that ``narrow`` (a filter or a topic) matches."""
    a, b = wide.split("/"), narrow.split("/")
    if _hidden(a[0], b[0]):
        return False
    for index, level in enumerate(a):
        if level == "#":
            return True
        if index >= len(b) or b[index] == "#" or (level not in ("+", b[index])):
            return False
    return len(a) == len(b) or a[len(b) :] == ["#"]


def overlap(one: str, other: str) -> bool:
    """Tell whether some topic is matched by both filters."""
    a, b = one.split("/"), other.split("/")
    if _hidden(a[0], b[0]) or _hidden(b[0], a[0]):
        return False
    for x, y in zip(a, b, strict=False):
        if "#" in (x, y):
            return True
        if x != y and "+" not in (x, y):
            return False
    longer, depth = (a, len(b)) if len(a) > len(b) else (b, len(a))
    return len(a) == len(b) or longer[depth:] == ["#"]


def _hidden(wildcard: str, level: str) -> bool:
    """Tell whether ``level``, the first of a topic, is kept from a leading wildcard (MQTT 3.1.1 §4.7.2)."""
    return wildcard in ("+", "#") and level.startswith("$")


def _cover(one: str, other: str) -> str:
    """Return the narrowest filter that covers two that overlap."""
    if covers(one, other):
        return one
    if covers(other, one):
        return other
    levels: list[str] = []
    for x, y in zip(one.split("/"), other.split("/"), strict=False):
        if "#" in (x, y):
            levels.append("#")
            break
        levels.append(x if x == y else "+")
    else:
        if one.count("/") != other.count("/"):
            levels.append("#")
    return "/".join(levels)


def _subscribable(topic_filter: str) -> str:
    if topic_filter.startswith("$share/"):
        raise ValueError(
            f"'{topic_filter}': a shared subscription hands one device's messages to several relays, out of order; "
            "give each relay topic filters of its own"
        )
    return checked_filter(topic_filter)
