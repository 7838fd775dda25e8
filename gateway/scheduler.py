"""The scheduler: APScheduler calls what is periodic. It reads the wall clock, so intervals are divided by the speed."""

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from gateway.clock import Clock

log = structlog.get_logger()


class Scheduler:
    """Runs jobs at intervals of the injected clock; each job only appends inputs, and never beside itself."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # It would write a failed job's traceback past our log; ``_report`` says it there.
        logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._scheduler.add_listener(_report, EVENT_JOB_ERROR)

    def every(self, interval: timedelta, name: str, job: Callable[[], Awaitable[None]]) -> None:
        """Call ``job`` each ``interval``, and once at the start."""
        trigger = IntervalTrigger(seconds=max(0.2, self._clock.wall_seconds(interval)))
        self._scheduler.add_job(
            job,
            trigger,
            id=name,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
            next_run_time=datetime.now(UTC),
        )

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

    def stop(self) -> None:
        """Stop; a job that runs is left to its end by the loop."""
        self._scheduler.shutdown(wait=False)


def _report(event: JobExecutionEvent) -> None:
    log.error("scheduler.job_failed", job=event.job_id, error=type(event.exception).__name__)
