"""The history's own reader of the log: samples are written from there, so that the log is the history's buffer."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Protocol

import structlog

from device_models.event import Event, Message, Rejection, TimeSource
from gateway.history import History, HistoryUnavailable, Sample

log = structlog.get_logger()

_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0


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
        stream: Log,
        decode: Callable[[Message], Sequence[Event] | Rejection],
        history: History,
        keep_position: Callable[[str], bool],
        *,
        first_wait_s: float = _FIRST_WAIT_S,
    ) -> None:
        """Make a recorder.

        Args:
            stream: the log; read by this recorder alone, beside the pipeline.
            decode: the pipeline's own decoding, names and units as rules see them.
            history: where samples go.
            keep_position: tells by device id whether its positions may be kept (its owner's consent, or a thing
                that nobody carries).
            first_wait_s: wait before the second try after a failure; doubled with each to a minute.
        """
        self._stream = stream
        self._decode = decode
        self._history = history
        self._keep_position = keep_position
        self._first_wait_s = first_wait_s

    async def run(self) -> None:
        """Record until cancelled. An unreachable history is waited for; what else goes wrong is raised."""
        wait_s = self._first_wait_s
        while True:
            reached: int | None = None
            try:
                reached = await self._history.last_sequence()
                async with aclosing(self._stream.batches(after=reached)) as batches:
                    async for batch in batches:
                        if not batch.messages:
                            continue
                        # Not on the event loop: of a full batch it takes a tenth of a second, in which no page answers.
                        samples = await asyncio.to_thread(self._samples, batch.messages)
                        await self._history.write(samples, sequence=batch.last_sequence)
                        if wait_s > self._first_wait_s:
                            log.info("history.recording_again", sequence=batch.last_sequence)
                        wait_s = self._first_wait_s
                return
            except HistoryUnavailable as error:
                # Nothing is held in memory meanwhile: the same messages are read again from the log.
                log.warning("history.unavailable", reason=str(error), recorded_to=reached, retry_after_s=wait_s)
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _samples(self, messages: Sequence[Message]) -> list[Sample]:
        samples = []
        for message in messages:
            decoded = self._decode(message)
            if not isinstance(decoded, Rejection):
                samples += [sample for event in decoded if (sample := self._sample(event))]
        return samples

    def _sample(self, event: Event) -> Sample | None:
        # The broker's memory stamped by its arrival: a value of unknown age is no sample of now.
        if event.retained and event.time_source is TimeSource.ARRIVAL:
            return None
        position = event.position if event.position and self._keep_position(event.device_id) else None
        if not event.values and position is None:
            return None
        return Sample(event.device_id, event.observed_at, event.values, event.units, position)
