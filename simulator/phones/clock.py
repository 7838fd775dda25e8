"""The time that phones and provider live in."""

import asyncio
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """A clock that may run faster than the wall's; the gateway's is one."""

    @property
    def speed(self) -> float:
        """Simulated seconds per real second, above 0."""

    def now(self) -> datetime:
        """Return the time, aware UTC."""


async def pause(clock: Clock, seconds: float) -> None:
    """Wait for simulated seconds."""
    await asyncio.sleep(seconds / clock.speed)
