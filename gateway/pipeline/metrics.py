"""What the pipeline counts, for ``/metrics`` and for its status on the console."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.pipeline.commit import Outcome, Work

_REMEMBERED_S = 60


@dataclass(slots=True)
class _Second:
    """What was committed within one second."""

    at: int
    events: int = 0
    rejected: int = 0
    lag_s: float = 0.0


class Metrics:
    """Prometheus' figures of one pipeline, in a registry of their own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.events = 0
        self.rejected = 0
        self._seconds: deque[_Second] = deque(maxlen=_REMEMBERED_S)
        self._events = Counter("gateway_events", "Events decoded.", registry=self.registry)
        self._rejected = Counter(
            "gateway_rejected_messages", "Messages that could not be used.", registry=self.registry
        )
        self._transitions = Counter("gateway_transitions", "Alert states that changed.", registry=self.registry)
        self._ticks = Counter("gateway_ticks", "Timers that acted.", registry=self.registry)
        self._commits = Counter("gateway_commits", "Transactions committed.", registry=self.registry)
        self._failures = Counter(
            "gateway_commit_failures", "Transactions that the store refused.", registry=self.registry
        )
        self._sequence = Gauge("gateway_log_sequence", "How far the log has had its effect.", registry=self.registry)
        self._lag = Histogram(
            "gateway_commit_lag_seconds",
            "From the log's storing a message to the commit of its effect, of each batch's first message.",
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5, 30, 300),
            registry=self.registry,
        )

    def committed(self, outcome: Outcome, work: Work, now: datetime) -> None:
        """Count one commit."""
        self.events += len(outcome.events)
        self.rejected += outcome.rejected
        self._events.inc(len(outcome.events))
        self._rejected.inc(outcome.rejected)
        self._transitions.inc(outcome.transitions)
        self._ticks.inc(outcome.ticks)
        self._commits.inc()
        if work.last_sequence:
            self._sequence.set(work.last_sequence)
        lag_s = max(0.0, (now - work.messages[0].received_at).total_seconds()) if work.messages else 0.0
        if work.messages:
            self._lag.observe(lag_s)
            self._remember(outcome, lag_s)

    def intake(self) -> dict[str, Any]:
        """Say what came in over the last minute, for people."""
        begin = time.monotonic() - _REMEMBERED_S
        recent = [second for second in self._seconds if second.at >= begin]
        events, rejected = sum(one.events for one in recent), sum(one.rejected for one in recent)
        slowest = max((one.lag_s for one in recent), default=0.0)
        rate = (
            f"{events / _REMEMBERED_S:,.1f} events/s over the last minute" if recent else "nothing in the last minute"
        )
        return {
            "ok": True,
            "detail": rate,
            "events_per_second": round(events / _REMEMBERED_S, 2),
            "rejected_per_second": round(rejected / _REMEMBERED_S, 2),
            "slowest_commit_s": round(slowest, 3),
        }

    def _remember(self, outcome: Outcome, lag_s: float) -> None:
        now = int(time.monotonic())
        if not self._seconds or self._seconds[-1].at != now:
            self._seconds.append(_Second(now))
        second = self._seconds[-1]
        second.events += len(outcome.events)
        second.rejected += outcome.rejected
        second.lag_s = max(second.lag_s, lag_s)

    def count_fall_backs(self, count: Callable[[], int]) -> None:
        """Show how many texts of messages fell back to English or to the template that ships."""
        gauge = Gauge("gateway_fall_backs", "Texts of messages that had to fall back.", registry=self.registry)
        gauge.set_function(count)

    def commit_failed(self) -> None:
        """Count a commit that the store refused."""
        self._failures.inc()
