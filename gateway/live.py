"""The live feed: what was committed, pushed to whoever watches."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

Change = Mapping[str, Any]
"""``{"kind": "case", "id": 7}``."""

_MOST_WAITING = 100
_RELOAD: Sequence[Change] = ({"kind": "reload", "id": "*"},)


class LiveFeed:
    """Fans changes out to subscribers in this process. A subscriber that falls behind is told to reload instead."""

    def __init__(self) -> None:
        self._subscribers: set[asyncio.Queue[Sequence[Change]]] = set()

    def publish(self, changes: Sequence[Change]) -> None:
        """Tell everybody what one commit changed; called on the event loop, after it."""
        if not changes:
            return
        for queue in self._subscribers:
            if queue.qsize() >= _MOST_WAITING:
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(_RELOAD)
            queue.put_nowait(changes)

    async def subscribe(self) -> AsyncIterator[Sequence[Change]]:
        """Yield the changes of each commit until the caller stops."""
        queue: asyncio.Queue[Sequence[Change]] = asyncio.Queue()
        self._subscribers.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._subscribers.discard(queue)
