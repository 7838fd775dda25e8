"""The tables of the embedded history and how its SQLite file is opened."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from gateway.history import HistoryError

VERSION = 1
"""Kept in the file as ``user_version``; a file of a later one is refused."""

METADATA = sa.MetaData()

# Names are written once and numbered: a sample takes about 20 bytes on disk instead of 60.
DEVICE = sa.Table(
    "device",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
)
SERIES = sa.Table(
    "series",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("device_id", sa.Integer, sa.ForeignKey(DEVICE.c.id), nullable=False),
    sa.Column("field", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("unit", sa.Text, nullable=False),
    sa.UniqueConstraint("device_id", "field"),
)
# Without a rowid the table is the index: one series' samples lie side by side in the order a chart reads them.
SAMPLE = sa.Table(
    "sample",
    METADATA,
    sa.Column("series_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at_us", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("value", sa.REAL, nullable=False),
    sqlite_with_rowid=False,
)
TEXT_SAMPLE = sa.Table(
    "text_sample",
    METADATA,
    sa.Column("series_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at_us", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("value", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
FIX = sa.Table(
    "fix",
    METADATA,
    sa.Column("device_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at_us", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("latitude", sa.REAL, nullable=False),
    sa.Column("longitude", sa.REAL, nullable=False),
    sa.Column("accuracy_m", sa.REAL),
    sa.Column("altitude_m", sa.REAL),
    sa.Column("speed_m_s", sa.REAL),
    sa.Column("course_deg", sa.REAL),
    sqlite_with_rowid=False,
)
RECORDED = sa.Table(
    "recorded",
    METADATA,
    sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1"), primary_key=True),
    sa.Column("sequence", sa.Integer, nullable=False),
)


def open_writer(path: Path) -> sa.Engine:
    """Open the file for its one writer and create what is missing.

    Raises HistoryError for a file of a later version, sqlalchemy's ``DatabaseError`` where it cannot be opened.
    """
    engine = _engine(
        path,
        # Only before the first table can a file be told to give pages back bit by bit instead of by a full rewrite.
        "auto_vacuum=INCREMENTAL",
        "journal_mode=WAL",
        # The log is read again from the stored sequence, so a power cut costs nothing that FULL would have saved.
        "synchronous=NORMAL",
        # Many samples fall on the same page; a longer write-ahead log writes each page fewer times.
        "wal_autocheckpoint=4000",
        "journal_size_limit=33554432",
        "cache_size=-65536",
        poolclass=sa.pool.StaticPool,
    )
    with engine.begin() as connection:
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if version > VERSION:
            raise HistoryError(f"{path}: made by a newer version; install that version, or move the file away")
        METADATA.create_all(connection)
        connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")
    return engine


def open_readers(path: Path) -> sa.Engine:
    """Open the file for charts and maps, which read while the writer writes."""
    return _engine(path, "query_only=ON", "cache_size=-16384", "mmap_size=268435456", pool_size=2, max_overflow=2)


def _engine(path: Path, *pragmas: str, **options: Any) -> sa.Engine:
    # Connections wander between the threads of an executor; each is used by one at a time.
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        connect_args={"check_same_thread": False},
        hide_parameters=True,
        **options,
    )

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in ("busy_timeout=10000", *pragmas):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine
