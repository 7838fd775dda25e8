"""How often a rule is right, by what people said of its cases, and how sure that is."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Z_95 = 1.959963984540054
"""The normal quantile of a two-sided 95 % interval."""


class Verdict(StrEnum):
    """What somebody who looked says of a case."""

    REAL = "real"
    FALSE_ALARM = "false_alarm"
    DUPLICATE = "duplicate"
    """There was something, and another case was already about it."""


def wilson(right: int, judged: int, z: float = Z_95) -> tuple[float, float] | None:
    """Return the Wilson score interval of the share ``right / judged``; None where nothing was judged.

    It stays within 0 and 1 and means something for few trials, as the textbook interval does not.
    Source: E. B. Wilson, JASA 22 (1927); for few trials recommended by Brown, Cai and DasGupta, Statistical Science
    16 (2001).
    Raises ValueError unless 0 ≤ right ≤ judged.
    """
    if not 0 <= right <= judged:
        raise ValueError(f"{right} of {judged} is no share")
    if judged == 0:
        return None
    share, z2 = right / judged, z * z
    centre = share + z2 / (2 * judged)
    spread = z * math.sqrt(share * (1 - share) / judged + z2 / (4 * judged * judged))
    scale = 1 + z2 / judged
    # At either end the interval reaches it exactly; a rounding error must not say 1e-17.
    low = 0.0 if right == 0 else (centre - spread) / scale
    high = 1.0 if right == judged else (centre + spread) / scale
    return low, high


@dataclass(slots=True)
class Verdicts:
    """Verdicts on one rule's cases, counted."""

    real: int = 0
    false_alarm: int = 0
    duplicate: int = 0

    def add(self, verdict: str, count: int = 1) -> None:
        """Count ``count`` verdicts of one sort. Raises ValueError for another word."""
        name = Verdict(verdict).value
        setattr(self, name, getattr(self, name) + count)

    @property
    def judged(self) -> int:
        """What precision is of: a duplicate says nothing about whether the rule sees faults."""
        return self.real + self.false_alarm

    @property
    def total(self) -> int:
        """All verdicts, duplicates included."""
        return self.judged + self.duplicate

    @property
    def precision(self) -> float | None:
        """The share of judged cases that were real; None where none was judged."""
        return self.real / self.judged if self.judged else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the true share lies, with 95 % confidence."""
        return wilson(self.real, self.judged)

    def as_dict(self) -> dict[str, Any]:
        """Return it JSON-ready: counts, ``precision`` and ``precision_95`` ([low, high]), both null without any."""
        interval = self.interval
        return {
            "real": self.real,
            "false_alarms": self.false_alarm,
            "duplicates": self.duplicate,
            "precision": round(self.precision, 4) if self.precision is not None else None,
            "precision_95": [round(bound, 4) for bound in interval] if interval else None,
        }

    def sentence(self) -> str:
        """Say it in a line: ``precision 75 % (9 of 12 real, 95 %: 47–91 %), 1 duplicate``."""
        if not self.total:
            return "no verdicts yet"
        said = []
        if self.interval is not None and self.precision is not None:
            low, high = (round(100 * bound) for bound in self.interval)
            said.append(
                f"precision {100 * self.precision:.0f} % ({self.real} of {self.judged} real, 95 %: {low}–{high} %)"
            )
        if self.duplicate:
            said.append(f"{self.duplicate} duplicate{'s' if self.duplicate > 1 else ''}")
        return ", ".join(said)
