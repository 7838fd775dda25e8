"""A backtest in a process of its own, so that nobody waits for it: what goes in, and what comes out."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from device_models.event import rfc3339
from device_models.profile import GENERIC
from gateway.backtest.compare import compared, in_question
from gateway.backtest.process import serve
from gateway.backtest.recorded import Table
from gateway.backtest.sources import History, Source, Tables, at_pace, profile_for
from gateway.backtest.trial import Trial
from gateway.config import Config
from gateway.rulebook.files import load_profiles
from gateway.rulebook.suggesting import episodes_of
from gateway.rulebook.versions import ruleset_of
from gateway.store.store import Store
from rules.recordings.judged import Episode
from rules.schema import RuleSet

_TELL_EVERY_S = 0.3


@dataclass(frozen=True, slots=True)
class Recorded:
    """A CSV file that somebody brought."""

    path: Path
    name: str
    profile: str | None = None
    time_column: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """Two rule sets and what to run them over."""

    config: Config
    live: Sequence[Mapping[str, Any]]
    draft: Sequence[Mapping[str, Any]]
    """Rules as ``rules_as_written`` gives them."""
    chosen: tuple[str, ...]
    """Rules that are looked at even where both sets say the same of them."""
    until: datetime
    span: timedelta | None = None
    """How far back to run the gateway's own history; None: the file."""
    file: Recorded | None = None
    zone: str = "UTC"
    """In which the hours of the day are counted, and that of a file's times that name none."""


def work(job: Job, pipe: Connection) -> None:
    """Run in the process: do the job, see ``gateway.backtest.process``."""
    serve(pipe, lambda tell: do(job, tell))


def do(job: Job, tell: Callable[[float], None]) -> dict[str, Any]:
    """Run both rule sets and compare them; ``tell`` is told how far it is.

    Returns ``compared``'s figures with ``source``, ``rules`` (those that were looked at), ``samples`` and ``took_s``.

    Raises StartRefused, HistoryError, or BadTableError for a file that cannot be used.
    """
    live, draft = in_question(ruleset_of(job.live), ruleset_of(job.draft), job.chosen)
    profiles = load_profiles(job.config)
    zone: tzinfo = ZoneInfo(job.zone)
    progress = Shares(tell)
    episodes: Mapping[str, Sequence[Episode]] = {}
    began = time.perf_counter()
    with ExitStack() as stack:
        source: Source
        if job.file is None:
            span = job.span or timedelta(days=30)
            opened = stack.enter_context(History.opened(job.config, profiles, span, job.until, progress))
            source, profile, shops, offers = opened, profiles[GENERIC.name], opened.shops, opened.offers
            episodes = _episodes(job.config, draft, job.until - span, job.until)
            told = {"kind": "history", "since": rfc3339(job.until - span), "until": rfc3339(job.until)}
        else:
            table = Table(job.file.path, job.file.time_column, {}, zone)
            profile = at_pace(profile_for(job.file.profile, draft, profiles), [table])
            source, shops, offers = Tables([table.fitted(draft, profile, lambda _: None)], [], progress), [], []
            told = {"kind": "csv", "name": job.file.name, "profile": profile.name}
        before, after = (Trial(rules, profile, source, shops, offers, zone, None) for rules in (live, draft))
        for item in source.items():
            before.take(item)
            after.take(item)
        before.finish()
        after.finish()
    return {
        "source": told,
        "zone": job.zone,
        "rules": [rule.id for rule in draft.rules],
        "samples": after.samples,
        "took_s": round(time.perf_counter() - began, 2),
        **compared(before, after, episodes),
    }


def _episodes(config: Config, rules: RuleSet, since: datetime, now: datetime) -> dict[str, Sequence[Episode]]:
    store = Store(config.store_url)
    try:
        with store.read() as connection:
            found = {rule.id: episodes_of(connection, rule.id, since, now) for rule in rules.rules}
    finally:
        store.close()
    return {rule: episodes for rule, episodes in found.items() if episodes}


class Shares:
    """Tells how far one part after the other is, a few times a second."""

    def __init__(self, tell: Callable[[float], None]) -> None:
        self._tell = tell
        self._told_at = 0.0

    def begin(self, _name: str, total: float) -> Callable[[float], None]:
        def done(amount: float) -> None:
            now = time.monotonic()
            if now - self._told_at >= _TELL_EVERY_S:
                self._told_at = now
                self._tell(min(1.0, amount / total) if total else 1.0)

        return done
