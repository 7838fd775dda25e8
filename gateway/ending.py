"""Ending a task, although what it waits for may not let it."""

import asyncio
from typing import Any

_ASKED_AGAIN_S = 0.5


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel ``tasks`` and return once all have ended; how each ended is not told.

    Cancelled more than once where it takes that: Python 3.11's ``wait_for``, which libraries use, returns its result
    where a cancellation comes as the future completes, and the cancellation is lost (CPython issue 86296).
    """
    while unfinished := {task for task in tasks if not task.done()}:
        for task in unfinished:
            task.cancel()
        await asyncio.wait(unfinished, timeout=_ASKED_AGAIN_S)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # Read, so that nobody is told that it never was.
