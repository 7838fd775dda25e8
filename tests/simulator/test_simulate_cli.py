"""``gateway simulate``: its options, its clock, and the API it scores."""

import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from gateway.cli.simulate import clock_for, simulate, usual_rate
from gateway.clock import Clock
from simulator.scenario import Scenario
from tests.mqtt_servers import Mosquitto

app = typer.Typer()
app.command()(simulate)


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


def test_a_play_ends_with_all_acknowledged_and_its_truth_in_a_file(tmp_path: Path, runner: CliRunner) -> None:
    truth = tmp_path / "truth.jsonl"
    with Mosquitto(tmp_path) as broker:
        arguments = ["freezer-seal", "--broker", broker.url, "--for", "15m", "--speed", "900", "--truth", str(truth)]
        result = runner.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines()]
    assert [line["cause"] for line in lines] == ["seal-leak"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "shipped are clean-month, demo, freezer-seal"),
        (["demo", "--broker", "http://x"], "mqtt://host:1883"),
        (["demo", "--for", "soon"], "no duration"),
        (["demo", "--rate", "5", "--speed", "2"], "not both"),
        (["demo", "--score"], "--gateway"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(arguments: list[str], words: str, runner: CliRunner) -> None:
    result = runner.invoke(app, arguments)
    assert result.exit_code != 0
    assert words in " ".join(result.output.replace("│", " ").split())
    assert "Traceback" not in result.output


def test_a_gateway_that_is_not_there_is_named_after_the_play(tmp_path: Path, runner: CliRunner) -> None:
    with Mosquitto(tmp_path) as broker, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"
        arguments = ["freezer-seal", "--broker", broker.url, "--for", "1m", "--speed", "900"]
        result = runner.invoke(app, [*arguments, "--score", "--gateway", nowhere])
    assert result.exit_code == 1
    assert "/api/cases: no usable answer from the gateway" in result.output


def test_the_registry_can_be_written_for_import(tmp_path: Path, runner: CliRunner) -> None:
    result = runner.invoke(app, ["demo", "--registry", str(tmp_path / "registry")])
    assert result.exit_code == 0, result.output
    registry = Scenario.load("demo").registry()
    written = json.loads((tmp_path / "registry" / "customers.json").read_text(encoding="utf-8"))
    assert [type(registry.customers[0]).model_validate(record) for record in written] == list(registry.customers)
    devices = json.loads((tmp_path / "registry" / "devices.json").read_text(encoding="utf-8"))
    assert [type(registry.devices[0]).model_validate(record) for record in devices] == list(registry.devices)


@pytest.mark.parametrize("speed", [2.0, 60.0, 300.0])
def test_however_fast_it_runs_a_play_ends_in_the_present_and_never_in_the_future(speed: float) -> None:
    length = timedelta(hours=8)
    clock, real = clock_for(length, speed), datetime.now(UTC)
    ends_at = real + length / speed
    assert abs(clock.at(ends_at) - ends_at) < timedelta(seconds=1)
    assert clock.now() <= datetime.now(UTC)


def test_at_the_speed_of_life_it_plays_on_the_wall_clock() -> None:
    assert clock_for(timedelta(hours=8), 1.0) == Clock()


def test_the_usual_rate_of_a_scenario_is_known_before_it_is_played() -> None:
    small, large = usual_rate(Scenario.load("freezer-seal"), 1), usual_rate(Scenario.load("demo"), 1)
    assert 1.5 / 60 < small < 4 / 60
    assert 0.5 < large < 2
