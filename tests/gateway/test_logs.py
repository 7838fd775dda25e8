"""The log never stands in the way of the work."""

import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from gateway.logs import configure_logs

SCRIPT = """
import os, sys, structlog
from gateway.logs import configure_logs

configure_logs("info", sys.argv[1])
# Nobody reads at the other end of either any more.
for descriptor in (1, 2):
    read_end, write_end = os.pipe()
    os.dup2(write_end, descriptor)
    os.close(read_end)
log = structlog.get_logger()
for number in range(3):
    log.info("web.answered", route="/", status=200)
try:
    1 / 0
except ZeroDivisionError:
    log.exception("pipeline.command_failed")
open(sys.argv[2], "w").write("went on")
os._exit(0)
"""


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_log_that_nobody_reads_any_more_stops_nothing(tmp_path: Path, form: str) -> None:
    said = tmp_path / "said"
    done = subprocess.run([sys.executable, "-c", SCRIPT, form, str(said)], check=False, timeout=60)
    assert (done.returncode, said.read_text()) == (0, "went on")


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_shows_no_value_that_a_frame_holds(capsys: pytest.CaptureFixture[str], form: str) -> None:
    def trip() -> None:
        address = "ana@" + "example.com"
        raise ValueError(f"{len(address)} letters")

    configure_logs("info", form)
    try:
        trip()
    except ValueError:
        structlog.get_logger().exception("pipeline.command_failed")
    logged = capsys.readouterr().err
    assert "15 letters" in logged
    assert "in trip" in logged
    assert "ana@example.com" not in logged
