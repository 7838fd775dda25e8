"""The gateway's own history, read as it was recorded."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from device_models.event import Event, Position
from device_models.registry import Customer, Device, Record
from gateway.cli.rules import app
from gateway.commands import Upsert
from gateway.config import Config, load_config
from gateway.control import submit_command
from gateway.history import Sample
from gateway.history.embedded import EmbeddedHistory
from gateway.replay import replay

NOW = datetime.now(UTC).replace(microsecond=0)
RULE = """\
rules:
  - {id: too-warm, kind: condition, profile: freezer, when: temperature > -12, for: 10m, clear_when: temperature < -15}
"""


def at(minutes: float) -> datetime:
    return NOW - timedelta(days=2) + timedelta(minutes=minutes)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "gateway.toml"
    path.write_text(f'data_dir = "{tmp_path / "data"}"\n', "utf-8")
    return load_config(path)


def record(config: Config, samples: list[Sample]) -> None:
    async def write() -> None:
        history = await EmbeddedHistory.open(config.data_dir / "history.sqlite", 10**8)
        await history.write(samples)
        await history.close()

    asyncio.run(write())


def register(config: Config, kind: str, *records: Record) -> None:
    rows = tuple(item.model_dump(mode="json", exclude_none=True) for item in records)
    submit_command(config, Upsert(kind, rows, by="test"))  # type: ignore[arg-type]


def test_what_was_recorded_comes_back_in_order_with_its_types(config: Config) -> None:
    said = [
        Sample("f1", at(0), {"temperature": -18.0, "door_open": True, "state": "idle"}),
        Sample("f1", at(5), {"temperature": -17.5, "state": "idle"}),
        # Beyond midnight, so in another part; the state that held before is not said again.
        Sample("f1", at(1500), {"temperature": -5.0}, position=Position(52.5, 13.4)),
        Sample("f1", at(1505), {"state": "off"}),
        Sample("f2", at(0), {"temperature": 1.0}),
    ]
    record(config, said)

    async def read() -> list[Event]:
        history = await EmbeddedHistory.open(config.data_dir / "history.sqlite", 10**8)
        found = [event async for event in replay(history, "f1", at(0), at(2000))]
        await history.close()
        return found

    events = asyncio.run(read())
    assert [(event.observed_at, dict(event.values)) for event in events] == [
        (at(0), {"temperature": -18.0, "door_open": True, "state": "idle"}),
        (at(5), {"temperature": -17.5}),
        (at(1500), {"temperature": -5.0}),
        (at(1500), {}),
        (at(1505), {"state": "off"}),
    ]
    assert events[3].position == Position(52.5, 13.4)


def test_a_backtest_over_own_history_tells_cases_messages_and_customers(config: Config, tmp_path: Path) -> None:
    register(config, "customers", Customer(id="anna", name="Anna", email="anna@example.org"))
    register(
        config,
        "devices",
        Device(id="f1", profile="freezer", customer_id="anna"),
        Device(id="f2", profile="freezer", customer_id="anna"),
        Device(id="f3", profile="freezer"),
        Device(id="pump", profile="heat-pump"),
    )
    warm = [
        Sample(name, at(minute), {"temperature": -5.0 if 60 <= minute < 120 else -18.0})
        for name in ("f1", "f2", "f3", "pump")
        for minute in range(0, 240, 5)
    ]
    record(config, warm)
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULE, "utf-8")
    result = CliRunner().invoke(app, ["backtest", str(rules), "--since", "3d", "-c", str(tmp_path / "gateway.toml")])
    assert result.exit_code == 0, result.stderr
    fired = [line for line in map(json.loads, result.stdout.splitlines()) if line["state"] == "firing"]
    assert [(line["device_id"], line["at"]) for line in fired] == [
        (name, at(70).isoformat().replace("+00:00", "Z")) for name in ("f1", "f2", "f3")
    ]
    said = dict(line.split(maxsplit=1) for line in result.stderr.splitlines())
    assert (said["cases"], said["messages"], said["customers_told"]) == ("3", "4", "1")


def test_own_history_and_files_do_not_mix(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULE, "utf-8")
    result = CliRunner().invoke(app, ["backtest", str(rules), "--since", "3d", "--csv", str(rules)])
    assert result.exit_code == 1
    assert "leave out --csv" in result.stderr
