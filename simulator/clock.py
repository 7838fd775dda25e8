"""The time that the simulator is handed; the gateway's clock is one, so that all of a demo share it."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """A clock that may run faster than the wall's."""

    @property
    def speed(self) -> float:
        """Simulated seconds per real second, above 0."""

    def now(self) -> datetime:
        """Return the time, aware UTC."""

    async def sleep_until(self, at: datetime) -> None:
        """Wait until the clock shows ``at``; return at once where that has passed."""
