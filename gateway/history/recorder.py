"""From the log into the history: what the pipeline has decoded already is taken from there, the rest is read again.

The history knows its own position, so the log is its buffer: whatever it missed, by a crash or because it could not be
written for a while, it reads from there.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Protocol

import structlog

from device_models.event import Event, Message, Rejection
from gateway.decoders import Decode
from gateway.history import History, HistoryUnavailable, Sample
from gateway.history.tail import Tail

log = structlog.get_logger()

_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0
_LINGER_S = 1.0
"""A transaction takes in what is committed within this time. It writes a page of each series: with five samples of a
device in it, a third less processor time and less than half the bytes of what two take."""


class Batch(Protocol):
    """Messages of the log in order."""

    @property
    def messages(self) -> Sequence[Message]:
        """Empty where nothing came for a while."""

    @property
    def last_sequence(self) -> int:
        """How far the log is read with this batch."""


class Log(Protocol):
    """The log, read from any position on."""

    def batches(self, after: int) -> AsyncGenerator[Batch, None]:
        """Yield what follows sequence ``after``, and what comes then, until closed."""


class Recorder:
    """Carries samples from the log into the history. What a history cannot take now is read again later."""

    def __init__(
        self,
        tail: Tail,
        stream: Log,
        decode: Decode,
        sample: Callable[[Event], Sample | None],
        history: History,
        *,
        first_wait_s: float = _FIRST_WAIT_S,
    ) -> None:
        """Make a recorder.

        Args:
            tail: what the pipeline commits from now on.
            stream: the log, read by this recorder alone where the tail does not reach back.
            decode: the pipeline's own decoding.
            sample: makes a sample of what a device said; None: it is none.
            history: where samples go.
            first_wait_s: wait before the second try after a failure; doubled with each to a minute.
        """
        self._tail = tail
        self._stream = stream
        self._decode = decode
        self._sample = sample
        self._history = history
        self._first_wait_s = first_wait_s

    async def run(self) -> None:
        """Record until cancelled. An unreachable history is waited for; what else goes wrong is raised."""
        wait_s = self._first_wait_s
        while True:
            reached: int | None = None
            try:
                reached = await self._history.last_sequence()
                async with aclosing(self._portions(reached)) as portions:
                    async for events, sequence in portions:
                        # Not on the event loop: of many it takes a tenth of a second, in which no page answers.
                        samples = await asyncio.to_thread(self._samples, events)
                        await self._history.write(samples, sequence=sequence)
                        if wait_s > self._first_wait_s:
                            log.info("history.recording_again", sequence=sequence)
                        wait_s = self._first_wait_s
                return
            except HistoryUnavailable as error:
                # Memory is bounded meanwhile: what the tail had to let go is read again from the log.
                log.warning("history.unavailable", reason=str(error), recorded_to=reached, retry_after_s=wait_s)
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    async def _portions(self, after: int) -> AsyncGenerator[tuple[Sequence[Event], int], None]:
        """Yield what was said after a sequence and how far that reaches, until the log ends."""
        while True:
            async with aclosing(self._stream.batches(after)) as batches:
                async for batch in batches:
                    after = batch.last_sequence
                    if batch.messages:
                        yield await asyncio.to_thread(self._decoded, batch.messages), after
                    if self._tail.reaches_back_to(after):
                        break
                else:
                    return
            while (part := await self._tail.take(after, _LINGER_S)) is not None:
                yield part
                after = part[1]

    def _decoded(self, messages: Sequence[Message]) -> list[Event]:
        answers = map(self._decode, messages)
        return [event for answer in answers if not isinstance(answer, Rejection) for event in answer.events]

    def _samples(self, events: Sequence[Event]) -> list[Sample]:
        return [sample for event in events if (sample := self._sample(event)) is not None]
