"""The live feed: what was committed, pushed to whoever watches."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

_MOST_WAITING = 1000


class LiveFeed:
    """Fans changes out to subscribers in this process. A subscriber that falls behind is told to reload instead."""

    def __init__(self) -> None:
        self._subscribers: set[asyncio.Queue[Mapping[str, Any]]] = set()

    def publish(self, changes: Iterable[Mapping[str, Any]]) -> None:
        """Tell everybody; called on the event loop after a commit."""
        for change in changes:
            for queue in self._subscribers:
                if queue.qsize() >= _MOST_WAITING:
                    while not queue.empty():
                        queue.get_nowait()
                    queue.put_nowait({"kind": "reload", "id": None})
                queue.put_nowait(change)

    async def subscribe(self) -> AsyncIterator[Mapping[str, Any]]:
        """Yield one mapping a change, ``{"kind": …, "id": …}``, until the caller stops."""
        queue: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self._subscribers.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._subscribers.discard(queue)
