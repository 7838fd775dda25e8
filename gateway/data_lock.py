"""One process owns a data directory: a second one would commit beside it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import StartRefused


class DataInUse(StartRefused):
    """Another gateway runs on this directory; the message names its process."""


@contextmanager
def lock_data(data_dir: Path) -> Iterator[None]:
    """Hold ``data_dir`` for this process; the lock goes with the process, however that ends.

    Raises DataInUse where another process holds it, StartRefused where nothing can be written there.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        opened = (data_dir / "gateway.lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise StartRefused(f"data_dir: {data_dir} cannot be written: {error.strerror}") from error
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise DataInUse(
                f"{data_dir} is in use by the gateway with process id {file.read().strip() or 'unknown'}; "
                "stop it, or set another data_dir"
            ) from error
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield
