"""The real sender over a real store, with a provider that keeps what it got, a clock set by hand, and crashes."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gateway.clock import Clock
from gateway.commands import Command
from gateway.outbox.sender import Sender
from gateway.pipeline.commit import Work
from gateway.store import schema
from notifiers.errors import NotifierError
from notifiers.message import Accepted, Outgoing
from notifiers.receipts import SendState
from tests.gateway.making import Gateway


class Crash(BaseException):
    """The process ends here, as SIGKILL ends it: nothing after this line runs."""


@dataclass
class Provider:
    """Takes messages for some channels and remembers every one that it took."""

    name: str
    channels: frozenset[str]
    behaves: Callable[[Outgoing], NotifierError | None] = lambda _: None
    repeatable: bool = False
    per_second: float = 1e6
    reports: frozenset[SendState] = frozenset({SendState.DELIVERED})
    taken: list[Outgoing] = field(default_factory=list)
    asked: list[Outgoing] = field(default_factory=list)
    crash: Callable[[str], None] = lambda _: None
    """Called with ``before`` and ``after`` each message is taken; may raise ``Crash``."""

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Take one message, or not."""
        self.crash("before")
        self.asked.append(outgoing)
        error = self.behaves(outgoing)
        if error is None or error.code == "taken":
            self.taken.append(outgoing)
        self.crash("after")
        if error is not None:
            raise error
        return Accepted(self.name, f"{self.name}:{outgoing.key}")

    async def close(self) -> None:
        """There is nothing to close."""


@dataclass
class Running:
    """One process's life over the gateway's store."""

    made: Gateway
    providers: list[Provider]
    crash: Callable[[str], None] = lambda _: None
    """Called before and after each commit with its name; may raise ``Crash``."""
    seconds: float = 0.0
    """Of the providers' own clock."""
    rates: Mapping[str, float] = field(default_factory=dict)

    async def submit(self, command: Command) -> Any:
        """Commit one command as the pipeline does."""
        name = type(command).__name__
        self.crash(f"before {name}")
        result = self.made.committer.run(Work(commands=[command]), self.made.now).results[0]
        self.crash(f"after {name}")
        if isinstance(result, BaseException):
            raise result
        return result

    def sender(self) -> Sender:
        """Make a sender, as a start does."""
        clock = HandClock(self.made)
        return Sender(self.made.store, self, clock, self.providers, self.rates, monotonic=lambda: self.seconds)

    async def until_idle(self, sender: Sender | None = None) -> Sender:
        """Send whatever is due now; raises ``Crash`` where one came."""
        sender = sender or self.sender()
        sender.idle.clear()
        running = asyncio.create_task(sender.run())
        looking = asyncio.create_task(sender.idle.wait())
        await asyncio.wait({running, looking}, return_when=asyncio.FIRST_COMPLETED)
        looking.cancel()
        # More than once: Python 3.11's wait_for swallows a cancellation that comes as its future completes.
        while not running.done():
            running.cancel()
            await asyncio.wait({running}, timeout=0.1)
        if not running.cancelled() and (error := running.exception()) is not None:
            raise _crash_in(error) from None
        return sender

    def states(self) -> list[tuple[str, str]]:
        """(channel, state) of each message."""
        return [(row["channel"], row["state"]) for row in self.made.rows(schema.notifications)]

    def later(self, by: timedelta) -> None:
        """Let time pass, here and for the providers."""
        self.made.now += by
        self.seconds += by.total_seconds()


class HandClock(Clock):
    """Shows the gateway's own time."""

    def __init__(self, made: Gateway) -> None:
        object.__setattr__(self, "_made", made)
        super().__init__()

    def now(self) -> datetime:
        made: Gateway = object.__getattribute__(self, "_made")
        return made.now


def _crash_in(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
