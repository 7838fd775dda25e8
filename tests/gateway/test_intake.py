"""What came in over the last minute, as the operator's page says it."""

from datetime import UTC, datetime, timedelta

from device_models.event import Event, EventKind, Message, TimeSource
from gateway.pipeline.commit import Outcome, Work
from gateway.pipeline.metrics import Metrics

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EVENT = Event("d", EventKind.STATUS, NOW, NOW, TimeSource.ARRIVAL, "native")


def test_events_refusals_and_the_slowest_commit_of_a_minute_are_told() -> None:
    metrics = Metrics()
    assert metrics.intake()["detail"] == "nothing in the last minute"
    work = Work(messages=[Message("t", b"", NOW - timedelta(seconds=2), 1)], last_sequence=1)
    for _ in range(30):
        metrics.committed(Outcome(events=[EVENT] * 4, rejected=1), work, NOW)
    told = metrics.intake()
    assert (told["events_per_second"], told["rejected_per_second"], told["slowest_commit_s"]) == (2.0, 0.5, 2.0)


def test_timers_alone_are_no_intake() -> None:
    metrics = Metrics()
    metrics.committed(Outcome(ticks=1), Work(), NOW)
    assert metrics.intake()["events_per_second"] == 0.0
