"""Backtests on their way: one process at a time, bounded in time, its progress at hand."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

from gateway.backtest.job import Job, work
from gateway.backtest.process import Failed, in_a_process
from gateway.commands import CommandRefused, Commands, KeepBacktest, NoteBacktest
from gateway.ending import end

LONGEST = timedelta(minutes=15)
"""A backtest that takes longer is stopped; a shorter span of history, or the command line, is the way then."""


@dataclass(slots=True)
class Running:
    """One backtest, until its outcome is kept with the draft."""

    by: str
    began_at: datetime
    state: Literal["waiting", "running", "failed", "stopped"] = "waiting"
    share: float = 0.0
    """How much of the data was run through, 0 to 1."""
    error: str = ""

    @property
    def open(self) -> bool:
        """Whether it still goes on."""
        return self.state in ("waiting", "running")

    def as_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {"state": self.state, "share": round(self.share, 3), "by": self.by, "error": self.error or None}


class Backtests:
    """Runs backtests of drafts, one after the other."""

    def __init__(self, commands: Commands, longest: timedelta = LONGEST) -> None:
        self._commands = commands
        self._longest_s = longest.total_seconds()
        self.turn = asyncio.Semaphore(1)
        """Whoever holds it has the one process there is."""
        self._running: dict[int, Running] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def of(self, draft_id: int) -> Running | None:
        """Return the backtest of a draft that goes on or did not come to an end; None: there is none."""
        return self._running.get(draft_id)

    def refuse_another(self, draft_id: int) -> None:
        """Raise CommandRefused while one of this draft goes on."""
        known = self._running.get(draft_id)
        if known is not None and known.open:
            raise CommandRefused(f"a backtest of this draft by {known.by} goes on; stop it first")

    def start(self, draft_id: int, job: Job, by: str, now: datetime, marked: dict[str, Any]) -> Running:
        """Begin; ``marked`` is kept with the outcome. Raises CommandRefused while one of this draft goes on."""
        self.refuse_another(draft_id)
        running = self._running[draft_id] = Running(by, now)
        task = asyncio.create_task(self._run(draft_id, running, job, marked), name=f"backtest {draft_id}")
        self._tasks[draft_id] = task
        task.add_done_callback(lambda done: self._forget(draft_id, done))
        return running

    async def stop(self, draft_id: int) -> bool:
        """End it; tell whether there was one."""
        task, running = self._tasks.get(draft_id), self._running.get(draft_id)
        if task is None or running is None or not running.open:
            return False
        running.state = "stopped"
        task.cancel()
        await self._commands.submit(NoteBacktest(draft_id, None))
        return True

    async def close(self) -> None:
        """End all."""
        await end(*self._tasks.values())

    def _forget(self, draft_id: int, task: asyncio.Task[None]) -> None:
        if self._tasks.get(draft_id) is task:
            del self._tasks[draft_id]

    async def _run(self, draft_id: int, running: Running, job: Job, marked: dict[str, Any]) -> None:
        try:
            async with self.turn:
                running.state = "running"
                tell = partial(setattr, running, "share")
                outcome = await in_a_process(work, job, tell, longest_s=self._longest_s)
        except Failed as failed:
            running.state, running.error = "failed", str(failed)
        else:
            try:
                await self._commands.submit(KeepBacktest(draft_id, {**outcome, **marked, "by": running.by}))
            except CommandRefused as refused:
                running.state, running.error = "failed", str(refused)
            else:
                self._running.pop(draft_id, None)
            return
        finally:
            if job.file is not None:
                job.file.path.unlink(missing_ok=True)
        # One that is cut off with the gateway leaves it standing, which is how the next start knows.
        with suppress(CommandRefused):
            await self._commands.submit(NoteBacktest(draft_id, None))
