"""MQTT topics as subjects of the log, both ways, exactly.

nats-server maps a publish on MQTT topic ``a/b`` to subject ``a.b``; the log keeps the subject. The mapping is per
level: an empty level becomes ``/`` and a dot within a level ``//``, so nothing is lost and nothing collides.
Source: nats-server's README-MQTT ("Topics and subjects"); checked against the real server in tests/system.
"""

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote, unquote

DEVICE_PREFIX = "$MQTT.msgs."
"""QoS 1 and 2 publishes, stored by nats-server itself before it sends the PUBACK."""
QOS0_PREFIX = "$GW.qos0."
"""QoS 0 publishes, carried over by gateway.ingest.qos0."""
RELAY_PREFIX = "$GW.relay."
"""Messages of a customer's own broker."""
ENCODED_SUBJECT = "$GW.encoded"
"""Messages whose topic no subject can carry; the topic is in the header ``TOPIC_HEADER``."""
GATEWAY_SUBJECTS = "$GW.>"
"""All that the gateway itself writes. Devices may not publish there, and ``#`` does not match it."""

TOPIC_HEADER = "Gateway-Topic"
RETAINED_HEADER = "Gateway-Retained"
OWN_HEADERS = b"Gateway-"
"""What both begin with."""

_PREFIXES = (DEVICE_PREFIX, QOS0_PREFIX, RELAY_PREFIX)
_REFUSED = frozenset(" \t\n\r\f\0")
"""nats-server disconnects a client that publishes to a topic with one of these."""
_LONGEST_SUBJECT = 1_000
"""In bytes. A NATS client that sends a control line above 4,096 bytes is disconnected (``max_control_line``)."""


def subject_of(topic: str) -> str:
    """Return the subject under which nats-server knows an MQTT topic.

    Raises ValueError where there is none: an empty topic, white space, NUL.
    """
    if not topic:
        raise ValueError("topic: it is empty")
    if refused := _REFUSED.intersection(topic):
        raise ValueError(f"topic: nats-server refuses {' and '.join(sorted(map(repr, refused)))} in it")
    return ".".join(level.replace(".", "//") or "/" for level in topic.split("/"))


def topic_of(subject: str) -> str:
    """Return the MQTT topic that nats-server knows under ``subject``; the inverse of ``subject_of``."""
    return "/".join("" if level == "/" else level.replace("//", ".") for level in subject.split("."))


def filter_of(subject: str) -> str:
    """Return the MQTT topic filter that nats-server knows under ``subject``."""
    wildcards = {"*": "+", ">": "#"}
    return "/".join(wildcards.get(level) or topic_of(level) for level in subject.split("."))


def log_address(prefix: str, topic: str) -> tuple[str, dict[str, str]]:
    """Tell where in the log a message on ``topic`` is written: its subject and the headers that complete it.

    Any topic that MQTT allows has an address: what a subject cannot say (white space and control characters, a level
    that NATS reads as a wildcard, great length) travels percent-encoded in a header.
    """
    plain = (
        topic
        and len(topic) <= _LONGEST_SUBJECT
        and len(topic.encode()) <= _LONGEST_SUBJECT
        and topic.isprintable()
        and " " not in topic
        and not {"*", ">"}.intersection(topic.split("/"))
    )
    if plain:
        return prefix + subject_of(topic), {}
    return ENCODED_SUBJECT, {TOPIC_HEADER: quote(topic, safe="/")}


def logged_topic(subject: str, headers: Mapping[str, str]) -> str:
    """Return the MQTT topic of a message of the log."""
    if subject == ENCODED_SUBJECT and TOPIC_HEADER in headers:
        return unquote(headers[TOPIC_HEADER])
    return _plain_topic(subject)


# A fleet speaks on few topics, often. The bound keeps a device that invents topics from filling the memory.
@lru_cache(maxsize=8_192)
def _plain_topic(subject: str) -> str:
    for prefix in _PREFIXES:
        if subject.startswith(prefix):
            return topic_of(subject[len(prefix) :])
    return topic_of(subject)


def filter_subjects(topic_filter: str) -> tuple[str, ...]:
    """Return the subjects, for a permission, that match what an MQTT topic filter matches.

    Two for a filter ending in ``/#``, which matches its parent too. Raises ValueError for a filter with a level that
    NATS would read as a wildcard (``*``, ``>``): a device of that name would be allowed to speak for all others.
    """
    levels = topic_filter.split("/")
    if {"*", ">"}.intersection(levels):
        raise ValueError(f"'{topic_filter}': a level may not be * or >, which are wildcards of nats-server")
    wildcards = {"+": "*", "#": ">"}
    tokens = [wildcards.get(level) or subject_of(level) if level else "/" for level in levels]
    if tokens[-1] == ">" and len(tokens) > 1:
        return ".".join(tokens[:-1]), ".".join(tokens)
    return (".".join(tokens),)
