"""Work in a process of its own, so that nobody waits for it: asked from the event loop, told of as it goes on."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, Literal, TypeVar

import structlog

from gateway.backtest.recorded import BadTableError
from gateway.errors import StartRefused
from gateway.history import HistoryError

log = structlog.get_logger()

# Forking a process that has threads copies their locks in whatever state they are.
_PROCESSES = multiprocessing.get_context("spawn")
_KINDNESS = 10
"""Added to the process's niceness: whoever works in the console comes first."""

Told = tuple[Literal["progress"], float] | tuple[Literal["done"], Mapping[str, Any]] | tuple[Literal["failed"], str]
"""What the process says: how far it is (0 to 1), what came of it, or why nothing did."""
Tell = Callable[[float], None]
T = TypeVar("T")


class Failed(Exception):
    """The process says why it cannot."""


def serve(pipe: Connection, do: Callable[[Tell], Mapping[str, Any]]) -> None:
    """Run in the process: do the work, and say through ``pipe`` how it goes (see ``Told``)."""
    # The terminal's Ctrl-C reaches every process of the group; ours is ended by the gateway.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_KINDNESS)
    try:
        outcome = do(lambda share: pipe.send(("progress", share)))
    except (StartRefused, HistoryError, BadTableError, OSError, ValueError) as error:
        pipe.send(("failed", str(error)))
    else:
        pipe.send(("done", outcome))
    finally:
        pipe.close()


async def in_a_process(
    work: Callable[[T, Connection], None], job: T, tell: Tell, *, longest_s: float
) -> dict[str, Any]:
    """Let ``work(job, pipe)``, which serves the pipe, run for ``longest_s`` seconds at most; return its outcome.

    Raises Failed, also where it takes longer.
    """
    try:
        async with asyncio.timeout(longest_s):
            return await _run(work, job, tell)
    except TimeoutError:
        raise Failed(f"took longer than {longest_s:g} s; try a shorter span") from None


async def _run(work: Callable[[T, Connection], None], job: T, tell: Tell) -> dict[str, Any]:
    ours, theirs = _PROCESSES.Pipe(duplex=False)
    process = _PROCESSES.Process(target=work, args=(job, theirs), name=work.__module__, daemon=True)
    try:
        process.start()
        # Ours alone is open now, so that the process's end is the pipe's.
        theirs.close()
        while True:
            try:
                told: Told = await asyncio.to_thread(ours.recv)
            except EOFError:
                log.error("process.died", work=work.__module__, exit_code=process.exitcode)
                raise Failed("its process ended without a word; is there memory enough?") from None
            if told[0] == "done":
                return dict(told[1])
            if told[0] == "failed":
                raise Failed(told[1])
            tell(told[1])
    finally:
        # A process that could not be started has nothing to be ended.
        if process.pid is not None:
            process.kill()
            await asyncio.shield(asyncio.to_thread(process.join))
