"""What nats-server writes to its log, as events an operator can act on."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.ingest.topics import filter_of, topic_of

_LINE = re.compile(r"\[\d+\] \S+ \S+ \[(?P<level>[A-Z]{3})\] ?(?P<text>.*)")
# 127.0.0.1:59516 - mid:32 - "client id" - message. The address stays out of our log.
_CLIENT = re.compile(
    r"(?P<address>\S+) - (?P<kind>[a-z]+):\d+ - (?:\"(?P<client_id>(?:[^\"\\]|\\.)*)\" - )*(?P<text>.*)"
)


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One line of the server's log; ``level`` is structlog's."""

    name: str
    level: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Pattern:
    pattern: re.Pattern[str]
    name: str
    level: str
    mend: str


_KNOWN = (
    _Pattern(
        re.compile(r"(?P<reason>character not supported for MQTT topics|invalid (?:utf8|null character))"),
        "broker.topic_refused",
        "warning",
        "the device was disconnected; white space in a topic needs your own broker and the relay (docs/brokers.md)",
    ),
    _Pattern(
        re.compile(r'Publish Violation - Subject "(?P<subject>.*)"'),
        "broker.publish_refused",
        "warning",
        "the login may not publish on this topic; the message was dropped, although MQTT 3.1.1 acknowledges it",
    ),
    _Pattern(
        re.compile(r'Subscription Violation - Subject "(?P<filter>.*?)"'),
        "broker.subscribe_refused",
        "warning",
        "the login may not subscribe to this topic filter",
    ),
    _Pattern(
        re.compile(r"unable to connect: authentication error|Authorization Violation|authorization violation"),
        "broker.login_refused",
        "warning",
        "unknown username or wrong password; see [[broker.logins]]",
    ),
    _Pattern(
        re.compile(r"maximum payload exceeded: (?P<bytes>\d+) vs (?P<limit_bytes>\d+)"),
        "broker.payload_refused",
        "warning",
        "the device was disconnected; payloads above 256 KiB are not taken",
    ),
    _Pattern(
        re.compile(r"unacceptable protocol version of (?P<protocol>\d+)"),
        "broker.protocol_refused",
        "warning",
        "the embedded broker speaks MQTT 3.1.1; for MQTT 5 use a broker of your own and the relay (docs/brokers.md)",
    ),
    _Pattern(
        re.compile(r"(?P<reason>maximum (?:bytes|messages) exceeded|insufficient (?:storage )?resources)"),
        "broker.log_full",
        "error",
        "QoS 1 publishes are not acknowledged until there is room; raise data_budget or find what stopped the pipeline",
    ),
    _Pattern(
        re.compile(r"(?P<reason>no space left on device|JetStream out of resources)"),
        "broker.disk_full",
        "error",
        "make room on the disk below data_dir; the broker starts again by itself",
    ),
    _Pattern(
        re.compile(r"(?P<reason>TLS handshake error.*)"),
        "broker.tls_refused",
        "warning",
        "the device does not trust the certificate, or speaks no TLS",
    ),
)
_LEVELS = {"FTL": "error", "ERR": "warning", "WRN": "info"}


def read_line(line: str) -> ServerEvent | None:
    """Read one line of nats-server's log; None for one that needs nobody."""
    found = _LINE.fullmatch(line.rstrip())
    if not found:
        # A Go panic, or a complaint about the configuration before logging began.
        return ServerEvent("broker.output", "warning", {"text": line.rstrip()}) if line.strip() else None
    client = _CLIENT.fullmatch(found["text"])
    text = client["text"] if client else found["text"]
    who = {"client_id": client["client_id"]} if client and client["client_id"] else {}
    for known in _KNOWN:
        if match := known.pattern.search(text):
            details = dict(match.groupdict())
            if "subject" in details:
                details["topic"] = topic_of(details.pop("subject"))
            if "filter" in details:
                details["topic_filter"] = filter_of(details.pop("filter"))
            return ServerEvent(known.name, known.level, who | details | {"mend": known.mend})
    if found["level"] not in _LEVELS or "Plaintext passwords" in text:
        return None
    return ServerEvent("broker.output", _LEVELS[found["level"]], who | {"text": text})


class Repeats:
    """Holds back an event that a reconnecting device repeats, so that one device cannot fill the log."""

    def __init__(self, every_s: float, now: Callable[[], float]) -> None:
        self._every_s = every_s
        self._now = now
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def admit(self, event: ServerEvent) -> int | None:
        """Return how many like it were held back since the last one let through, None to hold this one back too."""
        key = (event.name, event.fields.get("client_id", event.fields.get("text", "")))
        now = self._now()
        last = self._seen.get(key)
        if last and now - last[0] < self._every_s:
            self._seen[key] = (last[0], last[1] + 1)
            return None
        if len(self._seen) >= 1_000:
            self._seen = {k: seen for k, seen in self._seen.items() if now - seen[0] < self._every_s}
        if len(self._seen) >= 1_000:
            return None
        self._seen[key] = (now, 0)
        return last[1] if last else 0
