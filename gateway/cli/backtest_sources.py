"""Where a backtest's samples come from: files, or the gateway's own history."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Protocol, Self, TypeVar

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from device_models.event import Event, Value
from device_models.profile import DeviceProfile
from device_models.registry import Customer, Device
from gateway.cli.options import stderr
from gateway.cli.recorded import BadTableError, CsvFile, Table, Track
from gateway.clock import Clock
from gateway.config import Config
from gateway.history import History as HistoryStore
from gateway.people.registry import Registry, load_registry
from gateway.replay import open_recorded, replay
from gateway.store.store import Store

Item = tuple[str, datetime, Mapping[str, Value]] | Event
"""A status as (device, time, values), or an event of another kind."""
_SHOW_EVERY = 5000
T = TypeVar("T")


class Source(Protocol):
    """What a backtest runs over."""

    profiles: Mapping[str, DeviceProfile]
    """By name, for devices in ``devices``; without them all devices have the backtest's one profile."""
    devices: Mapping[str, Device]
    """Known devices by id."""
    customers: Mapping[str, Customer]

    def items(self) -> Iterator[Item]:
        """Yield what was recorded, each device's in the order of time, with a progress bar on a terminal."""
        ...


class Tables:
    """Samples and fixes in CSV files. Files are read one after the other; samples beside fixes in the order of time."""

    def __init__(self, tables: Sequence[Table], tracks: Sequence[Track]) -> None:
        self._tables = tables
        self._tracks = tracks
        self.profiles: Mapping[str, DeviceProfile] = {}
        self.devices: Mapping[str, Device] = {}
        self.customers: Mapping[str, Customer] = {}

    def items(self) -> Iterator[Item]:
        """Yield samples and fixes; raises BadTableError with the line of a row that cannot be read."""
        with _progress() as progress:
            samples = (item for table in self._tables for item in _samples(table, progress))
            fixes = (item for track in self._tracks for item in _fixes(track, progress))
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
    ) -> None:
        """Take an opened history and what runs its coroutines; ``span`` is how far back to read."""
        self._history = history
        self._runner = runner
        self._until = Clock().now()
        self._since = self._until - span
        self.profiles = profiles
        self.devices: Mapping[str, Device] = registry.devices
        self.customers: Mapping[str, Customer] = registry.customers
        self.shops = list(registry.shops.values())
        self.offers = list(registry.offers.values())

    @classmethod
    @contextmanager
    def opened(cls, config: Config, profiles: Mapping[str, DeviceProfile], span: timedelta) -> Iterator[Self]:
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
                yield cls(history, runner, registry, profiles, span)
            finally:
                runner.run(history.close())

    def read(self, work: Callable[[HistoryStore], Coroutine[Any, Any, T]]) -> T:
        """Run ``work`` on the opened history."""
        return self._runner.run(work(self._history))

    def items(self) -> Iterator[Item]:
        """Yield device after device."""
        with _progress() as progress:
            task = progress.add_task("history", total=len(self.devices))
            for device_id in sorted(self.devices):
                events = replay(self._history, device_id, self._since, self._until)
                while (event := self._runner.run(_next(events))) is not None:
                    yield event if event.position else (device_id, event.observed_at, event.values)
                progress.advance(task)


async def _next(events: AsyncIterator[Event]) -> Event | None:
    return await anext(events, None)


def _samples(table: Table, progress: Progress) -> Iterator[Item]:
    task = progress.add_task(table.path.name, total=table.size_bytes)
    stem, sample_of = table.path.stem, table.columns.sample
    try:
        for count, row in enumerate(table.rows()):
            yield sample_of(row, stem)
            if count % _SHOW_EVERY == 0:
                progress.update(task, completed=table.read_bytes)
    except (ValueError, OverflowError) as error:
        raise _misread(table, error) from error
    progress.update(task, completed=table.size_bytes)


def _fixes(track: Track, progress: Progress) -> Iterator[Item]:
    task = progress.add_task(track.path.name, total=track.size_bytes)
    stem, fix_of = track.path.stem, track.columns.fix
    try:
        for count, row in enumerate(track.rows()):
            yield fix_of(row, stem)
            if count % _SHOW_EVERY == 0:
                progress.update(task, completed=track.read_bytes)
    except (ValueError, OverflowError) as error:
        raise _misread(track, error) from error
    progress.update(task, completed=track.size_bytes)


def _misread(file: CsvFile, error: Exception) -> BadTableError:
    return error if isinstance(error, BadTableError) else BadTableError(f"{file.path}:{file.line}: {error}")


def _at(item: Item) -> datetime:
    return item.observed_at if isinstance(item, Event) else item[1]


def _progress() -> Progress:
    shown = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*shown, console=stderr, transient=True, disable=not stderr.is_terminal)
