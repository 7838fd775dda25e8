"""What the gateway itself remembers beside a history that lies on a server: how far the log was recorded, and units."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from gateway.history import HistoryUnavailable, storable

_METADATA = sa.MetaData()
# By target: pointed at another server or bucket, the gateway records the whole log again there.
_RECORDED = sa.Table(
    "recorded",
    _METADATA,
    sa.Column("target", sa.Text, primary_key=True),
    sa.Column("sequence", sa.Integer, nullable=False),
)
# A unit as a tag would make a second series of the same field whenever a firmware begins to state one.
_UNIT = sa.Table(
    "unit",
    _METADATA,
    sa.Column("device_id", sa.Text, primary_key=True),
    sa.Column("field", sa.Text, primary_key=True),
    sa.Column("unit", sa.Text, nullable=False),
)


class Progress:
    """A small SQLite file in ``data_dir``."""

    def __init__(self, path: Path, target: str) -> None:
        """Open or create the file; ``target`` names server, organisation and bucket.

        Raises HistoryUnavailable where the disk refuses.
        """
        self._path = path
        self._target = target
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            url = sa.URL.create("sqlite", database=str(path))
            self._engine = sa.create_engine(
                url, poolclass=sa.pool.StaticPool, connect_args={"check_same_thread": False}, hide_parameters=True
            )
            with self._engine.begin() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                connection.exec_driver_sql("PRAGMA synchronous=NORMAL")
                _METADATA.create_all(connection)
                units = connection.execute(sa.select(_UNIT)).all()
                read = sa.select(_RECORDED.c.sequence).where(_RECORDED.c.target == target)
                self._sequence: int = connection.execute(read).scalar() or 0
        except (OSError, sa.exc.DatabaseError) as error:
            raise HistoryUnavailable(f"{path}: cannot be opened: {error}") from error
        self._units: dict[tuple[str, str], str] = {(row.device_id, row.field): row.unit for row in units}
        self._lock = asyncio.Lock()

    @property
    def sequence(self) -> int:
        """How far the log was recorded at this target."""
        return self._sequence

    def unit(self, device_id: str, field: str) -> str:
        """Return a field's unit; empty where none was ever stated."""
        return self._units.get((storable(device_id), storable(field)), "")

    async def note(self, units: Iterable[tuple[str, str, str]], sequence: int | None) -> None:
        """Remember (device, field, unit) and ``sequence``. Raises HistoryUnavailable where the disk refuses."""
        stated = ((storable(device), storable(field), storable(unit)) for device, field, unit in units)
        new = {(device, field): unit for device, field, unit in stated if self.unit(device, field) != unit}
        if not new and sequence is None:
            return

        def work() -> None:
            with self._engine.begin() as connection:
                if new:
                    rows = [{"device_id": d, "field": f, "unit": unit} for (d, f), unit in new.items()]
                    upsert = insert(_UNIT)
                    connection.execute(upsert.on_conflict_do_update(set_={"unit": upsert.excluded.unit}), rows)
                if sequence is not None:
                    row = insert(_RECORDED).values(target=self._target, sequence=sequence)
                    connection.execute(row.on_conflict_do_update(set_={"sequence": sequence}))

        await self._run(work)
        self._units.update(new)
        self._sequence = self._sequence if sequence is None else sequence

    async def forget(self, device_id: str) -> None:
        """Forget a device's units."""
        device_id = storable(device_id)

        def work() -> None:
            with self._engine.begin() as connection:
                connection.execute(sa.delete(_UNIT).where(_UNIT.c.device_id == device_id))

        await self._run(work)
        self._units = {key: unit for key, unit in self._units.items() if key[0] != device_id}

    async def close(self) -> None:
        """Close the file."""
        async with self._lock:
            self._engine.dispose()

    async def _run(self, work: Callable[[], None]) -> None:
        async with self._lock:
            try:
                await asyncio.to_thread(work)
            except (OSError, sa.exc.DatabaseError) as error:
                raise HistoryUnavailable(f"{self._path}: cannot be written: {error}") from error
