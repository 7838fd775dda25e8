"""Better settings for all rules in force, looked for in a process of their own; the last outcome is kept in memory."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, Literal

from device_models.duration import format_duration
from device_models.event import rfc3339
from gateway.backtest.process import Failed, in_a_process, serve
from gateway.backtest.sources import History
from gateway.commands import CommandRefused
from gateway.config import Config
from gateway.ending import end
from gateway.rulebook.files import load_profiles
from gateway.rulebook.proposals import Terms, propose
from gateway.rulebook.versions import ruleset_of

LONGEST = timedelta(minutes=30)
"""A search that takes longer is stopped; a shorter span, or the command line, is the way then."""


@dataclass(frozen=True, slots=True)
class Search:
    """What the process is given."""

    config: Config
    rules: Sequence[Mapping[str, Any]]
    """As ``rules_as_written`` gives them."""
    terms: Terms


@dataclass(slots=True)
class Found:
    """One search: how far it is, or what came of it."""

    by: str
    at: datetime
    terms: Terms
    version: str
    """Of the rules in force when it began."""
    state: Literal["waiting", "running", "done", "failed", "stopped"] = "waiting"
    share: float = 0.0
    error: str = ""
    answers: Sequence[Mapping[str, Any]] = ()
    """``Answer.as_dict`` of each rule, in the order of the files."""

    @property
    def open(self) -> bool:
        """Whether it still goes on."""
        return self.state in ("waiting", "running")

    def as_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        terms = {
            "since": format_duration(self.terms.span),
            "keep": self.terms.keep,
            "favour": self.terms.favour,
        }
        return {
            "state": self.state,
            "share": round(self.share, 3),
            "by": self.by,
            "at": rfc3339(self.at),
            "error": self.error or None,
            **terms,
            "in_force": self.version,
            "items": [dict(answer) for answer in self.answers],
        }


class Suggestions:
    """Looks for better settings, once at a time, and takes its turn with backtests."""

    def __init__(self, turn: asyncio.Semaphore, longest: timedelta = LONGEST) -> None:
        """``turn`` is held by whoever has the one process there is."""
        self._turn = turn
        self._longest_s = longest.total_seconds()
        self._task: asyncio.Task[None] | None = None
        self.last: Found | None = None

    def start(self, search: Search, by: str, version: str) -> Found:
        """Begin. Raises CommandRefused while one goes on."""
        if self.last is not None and self.last.open:
            raise CommandRefused(f"{self.last.by} is looking for better settings; stop that first")
        self.last = found = Found(by, search.terms.until, search.terms, version)
        self._task = asyncio.create_task(self._run(found, search), name="suggestions")
        return found

    async def stop(self) -> bool:
        """End it; tell whether there was one."""
        if self.last is None or not self.last.open or self._task is None:
            return False
        self.last.state = "stopped"
        self._task.cancel()
        return True

    async def close(self) -> None:
        """End it with the gateway."""
        if self._task is not None:
            await end(self._task)

    async def _run(self, found: Found, search: Search) -> None:
        try:
            async with self._turn:
                found.state = "running"
                tell = partial(setattr, found, "share")
                outcome = await in_a_process(work, search, tell, longest_s=self._longest_s)
        except Failed as failed:
            found.state, found.error = "failed", str(failed)
        else:
            found.state, found.answers = "done", outcome["answers"]


def work(search: Search, pipe: Connection) -> None:
    """Run in the process, see ``gateway.backtest.process``."""
    serve(pipe, lambda tell: look_for(search, tell))


def look_for(search: Search, tell: Callable[[float], None]) -> dict[str, Any]:
    """Look at each rule; ``tell`` is told how far it is. Raises StartRefused, HistoryError."""
    rules, profiles = ruleset_of(search.rules).rules, load_profiles(search.config)
    answers = []
    with History.opened(search.config, profiles, search.terms.span, search.terms.until) as source:
        for count, rule in enumerate(rules, 1):
            answers.append(propose(search.config, source, rule, profiles, search.terms).as_dict())
            tell(count / len(rules))
    return {"answers": answers}
