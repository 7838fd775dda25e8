"""One reading for all who ask the same at the same time.

When a case changes, each of two hundred open queues asks for its rows at once. Whoever asks while a reading is under
way shares the *next* one, which begins after they asked: nobody is shown less than was committed when they asked, so
nothing has to be kept for a while and nothing thrown away in time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class OneReading(Generic[T]):
    """Answers equal questions that come while one of them is being answered by one reading more."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[T]] = {}
        self._next: dict[Hashable, asyncio.Task[T]] = {}

    async def ask(self, key: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        """Return what a reading gives that begins now or later; its error is raised to all who share it.

        ``key``: equal for questions that have the same answer, whoever asks.
        """
        running, reading = self._running.get(key), self._next.get(key)
        if reading is None and running is None:
            reading = self._running[key] = asyncio.create_task(self._run(key, read))
        elif reading is None:
            reading = self._next[key] = asyncio.create_task(self._run(key, read, running))
        # Shielded: whoever goes away leaves the others theirs.
        return await asyncio.shield(reading)

    async def _run(self, key: Hashable, read: Callable[[], Awaitable[T]], before: asyncio.Task[T] | None = None) -> T:
        if before is not None:
            await asyncio.wait([before])
            self._running[key] = self._next.pop(key)
        try:
            return await read()
        finally:
            del self._running[key]
