"""The one clock: pipeline, timers, outbox, web and simulator read the time here and nowhere else."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


def _wall() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """Time that began at ``start`` when the wall clock showed ``anchor``, and runs ``speed`` times as fast.

    The default is the wall clock itself. A demo keeps the three fields with its store, so that a restart goes on
    in the same simulated time and a message's time of storing maps to the same instant again.
    """

    start: datetime = datetime(2000, 1, 1, tzinfo=UTC)
    anchor: datetime = datetime(2000, 1, 1, tzinfo=UTC)
    speed: float = 1.0

    @classmethod
    def simulated(cls, start: datetime, speed: float) -> "Clock":
        """Start a clock now that shows ``start`` and runs at ``speed``.

        Raises ValueError unless ``speed`` is above 0.
        """
        if not speed > 0:
            raise ValueError(f"speed: {speed} is not above 0")
        return cls(start=start, anchor=_wall(), speed=speed)

    def now(self) -> datetime:
        """Return the time, aware UTC."""
        return self.at(_wall())

    def at(self, wall: datetime) -> datetime:
        """Return what this clock showed when the wall clock, by which the log stamps messages, showed ``wall``."""
        if self.is_wall:
            return wall
        return self.start + (wall - self.anchor) * self.speed

    @property
    def is_wall(self) -> bool:
        """Whether this is the wall clock itself."""
        return self.speed == 1.0 and self.start == self.anchor

    def wall_seconds(self, duration: timedelta) -> float:
        """Return how many real seconds ``duration`` takes on this clock."""
        return duration.total_seconds() / self.speed

    async def sleep_until(self, at: datetime) -> None:
        """Wait until the clock shows ``at``; return at once where that has passed."""
        # The wall clock may be set while it sleeps, so it looks again.
        while (left := (at - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - there is no event, only time
            await asyncio.sleep(left / self.speed)
