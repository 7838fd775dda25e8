"""The command line as processes of their own, forked from one that has imported the product already.

Importing takes 1.7 s of processor time, most of a gateway's start, and the tests start more than a hundred.
``python -m tests.system.forked DESCRIPTOR`` is the process that has, one for each test process; over the socket of
that number it is told in lines of JSON what to start and asked what became of it.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

_ROOT = Path(__file__).parents[2]


class Forked:
    """``gateway …``, with what ``subprocess.Popen`` offers of a running process."""

    def __init__(self, arguments: Sequence[str], stdout: Path, stderr: Path) -> None:
        """Start it; what it says is appended to the two files, which may be one."""
        started = {"argv": ["gateway", *arguments], "files": [str(stdout), str(stderr)]}
        self.pid: int = _ask({**started, "cwd": str(Path.cwd()), "environ": dict(os.environ)})
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return its exit status, negative for a signal; None while it runs."""
        if self.returncode is None:
            self.returncode = _ask({"pid": self.pid})
        return self.returncode

    def wait(self, timeout: float = 60) -> int:
        """Wait for its end and return its exit status. Raises TimeoutError after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        # It is another process's child: there is no event of ours to wait for.
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} has not ended within {timeout} s")
            time.sleep(0.02)
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Signal it unless it has ended: its number may be another's by then."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


def _ask(request: dict[str, Any]) -> Any:
    lines = _parent()
    lines.write(json.dumps(request) + "\n")
    lines.flush()
    return json.loads(lines.readline())


@cache
def _parent() -> IO[str]:
    """Start the process that forks; it ends when this one does, which closes the socket."""
    ours, its = socket.socketpair()
    with its:
        subprocess.Popen(
            [sys.executable, "-m", "tests.system.forked", str(its.fileno())], cwd=_ROOT, pass_fds=[its.fileno()]
        )
    return ours.makefile("rw", encoding="utf-8")


def _serve(connection: socket.socket) -> None:
    import gateway.cli
    import gateway.service  # noqa: F401 - for those it will fork
    from gateway.__main__ import main

    lines = connection.makefile("rw", encoding="utf-8")
    while request := lines.readline():
        asked = json.loads(request)
        answer: int | None
        if "argv" in asked and (answer := os.fork()) == 0:
            _become(asked, connection)
            main()
            return
        if "pid" in asked:
            ended, status = os.waitpid(asked["pid"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if ended else None
        lines.write(json.dumps(answer) + "\n")
        lines.flush()


def _become(asked: dict[str, Any], connection: socket.socket) -> None:
    os.close(connection.detach())
    for descriptor, file in enumerate(asked["files"], start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), descriptor)
    os.environ.clear()
    os.environ.update(asked["environ"])
    os.chdir(asked["cwd"])
    sys.argv = asked["argv"]


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
