"""Alerts held against what is known to have been wrong: precision, recall, delay, false alarms."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from rules.transition import AlertState, Transition

Windows = Sequence[tuple[datetime, datetime]]
"""Labelled times in which something was wrong, each (start, end), both included."""


@dataclass(slots=True)
class Score:
    """Alerts held against labelled windows: an alert is right if it fires within one."""

    windows: Mapping[str, Windows]
    """By device."""
    right: int = 0
    wrong: int = 0
    _found: dict[tuple[str, int], timedelta] = field(default_factory=dict)

    def add(self, fact: Transition) -> None:
        """Take in one transition; only firing ones count."""
        if fact.state is not AlertState.FIRING:
            return
        hits = [
            (i, start) for i, (start, end) in enumerate(self.windows.get(fact.device_id, ())) if start <= fact.at <= end
        ]
        self.right += bool(hits)
        self.wrong += not hits
        for index, start in hits:
            self._found.setdefault((fact.device_id, index), fact.at - start)

    def as_dict(self, device_days: float) -> dict[str, Any]:
        """Precision, recall over windows, median delay from a window's start, false alarms per device-day."""
        labelled = sum(len(windows) for windows in self.windows.values())
        fired = self.right + self.wrong
        delays = [delay.total_seconds() for delay in self._found.values()]
        return {
            "precision": round(self.right / fired, 4) if fired else None,
            "recall": round(len(self._found) / labelled, 4) if labelled else None,
            "p50_delay_s": statistics.median(delays) if delays else None,
            "false_alarms_per_device_day": round(self.wrong / device_days, 6) if device_days else None,
        }
