"""Counts that fade: what a group of messages came to, with half the weight after each half-life."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from device_models.event import rfc3339
from notifiers.learning.outcomes import STAGES, Stage

_ZEROS = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Tally:
    """One channel's outcomes within one scope (a customer and purpose, a segment, a country, all), faded to ``at``.

    Each of the three is by stage, in the order of ``STAGES``.
    """

    at: datetime | None = None
    """Aware; None: nothing yet."""
    hits: Sequence[float] = _ZEROS
    tries: Sequence[float] = _ZEROS
    expected: Sequence[float] = _ZEROS
    """Hits that those alike would have had in these tries."""
    answers: tuple[int, int] = (0, 0)
    """Answered, of how many; whole messages that do not fade, for the sentence that staff read."""
    strengths: Mapping[Stage, Sequence[float]] = field(default_factory=dict)
    """In one scope only: see ``notifiers.learning.strength``."""

    def faded(self, now: datetime, half_life: timedelta) -> Self:
        """Weigh it as of ``now``; a time that lies before ``at`` changes nothing."""
        if self.at is None or now <= self.at:
            return self
        keep = 0.5 ** ((now - self.at) / half_life)
        # Written out: a choice reads some twenty of these.
        d, r, a, f = self.hits
        hits = (keep * d, keep * r, keep * a, keep * f)
        d, r, a, f = self.tries
        tries = (keep * d, keep * r, keep * a, keep * f)
        d, r, a, f = self.expected
        expected = (keep * d, keep * r, keep * a, keep * f)
        return type(self)(now, hits, tries, expected, self.answers, self.strengths)

    def to_json(self) -> dict[str, Any]:
        """Return it as the store keeps it."""
        return {
            "at": rfc3339(self.at) if self.at else None,
            "hits": list(self.hits),
            "tries": list(self.tries),
            "expected": list(self.expected),
            "answers": list(self.answers),
            **({"strengths": {s.value: list(v) for s, v in self.strengths.items()}} if self.strengths else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` wrote."""
        return cls(
            datetime.fromisoformat(data["at"]) if data["at"] else None,
            tuple(data["hits"]),
            tuple(data["tries"]),
            tuple(data["expected"]),
            (data["answers"][0], data["answers"][1]),
            {Stage(name): tuple(scores) for name, scores in data.get("strengths", {}).items()},
        )


NOTHING = Tally()
INDEX: Mapping[Stage, int] = {stage: index for index, stage in enumerate(STAGES)}
