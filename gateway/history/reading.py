"""What charts and maps ask the embedded history's tables."""

from datetime import datetime
from itertools import pairwise

import sqlalchemy as sa

from device_models.event import Position
from gateway.history import Fix, Series, SeriesKind, storable
from gateway.history import thinning as th
from gateway.history.tables import DEVICE, FIX, SAMPLE, SERIES, TEXT_SAMPLE

_LOWEST, _HIGHEST, _FIRST, _LAST = range(4)
# One span of a chart: SQLite takes the bare at_us from the row that is the minimum or maximum (lang_select.html §2.5).
_SPAN = f"""
SELECT {_LOWEST}, at_us, min(value) FROM sample WHERE series_id = :series AND at_us >= :since AND at_us < :until
UNION ALL
SELECT {_HIGHEST}, at_us, max(value) FROM sample WHERE series_id = :series AND at_us >= :since AND at_us < :until
UNION ALL SELECT {_FIRST}, at_us, value FROM (
    SELECT at_us, value FROM sample WHERE series_id = :series AND at_us >= :since AND at_us < :until
    ORDER BY at_us LIMIT 1)
UNION ALL SELECT {_LAST}, at_us, value FROM (
    SELECT at_us, value FROM sample WHERE series_id = :series AND at_us >= :since AND at_us < :until
    ORDER BY at_us DESC LIMIT 1)
"""  # noqa: S608  (the four numbers are ours)


def read_series(
    connection: sa.Connection,
    device_id: str,
    field: str,
    since: datetime,
    until: datetime,
    max_points: int,
    interval_us: int | None,
) -> Series:
    """Read and thin out one field; see ``History.series``."""
    found = connection.execute(
        sa.select(SERIES.c.id, SERIES.c.kind, SERIES.c.unit)
        .join(DEVICE)
        .where(DEVICE.c.name == storable(device_id), SERIES.c.field == storable(field))
    ).one_or_none()
    if found is None:
        return Series(device_id, field, since, until)
    span = (th.to_us(since), th.to_us(until))
    thinned = th.Thinned()
    changes: tuple[tuple[datetime, str], ...] = ()
    if found.kind == SeriesKind.TEXT:
        changes = th.changes(_read_texts(connection, found.id, *span))[-max_points:]
    else:
        thinned = _read_numbers(connection, found.id, *span, max_points, interval_us)
    return thinned.series(
        device_id=device_id,
        field=field,
        since=since,
        until=until,
        kind=SeriesKind(found.kind),
        unit=found.unit,
        changes=changes,
    )


def read_positions(
    connection: sa.Connection, device_id: str, since: datetime, until: datetime, max_points: int
) -> list[Fix]:
    """Read and thin out fixes; see ``History.positions``."""
    device = connection.execute(sa.select(DEVICE.c.id).where(DEVICE.c.name == storable(device_id))).scalar()
    since_us, until_us = th.to_us(since), th.to_us(until)
    mine = sa.select(FIX).where(FIX.c.device_id == device).order_by(FIX.c.at_us)
    rows = connection.execute(mine.where(FIX.c.at_us >= since_us, FIX.c.at_us < until_us).limit(max_points + 1)).all()
    if len(rows) > max_points:
        # A look into the index per span; reading a year of fixes to keep five hundred would take a second. One pair
        # of bounds only: of two pairs SQLite may take the wider one and walk.
        rows = []
        for begin, end in pairwise(th.edges(since_us, until_us, max_points - 1)):
            rows += connection.execute(mine.where(FIX.c.at_us >= begin, FIX.c.at_us < end).limit(1)).all()
        latest = sa.select(sa.func.max(FIX.c.at_us)).where(FIX.c.device_id == device, FIX.c.at_us < until_us)
        last = connection.execute(mine.where(FIX.c.at_us == latest.scalar_subquery())).one()
        rows += [last] if last != rows[-1] else []
    return [Fix(th.from_us(row.at_us), Position(*row[2:])) for row in rows]


def read_fields(connection: sa.Connection, device_id: str) -> list[str]:
    """List the fields of which samples are kept, sorted."""
    kept = (sa.select(sa.literal(1)).where(t.c.series_id == SERIES.c.id).exists() for t in (SAMPLE, TEXT_SAMPLE))
    query = sa.select(SERIES.c.field).join(DEVICE).where(DEVICE.c.name == storable(device_id), sa.or_(*kept))
    return sorted(connection.execute(query).scalars())


def _read_numbers(
    connection: sa.Connection, series: int, since_us: int, until_us: int, max_points: int, interval_us: int | None
) -> th.Thinned:
    window = (SAMPLE.c.series_id == series, SAMPLE.c.at_us >= since_us, SAMPLE.c.at_us < until_us)
    few = sa.select(SAMPLE.c.at_us, SAMPLE.c.value).where(*window).order_by(SAMPLE.c.at_us).limit(max_points + 1)
    points = [(row[0], row[1]) for row in connection.execute(few)]
    if len(points) <= max_points:
        return th.thin(points, since_us, until_us, max_points, interval_us)
    count = connection.execute(sa.select(sa.func.count()).select_from(SAMPLE).where(*window)).scalar_one()
    spans = []
    for begin, end in pairwise(th.edges(since_us, until_us, th.span_count(max_points))):
        rows = connection.exec_driver_sql(_SPAN, {"series": series, "since": begin, "until": end})
        found = {role: (at_us, value) for role, at_us, value in rows}
        if _FIRST in found:
            spans.append(th.Span(found[_FIRST], found[_LOWEST], found[_HIGHEST], found[_LAST]))
    return th.from_spans(spans, count, interval_us)


def _read_texts(connection: sa.Connection, series: int, since_us: int, until_us: int) -> list[tuple[int, str]]:
    """Read the text that held when the span began, and those within it."""
    at, value = TEXT_SAMPLE.c.at_us, TEXT_SAMPLE.c.value
    mine = sa.select(at, value).where(TEXT_SAMPLE.c.series_id == series)
    before = connection.execute(mine.where(at < since_us).order_by(at.desc()).limit(1)).all()
    within = connection.execute(mine.where(at >= since_us, at < until_us).order_by(at)).all()
    return [(row[0], row[1]) for row in (*before, *within)]
