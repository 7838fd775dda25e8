"""Many rows of one batch: all of them arrive, in their order, whatever their number."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.many_rows import write_rows
from gateway.store import dialect
from gateway.store.schema import device_states
from gateway.store.store import Store

T0 = datetime(2026, 11, 30, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 511, 512, 1_163])
def test_every_row_arrives_and_the_last_of_the_same_key_stays(count: int) -> None:
    with sa.create_engine("sqlite://").begin() as connection:
        connection.exec_driver_sql("CREATE TABLE sample (at INTEGER PRIMARY KEY, value REAL)")
        rows = [(at, 0.1 * at) for at in range(count)] + [(at, -0.1 * at) for at in range(0, count, 3)]
        write_rows(connection, "INSERT INTO sample VALUES", rows, "ON CONFLICT DO UPDATE SET value = excluded.value")
        written = connection.exec_driver_sql("SELECT at, value FROM sample ORDER BY at").all()
        assert [tuple(row) for row in written] == sorted(dict(rows).items())


def test_states_written_together_are_read_as_they_were_and_replaced_by_later_ones(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/store.sqlite")
    first = [(f"d{n:04}", b"{}", T0 + timedelta(seconds=n) if n % 2 else None, None) for n in range(700)]
    later = [(f"d{n:04}", b'{"a":1}', None, T0) for n in range(650, 720)]
    try:
        for rows in (first, later):
            with store.write() as connection:
                dialect.upsert_many(connection, device_states, rows)
        with store.read() as connection:
            found = connection.execute(sa.select(device_states).order_by(device_states.c.device_id)).all()
    finally:
        store.close()
    assert [tuple(row) for row in found] == [*first[:650], *later]


def test_a_time_without_a_zone_is_refused_among_many_too(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/store.sqlite")
    naive = T0.replace(tzinfo=None)
    try:
        with pytest.raises(ValueError, match="no time zone"), store.write() as connection:
            dialect.upsert_many(connection, device_states, [("d1", b"{}", naive, None)])
    finally:
        store.close()
