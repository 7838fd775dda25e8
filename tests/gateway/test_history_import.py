"""``gateway history import``: recorded samples become history that rules can be tried on."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import app
from gateway.data_lock import lock_data
from tests.gateway.making import T0, gateway

RULES = """\
rules:
  - {id: warm, kind: condition, profile: freezer, when: temperature > -12, for: 10m, clear_when: temperature < -15}
"""
ROWS = "device_id,time,temperature\n" + "".join(
    f"f1,2026-03-0{day}T{hour:02}:{minute:02}:00Z,{-5 if hour == 4 else -18}\n"
    for day in (1, 2)
    for hour in range(8)
    for minute in range(0, 60, 5)
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "rules.yaml").write_text(RULES, "utf-8")
    (tmp_path / "f1.csv").write_text(ROWS, "utf-8")
    with gateway(f"sqlite:///{data / 'gateway.sqlite'}", data):
        pass
    path = tmp_path / "gateway.toml"
    path.write_text(f'data_dir = "{data}"\n[rules]\nbuiltin = false\npaths = ["{tmp_path / "rules.yaml"}"]\n', "utf-8")
    return path


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "-c", str(config)])


def test_what_is_imported_can_be_backtested_with_its_cases_customers_and_hours(config: Path) -> None:
    folder = config.parent
    for _ in range(2):
        result = run(config, "history", "import", str(folder / "f1.csv"))
        assert result.exit_code == 0, result.stderr
        assert result.stdout == "Imported 192 samples of 1 devices, 2026-03-01 to 2026-03-02.\n"
    result = run(
        config, "rules", "backtest", str(folder / "rules.yaml"), "--since", f"{(datetime.now(UTC) - T0).days + 3}d"
    )
    assert result.exit_code == 0, result.stderr
    fired = [json.loads(line)["at"] for line in result.stdout.splitlines() if '"firing"' in line]
    assert fired == ["2026-03-01T04:10:00Z", "2026-03-02T04:10:00Z"]
    for line in ("samples  192", "customers_told  1", 'by_hour  {"4": 2}'):
        assert line in result.stderr


def test_a_dry_run_writes_nothing(config: Path) -> None:
    result = run(config, "history", "import", str(config.parent / "f1.csv"), "--dry-run")
    assert result.stdout == "192 samples of 1 devices are right; nothing was imported.\n"
    assert not (config.parent / "data" / "history.sqlite").exists()


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("device_id,time,temperature\nf9,2026-03-01T00:00:00Z,1\n", [], "not registered: 'f9'"),
        ("time,temperature\n2026-03-01T00:00:00Z,1\nsoon,2\n", ["--device", "f1"], "x.csv:3: 'soon' is no time"),
        ("time,temperature\n2126-03-01T00:00:00Z,1\n", ["--device", "f1"], "is in the future"),
        ("temperature\n1\n", ["--device", "f1"], "holds a time"),
        ("time,temperature\n2026-03-01T00:00:00Z,1\n", ["--map", "temperature"], "write COLUMN=field"),
        ("time,temperature\n", [], "has no rows"),
    ],
)
def test_what_cannot_be_imported_is_named_and_nothing_is_written(
    config: Path, text: str, options: list[str], said: str
) -> None:
    file = config.parent / "x.csv"
    file.write_text(text, "utf-8")
    result = run(config, "history", "import", str(file), *options)
    assert result.exit_code == 1
    assert said in result.stderr.replace("\n", " ")
    assert not (config.parent / "data" / "history.sqlite").exists()


def test_values_take_the_names_of_the_profile_and_impossible_ones_are_left_out(config: Path) -> None:
    file = config.parent / "f1-renamed.csv"
    file.write_text("when,t\n2026-03-01T00:00:00Z,-17\n2026-03-01T00:05:00Z,-4000\n", "utf-8")
    result = run(config, "history", "import", str(file), "--device", "f1", "--map", "t=temperature")
    assert result.exit_code == 0, result.stderr
    assert "left out as impossible for their profile: temperature 1" in result.stderr


def test_a_running_gateway_is_not_written_beside(config: Path) -> None:
    with lock_data(config.parent / "data"):
        result = run(config, "history", "import", str(config.parent / "f1.csv"))
    assert result.exit_code == 1
    assert "stop the gateway first" in result.stderr.replace("\n", " ")
