"""The log in the gateway's own time."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from gateway.clock import Clock
from gateway.ingest.stream import Stream
from gateway.pipeline.pipeline import MessageBatch

MOST_MESSAGES = 2000
"""In one commit: with a backlog so many cost the least each, and a command waits for a fifth of a second at most."""


class ClockedLog:
    """Reads the log: nats-server stamps by the wall clock, the demo's clock may run faster."""

    def __init__(self, stream: Stream, clock: Clock, linger_s: float) -> None:
        """``linger_s``: how long a batch waits to become fuller. A commit costs as much as some twenty messages."""
        self._stream = stream
        self._clock = clock
        self._linger_s = linger_s

    async def batches(self, after: int) -> AsyncGenerator[MessageBatch, None]:
        # Closed at once when the reader ends, so that the server forgets its consumer.
        async with aclosing(self._stream.batches(after, MOST_MESSAGES, self._linger_s)) as batches:
            async for batch in batches:
                if self._clock.is_wall:
                    yield batch
                else:
                    at = self._clock.at
                    yield replace(batch, messages=[replace(m, received_at=at(m.received_at)) for m in batch.messages])
