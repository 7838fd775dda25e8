"""``gateway history``: bring recorded samples into the history, so that rules can be tried on them."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from device_models.profile import GENERIC, DeviceProfile
from device_models.reading import FieldReader
from device_models.yaml_lines import InvalidFileError
from gateway.backtest.recorded import BadTableError, Table
from gateway.cli.options import ConfigOption, plain_errors, read_config, stderr
from gateway.cli.rules_backtest import pairs_of, zone_of
from gateway.clock import Clock
from gateway.config import Config, ConfigError
from gateway.data_lock import DataInUse, lock_data
from gateway.errors import StartRefused
from gateway.history import History, HistoryError, Sample
from gateway.people.registry import Registry, load_registry
from gateway.replay import open_recorded
from gateway.rulebook.files import load_profiles
from gateway.store.store import Store

app = typer.Typer(help="Bring recorded samples into the history.", no_args_is_help=True)

_BATCH = 5000
_AHEAD = timedelta(days=1)
"""A time further ahead than this is a mistake of zone or unit."""
_NAMED = 5


@app.callback()
def history() -> None:
    """Bring recorded samples into the history."""


@app.command("import")
def import_samples(
    files: Annotated[list[Path], typer.Argument(help="CSV with a header: a time, values, device_id.", exists=True)],
    time_column: Annotated[str | None, typer.Option(help="Default: the first that parses as a time.")] = None,
    mapping: Annotated[list[str] | None, typer.Option("--map", help="COLUMN=field, any number of times.")] = None,
    device: Annotated[
        str | None, typer.Option(help="Whose samples these are; default: the column device_id, else the file's name.")
    ] = None,
    timezone: Annotated[str, typer.Option(help="Of times that name no zone.")] = "UTC",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the files.")] = False,
    config: ConfigOption = None,
) -> None:
    """Import samples of registered devices; the same samples twice are there once.

    Values are kept in the names and units of each device's profile. Nothing is written while a row is wrong. No case
    opens and nobody is told: they are for ``rules backtest --since``, ``rules suggest`` and ``rules explain --at``.
    """
    expected = (ConfigError, StartRefused, HistoryError, InvalidFileError, OSError, BadTableError)
    with ExitStack() as stack:
        stack.enter_context(plain_errors(*expected))
        settings = read_config(config)
        zone = zone_of(timezone)
        tables = [Table(path, time_column, pairs_of(mapping or []), zone) for path in files]
        if settings.history.url is None and not dry_run:
            try:
                stack.enter_context(lock_data(settings.data_dir))
            except DataInUse as error:
                raise StartRefused(f"{error}: stop the gateway first; the embedded history has one writer") from error
        reader = _Reader(load_profiles(settings), _registry(settings), device, zone)
        count = sum(1 for table in tables for _ in reader.samples(table))
        _refuse_unknown(reader)
        if dry_run:
            print(f"{count} samples of {len(reader.devices)} devices are right; nothing was imported.")
            return
        began = time.perf_counter()
        asyncio.run(_write(settings, (sample for table in tables for sample in reader.samples(table)), count))
        took_s = time.perf_counter() - began
    spread = f", {reader.first:%Y-%m-%d} to {reader.last:%Y-%m-%d}" if reader.first and reader.last else ""
    print(f"Imported {count} samples of {len(reader.devices)} devices{spread}.")
    if reader.implausible:
        told = ", ".join(f"{field} {n}" for field, n in reader.implausible.most_common(_NAMED))
        stderr.print(f"left out as impossible for their profile: {told}", soft_wrap=True, markup=False)
    stderr.print(f"{count / took_s:,.0f} samples/s" if took_s else "", soft_wrap=True)


class _Reader:
    """Rows as samples in the names and units of each device's profile."""

    def __init__(
        self, profiles: Mapping[str, DeviceProfile], registry: Registry, device: str | None, zone: tzinfo
    ) -> None:
        self._registry = registry
        self._device = device
        self._zone = zone
        self._latest = Clock().now() + _AHEAD
        self._profiles = profiles
        self._readers: dict[str, tuple[FieldReader, dict[str, str]]] = {}
        self.devices: set[str] = set()
        self.unknown: Counter[str] = Counter()
        self.implausible: Counter[str] = Counter()
        self.first: datetime | None = None
        self.last: datetime | None = None

    def samples(self, table: Table) -> Iterator[Sample]:
        """Yield a table's samples; raises BadTableError with the line of a row that cannot be read."""
        stem, sample_of = self._device or table.path.stem, table.columns.sample
        self.implausible.clear()
        try:
            for row in table.rows():
                device_id, at, values = sample_of(row, stem)
                if at > self._latest:
                    raise ValueError(f"{at:%Y-%m-%d %H:%M} is in the future; --timezone names the zone of the times")
                known = self._registry.devices.get(device_id)
                if known is None:
                    self.unknown[device_id] += 1
                    continue
                reader, units = self._reader_of(known.profile)
                reading = reader.read_values(values, {})
                self.implausible.update(reading.implausible)
                self.devices.add(device_id)
                self.first = min(self.first or at, at)
                self.last = max(self.last or at, at)
                yield Sample(device_id, at, reading.values, units)
        except (ValueError, OverflowError) as error:
            if isinstance(error, BadTableError):
                raise
            raise BadTableError(f"{table.path}:{table.line}: {error}") from error

    def _reader_of(self, name: str) -> tuple[FieldReader, dict[str, str]]:
        if name not in self._readers:
            profile = self._profiles.get(name, GENERIC)
            units = {field: spec.unit for field, spec in profile.fields.items() if spec.unit}
            self._readers[name] = FieldReader(profile), units
        return self._readers[name]


def _registry(config: Config) -> Registry:
    store = Store(config.store_url)
    try:
        with store.read() as connection:
            return load_registry(connection)
    finally:
        store.close()


def _refuse_unknown(reader: _Reader) -> None:
    if not reader.unknown:
        return
    named = ", ".join(f"'{device}'" for device in list(reader.unknown)[:_NAMED])
    more = f" and {len(reader.unknown) - _NAMED} more" if len(reader.unknown) > _NAMED else ""
    raise BadTableError(
        f"not registered: {named}{more}; nothing was imported. Import them first with gateway import devices, or say"
        " whose samples these are with --device"
    )


async def _write(config: Config, samples: Iterator[Sample], count: int) -> None:
    opened = await open_recorded(config)
    shown = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    try:
        with Progress(*shown, console=stderr, transient=True, disable=not stderr.is_terminal) as progress:
            task = progress.add_task("history", total=count)
            batch: list[Sample] = []
            for sample in samples:
                batch.append(sample)
                if len(batch) >= _BATCH:
                    await _flush(opened, batch)
                    progress.advance(task, len(batch))
                    batch = []
            await _flush(opened, batch)
    finally:
        await opened.close()


async def _flush(opened: History, batch: Sequence[Sample]) -> None:
    if batch:
        await opened.write(batch)
