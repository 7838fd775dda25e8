"""The store's door: opening with migrations, one writing transaction at a time, reading beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from gateway.errors import StartRefused
from gateway.store import dialect
from gateway.store.tables import metadata

_MIGRATIONS = Path(__file__).parent / "migrations"
_NAMED = 3
"""How many of the columns that are not there a refusal names."""


class StoreError(StartRefused):
    """The store cannot be opened; the message says what to do."""


class Store:
    """SQLite (WAL) or PostgreSQL behind one writer and several readers. Its methods block: call them in a thread."""

    def __init__(self, url: str) -> None:
        """Open the store at an SQLAlchemy URL (``sqlite:///path`` or ``postgresql://…``) and migrate it.

        Raises StoreError where the database cannot be reached, is newer than this version or of an unreleased build.
        """
        self._writer = dialect.create_writer(url)
        self._reader = dialect.create_reader(url)
        try:
            with self._writer.connect() as connection:
                _migrate(connection)
                lacking = _lacking(connection)
        except sa.exc.OperationalError as error:
            where = sa.make_url(url).render_as_string(hide_password=True)
            raise StoreError(f"store: cannot open {where}: {error.orig}") from error
        except CommandError as error:
            raise StoreError(
                f"store: its tables were made by a newer version ({error}); install that version, or restore a backup"
            ) from error
        if lacking:
            named = ", ".join(lacking[:_NAMED]) + (
                f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
            )
            raise StoreError(
                f"store: its tables were made by a build before the first release and lack {named}; no migration leads"
                " on from there. Move the database away, start again, and import customers and devices"
            )

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Open the one writing transaction; it commits at the end and rolls back on an exception."""
        with self._writer.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Open a consistent view for reading; it never waits for the writer."""
        with self._reader.begin() as connection:
            yield connection

    def close(self) -> None:
        """Let go of the connections."""
        self._reader.dispose()
        self._writer.dispose()


def _migrate(connection: sa.Connection) -> None:
    current = MigrationContext.configure(connection).get_current_revision()
    # Alembic joins a transaction that is open, and leaves it to whoever opened it to commit.
    connection.rollback()
    if current == _newest():
        return
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _lacking(connection: sa.Connection) -> list[str]:
    """Name the columns that the code expects and nobody made."""
    expected = {(table.name, column.name) for table in metadata.tables.values() for column in table.columns}
    return sorted(f"{table}.{column}" for table, column in expected - dialect.columns_of(connection))


@cache
def _newest() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config
