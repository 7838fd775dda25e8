"""The tail of the log as the pipeline has decoded and committed it: a history that keeps pace reads nothing twice."""

import asyncio
from collections import deque
from collections.abc import Sequence

from device_models.event import Event

MOST_KEPT = 20_000
"""Events by which the history may be behind before it has to read the log itself."""
_AT_ONCE = 10_000


class Tail:
    """What the latest commits decoded, without a gap, until the history takes it. Bounded: the oldest goes first."""

    def __init__(self, sequence: int, most: int = MOST_KEPT) -> None:
        """``sequence``: how far the log was committed before the first ``grow``."""
        self._begins = sequence
        self._most = most
        self._parts: deque[tuple[int, Sequence[Event]]] = deque()
        self._kept = 0
        self._grown = asyncio.Event()

    def grow(self, events: Sequence[Event], sequence: int) -> None:
        """Take what one commit decoded, up to and with ``sequence``; nobody waits."""
        if sequence == self._ends:
            return
        self._parts.append((sequence, events))
        self._kept += len(events)
        while self._kept > self._most:
            self._drop()
        self._grown.set()

    def reaches_back_to(self, sequence: int) -> bool:
        """Tell whether all that follows ``sequence`` is here or is still to come."""
        return self._begins <= sequence

    async def take(self, after: int, linger_s: float) -> tuple[Sequence[Event], int] | None:
        """Return the next events after a sequence and how far they reach; None where the oldest of them are gone.

        ``linger_s``: how long to wait for more once there are some.
        """
        while self._ends <= after:
            self._grown.clear()
            await self._grown.wait()
        await asyncio.sleep(linger_s)
        if not self.reaches_back_to(after):
            return None
        events: list[Event] = []
        while self._parts and len(events) < _AT_ONCE:
            part = self._drop()
            # Of a part that the history has read itself for some way, all of it is written once more: no harm.
            events += part if self._begins > after else ()
        return events, self._begins

    @property
    def _ends(self) -> int:
        return self._parts[-1][0] if self._parts else self._begins

    def _drop(self) -> Sequence[Event]:
        self._begins, events = self._parts.popleft()
        self._kept -= len(events)
        return events
