"""What is to happen when, in simulated time."""

import heapq
from collections.abc import Callable
from datetime import datetime
from itertools import count

Happening = Callable[[datetime], object]
"""Called with the time it was due at; what it returns is dropped."""


class Agenda:
    """A queue of happenings; those of one instant happen in the order they were added."""

    def __init__(self) -> None:
        self._queue: list[tuple[datetime, int, Happening]] = []
        self._order = count()

    def add(self, at: datetime, happening: Happening) -> None:
        """Let ``happening`` happen at ``at``, or at the next step where that has passed."""
        heapq.heappush(self._queue, (at, next(self._order), happening))

    def run(self, until: datetime) -> None:
        """Let everything happen that is due at ``until`` or earlier, what is added on the way included."""
        while self._queue and self._queue[0][0] <= until:
            at, _, happening = heapq.heappop(self._queue)
            happening(at)
