"""What SQLite and PostgreSQL do differently, in one place."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Engine, make_url

from gateway.many_rows import write_rows

_HIDING: Mapping[str, Any] = {"hide_parameters": True}
"""A statement that fails is logged without the names, addresses and messages that were put into it."""


def create_writer(url: str) -> Engine:
    """Create the engine of the one writer."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = sa.create_engine(
            parsed, poolclass=sa.pool.StaticPool, connect_args={"check_same_thread": False}, **_HIDING
        )
        # BEGIN IMMEDIATE takes the write lock at once: a transaction that reads first and writes later could
        # otherwise fail half-way with "database is locked". FULL: a message that was handed over must still be
        # known as such after a power cut, else it would be sent twice.
        _prepare_sqlite(engine, begin="BEGIN IMMEDIATE", pragmas=("synchronous=FULL", "busy_timeout=10000"))
        return engine
    return sa.create_engine(_psycopg(parsed), pool_size=1, max_overflow=0, **_HIDING)


def may_pass(error: sa.exc.OperationalError) -> bool:
    """Whether what was refused may be taken later: the disk is full, the server is gone, a lock is held.

    False where the same will be refused for ever, such as a text that is too long for its index. Sources: SQLite's
    result codes (SQLITE_ERROR; what is refused for the disk or a lock has codes of its own), PostgreSQL's error codes
    (class 54, program limit exceeded).
    """
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        return bool(getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_FULL) & 0xFF != sqlite3.SQLITE_ERROR)
    return not str(getattr(cause, "sqlstate", None) or "").startswith("54")


def size_bytes(connection: sa.Connection) -> int:
    """Return how large the database is."""
    if connection.dialect.name == "sqlite":
        pages = connection.execute(
            sa.text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
        )
        return int(pages.scalar() or 0)
    return int(connection.execute(sa.text("SELECT pg_database_size(current_database())")).scalar() or 0)


def columns_of(connection: sa.Connection) -> set[tuple[str, str]]:
    """Return the columns there are, each with its table, asked for at once."""
    if connection.dialect.name == "sqlite":
        query = "SELECT m.name, c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table'"
    else:
        # The standard's information_schema.columns says the same for six times the work.
        query = (
            "SELECT c.relname, a.attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid"
            " WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')"
            " AND a.attnum > 0 AND NOT a.attisdropped"
        )
    return {(table, column) for table, column in connection.execute(sa.text(query))}


def create_reader(url: str) -> Engine:
    """Create the engine that everybody else reads through."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = sa.create_engine(
            parsed, pool_size=4, max_overflow=4, connect_args={"check_same_thread": False}, **_HIDING
        )
        _prepare_sqlite(engine, begin="BEGIN", pragmas=("query_only=ON", "busy_timeout=10000"))
        return engine
    engine = sa.create_engine(_psycopg(parsed), pool_size=4, max_overflow=8, **_HIDING)
    return engine.execution_options(postgresql_readonly=True)


def _psycopg(url: URL) -> URL:
    """Name the driver, so that a user may write plain ``postgresql://``."""
    return url.set(drivername="postgresql+psycopg") if url.drivername in ("postgresql", "postgres") else url


def _prepare_sqlite(engine: Engine, begin: str, pragmas: Sequence[str]) -> None:
    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        # The driver's own transaction handling would begin late and deferred; we say BEGIN ourselves.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)


def upsert(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert ``rows``, or update every other column where the primary key is there already."""
    if not rows:
        return
    connection.execute(_upsert(connection.dialect.name, table), list(rows))


def upsert_many(connection: sa.Connection, table: sa.Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Do the same with thousands of rows, each with all columns in the table's order."""
    if connection.dialect.name != "sqlite":
        names = table.columns.keys()
        upsert(connection, table, [dict(zip(names, row, strict=True)) for row in rows])
    elif rows:
        insert_into, on_conflict, processors = _upsert_many(table, connection.dialect)
        bound = [
            [value if process is None else process(value) for value in column]
            for process, column in zip(processors, zip(*rows, strict=True), strict=True)
        ]
        write_rows(connection, insert_into, list(zip(*bound, strict=True)), on_conflict)


def insert_new(connection: sa.Connection, table: sa.Table, row: Mapping[str, Any], unique: Sequence[str]) -> bool:
    """Insert ``row`` unless one with the same ``unique`` columns is there; tell whether it was new."""
    return connection.execute(_insert_new(connection.dialect.name, table, tuple(unique)), dict(row)).first() is not None


# Built once for each table: see ``gateway.store.statements``.
@cache
def _upsert(dialect: str, table: sa.Table) -> sa.Insert:
    insert = _insert(dialect)(table)
    keys = [column.name for column in table.primary_key]
    changes = {column.name: insert.excluded[column.name] for column in table.columns if column.name not in keys}
    upsert: sa.Insert = insert.on_conflict_do_update(index_elements=keys, set_=changes)
    return upsert


@cache
def _upsert_many(table: sa.Table, of: sa.engine.Dialect) -> tuple[str, str, list[Callable[[Any], Any] | None]]:
    """Return what stands before the rows, what behind them, and how each column's values are handed to the driver."""
    before, _, after = str(_upsert(of.name, table).compile(dialect=of)).partition("VALUES")
    on_conflict = after[after.index("ON CONFLICT") :]
    return f"{before}VALUES", on_conflict, [column.type.dialect_impl(of).bind_processor(of) for column in table.columns]


@cache
def _insert_new(dialect: str, table: sa.Table, unique: tuple[str, ...]) -> sa.sql.dml.ReturningInsert[tuple[int]]:
    insert = _insert(dialect)(table).on_conflict_do_nothing(index_elements=list(unique))
    # Not the row count: psycopg's is -1 for an insert that returns its key.
    new: sa.sql.dml.ReturningInsert[tuple[int]] = insert.returning(sa.literal(1))
    return new


def _insert(dialect: str) -> Any:
    return sqlite.insert if dialect == "sqlite" else postgresql.insert
