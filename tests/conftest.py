"""What every test shares."""

import gc
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
import structlog
from hypothesis import settings

from gateway.store import dialect
from tests.servers import require

if TYPE_CHECKING:
    from playwright.async_api import Browser

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("gateway", deadline=None)
settings.load_profile("gateway")


def pytest_xdist_auto_num_workers() -> int:
    """Half as many workers again as there are processors: a good part of them waits, for a timer or a disk."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return processors + (processors + 1) // 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long and mostly waits: at its end nobody else would have anything left to do meanwhile."""
    items.sort(key=lambda item: item.path.parent.name != "system" and item.path.name != "test_bench.py")


def pytest_collection_finish() -> None:
    """What was collected stays to the end: the collector need not look through it again and again."""
    gc.freeze()


# Each gateway that a test starts as a process would otherwise compile the whole product again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@sa.event.listens_for(sa.Engine, "engine_connect")
def _without_fsync(connection: sa.Connection) -> None:
    """No test in this process cuts the power, and what a killed process wrote the system still has."""
    if connection.dialect.name == "sqlite":
        # Past SQLAlchemy, which would begin a transaction, in which this cannot be changed.
        sqlite: sqlite3.Connection = connection.connection.dbapi_connection  # type: ignore[assignment]
        if not sqlite.in_transaction:
            sqlite.execute("PRAGMA synchronous=OFF")


_COMPILED: dict[Any, Any] = {}
_DIALECTS: dict[str, sa.Dialect] = {}


def _compiling_once(create: Callable[[str], sa.Engine]) -> Callable[[str], sa.Engine]:
    """Let the stores of all tests share what SQLAlchemy compiled: that took a quarter of their time."""

    def created(url: str) -> sa.Engine:
        engine = create(url)
        # What is compiled is kept by its dialect.
        engine.dialect = _DIALECTS.setdefault(engine.dialect.name, engine.dialect)
        engine.update_execution_options(compiled_cache=_COMPILED)
        return engine

    return created


for _name in ("create_writer", "create_reader"):
    setattr(dialect, _name, _compiling_once(getattr(dialect, _name)))


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Give the log back as it was: a test that runs a command configures it for the whole process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    # As structlog begins it, but for the values of each frame in a traceback: to print them may take half a minute.
    *before, _ = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*before, plain])
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> "AsyncIterator[Browser]":
    """One Chromium for all tests of this process that look at pages: to start one takes more than most of them do."""
    # A process that has none of these tests need not read what they take.
    from playwright.async_api import async_playwright

    from tests.screenshots import FLAGS

    program = require("chromium", "chromium")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="session")
async def browser(chromium: "Browser") -> "AsyncIterator[Browser]":
    """The browser, without a window. It lives in the session's loop, so a test that takes it does as well."""
    yield chromium
    for context in chromium.contexts:
        await context.close()
