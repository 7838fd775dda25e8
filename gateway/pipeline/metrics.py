"""What the pipeline counts, for ``/metrics`` and for its status on the console."""

from collections.abc import Callable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.pipeline.commit import Outcome, Work


class Metrics:
    """Prometheus' figures of one pipeline, in a registry of their own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.events = 0
        self.rejected = 0
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
        self.events += outcome.events
        self.rejected += outcome.rejected
        self._events.inc(outcome.events)
        self._rejected.inc(outcome.rejected)
        self._transitions.inc(outcome.transitions)
        self._ticks.inc(outcome.ticks)
        self._commits.inc()
        if work.last_sequence:
            self._sequence.set(work.last_sequence)
        if work.messages:
            self._lag.observe(max(0.0, (now - work.messages[0].received_at).total_seconds()))

    def count_fall_backs(self, count: Callable[[], int]) -> None:
        """Show how many texts of messages fell back to English or to the template that ships."""
        gauge = Gauge("gateway_fall_backs", "Texts of messages that had to fall back.", registry=self.registry)
        gauge.set_function(count)

    def commit_failed(self) -> None:
        """Count a commit that the store refused."""
        self._failures.inc()
