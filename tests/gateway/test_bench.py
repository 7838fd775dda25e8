"""The bench runs through and says what it measured. No figure is judged here: this machine has other work to do."""

import asyncio
import io
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner, Result

from gateway.bench import resident
from gateway.bench.fleet import Fleet
from gateway.bench.rows import Row, percentile, show
from gateway.cli import app


def test_the_quick_bench_measures_a_real_gateway_and_writes_its_rows(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    ran = subprocess.run(
        [sys.executable, "-m", "gateway", "bench", "--quick", "--out", str(out)],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    rows = json.loads(out.read_text(encoding="utf-8"))
    assert all(row.keys() == {"name", "value", "unit", "ceiling", "ratio", "aim", "reached"} for row in rows)
    assert [row for row in rows if not (math.isfinite(row["value"]) and row["value"] > 0)] == []
    names = [row["name"] for row in rows]
    assert len(set(names)) == len(names)
    whole = ("burst", "backlog: catching up", "publish to commit", "publish to mail", "SQLite alone", "decode")
    parts = ("detect, 50 rules of which", "detect, 2,000 devices", "memory of a device", "commit, 100 devices")
    for wanted in (*whole, *parts, "a fix among 1,000 shops", "a fix among 100 zones", "backtest"):
        assert any(name.startswith(wanted) for name in names), wanted
    by_name = {row["name"]: row for row in rows}
    assert by_name["backlog: catching up"]["ceiling"] > 0
    assert "backlog: catching up" in ran.stdout


def test_a_part_is_run_by_its_name_and_an_unknown_one_is_named(tmp_path: Path) -> None:
    out = tmp_path / "rows.json"

    def bench(part: str) -> Result:
        return CliRunner().invoke(app, ["bench", "--quick", "--only", part, "--out", str(out)])

    assert bench("steps").exit_code == 0
    rows = json.loads(out.read_text(encoding="utf-8"))
    assert {row["name"].split()[0] for row in rows} == {"decode", "detect,"}
    refused = bench("stps")
    assert refused.exit_code == 2
    assert "gateway, steps, devices, places, backtest" in " ".join(refused.stderr.replace("│", " ").split())


def test_the_memory_of_a_device_is_found_however_large_the_process_is_that_started_the_measurement() -> None:
    ballast = b"x" * 200_000_000  # more than the measurement itself comes to
    found = asyncio.run(resident.in_a_process(resident.measure, 2_000, 1))
    assert len(ballast) / 2_000 > found.device_bytes > 1_000


def test_a_rate_is_to_reach_its_aim_and_a_time_is_not_to_exceed_it() -> None:
    assert Row("rate", 11_000, "events/s", ceiling=22_000, aim=10_000).as_dict() == {
        "name": "rate",
        "value": 11_000,
        "unit": "events/s",
        "ceiling": 22_000,
        "ratio": 0.5,
        "aim": 10_000,
        "reached": True,
    }
    assert Row("time", 11, "ms", aim=10).reached is False
    assert Row("time", 11, "ms").reached is None


@given(st.lists(st.floats(min_value=0, max_value=1e6), min_size=1), st.floats(min_value=0, max_value=1))
def test_a_percentile_is_a_measured_value_that_its_share_does_not_exceed(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)


def test_without_values_there_is_no_percentile() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        percentile([], 0.5)


def test_the_table_says_what_was_missed() -> None:
    written = io.StringIO()
    show([Row("time", 11, "ms", aim=10), Row("rate", 7, "events/s")], Console(file=written, width=120))
    assert "missed" in written.getvalue()


def test_a_device_of_the_fleet_repeats_itself_never_and_is_about_as_long_as_real_ones() -> None:
    fleet = Fleet(devices=10, first_at=1_700_000_000.0)
    payloads = [fleet.payload(number) for number in range(0, 1000, 10)]
    assert len(set(payloads)) == len(payloads)
    assert all(150 <= len(payload) <= 250 for payload in payloads)
    assert fleet.topic(13) == "devices/bench-00003/status"
