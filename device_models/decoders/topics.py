"""MQTT topics and topic filters (MQTT 3.1.1 §4.7): validity, and how deep a base topic lies."""

from functools import lru_cache


def checked_filter(topic_filter: str) -> str:
    """Return a valid topic filter unchanged; raises ValueError that says what is wrong with another."""
    levels = topic_filter.split("/")
    if not topic_filter or "\0" in topic_filter or len(topic_filter.encode()) > 65_535:
        raise ValueError(f"'{topic_filter[:60]}' is no MQTT topic filter")
    for index, level in enumerate(levels):
        if "#" in level and (level != "#" or index != len(levels) - 1):
            raise ValueError(f"'{topic_filter}': # must be the whole last level")
        if "+" in level and level != "+":
            raise ValueError(f"'{topic_filter}': + must be a whole level")
    return topic_filter


@lru_cache(maxsize=1_024)
def base_depth(topic_filter: str, usual: str) -> int:
    """Tell how many levels of a topic are its ecosystem's base topic, from the filter that claimed it.

    The base ends with the level ``usual`` (``zigbee2mqtt``) where the filter names it, else with the filter's first
    run of literal levels: 1 for ``owntracks/+/+``, 2 for ``+/owntracks/#``, 2 for ``site/radio/#``. 1 without a filter.
    """
    levels = topic_filter.split("/") if topic_filter else [usual]
    if usual in levels:
        return levels.index(usual) + 1
    first = next((i for i, level in enumerate(levels) if level not in ("+", "#")), None)
    if first is None:
        return 0
    return next((i for i in range(first, len(levels)) if levels[i] in ("+", "#")), len(levels))


def below_base(topic: str, topic_filter: str, usual: str) -> tuple[str, list[str]]:
    """Split a topic into an id's beginning (empty for the usual base, else ``base/``) and the levels below."""
    levels = topic.split("/")
    depth = base_depth(topic_filter, usual)
    base = "/".join(levels[:depth])
    return ("" if base in ("", usual) else f"{base}/"), levels[depth:]
