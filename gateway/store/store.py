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

_MIGRATIONS = Path(__file__).parent / "migrations"


class StoreError(StartRefused):
    """The store cannot be opened; the message says what to do."""


class Store:
    """SQLite (WAL) or PostgreSQL behind one writer and several readers. Its methods block: call them in a thread."""

    def __init__(self, url: str) -> None:
        """Open the store at an SQLAlchemy URL (``sqlite:///path`` or ``postgresql://…``) and migrate it.

        Raises StoreError where the database cannot be reached or is newer than this version.
        """
        self._writer = dialect.create_writer(url)
        self._reader = dialect.create_reader(url)
        try:
            with self._writer.connect() as connection:
                _migrate(connection)
        except sa.exc.OperationalError as error:
            where = sa.make_url(url).render_as_string(hide_password=True)
            raise StoreError(f"store: cannot open {where}: {error.orig}") from error
        except CommandError as error:
            raise StoreError(
                f"store: its tables were made by a newer version ({error}); install that version, or restore a backup"
            ) from error

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


@cache
def _newest() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config
