"""What a device's own message counter says of messages that never came, and of restarts.

A device that numbers its messages tells what silence cannot: whether it went on speaking while nobody heard it. The
numbers are followed as a receiver of RTP does (RFC 3550, appendix A.1), with a window of those that came, as IPsec
keeps against replays (RFC 4303, section 3.4.3), so that a late message is taken off the count once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from device_models.event import rfc3339

WINDOW = 50
"""How far back a number is a late or repeated message; further back the counter began anew."""
MOST_MISSED = 100_000
"""A longer jump ahead is a counter that began anew: at a message a second more than a day was missed."""
_LARGEST = 2**53
"""Beyond it a number that went through JSON is not exact."""
MISSED, RESTARTS = "sequence_missed", "sequence_restarts"
"""Values that a device gets from its counter, for rules to read."""
_ALL = (1 << WINDOW) - 1


@dataclass(frozen=True, slots=True)
class MessageCount:
    """Where a device's counter stands, and what was missed since it was first heard. A value."""

    last: int
    """The highest number since its last restart."""
    missed: int = 0
    """Messages that were numbered and did not come."""
    restarts: int = 0
    """How often the counter began anew."""
    came: int = _ALL
    """Bit n: the number ``last - n`` came. What was sent before the first that was heard is not missed."""
    latest: datetime | None = None
    """The latest of the device's own stamps."""

    def after(self, number: int, at: datetime | None = None, modulo: int | None = None) -> "MessageCount":
        """Take in the number of a message that came.

        Args:
            number: At least 0.
            at: The device's own stamp, None where it sent none. What is numbered earlier and stamped later than all
                before is no repetition: the counter began anew.
            modulo: Where the counter begins again at 0, such as 65,536; None: it does not.
        """
        newer = at is not None and self.latest is not None and at > self.latest
        latest = self.latest if at is None or (self.latest is not None and at <= self.latest) else at
        step = number - self.last
        if modulo is not None:
            # The shorter way round: half of the numbers lie ahead, half behind.
            step = (step + modulo // 2) % modulo - modulo // 2
        if step > MOST_MISSED or step <= -WINDOW or (step < 0 and newer):
            return MessageCount(number, self.missed, self.restarts + 1, latest=latest)
        if step > 0:
            came = ((self.came << step) | 1) & _ALL if step < WINDOW else 1
            return MessageCount(number, self.missed + step - 1, self.restarts, came, latest)
        bit = 1 << -step
        if self.came & bit:
            return self
        return MessageCount(self.last, max(0, self.missed - 1), self.restarts, self.came | bit, latest)

    def to_json(self) -> list[Any]:
        """Return the JSON-ready form."""
        return [self.last, self.missed, self.restarts, self.came, rfc3339(self.latest) if self.latest else None]

    @classmethod
    def from_json(cls, data: Sequence[Any]) -> Self:
        """Read what ``to_json`` wrote."""
        last, missed, restarts, came, latest = data
        return cls(last, missed, restarts, came, datetime.fromisoformat(latest) if latest else None)


def number_of(values: Mapping[str, Any], name: str) -> int | None:
    """The counter's value among what a device said; None where it is missing or no whole number from 0 to 2^53."""
    said = values.get(name)
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said < _LARGEST:
        return None
    return int(said) if said == int(said) else None
