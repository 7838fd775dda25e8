"""The history as an SQLite file of its own, apart from the store, so that it is never in the way of cases."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self, TypeVar

import sqlalchemy as sa
import structlog

from gateway.history import Fix, HistoryUnavailable, Sample, Series
from gateway.history import thinning as th
from gateway.history.reading import read_fields, read_positions, read_series
from gateway.history.retention import file_bytes, trim
from gateway.history.tables import RECORDED, open_readers, open_writer
from gateway.history.writing import Dictionary, erase, insert

log = structlog.get_logger()

T = TypeVar("T")

_PATIENCE = 1.25
"""At so many times the budget a write waits for the trimming instead of running ahead of it."""


class EmbeddedHistory:
    """A ``History`` in one file. Writes queue behind one another in a thread; reads run beside them."""

    def __init__(self, path: Path, budget_bytes: int, writer: sa.Engine, executor: ThreadPoolExecutor) -> None:
        """Take an opened file; use ``open``."""
        self._path = path
        self._budget_bytes = budget_bytes
        self._writer = writer
        self._executor = executor
        self._readers = open_readers(path)
        self._dictionary = Dictionary()
        self._trimming: asyncio.Task[None] | None = None
        self._closing = False

    @classmethod
    async def open(cls, path: Path, budget_bytes: int) -> Self:
        """Open or create the file. ``budget_bytes`` bounds it; its write-ahead log may take another 32 MiB.

        Raises HistoryError for a file of a later version, HistoryUnavailable where the disk refuses.
        """
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="history")

        def prepare() -> sa.Engine:
            path.parent.mkdir(parents=True, exist_ok=True)
            return open_writer(path)

        try:
            writer = await asyncio.get_running_loop().run_in_executor(executor, prepare)
        except (OSError, sa.exc.DatabaseError) as error:
            raise HistoryUnavailable(f"{path}: cannot be opened: {_reason(error)}") from error
        return cls(path, budget_bytes, writer, executor)

    async def write(self, samples: Sequence[Sample], *, sequence: int | None = None) -> None:
        """Keep ``samples`` and ``sequence`` in one transaction."""
        size = await self._in_writer(lambda: self._write(samples, sequence))
        if size > self._budget_bytes and self._trimming is None:
            self._trimming = asyncio.create_task(self._trim(), name="history-trim")
        if size > self._budget_bytes * _PATIENCE:
            await self.trimmed()

    async def series(
        self,
        device_id: str,
        field: str,
        since: datetime,
        until: datetime,
        max_points: int,
        *,
        interval: timedelta | None = None,
    ) -> Series:
        """Read and thin out one field; see ``History.series``."""
        th.span_count(max_points)
        usual_us = interval // th.MICROSECOND if interval is not None else None
        return await self._in_reader(lambda c: read_series(c, device_id, field, since, until, max_points, usual_us))

    async def positions(self, device_id: str, since: datetime, until: datetime, max_points: int) -> list[Fix]:
        """Read fixes; see ``History.positions``."""
        return await self._in_reader(lambda c: read_positions(c, device_id, since, until, max_points))

    async def fields(self, device_id: str) -> list[str]:
        """List the fields that have samples, sorted."""
        return await self._in_reader(lambda c: read_fields(c, device_id))

    async def last_sequence(self) -> int:
        """Tell how far the log was recorded; 0 at first."""
        return await self._in_reader(lambda c: c.execute(sa.select(RECORDED.c.sequence)).scalar() or 0)

    async def erase(self, device_id: str) -> None:
        """Delete all of a device and overwrite it on disk."""

        def work() -> None:
            try:
                erase(self._writer, device_id)
            finally:
                self._dictionary.clear()

        await self._in_writer(work)

    async def size_bytes(self) -> int | None:
        """Return the size of the file and of its write-ahead log."""
        files = (self._path, self._path.with_name(self._path.name + "-wal"))
        return await asyncio.to_thread(lambda: sum(file.stat().st_size for file in files if file.exists()))

    async def close(self) -> None:
        """Finish the writes that were accepted and close the file."""
        self._closing = True
        await self.trimmed()
        await asyncio.to_thread(self._executor.shutdown)
        self._readers.dispose()
        self._writer.dispose()

    async def trimmed(self) -> None:
        """Wait until a trimming that is going on has ended."""
        if self._trimming is not None:
            await asyncio.shield(self._trimming)

    async def _trim(self) -> None:
        """Trim step by step; between two steps the thread serves the writes that came meanwhile."""
        steps, deleted = trim(self._writer, self._budget_bytes), 0
        try:
            while not self._closing and (step := await self._in_writer(lambda: next(steps, None))) is not None:
                deleted += step
            log.info("history.trimmed", samples=deleted, budget_bytes=self._budget_bytes)
        except HistoryUnavailable as error:
            log.warning("history.trim_failed", error=str(error))
        finally:
            self._trimming = None

    def _write(self, samples: Sequence[Sample], sequence: int | None) -> int:
        """Write one batch; return how large the file has become."""
        try:
            with self._writer.begin() as connection:
                insert(connection, self._dictionary, samples)
                if sequence is not None:
                    connection.exec_driver_sql("INSERT OR REPLACE INTO recorded VALUES (1, ?)", (sequence,))
        except BaseException:
            self._dictionary.clear()
            raise
        with self._writer.connect() as connection:
            return file_bytes(connection)

    async def _in_writer(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        except (OSError, sa.exc.DatabaseError) as error:
            raise HistoryUnavailable(f"{self._path}: cannot be written: {_reason(error)}") from error

    async def _in_reader(self, work: Callable[[sa.Connection], T]) -> T:
        def read() -> T:
            with self._readers.begin() as connection:
                return work(connection)

        try:
            return await asyncio.to_thread(read)
        except (OSError, sa.exc.DatabaseError) as error:
            raise HistoryUnavailable(f"{self._path}: cannot be read: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """Say what the database said, without the statement and its parameters."""
    return str(error.orig) if isinstance(error, sa.exc.DBAPIError) and error.orig else str(error)
