"""What the outbox counts, for ``/metrics``."""

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge


class OutboxMetrics:
    """Prometheus' figures of sending and of the audit over it."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Register in ``registry``; None: in one of their own."""
        registry = registry or CollectorRegistry()
        self._sends = Counter(
            "gateway_outbox_sends",
            "Attempts to hand a message over, by what came of each.",
            ("provider", "channel", "outcome"),
            registry=registry,
        )
        self._open = Gauge(
            "gateway_outbox_provider_open",
            "1 while the circuit breaker of a provider's channel is open.",
            ("provider", "channel"),
            registry=registry,
        )
        self._findings = Gauge(
            "gateway_outbox_audit_findings",
            "Messages that the last self-audit found at odds with what was promised.",
            ("finding",),
            registry=registry,
        )
        self._audited = Gauge(
            "gateway_outbox_audit_timestamp_seconds",
            "When the last self-audit was committed; alert where it stands still.",
            registry=registry,
        )

    def sent(self, provider: str, channel: str, outcome: str) -> None:
        """Count one attempt."""
        self._sends.labels(provider, channel, outcome).inc()

    def provider(self, provider: str, channel: str, *, is_open: bool) -> None:
        """Say how a provider's channel stands."""
        self._open.labels(provider, channel).set(is_open)

    def audited(self, findings: dict[str, int], at: datetime) -> None:
        """Say what the audit found: every finding's count, those without any too."""
        for finding, count in findings.items():
            self._findings.labels(finding).set(count)
        self._audited.set(at.timestamp())
