"""Where a backtest's samples come from: files, or the gateway's own history."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Protocol, Self, TypeVar

from device_models.event import Event, Value
from device_models.profile import DeviceProfile
from device_models.registry import Customer, Device
from gateway.backtest.recorded import BadTableError, CsvFile, Table, Track
from gateway.config import Config
from gateway.history import History as HistoryStore
from gateway.people.registry import Registry, load_registry
from gateway.replay import open_recorded, replay
from gateway.store.store import Store
from rules.schema import RuleSet

Item = tuple[str, datetime, Mapping[str, Value]] | Event
"""A status as (device, time, values), or an event of another kind."""
_SHOW_EVERY = 5000
T = TypeVar("T")


class Progress(Protocol):
    """Who wants to know how far it is; a bar on a terminal, a page."""

    def begin(self, name: str, total: float) -> Callable[[float], None]:
        """Begin a part; return what is told how much of ``total`` is done, now and then."""
        ...


class Unwatched:
    """Nobody does."""

    def begin(self, name: str, total: float) -> Callable[[float], None]:
        """Return what listens to nothing."""
        return lambda done: None


class Source(Protocol):
    """What a backtest runs over."""

    profiles: Mapping[str, DeviceProfile]
    """By name, for devices in ``devices``; without them all devices have the backtest's one profile."""
    devices: Mapping[str, Device]
    """Known devices by id."""
    customers: Mapping[str, Customer]

    def items(self) -> Iterator[Item]:
        """Yield what was recorded, each device's in the order of time."""
        ...


class Tables:
    """Samples and fixes in CSV files. Files are read one after the other; samples beside fixes in the order of time."""

    def __init__(self, tables: Sequence[Table], tracks: Sequence[Track], progress: Progress | None = None) -> None:
        self._progress = progress or Unwatched()
        self._tables = tables
        self._tracks = tracks
        self.profiles: Mapping[str, DeviceProfile] = {}
        self.devices: Mapping[str, Device] = {}
        self.customers: Mapping[str, Customer] = {}

    def items(self) -> Iterator[Item]:
        """Yield samples and fixes; raises BadTableError with the line of a row that cannot be read."""
        samples = (item for table in self._tables for item in _rows(table, table.columns.sample, self._progress))
        fixes = (item for track in self._tracks for item in _rows(track, track.columns.fix, self._progress))
        if self._tables and self._tracks:
            yield from heapq.merge(samples, fixes, key=_at)
        else:
            yield from samples
            yield from fixes


class History:
    """What the gateway recorded of its registered devices."""

    def __init__(
        self,
        history: HistoryStore,
        runner: asyncio.Runner,
        registry: Registry,
        profiles: Mapping[str, DeviceProfile],
        span: timedelta,
        until: datetime,
        progress: Progress | None = None,
    ) -> None:
        """Take an opened history and what runs its coroutines; ``span`` is how far back from ``until`` to read."""
        self._history = history
        self._runner = runner
        self._until = until
        self._since = until - span
        self._progress = progress or Unwatched()
        self.profiles = profiles
        self.devices: Mapping[str, Device] = registry.devices
        self.customers: Mapping[str, Customer] = registry.customers
        self.shops = list(registry.shops.values())
        self.offers = list(registry.offers.values())

    @classmethod
    @contextmanager
    def opened(
        cls,
        config: Config,
        profiles: Mapping[str, DeviceProfile],
        span: timedelta,
        until: datetime,
        progress: Progress | None = None,
    ) -> Iterator[Self]:
        """Open the store and the history that ``config`` names. Raises StartRefused or HistoryError."""
        store = Store(config.store_url)
        try:
            with store.read() as connection:
                registry = load_registry(connection)
        finally:
            store.close()
        with asyncio.Runner() as runner:
            history = runner.run(open_recorded(config))
            try:
                yield cls(history, runner, registry, profiles, span, until, progress)
            finally:
                runner.run(history.close())

    def read(self, work: Callable[[HistoryStore], Coroutine[Any, Any, T]]) -> T:
        """Run ``work`` on the opened history."""
        return self._runner.run(work(self._history))

    def items(self) -> Iterator[Item]:
        """Yield device after device."""
        tell = self._progress.begin("history", len(self.devices))
        for count, device_id in enumerate(sorted(self.devices), 1):
            events = replay(self._history, device_id, self._since, self._until)
            while (event := self._runner.run(_next(events))) is not None:
                yield event if event.position else (device_id, event.observed_at, event.values)
            tell(count)


async def _next(events: AsyncIterator[Event]) -> Event | None:
    return await anext(events, None)


def _rows(file: CsvFile, item_of: Callable[[list[str], str], Item], progress: Progress) -> Iterator[Item]:
    tell = progress.begin(file.path.name, file.size_bytes)
    stem = file.path.stem
    try:
        for count, row in enumerate(file.rows()):
            yield item_of(row, stem)
            if count % _SHOW_EVERY == 0:
                tell(file.read_bytes)
    except (ValueError, OverflowError) as error:
        raise _misread(file, error) from error
    tell(file.size_bytes)


def _misread(file: CsvFile, error: Exception) -> BadTableError:
    return error if isinstance(error, BadTableError) else BadTableError(f"{file.path}:{file.line}: {error}")


def _at(item: Item) -> datetime:
    return item.observed_at if isinstance(item, Event) else item[1]


def profile_for(name: str | None, ruleset: RuleSet, profiles: Mapping[str, DeviceProfile]) -> DeviceProfile:
    """Return the profile of all devices in files: the one named, else the only one that the rules name, else generic.

    Raises BadTableError.
    """
    named = {profile for rule in ruleset.rules for profile in rule.profile}
    chosen = name or (next(iter(named)) if len(named) == 1 else "generic")
    if name is None and len(named) > 1:
        raise BadTableError(f"the rules are for {', '.join(sorted(named))}; name one with --profile")
    if chosen not in profiles:
        raise BadTableError(f"there is no profile '{chosen}'; there are {', '.join(sorted(profiles))}")
    return profiles[chosen]


def at_pace(profile: DeviceProfile, tables: Sequence[Table]) -> DeviceProfile:
    """Take the data's own interval where it is longer: recorded data is often thinned, and must not look stale."""
    slowest = max((interval for table in tables if (interval := table.interval) is not None), default=timedelta(0))
    return profile.model_copy(update={"reporting_interval": max(profile.reporting_interval, slowest)})
