"""How fast one provider is written to on one channel: its rate, its own wishes to wait, and a circuit breaker. Pure.

The breaker is Nygard's ("Release It!"): after some failures in a row it opens, nothing is written for a while, then one
message tries; that one's success closes it. Seconds are of a clock that only goes forward.
"""

from dataclasses import dataclass

FAILURES_TO_OPEN = 5
FIRST_OPEN_S, LONGEST_OPEN_S = 15.0, 300.0
_ROUNDING = 1e-9
LONG_DOWN_S = 1800.0
"""After so long without one success messages take the customer's next channel instead of waiting."""


@dataclass(slots=True)
class Pace:
    """One provider and channel, which is one sender of ours."""

    per_second: float
    """At most so many messages, spread evenly but for a second's worth at once."""
    failures: int = 0
    """In a row."""
    reason: str = ""
    """The code of the last failure."""
    down_since_s: float | None = None
    """The first failure of the row; None while all is well."""
    _open_until_s: float = 0.0
    _asked_at_s: float = 0.0
    _asked_until_s: float = 0.0
    """It asked for a wait, and until when; that another message was taken meanwhile does not shorten it."""
    _probing: bool = False
    _tokens: float | None = None
    """None until the first turn."""
    _filled_at_s: float = 0.0

    def wait_s(self, now_s: float) -> float:
        """Return how long nothing may be written; 0: now, as far as the breaker and the provider's wishes go."""
        if self._probing:
            return FIRST_OPEN_S
        return max(0.0, self._open_until_s - now_s, self._asked_until_s - now_s)

    def is_open(self) -> bool:
        """Whether the breaker is open (or its one message tries)."""
        return self.failures >= FAILURES_TO_OPEN

    def is_down_for_long(self, now_s: float) -> bool:
        """Whether it has taken nothing, or wanted nothing, for so long that waiting for it helps nobody."""
        if self.is_open():
            return self.down_since_s is not None and now_s - self.down_since_s >= LONG_DOWN_S
        return now_s < self._asked_until_s and now_s - self._asked_at_s >= LONG_DOWN_S

    def turn_s(self, now_s: float) -> float:
        """Take one turn and return 0 where the rate allows it now; else how long until it may."""
        burst = max(1.0, self.per_second)
        tokens = burst if self._tokens is None else self._tokens + (now_s - self._filled_at_s) * self.per_second
        self._tokens, self._filled_at_s = min(burst, tokens), now_s
        if self._tokens < 1 - _ROUNDING:
            return (1 - self._tokens) / self.per_second
        self._tokens -= 1
        return 0.0

    def begin(self) -> None:
        """A message is about to be written."""
        if self.is_open():
            self._probing = True

    def works(self) -> None:
        """It answered sensibly, be it with a refusal of that one message."""
        self.failures, self.down_since_s, self._probing = 0, None, False
        self._open_until_s = 0.0

    def fails(self, now_s: float, reason: str, asked_s: float | None = None) -> None:
        """It did not take a message: refused it for now, or gave no clear answer.

        ``asked_s``: how long it asked to wait, None where it said nothing.
        """
        self.failures += 1
        self.reason, self._probing = reason, False
        if self.down_since_s is None:
            self.down_since_s = now_s
        if self.is_open():
            wait_s = min(LONGEST_OPEN_S, FIRST_OPEN_S * 2.0 ** min(10, self.failures - FAILURES_TO_OPEN))
            self._open_until_s = max(self._open_until_s, now_s + wait_s)
        if asked_s is not None:
            self._asked_at_s = self._asked_at_s if now_s < self._asked_until_s else now_s
            self._asked_until_s = max(self._asked_until_s, now_s + asked_s)

    def let_go(self) -> None:
        """The message that was begun says nothing of the provider: it was not written, or is about its recipient."""
        self._probing = False

    def says(self, now_s: float) -> str:
        """Say how it stands, for people."""
        wait_s = self.wait_s(now_s)
        if self.is_open():
            trying = "one message tries now" if wait_s == 0 or self._probing else f"tried again in {wait_s:.0f} s"
            return f"open: {self.failures} failures in a row ({self.reason}), {trying}"
        if wait_s > 0:
            return f"paused for {wait_s:.0f} s as it asked ({self.reason})"
        return f"{self.failures} failures in a row ({self.reason})" if self.failures else "well"
