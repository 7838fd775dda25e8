"""The JetStream stream that is the log, and how it is made.

**The embedded broker's log is nats-server's own ``$MQTT_msgs``**, made by us before nats-server would. A stream that
captures the plain subjects is filled behind the PUBACK: a full log, or a kill in between, loses acknowledged messages.
``$MQTT_msgs`` is what nats-server writes *before* it sends a QoS 1 PUBACK (or QoS 2 PUBCOMP). Left to itself it makes
that stream with ``interest`` retention, which keeps nothing that no session waits for; it uses one that is there as it
is. Made by us with ``limits`` and ``discard: new``, each PUBACK is the log's own, and a full log withholds it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

from gateway.errors import StartRefused
from gateway.ingest.topics import DEVICE_PREFIX, GATEWAY_SUBJECTS


class LogRefused(StartRefused):
    """The NATS server will not have the stream that is asked for; the message says why."""


@dataclass(frozen=True, slots=True)
class LogSettings:
    """A log's name, what it captures, how large it grows.

    One pipeline reads all of it. Partitions (``partition(n, …)`` in a subject transform; DESIGN.md, Scale) come later.
    """

    name: str = "GATEWAY"
    captures: tuple[str, ...] = ()
    """Subjects beside the gateway's own (``$GW.>``)."""
    max_bytes: int = 4 * 1024**3
    """On disk. When it is full nothing more is taken: ``Stream.forget`` makes room."""
    duplicate_window: timedelta = timedelta(minutes=2)
    """How long a message id is remembered; each costs nats-server about 100 bytes of memory."""
    replicas: int = 1


EMBEDDED = LogSettings(name="$MQTT_msgs", captures=(f"{DEVICE_PREFIX}>",))
"""The log of a nats-server whose MQTT listener devices speak to: the embedded one, or a cluster's."""


def embedded(max_bytes: int) -> LogSettings:
    """Return the embedded broker's log with a bound on its size."""
    return replace(EMBEDDED, max_bytes=max_bytes)


async def ensure(jetstream: JetStreamContext, settings: LogSettings) -> None:
    """Make the log, or bring an existing one to ``settings``; no message is lost by it. Raises LogRefused."""
    wanted = StreamConfig(
        name=settings.name,
        subjects=[GATEWAY_SUBJECTS, *settings.captures],
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.NEW,
        storage=StorageType.FILE,
        max_bytes=settings.max_bytes,
        duplicate_window=settings.duplicate_window.total_seconds(),
        num_replicas=settings.replicas,
        # nats-server from 2.15 on asks this of $MQTT_msgs, for MQTT 5's message expiry.
        allow_msg_ttl=True,
    )
    try:
        there = (await jetstream.stream_info(settings.name)).config
    except NotFoundError:
        await _ask(jetstream.add_stream, wanted)
        return
    if _differs(there, wanted):
        await _ask(jetstream.update_stream, wanted)


def _differs(there: StreamConfig, wanted: StreamConfig) -> bool:
    compared = ("retention", "discard", "max_bytes", "duplicate_window", "num_replicas", "allow_msg_ttl")
    return set(there.subjects or ()) != set(wanted.subjects or ()) or any(
        getattr(there, name) != getattr(wanted, name) for name in compared
    )


async def _ask(call: Callable[[StreamConfig], Awaitable[object]], config: StreamConfig) -> None:
    try:
        await call(config)
    except APIError as error:
        raise LogRefused(f"stream {config.name}: nats-server says: {error.description}") from error
