"""Real servers for tests: found on the PATH, started on free ports of the loopback."""

import os
import shutil
import socket

import pytest


def require(program: str, package: str) -> str:
    """Return where ``program`` is; without it skip, saying which Debian package has it, but fail in CI."""
    path = shutil.which(program)
    if path is None:
        missing = f"{program} is not installed; apt-get install {package}"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return path


def free_port() -> int:
    """Return a port of the loopback that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
