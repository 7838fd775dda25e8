"""Keeping the embedded history within its budget: the oldest samples go first, a little at a time."""

from collections import deque
from collections.abc import Iterator

import sqlalchemy as sa

from gateway.history.tables import DEVICE, FIX, SAMPLE, SERIES, TEXT_SAMPLE

CHUNK_ROWS = 20_000
"""Rows deleted in one transaction: some tens of milliseconds, for which a batch of new samples may have to wait."""
CHUNK_PAGES = 4_000
"""Pages given back to the file system in one transaction."""
FILL = 0.95
"""Trimming goes on to this share of the budget, so that it does not begin again with the next batch."""
ROUNDS = 50
"""One round forgets this part of the span of time that is kept."""

_OWNERS = ((SAMPLE, SERIES), (TEXT_SAMPLE, SERIES), (FIX, DEVICE))


def used_bytes(connection: sa.Connection) -> int:
    """Tell how much of the file holds data; pages freed earlier are filled again before the file grows."""
    pages, free, size = (
        connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def file_bytes(connection: sa.Connection) -> int:
    """Tell how large the file is, free pages included, the write-ahead log (at most 32 MiB) not."""
    pages, size = (connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("page_count", "page_size"))
    return int(pages * size)


def trim(engine: sa.Engine, budget_bytes: int) -> Iterator[int]:
    """Forget the oldest samples until the file is within its budget, yielding rows deleted after each transaction.

    The caller lets waiting writes go first between two steps. Each round forgets a fiftieth of the time kept, of
    all devices alike, so that one stray sample of 1970 costs one empty round and not the order.
    """
    while True:
        with engine.connect() as connection:
            used = used_bytes(connection)
            oldest, newest = _span(connection)
        if used <= budget_bytes * FILL or oldest is None or newest is None:
            break
        cutoff_us = oldest + max(1, (newest - oldest) // ROUNDS)
        for table, owner in _OWNERS:
            yield from _forget_before(engine, table, owner, cutoff_us)
    yield from _give_back(engine, budget_bytes)


def _span(connection: sa.Connection) -> tuple[int | None, int | None]:
    """Find the oldest and newest time, by two looks into the index per series rather than a scan."""
    looks = []
    for table, owner in _OWNERS:
        key = next(iter(table.primary_key))
        for extreme in (sa.func.min, sa.func.max):
            look = sa.select(extreme(table.c.at_us)).where(key == owner.c.id).correlate(owner).scalar_subquery()
            looks.append(sa.select(look.label("at_us")).select_from(owner))
    every = sa.union_all(*looks).subquery("every")
    oldest, newest = connection.execute(sa.select(sa.func.min(every.c.at_us), sa.func.max(every.c.at_us))).one()
    return oldest, newest


def _forget_before(engine: sa.Engine, table: sa.Table, owner: sa.Table, cutoff_us: int) -> Iterator[int]:
    key = next(iter(table.primary_key))
    old = sa.select(sa.literal(1)).where(key == owner.c.id, table.c.at_us < cutoff_us).exists()
    with engine.connect() as connection:
        waiting = deque(connection.execute(sa.select(owner.c.id).where(old)).scalars())
    while waiting:
        yield _forget_chunk(engine, table, waiting, cutoff_us)


def _forget_chunk(engine: sa.Engine, table: sa.Table, waiting: deque[int], cutoff_us: int) -> int:
    """Delete up to ``CHUNK_ROWS`` in one transaction, taking owners that are done out of ``waiting``."""
    key = next(iter(table.primary_key))
    left = CHUNK_ROWS
    with engine.begin() as connection:
        while waiting and left > 0:
            mine = (key == waiting[0], table.c.at_us < cutoff_us)
            # This SQLite may be built without DELETE … LIMIT: the time of the row after the last allowed bounds it.
            beyond = connection.execute(
                sa.select(table.c.at_us).where(*mine).order_by(table.c.at_us).offset(left).limit(1)
            ).scalar()
            bound = cutoff_us if beyond is None else beyond
            deleted = connection.execute(sa.delete(table).where(key == waiting[0], table.c.at_us < bound)).rowcount
            left -= deleted
            if beyond is None:
                waiting.popleft()
    return CHUNK_ROWS - left


def _give_back(engine: sa.Engine, budget_bytes: int) -> Iterator[int]:
    """Shrink the file where it is larger than the budget although less of it is in use."""
    while True:
        with engine.connect() as connection:
            before = file_bytes(connection)
            if before <= budget_bytes:
                return
            # The driver steps the pragma once, which frees one page; reading its empty result frees the rest.
            cursor = connection.connection.cursor()
            cursor.execute(f"PRAGMA incremental_vacuum({CHUNK_PAGES})")
            cursor.fetchall()
            cursor.close()
            if file_bytes(connection) == before:
                return
        yield 0
