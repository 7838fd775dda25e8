"""How samples become rows of the embedded history."""

from collections.abc import Mapping, Sequence
from operator import itemgetter

import sqlalchemy as sa
import structlog

from gateway.history import MAX_TEXT, Sample, SeriesKind, classify, storable
from gateway.history import thinning as th
from gateway.history.tables import DEVICE, FIX, SAMPLE, SERIES, TEXT_SAMPLE
from gateway.many_rows import write_rows

log = structlog.get_logger()

MAX_FIELDS = 1_000
"""Fields kept of one device. One that invents names without end fills neither the dictionary nor memory."""

_REPLACE = "ON CONFLICT DO UPDATE SET value = excluded.value"


class Dictionary:
    """The numbers of devices and their fields, remembered so that a sample costs no look-up. One thread's."""

    def __init__(self) -> None:
        """Begin empty; numbers are read, or given, as they are asked for."""
        self._devices: dict[str, int] = {}
        self._series: dict[int, dict[str, tuple[int, SeriesKind, str]]] = {}

    def clear(self) -> None:
        """Forget all: numbers given in a transaction that failed are none."""
        self._devices.clear()
        self._series.clear()

    def device(self, connection: sa.Connection, name: str) -> int:
        """Return the number of a device."""
        if (known := self._devices.get(name)) is not None:
            return known
        kept = storable(name)
        number: int | None = connection.execute(sa.select(DEVICE.c.id).where(DEVICE.c.name == kept)).scalar()
        if number is None:
            number = connection.execute(sa.insert(DEVICE).values(name=kept).returning(DEVICE.c.id)).scalar_one()
        self._devices[name] = number
        rows = connection.execute(sa.select(SERIES).where(SERIES.c.device_id == number))
        self._series[number] = {row.field: (row.id, SeriesKind(row.kind), row.unit) for row in rows}
        return number

    def known(self, device: int) -> Mapping[str, tuple[int, SeriesKind, str]]:
        """Return number, kind and unit of a device's fields: ``series`` need not be asked for what has not changed."""
        return self._series[device]

    def series(self, connection: sa.Connection, device: int, field: str, kind: SeriesKind, unit: str) -> int | None:
        """Return the number of a device's field, noting its kind and unit; None beyond ``MAX_FIELDS``."""
        known = self._series[device]
        field = storable(field)
        if (found := known.get(field)) is not None:
            if (kind, unit or found[2]) != found[1:]:
                known[field] = (found[0], kind, unit or found[2])
                noted = {"kind": kind, "unit": unit or found[2]}
                connection.execute(sa.update(SERIES).where(SERIES.c.id == found[0]).values(noted))
            return found[0]
        if len(known) >= MAX_FIELDS:
            return None
        if len(known) == MAX_FIELDS - 1:
            log.warning("history.too_many_fields", device=device, kept=MAX_FIELDS)
        values = {"device_id": device, "field": field, "kind": kind, "unit": unit}
        number: int = connection.execute(sa.insert(SERIES).values(values).returning(SERIES.c.id)).scalar_one()
        known[field] = (number, kind, unit)
        return number


def insert(connection: sa.Connection, dictionary: Dictionary, samples: Sequence[Sample]) -> None:
    """Write a batch; what is there already of the same series and time is replaced."""
    numbers: list[tuple[int, int, float]] = []
    texts: list[tuple[int, int, str]] = []
    fixes: list[tuple[int | float | None, ...]] = []
    for sample in samples:
        at_us = th.to_us(sample.observed_at)
        device, units = dictionary.device(connection, sample.device_id), sample.units
        known = dictionary.known(device)
        for field, value in sample.values.items():
            kind, number = classify(value)
            if kind is None:
                continue
            unit = units.get(field, "")
            found = known.get(field)
            if found is not None and found[1] is kind and (unit == found[2] or not unit):
                series: int | None = found[0]
            else:
                series = dictionary.series(connection, device, field, kind, storable(unit))
            if series is None:
                continue
            if kind is SeriesKind.TEXT:
                texts.append((series, at_us, storable(str(value)[:MAX_TEXT])))
            else:
                numbers.append((series, at_us, number))
        if (p := sample.position) is not None:
            place = (p.latitude, p.longitude, p.accuracy_m, p.altitude_m, p.speed_m_s, p.course_deg)
            fixes.append((device, at_us, *place))
    # A series' samples lie side by side, each series on pages of its own. In this order a page is gone to once.
    numbers.sort(key=itemgetter(0, 1))
    write_rows(connection, "INSERT INTO sample VALUES", numbers, _REPLACE)
    write_rows(connection, "INSERT INTO text_sample VALUES", texts, _REPLACE)
    write_rows(connection, "INSERT OR REPLACE INTO fix VALUES", fixes)


def erase(writer: sa.Engine, device_id: str) -> None:
    """Delete all of a device and overwrite it on disk, which a plain DELETE would not."""
    device = sa.select(DEVICE.c.id).where(DEVICE.c.name == storable(device_id)).scalar_subquery()
    series = sa.select(SERIES.c.id).where(SERIES.c.device_id == device)
    with writer.connect() as connection:
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
        connection.commit()
        try:
            with connection.begin():
                for table in (SAMPLE, TEXT_SAMPLE):
                    connection.execute(sa.delete(table).where(table.c.series_id.in_(series)))
                connection.execute(sa.delete(FIX).where(FIX.c.device_id == device))
                connection.execute(sa.delete(SERIES).where(SERIES.c.device_id == device))
                connection.execute(sa.delete(DEVICE).where(DEVICE.c.name == storable(device_id)))
        finally:
            connection.exec_driver_sql("PRAGMA secure_delete=OFF")
        # The write-ahead log still holds the pages as they were; readers permitting, it is emptied now.
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
