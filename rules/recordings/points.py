"""A long series in few points: one for each piece of time, robust against what a sensor says wrong now and then.

A point is the median of the samples of its piece, at most ``MOST_SAMPLES`` of them, evenly chosen. What is kept does
not grow with the number of samples.
"""

from collections.abc import Sequence
from statistics import fmean, median
from typing import Any, NamedTuple, Self

PIECES = 48
"""Points in the whole window."""
MOST_SAMPLES = 24
"""Kept of the piece that is not over yet."""
_RECENT = 3
"""The level of now is the median of so many samples: one wrong sample moves it nowhere."""

Sample = list[float]
"""[time in seconds, value]"""


class Points(NamedTuple):
    """The series. A value: ``after`` returns another one."""

    closed: Sequence[Sample] = ()
    """The point of each piece that is over, in the order of time."""
    open: Sequence[Sample] = ()
    """Samples of the piece that is not over."""
    every: int = 1
    """Of which each so-manieth is kept."""
    heard: int = 0
    """How many there were."""
    recent: Sequence[Sample] = ()
    """The last samples of all."""

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Read what ``to_json`` wrote; None: none yet."""
        return cls(*data) if data else cls()

    def to_json(self) -> list[Any]:
        """Return the JSON-ready form."""
        return list(self)

    def after(self, at_s: float, value: float, length_s: float) -> Self:
        """Take in a sample; ``length_s``: how long a time all points together look back."""
        width, sample = length_s / PIECES, [at_s, value]
        recent = [*self.recent[-(_RECENT - 1) :], sample]
        if not self.open:
            return self._replace(open=[sample], every=1, heard=1, recent=recent)
        if self.open[0][0] // width == at_s // width:
            kept, every = self.open, self.every
            if self.heard % every == 0:
                kept = [*kept, sample]
                if len(kept) > MOST_SAMPLES:
                    kept, every = kept[::2], every * 2
            return self._replace(open=kept, every=every, heard=self.heard + 1, recent=recent)
        point = [fmean(t for t, _ in self.open), median(v for _, v in self.open)]
        closed = [p for p in self.closed if p[0] >= at_s - length_s]
        return self._replace(closed=[*closed, point], open=[sample], every=1, heard=1, recent=recent)

    @property
    def level(self) -> float | None:
        """The level of now; None before there are enough samples to tell."""
        return median(v for _, v in self.recent) if len(self.recent) == _RECENT else None

    def renewed(self) -> Self:
        """Return the series as if it had begun with its last samples."""
        return self._replace(closed=[], open=self.recent, every=1, heard=len(self.recent))
