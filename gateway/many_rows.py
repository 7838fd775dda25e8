"""Many rows into SQLite beside threads that compute.

``executemany`` gives the interpreter up and takes it back with every row. While another thread computes, each of these
can cost ``sys.getswitchinterval()``: a commit of a thousand rows then takes longest where the gateway has the most to
do. A statement of many rows gives it up once, and SQLite works on them while Python goes on.
"""

from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

import sqlalchemy as sa

_ROWS = (512, 64, 8, 1)
"""Of one statement, as many as there are left for: few texts, which SQLite need not parse again."""


def write_rows(
    connection: sa.Connection, insert_into: str, rows: Sequence[tuple[Any, ...]], on_conflict: str = ""
) -> None:
    """Write ``rows`` in their order, by few statements; their values are what the driver takes as they are.

    Args:
        connection: SQLite's.
        insert_into: The statement up to its rows: ``INSERT INTO sample VALUES``.
        rows: All of one length.
        on_conflict: What stands behind the rows.
    """
    done = 0
    for size in _ROWS:
        while len(rows) - done >= size:
            part = rows[done : done + size]
            statement = _statement(insert_into, len(part[0]), size, on_conflict)
            connection.exec_driver_sql(statement, tuple(chain.from_iterable(part)))
            done += size


@cache
def _statement(insert_into: str, columns: int, rows: int, on_conflict: str) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"{insert_into} {', '.join([row] * rows)} {on_conflict}"
